"""The gate refuses wrong SQL that slips in, at the right line, and the product passes it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import pytest

from tests.googlesql.__main__ import main
from tests.googlesql.checks import Problem, Report, shape_of
from tests.googlesql.gate import check, check_scripts
from trueline.errors import ConfigurationError
from trueline.model import catalog
from trueline.warehouse import statements
from trueline.warehouse.ddl import create_table_sql

SPENDING = """purpose: What was spent, as each pull told it.
grain: [load_id, campaign_id]
columns:
  load_id: {type: STRING, required: true, description: "The load."}
  campaign_id: {type: STRING, required: true, description: "The campaign."}
  platform_date: {type: DATE, required: true, description: "The day."}
  cost_micros: {type: INT64, description: "Cost."}
  loaded_at: {type: TIMESTAMP, required: true, description: "When loaded."}
"""
LOADS = """purpose: The loads on record.
grain: [load_id, status]
columns:
  load_id: {type: STRING, required: true, description: "The load."}
  status: {type: STRING, required: true, description: "loaded, skipped or rejected."}
  loaded_at: {type: TIMESTAMP, required: true, description: "When loaded."}
"""
DAILY_COST = """purpose: Cost per campaign and day.
grain: [campaign_id, report_date]
partition_by: report_date
cluster_by: [campaign_id]
columns:
  report_date: {type: DATE, required: true, description: "The day."}
  campaign_id: {type: STRING, required: true, description: "The campaign."}
  spend_amount: {type: NUMERIC, description: "Cost."}
"""
RIGHT = """select
    platform_date as report_date,
    campaign_id,
    sum(cast(cost_micros as numeric)) * numeric '0.000001' as spend_amount
from raw.spending
where loaded_at <= @as_of
group by report_date, campaign_id
"""
# What slips in instead of which text, the line it stands on then, and Google's words for it.
WRONG = {
    "wrong_column": ("sum(cast(cost_micros", "sum(cast(cost_micro", 4, "Unrecognized name"),
    "wrong_parameter": ("@as_of", "@as_at", 6, "Query parameter 'as_at' not found"),
    "date_against_timestamp": ("loaded_at <=", "platform_date <=", 6, "No matching signature"),
    "type_of_parameter": ("loaded_at <= @as_of", "campaign_id = @min_coverage", 6, "No matching"),
    "cast_of_another_dialect": (
        "cast(cost_micros as numeric)",
        "cost_micros::numeric",
        4,
        "Syntax error",
    ),
    "ilike": ("loaded_at <= @as_of", "campaign_id ilike 'a%'", 6, "Syntax error"),
    "whole_number_beside_text": (
        "group by report_date, campaign_id",
        "group by report_date, campaign_id\nunion all\nselect platform_date, 1, numeric '2'\n"
        "from raw.spending",
        9,
        "incompatible types",
    ),
    "order_of_columns": (
        "platform_date as report_date,\n    campaign_id,",
        "campaign_id,\n    platform_date as report_date,",
        7,
        "column 1 is campaign_id STRING, but table.yaml says report_date DATE",
    ),
    "type_of_column": (
        "sum(cast(cost_micros as numeric)) * numeric '0.000001'",
        "sum(cost_micros)",
        7,
        "column 3 is spend_amount INT64, but table.yaml says spend_amount NUMERIC",
    ),
    "column_too_many": (
        "from raw.spending",
        ", 1 as more\nfrom raw.spending",
        8,
        "4 columns, but table.yaml has 3: more",
    ),
    "division_of_numeric": (
        "* numeric '0.000001'",
        "/ numeric '1000000'",
        4,
        "divide of NUMERIC goes through DOUBLE on DuckDB",
    ),
    "average_of_numeric": ("sum(cast", "avg(cast", 4, "avg of NUMERIC goes through DOUBLE"),
    "json_of_a_timestamp": (
        "loaded_at <= @as_of",
        "to_json_string(loaded_at) <> ''",
        6,
        "to_json_string of TIMESTAMP is written differently",
    ),
    "text_read_as_a_number": (
        "loaded_at <= @as_of",
        "safe_cast(campaign_id as int64) > 1",
        6,
        "the engines read INT64 from odd texts",
    ),
    "number_written_as_text": (
        "loaded_at <= @as_of",
        "cast(cast(cost_micros as numeric) as string) > ''",
        6,
        "NUMERIC is written as text differently",
    ),
    "rounded_float": (
        "loaded_at <= @as_of",
        "round(safe_divide(cost_micros, 7), 2) > 1",
        6,
        "round of FLOAT64 differs at halves",
    ),
    "date_trunc_of_a_timestamp": (
        "platform_date as report_date",
        "cast(date_trunc(loaded_at, day) as date) as report_date",
        2,
        "use timestamp_trunc",
    ),
}


def write_tables(folder: Path, query: str, table: str = DAILY_COST) -> Path:
    for key, text in (("raw/spending", SPENDING), ("marts/daily_cost", table)):
        (folder / key).mkdir(parents=True)
        (folder / key / "table.yaml").write_text(text)
    (folder / "marts/daily_cost/query.sql").write_text(query)
    return folder


def problems(folder: Path) -> list[Problem]:
    return check(folder, generated=False).problems


def test_right_sql_passes(tmp_path: Path) -> None:
    report = check(write_tables(tmp_path, RIGHT), generated=False)
    assert report.problems == []
    assert report.checked == {"queries": 1, "create table": 2}


@pytest.mark.parametrize(("text", "instead", "line", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_sql_is_refused_at_its_line(
    text: str, instead: str, line: int, words: str, tmp_path: Path
) -> None:
    assert RIGHT.count(text) == 1
    found = problems(write_tables(tmp_path, RIGHT.replace(text, instead)))
    assert len(found) == 1
    assert words in found[0].message
    assert found[0].path.endswith("marts/daily_cost/query.sql")
    assert found[0].line == line


# What table.yaml says instead of which text, the line it stands on, and why it is refused.
WRONG_TABLES = {
    "partition_by_text": (
        "partition_by: report_date",
        "partition_by: campaign_id",
        3,
        "this cannot partition a table",
    ),
    "partition_by_a_day_of_a_date": (
        "partition_by: report_date",
        "partition_by: timestamp_trunc(report_date, day)",
        3,
        "this cannot partition a table",
    ),
    "partition_by_a_week": (
        "partition_by: report_date",
        "partition_by: date_trunc(report_date, week)",
        3,
        "this cannot partition a table",
    ),
    "partition_without_a_value": (
        "report_date: {type: DATE, required: true,",
        "report_date: {type: DATE,",
        3,
        "the partition column report_date must be not null",
    ),
    "cluster_by_a_fraction": (
        "spend_amount: {type: NUMERIC,",
        "spend_amount: {type: FLOAT64,",
        4,
        "may not be a floating point type",
    ),
    "reserved_name": (
        "  spend_amount: {type: NUMERIC,",
        '  _partition: {type: DATE, description: "A day."}\n  spend_amount: {type: NUMERIC,',
        8,
        "keeps column names that start with _PARTITION",
    ),
    "long_description": ('"Cost."', '"' + "long " * 205 + '"', 8, "1025 characters"),
}


@pytest.mark.parametrize(
    ("text", "instead", "line", "words"), WRONG_TABLES.values(), ids=WRONG_TABLES.keys()
)
def test_a_table_that_bigquery_would_not_create_is_refused_where_it_is_described(
    text: str, instead: str, line: int, words: str, tmp_path: Path
) -> None:
    clustered = DAILY_COST.replace("[campaign_id]", "[spend_amount]")
    table = clustered.replace("grain: [spend_amount]", "grain: [campaign_id]")
    assert table.count(text) == 1
    found = problems(write_tables(tmp_path, RIGHT, table.replace(text, instead)))
    about_the_table = [each for each in found if each.path.endswith("table.yaml")]
    assert [each.line for each in about_the_table] == [line], found
    assert words in about_the_table[0].message


def test_one_column_name_in_two_spellings_is_refused(tmp_path: Path) -> None:
    table = DAILY_COST + '  Report_Date: {type: DATE, description: "Again."}\n'
    with pytest.raises(ConfigurationError, match="report_date and Report_Date have the same name"):
        check(write_tables(tmp_path, RIGHT, table), generated=False)


@pytest.mark.parametrize("by", ["date_trunc(report_date, month)", "report_date"])
def test_tables_that_bigquery_creates_pass(by: str, tmp_path: Path) -> None:
    table = DAILY_COST.replace("partition_by: report_date", f"partition_by: {by}")
    assert problems(write_tables(tmp_path, RIGHT, table)) == []


def test_a_partitioned_table_that_may_be_read_as_a_whole_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(table: catalog.Table, dialect: Literal["bigquery", "duckdb"]) -> str:
        return create_table_sql(table, dialect).replace(", require_partition_filter = true", "")

    monkeypatch.setattr("tests.googlesql.gate.create_table_sql", careless)
    (problem,) = problems(write_tables(tmp_path, RIGHT))
    assert "require_partition_filter = true" in problem.message
    assert problem.line == 3


def test_a_partitioned_table_read_as_a_whole_is_refused(tmp_path: Path) -> None:
    folder = write_tables(tmp_path, RIGHT)
    spending = folder / "raw/spending/table.yaml"
    spending.write_text(SPENDING.replace("columns:", "partition_by: platform_date\ncolumns:"))
    (problem,) = problems(folder)
    assert (problem.line, problem.column) == (5, 6)
    assert "raw.spending is partitioned by platform_date" in problem.message
    assert "platform_date >= @history_start" in problem.message

    (folder / "marts/daily_cost/query.sql").write_text(
        RIGHT.replace("where", "where platform_date >= @history_start and")
    )
    catalog._load.cache_clear()
    report = check(folder, generated=False)
    assert (report.problems, report.reads) == ([], 1)


def test_row_queries_of_suites_are_checked_on_their_own_line(tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "sql", RIGHT)
    (folder / "raw/loads").mkdir()
    (folder / "raw/loads/table.yaml").write_text(LOADS)
    good = "select 1 as unexpected from {batch} where cost_micros < 0"
    suite = {
        "name": "raw.spending",
        "meta": {"border": "raw"},
        "expectations": [
            {
                "type": "unexpected_rows_expectation",
                "kwargs": {"unexpected_rows_query": query},
                "severity": "critical",
                "meta": {"check": "a promise", "why": "Something breaks downstream."},
            }
            for query in (good, good.replace("cost_micros", "cost"))
        ],
    }
    path = tmp_path / "suites" / "raw" / "spending.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(suite, indent=2))

    report = check(folder, tmp_path / "suites", generated=False)

    assert report.checked == {
        "create table": 3,
        "queries": 1,
        "rows of suites": 1,
        "row queries of suites": 2,
    }
    (problem,) = report.problems
    assert "a promise: Unrecognized name: cost" in problem.message
    assert "where cost <" in path.read_text().splitlines()[problem.line - 1]


def test_a_promise_that_the_partition_filter_makes_empty_is_refused(tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "sql", RIGHT)
    suite = {
        "name": "marts.daily_cost",
        "meta": {"border": "marts"},
        "expectations": [
            {
                "type": "expect_column_values_to_not_be_null",
                "kwargs": {"column": column},
                "severity": "critical",
                "meta": {"check": f"{column} is filled", "why": "Something breaks downstream."},
            }
            for column in ("campaign_id", "report_date")
        ],
    }
    path = tmp_path / "suites" / "marts" / "daily_cost.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(suite, indent=2))

    (problem,) = check(folder, tmp_path / "suites", generated=False).problems

    assert "report_date is filled: the filter on the partition column" in problem.message
    assert "report_date is filled" in path.read_text().splitlines()[problem.line - 1]


def test_scripts_of_the_product_are_checked_with_the_copies_they_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = catalog.load_catalog(write_tables(tmp_path, RIGHT))
    daily_cost = tables["marts.daily_cost"]
    script = """begin transaction;
    delete from marts.daily_cost where {days};
    insert into marts.daily_cost (report_date, campaign_id, spend_amount)
    select report_date, campaign_id, spend_amount from scratch.marts__daily_cost;
    commit transaction;"""
    scripts = {
        "right": script.format(days=daily_cost.from_day("@history_start")),
        "wrong": script.format(days="true"),
    }
    monkeypatch.setattr(statements, "all_scripts", lambda: scripts)
    report = Report()

    check_scripts({key: shape_of(table) for key, table in tables.items()}, report)

    assert report.checked == {"scripts": 2, "statements in scripts": 8}
    (problem,) = report.problems
    assert (problem.path, problem.line) == ("script wrong", 2)
    assert "marts.daily_cost is partitioned by report_date" in problem.message


def test_the_product_passes(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main()
    told = capsys.readouterr().out
    assert exit_code == 0, told
    assert "0 problems" in told
    for kind in ("queries", "row queries of suites", "create table", "statements in Python"):
        assert re.search(rf"[1-9]\d* {kind}", told), f"no {kind} were checked"


def test_checking_nothing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.googlesql.__main__.sql_dir", lambda: tmp_path)
    assert main() == 1
    assert "There are no tables" in capsys.readouterr().out


def test_a_problem_is_printed_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = RIGHT.replace("sum(cast(cost_micros", "sum(cast(cost_micro")
    report = check(write_tables(tmp_path, wrong), generated=False)
    monkeypatch.setattr("tests.googlesql.__main__.check", lambda *_: report)
    assert main() == 1
    assert re.search(r"query\.sql:4:14: Unrecognized name: cost_micro;", capsys.readouterr().out)
