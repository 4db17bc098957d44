"""The BigQuery that is tested: a real project with datasets for this run alone, or the fake.

On a real project every dataset of a run is called ``trueline_test_<hex>_…``. They are deleted at
the end, however the tests end; a killed run's tables end by themselves after a day, and the next
run removes what is left of it.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.bigquery import BigQueryServer
from trueline.model.catalog import Table, load_catalog
from trueline.paths import home
from trueline.settings.profile import BigQuerySettings, Profile, load_profile
from trueline.warehouse import Work
from trueline.warehouse.bigquery import BigQueryAccess, default_access
from trueline.warehouse.bigquery.jobs import Jobs
from trueline.windows import utc_now

PROJECT_VARIABLE = "TRUELINE_TEST_BIGQUERY_PROJECT"
LOCATION_VARIABLE = "TRUELINE_TEST_BIGQUERY_LOCATION"
MAX_GIB_VARIABLE = "TRUELINE_TEST_BIGQUERY_MAX_GIB"
SKIP = (
    f"not tried on BigQuery: set {PROJECT_VARIABLE} to a project that may be billed and log in "
    f"(gcloud auth application-default login); {LOCATION_VARIABLE} (EU) and {MAX_GIB_VARIABLE} "
    "(5 per query) are optional"
)
_FAMILY = "trueline_test_"
# Nothing but a run's own name: somebody's product may well be called trueline_test_.
_A_RUN = re.compile(rf"{_FAMILY}[0-9a-f]{{8}}_")
_LIFETIME = timedelta(days=1)


@dataclass(frozen=True)
class Target:
    """Where the tests run.

    Attributes:
        server: The fake; None on a real project.
    """

    profile: Profile
    access: BigQueryAccess
    server: BigQueryServer | None

    @property
    def settings(self) -> BigQuerySettings:
        assert isinstance(self.profile.warehouse, BigQuerySettings)
        return self.profile.warehouse

    @property
    def is_real(self) -> bool:
        return self.server is None

    def jobs(self, task: str, **settings: Any) -> Jobs:
        """Jobs of a work of its own; ``settings`` replace the profile's."""
        work = Work(task, f"{task}-{secrets.token_hex(4)}", "test/live")
        return Jobs(self.settings.model_copy(update=settings), self.access, work)

    def dataset(self, name: str) -> str:
        """A dataset for one test; its tables end after a day."""
        from google.cloud.bigquery import Dataset

        found = f"{self.settings.dataset_prefix}{name}"
        dataset = Dataset(f"{self.settings.project}.{found}")
        dataset.location = self.settings.location
        dataset.default_table_expiration_ms = int(_LIFETIME.total_seconds() * 1000)
        self.access.client.create_dataset(dataset, exists_ok=True)
        return found


def stored_tables() -> list[Table]:
    return [table for table in load_catalog().values() if table.kind == "table"]


@contextmanager
def real_target() -> Iterator[Target]:
    project = os.environ.get(PROJECT_VARIABLE)
    if not project:
        pytest.skip(SKIP)
    variables = {
        "TRUELINE_BIGQUERY_PROJECT": project,
        "TRUELINE_BIGQUERY_LOCATION": os.environ.get(LOCATION_VARIABLE, "EU"),
    }
    limit = int(float(os.environ.get(MAX_GIB_VARIABLE, "5")) * 1024**3)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BIGQUERY_EMULATOR_HOST", "BIGQUERY_STORAGE_EMULATOR_HOST"):
            patch.delenv(name, raising=False)
        yield from _target(patch, variables, limit, None)


@contextmanager
def fake_target(folder: Path) -> Iterator[Target]:
    with BigQueryServer() as server, pytest.MonkeyPatch.context() as patch:
        variables = {
            **server.environment(folder),
            "TRUELINE_BIGQUERY_PROJECT": server.project,
            "TRUELINE_BIGQUERY_LOCATION": "EU",
        }
        yield from _target(patch, variables, 5 * 1024**3, server)


def _target(
    patch: pytest.MonkeyPatch,
    variables: dict[str, str],
    limit: int,
    server: BigQueryServer | None,
) -> Iterator[Target]:
    for name, value in variables.items():
        patch.setenv(name, value)
    patch.setenv("TRUELINE_BIGQUERY_PREFIX", f"{_FAMILY}{secrets.token_hex(4)}_")
    profile = load_profile(home() / "docs" / "examples" / "bigquery.yaml")
    assert isinstance(profile.warehouse, BigQuerySettings)
    warehouse = profile.warehouse.model_copy(
        update={"maximum_bytes_billed": limit, "maximum_bytes_per_build": limit}
    )
    settings = profile.settings.model_copy(update={"warehouse": warehouse})
    profile = profile.model_copy(update={"settings": settings})
    target = Target(profile, default_access(warehouse), server)
    forget_killed_runs(target)
    try:
        # Made beforehand, so that what the product makes in them ends by itself too.
        for layer in {table.layer for table in load_catalog().values()} | {"snapshots"}:
            target.dataset(layer)
        yield target
    finally:
        prefix = warehouse.dataset_prefix
        _delete(target, lambda name, is_old: name.startswith(prefix))


def forget_killed_runs(target: Target) -> None:
    """Delete what runs left that did not come to their end, once its tables have ended."""
    _delete(target, lambda name, is_old: _A_RUN.match(name) is not None and is_old())


def bill(target: Target, since: datetime) -> str:
    """What the run's queries were billed, children of scripts not counted twice."""
    from google.cloud.bigquery import QueryJob

    billed = [
        job.total_bytes_billed or 0
        for job in target.access.client.list_jobs(min_creation_time=since)
        if isinstance(job, QueryJob) and target.settings.dataset_prefix in job.query
    ]
    return f"bill: {sum(billed) / 1024**3:.2f} GiB by {len(billed)} queries"


def _delete(target: Target, which: Callable[[str, Callable[[], bool]], bool]) -> None:
    client = target.access.client
    for found in list(client.list_datasets()):
        dataset_id = str(found.dataset_id)

        def is_old(reference: Any = found.reference) -> bool:
            created = client.get_dataset(reference).created
            return created is not None and created < utc_now() - _LIFETIME

        if which(dataset_id, is_old):
            client.delete_dataset(dataset_id, delete_contents=True, not_found_ok=True)
