"""Pull one source's window and append it to raw: everything is counted, nothing is lost.

The rows of a pull wait on disk, then beside raw, until one transaction appends them together with
the loads' lines in ``raw.loads``. A run killed before that leaves nothing in raw.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trueline.connections import Connection
from trueline.errors import ConfigurationError, RetriableError
from trueline.model.catalog import load_catalog
from trueline.pipeline.guard import hold_suspicious
from trueline.pipeline.in_place import is_in_place, load_in_place
from trueline.pipeline.keys import ProfileKeys
from trueline.pipeline.load_records import (
    LoadRecord,
    coverage_rows,
    known_hashes,
    write_records,
)
from trueline.pipeline.spool import Spool
from trueline.settings.profile import Profile
from trueline.sources.registry import build_source
from trueline.sources.settings import ReportSettings, SourceSettings
from trueline.warehouse import Warehouse, Work, open_warehouse
from trueline.windows import Window, utc_now

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
            "held": sum(load.status == "held" for load in self.loads),
            "accounts_failed": len(
                {load.account_id for load in self.loads if load.status == "failed"}
            ),
            "rows_received": sum(load.rows_received for load in self.loads),
            "rows_loaded": sum(load.rows_loaded for load in self.loads),
            "rows_quarantined": sum(load.rows_quarantined for load in self.loads),
        }


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
    run_folder = new_run_folder(profile.data_folder / "runs")
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
        with Spool(run_folder / "spool", source_name, keys, started_at=now) as spool:
            # Pulling is slow and needs no lock; only loading below keeps other writers waiting.
            spool.take(source.pull(window))
            _tell_failures(spool)
            with open_warehouse(profile, work, client=client) as warehouse:
                records = _load(warehouse, source_name, settings, window, spool, run_folder)
        return _told(IngestSummary(source_name, window, tuple(records)))
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)


def _tell_failures(spool: Spool) -> None:
    """Say which accounts failed; raise where none is left, and the whole pull has failed.

    Raises:
        RetriableError, PermanentError, ConfigurationError: that of an account, one that may pass
            by itself before others.
    """
    errors = [failed.error for failed in spool.failures]
    if errors and not any(load.counts for load in spool.loads):
        raise next((error for error in errors if isinstance(error, RetriableError)), errors[0])
    for failed in spool.failures:
        log.warning("The account %s was left out. %s", failed.account_id, failed.error)


def _load(
    warehouse: Warehouse,
    source: str,
    settings: SourceSettings,
    window: Window,
    spool: Spool,
    run_folder: Path,
) -> list[LoadRecord]:
    """Append all loads of one pull under one ``loaded_at``; the ledger lines commit them."""
    catalog = load_catalog()
    known = known_hashes(warehouse)
    for load in spool.loads:
        if load.counts and load.content_hash in known:
            # Another run loaded the same file while this one was reading it.
            load.give_up("skipped", "already_loaded")
    files = spool.files()
    if isinstance(settings, ReportSettings):
        hold_suspicious(warehouse, spool.loads, files, settings.smallest_share)
    loaded_at = utc_now()
    coverage: list[dict[str, Any]] = []
    for load in spool.loads:
        context = {"source": source, "load_id": load.load_id, "loaded_at": loaded_at}
        coverage += coverage_rows(load.coverage, context, is_exhaustive=settings.type != "files")
    records = [load.record(source) for load in spool.loads]
    with warehouse.staging(run_folder / "dlt") as staging:
        if files:
            staging.files(files)
        with warehouse.transaction() as transaction:
            transaction.append_loads(
                staging,
                loaded_at=loaded_at,
                given_up=[load.load_id for load in spool.loads if not load.counts],
            )
            transaction.insert(catalog["raw.load_coverage"], coverage)
            write_records(transaction, records, window, loaded_at)
    return records


def _told(summary: IngestSummary) -> IngestSummary:
    for load in summary.loads:
        log.log(
            logging.WARNING if load.status in ("held", "failed") else logging.INFO,
            "%s %s: %d received, %d loaded, %d quarantined%s",
            load.status,
            load.file_name or " of account ".join(filter(None, (load.table_name, load.account_id))),
            load.rows_received,
            load.rows_loaded,
            load.rows_quarantined,
            f" ({load.reason})" if load.reason else "",
        )
        if load.drift:
            log.warning(
                "%s has changed its shape; what may be kept of it is in _extra: %s",
                load.file_name or load.table_name,
                load.drift,
            )
        if load.status == "held":
            log.warning(
                "It does not count, the figures before it stand, until a person looked at it: "
                "trueline loads --accept %s --reason '...' (or --reject).",
                load.load_id,
            )
    return summary


def new_run_folder(parent: Path) -> Path:
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
