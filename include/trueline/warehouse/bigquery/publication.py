"""What readers see: snapshots of one build, views onto them, and a line that says which.

A snapshot is a table of its own that costs only what changes later. The views are for people and
their tools; they are switched by one script, one after the other within seconds. trueline's own
reports read the snapshots that the newest line in ``ops.publications`` names: all old or all new.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from trueline.model.catalog import Table
from trueline.settings.profile import BigQuerySettings
from trueline.warehouse.bigquery.access import dataset_name, own_place
from trueline.warehouse.bigquery.jobs import Jobs
from trueline.warehouse.bigquery.tables import ensure_dataset
from trueline.warehouse.bigquery.transaction import read
from trueline.warehouse.ddl import string_literal
from trueline.warehouse.places import Place, with_places

# Readers of the publication before may still be at work.
KEEP_PUBLICATIONS = 3
_NEWEST = "select run_id from ops.publications order by published_at desc, run_id desc limit 1"
_SNAPSHOTS = "snapshots"


def publish(jobs: Jobs, tables: Sequence[Table], run_id: str) -> str:
    """Snapshot the tables, switch the views, drop what is older than the last few."""
    settings = jobs.settings
    ensure_dataset(jobs, dataset_name(_SNAPSHOTS, settings), description="What was published.")
    for layer in sorted({table.layer for table in tables}):
        name = published_dataset(layer, settings)
        if ensure_dataset(jobs, name, description=f"What was published of the layer {layer}."):
            _authorise(jobs, name)
    jobs.run(publication_script(settings, tables, run_id), {}, step="publish")
    _drop_old(jobs, keep=run_id)
    return f"{settings.project}.{published_dataset('marts', settings)}"


def publication_script(settings: BigQuerySettings, tables: Sequence[Table], run_id: str) -> str:
    """All snapshots first, then the views: no view ever shows a snapshot that is not there."""
    place, own = snapshot_place(settings, run_id), own_place(settings)
    snapshots = [
        f"create snapshot table if not exists {place(table.layer, table.name)}\n"
        f"clone {own(table.layer, table.name)}"
        for table in tables
    ]
    views = [_view(table, place(table.layer, table.name), settings) for table in tables]
    return ";\n".join([*snapshots, *views])


def snapshot_place(settings: BigQuerySettings, run_id: str) -> Place:
    """Where one publication's tables lie."""
    suffix = re.sub(r"\W", "_", run_id)
    dataset = dataset_name(_SNAPSHOTS, settings)
    return lambda layer, table: f"{dataset}.{layer}__{table}__{suffix}"


def published_dataset(layer: str, settings: BigQuerySettings) -> str:
    return f"{settings.dataset_prefix}published_{layer}"


def newest_publication(jobs: Jobs) -> str | None:
    from google.api_core.exceptions import NotFound

    try:
        jobs.access.client.get_table(f"{dataset_name('ops', jobs.settings)}.publications")
    except NotFound:
        return None
    rows = read(jobs, with_places(_NEWEST, own_place(jobs.settings)), {})
    return str(rows[0]["run_id"]) if rows else None


def _view(table: Table, snapshot: str, settings: BigQuerySettings) -> str:
    columns = ",\n    ".join(
        f"{column.name} options (description = {string_literal(column.description)})"
        for column in table.columns
    )
    names = ", ".join(column.name for column in table.columns)
    return (
        f"create or replace view {published_dataset(table.layer, settings)}.{table.name} (\n"
        f"    {columns}\n)\noptions (description = {string_literal(table.purpose)})\n"
        f"as select {names} from {snapshot}"
    )


def _authorise(jobs: Jobs, views: str) -> None:
    """Let the views read the snapshots for people who may read the views only."""
    from google.cloud.bigquery import AccessEntry

    client, settings = jobs.access.client, jobs.settings
    dataset = client.get_dataset(dataset_name(_SNAPSHOTS, settings))
    entry = AccessEntry.from_api_repr(
        {
            "dataset": {
                "dataset": {"projectId": settings.project, "datasetId": views},
                "targetTypes": ["VIEWS"],
            }
        }
    )
    if entry not in dataset.access_entries:
        dataset.access_entries = [*dataset.access_entries, entry]
        client.update_dataset(dataset, ["access_entries"])


def _drop_old(jobs: Jobs, keep: str) -> None:
    client, dataset = jobs.access.client, dataset_name(_SNAPSHOTS, jobs.settings)
    by_run: dict[str, list[str]] = {}
    for found in client.list_tables(dataset):
        by_run.setdefault(found.table_id.rpartition("__")[2], []).append(found.table_id)
    # Run ids begin with the time of their build.
    newest = sorted(by_run.keys() - {re.sub(r"\W", "_", keep)}, reverse=True)
    for run in newest[KEEP_PUBLICATIONS - 1 :]:
        for name in by_run[run]:
            client.delete_table(f"{dataset}.{name}", not_found_ok=True)
