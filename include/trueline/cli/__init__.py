"""``trueline``: the same steps as the DAGs, from a terminal."""

from trueline.cli.main import main

__all__ = ["main"]
