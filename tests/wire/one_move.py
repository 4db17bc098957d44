"""A move in small steps, in a process of its own, to be killed: ``python -m tests.wire.one_move``.

Arguments: the old warehouse's folder, the new profile. Tells each step on a line of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.end_to_end.conftest import profile_in
from trueline import pipeline
from trueline.pipeline import move
from trueline.settings.profile import load_profile

ROWS_AT_ONCE = 600


def main() -> None:
    folder, target = sys.argv[1:]
    move.ROWS_AT_ONCE = ROWS_AT_ONCE
    pipeline.move_history(
        profile_in(Path(folder)),
        load_profile(Path(target)),
        progress=lambda told: print(told, flush=True),
    )


if __name__ == "__main__":
    main()
