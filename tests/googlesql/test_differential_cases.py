"""Every story under tests/sql is told to both engines, which must agree on every column."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.googlesql.differential import (
    catalog_evaluator,
    differences,
    evaluate_table,
    on_duckdb,
    states_an_order,
)
from tests.googlesql.evaluator import Evaluator
from trueline.model import cases
from trueline.model.catalog import load_catalog
from trueline.warehouse.duckdb import in_memory

CASES = sorted(cases.cases_dir().glob("*/*/*.yaml"))


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    return catalog_evaluator()


def _name(path: Path) -> str:
    return f"{path.parent.parent.name}.{path.parent.name}: {path.stem}"


@pytest.mark.parametrize("path", CASES, ids=_name)
def test_both_engines_make_the_same_of_the_story(path: Path, evaluator: Evaluator) -> None:
    case = cases.read_case(path)
    table, parameters = case.table, cases.case_parameters(case)
    given = cases.given_rows(case, parameters)
    assert table.query is not None
    for key in load_catalog():
        evaluator.set_rows(key, given.get(key, ()))

    connection = in_memory()
    cases.give(connection, case, given)
    by_googlesql = evaluate_table(evaluator, table, parameters)
    if table.kind == "report":
        by_duckdb = on_duckdb(connection.raw, table.query, parameters)
    else:
        connection.rebuild(table, parameters)
        by_duckdb = on_duckdb(connection.raw, f"select * from {table.key}")

    ordered = table.kind == "report" and states_an_order(table.query)
    assert differences(by_googlesql, by_duckdb, ordered=ordered) == []
    assert cases.differences(case, by_googlesql.as_dicts()) == []
