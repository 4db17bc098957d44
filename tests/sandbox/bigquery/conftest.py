"""A BigQuery of one's own for each test, and Google's own client on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.bigquery import BigQueryServer

PROJECT = "a-project"
ORDERS = """
create table shop.orders (
    order_id STRING not null options (description = "The shop's own number."),
    amount NUMERIC,
    day DATE
)
partition by day
cluster by order_id
options (description = 'Orders.', require_partition_filter = true)
"""


@pytest.fixture
def bigquery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BigQueryServer]:
    """Empty, in EU; the environment leads Google's clients to it."""
    with BigQueryServer(project=PROJECT, location="EU") as server:
        for name, value in server.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def client(bigquery: BigQueryServer) -> Iterator[Any]:
    """Google's client with the service account of the environment."""
    from google.cloud.bigquery import Client

    with Client(project=PROJECT, location="EU") as client:
        yield client


Run = Callable[..., Any]


@pytest.fixture
def run(client: Any) -> Run:
    """Run SQL to its end: ``run(sql, job_id=…, **settings of the job)`` gives the job."""

    def run(sql: str, *, job_id: str | None = None, **settings: Any) -> Any:
        from google.cloud.bigquery import QueryJobConfig

        config = QueryJobConfig(use_legacy_sql=False, **settings)
        job = client.query(sql, job_config=config, job_id=job_id, job_retry=None)
        job.result()
        return job

    return run


@pytest.fixture
def rows(run: Run) -> Callable[..., list[dict[str, Any]]]:
    """The rows of a query."""

    def rows(sql: str, **settings: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in run(sql, **settings).result()]

    return rows


@pytest.fixture
def shop(client: Any, run: Run) -> str:
    """The dataset ``shop`` with three orders on three days."""
    client.create_dataset("shop")
    run(ORDERS)
    run(
        "insert into shop.orders (order_id, amount, day) values "
        "('a', 1.5, date '2026-01-01'), ('bb', 2, date '2026-01-02'), "
        "('ccc', null, date '2026-01-03')"
    )
    return "shop"


ALL = "select order_id, day from shop.orders where day >= date '2000-01-01' order by order_id"
