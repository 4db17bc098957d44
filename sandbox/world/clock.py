"""World time to real time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sandbox.world.model import DAY


class WorldClock:
    """Turns local wall seconds since the first day's midnight into moments.

    The generator keeps submissions and visits between 04:00 and midnight, so that no clock change
    moves one to another day or reorders two of them.
    """

    def __init__(self, last_day: date, days: int, time_zone: str) -> None:
        self.last_day = last_day
        self.days = days
        self.first_day = last_day - timedelta(days=days - 1)
        self.zone = ZoneInfo(time_zone)
        self._midnight = datetime(self.first_day.year, self.first_day.month, self.first_day.day)
        #: The world's "now": the end of its last day. Nothing later can be seen.
        self.now = days * DAY

    def local(self, at: float) -> datetime:
        """The aware local moment, to the millisecond."""
        naive = self._midnight + timedelta(milliseconds=round(at * 1000))
        return naive.replace(tzinfo=self.zone)

    def utc(self, at: float) -> datetime:
        """The same moment in UTC."""
        return self.local(at).astimezone(UTC)

    def day_index(self, day: date) -> int | None:
        """0 for the first day; None for a day outside the world."""
        index = (day - self.first_day).days
        return index if 0 <= index < self.days else None

    def day(self, index: int) -> date:
        """The calendar day of an index."""
        return self.first_day + timedelta(days=index)

    def rfc3339(self, at: float) -> str:
        """``2026-11-22T09:15:03.250+01:00``."""
        return self.local(at).isoformat(timespec="milliseconds")

    def zulu(self, at: float) -> str:
        """``2026-11-22T08:15:03.250Z``, the CRM's form."""
        return self.utc(at).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
