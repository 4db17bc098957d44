"""The embedded warehouse: one DuckDB file, one writer, readers on a published copy."""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import duckdb

from trueline.errors import ConfigurationError, PermanentError
from trueline.model.catalog import Table, load_catalog
from trueline.model.parameters import HISTORY_START
from trueline.settings.profile import DuckDBSettings
from trueline.warehouse import statements
from trueline.warehouse.base import MAX_ROUNDS, QualityAccess, Rows, Staging, still_changing
from trueline.warehouse.ddl import DUCKDB_TYPES, add_column_sql, create_table_sql
from trueline.warehouse.dialect import to_duckdb, translations_in
from trueline.warehouse.lock import writer_lock
from trueline.warehouse.places import SCRATCH

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)
# Every statement as written, in BigQuery's dialect: the static gate listens to it.
statement_log = logging.getLogger("trueline.statements")
RESTRICTED_LAYER = "raw_restricted"
# One load's rows on their way; only the writer has one, so any other is a killed run's.
_STAGING_SCHEMA = "staged_load"
# Readers of the snapshot before may still have it open.
_KEEP_SNAPSHOTS = 3


class DuckDBConnection:
    """A connection that speaks BigQuery's SQL."""

    sees_own_writes: ClassVar = True

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.raw = connection

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        self._run(sql, params)

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows:
        result = self._run(sql, params)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def insert(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        names = [column.name for column in table.columns]
        values = [[row.get(name) for name in names] for row in rows]
        if values:
            marks = ", ".join("?" for _ in names)
            self.raw.executemany(
                f"insert into {table.key} ({', '.join(names)}) values ({marks})", values
            )

    def rebuild(self, table: Table, params: Mapping[str, Any]) -> int:
        self._run(statements.delete_all(table), params)
        rows = self._changed(statements.insert_query(table), params)
        if not table.repeat_until_stable:
            return rows
        for _ in range(MAX_ROUNDS):
            # The query reads its own last result, so its next one is kept apart until compared.
            self._run(statements.keep_round(table), params)
            changed = self.query(statements.count_round_changes(table))[0]["n"]
            self._run(statements.delete_all(table), params)
            rows = self._changed(statements.insert_round(table), params)
            self._run(statements.drop_round(table), None)
            if not changed:
                return rows
        raise still_changing(table)

    def keep(self, name: str, sql: str, params: Mapping[str, Any]) -> int:
        return self._changed(f"create or replace temp table {name} as\n{sql}", params)

    def _changed(self, sql: str, params: Mapping[str, Any] | None) -> int:
        changed = self._run(sql, params).fetchone()
        return int(changed[0]) if changed else 0

    def _run(self, sql: str, params: Mapping[str, Any] | None) -> duckdb.DuckDBPyConnection:
        statement_log.debug("%s", sql)
        # What is kept for one run is a temporary table here: it spills, and is gone with the run.
        text = SCRATCH.sub(r"temp.main.\1", to_duckdb(sql))
        try:
            return self.raw.execute(text, _used(text, params))
        except duckdb.ConstraintException as error:
            # The message names table and column; it would name the value too.
            told = str(error).partition("\n")[0].partition('"')[0].strip()
            column = re.search(r"NOT NULL constraint failed: (\S+)", str(error))
            raise PermanentError(
                f"A column that must be filled is empty: {column[1]}." if column else f"{told}.",
                fix="Look at the query that fills it (trueline sql show), or at the rows it reads.",
            ) from None
        except duckdb.OutOfMemoryException as error:
            raise PermanentError(
                "The query needs more memory than the warehouse may use.",
                fix="Raise warehouse.memory_limit in the profile, or free disk space.",
            ) from error


class DuckDBWarehouse(DuckDBConnection):
    """Held for writing: the lock is taken, both files are open."""

    engine = "duckdb"

    def __init__(
        self,
        folder: Path,
        settings: DuckDBSettings,
        connection: duckdb.DuckDBPyConnection,
        restricted: duckdb.DuckDBPyConnection,
    ) -> None:
        super().__init__(connection)
        self.folder, self.settings, self.restricted = folder, settings, restricted

    @classmethod
    @contextmanager
    def open(cls, folder: Path, settings: DuckDBSettings, purpose: str) -> Iterator[Self]:
        """Wait for the lock, open both files, close them when the block ends."""
        folder.mkdir(parents=True, exist_ok=True)
        with writer_lock(
            folder / "warehouse.lock",
            purpose=purpose,
            timeout_seconds=settings.lock_timeout_seconds,
        ):
            restricted_path = folder / "restricted.duckdb"
            connection = _connect(folder / "warehouse.duckdb", settings)
            restricted = _connect(restricted_path, settings)
            restricted_path.chmod(0o600)
            warehouse = cls(folder, settings, connection, restricted)
            try:
                with translations_in(folder / "translations.json"):
                    yield warehouse
            finally:
                restricted.close()
                warehouse.raw.close()

    def ensure_tables(self, tables: Iterable[Table], *, remake: bool = False) -> None:
        stored = [table for table in tables if table.kind == "table"]
        for table in stored:
            connection = self.home_of(table.layer)
            connection.execute(f"create schema if not exists {table.layer}")
            connection.execute(create_table_sql(table, "duckdb"))
        # Asked once for each file: it takes as long as asking for one table.
        present: dict[str, dict[str, str]] = defaultdict(dict)
        for layer in {self.home_of(table.layer): table.layer for table in stored}.values():
            columns = self.home_of(layer).execute(
                "select table_schema || '.' || table_name, column_name, data_type "
                "from information_schema.columns"
            )
            for key, name, kind in columns.fetchall():
                present[key][name] = kind
        for table in stored:
            others = present[table.key].keys() != {each.name for each in table.columns}
            # What is computed is computed again; what was pulled cannot be, nor the snapshots of
            # other days.
            if remake and others and table.is_built and table.rebuilt_by != "snapshot":
                log.info("making %s anew: its columns changed", table.key)
                self.raw.execute(f"drop table {table.key}")
                self.raw.execute(create_table_sql(table, "duckdb"))
            else:
                self._add_missing_columns(table, present[table.key])

    def _add_missing_columns(self, table: Table, present: Mapping[str, str]) -> None:
        connection = self.home_of(table.layer)
        for column in table.columns:
            expected = DUCKDB_TYPES[column.type].replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")
            found = present.get(column.name)
            if found is None:
                log.info("adding the column %s to %s", column.name, table.key)
                connection.execute(add_column_sql(table, column, "duckdb"))
            elif found != expected:
                raise ConfigurationError(
                    f"The column {column.name} of {table.key} is {found} in the warehouse, "
                    f"but table.yaml says {column.type}.",
                    where=str(self.folder / "warehouse.duckdb"),
                    fix="Restore the old type in table.yaml, or start a new warehouse folder.",
                )

    @contextmanager
    def staging(self, run_folder: Path) -> Iterator[DuckDBStaging]:
        staged = DuckDBStaging(self)
        staged.clear()
        self._forget_restricted_orphans()
        try:
            yield staged
        finally:
            staged.clear()

    def append(self, staging: Staging) -> None:
        for table, place in staging.waiting():
            self.home_of(table.layer).execute(to_duckdb(statements.append_rows(table, place)))

    def append_loads(
        self, staging: Staging, *, loaded_at: datetime, given_up: Sequence[str]
    ) -> None:
        params = {"loaded_at": loaded_at, "given_up": list(given_up)}
        for table, place in staging.waiting():
            text = to_duckdb(statements.append_load(table, place))
            self.home_of(table.layer).execute(text, params)

    def rows_of_loads(
        self, table: Table, load_ids: Sequence[str], rows_at_once: int
    ) -> Iterator[pa.RecordBatch]:
        """What some loads brought, in batches; nothing else may be asked until they are read.

        Args:
            load_ids: Sorted.
        """
        text = to_duckdb(statements.rows_of_loads(table))
        params = {
            "history_start": HISTORY_START,
            "load_ids": list(load_ids),
            "first_load": load_ids[0],
            "last_load": load_ids[-1],
        }
        relation = self.home_of(table.layer).sql(text, params=_used(text, params))
        yield from relation.to_arrow_reader(rows_at_once)

    def wait_for_killed(self) -> None:
        """Nothing outlives its process here."""

    def forget_scratch(self) -> None:
        """Nothing is put aside: a build here never leaves for a job."""

    def refuse_over_budget(self, tables: Iterable[Table], params: Mapping[str, Any]) -> None:
        """Reading costs nothing here but time."""

    def _forget_restricted_orphans(self) -> None:
        # Two files cannot share a transaction: the clear values may be in when their load is not.
        loads = [row["load_id"] for row in self.query("select distinct load_id from raw.loads")]
        for table in load_catalog().values():
            if table.layer == RESTRICTED_LAYER:
                self.restricted.execute(
                    f"delete from {table.key} where not list_contains(?, load_id)", [loads]
                )

    @contextmanager
    def transaction(self) -> Iterator[DuckDBWarehouse]:
        self.raw.execute("begin transaction")
        try:
            yield self
        except BaseException:
            # A failed statement may have ended the transaction already.
            with suppress(duckdb.TransactionException):
                self.raw.execute("rollback")
            raise
        self.raw.execute("commit")

    def publish(self, tables: Iterable[Table], run_id: str) -> str:
        published = self.folder / "published"
        published.mkdir(exist_ok=True)
        target = published / f"{run_id}.duckdb"
        part = target.with_suffix(".part")
        for left_by_a_killed_run in published.glob("*.part*"):
            left_by_a_killed_run.unlink()
        self.raw.execute(f"attach '{_quoted(part)}' as snapshot")
        try:
            for table in tables:
                self.raw.execute(f"create schema if not exists snapshot.{table.layer}")
                self.raw.execute(f"create table snapshot.{table.key} as from {table.key}")
        finally:
            self.raw.execute("detach snapshot")
        part.replace(target)
        _point_to(published / "current", target.name)
        for old in sorted(published.glob("*.duckdb"), key=lambda path: path.stat().st_mtime)[
            :-_KEEP_SNAPSHOTS
        ]:
            old.unlink(missing_ok=True)
        return str(target)

    @contextmanager
    def for_quality(self, *, published: bool) -> Iterator[QualityAccess]:
        from trueline.quality.duckdb_dialect import connection_string

        if published:
            path = current_snapshot(self.folder)
            yield QualityAccess(connection_string(path))
            return
        # The gates read through a connection of their own; DuckDB wants one configuration a file.
        self.raw.close()
        try:
            yield QualityAccess(connection_string(self.folder / "warehouse.duckdb"))
        finally:
            self.raw = _connect(self.folder / "warehouse.duckdb", self.settings)

    def home_of(self, layer: str) -> duckdb.DuckDBPyConnection:
        """The file that holds a layer: clear personal values have one of their own."""
        return self.restricted if layer == RESTRICTED_LAYER else self.raw


@dataclass(slots=True)
class DuckDBStaging:
    """One load's rows in a schema of their own, in the file that they are meant for."""

    warehouse: DuckDBWarehouse
    _files: dict[str, list[str]] = field(default_factory=dict)
    _queried: list[str] = field(default_factory=list)

    def files(self, files: Mapping[str, Path]) -> None:
        from trueline.warehouse.parquet import schema_of

        for key, path in files.items():
            table = load_catalog()[key]
            schema_of(table, path)
            paths = self._files.setdefault(key, [])
            paths.append(f"'{_quoted(path)}'")
            # Read where they lie: what is moved once is moved fastest.
            home = self.warehouse.home_of(table.layer)
            home.execute(f"create schema if not exists {_STAGING_SCHEMA}")
            home.execute(
                f"create or replace view {_STAGING_SCHEMA}.{table.name} as "
                f"select * from read_parquet([{', '.join(paths)}])"
            )

    def query(self, table: Table, sql: str, params: Mapping[str, Any] | None = None) -> int:
        self.warehouse.execute(f"create schema if not exists {_STAGING_SCHEMA}")
        place = f"{_STAGING_SCHEMA}.{table.name}"
        self.warehouse.execute(f"create table {place} as\n{sql}", params)
        self._queried.append(table.key)
        return int(self.warehouse.query(f"select count(*) as n from {place}")[0]["n"])

    def waiting(self) -> Iterator[tuple[Table, str]]:
        """Each table and where its rows wait."""
        for key in [*self._files, *self._queried]:
            table = load_catalog()[key]
            yield table, f"{_STAGING_SCHEMA}.{table.name}"

    def clear(self) -> None:
        for connection in (self.warehouse.raw, self.warehouse.restricted):
            connection.execute(f"drop schema if exists {_STAGING_SCHEMA} cascade")


class DuckDBReader(DuckDBConnection):
    """The published snapshot, read-only."""

    def __init__(self, path: Path) -> None:
        super().__init__(_configured(duckdb.connect(str(path), read_only=True)))
        self.path = path

    @classmethod
    def open(cls, folder: Path) -> Self:
        return cls(current_snapshot(folder))

    def close(self) -> None:
        self.raw.close()


def current_snapshot(folder: Path) -> Path:
    """The file that readers open.

    Raises:
        ConfigurationError: nothing has been published yet.
    """
    current = folder / "published" / "current"
    if not current.exists():
        raise ConfigurationError(
            "Nothing has been published yet.",
            where=str(folder),
            fix="Run the pipeline first: trueline run, or the DAG build_funnel.",
        )
    return current.resolve()


def in_memory() -> DuckDBConnection:
    """An empty database in memory, for the SQL cases."""
    return DuckDBConnection(_configured(duckdb.connect()))


def _connect(path: Path, settings: DuckDBSettings) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(str(path))
    except duckdb.Error as error:
        raise ConfigurationError(
            f"DuckDB {duckdb.__version__} cannot open this file ({type(error).__name__}): it is "
            "damaged, of another DuckDB version, or open for writing elsewhere.",
            where=str(path),
            fix="Close other programs that use it; else move it away and run again from raw files.",
        ) from error
    _configured(connection)
    connection.execute(f"set memory_limit = '{settings.memory_limit}'")
    # A build reads rows that its own transaction has just written; DuckDB guesses their number
    # wrongly and once chose an order of joins that took minutes, and often the wider side to keep
    # in memory. Order and sides as written are sane: the smaller table stands on the right.
    connection.execute("set disabled_optimizers = 'join_order,build_side_probe_side'")
    spill = path.parent / "spill"
    connection.execute(f"set temp_directory = '{_quoted(spill)}'")
    return connection


def _configured(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute("set TimeZone = 'UTC'")
    # Standard output belongs to the caller.
    connection.execute("set enable_progress_bar = false")
    connection.execute("set autoinstall_known_extensions = false")
    return connection


def _point_to(link: Path, target: str) -> None:
    """Swap a symbolic link in one step: a reader sees the old snapshot or the new one."""
    fresh = link.with_name(f"{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def _used(text: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """DuckDB refuses parameters that the statement does not use."""
    used = set(re.findall(r"\$(\w+)", text))
    return {name: value for name, value in (params or {}).items() if name in used}


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
