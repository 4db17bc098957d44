"""Loads that BigQuery reads where they lie: no row travels through Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from trueline.model.catalog import load_catalog
from trueline.pipeline.load_records import LoadRecord, coverage_rows, new_load_id, write_records
from trueline.settings.profile import Profile
from trueline.sources.settings import Ga4Settings, SourceSettings
from trueline.warehouse import Warehouse
from trueline.windows import Window, utc_now

if TYPE_CHECKING:
    from trueline.warehouse.bigquery import BigQueryWarehouse


def is_in_place(settings: SourceSettings, warehouse: Warehouse) -> TypeGuard[Ga4Settings]:
    """Whether the source lies in BigQuery and the warehouse does too."""
    return (
        isinstance(settings, Ga4Settings)
        and settings.export == "bigquery"
        and warehouse.engine == "bigquery"
    )


def load_in_place(
    warehouse: Warehouse,
    profile: Profile,
    source_name: str,
    settings: Ga4Settings,
    window: Window,
    run_folder: Path,
) -> list[LoadRecord]:
    """Append the export's rows of the window to raw, as one load per raw table.

    Raises:
        ConfigurationError, RetriableError: the export cannot be read, or has nothing of these days.
    """
    from trueline.sources.ga4.bigquery import BigQueryExport
    from trueline.sources.ga4.in_place import Ga4InPlaceSource

    bigquery: BigQueryWarehouse = warehouse  # type: ignore[assignment]
    catalog = load_catalog()
    source = Ga4InPlaceSource(source_name, settings, time_zone=profile.time_zone)
    export = BigQueryExport(
        bigquery.jobs.access.client, settings, location=bigquery.settings.location
    )
    loads = source.in_place(window, export)
    loaded_at = utc_now()
    records, coverage = [], []
    with warehouse.staging(run_folder) as staging:
        for number, load in enumerate(loads, start=1):
            load_id = new_load_id(loaded_at, number)
            context = {"source": source_name, "load_id": load_id, "loaded_at": loaded_at}
            rows = staging.query(
                catalog[f"raw.{load.table}"], load.select, {**load.parameters, **context}
            )
            records.append(_record(load_id, source_name, load.table, rows=rows))
            coverage += coverage_rows(load.coverage, context, is_exhaustive=True)
        for number, day in enumerate(loads[0].missing, start=len(loads) + 1):
            load_id = new_load_id(loaded_at, number)
            records.append(_record(load_id, source_name, loads[0].table, missing=day))
        with warehouse.transaction() as transaction:
            transaction.append(staging)
            transaction.insert(catalog["raw.load_coverage"], coverage)
            write_records(transaction, records, window, loaded_at)
    return records


def _record(
    load_id: str, source: str, table: str, *, rows: int = 0, missing: str | None = None
) -> LoadRecord:
    return LoadRecord(
        load_id=load_id,
        source=source,
        table_name=table,
        status="skipped" if missing else "loaded",
        reason="not_there" if missing else None,
        file_name=missing,
        content_hash=None,
        rows_received=rows,
        rows_loaded=rows,
        rows_quarantined=0,
    )
