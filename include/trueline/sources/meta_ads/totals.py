"""Meta's own totals of a report beside the sums of its rows: a lost page shows there alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from trueline.sources.collect import as_text
from trueline.sources.meta_ads.constants import MONEY, SUMMED
from trueline.sources.values import BadValue, numeric

Told = Mapping[str, Any]


def absent(rows: Sequence[Any], told: Told) -> list[str]:
    """Fields with a total that no row has."""
    return [
        name
        for name in SUMMED
        if rows and (_number(told.get(name)) or 0) > 0 and not any(_has(row, name) for row in rows)
    ]


def shortfall(rows: Iterable[Any], told: Told) -> str | None:
    """``impressions adds up to 800 of 1,000``: where the rows are less than Meta's total.

    A row that came twice counts once. Rows that are more lose nothing, and where a value is no
    number its row is set aside later, so that field's sum says nothing.
    """
    distinct = {as_text(row): row for row in rows if isinstance(row, Mapping)}.values()
    for name in SUMMED:
        total, values = _number(told.get(name)), [_number(row.get(name) or 0) for row in distinct]
        numbers = [value for value in values if value is not None]
        if total is None or len(numbers) < len(values):
            continue
        found = sum(numbers, Decimal(0))
        # Money is rounded in every row, to as many places as the currency has.
        places = max((-int(number.as_tuple().exponent) for number in numbers), default=0)
        rounded = len(numbers) * Decimal(1).scaleb(-places) / 2 if name == MONEY else 0
        if found < total - rounded:
            return f"{name} adds up to {found:,} of {total:,}"
    return None


def _has(row: Any, name: str) -> bool:
    return isinstance(row, Mapping) and row.get(name) not in (None, "")


def _number(value: Any) -> Decimal | None:
    try:
        return numeric(value)
    except BadValue:
        return None
