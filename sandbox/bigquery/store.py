"""What exists: datasets and tables, their rows in DuckDB and their metadata beside them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from sandbox.bigquery.errors import ApiError, no_dataset, no_table
from sandbox.bigquery.types import Field, field_of, quoted

META = "_sandbox"


def now_millis() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Dataset:
    """``properties``: what a client may set, in REST's own words."""

    dataset_id: str
    location: str
    properties: dict[str, Any] = field(default_factory=dict)
    created: int = field(default_factory=now_millis)
    modified: int = field(default_factory=now_millis)


@dataclass
class Table:
    """``kind`` is TABLE, VIEW or SNAPSHOT.

    ``properties`` holds timePartitioning, clustering, description, labels, expirationTime …
    """

    dataset_id: str
    table_id: str
    fields: tuple[Field, ...]
    kind: str = "TABLE"
    properties: dict[str, Any] = field(default_factory=dict)
    created: int = field(default_factory=now_millis)
    modified: int = field(default_factory=now_millis)

    @property
    def sql_name(self) -> str:
        return f"{quoted(self.dataset_id)}.{quoted(self.table_id)}"

    @property
    def key(self) -> tuple[str, str]:
        return self.dataset_id, self.table_id

    def partition_column(self) -> str | None:
        part = self.properties.get("timePartitioning") or self.properties.get("rangePartitioning")
        return part.get("field") if part else None

    def requires_filter(self) -> bool:
        return bool(self.properties.get("requirePartitionFilter"))

    def column(self, name: str) -> Field | None:
        return next((each for each in self.fields if each.name.lower() == name.lower()), None)


class Store:
    """One DuckDB database; datasets are its schemas. Safe for several threads.

    Args:
        project: The one project that exists.
        location: Where datasets and jobs go that name no location.
        data: The database's file; in memory if None.
    """

    def __init__(self, project: str, location: str, data: Path | None = None) -> None:
        self.project, self.location = project, location
        self._lasts = data is not None
        self.lock = threading.RLock()
        # DuckDB refuses two calls on one connection at a time.
        self._connecting = threading.Lock()
        self._base = duckdb.connect(str(data) if data else ":memory:")
        self._base.execute("set TimeZone = 'UTC'")
        # Joins as written, as in trueline's own DuckDB (docs/decisions/0008).
        self._base.execute("set disabled_optimizers = 'join_order'")
        self._base.execute(f"create schema if not exists {META}")
        self._base.execute(
            f"create table if not exists {META}.things (kind varchar, name varchar, body varchar)"
        )
        self.datasets: dict[str, Dataset] = {}
        self.tables: dict[tuple[str, str], Table] = {}
        self._read()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection with a transaction and temporary tables of its own."""
        with self._connecting:
            cursor = self._base.cursor()
        cursor.execute("set TimeZone = 'UTC'")
        return cursor

    def close(self) -> None:
        with self._connecting:
            self._base.close()

    def dataset(self, dataset_id: str, location: str | None = None) -> Dataset:
        """Raises ApiError notFound, also where a job asks from another location."""
        with self.lock:
            found = self.datasets.get(dataset_id)
        if found is None or (location and found.location.upper() != location.upper()):
            raise no_dataset(self.project, dataset_id, location)
        return found

    def table(self, dataset_id: str, table_id: str, location: str | None = None) -> Table:
        """Raises ApiError notFound."""
        self.dataset(dataset_id, location)
        with self.lock:
            found = self.tables.get((dataset_id, table_id))
            if found is not None and self._expired(found):
                self.drop_table(found)
                found = None
        if found is None:
            raise no_table(self.project, dataset_id, table_id, location)
        return found

    def tables_of(self, dataset_id: str) -> list[Table]:
        with self.lock:
            return [self.tables[key] for key in sorted(self.tables) if key[0] == dataset_id]

    def create_dataset(self, dataset: Dataset) -> None:
        with self.lock:
            if dataset.dataset_id in self.datasets:
                raise ApiError(
                    "duplicate", f"Already Exists: Dataset {self.project}:{dataset.dataset_id}"
                )
            self._run(f"create schema {quoted(dataset.dataset_id)}")
            self.datasets[dataset.dataset_id] = dataset
            self.keep_dataset(dataset)

    def drop_dataset(self, dataset_id: str, *, contents: bool) -> None:
        with self.lock:
            self.dataset(dataset_id)
            inside = self.tables_of(dataset_id)
            if inside and not contents:
                raise ApiError(
                    "resourceInUse",
                    f"Dataset {self.project}:{dataset_id} is still in use",
                    status=400,
                )
            self._run(f"drop schema {quoted(dataset_id)} cascade")
            for table in inside:
                del self.tables[table.key]
                self._forget("table", ".".join(table.key))
            del self.datasets[dataset_id]
            self._forget("dataset", dataset_id)

    def create_table(self, table: Table) -> None:
        """An empty table, its metadata and its columns. The caller has checked both."""
        columns = ", ".join(
            f"{quoted(each.name)} {each.duckdb_type()}"
            + (" not null" if each.mode == "REQUIRED" else "")
            for each in table.fields
        )
        with self.lock:
            self._refuse_existing(table)
            self._run(f"create table {table.sql_name} ({columns or '_none integer'})")
            self.adopt_table(table)

    def create_view(self, table: Table, duckdb_sql: str) -> None:
        with self.lock:
            self._refuse_existing(table)
            self._run(f"create view {table.sql_name} as {duckdb_sql}")
            self.adopt_table(table)

    def adopt_table(self, table: Table) -> None:
        """Note a table that DuckDB already has."""
        with self.lock:
            default = self.datasets[table.dataset_id].properties.get("defaultTableExpirationMs")
            if default and table.key not in self.tables and table.kind != "VIEW":
                until = str(table.created + int(default))
                table.properties.setdefault("expirationTime", until)
            self.tables[table.key] = table
            self.keep_table(table)

    def drop_table(self, table: Table) -> None:
        with self.lock:
            kind = "view" if table.kind == "VIEW" else "table"
            self._run(f"drop {kind} if exists {table.sql_name}")
            self.tables.pop(table.key, None)
            self._forget("table", ".".join(table.key))

    def add_columns(self, table: Table, fields: list[Field]) -> None:
        with self.lock:
            for each in fields:
                self._run(
                    f"alter table {table.sql_name} add column "
                    f"{quoted(each.name)} {each.duckdb_type()}"
                )
            table.fields = (*table.fields, *fields)
            self.touch(table)

    def relax(self, table: Table, column: str) -> None:
        with self.lock:
            self._run(f"alter table {table.sql_name} alter column {quoted(column)} drop not null")

    def touch(self, table: Table) -> None:
        """Its rows or metadata changed."""
        with self.lock:
            table.modified = max(now_millis(), table.modified + 1)
            self.keep_table(table)

    def count(self, table: Table) -> int:
        cursor = self.cursor()
        row = cursor.execute(f"select count(*) from {table.sql_name}").fetchone()
        return int(row[0]) if row else 0

    def size(self, table: Table) -> int:
        """Logical bytes, by BigQuery's sizes of its types."""
        from sandbox.bigquery.sizes import table_bytes

        return table_bytes(self, table, list(table.fields), [[]])

    def rows(
        self, table: Table, fields: list[Field], start: int, size: int
    ) -> list[tuple[Any, ...]]:
        """Some rows, in the order they are stored."""
        names = ", ".join(quoted(each.name) for each in fields)
        return (
            self.cursor()
            .execute(f"select {names} from {table.sql_name} limit {size} offset {start}")
            .fetchall()
        )

    def _refuse_existing(self, table: Table) -> None:
        self.dataset(table.dataset_id)
        if table.key in self.tables:
            raise ApiError(
                "duplicate",
                f"Already Exists: Table {self.project}:{table.dataset_id}.{table.table_id}",
            )

    def _expired(self, table: Table) -> bool:
        until = table.properties.get("expirationTime")
        return until is not None and int(until) <= now_millis()

    def _run(self, sql: str, parameters: list[Any] | None = None) -> None:
        # A connection of its own: the caller's transaction, if any, is not metadata's.
        self.cursor().execute(sql, parameters or [])

    def keep_dataset(self, dataset: Dataset) -> None:
        body = {
            "location": dataset.location,
            "properties": dataset.properties,
            "created": dataset.created,
            "modified": dataset.modified,
        }
        self.keep("dataset", dataset.dataset_id, body)

    def keep_table(self, table: Table) -> None:
        body = {
            "fields": [each.resource() for each in table.fields],
            "kind": table.kind,
            "properties": table.properties,
            "created": table.created,
            "modified": table.modified,
        }
        self.keep("table", ".".join(table.key), body)

    def keep(self, kind: str, name: str, body: dict[str, Any]) -> None:
        """Write one thing's metadata so that it survives a restart on the same file."""
        if not self._lasts:
            return
        with self.lock:
            self._forget(kind, name)
            self._run(f"insert into {META}.things values (?, ?, ?)", [kind, name, json.dumps(body)])

    def kept(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        rows = self.cursor().execute(
            f"select name, body from {META}.things where kind = ? order by rowid", [kind]
        )
        for name, body in rows.fetchall():
            yield name, json.loads(body)

    def _forget(self, kind: str, name: str) -> None:
        if self._lasts:
            self._run(f"delete from {META}.things where kind = ? and name = ?", [kind, name])

    def _read(self) -> None:
        for name, body in self.kept("dataset"):
            self.datasets[name] = Dataset(name, **body)
        for name, body in self.kept("table"):
            dataset_id, _, table_id = name.partition(".")
            fields = tuple(field_of(each) for each in body.pop("fields"))
            self.tables[dataset_id, table_id] = Table(dataset_id, table_id, fields, **body)
