"""The views of INFORMATION_SCHEMA that the clients ask for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sandbox.bigquery.errors import ApiError
from sandbox.bigquery.sizes import partitions_of
from sandbox.bigquery.store import Store, Table

_TABLE_TYPES = {"TABLE": "BASE TABLE", "VIEW": "VIEW", "SNAPSHOT": "SNAPSHOT"}


def view(store: Store, name: str) -> Any:
    """An Arrow table for ``_is_<dataset>_<VIEW>``.

    Raises:
        ApiError: no such view or dataset here.
    """
    import pyarrow as pa

    dataset_id, _, kind = name.removeprefix("_is_").rpartition("_")
    store.dataset(dataset_id)
    if kind not in _VIEWS:
        raise ApiError(
            "notImplemented", f"The sandbox's BigQuery has no INFORMATION_SCHEMA.{kind}."
        )
    columns, rows_of = _VIEWS[kind]
    rows = [row for table in store.tables_of(dataset_id) for row in rows_of(store, table)]
    types = {"int": pa.int64(), "str": pa.string(), "time": pa.timestamp("us", tz="UTC")}
    return pa.Table.from_pylist(
        [dict(zip(columns, row, strict=True)) for row in rows],
        schema=pa.schema([(column, types[kind]) for column, kind in columns.items()]),
    )


def _columns(store: Store, table: Table) -> list[tuple[Any, ...]]:
    partition = table.partition_column()
    clustered = (table.properties.get("clustering") or {}).get("fields") or []
    return [
        (
            store.project,
            table.dataset_id,
            table.table_id,
            each.name,
            position,
            "NO" if each.mode == "REQUIRED" else "YES",
            each.sql_type(),
            "YES" if each.name == partition else "NO",
            clustered.index(each.name) + 1 if each.name in clustered else None,
        )
        for position, each in enumerate(table.fields, start=1)
    ]


def _tables(store: Store, table: Table) -> list[tuple[Any, ...]]:
    created = datetime.fromtimestamp(table.created / 1000, UTC)
    kind = _TABLE_TYPES[table.kind]
    return [(store.project, table.dataset_id, table.table_id, kind, created)]


def _partitions(store: Store, table: Table) -> list[tuple[Any, ...]]:
    found = partitions_of(store, table)
    if table.kind != "TABLE":
        return []
    if table.partition_column() is None:
        return [(store.project, table.dataset_id, table.table_id, None, store.count(table))]
    return [
        (
            store.project,
            table.dataset_id,
            table.table_id,
            "__NULL__" if start is None else str(start)[:10].replace("-", ""),
            rows,
        )
        for start, rows in found
    ]


_NAME = {"table_catalog": "str", "table_schema": "str", "table_name": "str"}
_VIEWS: dict[str, tuple[dict[str, str], Callable[[Store, Table], list[tuple[Any, ...]]]]] = {
    "COLUMNS": (
        _NAME
        | {
            "column_name": "str",
            "ordinal_position": "int",
            "is_nullable": "str",
            "data_type": "str",
            "is_partitioning_column": "str",
            "clustering_ordinal_position": "int",
        },
        _columns,
    ),
    "TABLES": (_NAME | {"table_type": "str", "creation_time": "time"}, _tables),
    "PARTITIONS": (_NAME | {"partition_id": "str", "total_rows": "int"}, _partitions),
}
