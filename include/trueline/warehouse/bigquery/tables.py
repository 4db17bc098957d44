"""The live schema against table.yaml: additions are made, anything else is refused."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from trueline.errors import ConfigurationError
from trueline.model.catalog import Column, Table
from trueline.warehouse.bigquery.access import dataset_name, own_place
from trueline.warehouse.bigquery.jobs import Jobs
from trueline.warehouse.ddl import add_column_sql, create_table_sql
from trueline.warehouse.places import with_places

if TYPE_CHECKING:
    from google.cloud.bigquery import Table as LiveTable

log = logging.getLogger(__name__)
_CALLS_AT_ONCE = 8
_STANDARD_NAMES = {"INTEGER": "INT64", "BOOLEAN": "BOOL", "FLOAT": "FLOAT64"}
_FIX = (
    "Somebody changed the table by hand, or table.yaml changed. Restore it "
    "(docs/how-to/bigquery.md), or use another warehouse.dataset_prefix and build anew."
)


def ensure_tables(jobs: Jobs, tables: Iterable[Table]) -> None:
    """Create missing datasets and tables, add missing nullable columns.

    Raises:
        ConfigurationError: a dataset lies elsewhere, or a table is not as table.yaml says.
    """
    wanted = [table for table in tables if table.kind == "table"]
    for layer in sorted({table.layer for table in wanted}):
        ensure_dataset(jobs, dataset_name(layer, jobs.settings))
    with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
        present = list(pool.map(lambda table: _live(jobs, table), wanted))
    missing = [table for table, live in zip(wanted, present, strict=True) if live is None]
    statements = [_create(jobs, table) for table in missing]
    for table, live in zip(wanted, present, strict=True):
        if live is not None:
            statements += [
                with_places(add_column_sql(table, column, "bigquery"), own_place(jobs.settings))
                for column in _missing_columns(jobs, table, live)
            ]
    if statements:
        log.info("creating or changing %d tables", len(statements))
        jobs.run(";\n".join(statements), {}, step=f"tables_{len(statements)}")
        _tag_personal_columns(jobs, wanted)


def ensure_dataset(jobs: Jobs, name: str, *, description: str = "") -> bool:
    """Make a dataset where it is missing; True if it was. Refuses one that lies elsewhere."""
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import Dataset

    client, settings = jobs.access.client, jobs.settings
    try:
        found = client.get_dataset(name)
    except NotFound:
        dataset = Dataset(f"{settings.project}.{name}")
        dataset.location = settings.location
        dataset.description = description or None
        client.create_dataset(dataset, exists_ok=True)
        return True
    if str(found.location).lower() != settings.location.lower():
        raise ConfigurationError(
            f"The dataset {name} lies in {found.location}, but warehouse.location says "
            f"{settings.location}.",
            where=f"BigQuery project {settings.project}",
            fix=f"Set warehouse.location to {found.location}, or use another dataset_prefix: a "
            "dataset never moves.",
        )
    return False


def _live(jobs: Jobs, table: Table) -> LiveTable | None:
    from google.api_core.exceptions import NotFound

    try:
        return jobs.access.client.get_table(
            f"{dataset_name(table.layer, jobs.settings)}.{table.name}"
        )
    except NotFound:
        return None


def _create(jobs: Jobs, table: Table) -> str:
    days = jobs.settings.restricted_days if table.layer == "raw_restricted" else None
    dataset = dataset_name(table.layer, jobs.settings)
    return create_table_sql(table, "bigquery", dataset, expiration_days=days)


def _missing_columns(jobs: Jobs, table: Table, live: LiveTable) -> Sequence[Column]:
    known = {field.name: field for field in live.schema}
    for column in table.columns:
        if column.name in known:
            _check_column(jobs, table, column, known[column.name])
    missing = [column for column in table.columns if column.name not in known]
    gone = [column.name for column in missing if column.required]
    if gone:
        raise _refused(jobs, table, f"has no column {gone[0]}, which must be filled")
    _check_partition(jobs, table, live)
    for name in known.keys() - {column.name for column in table.columns}:
        log.warning("%s has a column %s that table.yaml does not know", table.key, name)
    return missing


def _check_column(jobs: Jobs, table: Table, column: Column, field: Any) -> None:
    found = _STANDARD_NAMES.get(field.field_type, field.field_type)
    if found != column.type or field.mode == "REPEATED":
        raise _refused(
            jobs, table, f"has {column.name} as {field.mode} {found}, table.yaml says {column.type}"
        )
    if field.mode == "REQUIRED" and not column.required:
        raise _refused(jobs, table, f"demands {column.name}, table.yaml lets it be empty")


def _check_partition(jobs: Jobs, table: Table, live: LiveTable) -> None:
    found = live.time_partitioning.field if live.time_partitioning else None
    if found != table.partition_column:
        raise _refused(
            jobs,
            table,
            f"is partitioned by {found or 'nothing'}, table.yaml says "
            f"{table.partition_by or 'nothing'}",
        )


def _refused(jobs: Jobs, table: Table, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{table.key} {what}.",
        where=f"BigQuery {jobs.settings.project}.{dataset_name(table.layer, jobs.settings)}"
        f".{table.name}",
        fix=_FIX,
    )


def _tag_personal_columns(jobs: Jobs, tables: Iterable[Table]) -> None:
    """Put the profile's policy tags on columns with personal data: DDL has no words for it."""
    from google.cloud.bigquery import PolicyTagList, SchemaField

    tags = jobs.settings.policy_tags
    client = jobs.access.client
    for table in tables:
        tagged = {
            column.name: tags[column.personal]
            for column in table.columns
            if column.personal in tags
        }
        if not tagged:
            continue
        live = client.get_table(f"{dataset_name(table.layer, jobs.settings)}.{table.name}")
        live.schema = [
            SchemaField.from_api_repr(
                {
                    **field.to_api_repr(),
                    "policyTags": PolicyTagList([tagged[field.name]]).to_api_repr(),
                }
            )
            if field.name in tagged
            else field
            for field in live.schema
        ]
        client.update_table(live, ["schema"])
