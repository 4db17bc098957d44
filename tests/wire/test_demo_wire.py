"""The demo on the fake BigQuery: every process finds it, and tells the same as on DuckDB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.asked import read_record, what_was_asked
from demo.environment import process_environment
from demo.home import DemoHome, WorldSettings
from demo.ports import Ports
from demo.warehouses import WAREHOUSES, company_profile
from sandbox.bigquery import BigQueryServer
from tests.wire.conftest import LAST_DAY, WireCompany
from trueline import pipeline
from trueline.model.catalog import build_order, load_catalog
from trueline.paths import home as repository
from trueline.settings.profile import load_profile

WORLD = WorldSettings(seed=5, last_day=LAST_DAY, days=4, size=0.1)


@pytest.fixture
def home(tmp_path: Path) -> DemoHome:
    made = DemoHome(tmp_path / "demo", WAREHOUSES["bigquery-wire"])
    made.create(WORLD)
    return made


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_the_callers_own_google_is_left_out(
    home: DemoHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GOOGLE_CLOUD_QUOTA_PROJECT", "CLOUDSDK_CONFIG", "TRUELINE_BIGQUERY_PREFIX"):
        monkeypatch.setenv(name, "production")
    monkeypatch.setenv("https_proxy", "http://production:3128")
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://production")
    environment = process_environment(home, Ports(sandbox=1, airflow=2, warehouse=3))
    assert "production" not in json.dumps(environment)
    assert environment["BIGQUERY_EMULATOR_HOST"] == "http://127.0.0.1:3"
    assert environment["TRUELINE_PROFILE"].endswith("docs/examples/bigquery.yaml")
    account = environment["GOOGLE_APPLICATION_CREDENTIALS"]
    connection = json.loads(environment["AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT"])
    assert Path(account).parent == home.root
    assert connection["extra"] == {"key_path": account, "project": "sandbox-project"}


def test_both_demos_are_about_the_same_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUELINE_BIGQUERY_PROJECT", "sandbox-project")
    theirs = load_profile(WAREHOUSES["bigquery-wire"].profile)
    ours = company_profile()
    assert theirs.time_zone == ours.time_zone
    assert list(theirs.sources) == list(ours.sources)
    assert theirs.sources["hubspot"] == ours.sources["hubspot"]
    assert theirs.rulebook == ours.rulebook
    folders = {warehouse.folder for warehouse in WAREHOUSES.values()}
    ignored = (repository() / ".gitignore").read_text().split()
    assert {f"{folder}/" for folder in folders} <= set(ignored)
    cleaned = (repository() / "Makefile").read_text().partition("\nclean:")[2].split()
    assert folders <= set(cleaned)


def test_the_last_words_count_what_was_asked(company: WireCompany, tmp_path: Path) -> None:
    company.load("meta_ads")
    pipeline.build(company.profile, company.window, run_label="build_funnel/one")
    record = tmp_path / "record.jsonl"
    lines = company.bigquery.record.lines()
    record.write_text("".join(f"{json.dumps(line, default=str)}\n" for line in lines))
    asked = read_record(record)
    sent = {
        job["jobReference"]["jobId"]
        for job in company.jobs()
        if not job["configuration"].get("dryRun")
        and job["configuration"].get("labels", {}).get("task") == "build"
    }
    reads = [read for read in company.reads() if read.get("labels", {}).get("task") == "build"]
    assert asked.jobs["build"] == len(sent) + len(reads)
    assert asked.jobs["ingest"] > 0
    # Each computed table was estimated once.
    assert asked.dry_runs == len(build_order(load_catalog()))
    assert asked.dry_run_bytes > 0
    told = what_was_asked(record)
    assert f"{asked.jobs['build']} build" in told
    assert "a fake of BigQuery's REST API that executes on DuckDB" in told


@pytest.mark.soak
def test_a_task_of_airflow_loads_into_bigquery(
    home: DemoHome, company: WireCompany, bigquery: BigQueryServer
) -> None:
    ports = Ports(sandbox=port_of(company.url), airflow=1, warehouse=port_of(bigquery.url))
    environment = {
        **process_environment(home, ports),
        "TRUELINE_BIGQUERY_PREFIX": company.settings.dataset_prefix,
        # Only the connection has credentials.
        "GOOGLE_APPLICATION_CREDENTIALS": str(home.root / "nowhere.json"),
    }
    key = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_bytes()
    account = home.root / "bigquery-account.json"
    account.write_bytes(key)
    window = {"window_start": str(WORLD.first_day), "window_end": str(WORLD.last_day)}
    for command in (
        ["db", "migrate"],
        ["dags", "test", "ingest_meta_ads", "--conf", json.dumps(window)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *command],
            env=environment,
            cwd=home.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert company.rows("raw.ad_delivery") > 0
    labels = [job["configuration"].get("labels") or {} for job in company.jobs()]
    ours = [each for each in labels if each.get("app") == "trueline"]
    assert {(each["dag"], each["task"]) for each in ours} == {("ingest_meta_ads", "ingest")}
    assert all(each["run"].startswith("manual__") for each in ours)
    assert "iamcredentials" not in done.stdout + done.stderr


@pytest.mark.soak
def test_both_demos_print_the_same_report(tmp_path: Path) -> None:
    told = {}
    for name in WAREHOUSES:
        root = tmp_path / name
        done = subprocess.run(
            [sys.executable, "-m", "demo", "run", "--warehouse", name],
            env={**os.environ, "TRUELINE_DEMO_HOME": str(root)},
            cwd=repository(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        # Up to the moment of the build.
        _, _, report = done.stdout.partition("The report ...\n")
        told[name] = report.partition("\nRulebook ")[0]
    assert "Fleet-Depots-Search" in told["duckdb"]
    assert told["duckdb"] == told["bigquery-wire"]
