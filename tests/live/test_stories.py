"""Every SQL story is told to BigQuery: the same rows as on DuckDB, column by column.

No table is made: the given rows come as parameters, so a story is one query that bills nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.live.findings import FINDINGS
from tests.live.rows import first_differences, sorted_rows
from tests.live.target import Target
from trueline.errors import TruelineError
from trueline.model.cases import (
    Case,
    case_parameters,
    cases_dir,
    give,
    given_rows,
    read_case,
)
from trueline.model.catalog import Table, load_catalog
from trueline.warehouse.base import MAX_ROUNDS, Rows
from trueline.warehouse.bigquery.jobs import Jobs
from trueline.warehouse.bigquery.transaction import read
from trueline.warehouse.duckdb import in_memory
from trueline.warehouse.places import with_places

AT_ONCE = 16
# The fake is DuckDB too: a few stories show that this module itself is right.
EVERY_ON_THE_FAKE = 5


def test_bigquery_makes_the_same_of_every_story(target: Target) -> None:
    paths = sorted(cases_dir().glob("*/*/*.yaml"))
    chosen = paths if target.is_real else paths[::EVERY_ON_THE_FAKE]
    assert len(chosen) > 10
    jobs = target.jobs("stories")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(lambda path: _compare(jobs, path), chosen))
    found = [each for each in told if each is not None]
    FINDINGS.refuse("stories", found, looked_at=f"{len(chosen)} told to both engines")


def test_a_story_that_differs_is_seen(target: Target) -> None:
    """Else the test above could not fail."""
    case = read_case(min(cases_dir().glob("staging/*/*.yaml")))
    parameters = case_parameters(case)
    here = _on_duckdb(case, parameters, given_rows(case, parameters))
    there = _on_bigquery(target.jobs("stories"), case, parameters, {})
    names = [column.name for column in case.table.columns]
    assert first_differences(sorted_rows(here, names), sorted_rows(there, names), names)


def _compare(jobs: Jobs, path: Path) -> tuple[str, str] | None:
    case = read_case(path)
    name = f"{case.table.key}: {path.stem}"
    parameters = case_parameters(case)
    given = given_rows(case, parameters)
    here = _on_duckdb(case, parameters, given)
    try:
        there = _on_bigquery(jobs, case, parameters, given)
    except TruelineError as error:
        return name, str(error)
    names = [column.name for column in case.table.columns]
    told = first_differences(sorted_rows(here, names), sorted_rows(there, names), names)
    return (name, "; ".join(told)) if told else None


def _on_duckdb(
    case: Case, parameters: Mapping[str, Any], given: dict[str, list[dict[str, Any]]]
) -> Rows:
    connection = in_memory()
    give(connection, case, given)
    if case.table.kind == "report":
        return connection.query(case.table.query or "", parameters)
    connection.rebuild(case.table, parameters)
    return connection.query(f"select * from {case.table.key}")


def _on_bigquery(
    jobs: Jobs, case: Case, parameters: Mapping[str, Any], given: dict[str, list[dict[str, Any]]]
) -> Rows:
    table = case.table
    if not table.repeat_until_stable:
        return _asked(jobs, table, parameters, given)
    rows: Rows = []
    for _ in range(MAX_ROUNDS):
        fresh = sorted(_asked(jobs, table, parameters, {**given, table.key: rows}), key=repr)
        if fresh == rows:
            return rows
        rows = fresh
    raise AssertionError(f"{table.key} is not stable")


def _asked(
    jobs: Jobs, table: Table, parameters: Mapping[str, Any], given: Mapping[str, Rows]
) -> Rows:
    """The table's query over given rows: each table that it reads stands before it as a step."""
    catalog, values = load_catalog(), dict(parameters)
    steps = []
    for key in sorted(table.reads):
        name = _step("", key)
        rows = given.get(key)
        if rows:
            values[f"{name}_rows"] = (catalog[key], rows)
            steps.append(f"{name} as (select * from unnest(@{name}_rows))")
        else:
            columns = ", ".join(
                f"cast(null as {column.type}) as {column.name}" for column in catalog[key].columns
            )
            steps.append(f"{name} as (select * from (select {columns}) where false)")
    query = with_places(str(table.query), lambda layer, name: _step(layer, name))
    return read(jobs, f"with {', '.join(steps)}\nselect * from (\n{query}\n)", values)


def _step(layer: str, name: str) -> str:
    return "given_" + (f"{layer}.{name}" if layer else name).replace(".", "__")
