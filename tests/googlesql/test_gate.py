"""The gate refuses wrong SQL that slips in, at the right line, and the product passes it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.googlesql.__main__ import main
from tests.googlesql.analyser import Analyser
from tests.googlesql.engine import Engine
from tests.googlesql.gate import Problem, check
from tests.googlesql.open_disagreements import OPEN
from tests.googlesql.type_rules import difference
from trueline.model.catalog import load_catalog
from trueline.model.parameters import PARAMETERS

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
    assert report.checked == {"queries": 1}


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


@pytest.mark.parametrize(
    ("text", "instead", "words"),
    [
        ("partition_by: report_date", "partition_by: campaign_id", "campaign_id must be DATE"),
        ("partition_by: report_date", "partition_by: date_trunc(report_date, month)", ""),
        (
            "partition_by: report_date",
            "partition_by: timestamp_trunc(report_date, day)",
            "report_date must be TIMESTAMP, it is DATE",
        ),
        ("partition_by: report_date", "partition_by: mod(1, 2)", "must be a DATE column"),
        ("[campaign_id]", "[campaign_id, spend_amount]", ""),
    ],
)
def test_partition_and_cluster_keys_are_ones_that_bigquery_takes(
    text: str, instead: str, words: str, tmp_path: Path
) -> None:
    found = problems(write_tables(tmp_path, RIGHT, DAILY_COST.replace(text, instead)))
    assert [bool(words)] == [bool(found)]
    for problem in found:
        assert words in problem.message
        assert problem.line == 3


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

    assert report.checked == {"queries": 1, "row queries of suites": 2}
    (problem,) = report.problems
    assert "a promise: Unrecognized name: cost" in problem.message
    assert "where cost <" in path.read_text().splitlines()[problem.line - 1]


def test_the_product_passes(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main()
    told = capsys.readouterr().out
    assert exit_code == 0, told
    assert "0 problems" in told
    for kind in ("queries", "row queries of suites", "create table", "statements in Python"):
        assert re.search(rf"[1-9]\d* {kind}", told), f"no {kind} were checked"


def test_nothing_is_excused_that_needs_no_excuse() -> None:
    tables = load_catalog()
    columns = {key: [(c.name, c.type) for c in table.columns] for key, table in tables.items()}
    analyser = Analyser(Engine(), columns, PARAMETERS)
    for key, known in OPEN.items():
        query = tables[key].query
        assert query is not None
        told = [difference(call) or "" for call in analyser.analyse(query).calls]
        unneeded = [r for r in known.refusals if not any(each.startswith(r) for each in told)]
        assert unneeded == []


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
