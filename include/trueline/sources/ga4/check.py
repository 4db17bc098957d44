"""Trying a GA4 export of files: is there a recent day's?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from trueline.errors import PermanentError
from trueline.paths import resolve
from trueline.sources.checks import CheckResult, tried
from trueline.sources.ga4.files import find_day
from trueline.sources.settings import Ga4Settings

LOOKED_AT_DAYS = 7


def check(settings: Ga4Settings, *, root: Path, today: date) -> Iterator[CheckResult]:
    """The newest of the last days that has files."""
    if settings.folder is None:
        yield CheckResult(
            "dataset",
            "note",
            f"{settings.dataset} is read where it lies, with the warehouse's own credentials.",
            "Try it with trueline run --source for one day.",
        )
        return
    yield tried("days", partial(_newest, resolve(settings.folder, root), today))


def _newest(folder: Path, today: date) -> str:
    for back in range(1, LOOKED_AT_DAYS + 1):
        day = find_day(folder, today - timedelta(days=back))
        if day.paths:
            return f"{day.name} is the newest"
    raise PermanentError(
        f"None of the last {LOOKED_AT_DAYS} days has a file.",
        where=str(folder),
        fix="Export the tables of the GA4 dataset under their own names "
        "(events_20261120.jsonl and the like), or correct folder in the profile.",
    )
