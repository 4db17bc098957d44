"""The four families of errors: every message says what happened, where, and what to do.

Row-level errors are values, not exceptions: they are collected beside the good rows, stored with
their reason and never stop a batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


class TruelineError(Exception):
    """Base of all errors that trueline raises on purpose.

    Args:
        what: What happened, without any personal value or secret.
        where: File and line, source, table or run.
        fix: What the reader should do next.
    """

    family = "permanent"

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what)

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.fix:
            parts.append(f"What to do: {self.fix}")
        return "\n".join(parts)


class RetriableError(TruelineError):
    """The same call may succeed later: throttling, an outage, a lock held by another writer."""

    family = "retriable"

    def __init__(
        self, what: str, *, where: str = "", fix: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        seconds = math.ceil(self.retry_after_seconds or 0)
        if not seconds:
            return super().__str__()
        wait = f"{seconds} seconds" if seconds < 120 else f"{math.ceil(seconds / 60)} minutes"
        return f"{super().__str__()}\nWhen: in {wait} at the earliest."


class PermanentError(TruelineError):
    """Repeating will not help until the data changes: a broken file, a gate that says no."""

    family = "permanent"


class ConfigurationError(TruelineError):
    """A person has to change a setting, a credential or a permission."""

    family = "configuration"


@dataclass(frozen=True, slots=True)
class RowError:
    """One received row that could not be used.

    Attributes:
        line: 1-based line (or record) number in the file or response.
        column: The field that failed, or None for the row as a whole.
        reason: A short code such as ``bad_date``; never the value itself.
        raw_row: The row as received; stored only in ``raw_restricted``.
    """

    line: int
    column: str | None
    reason: str
    raw_row: str
