"""The fake BigQuery on loopback, driven by the real clients, and a company that loads into it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tests.airflow_home  # noqa: F401 - before anything imports Airflow
from sandbox.bigquery import BigQueryServer
from sandbox.world import World
from tests.end_to_end.conftest import IDENTITY_KEY, LAST_DAY, PREFIXES, Company, served
from trueline import pipeline
from trueline.model.catalog import build_order, load_catalog
from trueline.paths import home
from trueline.settings.profile import BigQuerySettings, Profile, load_profile
from trueline.warehouse import Work, open_warehouse
from trueline.windows import Window

# When and by which load a row came differs between two runs; what it says must not.
PROVENANCE = {"load_id", "loaded_at", "as_of"}
DAG_RUN = "build_funnel/manual__2026-11-21T06:00:00+00:00"


@dataclass(frozen=True)
class WireCompany(Company):
    """A company whose warehouse is the fake BigQuery."""

    bigquery: BigQueryServer

    @property
    def settings(self) -> BigQuerySettings:
        assert isinstance(self.profile.warehouse, BigQuerySettings)
        return self.profile.warehouse

    def dataset(self, layer: str) -> str:
        return f"{self.settings.dataset_prefix}{layer}"

    def load(self, source: str, window: Window | None = None) -> pipeline.IngestSummary:
        return pipeline.ingest(
            self.profile,
            source,
            window or self.window,
            connection=self.connection(source),
            run_label=f"ingest_{source}/scheduled__2026-11-21",
        )

    def rows(self, table: str) -> int:
        """Rows of ``layer.table`` as they lie there, beside all of BigQuery's rules."""
        layer, name = table.split(".")
        return int(
            self.bigquery.sql(f'select count(*) from "{self.dataset(layer)}"."{name}"')[0][0]
        )

    def datasets(self, kind: str) -> list[str]:
        """Scratch datasets of ``load`` or ``build`` that are still there."""
        prefix = self.dataset(f"{kind}_")
        return [name for name in self.bigquery.store.datasets if name.startswith(prefix)]

    def jobs(self) -> list[dict[str, Any]]:
        """Bodies of the jobs that were sent for this company, oldest first."""
        return self._bodies("/jobs")

    def reads(self) -> list[dict[str, Any]]:
        """Bodies of the queries that were sent without a job."""
        return self._bodies("/queries")

    def _bodies(self, path: str) -> list[dict[str, Any]]:
        found = [
            line["body"]
            for line in self.bigquery.record.lines("request")
            if line["method"] == "POST" and line["path"].endswith(path) and line["body"]
        ]
        return [body for body in found if self.settings.dataset_prefix in str(body)]

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every built table's rows without provenance, sorted; read through the real client."""
        found = {}
        with open_warehouse(self.profile, Work("test", secrets.token_hex(4))) as warehouse:
            for table in build_order(load_catalog()):
                if "load_id" in table.grain:
                    continue
                names = [c.name for c in table.columns if c.name not in PROVENANCE]
                rows = warehouse.query(
                    f"select {', '.join(names)} from {table.key} "
                    f"where {table.from_day('0001-01-01')}"
                )
                found[table.key] = comparable(tuple(row.values()) for row in rows)
        return found


def comparable(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Sorted, each value with its type; one moment and one number have one way to be written."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return value.normalize() + 0 if isinstance(value, Decimal) else value

    return sorted((tuple(plain(value) for value in row) for row in rows), key=repr)


@pytest.fixture(scope="session", autouse=True)
def _identity_key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_IDENTITY_KEY", IDENTITY_KEY)
        yield


@pytest.fixture(scope="session")
def bigquery_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigQueryServer]:
    """One server for all tests; each test has datasets of its own by their prefix."""
    folder = tmp_path_factory.mktemp("bigquery")
    with (
        BigQueryServer(record=folder / "record.jsonl") as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in server.environment(folder).items():
            patch.setenv(name, value)
        yield server


@pytest.fixture
def bigquery(bigquery_environment: BigQueryServer) -> Iterator[BigQueryServer]:
    bigquery_environment.record.clear()
    yield bigquery_environment
    bigquery_environment.faults.clear()


@pytest.fixture(scope="session")
def tiny_world() -> World:
    """Four days of a tenth of the company: enough of everything, little to wait for."""
    return World.make(5, last_day=LAST_DAY, days=4, size=0.1)


@pytest.fixture(scope="session")
def tiny_url(tiny_world: World) -> Iterator[str]:
    with served(tiny_world) as url:
        yield url


def profile_on(server: BigQueryServer, prefix: str, **settings: Any) -> Profile:
    """The example profile on the fake, with datasets of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_BIGQUERY_PROJECT", server.project)
        patch.setenv("TRUELINE_BIGQUERY_PREFIX", prefix)
        profile = load_profile(home() / "docs" / "examples" / "bigquery.yaml")
    warehouse = profile.warehouse.model_copy(update=settings)
    return profile.model_copy(
        update={"settings": profile.settings.model_copy(update={"warehouse": warehouse})}
    )


@pytest.fixture
def company(
    bigquery: BigQueryServer, tiny_world: World, tiny_url: str, tmp_path: Path
) -> WireCompany:
    """The tiny company with an empty warehouse on the fake BigQuery."""
    profile = profile_on(bigquery, f"t{secrets.token_hex(4)}_")
    return WireCompany(tiny_world, tiny_url, profile, bigquery)


def with_settings(company: WireCompany, **settings: Any) -> WireCompany:
    """The same company and datasets under other settings."""
    profile = profile_on(company.bigquery, company.settings.dataset_prefix, **settings)
    return WireCompany(company.world, company.url, profile, company.bigquery)


def until(reached: Callable[[], bool], *, still: Callable[[], bool] = lambda: True) -> None:
    """Ask now and then, for the server in this process needs its time too.

    Args:
        still: Whether it can still come true.
    """
    deadline, pause = time.monotonic() + 60, threading.Event()
    while not reached():
        assert still(), "it ended before that"
        assert time.monotonic() < deadline, "it never came"
        pause.wait(0.05)


def ingest_all(company: WireCompany) -> None:
    for source in PREFIXES:
        company.load(source)
