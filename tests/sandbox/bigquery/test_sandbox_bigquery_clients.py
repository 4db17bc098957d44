"""The real clients on the sandbox's BigQuery: dlt, SQLAlchemy, Airflow's hook and trigger."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from sandbox.bigquery import BigQueryServer
from trueline.model.catalog import load_catalog
from trueline.warehouse.loader import load_with_dlt
from trueline.warehouse.parquet import ARROW_TYPES

Run = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]
ROOT = Path(__file__).parents[3]
VALUES = {
    "STRING": "x",
    "INT64": 3,
    "NUMERIC": Decimal("0.5"),
    "BOOL": True,
    "DATE": date(2026, 1, 1),
    "TIMESTAMP": datetime(2026, 1, 1, 2, 3, 4, 5, tzinfo=UTC),
    "FLOAT64": 0.25,
}


def two_rows(key: str) -> pa.Table:
    columns = load_catalog()[key].columns
    schema = pa.schema(
        [
            pa.field(column.name, ARROW_TYPES[column.type], nullable=not column.required)
            for column in columns
        ]
    )
    row = {column.name: VALUES[column.type] for column in columns}
    return pa.Table.from_pylist([row, row], schema=schema)


def dlt_load(client: Any, tables: dict[str, pa.Table], folder: Path) -> None:
    import dlt
    from dlt.common.configuration.specs import GcpServiceAccountCredentials

    credentials = GcpServiceAccountCredentials()
    credentials.parse_native_representation(client._credentials)
    folder.parent.mkdir(exist_ok=True)
    files = {key: folder.parent / f"{key}.parquet" for key in tables}
    for key, path in files.items():
        pq.write_table(tables[key], path)
    load_with_dlt(
        files,
        destination=dlt.destinations.bigquery(
            credentials=credentials, location="EU", project_id="a-project"
        ),
        dataset="load_1",
        run_folder=folder,
    )


def test_dlt_loads_every_type_into_a_dataset_of_its_own(
    client: Any, rows: Rows, tmp_path: Path
) -> None:
    keys = ("raw.loads", "raw.tag_events", "raw.crm_deals")
    dlt_load(client, {key: two_rows(key) for key in keys}, tmp_path / "dlt")
    counts = {
        table.table_id: client.get_table(table).num_rows for table in client.list_tables("load_1")
    }
    assert counts == {
        "loads": 2,
        "tag_events": 2,
        "crm_deals": 2,
        "_dlt_loads": 1,
        "_dlt_version": 1,
    }
    loaded = rows("select * from load_1.crm_deals")[0]
    for column in load_catalog()["raw.crm_deals"].columns:
        assert loaded[column.name] == VALUES[column.type], column.name


def test_dlt_meets_its_own_job_when_the_answer_was_lost(
    bigquery: BigQueryServer, client: Any, rows: Rows, tmp_path: Path
) -> None:
    bigquery.faults.add(do="cut", when="after", match={"method": "PUT", "path": "/upload/"})
    dlt_load(client, {"raw.loads": two_rows("raw.loads")}, tmp_path / "dlt")
    assert rows("select count(*) as n from load_1.loads") == [{"n": 2}]
    puts = [line for line in bigquery.record.lines("request") if line["method"] == "PUT"]
    assert [line["status"] for line in puts] == [0, 200]


def test_sqlalchemy_reads_and_reflects(shop: str) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine("bigquery://a-project?location=EU")
    with engine.connect() as connection:
        found = connection.execute(
            sa.text("select order_id, amount from shop.orders where day = :day"),
            {"day": date(2026, 1, 1)},
        ).fetchall()
        assert [tuple(row) for row in found] == [("a", Decimal("1.5"))]
        names = [column["name"] for column in sa.inspect(engine).get_columns("orders", "shop")]
        assert names == ["order_id", "amount", "day"]
    engine.dispose()


@pytest.fixture
def airflow_connection(
    bigquery: BigQueryServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """The connection ``google_cloud_default``, given by the environment."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    extra = {"key_path": os.environ["GOOGLE_APPLICATION_CREDENTIALS"], "project": "a-project"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT",
        json.dumps({"conn_type": "google_cloud_platform", "extra": extra}),
    )
    return "google_cloud_default"


def an_insert_job(job_id: str, sql: str) -> None:
    from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook

    BigQueryHook(use_legacy_sql=False).insert_job(
        configuration={
            "query": {"query": sql, "useLegacySql": False},
            "labels": {"step": "build"},
        },
        job_id=job_id,
        location="EU",
        nowait=True,
    )


def first_event(trigger: Any) -> dict[str, Any]:
    async def first() -> dict[str, Any]:
        async for event in trigger.run():
            return dict(event.payload)
        raise AssertionError("the trigger ended without an event")

    return asyncio.run(first())


def a_trigger(job_id: str) -> Any:
    from airflow.providers.google.cloud.triggers.bigquery import BigQueryInsertJobTrigger

    return BigQueryInsertJobTrigger(
        "google_cloud_default", job_id, "a-project", "EU", poll_interval=0.01
    )


def test_airflows_hook_inserts_a_job_and_hands_out_a_client(
    bigquery: BigQueryServer, airflow_connection: str
) -> None:
    from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook

    an_insert_job("trueline_1", "select 1 as x")
    (request,) = [
        line["body"]
        for line in bigquery.record.lines("request")
        if line["method"] == "POST" and line["path"].endswith("/jobs")
    ]
    assert request == {
        "jobReference": {"projectId": "a-project", "jobId": "trueline_1", "location": "EU"},
        "configuration": {
            "query": {"query": "select 1 as x", "useLegacySql": False},
            "labels": {"step": "build"},
        },
    }
    client = BigQueryHook(use_legacy_sql=False).get_client(project_id="a-project", location="EU")
    assert [tuple(row) for row in client.get_job("trueline_1").result()] == [(1,)]


def test_airflows_trigger_waits_for_the_end(
    bigquery: BigQueryServer, airflow_connection: str
) -> None:
    bigquery.faults.add(do="slow", polls=3)
    an_insert_job("trueline_slow", "select 1 as x")
    assert first_event(a_trigger("trueline_slow")) == {
        "job_id": "trueline_slow",
        "status": "success",
        "message": "Job completed",
    }
    an_insert_job("trueline_bad", "select error('no such day')")
    assert first_event(a_trigger("trueline_bad")) == {"status": "error", "message": "no such day"}


def test_airflows_trigger_cancels_with_a_host_without_scheme(
    bigquery: BigQueryServer, airflow_connection: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same trigger asks for the job's state with Google's client, which wants the scheme.
    bigquery.faults.add(do="hold", match={"job_id_prefix": "trueline_held"})
    an_insert_job("trueline_held", "select 1 as x")
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.host)
    assert "No connection adapters" in first_event(a_trigger("trueline_held"))["message"]
    asyncio.run(a_trigger("trueline_held").on_kill())
    assert client.get_job("trueline_held").error_result["reason"] == "stopped"


def test_gcloud_aio_reads_rows_with_a_host_without_scheme(
    bigquery: BigQueryServer, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gcloud.aio.bigquery import Job

    client.query("select 7 as x", job_id="read", job_retry=None).result()
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.host)

    async def results() -> dict[str, Any]:
        async with Job(job_id="read", project="a-project", location="EU") as job:
            return dict(await job.get_query_results())

    assert asyncio.run(results())["rows"] == [{"f": [{"v": "7"}]}]


def test_it_starts_from_the_command_line_and_stops_quietly(tmp_path: Path) -> None:
    credentials = tmp_path / "account.json"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "sandbox", "bigquery", "--port", "0"),
            *("--project", "a-project", "--credentials", str(credentials)),
            *("--data", str(tmp_path / "data.duckdb")),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'include'}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        assert requests.get(f"{address}/health", timeout=10).json() == {
            "status": "ok",
            "project": "a-project",
        }
        assert json.loads(credentials.read_text())["token_uri"] == f"{address}/token"
        assert credentials.stat().st_mode & 0o777 == 0o600
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=10)
        assert (process.returncode, rest, errors) == (0, "", "")
    finally:
        process.kill()
