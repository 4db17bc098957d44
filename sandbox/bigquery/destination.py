"""Writing a relation into a table: what query jobs, load jobs and ``create table as`` share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import duckdb

from sandbox.bigquery.ddl import MAX_PARTITIONS, check_layout
from sandbox.bigquery.errors import ApiError, invalid, no_table
from sandbox.bigquery.sizes import partition_expression
from sandbox.bigquery.store import Store, Table
from sandbox.bigquery.types import Field, quoted


@dataclass
class Destination:
    """Where to write and how. ``layout``: partitioning and clustering asked for, if any."""

    dataset_id: str
    table_id: str
    write: str
    create: str = "CREATE_IF_NEEDED"
    layout: dict[str, Any] = field(default_factory=dict)
    updates: tuple[str, ...] = ()


def layout_asked(configuration: dict[str, Any]) -> dict[str, Any]:
    """The layout in a job's configuration."""
    keys = ("timePartitioning", "rangePartitioning", "clustering")
    return {key: dict(configuration[key]) for key in keys if configuration.get(key)}


def write(
    cursor: duckdb.DuckDBPyConnection,
    store: Store,
    target: Destination,
    fields: tuple[Field, ...],
    source: str,
    location: str,
) -> tuple[Table, int]:
    """Write ``source``, a DuckDB relation with just these columns, all of it or nothing.

    Returns:
        The table and the rows written.

    Raises:
        ApiError: the dataset is not there, the schema does not fit, a required value is missing,
            there are too many partitions.
    """
    store.dataset(target.dataset_id, location)
    with store.lock:
        present = store.tables.get((target.dataset_id, target.table_id))
        if present is None:
            if target.create == "CREATE_NEVER":
                raise no_table(store.project, target.dataset_id, target.table_id)
            table = Table(target.dataset_id, target.table_id, fields)
            table.properties = dict(target.layout)
            fresh = True
        else:
            table, fresh = _fitting(store, present, target, fields)
        check_layout(table)
        _check_partitions(cursor, table, source)
        names = ", ".join(quoted(each.name) for each in fields)
        cursor.execute("begin transaction")
        try:
            if fresh:
                columns = ", ".join(_column(each) for each in table.fields)
                cursor.execute(f"create or replace table {table.sql_name} ({columns})")
            elif target.write != "WRITE_APPEND":
                cursor.execute(f"delete from {table.sql_name}")
            row = cursor.execute(
                f"insert into {table.sql_name} ({names}) select {names} from {source}"
            ).fetchone()
            cursor.execute("commit")
        except BaseException:
            cursor.execute("rollback")
            raise
        if fresh:
            store.adopt_table(table)
        store.touch(table)
    return table, int(row[0]) if row else 0


def _column(field: Field) -> str:
    required = " not null" if field.mode == "REQUIRED" else ""
    return f"{quoted(field.name)} {field.duckdb_type()}{required}"


def _fitting(
    store: Store, present: Table, target: Destination, fields: tuple[Field, ...]
) -> tuple[Table, bool]:
    """The table to write to, and whether it is made anew."""
    name = f"{store.project}:{present.dataset_id}.{present.table_id}"
    if present.kind != "TABLE":
        raise invalid(f"Cannot write to {name}: it is a {present.kind.lower()}")
    if target.write == "WRITE_EMPTY" and store.count(present):
        raise ApiError("duplicate", f"Already Exists: Table {name}")
    _check_same_layout(present, target, name)
    if target.write == "WRITE_TRUNCATE" and not _same(present.fields, fields):
        table = Table(present.dataset_id, present.table_id, fields, created=present.created)
        table.properties = dict(present.properties)
        return table, True
    added = [each for each in fields if present.column(each.name) is None]
    if added and "ALLOW_FIELD_ADDITION" not in target.updates:
        raise invalid(
            f"Provided Schema does not match Table {name}. Cannot add fields "
            f"(field: {added[0].name})"
        )
    for each in fields:
        known = present.column(each.name)
        if known is not None and known.sql_type() != each.sql_type():
            raise invalid(
                f"Provided Schema does not match Table {name}. Field {each.name} has changed "
                f"type from {known.sql_type()} to {each.sql_type()}"
            )
    given = {each.name.lower() for each in fields}
    for known in present.fields:
        if known.mode == "REQUIRED" and known.name.lower() not in given:
            raise invalid(
                f"Provided Schema does not match Table {name}. Field {known.name} is missing in "
                "new schema"
            )
    if added:
        store.add_columns(present, added)
    return present, False


def _same(left: tuple[Field, ...], right: tuple[Field, ...]) -> bool:
    return [(each.name.lower(), each.sql_type()) for each in left] == [
        (each.name.lower(), each.sql_type()) for each in right
    ]


def _check_same_layout(present: Table, target: Destination, name: str) -> None:
    for key, asked in target.layout.items():
        known = present.properties.get(key)
        if key == "clustering":
            if known != asked and target.write != "WRITE_TRUNCATE":
                raise invalid(f"Incompatible table clustering specification for {name}.")
            continue
        if known is None or any(known.get(part) != asked.get(part) for part in ("type", "field")):
            raise invalid(
                f"Incompatible table partitioning specification. Destination table {name} "
                f"exists with {_shown(known)}, but the transfer asks for {_shown(asked)}."
            )


def _shown(layout: dict[str, Any] | None) -> str:
    if not layout:
        return "no partitioning"
    return f"partitioning interval(type:{layout.get('type')},field:{layout.get('field')})"


def _check_partitions(cursor: duckdb.DuckDBPyConnection, table: Table, source: str) -> None:
    expression = partition_expression(table)
    if expression is None:
        return
    row = cursor.execute(f"select count(distinct {expression}) from {source}").fetchone()
    too_many(int(row[0]) if row else 0)


def too_many(partitions: int) -> None:
    """Raises ApiError if one job changes more partitions than BigQuery allows."""
    if partitions > MAX_PARTITIONS:
        raise ApiError(
            "invalidQuery",
            f"Too many partitions produced by query, allowed {MAX_PARTITIONS}, query produces at "
            f"least {partitions} partitions",
        )
