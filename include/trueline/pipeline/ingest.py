"""Pull one source's window and append it to raw: everything is counted, nothing is lost.

The rows of a load wait beside raw until one transaction appends them together with the load's line
in ``raw.loads``. A run killed before that leaves nothing in raw.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trueline.connections import Connection
from trueline.errors import ConfigurationError
from trueline.model.catalog import load_catalog
from trueline.pipeline.in_place import is_in_place, load_in_place
from trueline.pipeline.keys import ProfileKeys
from trueline.pipeline.load_records import (
    LoadRecord,
    coverage_rows,
    known_hashes,
    new_load_id,
    write_records,
)
from trueline.settings.profile import Profile
from trueline.sources.base import Batch, Coverage
from trueline.sources.registry import build_source
from trueline.warehouse import Warehouse, Work, open_warehouse
from trueline.windows import Window, utc_now

if TYPE_CHECKING:
    import pyarrow as pa

    from trueline.pipeline.arrow import Prepared

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What one pull brought."""

    source: str
    window: Window
    loads: tuple[LoadRecord, ...]

    def as_dict(self) -> dict[str, Any]:
        """Counts only: this goes to logs and Airflow."""
        return {
            "source": self.source,
            "window": str(self.window),
            "loads": sum(load.status == "loaded" for load in self.loads),
            "skipped": sum(load.status == "skipped" for load in self.loads),
            "rows_received": sum(load.rows_received for load in self.loads),
            "rows_loaded": sum(load.rows_loaded for load in self.loads),
            "rows_quarantined": sum(load.rows_quarantined for load in self.loads),
        }


@dataclass(slots=True)
class _Load:
    """Batches of one table from one file or pull, while they come in."""

    table: str
    file_name: str | None
    content_hash: str | None
    skipped_reason: str | None = None
    parts: list[Prepared] = field(default_factory=list)
    errors: list[Any] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)
    received: int = 0


def ingest(
    profile: Profile,
    source_name: str,
    window: Window,
    *,
    connection: Connection | None = None,
    run_label: str = "",
    client: Any = None,
) -> IngestSummary:
    """Pull ``window`` of one source and append it to raw.

    Raises:
        ConfigurationError, RetriableError, PermanentError: nothing of this pull counts then.
    """
    settings = profile.sources.get(source_name)
    if settings is None:
        raise ConfigurationError(
            f"There is no source {source_name!r}.",
            where=str(profile.path),
            fix=f"Use one of {', '.join(profile.sources)}.",
        )
    now = utc_now()
    window.refuse_future(now, profile.time_zone)
    keys = ProfileKeys(profile)
    work = Work(
        "ingest", f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}", run_label, {"source": source_name}
    )
    run_folder = _new_run_folder(profile.data_folder / "runs")
    try:
        with open_warehouse(profile, work, client=client) as warehouse:
            warehouse.ensure_tables(load_catalog().values())
            known = known_hashes(warehouse)
            if is_in_place(settings, warehouse):
                records = load_in_place(
                    warehouse, profile, source_name, settings, window, run_folder / "dlt"
                )
                return _told(IngestSummary(source_name, window, tuple(records)))
        source = build_source(
            source_name,
            settings,
            connection=connection,
            time_zone=profile.time_zone,
            root=profile.root,
            workdir=run_folder,
            known_hashes=known,
            now=now,
        )
        # Pulling is slow and needs no lock; only the loading below keeps other writers waiting.
        loads = _collect(source.pull(window), keys)
        with open_warehouse(profile, work, client=client) as warehouse:
            records = _load(
                warehouse,
                source_name,
                window,
                loads,
                is_exhaustive=settings.type != "files",
                run_folder=run_folder,
            )
        return _told(IngestSummary(source_name, window, tuple(records)))
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)


def _told(summary: IngestSummary) -> IngestSummary:
    for load in summary.loads:
        log.info(
            "%s %s: %d received, %d loaded, %d quarantined%s",
            load.status,
            load.file_name or load.table_name,
            load.rows_received,
            load.rows_loaded,
            load.rows_quarantined,
            f" ({load.reason})" if load.reason else "",
        )
    return summary


def _new_run_folder(parent: Path) -> Path:
    """A folder for this pull alone; what killed pulls left behind is removed first.

    Downloads hold clear personal values: they must not outlive the run, however it ended.
    """
    import psutil

    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in parent.iterdir():
        owner = old.name.partition("-")[0]
        if not owner.isdigit() or not psutil.pid_exists(int(owner)):
            shutil.rmtree(old, ignore_errors=True)
    folder = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    return folder


def reject_load(profile: Profile, load_id: str, reason: str, *, client: Any = None) -> None:
    """Take a load back: from the next build on its rows do not count. Nothing is deleted.

    Raises:
        ConfigurationError: there is no such load, or it is rejected already.
    """
    table = load_catalog()["raw.loads"]
    work = Work("reject_load", f"{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}", "cli")
    with open_warehouse(profile, work, client=client) as warehouse:
        warehouse.ensure_tables([table])
        lines = warehouse.query(
            "select * from raw.loads where load_id = @load_id order by loaded_at",
            {"load_id": load_id},
        )
        if not lines or lines[-1]["status"] != "loaded":
            state = lines[-1]["status"] if lines else "not there"
            raise ConfigurationError(
                f"The load {load_id!r} is {state}.",
                fix="See trueline loads for the loads that can be rejected.",
            )
        with warehouse.transaction() as transaction:
            transaction.insert(
                table,
                [{**lines[-1], "status": "rejected", "reason": reason, "loaded_at": utc_now()}],
            )


def _collect(batches: Iterable[Batch], keys: ProfileKeys) -> list[_Load]:
    from trueline.pipeline.arrow import prepare

    catalog = load_catalog()
    loads: dict[tuple[str, str | None, str | None, str | None], _Load] = {}
    for batch in batches:
        key = (batch.table, batch.file_name, batch.content_hash, batch.skipped_reason)
        load = loads.setdefault(key, _Load(*key))
        prepared = prepare(catalog[f"raw.{batch.table}"], batch.records, keys)
        load.received += len(batch.records) + len(batch.errors)
        load.parts.append(prepared)
        load.errors += [*batch.errors, *prepared.errors]
        load.coverage += batch.coverage
    return list(loads.values())


def _load(
    warehouse: Warehouse,
    source: str,
    window: Window,
    loads: list[_Load],
    *,
    is_exhaustive: bool,
    run_folder: Path,
) -> list[LoadRecord]:
    """Append all loads of one pull under one ``loaded_at``; the ledger lines commit them."""
    import pyarrow as pa

    from trueline.pipeline.arrow import rows_to_arrow, to_arrow

    catalog = load_catalog()
    loaded_at = utc_now()
    known = known_hashes(warehouse)
    tables: dict[str, list[pa.Table]] = {}
    records, coverage, quarantine = [], [], []
    for number, load in enumerate(loads, start=1):
        if load.content_hash in known and load.skipped_reason is None:
            # Another run loaded the same file while this one was reading it.
            load.skipped_reason = "already_loaded"
        load_id = new_load_id(loaded_at, number)
        if load.skipped_reason is None:
            table = catalog[f"raw.{load.table}"]
            context = {"source": source, "load_id": load_id, "loaded_at": loaded_at}
            rows = to_arrow(table, load.parts, source=source, load_id=load_id, loaded_at=loaded_at)
            tables.setdefault(table.key, []).append(rows)
            _add_restricted(tables, load, load_id, loaded_at, rows_to_arrow)
            coverage += coverage_rows(load.coverage, context, is_exhaustive=is_exhaustive)
            quarantine += [
                {
                    **context,
                    "table_name": load.table,
                    "file_name": load.file_name,
                    "line_number": error.line,
                    "column_name": error.column,
                    "reason": error.reason,
                }
                for error in load.errors
            ]
        records.append(_record(load, load_id, source))
    if quarantine:
        table = catalog["raw.quarantine"]
        tables[table.key] = [rows_to_arrow(table, quarantine)]
    with warehouse.staging(run_folder / "dlt") as staging:
        if tables:
            staging.rows({key: pa.concat_tables(parts) for key, parts in tables.items()})
        with warehouse.transaction() as transaction:
            transaction.append(staging)
            transaction.insert(catalog["raw.load_coverage"], coverage)
            write_records(transaction, records, window, loaded_at)
    return records


def _add_restricted(
    tables: dict[str, list[pa.Table]],
    load: _Load,
    load_id: str,
    loaded_at: datetime,
    rows_to_arrow: Any,
) -> None:
    catalog = load_catalog()
    stamp: Mapping[str, Any] = {"load_id": load_id, "loaded_at": loaded_at}
    restricted = {
        "raw_restricted.identifiers": [
            {**identifier, **stamp} for part in load.parts for identifier in part.identifiers
        ],
        "raw_restricted.quarantined_rows": [
            {"line_number": error.line, "raw_row": error.raw_row, **stamp} for error in load.errors
        ],
    }
    for key, rows in restricted.items():
        if rows:
            tables.setdefault(key, []).append(rows_to_arrow(catalog[key], rows))


def _record(load: _Load, load_id: str, source: str) -> LoadRecord:
    skipped = load.skipped_reason is not None
    return LoadRecord(
        load_id=load_id,
        source=source,
        table_name=load.table,
        status="skipped" if skipped else "loaded",
        reason=load.skipped_reason,
        file_name=load.file_name,
        content_hash=load.content_hash,
        rows_received=0 if skipped else load.received,
        rows_loaded=0 if skipped else sum(part.row_count for part in load.parts),
        rows_quarantined=0 if skipped else len(load.errors),
    )
