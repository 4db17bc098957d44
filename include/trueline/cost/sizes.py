"""How large tables are in BigQuery's logical bytes, measured in whichever warehouse is there.

BigQuery's published sizes ("Data type sizes"): INT64, FLOAT64, DATE and TIMESTAMP 8 bytes, BOOL 1,
NUMERIC 16, STRING 2 plus its UTF-8 bytes, NULL nothing. On-demand queries are always billed by
these logical bytes, whatever compression does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from trueline.cost.partitions import partition_column
from trueline.model.catalog import Column, Table

if TYPE_CHECKING:
    from trueline.warehouse.base import Reader

FIXED_BYTES = {
    "INT64": 8,
    "FLOAT64": 8,
    "DATE": 8,
    "TIMESTAMP": 8,
    "BOOL": 1,
    "NUMERIC": 16,
}
STRING_OVERHEAD = 2
# Campaigns and rules do not come with the days; every other table gains rows with each one.
_STEADY_LAYERS = frozenset({"rules"})
_STEADY_TABLES = frozenset({"staging.stg_ads__campaigns", "staging.stg_crm__completeness"})


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table as it lies there.

    Attributes:
        rows: Its rows.
        column_bytes: Logical bytes of each column over all rows.
        first_day: First day of its partitions; None without any.
        last_day: Last one.
    """

    rows: int
    column_bytes: Mapping[str, int]
    first_day: date | None = None
    last_day: date | None = None

    def bytes_of(self, columns: Iterable[str]) -> int:
        return sum(self.column_bytes.get(name, 0) for name in columns)


@dataclass(frozen=True, slots=True)
class Sizes:
    """All tables, how many days of history they hold, and where that is known from."""

    tables: Mapping[str, TableSize]
    history_days: int
    told_by: str


def grows_with_days(table: Table) -> bool:
    """True where another day of history brings more rows."""
    return table.layer not in _STEADY_LAYERS and table.key not in _STEADY_TABLES


def size_query(table: Table) -> str:
    """One aggregate over one table.

    On BigQuery this bills a full scan of the table, once.
    """
    figures = ["count(*) as row_count"]
    if table.partition_by:
        column = partition_column(table.partition_by)
        figures += [f"min({column}) as first_moment", f"max({column}) as last_moment"]
    figures += [f"{_bytes_of(column)} as {column.name}_bytes" for column in table.columns]
    return f"select {', '.join(figures)} from {table.key}{_whole(table)}"


def measure(reader: Reader, tables: Iterable[Table]) -> dict[str, TableSize]:
    """The size of each table, by one query each."""
    return {table.key: _read(table, dict(reader.query(size_query(table))[0])) for table in tables}


def _bytes_of(column: Column) -> str:
    if column.type == "STRING":
        return f"coalesce(sum({_utf8_bytes(column.name)} + {STRING_OVERHEAD}), 0)"
    return f"count({column.name}) * {FIXED_BYTES[column.type]}"


def _utf8_bytes(name: str) -> str:
    # byte_length of a STRING has no counterpart on DuckDB: a character has one byte, and one more
    # for each of these bounds that it lies above.
    more = (
        f"char_length(regexp_replace({name}, r'[\\x00-{last}]+', ''))"
        for last in (r"\x7f", r"\x{7ff}", r"\x{ffff}")
    )
    return " + ".join((f"char_length({name})", *more))


def _whole(table: Table) -> str:
    """A partitioned table wants to be told that all of it is meant."""
    if table.partition_by is None:
        return ""
    column = partition_column(table.partition_by)
    kind = next(each.type for each in table.columns if each.name == column)
    first = "date '0001-01-01'" if kind == "DATE" else "timestamp '0001-01-01 00:00:00+00'"
    return f" where {column} >= {first}"


def _read(table: Table, row: Mapping[str, object]) -> TableSize:
    return TableSize(
        rows=_number(row["row_count"]),
        column_bytes={
            column.name: _number(row[f"{column.name}_bytes"]) for column in table.columns
        },
        first_day=_day(row.get("first_moment")),
        last_day=_day(row.get("last_moment")),
    )


def _number(value: object) -> int:
    return int(str(value))


def _day(moment: object) -> date | None:
    # A TIMESTAMP comes as an aware datetime in UTC, the zone of BigQuery's daily partitions.
    return date.fromisoformat(str(moment)[:10]) if moment is not None else None


def history_days(tables: Mapping[str, TableSize]) -> int:
    """Days from the first raw partition to the last, both counted; at least one.

    Raw tables only: a lead may be dated long before anything else is known.
    """
    raw = [size for key, size in tables.items() if key.startswith("raw.")]
    first = [size.first_day for size in raw if size.first_day]
    last = [size.last_day for size in raw if size.last_day]
    return (max(last) - min(first)).days + 1 if first and last else 1
