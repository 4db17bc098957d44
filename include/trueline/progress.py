"""How far a long pull is: account, report, page and counts, at most every few seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

#: Everything told here; the command line shows it on the terminal, Airflow in the task's log.
log = logging.getLogger("trueline.progress")
EVERY_SECONDS = 5.0


class Progress:
    """Tells of one source's pull. Only names and counts go in, never a row's content.

    Args:
        source: The profile's name of the source.
        every_seconds: The shortest time between two lines.
        clock: Seconds that only grow; replaced in tests.
    """

    def __init__(
        self,
        source: str,
        *,
        every_seconds: float = EVERY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._every, self._clock = source, every_seconds, clock
        self._told_at = clock()

    def at(
        self,
        *,
        account: str | None = None,
        report: str | None = None,
        page: int | None = None,
        rows: int | None = None,
        percent: int | None = None,
    ) -> None:
        """Where the pull is. Cheap enough for every page: what comes too soon is not told."""
        now = self._clock()
        if now - self._told_at < self._every:
            return
        self._told_at = now
        parts = (
            f"account {account}" if account else "",
            report or "",
            f"page {page:,}" if page is not None else "",
            f"{percent}%" if percent is not None else "",
            f"{rows:,} rows" if rows is not None else "",
        )
        log.info("%s: %s", self._source, ", ".join(part for part in parts if part))
