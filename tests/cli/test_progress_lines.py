"""How far a pull is: one live line on a terminal, else plain lines, never on standard output."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

SCRIPT = """
import logging, sys
from trueline.cli.progress_lines import progress_shown
from trueline.progress import Progress
logging.basicConfig(level=getattr(logging, sys.argv[1]), format="%(message)s")
with progress_shown("crm: 2026-11-01"):
    progress = Progress("crm", every_seconds=-1)
    progress.at(report="anna@example.org", page=1, rows=1000)
    progress.at(report="contacts", page=2, rows=2000)
Progress("crm", every_seconds=-1).at(page=3)
print("done")
"""


def test_without_a_terminal_each_step_is_a_line_of_its_own() -> None:
    for level in ("WARNING", "INFO"):
        command = [sys.executable, "-c", SCRIPT, level]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == "done\n"
        lines = done.stderr.splitlines()
        assert lines[1] == "crm: contacts, page 2, 2,000 rows"
        assert len(lines) == (2 if level == "WARNING" else 3)
    command = [sys.executable, "-c", SCRIPT, "WARNING"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "[e-mail]" in done.stderr
    assert "anna" not in done.stderr


def test_on_a_terminal_one_line_is_replaced_and_then_gone() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "WARNING"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color"},
        text=True,
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.stdout == "done\n"
    assert "crm: contacts, page 2, 2,000 rows" in shown
    # One line break only: the one after which the line is erased.
    assert shown.count("\n") == 1
    assert shown.rstrip().endswith("\x1b[2K")
