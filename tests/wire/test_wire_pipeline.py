"""The whole pipeline over the wire: the same tables as on DuckDB, every job exactly as meant."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sandbox.bigquery import BigQueryServer
from tests.end_to_end.conftest import Company, profile_in
from tests.googlesql.captured import check_captured
from tests.wire.conftest import DAG_RUN, PROVENANCE, WireCompany, comparable, ingest_all
from trueline import pipeline
from trueline.model.catalog import build_order, load_catalog
from trueline.report.headline import headline
from trueline.warehouse import Work, open_reader, open_warehouse


def on_duckdb(company: WireCompany, folder: Path) -> Company:
    """The same company, ingested, built and published on DuckDB."""
    twin = Company(company.world, company.url, profile_in(folder))
    twin.run(twin.window)
    return twin


def duckdb_tables(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table in build_order(load_catalog()):
            if "load_id" in table.grain:
                continue
            names = ", ".join(c.name for c in table.columns if c.name not in PROVENANCE)
            rows = connection.execute(f"select {names} from {table.key}").fetchall()
            found[table.key] = comparable(rows)
    return found


@pytest.fixture
def built(company: WireCompany) -> WireCompany:
    ingest_all(company)
    pipeline.check(company.profile, "raw", run_label=DAG_RUN)
    pipeline.build(company.profile, company.window, run_label=DAG_RUN)
    pipeline.check(company.profile, "marts", run_label=DAG_RUN)
    pipeline.publish(company.profile, run_label=DAG_RUN)
    pipeline.check(company.profile, "activation", run_label=DAG_RUN)
    return company


def test_the_same_tables_and_the_same_report_as_on_duckdb(
    built: WireCompany, tmp_path: Path
) -> None:
    twin = on_duckdb(built, tmp_path / "data")
    expected, found = duckdb_tables(tmp_path / "data"), built.tables()
    assert expected.keys() == found.keys()
    assert sum(map(len, expected.values())) > 500
    for key, rows in expected.items():
        assert repr(rows) == repr(found[key]), key
    with open_reader(twin.profile) as ours, open_reader(built.profile) as theirs:
        for by in ("channel", "campaign", "day"):
            assert headline(ours, by).rows == headline(theirs, by).rows  # type: ignore[arg-type]
    assert pipeline.plan_upload(twin.profile).rows == pipeline.plan_upload(built.profile).rows
    every_job_says_what_it_is(built)
    nothing_is_left_over(built)
    every_statement_is_googlesql(built, tmp_path / "record.jsonl")


def every_job_says_what_it_is(company: WireCompany) -> None:
    jobs = company.jobs()
    queries = [job["configuration"] for job in jobs if "query" in job["configuration"]]
    # Reads that nobody has to find again go the short way, without a job of their own.
    reads = [{**read, "query": read} for read in company.reads()]
    assert len(queries) > 50
    assert len(reads) > 10
    queries += reads
    for configuration in queries:
        query = configuration["query"]
        assert query["useLegacySql"] is False
        if "app" not in configuration.get("labels", {}):
            # dlt's own bookkeeping: it reads and writes the load's scratch dataset only.
            text = query["query"].removeprefix("DECLARE table_exists BOOL;")
            assert not text or f"{company.settings.dataset_prefix}load_" in text, text
            continue
        if configuration.get("dryRun"):
            assert configuration["labels"]["app"] == "trueline"
            continue
        assert query["maximumBytesBilled"] == str(company.settings.maximum_bytes_billed)
        assert configuration["labels"]["app"] == "trueline"
        assert configuration["labels"]["task"]
        assert configuration["labels"]["run"]
    ids = [job["jobReference"]["jobId"] for job in jobs if not job["configuration"].get("dryRun")]
    assert len(set(ids)) == len(ids)
    named = [job_id for job_id in ids if job_id.startswith("trueline_")]
    assert all(re.fullmatch(r"trueline_[\w-]+_a1", job_id) for job_id in named)
    assert all(job["jobReference"]["location"] == "EU" for job in jobs)


def nothing_is_left_over(company: WireCompany) -> None:
    assert company.datasets("load") == []
    assert company.datasets("build") == []


def every_statement_is_googlesql(company: WireCompany, path: Path) -> None:
    """What Great Expectations and dlt wrote themselves, with partition filters: ours is gated."""
    ours = ("trueline_", "script_job_")
    lines = [
        line
        for line in company.bigquery.record.lines()
        if line["kind"] == "catalog"
        or (line["kind"] == "statement" and not line["job_id"].startswith(ours))
    ]
    path.write_text("\n".join(json.dumps(line, default=str) for line in lines))
    report = check_captured(path)
    assert report.problems == []
    assert report.checked["jobs"] > 100
    told = [line["sql"] for line in lines if line["kind"] == "statement"]
    assert any("_dlt_" in sql for sql in told)
    assert any("unexpected" in sql.lower() for sql in told)


def job_of(company: WireCompany, ending: str) -> dict[str, Any]:
    (found,) = [
        job for job in company.jobs() if re.search(ending, job["jobReference"].get("jobId", ""))
    ]
    return found


@pytest.mark.soak
def test_the_jobs_of_a_build_to_the_letter(company: WireCompany) -> None:
    company.load("meta_ads")
    summary = pipeline.build(company.profile, company.window, run_label=DAG_RUN)
    prefix, run = company.settings.dataset_prefix, summary.run_id
    scratch = f"{prefix}build_{run.lower().replace('-', '_')}"

    computing = job_of(company, r"build_marts__funnel_daily_a1$")
    text = computing["configuration"]["query"].pop("query")
    parameters = computing["configuration"]["query"].pop("queryParameters")
    statement = computing["configuration"]["labels"].pop("statement")
    assert computing == {
        "jobReference": {
            "projectId": company.bigquery.project,
            "location": "EU",
            "jobId": f"trueline_{run}_build_marts__funnel_daily_a1",
        },
        "configuration": {
            "labels": {
                "app": "trueline",
                "dag": "build_funnel",
                "run": "manual__2026-11-21t06-00-00-00-00",
                "task": "build",
                "rules_version": summary.rules_version,
            },
            "query": {
                "useLegacySql": False,
                "maximumBytesBilled": str(company.settings.maximum_bytes_billed),
                "parameterMode": "NAMED",
                "destinationTable": {
                    "projectId": company.bigquery.project,
                    "datasetId": scratch,
                    "tableId": "marts__funnel_daily",
                },
                "writeDisposition": "WRITE_TRUNCATE",
                "createDisposition": "CREATE_IF_NEEDED",
            },
        },
    }
    assert re.fullmatch(r"[0-9a-f]{32}", statement)
    # It reads what this build has just computed, not what readers see.
    assert f"from {scratch}.marts__pixel_to_real_gap" in text
    assert f"{prefix}marts.pixel_to_real_gap" not in text
    by_name = {each["name"]: each for each in parameters}
    assert by_name["history_start"] == {
        "name": "history_start",
        "parameterType": {"type": "DATE"},
        "parameterValue": {"value": "0001-01-01"},
    }
    assert by_name["as_of"]["parameterType"] == {"type": "TIMESTAMP"}
    used = set(re.findall(r"@(\w+)", text))
    assert set(by_name) == used

    swapping = job_of(company, rf"{run}_commit_2_a1$")["configuration"]
    script = swapping["query"]["query"]
    assert script.startswith("begin transaction;\n")
    assert script.endswith("commit transaction;\n")
    for table in build_order(load_catalog()):
        live = f"{prefix}{table.layer}.{table.name}"
        waiting = re.escape(f"{scratch}.{table.layer}__{table.name}")
        assert f"delete from {live} where " in script
        assert re.search(rf"insert into {live} \([\w, ]+\) select [\w, ]+ from {waiting}", script)
    assert "destinationTable" not in swapping["query"]
    rows = next(
        each
        for each in swapping["query"]["queryParameters"]
        if each["name"].startswith("runs_rows")
    )
    assert rows["parameterType"]["type"] == "ARRAY"
    assert rows["parameterType"]["arrayType"]["type"] == "STRUCT"
    (row,) = rows["parameterValue"]["arrayValues"]
    assert row["structValues"]["run_id"] == {"value": run}
    assert row["structValues"]["run_label"] == {"value": DAG_RUN}


def test_the_jobs_of_a_load_to_the_letter(company: WireCompany) -> None:
    summary = company.load("google_ads")
    prefix = company.settings.dataset_prefix
    loads = [job["configuration"] for job in company.jobs() if "load" in job["configuration"]]
    destinations = {job["load"]["destinationTable"]["datasetId"] for job in loads}
    # dlt loads beside raw; only the script that also writes the loads' lines touches raw.
    assert all(name.startswith(f"{prefix}load_") for name in destinations)
    assert len(destinations) == 1
    assert all(job["load"]["sourceFormat"] == "PARQUET" for job in loads if "ad_" in str(job))
    (scratch,) = destinations
    commits = [
        job["configuration"]["query"]["query"]
        for job in company.jobs()
        if "query" in job["configuration"]
        and "begin transaction" in job["configuration"]["query"]["query"]
    ]
    assert len(commits) == 1
    for name in ("ad_delivery", "pixel_claims"):
        assert re.search(
            rf"insert into {prefix}raw\.{name} \(.*\) select .*@loaded_at.* from "
            rf"{scratch}\.{name} where load_id not in \(select given_up from .*\);",
            commits[0],
        )
    assert re.search(rf"insert into {prefix}raw\.loads \(.*\) select .* from unnest\(@", commits[0])
    assert company.rows("raw.ad_delivery") == next(
        load.rows_loaded for load in summary.loads if load.table_name == "ad_delivery"
    )


@pytest.mark.soak
def test_people_see_views_and_our_reports_one_publication(
    company: WireCompany, bigquery: BigQueryServer
) -> None:
    company.load("meta_ads")
    first = pipeline.build(company.profile, company.window)
    with pytest.raises(Exception, match="Nothing has been published"), open_reader(company.profile):
        pass
    pipeline.publish(company.profile)
    with open_reader(company.profile) as reader:
        company.load("google_ads")
        pipeline.build(company.profile, company.window)
        view = f'"{company.dataset("published_marts")}"."funnel_daily"'
        seen = bigquery.sql(f"select distinct platform from {view} where spend_amount > 0")
        assert seen == [("meta_ads",)], "a build alone changes nothing that people see"
        pipeline.publish(company.profile)
        query = (
            "select distinct platform from marts.funnel_daily "
            "where report_date >= @first_date and spend_amount > 0"
        )
        days = {"first_date": company.window.start}
        assert [row["platform"] for row in reader.query(query, days)] == ["meta_ads"]
    seen = bigquery.sql(f"select distinct platform from {view} where spend_amount > 0 order by 1")
    assert seen == [("google_ads",), ("meta_ads",)]
    with open_reader(company.profile) as reader:
        assert len(reader.query(query, days)) == 2
    for number in range(2):
        tables = [load_catalog()["marts.funnel_daily"]]
        with open_warehouse(company.profile, Work("test", f"publish-{number}")) as warehouse:
            warehouse.publish(tables, f"29991231T00000{number}-later")
    kept = {
        name.rpartition("__")[2]
        for dataset, name in bigquery.store.tables
        if dataset == company.dataset("snapshots")
    }
    assert len(kept) == 3
    assert first.run_id.replace("-", "_") not in kept
