"""One whole run in a process of its own, to be killed: ``python -m tests.end_to_end.one_run``."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from tests.end_to_end.conftest import PREFIXES, profile_in
from trueline import pipeline
from trueline.connections import Connection
from trueline.windows import Window


def main() -> None:
    url, folder, start, end = sys.argv[1:]
    profile = profile_in(Path(folder))
    window = Window(date.fromisoformat(start), date.fromisoformat(end))
    for source, prefix in PREFIXES.items():
        connection = Connection(source, f"{url}/{prefix}", "sandbox-token")
        pipeline.ingest(profile, source, window, connection=connection)
    pipeline.build(profile, window)
    pipeline.publish(profile)


if __name__ == "__main__":
    main()
