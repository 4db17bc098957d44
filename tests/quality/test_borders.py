"""Good data passes every border; each kind of bad data stops it or is warned of, unquoted."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
import yaml
from _pytest.mark.structures import ParameterSet

from tests.quality.small_warehouse import GOOD_ROWS, MARKER, spoil
from trueline.paths import suites_dir
from trueline.quality.duckdb_dialect import connection_string
from trueline.quality.gates import GateFailed, judge
from trueline.quality.runner import ExpectationResult, run_border
from trueline.quality.suites import load_suites

BAD_DATA = yaml.safe_load(Path(__file__).with_name("bad_data.yaml").read_text(encoding="utf-8"))

BORDER_OF = {suite.name: suite.meta.border for suite in load_suites(suites_dir())}


def cases(severity: str) -> list[ParameterSet]:
    return [
        pytest.param(suite, case["sql"], set(case["broken"]), id=f"{suite}-{name}")
        for suite, group in BAD_DATA[severity].items()
        for name, case in group.items()
    ]


def check(warehouse: Path, suite: str, folder: Path) -> list[ExpectationResult]:
    """Run one table's suite alone, to be quick."""
    layer, table = suite.split(".")
    (folder / "suites" / layer).mkdir(parents=True)
    shutil.copy(suites_dir() / layer / f"{table}.json", folder / "suites" / layer)
    return run_border(
        BORDER_OF[suite],
        connection_string=connection_string(warehouse),
        suites_dir=folder / "suites",
    )


@pytest.mark.parametrize("border", ["raw", "marts", "activation"])
def test_good_data_passes_every_check(border: str, good_warehouse: Path) -> None:
    results = run_border(
        border, connection_string=connection_string(good_warehouse), suites_dir=suites_dir()
    )

    assert [result for result in results if not result.success] == []
    assert judge(border, results) == []
    checked = {result.suite for result in results if result.checked_rows}
    assert checked == {suite.name for suite in load_suites(suites_dir(), border)}


def test_every_suite_meets_bad_data() -> None:
    suites = {suite.name for suite in load_suites(suites_dir())}
    assert suites == set(BAD_DATA["critical"])
    assert suites <= set(GOOD_ROWS)


@pytest.mark.parametrize(("suite", "statement", "broken"), cases("critical"))
def test_bad_data_closes_the_gate(
    suite: str,
    statement: str,
    broken: set[str],
    warehouse: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    spoil(warehouse, statement)

    results = check(warehouse, suite, tmp_path)

    failed = [each for each in results if not each.success and each.severity == "critical"]
    assert {each.expectation for each in failed} == broken
    assert all(each.unexpected_rows and each.checked_rows for each in failed)
    with pytest.raises(GateFailed) as closed:
        judge(BORDER_OF[suite], results)
    message = str(closed.value)
    assert suite in message
    assert all(promise in message for promise in broken)
    assert "What to do:" in message
    for text in (message, repr(results), caplog.text):
        assert MARKER not in text


@pytest.mark.parametrize(("suite", "statement", "broken"), cases("warning"))
def test_odd_data_is_warned_of_and_passes(
    suite: str,
    statement: str,
    broken: set[str],
    warehouse: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spoil(warehouse, statement)

    results = check(warehouse, suite, tmp_path)
    warnings = judge(BORDER_OF[suite], results)

    assert {warning.expectation for warning in warnings} == broken
    assert all(promise in caplog.text for promise in broken)
    assert MARKER not in caplog.text
