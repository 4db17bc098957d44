"""How far a long pull is, on the terminal: one live line, or plain lines where nobody watches."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.text import Text

from trueline.progress import log
from trueline.redaction import RedactingFilter


@contextmanager
def progress_shown(what: str) -> Iterator[None]:
    """Show what ``trueline.progress`` is told while the block runs, on the error stream.

    With ``--verbose`` the root logger shows it already, among everything else.
    """
    if logging.getLogger().isEnabledFor(logging.INFO):
        yield
        return
    console = Console(stderr=True)
    is_live = console.is_terminal and not console.is_dumb_terminal
    handler: logging.Handler = (
        _LiveLine(console.status(Text(f"{what} …"))) if is_live else _plain_lines()
    )
    handler.addFilter(RedactingFilter())
    level, log.propagate = log.level, False
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        if isinstance(handler, _LiveLine):
            with handler.status:
                yield
        else:
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = True


class _LiveLine(logging.Handler):
    """Each message takes the place of the one before."""

    def __init__(self, status: Status) -> None:
        super().__init__()
        self.status = status

    def emit(self, record: logging.LogRecord) -> None:
        # Text, not markup: a report's name must not colour the terminal.
        self.status.update(Text(record.getMessage(), no_wrap=True, overflow="ellipsis"))


def _plain_lines() -> logging.Handler:
    return logging.StreamHandler(sys.stderr)
