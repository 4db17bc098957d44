"""Move a history from the embedded warehouse to BigQuery.

Raw is append-only and everything else is computed from it: so what moves is raw, load by load, with
its load ids, times and hashes, and the clear values in raw_restricted; then a build makes the rest.
Of the records in ops move those that later runs depend on: ``runs`` (no build may go back behind
the newest ``as_of``; the raw gate leaves alone what an earlier build used) and the ``rulebooks``
they followed. The others speak of tables that stay behind, and the old file keeps them:
``publications`` would send readers to snapshots that are not there, ``run_loads`` would call loads
used that no build there has used.

Loads go in groups of bounded size, one transaction each, and a load whose line is there already is
left out: a killed move is simply run again.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trueline.errors import ConfigurationError, PermanentError
from trueline.model.catalog import Table, load_catalog
from trueline.model.parameters import HISTORY_START
from trueline.pipeline.build import new_run_id
from trueline.pipeline.ingest import new_run_folder
from trueline.pipeline.move_checks import (
    has_keys,
    refuse_foreign_keys,
    refuse_other_keys,
    refuse_profiles,
    refuse_sources,
)
from trueline.pipeline.move_plan import Load, clear_since, groups, is_expired, missing
from trueline.settings.profile import BigQuerySettings, Profile
from trueline.warehouse import Staging, Work, open_warehouse, statements
from trueline.warehouse.base import Rows
from trueline.windows import utc_now

if TYPE_CHECKING:
    import pyarrow as pa

    from trueline.warehouse.duckdb import DuckDBWarehouse

log = logging.getLogger(__name__)
# A process that moves the widest rows takes about 1.6 GB; a larger load goes in several parts.
ROWS_AT_ONCE = 250_000
_LEDGER = "raw.loads"


@dataclass(frozen=True, slots=True)
class MoveSummary:
    """What was moved, or would be.

    Attributes:
        loads: Loads moved now.
        loads_there: Loads that were there already.
        rows: Rows moved now, by table; of a dry run, as the ledger says.
        expired_loads: Loads whose clear values were left behind, as they are older than
            ``restricted_days``.
        needs_build: Loads wait there that no build there has used.
    """

    loads: int
    loads_there: int
    rows: Mapping[str, int]
    expired_loads: int
    needs_build: bool
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        return {
            "loads": self.loads,
            "loads_there": self.loads_there,
            "rows_moved": sum(self.rows.values()),
            "expired_loads": self.expired_loads,
            "dry_run": self.dry_run,
        }


@dataclass(slots=True)
class _Mover:
    """One move, while the old warehouse is held."""

    old: DuckDBWarehouse
    target: Profile
    run_id: str
    run_folder: Path
    client: Any
    rows: dict[str, int] = field(default_factory=dict)

    def open(self, step: str) -> Any:
        """The new warehouse, for one transaction with a scratch place of its own."""
        return open_warehouse(
            self.target, Work("move", f"{self.run_id}-{step}", "cli"), client=self.client
        )

    def move_group(self, number: int, group: Sequence[Load], keep_clear: datetime | None) -> int:
        """All rows of some loads and their lines, in one transaction; returns the rows."""
        fresh = [load for load in group if load.is_new]
        lines = [line for load in group for line in load.lines]
        with (
            self.open(f"{number}") as new,
            new.staging(self.run_folder / "dlt") as staging,
        ):
            counts = self._stage(staging, fresh, keep_clear)
            self._stage_rows(staging, _LEDGER, lines)
            with new.transaction() as transaction:
                transaction.append(staging)
        for key, count in counts.items():
            self.rows[key] = self.rows.get(key, 0) + count
        return sum(counts.values())

    def move_runs(self) -> None:
        """The builds that were, and their rulebooks."""
        with self.open("runs") as new, new.staging(self.run_folder / "dlt") as staging:
            runs = self.old.query("select * from ops.runs")
            runs_there = {row["run_id"] for row in new.query("select run_id from ops.runs")}
            books = self.old.query("select * from ops.rulebooks")
            books_there = {
                row["rules_version"] for row in new.query("select rules_version from ops.rulebooks")
            }
            missing = {
                "ops.runs": [row for row in runs if row["run_id"] not in runs_there],
                "ops.rulebooks": [row for row in books if row["rules_version"] not in books_there],
            }
            for key, rows in missing.items():
                self._stage_rows(staging, key, rows)
            with new.transaction() as transaction:
                transaction.append(staging)

    def refuse_lost_rows(self, loads: Sequence[Load]) -> None:
        """Count the rows of every moved load on both sides.

        Raises:
            PermanentError: they differ.
        """
        moved = {load.load_id for load in loads if load.is_new}
        with self.open("count") as new:
            for table in _history_tables():
                if table.layer != "raw":
                    continue
                sql, params = statements.count_by_load(table), {"history_start": HISTORY_START}
                here, there = (
                    {
                        row["load_id"]: row["row_count"]
                        for row in warehouse.query(sql, params)
                        if row["load_id"] in moved
                    }
                    for warehouse in (self.old, new)
                )
                wrong = sorted(name for name in here | there if here.get(name) != there.get(name))
                if wrong:
                    raise PermanentError(
                        f"{len(wrong)} loads do not have the same rows of {table.key} on both "
                        f"sides, for example {wrong[0]}: {here.get(wrong[0], 0)} in DuckDB and "
                        f"{there.get(wrong[0], 0)} in BigQuery.",
                        where=f"profile {self.target.path}",
                        fix="Delete these loads' rows and their lines in raw.loads in BigQuery, "
                        "then move again.",
                    )

    def _stage(
        self, staging: Staging, loads: Sequence[Load], keep_clear: datetime | None
    ) -> dict[str, int]:
        import pyarrow as pa

        from trueline.warehouse.parquet import arrow_schema

        counts: dict[str, int] = {}
        waiting: dict[str, list[pa.Table]] = {}
        size = 0
        for table in _history_tables():
            ids = [load.load_id for load in loads if _may_go(load, table, keep_clear)]
            if not ids:
                continue
            for batch in self.old.rows_of_loads(table, ids, ROWS_AT_ONCE):
                rows = pa.Table.from_batches([batch]).cast(arrow_schema(table))
                waiting.setdefault(table.key, []).append(rows)
                counts[table.key] = counts.get(table.key, 0) + rows.num_rows
                size += rows.num_rows
                if size >= ROWS_AT_ONCE:
                    self._stage_parts(staging, waiting)
                    waiting, size = {}, 0
        self._stage_parts(staging, waiting)
        return counts

    def _stage_parts(self, staging: Staging, parts: Mapping[str, list[pa.Table]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        files = {key: self.run_folder / f"{key}.parquet" for key in parts}
        for key, path in files.items():
            pq.write_table(pa.concat_tables(parts[key]), path)
        if files:
            staging.files(files)

    def _stage_rows(self, staging: Staging, key: str, rows: Rows | list[Any]) -> None:
        from trueline.pipeline.arrow import rows_to_arrow

        if rows:
            self._stage_parts(staging, {key: [rows_to_arrow(load_catalog()[key], rows)]})


def move_history(
    source: Profile,
    target: Profile,
    *,
    sources: Sequence[str] = (),
    dry_run: bool = False,
    client: Any = None,
    progress: Callable[[str], None] | None = None,
) -> MoveSummary:
    """Copy what is missing at ``target``; nothing changes at ``source``, whose writers wait.

    Args:
        source: A profile with a DuckDB warehouse.
        target: A profile with BigQuery.
        sources: Only loads of these sources.
        dry_run: Only say what would be moved.
        progress: Told how far it is.

    Raises:
        ConfigurationError: the two do not fit each other, or there is nothing to move.
        PermanentError: rows got lost on their way.
    """
    from trueline.warehouse.duckdb import DuckDBWarehouse

    settings = refuse_profiles(source, target)
    client = client or _access(target)
    now = utc_now()
    run_id = new_run_id(now)
    run_folder = new_run_folder(target.data_folder / "runs")
    purpose = Work("move", run_id, "cli").purpose
    try:
        with DuckDBWarehouse.open(source.data_folder, settings, purpose) as old:
            old.ensure_tables(load_catalog().values())
            lines = old.query("select * from raw.loads order by load_id, loaded_at")
            refuse_sources(sources, lines, source)
            mover = _Mover(old, target, run_id, run_folder, client)
            known = _compared(mover, source, dry_run=dry_run)
            chosen = [line for line in lines if not sources or line["source"] in sources]
            loads = list(missing(chosen, known))
            keep_clear = clear_since(target, now)
            clear = _loads_with_clear_values(old) & {load.load_id for load in loads if load.is_new}
            if not dry_run:
                _move(mover, loads, keep_clear, progress)
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)
    rows = {f"raw.{load.table_name}": 0 for load in loads}
    for load in loads:
        rows[f"raw.{load.table_name}"] += load.rows
    summary = MoveSummary(
        loads=len(loads),
        loads_there=len({line["load_id"] for line in chosen}) - len(loads),
        rows=rows if dry_run else mover.rows,
        expired_loads=sum(load.load_id in clear and is_expired(load, keep_clear) for load in loads),
        needs_build=bool(loads) if dry_run else _waits_for_a_build(mover),
        dry_run=dry_run,
    )
    log.info("moved %d loads, %d were there", summary.loads, summary.loads_there)
    return summary


def _access(target: Profile) -> Any:
    """One client for all transactions: each new one would ask Google for a token."""
    from trueline.warehouse.bigquery import default_access, google_errors

    assert isinstance(target.warehouse, BigQuerySettings)
    with google_errors(target.warehouse):
        return default_access(target.warehouse)


def _compared(mover: _Mover, source: Profile, *, dry_run: bool) -> set[tuple[str, str]]:
    """The lines that are there already, after the keys of both sides were compared."""
    from trueline.warehouse.duckdb import DuckDBConnection

    target = mover.target
    restricted = DuckDBConnection(mover.old.home_of("raw_restricted"))
    if has_keys(mover.old):
        refuse_other_keys(source, target)
        refuse_foreign_keys(target, restricted, mover.old, place="the history")
    with mover.open("look") as new:
        try:
            if not dry_run:
                new.ensure_tables(load_catalog().values())
                new.wait_for_killed()
            found = new.query("select load_id, status from raw.loads")
        except ConfigurationError as error:
            if dry_run and getattr(error.__cause__, "code", None) == 404:
                return set()
            raise
        refuse_foreign_keys(target, new, new, place="what BigQuery already holds")
    return {(row["load_id"], row["status"]) for row in found}


def _move(
    mover: _Mover,
    loads: Sequence[Load],
    keep_clear: datetime | None,
    progress: Callable[[str], None] | None,
) -> None:
    done = 0
    for number, group in enumerate(groups(loads, ROWS_AT_ONCE), start=1):
        rows = mover.move_group(number, group, keep_clear)
        done += len(group)
        if progress:
            progress(f"load {done:,} of {len(loads):,}, {rows:,} rows more")
    mover.move_runs()
    if loads:
        mover.refuse_lost_rows(loads)


def _loads_with_clear_values(old: DuckDBWarehouse) -> set[str]:
    from trueline.warehouse.duckdb import DuckDBConnection

    restricted = DuckDBConnection(old.home_of("raw_restricted"))
    return {
        row["load_id"]
        for table in _history_tables()
        if table.layer == "raw_restricted"
        for row in restricted.query(
            statements.count_by_load(table), {"history_start": HISTORY_START}
        )
    }


def _may_go(load: Load, table: Table, keep_clear: datetime | None) -> bool:
    return table.layer == "raw" or not is_expired(load, keep_clear)


def _history_tables() -> list[Table]:
    return [
        table
        for table in load_catalog().values()
        if table.layer in ("raw", "raw_restricted") and table.key != _LEDGER
    ]


def _waits_for_a_build(mover: _Mover) -> bool:
    with mover.open("after") as new:
        found = new.query(
            """
            select count(*) as n
            from raw.loads
            where
                status in ('loaded', 'accepted')
                and load_id not in (select load_id from ops.run_loads)
            """
        )
    return bool(found[0]["n"])
