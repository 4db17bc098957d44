"""A check that cannot run is told apart from bad data; what is checked, and with which rights."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy  # noqa: TID253 - a test, not a DAG

from tests.quality.small_warehouse import MARKER, build, spoil
from trueline.errors import ConfigurationError, RetriableError
from trueline.model.catalog import LAYERS
from trueline.paths import suites_dir
from trueline.quality import duckdb_dialect
from trueline.quality.duckdb_dialect import connection_string
from trueline.quality.gates import GateFailed, judge
from trueline.quality.runner import ExpectationResult, run_border
from trueline.quality.suites import load_suites

BORDERS = ("raw", "marts", "activation")


def unkept(results: list[ExpectationResult]) -> list[str]:
    return [
        result.expectation
        for result in results
        if not result.success and result.severity == "critical"
    ]


def suite_with(folder: Path, suite: str, *expectations: dict[str, Any], **meta: Any) -> Path:
    """A folder with one suite of the test's own."""
    layer, table = suite.split(".")
    (folder / layer).mkdir(parents=True)
    content = {
        "name": suite,
        "meta": {"border": layer, **meta},
        "expectations": [
            {
                "severity": "critical",
                "meta": {"check": "a promise", "why": "Something breaks downstream."},
                **expectation,
            }
            for expectation in expectations
        ],
    }
    (folder / layer / f"{table}.json").write_text(json.dumps(content))
    return folder


def rows(query: str) -> dict[str, Any]:
    return {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": query}}


NO_COLUMN = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "no_such"}}
QUOTES_A_ROW = rows("select 1 as unexpected from {batch} where cast(email_key as int64) > 1")


@pytest.mark.parametrize(
    ("expectation", "words"),
    [
        pytest.param(NO_COLUMN, 'The column "no_such"', id="unknown_column"),
        pytest.param(
            rows("select 1 as unexpected from {batch} where no_such = 1"),
            'Referenced column "no_such" not found',
            id="unknown_column_in_a_query",
        ),
        pytest.param(
            rows("select 1 as unexpected from {batch} where exists (select 1 from {marts}.gone)"),
            "Table with name gone does not exist",
            id="unknown_table_in_a_query",
        ),
        pytest.param(QUOTES_A_ROW, "ConversionException (its message is withheld", id="bad_cast"),
    ],
)
def test_a_broken_check_is_not_taken_for_bad_data(
    expectation: dict[str, Any],
    words: str,
    good_warehouse: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    healthy = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}}
    suites = suite_with(tmp_path, "raw.tag_events", expectation, healthy)

    broken, kept = run_border(
        "raw", connection_string=connection_string(good_warehouse), suites_dir=suites
    )

    assert kept.success
    assert not broken.success
    assert (broken.checked_rows, broken.unexpected_rows) == (None, None)
    with pytest.raises(GateFailed, match="1 check could not run") as closed:
        judge("raw", [broken, kept])
    assert words in str(closed.value)
    assert "The data was not judged" in str(closed.value)
    assert (closed.value.failed, closed.value.broken) == ((), (broken,))
    for text in (str(closed.value), repr(broken), caplog.text):
        assert MARKER not in text


def test_a_broken_warning_is_told_and_does_not_stop(
    good_warehouse: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    suites = suite_with(tmp_path, "raw.tag_events", {**NO_COLUMN, "severity": "warning"})

    results = run_border(
        "raw", connection_string=connection_string(good_warehouse), suites_dir=suites
    )

    assert judge("raw", results) == results
    assert "the check itself is broken" in caplog.text


def test_a_table_that_no_source_fills_may_be_missing_but_no_other(
    warehouse: Path, tmp_path: Path
) -> None:
    spoil(warehouse, "drop table raw.touches; drop table raw.loads")
    fine = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 0}}
    optional = suite_with(tmp_path / "a", "raw.touches", fine, optional=True)
    required = suite_with(tmp_path / "b", "raw.loads", fine)

    def run(folder: Path) -> list[ExpectationResult]:
        return run_border(
            "raw",
            connection_string=connection_string(warehouse),
            suites_dir=folder,
            table_exists=lambda layer, table: table not in ("touches", "loads"),
        )

    assert run(optional) == []
    with pytest.raises(GateFailed, match="could not run"):
        judge("raw", run(required))


def test_a_bad_load_of_the_past_does_not_stop_todays_run(warehouse: Path) -> None:
    today = datetime(2026, 11, 21, 6, tzinfo=UTC)
    spoil(
        warehouse,
        "update raw.ad_delivery set campaign_id = null;"
        "insert into raw.loads select * replace ('today' as load_id, "
        "timestamptz '2026-11-21 06:00:00+00' as loaded_at) from raw.loads limit 1;"
        "insert into raw.ad_delivery select * replace ('today' as load_id, 'c' as campaign_id) "
        "from raw.ad_delivery limit 1",
    )

    def broken(since: datetime | None) -> list[str]:
        results = run_border(
            "raw",
            connection_string=connection_string(warehouse),
            suites_dir=suites_dir(),
            loaded_since=since,
        )
        rows_checked = {r.checked_rows for r in results if r.table == "ad_delivery"}
        assert rows_checked == ({3} if since is None else {1})
        return unkept(results)

    assert broken(None) == ["campaign_id is filled"]
    assert broken(today) == []


def test_a_load_that_was_taken_back_is_not_judged(warehouse: Path) -> None:
    spoil(
        warehouse,
        "update raw.ad_delivery set campaign_id = null;"
        "insert into raw.loads select * replace ('rejected' as status, 99 as rows_received) "
        f"from raw.loads where load_id = '{MARKER}-load'",
    )
    results = run_border(
        "raw", connection_string=connection_string(warehouse), suites_dir=suites_dir()
    )
    assert unkept(results) == []
    assert {each.checked_rows for each in results if each.table == "ad_delivery"} == {0}


def test_rows_of_a_load_that_was_never_recorded_are_not_judged(warehouse: Path) -> None:
    spoil(
        warehouse,
        "insert into raw.tag_events select * replace ('killed half way' as load_id, "
        "cast(null as varchar) as event_id) from raw.tag_events",
    )
    results = run_border(
        "raw", connection_string=connection_string(warehouse), suites_dir=suites_dir()
    )
    assert unkept(results) == []


def test_layers_may_live_in_datasets_of_another_name(tmp_path: Path) -> None:
    datasets = {layer: f"prefix_{layer}" for layer in LAYERS}
    path = build(tmp_path / "warehouse.duckdb", datasets)
    for border in BORDERS:
        results = run_border(
            border,
            connection_string=connection_string(path),
            suites_dir=suites_dir(),
            datasets=datasets,
        )
        assert [result for result in results if not result.success] == []


def test_the_file_can_be_written_again_after_a_gate(warehouse: Path) -> None:
    run_border("raw", connection_string=connection_string(warehouse), suites_dir=suites_dir())
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create table raw.written_after (id bigint)")


def test_the_log_holds_our_own_lines_only(warehouse: Path) -> None:
    """In a process of its own: Great Expectations talks most while it is imported."""
    spoil(warehouse, "update raw.loads set status = 'odd'; drop table raw.touches")
    code = f"""
import logging
from pathlib import Path
logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s")
from trueline.quality.gates import GateFailed, judge
from trueline.quality.runner import run_border
address, suites = {connection_string(warehouse)!r}, Path({str(suites_dir())!r})
try:
    judge("raw", run_border("raw", connection_string=address, suites_dir=suites))
except GateFailed as closed:
    logging.getLogger("caller").error(str(len(closed.failed)))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert run.stdout == ""
    told = set(run.stderr.splitlines())
    assert told == {"trueline.quality.gates WARNING", "caller ERROR"}


def test_a_warehouse_that_cannot_be_opened_is_no_verdict(tmp_path: Path) -> None:
    address = connection_string(tmp_path / "missing.duckdb")
    with pytest.raises(RetriableError, match="database does not exist"):
        run_border("activation", connection_string=address, suites_dir=suites_dir())


def test_the_checks_cannot_write(warehouse: Path) -> None:
    duckdb_dialect.register()
    engine = sqlalchemy.create_engine(connection_string(warehouse))
    with (
        engine.connect() as connection,
        pytest.raises(sqlalchemy.exc.DBAPIError, match="read-only"),
    ):
        connection.execute(sqlalchemy.text("delete from raw.loads"))
    engine.dispose()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{", "not JSON", id="not_json"),
        pytest.param('{"name": "raw.loads", "meta": {"border": "raw"}}', "expectations", id="half"),
        pytest.param(
            '{"name": "raw.loads", "meta": {"border": "mart"}, "expectations": []}',
            "meta → border",
            id="unknown_border",
        ),
    ],
)
def test_a_suite_that_cannot_be_read_names_its_file(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "loads.json").write_text(text)
    with pytest.raises(ConfigurationError, match=words) as refused:
        load_suites(tmp_path)
    assert "loads.json" in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expect_miracles", "knows no expect_miracles"),
        ("expect_column_values_to_be_unique", "ExpectColumnValuesToBeUnique column field required"),
    ],
)
def test_an_expectation_that_cannot_be_built_is_not_left_out_silently(
    kind: str, words: str, good_warehouse: Path, tmp_path: Path
) -> None:
    suites = suite_with(tmp_path, "raw.loads", {"type": kind, "kwargs": {}})
    with pytest.raises(ConfigurationError, match=words) as refused:
        run_border("raw", connection_string=connection_string(good_warehouse), suites_dir=suites)
    assert "loads.json" in str(refused.value)


def test_a_gate_that_checks_nothing_is_no_gate(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no suite for the marts border"):
        load_suites(tmp_path, "marts")


def test_row_queries_hand_out_counts_and_constants_only() -> None:
    for suite in load_suites(suites_dir()):
        for expectation in suite.expectations:
            if expectation.query is not None:
                selected = expectation.query.split(" from ")[0]
                assert selected in ("select 1 as unexpected", "select count(*) as unexpected")
                assert "{batch}" in expectation.query
