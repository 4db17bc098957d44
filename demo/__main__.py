"""Command line of the demo: ``python -m demo run | up | stop-check [--warehouse NAME]``."""

from __future__ import annotations

import argparse
import sys

from demo.errors import DemoError
from demo.home import DemoHome
from demo.processes import describe, leftovers, running_owner, stop_leftovers
from demo.warehouses import WAREHOUSES
from trueline.errors import TruelineError

COMMANDS = {
    "run": "the whole demo, from nothing to the report",
    "up": "sandbox and Airflow in the foreground, until Ctrl-C",
    "stop-check": "exit code 1 if a killed demo left processes behind",
}


def main() -> int:
    """Run one command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose).add_argument(
            "--warehouse", choices=WAREHOUSES, default="duckdb", help="what it runs on"
        )
    asked = parser.parse_args()
    command, home = asked.command, DemoHome(warehouse=WAREHOUSES[asked.warehouse])
    try:
        return _stop_check(home) if command == "stop-check" else _start(command, home)
    except (DemoError, TruelineError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.", file=sys.stderr)
        # Ctrl-C is how `up` is meant to end; `run` was cut short.
        return 0 if command == "up" else 130


def _start(command: str, home: DemoHome) -> int:
    owner = running_owner(home)
    if owner is not None:
        raise DemoError(
            f"The demo is running already (process {owner}). Stop it first, with Ctrl-C."
        )
    if ended := stop_leftovers(home):
        print(f"Ended what a killed demo had left behind: {ended}.")
    # Imported late: the other commands do not need them.
    if command == "run":
        from demo.story import run_demo

        run_demo(home)
    else:
        from demo.upkeep import keep_up

        keep_up(home)
    return 0


def _stop_check(home: DemoHome) -> int:
    owner = running_owner(home)
    found = leftovers(home)
    if owner is not None:
        print(f"The demo is at work (process {owner}).")
    elif found:
        print(f"A killed demo left these behind: {describe(found)}. The next start ends them.")
    else:
        print("Nothing of the demo is running.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
