"""One step in a process of its own, to be killed: ``python -m tests.wire.one_step``."""

from __future__ import annotations

import os
import sys
from datetime import date

from tests.end_to_end.conftest import PREFIXES
from trueline import pipeline
from trueline.connections import Connection
from trueline.paths import home
from trueline.settings.profile import load_profile
from trueline.windows import Window


def main() -> None:
    step, url, start, end = sys.argv[1:]
    profile = load_profile(home() / "docs" / "examples" / "bigquery.yaml")
    window = Window(date.fromisoformat(start), date.fromisoformat(end))
    label = f"build_funnel/{os.getpid()}"
    if step == "build":
        pipeline.build(profile, window, run_label=label)
    elif step == "publish":
        pipeline.publish(profile, run_label=label)
    else:
        connection = Connection(step, f"{url}/{PREFIXES[step]}", "sandbox-token")
        pipeline.ingest(profile, step, window, connection=connection, run_label=label)


if __name__ == "__main__":
    main()
