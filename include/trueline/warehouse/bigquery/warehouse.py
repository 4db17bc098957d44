"""The warehouse on BigQuery, for writing and for reading what was published."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from trueline.errors import ConfigurationError
from trueline.model.catalog import Table, load_catalog
from trueline.settings.profile import BigQuerySettings
from trueline.warehouse.base import QualityAccess, Rows, Work
from trueline.warehouse.bigquery.access import BigQueryAccess, dataset_name, own_place
from trueline.warehouse.bigquery.jobs import Jobs
from trueline.warehouse.bigquery.publication import (
    newest_publication,
    publish,
    published_dataset,
    snapshot_place,
)
from trueline.warehouse.bigquery.scratch import drop_scratch, scratch_name
from trueline.warehouse.bigquery.staging import BigQueryStaging, staging
from trueline.warehouse.bigquery.tables import ensure_tables
from trueline.warehouse.bigquery.transaction import BigQueryTransaction, read, transaction
from trueline.warehouse.places import with_places

log = logging.getLogger(__name__)
_ESTIMATES_AT_ONCE = 8
_GIB = 1024**3


class BigQueryWarehouse:
    """Held by nobody: BigQuery isolates writers itself, and undoes the one that comes second."""

    engine = "bigquery"

    def __init__(self, settings: BigQuerySettings, access: BigQueryAccess, work: Work) -> None:
        self.settings, self.jobs = settings, Jobs(settings, access, work)
        self._transactions = 0

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows:
        return read(self.jobs, with_places(sql, own_place(self.settings)), params or {})

    def ensure_tables(self, tables: Iterable[Table], *, remake: bool = False) -> None:
        ensure_tables(self.jobs, tables)

    def staging(self, run_folder: Path) -> AbstractContextManager[BigQueryStaging]:
        return staging(self.jobs, run_folder)

    @contextmanager
    def transaction(self) -> Iterator[BigQueryTransaction]:
        self._transactions += 1
        with transaction(self.jobs, f"commit_{self._transactions}") as found:
            yield found
        log.info("BigQuery billed %.3f GiB for this run so far", self.jobs.bytes_billed / _GIB)

    def wait_for_killed(self) -> None:
        self.jobs.wait_for_killed()

    def forget_scratch(self) -> None:
        drop_scratch(self.jobs, scratch_name(self.jobs, "build"))

    def refuse_over_budget(self, tables: Iterable[Table], params: Mapping[str, Any]) -> None:
        place = own_place(self.settings)

        def estimate(table: Table) -> tuple[int, str]:
            return self.jobs.estimate(with_places(str(table.query), place), params), table.key

        with ThreadPoolExecutor(_ESTIMATES_AT_ONCE) as pool:
            estimates = sorted(pool.map(estimate, tables), reverse=True)
        total, budget = sum(found for found, _ in estimates), self.settings.maximum_bytes_per_build
        largest = ", ".join(f"{key} {found / _GIB:.2f}" for found, key in estimates[:3])
        log.info(
            "by BigQuery's dry run over the tables as they are, this build reads %.2f GiB "
            "(largest: %s), its budget is %.2f GiB",
            total / _GIB,
            largest,
            budget / _GIB,
        )
        if total > budget:
            raise ConfigurationError(
                f"This build would read {total / _GIB:.2f} GiB, more than "
                f"warehouse.maximum_bytes_per_build ({budget / _GIB:.2f} GiB). Largest: {largest}.",
                where=f"BigQuery project {self.settings.project}",
                fix="Nothing was read. See trueline cost for what each table reads; raise the "
                "budget in the profile if you mean it.",
            )

    def publish(self, tables: Iterable[Table], run_id: str) -> str:
        return publish(self.jobs, list(tables), run_id)

    @contextmanager
    def for_quality(self, *, published: bool) -> Iterator[QualityAccess]:
        from google.cloud.bigquery import Client, QueryJobConfig

        # Great Expectations sends its own queries: labels and cap come with the client.
        client = Client(
            project=self.settings.project,
            credentials=self.jobs.access.credentials,
            location=self.settings.location,
            default_query_job_config=QueryJobConfig(
                labels=self.jobs.labels,
                maximum_bytes_billed=self.settings.maximum_bytes_billed,
                use_legacy_sql=False,
            ),
        )
        name = published_dataset if published else dataset_name
        yield QualityAccess(
            f"bigquery://{self.settings.project}?user_supplied_client=True",
            {layer: name(layer, self.settings) for layer in _layers()},
            {"connect_args": {"client": client}},
        )


class BigQueryReader:
    """The newest publication: every query of one reader sees the same one."""

    def __init__(
        self, settings: BigQuerySettings, access: BigQueryAccess, work: Work | None = None
    ) -> None:
        self.jobs = Jobs(settings, access, work or Work(task="read", run_id="read"))
        run_id = newest_publication(self.jobs)
        if run_id is None:
            raise ConfigurationError(
                "Nothing has been published yet.",
                where=f"BigQuery project {settings.project}",
                fix="Run the pipeline first: trueline run, or the DAG build_funnel.",
            )
        self._run_id = run_id

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows:
        place = snapshot_place(self.jobs.settings, self._run_id)
        return read(self.jobs, with_places(sql, place), params or {})


def _layers() -> set[str]:
    return {table.layer for table in load_catalog().values()}
