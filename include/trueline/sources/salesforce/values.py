"""Salesforce's own kinds of values."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from trueline.sources.values import day, plausible, text

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def record_id(value: Any) -> str | None:
    """An id in its 18 characters. One of 15 differs from others by case alone, so it is completed.

    Each of the three added letters tells which of five characters are capitals.
    """
    found = text(value)
    if found is None or not re.fullmatch(r"[A-Za-z0-9]{15}", found):
        return found
    for start in (0, 5, 10):
        bits = sum(1 << place for place in range(5) if found[start + place] in _LETTERS[:26])
        found += _LETTERS[bits]
    return found


def midnight(value: Any, zone: ZoneInfo) -> datetime | None:
    """A date's first moment in the company's time zone, in UTC.

    Raises:
        BadValue: ``bad_date`` or ``implausible_date``.
    """
    found = text(value)
    if found is None:
        return None
    return plausible(datetime.combine(day(found), time(), zone)).astimezone(UTC)


def consent(value: Any) -> str:
    """A picklist's word as it is, a checkbox as granted or denied, nothing as unknown."""
    found = (text(value) or "unknown").lower()
    return {"true": "granted", "false": "denied"}.get(found, found)
