"""How the dates of a column are written, and which of its rows tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from trueline.sources.files.mapping import EPOCHS
from trueline.sources.values import EARLIEST_YEAR, LATEST_YEAR

_DAY_ORDERS = ("%d{s}%m{s}%Y", "%m{s}%d{s}%Y", "%Y{s}%m{s}%d", "%d{s}%m{s}%y", "%m{s}%d{s}%y")
_NAMED = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%a, %b %d, %Y")
_TIMES = (
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S.%f",
    " %I:%M %p",
    " %I:%M:%S %p",
    ", %H:%M",
    ", %H:%M:%S",
    ", %I:%M %p",
    "T%H:%M:%S",
)
_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_OFFSET = re.compile(r"(?:Z|z|[+-]\d\d:?\d\d)$")
_EPOCH_DIGITS = {10: "epoch_s", 13: "epoch_ms", 16: "epoch_us"}
_PARTS = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-]\d{2,4}\b")
_ENOUGH = 0.5
_SHOWN_ROWS = 3
# Formats that none of the first cells has are not tried on the rest.
_TRIED_FIRST = 40


@dataclass(frozen=True, slots=True)
class Order:
    """Whether a file writes the day or the month first: one file is taken to have one way.

    Attributes:
        note: Which rows tell, or that none does.
        is_assumed: Whether no row tells, or as many say the one as the other.
    """

    day_first: bool
    note: str
    is_assumed: bool


def order_of(columns: Iterable[Sequence[tuple[int, Any]]], *, day_first: bool) -> Order:
    """Read the order from dates with a part above 12.

    Args:
        columns: Row numbers and cells of each column.
        day_first: What to assume where no row decides.
    """
    days: set[int] = set()
    months: set[int] = set()
    for values in columns:
        for row, value in values:
            match = _PARTS.match(str(value).strip())
            if match and int(match[1]) > 12 >= int(match[2]):
                days.add(row)
            elif match and int(match[2]) > 12 >= int(match[1]):
                months.add(row)
    if len(days) == len(months):
        read = "day first" if day_first else "month first"
        rows = f"{_rows(len(days))} for each" if days else "no row decides"
        note = (
            f"01/02 could be the first of February or the second of January: {rows}, read as {read}"
        )
        return Order(day_first, note, is_assumed=True)
    is_day = len(days) > len(months)
    told, against = (days, months) if is_day else (months, days)
    shown = ", ".join(map(str, sorted(told)[:_SHOWN_ROWS]))
    note = f"{'day' if is_day else 'month'} first, told by {_rows(len(told))} ({shown}"
    note += ", …)" if len(told) > _SHOWN_ROWS else ")"
    if against:
        note += f", against {len(against)}"
    return Order(is_day, note, is_assumed=False)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


@dataclass(frozen=True, slots=True)
class Dates:
    """How a column's dates are read.

    Attributes:
        format: For the mapping; None for ISO 8601, or where the cells are dates already.
        fitting: How many of the filled cells it reads.
        has_offset: Whether the times say their own time zone.
        has_time: Whether there are times, not days alone.
        note: How the order of day and month, or the unit of a number, was found; None where
            there was nothing to find.
        is_certain: False where the note tells a doubt.
    """

    format: str | None
    fitting: int
    has_offset: bool = False
    has_time: bool = True
    note: str | None = None
    is_certain: bool = True


def read_dates(values: Sequence[tuple[int, Any]], *, is_day: bool, order: Order) -> Dates | None:
    """Find the format of a column.

    Args:
        values: Row numbers and cells.
        is_day: Whether the field is a day; else it is a moment.
        order: Of day and month in this file.

    Returns:
        None where the cells are no dates.
    """
    if values and all(isinstance(value, datetime | date) for _, value in values):
        return Dates(None, len(values))
    texts = [(row, str(value).strip()) for row, value in values]
    texts = [(row, text) for row, text in texts if text]
    if not texts:
        return None
    for candidate in (_iso(texts, is_day), _epoch(texts)):
        if candidate is not None:
            return candidate
    return _written(texts, order)


def _iso(texts: Sequence[tuple[int, str]], is_day: bool) -> Dates | None:
    moments = [text for _, text in texts if _ISO_MOMENT.fullmatch(text)]
    days = sum(bool(_ISO_DAY.fullmatch(text)) for _, text in texts)
    if max(len(moments), days) <= _ENOUGH * len(texts):
        return None
    if days >= len(moments):
        return Dates(None if is_day else "%Y-%m-%d", days, has_time=False)
    if is_day:
        layout = "%Y-%m-%d %H:%M:%S" if moments[0].count(":") == 2 else "%Y-%m-%d %H:%M"
        return Dates(layout.replace(" ", moments[0][10]), len(moments))
    with_offset = sum(bool(_OFFSET.search(text)) for text in moments)
    return Dates(None, len(moments), has_offset=with_offset * 2 > len(moments))


def _epoch(texts: Sequence[tuple[int, str]]) -> Dates | None:
    for digits, name in _EPOCH_DIGITS.items():
        fitting = [text for _, text in texts if len(text) == digits and text.isdecimal()]
        if len(fitting) > _ENOUGH * len(texts):
            seconds = int(fitting[0]) // EPOCHS[name]
            if 946_684_800 < seconds < 4_102_444_800:  # 2000 to 2100
                note = f"read as {name}: {digits} digits"
                return Dates(name, len(fitting), has_offset=True, note=note)
    return None


def _written(texts: Sequence[tuple[int, str]], order: Order) -> Dates | None:
    start = texts[:_TRIED_FIRST]
    likely = [each for each in _layouts(start) if any(_fits(text, each) for _, text in start)]
    fitting = {
        layout: sum(_fits(text, layout) for _, text in texts)
        for layout in dict.fromkeys([*likely, *map(_swapped, likely)])
    }
    if not fitting:
        return None
    best = max(fitting, key=lambda layout: fitting[layout])
    other, enough = _swapped(best), _ENOUGH * len(texts)
    if fitting[best] <= enough:
        return None
    has_time = "%H" in best or "%I" in best
    if other == best:
        return Dates(best, fitting[best], has_time=has_time)
    if best.startswith("%d") != order.day_first and fitting[other] > enough:
        best = other
    return Dates(
        best, fitting[best], has_time=has_time, note=order.note, is_certain=not order.is_assumed
    )


def fitting_cells(values: Sequence[tuple[int, Any]], layout: str | None, *, is_day: bool) -> int:
    """How many cells a format reads; None is ISO 8601."""
    texts = [str(value).strip() for _, value in values]
    if layout is None:
        pattern = _ISO_DAY if is_day else _ISO_MOMENT
        return sum(bool(pattern.fullmatch(text)) for text in texts)
    if layout in EPOCHS:
        return sum(text.isdecimal() for text in texts)
    return sum(_fits(text, layout) for text in texts)


def _layouts(texts: Sequence[tuple[int, str]]) -> list[str]:
    """Candidates, by the sign between the parts of the first cells."""
    signs = {char for _, text in texts for char in text[:10] if char in "./-"}
    days = [order.replace("{s}", sign) for sign in sorted(signs) for order in _DAY_ORDERS]
    return [day + time for day in (*days, *_NAMED) for time in _TIMES]


def _fits(text: str, layout: str) -> bool:
    try:
        found = datetime.strptime(text, layout)
    except ValueError:
        return False
    return EARLIEST_YEAR <= found.year <= LATEST_YEAR


def _swapped(layout: str) -> str:
    for first, second in (("%d", "%m"), ("%m", "%d")):
        if layout.startswith(first) and layout[3:5] == second:
            return second + layout[2] + first + layout[5:]
    return layout
