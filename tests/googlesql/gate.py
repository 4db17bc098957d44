"""Every SQL statement of the product against the analyser, and the promises it cannot know.

Beyond "it analyses": a query's output fits its table column by column, partition and cluster keys
are ones that BigQuery takes, and nothing is computed in a type for which the two engines differ.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import sqlglot
from sqlglot import exp

import trueline
from tests.googlesql.analyser import Analyser, Analysis, InvalidSqlError
from tests.googlesql.engine import Engine
from tests.googlesql.inline import inline_statements
from tests.googlesql.open_disagreements import OPEN
from tests.googlesql.type_rules import difference
from trueline.model.catalog import Table, load_catalog
from trueline.model.parameters import PARAMETERS
from trueline.quality.runner import batch_query
from trueline.quality.suites import Suite, load_suites
from trueline.warehouse.ddl import create_table_sql
from trueline.warehouse.statements import all_statements

MAX_CLUSTER_COLUMNS = 4
_SOME_MOMENT = datetime(2026, 11, 20, 6, tzinfo=UTC)
_CLUSTER_TYPES = {"STRING", "INT64", "NUMERIC", "BOOL", "DATE", "TIMESTAMP"}
_TRUNCATED_TYPES = {"timestamp_trunc": "TIMESTAMP", "date_trunc": "DATE"}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One refusal, at a place an editor can jump to."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


@dataclass(slots=True)
class Report:
    """What was checked, by kind of statement, and what was wrong."""

    checked: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)


def check(sql_dir: Path, suites_dir: Path | None = None, *, generated: bool = True) -> Report:
    """Check all tables below ``sql_dir``.

    Args:
        sql_dir: Folder of ``<layer>/<table>/{table.yaml, query.sql}``.
        suites_dir: Folder of the Great Expectations suites, whose row queries are SQL too.
        generated: Also check what the product itself says to BigQuery: DDL, generated statements
            and those that stand in its Python code.

    Raises:
        trueline.errors.ConfigurationError: a table.yaml or a suite cannot be read.
    """
    tables = load_catalog(sql_dir)
    columns = {key: _columns(table) for key, table in tables.items()}
    analyser = Analyser(_engine(), columns, PARAMETERS)
    report = Report()
    for table in tables.values():
        _check_keys(table, sql_dir, report)
        if table.query is not None:
            _check_query(table, analyser, report)
    for suite in load_suites(suites_dir) if suites_dir else []:
        _check_suite(suite, analyser, report)
    if generated:
        _check_ddl(tables, analyser, report)
        _check_statements(analyser, report)
        _check_inline(Path(trueline.__file__).parent, analyser, report)
    report.problems.sort()
    return report


@cache
def _engine() -> Engine:
    return Engine()


def _check_query(table: Table, analyser: Analyser, report: Report) -> None:
    assert table.query is not None
    path = _shown(table.query_path)
    report.checked["queries"] += 1
    try:
        analysis = analyser.analyse(table.query)
    except InvalidSqlError as error:
        report.problems.append(Problem(path, error.line, error.column, error.message))
        return
    last_line = table.query.rstrip().count("\n") + 1
    report.problems.extend(
        Problem(path, last_line, 1, message)
        for message in _misfits(analysis.columns, _columns(table), "table.yaml")
    )
    excused = OPEN[table.key].refusals if table.key in OPEN else ()
    report.problems.extend(
        problem
        for problem in _differing_calls(analysis, path)
        if not problem.message.startswith(excused)
    )


def _check_suite(suite: Suite, analyser: Analyser, report: Report) -> None:
    """The row queries of a suite run on both engines as they are, so they are BigQuery SQL too."""
    text = suite.path.read_text(encoding="utf-8")
    for expectation in suite.expectations:
        query = expectation.query
        if query is None:
            continue
        report.checked["row queries of suites"] += 1
        place = text.find(json.dumps(query, ensure_ascii=False)[1:-1])
        line = text.count("\n", 0, place) + 1 if place >= 0 else 1
        batch = f"({batch_query(suite, {}, _SOME_MOMENT)}) as subselect"
        try:
            analysis = analyser.analyse(suite.with_datasets(query, {}).format(batch=batch))
        except InvalidSqlError as error:
            message = f"{expectation.check}: {error.message}"
            report.problems.append(Problem(_shown(suite.path), line, 1, message))
        else:
            report.problems.extend(
                Problem(_shown(suite.path), line, 1, found.message)
                for found in _differing_calls(analysis, "")
            )


def _check_ddl(tables: Mapping[str, Table], analyser: Analyser, report: Report) -> None:
    for table in tables.values():
        if table.kind == "report":
            continue
        report.checked["create table"] += 1
        path = f"DDL of {table.key}"
        try:
            analysis = analyser.analyse(create_table_sql(table, dialect="bigquery"))
        except InvalidSqlError as error:
            report.problems.append(Problem(path, error.line, error.column, error.message))
            continue
        report.problems.extend(
            Problem(path, 1, 1, message)
            for message in _misfits(analysis.columns, _columns(table), "table.yaml")
        )


def _check_statements(analyser: Analyser, report: Report) -> None:
    """``all_statements()`` gives name → SQL, with layer names standing for datasets."""
    for name, sql in all_statements().items():
        report.checked["generated statements"] += 1
        try:
            analyser.analyse(sql, undeclared_parameters=True)
        except InvalidSqlError as error:
            problem = Problem(f"statement {name}", error.line, error.column, error.message)
            report.problems.append(problem)


def _check_inline(package: Path, analyser: Analyser, report: Report) -> None:
    for statement in inline_statements(package):
        report.checked["statements in Python"] += 1
        try:
            analyser.analyse(statement.sql, undeclared_parameters=True)
        except InvalidSqlError as error:
            line = statement.line + error.line - 1
            path = _shown(statement.path)
            report.problems.append(Problem(path, line, error.column, error.message))


def _check_keys(table: Table, sql_dir: Path, report: Report) -> None:
    path = _shown(sql_dir / table.layer / table.name / "table.yaml")
    text = Path(path).read_text(encoding="utf-8").splitlines()
    types = dict(_columns(table))

    def refuse(key: str, message: str) -> None:
        line = next((n for n, each in enumerate(text, 1) if each.startswith(f"{key}:")), 1)
        report.problems.append(Problem(path, line, 1, message))

    if table.partition_by:
        reason = _partition_problem(table.partition_by, types)
        if reason:
            refuse("partition_by", reason)
    if len(table.cluster_by) > MAX_CLUSTER_COLUMNS:
        refuse("cluster_by", f"BigQuery clusters by at most {MAX_CLUSTER_COLUMNS} columns")
    for column in table.cluster_by:
        if types.get(column) not in _CLUSTER_TYPES:
            refuse("cluster_by", f"BigQuery cannot cluster by {column} {types.get(column)}")


def _partition_problem(text: str, types: Mapping[str, str]) -> str | None:
    """BigQuery partitions by a DATE column or a truncated one; the analyser does not check it."""
    node = sqlglot.parse_one(text, read="bigquery")
    if isinstance(node, exp.Column):
        column, wanted = node.name, "DATE"
    else:
        inner = node.find(exp.Column)
        column, wanted = (
            (inner.name if inner else ""),
            _TRUNCATED_TYPES.get(text.split("(")[0].strip().lower(), ""),
        )
    if not wanted:
        return f"partition_by must be a DATE column or timestamp_trunc(column, day): {text}"
    if types.get(column) != wanted:
        found = types.get(column, "no column of the table")
        return f"partition_by {text}: {column} must be {wanted}, it is {found}"
    return None


def _misfits(
    found: tuple[tuple[str, str], ...], wanted: tuple[tuple[str, str], ...], owner: str
) -> Iterator[str]:
    """The first difference, in words; an INSERT without column list goes by position."""
    for number, (have, want) in enumerate(zip(found, wanted, strict=False), 1):
        if have != want:
            yield f"column {number} is {' '.join(have)}, but {owner} says {' '.join(want)}"
            return
    if len(found) != len(wanted):
        yield f"{len(found)} columns, but {owner} has {len(wanted)}: " + ", ".join(
            name for name, _ in (wanted[len(found) :] or found[len(wanted) :])
        )


def _differing_calls(analysis: Analysis, path: str) -> Iterator[Problem]:
    for call in analysis.calls:
        message = difference(call)
        if message:
            yield Problem(path, call.line, call.column, message)


def _columns(table: Table) -> tuple[tuple[str, str], ...]:
    return tuple((column.name, column.type) for column in table.columns)


def _shown(path: Path | None) -> str:
    assert path is not None
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
