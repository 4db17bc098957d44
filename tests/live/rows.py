"""Rows of two warehouses, made comparable without losing their types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trueline.model.catalog import Table
from trueline.model.parameters import HISTORY_START
from trueline.warehouse.base import Reader

Row = tuple[Any, ...]


def comparable(value: Any) -> Any:
    """``(type, value)``: an int is no Decimal, a DATE no TIMESTAMP."""
    if isinstance(value, Decimal):
        return ("NUMERIC", value.normalize() + 0)
    if isinstance(value, datetime):
        assert value.tzinfo is not None, "a TIMESTAMP without its zone"
        return ("TIMESTAMP", value.astimezone(UTC).replace(tzinfo=UTC))
    return (type(value).__name__, value)


def sorted_rows(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> list[Row]:
    order = list(names)
    return sorted((tuple(comparable(row[name]) for name in order) for row in rows), key=repr)


def rows_of(reader: Reader, table: Table, leave_out: Collection[str] = ()) -> list[Row]:
    """All rows of a table, sorted, without some columns."""
    names = [column.name for column in table.columns if column.name not in leave_out]
    found = reader.query(
        f"select {', '.join(names)} from {table.key} where {table.from_day('@history_start')}",
        {"history_start": HISTORY_START},
    )
    return sorted_rows(found, names)


def first_differences(
    here: list[Row], there: list[Row], names: Iterable[str], at_most: int = 3
) -> list[str]:
    """What only one side has, in words; empty where both are the same."""
    counted_here, counted_there = Counter(here), Counter(there)
    sides = {
        "only DuckDB": sorted((counted_here - counted_there).elements(), key=repr),
        "only BigQuery": sorted((counted_there - counted_here).elements(), key=repr),
    }
    told = []
    for side, rows in sides.items():
        for row in rows[:at_most]:
            cells = zip(names, row, strict=True)
            told.append(f"{side}: " + ", ".join(f"{name}={value[1]}" for name, value in cells))
    return told
