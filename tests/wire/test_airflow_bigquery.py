"""Airflow's way to BigQuery: its connection's credentials, and a build that leaves its worker."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.module_loading import import_string
from airflow.serialization.serialized_objects import DagSerialization
from trueline_airflow.operators import BuildOperator, PublishOperator
from trueline_airflow.warehouse import bigquery_client

from sandbox.bigquery import BigQueryServer
from sandbox.world import World
from tests.wire.conftest import WireCompany, profile_on
from trueline import pipeline
from trueline.errors import ConfigurationError
from trueline.paths import home
from trueline.warehouse import Work, open_warehouse

FOR_EVER = 1_000_000
# A piece of SQL that one job of a build has alone, and how that job is named.
JOBS = [
    pytest.param("touches_before_the_lead", "build_attribution__lead_touches", id="a query"),
    pytest.param(r"insert into \w+ops\.runs ", "commit_2", id="the last script"),
]


@dataclass(frozen=True)
class Settled:
    """A company that was loaded, and what a build makes of it that never leaves its worker."""

    company: WireCompany
    row_counts: Mapping[str, int]
    tables: Mapping[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def settled(bigquery_environment: BigQueryServer, tiny_world: World, tiny_url: str) -> Settled:
    profile = profile_on(bigquery_environment, "left_")
    company = WireCompany(tiny_world, tiny_url, profile, bigquery_environment)
    company.load("meta_ads")
    company.load("hubspot")
    summary = pipeline.build(company.profile, company.window)
    tables = company.tables()
    assert sum(map(len, tables.values())) > 100
    return Settled(company, summary.row_counts, tables)


@pytest.fixture
def company(bigquery: BigQueryServer, settled: Settled) -> WireCompany:
    return settled.company


@pytest.fixture(autouse=True)
def _airflow_knows(company: WireCompany, monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile and the connection as a deployment sets them."""
    monkeypatch.setenv("TRUELINE_PROFILE", str(home() / "docs" / "examples" / "bigquery.yaml"))
    monkeypatch.setenv("TRUELINE_BIGQUERY_PROJECT", company.bigquery.project)
    monkeypatch.setenv("TRUELINE_BIGQUERY_PREFIX", company.settings.dataset_prefix)
    account = os.environ["GOOGLE_APPLICATION_CREDENTIALS"]
    set_connection(monkeypatch, key_path=account, project=company.bigquery.project)


def set_connection(monkeypatch: pytest.MonkeyPatch, **extra: object) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT",
        json.dumps({"conn_type": "google_cloud_platform", "extra": extra}),
    )


def context(company: WireCompany) -> dict[str, Any]:
    window = company.window
    return {
        "dag_run": SimpleNamespace(partition_key=None, dag_id="build_funnel"),
        "run_id": "manual__2026-11-21",
        "params": {"window_start": str(window.start), "window_end": str(window.end)},
    }


def grants(company: WireCompany) -> list[int]:
    """Statuses of what the token endpoint answered."""
    return [
        line["status"]
        for line in company.bigquery.record.lines("request")
        if line["path"] == "/token"
    ]


def one(company: WireCompany, access: Any) -> Any:
    with open_warehouse(company.profile, Work("test", "one"), client=access) as warehouse:
        return warehouse.query("select 1 as n")[0]["n"]


# Credentials


@pytest.fixture
def no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials besides the connection's."""
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.mark.usefixtures("no_other")
def test_the_connections_account_gets_its_tokens_from_its_own_endpoint(
    company: WireCompany,
) -> None:
    access = bigquery_client(company.profile)
    assert access is not None
    assert (access.client.project, access.client.location) == (company.bigquery.project, "EU")
    assert one(company, access) == 1
    assert grants(company) == [200]
    company.bigquery.tokens.revoke()
    assert one(company, access) == 1, "a token that ended is asked for anew"
    assert grants(company) == [200, 200]


@pytest.mark.usefixtures("no_other")
def test_an_account_that_google_no_longer_knows_says_where_to_put_a_new_key(
    company: WireCompany,
) -> None:
    company.bigquery.tokens.refuse_grants("Invalid grant: account not found")
    try:
        with pytest.raises(ConfigurationError, match="no longer accepts") as caught:
            PublishOperator(task_id="publish").execute(context(company))
    finally:
        company.bigquery.tokens.refuse_grants(None)
    assert "Airflow connection google_cloud_default" in str(caught.value)
    assert set(grants(company)) == {400}
    assert company.jobs() == []


@pytest.mark.usefixtures("no_other")
def test_without_the_connection_the_error_says_how_to_add_it(
    company: WireCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT")
    with pytest.raises(ConfigurationError, match="no connection 'google_cloud_default'") as caught:
        BuildOperator(task_id="build").execute(context(company))
    assert "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT" in str(caught.value)


@pytest.mark.usefixtures("no_other")
@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"key_path": "/nowhere/key.json"}, id="no file"),
        pytest.param({"keyfile_dict": '{"private_key": "the-key"'}, id="half a key"),
        pytest.param({"keyfile_dict": '{"private_key": "the-key"}'}, id="not a key"),
        pytest.param({}, id="none at all"),
    ],
)
def test_a_connection_without_usable_credentials_is_a_setting_to_change(
    company: WireCompany, monkeypatch: pytest.MonkeyPatch, extra: dict[str, str]
) -> None:
    set_connection(monkeypatch, **extra)
    with pytest.raises(ConfigurationError, match="gives no Google credentials") as caught:
        BuildOperator(task_id="build").execute(context(company))
    assert "key path or key JSON" in str(caught.value)
    assert "the-key" not in str(caught.value)


# Leaving the worker


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BuildOperator, "PATIENCE_SECONDS", 1.0)


def hold(company: WireCompany, statement: str) -> None:
    company.bigquery.faults.add(
        do="hold", match={"label": {"task": "build"}, "statement": statement}
    )


def go_through(company: WireCompany) -> tuple[dict[str, Any], list[str]]:
    """Run the build as Airflow does; returns its counts and the jobs it was away for.

    Every time it leaves, its job may end only when the trigger has seen it running.
    """
    away: list[str] = []
    method, arguments = "execute", {}
    while True:
        # A worker makes the task anew each time.
        task = BuildOperator(task_id="build", deferrable=True)
        try:
            return getattr(task, method)(context(company), **arguments), away
        except TaskDeferred as deferred:
            path, values = deferred.trigger.serialize()
            assert path.endswith(".BigQueryInsertJobTrigger")
            assert values["job_id"] == company.jobs()[-1]["jobReference"]["jobId"]
            assert values["location"] == "EU"
            assert values["project_id"] == company.bigquery.project
            away.append(values["job_id"])
            # The triggerer and the next worker get these values and nothing else.
            trigger = import_string(path)(**json.loads(json.dumps(values)))
            event = asyncio.run(awaited(company, trigger))
            method = str(deferred.method_name)
            arguments = json.loads(json.dumps({"event": event, **(deferred.kwargs or {})}))


async def awaited(company: WireCompany, trigger: Any) -> Any:
    trigger.poll_interval = 0.05
    waiting = asyncio.create_task(anext(trigger.run()))
    while not was_seen_running(company, trigger.job_id) and not waiting.done():
        await asyncio.sleep(0.05)
    end(company, trigger.job_id)
    return (await asyncio.wait_for(waiting, 60)).payload


def end(company: WireCompany, job_id: str) -> None:
    company.bigquery.faults.release()
    job = company.bigquery.jobs.find(job_id)
    assert job is not None
    job.hidden_polls = -1


def was_seen_running(company: WireCompany, job_id: str) -> bool:
    return any(
        line["method"] == "GET"
        and line["path"].endswith(f"/jobs/{job_id}")
        and line["response"]["status"]["state"] == "RUNNING"
        for line in company.bigquery.record.lines("request")
    )


def every_statement_ran_once(company: WireCompany) -> None:
    ran = [
        line
        for line in company.bigquery.record.lines("statement")
        if company.settings.dataset_prefix in line["sql"]
    ]
    named = Counter(line["job_id"] for line in ran if line["job_id"].startswith("trueline_"))
    assert len(named) > 25, "a build of that many tables"
    assert set(named.values()) == {1}
    # A script's statements have ids of their own.
    writing = Counter(line["sql"] for line in ran if line["sql"].startswith(("delete", "insert")))
    assert len(writing) > 50
    assert {sql: times for sql, times in writing.items() if times > 1} == {}


def as_if_it_had_stayed(settled: Settled, counts: dict[str, Any]) -> None:
    company = settled.company
    assert counts["rows"] == settled.row_counts
    assert company.tables() == settled.tables
    runs = company.bigquery.sql(f'select run_id from "{company.dataset("ops")}"."runs"')
    assert runs.count((counts["run_id"],)) == 1
    assert len(set(runs)) == len(runs)
    assert company.datasets("build") == []


@pytest.mark.soak
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("statement", "job"), JOBS)
def test_a_build_leaves_for_a_slow_job_and_comes_back_to_it(
    company: WireCompany, settled: Settled, statement: str, job: str
) -> None:
    hold(company, statement)
    counts, away = go_through(company)
    assert f"trueline_{counts['run_id']}_{job}_a1" in away
    every_statement_ran_once(company)
    as_if_it_had_stayed(settled, counts)


@pytest.mark.soak
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("statement", "job"), JOBS)
def test_a_job_that_failed_while_the_build_was_away_is_sent_once_more(
    company: WireCompany, settled: Settled, statement: str, job: str
) -> None:
    match = {"label": {"task": "build"}, "statement": statement}
    company.bigquery.faults.add(do="fail", polls=FOR_EVER, match=match)
    counts, away = go_through(company)
    assert f"trueline_{counts['run_id']}_{job}_a1" in away
    sent = Counter(each["jobReference"]["jobId"] for each in company.jobs())
    assert sent[f"trueline_{counts['run_id']}_{job}_a2"] == 1
    as_if_it_had_stayed(settled, counts)


# What Airflow stores


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_build_that_may_leave_goes_through_airflows_database(deferrable: bool) -> None:
    with DAG(dag_id="a_dag", schedule=None) as dag:
        BuildOperator(task_id="build", deferrable=deferrable)
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    task = DagSerialization.from_dict(stored).get_task("build")
    assert task.task_type == "BuildOperator"
    assert not task.start_from_trigger, "a build begins on a worker"
