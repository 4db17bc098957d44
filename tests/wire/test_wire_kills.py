"""Killed between load and commit, or anywhere else: nothing half is there, a retry is safe."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.wire.conftest import WireCompany, until
from trueline import pipeline
from trueline.model.catalog import load_catalog
from trueline.paths import home
from trueline.warehouse import Work, open_warehouse

RAW = ["raw.ad_delivery", "raw.pixel_claims", "raw.loads", "raw.load_coverage"]


def started(company: WireCompany, step: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "TRUELINE_BIGQUERY_PROJECT": company.bigquery.project,
        "TRUELINE_BIGQUERY_PREFIX": company.settings.dataset_prefix,
    }
    window = company.window
    command = [sys.executable, "-m", "tests.wire.one_step", step, company.url]
    return subprocess.Popen(
        [*command, str(window.start), str(window.end)],
        env=environment,
        cwd=home(),
        stderr=subprocess.DEVNULL,
    )


def kill_when(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    """SIGKILL as soon as the job that is meant is there."""
    until(reached, still=lambda: process.poll() is None)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL


def has_job(company: WireCompany, pattern: str) -> Callable[[], bool]:
    return lambda: any(pattern in str(job) for job in company.jobs())


def counts(company: WireCompany, tables: list[str]) -> dict[str, int]:
    return {table: company.rows(table) for table in tables}


def ended(company: WireCompany, pattern: str) -> None:
    """Wait, as any client would, for a job that a dead process has sent."""
    (job_id,) = {job["jobReference"]["jobId"] for job in company.jobs() if pattern in str(job)}
    with open_warehouse(company.profile, Work("test", "wait")) as warehouse:
        client = warehouse.jobs.access.client  # type: ignore[attr-defined]
        client.get_job(job_id, location=company.settings.location).result()


def test_killed_between_load_and_commit_and_loaded_again(company: WireCompany) -> None:
    company.load("meta_ads")
    before = counts(company, RAW)
    company.bigquery.record.clear()
    # The load's rows wait in scratch; the script that would append them never arrives.
    company.bigquery.faults.add(do="cut", times=None, match={"statement": "begin transaction"})
    kill_when(started(company, "google_ads"), has_job(company, "begin transaction"))
    company.bigquery.faults.clear()
    assert counts(company, RAW) == before
    assert len(company.datasets("load")) == 1, "what the dead load left ends by itself"
    summary = company.load("google_ads")
    after = counts(company, RAW)
    loaded = {load.table_name: load.rows_loaded for load in summary.loads}
    assert after["raw.ad_delivery"] - before["raw.ad_delivery"] == loaded["ad_delivery"]
    assert after["raw.loads"] - before["raw.loads"] == len(summary.loads)


@pytest.mark.soak
def test_killed_while_its_commit_runs_the_load_is_whole(company: WireCompany) -> None:
    company.load("meta_ads")
    before = counts(company, RAW)
    company.bigquery.record.clear()
    company.bigquery.faults.add(do="hold", match={"statement": r"insert into \w+raw\.loads"})
    kill_when(started(company, "google_ads"), has_job(company, "begin transaction"))
    assert counts(company, RAW) == before, "half of a script is nothing"
    # BigQuery knows nothing of the death: the script goes on, and ends.
    company.bigquery.faults.clear()
    ended(company, "begin transaction")
    added = {name: count - before[name] for name, count in counts(company, RAW).items()}
    assert all(added.values()), added
    company.load("google_ads")
    again = {name: count - before[name] for name, count in counts(company, RAW).items()}
    assert again == {name: 2 * count for name, count in added.items()}
    pipeline.build(company.profile)
    delivery = company.tables()["staging.stg_ads__delivery"]
    assert len({row[:4] for row in delivery}) == len(delivery), "the newest of the two counts"


@pytest.mark.soak
def test_a_build_killed_anywhere_changes_nothing(company: WireCompany) -> None:
    company.load("meta_ads")
    company.load("hubspot")
    pipeline.build(company.profile, company.window)
    before = company.tables()
    runs = company.rows("ops.runs")
    pipeline.decide_load(
        company.profile, _load_of(company, "pixel_claims"), "rejected", "wrong account"
    )
    for step in ("_build_identity__links_a1", "_build_marts__funnel_daily_a1", "_commit_2_a1"):
        is_commit = step.startswith("_commit")
        words = r"begin transaction;\ndelete from \w+staging\." if is_commit else _first_line(step)
        company.bigquery.record.clear()
        # The dry run of the same statement passes first.
        skip = 0 if is_commit else 1
        company.bigquery.faults.add(
            do="cut", times=None, skip=skip, match={"path": "/jobs$", "statement": words}
        )
        kill_when(started(company, "build"), has_job(company, step))
        company.bigquery.faults.clear()
        assert company.rows("ops.runs") == runs, step
    assert company.tables() == before
    pipeline.build(company.profile, company.window)
    after = company.tables()
    assert company.rows("ops.runs") == runs + 1
    assert before["staging.stg_ads__claims"]
    assert after["staging.stg_ads__claims"] == []
    assert after["identity.leads"] == before["identity.leads"]


def _first_line(step: str) -> str:
    """Of the query that ``_build_identity__links_a1`` runs."""
    layer, name = step.removeprefix("_build_").removesuffix("_a1").split("__", 1)
    query = load_catalog()[f"{layer}.{name}"].query
    assert query is not None
    return re.escape(query.splitlines()[0])


def _load_of(company: WireCompany, table: str) -> str:
    place = f'"{company.dataset("raw")}"."loads"'
    found = company.bigquery.sql(f"select load_id from {place} where table_name = '{table}'")
    return str(found[0][0])
