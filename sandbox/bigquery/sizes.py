"""Bytes that a statement reads, by BigQuery's published sizes of its types."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb

from sandbox.bigquery.scans import Condition, Scan
from sandbox.bigquery.store import Store, Table
from sandbox.bigquery.types import Field, quoted

_SIZES = {
    "INT64": 8,
    "FLOAT64": 8,
    "DATE": 8,
    "TIMESTAMP": 8,
    "DATETIME": 8,
    "TIME": 8,
    "BOOL": 1,
    "NUMERIC": 16,
    "BIGNUMERIC": 32,
    "INTERVAL": 16,
}
_MEBIBYTE = 1024 * 1024
MINIMUM_BILLED = 10 * _MEBIBYTE


def columns_read(
    cursor: duckdb.DuckDBPyConnection, sql: str, binding: Mapping[str, Any]
) -> dict[tuple[str, str], set[str]]:
    """Columns of each table that DuckDB's plan still has after pruning."""
    plan = cursor.execute(f"explain (format json) {sql}", dict(binding)).fetchall()[0][1]
    found: dict[tuple[str, str], set[str]] = {}
    pending = list(json.loads(plan))
    while pending:
        node = pending.pop()
        pending.extend(node.get("children") or [])
        details = node.get("extra_info") or {}
        if "Table" not in details or not node["name"].strip().endswith("SCAN"):
            continue
        *_, dataset, table = details["Table"].split(".")
        columns = found.setdefault((dataset, table), set())
        for part in _texts(details.get("Projections")):
            columns.add(part.split(".")[0].strip('"').lower())
        for part in _texts(details.get("Filters")):
            columns.update(word.lower() for word in re.findall(r"[A-Za-z_]\w*", part))
    return found


def _texts(value: Any) -> Iterable[str]:
    return value if isinstance(value, list) else [value] if value else []


def bytes_read(
    store: Store, scans: list[Scan], columns: Mapping[tuple[str, str], set[str]]
) -> dict[tuple[str, str], int]:
    """Bytes by table. A column of a partition counts once, however often it is read."""
    found: dict[tuple[str, str], int] = {}
    for key in {scan.table.key for scan in scans}:
        mine = [scan for scan in scans if scan.table.key == key]
        table = mine[0].table
        wanted = set(columns.get(key, set()))
        partition = table.partition_column()
        alternatives = [
            [each for each in scan.conditions if each.column == (partition or "").lower()]
            for scan in mine
        ]
        if any(alternatives) and partition:
            wanted.add(partition.lower())
        fields = [field for field in table.fields if field.name.lower() in wanted]
        found[key] = table_bytes(store, table, fields, alternatives)
    return found


def billed(read: Mapping[tuple[str, str], int]) -> int:
    """Rounded up to the MiB, at least 10 MiB for each table; 0 for nothing read."""
    return sum(
        max(MINIMUM_BILLED, math.ceil(size / _MEBIBYTE) * _MEBIBYTE)
        for size in read.values()
        if size
    )


def partitions_of(store: Store, table: Table) -> list[tuple[Any, int]]:
    """Partition values (start of day, hour …) and their rows, NULL included."""
    expression = partition_expression(table)
    if expression is None:
        return []
    return (
        store.cursor()
        .execute(f"select {expression} as p, count(*) from {table.sql_name} group by 1 order by 1")
        .fetchall()
    )


def partition_expression(table: Table) -> str | None:
    """DuckDB's expression for the partition a row belongs to."""
    column = table.partition_column()
    if column is None:
        return None
    ranged = table.properties.get("rangePartitioning")
    if ranged:
        start, interval = int(ranged["range"]["start"]), int(ranged["range"]["interval"])
        return f"{start} + (({quoted(column)} - {start}) // {interval}) * {interval}"
    unit = table.properties["timePartitioning"].get("type", "DAY").lower()
    return f"date_trunc('{unit}', {quoted(column)})"


def table_bytes(
    store: Store, table: Table, fields: list[Field], alternatives: list[list[Condition]]
) -> int:
    """Bytes of some columns, in the partitions that any of the alternatives selects."""
    if not fields or table.kind == "VIEW":
        return 0
    size = " + ".join(f"coalesce(sum({_size(field, quoted(field.name))}), 0)" for field in fields)
    expression = partition_expression(table)
    if expression is None or not all(alternatives):
        row = store.cursor().execute(f"select {size} from {table.sql_name}").fetchone()
        return int(row[0]) if row else 0
    rows = store.cursor().execute(
        f"select {expression} as p, {size} from {table.sql_name} group by 1"
    )
    return sum(
        int(count)
        for partition, count in rows.fetchall()
        if any(_selected(table, partition, conditions) for conditions in alternatives)
    )


def _size(field: Field, expression: str) -> str:
    if field.mode == "REPEATED":
        item = _size(field.element, "_x")
        return f"coalesce(list_sum(list_transform({expression}, lambda _x: {item})), 0)"
    if field.type == "STRUCT":
        parts = [_size(sub, f"{expression}.{quoted(sub.name)}") for sub in field.fields]
        return f"({' + '.join(parts)})"
    length = "octet_length" if field.type == "BYTES" else "strlen"
    size = str(_SIZES[field.type]) if field.type in _SIZES else f"2 + {length}({expression})"
    return f"(case when {expression} is null then 0 else {size} end)"


def _selected(table: Table, partition: Any, conditions: list[Condition]) -> bool:
    if partition is None:
        return False
    low, high = _bounds(table, partition)
    return all(_may_match(each, low, high) for each in conditions)


def _may_match(condition: Condition, low: Any, high: Any) -> bool:
    """Whether any value of ``low`` ≤ value < ``high`` can satisfy the condition."""
    if condition.op == "or":
        return any(_may_match(each, low, high) for each in condition.values)
    values = [_like(low, value) for value in condition.values if value is not None]
    match condition.op:
        case "=" | "in":
            return any(low <= value < high for value in values)
        case ">" | ">=":
            return any(high > value for value in values)
        case "<":
            return any(low < value for value in values)
    return any(low <= value for value in values)


def _bounds(table: Table, start: Any) -> tuple[Any, Any]:
    ranged = table.properties.get("rangePartitioning")
    if ranged:
        return start, start + int(ranged["range"]["interval"])
    low = _like(datetime.now(UTC), start)
    match table.properties["timePartitioning"].get("type", "DAY"):
        case "HOUR":
            return low, low + timedelta(hours=1)
        case "MONTH":
            return low, (low.replace(day=1) + timedelta(days=32)).replace(day=1)
        case "YEAR":
            return low, low.replace(year=low.year + 1)
    return low, low + timedelta(days=1)


def _like(pattern: Any, value: Any) -> Any:
    """Dates and times all as aware datetimes, so that they compare."""
    if not isinstance(pattern, datetime):
        return value
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value
