"""Rows of one load, waiting in a scratch dataset until a script appends them all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trueline.model.catalog import Table, load_catalog
from trueline.warehouse.bigquery.access import own_place
from trueline.warehouse.bigquery.jobs import Jobs
from trueline.warehouse.bigquery.scratch import drop_scratch, make_scratch
from trueline.warehouse.places import with_places

if TYPE_CHECKING:
    pass


@dataclass(slots=True)
class BigQueryStaging:
    """One load's scratch dataset; ``places`` names what waits: table → ``dataset.table``."""

    jobs: Jobs
    dataset: str
    run_folder: Path
    places: dict[str, str] = field(default_factory=dict)

    def files(self, files: Mapping[str, Path]) -> None:
        import dlt
        from dlt.common.configuration.specs import GcpServiceAccountCredentials

        from trueline.warehouse.loader import load_with_dlt

        settings = self.jobs.settings
        credentials = GcpServiceAccountCredentials()
        credentials.parse_native_representation(self.jobs.access.credentials)
        load_with_dlt(
            files,
            destination=dlt.destinations.bigquery(
                credentials=credentials, location=settings.location, project_id=settings.project
            ),
            dataset=self.dataset,
            run_folder=self.run_folder,
        )
        self.places.update({key: f"{self.dataset}.{key.split('.')[1]}" for key in files})

    def query(self, table: Table, sql: str, params: Mapping[str, Any] | None = None) -> int:
        place = f"{self.dataset}.in_place__{table.name}"
        job = self.jobs.run(
            with_places(sql, own_place(self.jobs.settings)),
            params or {},
            step=f"stage_{table.name}",
            destination=place,
        )
        self.places[table.key] = place
        return int(job.result(max_results=0).total_rows or 0)

    def waiting(self) -> Iterator[tuple[Table, str]]:
        """Each table and where its rows wait."""
        catalog = load_catalog()
        for key, place in sorted(self.places.items()):
            yield catalog[key], place


@contextmanager
def staging(jobs: Jobs, run_folder: Path) -> Iterator[BigQueryStaging]:
    dataset = make_scratch(jobs, "load")
    try:
        yield BigQueryStaging(jobs, dataset, run_folder)
    finally:
        drop_scratch(jobs, dataset)
