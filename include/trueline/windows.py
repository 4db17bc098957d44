"""The window of a run: an inclusive range of reporting days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from trueline.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Window:
    """Inclusive days ``start..end`` in the profile's reporting time zone."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ConfigurationError(
                f"The window starts on {self.start}, after it ends on {self.end}.",
                fix="Give window_start on or before window_end.",
            )

    def days(self) -> Iterator[date]:
        for offset in range((self.end - self.start).days + 1):
            yield self.start + timedelta(days=offset)

    def widened(self, days_back: int) -> Window:
        """The window that a pull asks a restating source for: ``days_back`` more days before it."""
        return Window(self.start - timedelta(days=days_back), self.end)

    def refuse_future(self, now: datetime, time_zone: str) -> None:
        """Raise ConfigurationError if the window holds a day that is not over in ``time_zone``."""
        today = now.astimezone(ZoneInfo(time_zone)).date()
        if self.end >= today:
            raise ConfigurationError(
                f"The window ends on {self.end}, but in {time_zone} it is still {today}: "
                "that day is not over, its figures do not exist yet.",
                fix=f"End the window on {today - timedelta(days=1)} or before.",
            )

    def __str__(self) -> str:
        return f"{self.start}..{self.end}"


def parse_day(text: str, *, what: str) -> date:
    """Parse ``YYYY-MM-DD``; ``what`` names the setting in the error."""
    try:
        return date.fromisoformat(text.strip())
    except (ValueError, AttributeError):
        raise ConfigurationError(
            f"{what} is {text!r}, which is not a day.", fix=f"Give {what} as YYYY-MM-DD."
        ) from None


def utc_now() -> datetime:
    """The only place that reads the clock; everything else is handed ``as_of``."""
    return datetime.now(UTC)


def moment_of(text: str | None, what: str = "--as-of") -> datetime | None:
    """A moment with its offset; None for None.

    Raises:
        ConfigurationError: it is none.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{what} is {text!r}, which is not a moment.", fix="Use 2026-11-20T06:00:00+00:00."
        ) from None
