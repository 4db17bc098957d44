"""Opening the warehouse that a profile names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trueline.settings.profile import BigQuerySettings, Profile
from trueline.warehouse.base import Reader, Warehouse, Work

if TYPE_CHECKING:
    from trueline.warehouse.bigquery import BigQueryAccess


@contextmanager
def open_warehouse(
    profile: Profile, work: Work, *, client: BigQueryAccess | None = None
) -> Iterator[Warehouse]:
    """The profile's warehouse for writing; on DuckDB this waits for the writer before.

    Args:
        work: Who writes what: told to those who wait, in job ids and in labels.
        client: BigQuery client and credentials; by default the environment's own.
    """
    if isinstance(profile.warehouse, BigQuerySettings):
        from trueline.warehouse.bigquery import BigQueryWarehouse, default_access, google_errors

        with google_errors(profile.warehouse):
            access = client or default_access(profile.warehouse)
            yield BigQueryWarehouse(profile.warehouse, access, work)
        return
    from trueline.warehouse.duckdb import DuckDBWarehouse

    with DuckDBWarehouse.open(profile.data_folder, profile.warehouse, work.purpose) as warehouse:
        yield warehouse


@contextmanager
def open_reader(
    profile: Profile, *, work: Work | None = None, client: BigQueryAccess | None = None
) -> Iterator[Reader]:
    """The published tables; never waits for a writer and never stops one.

    Raises:
        ConfigurationError: nothing has been published yet.
    """
    if isinstance(profile.warehouse, BigQuerySettings):
        from trueline.warehouse.bigquery import BigQueryReader, default_access, google_errors

        with google_errors(profile.warehouse):
            access = client or default_access(profile.warehouse)
            yield BigQueryReader(profile.warehouse, access, work)
        return
    from trueline.warehouse.duckdb import DuckDBReader

    reader = DuckDBReader.open(profile.data_folder)
    try:
        yield reader
    finally:
        reader.close()
