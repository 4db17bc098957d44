"""Every SQL statement of the product against the analyser, and the promises it cannot know.

Beyond "it analyses": no partitioned table is read without a filter that prunes it, a query's output
fits its table column by column, BigQuery takes the tables themselves, and nothing is computed in a
type for which the two engines differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import trueline
from tests.googlesql.analyser import Analysis, InvalidSqlError
from tests.googlesql.checks import Checker, Origin, Problem, Report, TableShape, shape_of
from tests.googlesql.engine_rules import refusals
from tests.googlesql.inline import inline_statements
from tests.googlesql.scripts import check_script
from tests.googlesql.table_rules import requires_partition_filter, table_refusals
from tests.googlesql.type_rules import difference
from trueline.model.catalog import Table, load_catalog
from trueline.model.parameters import LOAD_PARAMETERS, PARAMETERS
from trueline.quality.runner import batch_query
from trueline.quality.suites import Expectation, Suite, load_suites
from trueline.warehouse import statements
from trueline.warehouse.ddl import create_table_sql

_SOME_MOMENT = datetime(2026, 11, 20, 6, tzinfo=UTC)


def check(sql_dir: Path, suites_dir: Path | None = None, *, generated: bool = True) -> Report:
    """Check all tables below ``sql_dir``.

    Args:
        sql_dir: Folder of ``<layer>/<table>/{table.yaml, query.sql}``.
        suites_dir: Folder of the Great Expectations suites, whose row queries are SQL too.
        generated: Also check what the product itself says to BigQuery: generated statements and
            scripts, and those that stand in its Python code.

    Raises:
        trueline.errors.ConfigurationError: a table.yaml or a suite cannot be read.
    """
    tables = load_catalog(sql_dir)
    report = Report()
    shapes = {key: shape_of(table) for key, table in tables.items()}
    checker = Checker(shapes, PARAMETERS, report)
    for table in tables.values():
        if table.kind != "report":
            _check_table(table, sql_dir, checker)
        if table.query is not None:
            _check_query(table, checker)
    for suite in load_suites(suites_dir) if suites_dir else []:
        _check_suite(suite, tables, checker)
    if generated:
        _check_statements(checker)
        _check_inline(Path(trueline.__file__).parent, checker)
        check_scripts(shapes, report)
    report.problems.sort()
    return report


def check_scripts(shapes: Mapping[str, TableShape], report: Report) -> None:
    """``all_scripts()`` gives name → script; rows wait in ``scratch.<layer>__<table>``."""
    copies = {
        f"scratch.{key.replace('.', '__')}": TableShape(shape.columns)
        for key, shape in shapes.items()
    }
    for name, sql in statements.all_scripts().items():
        report.checked["scripts"] += 1
        origin = Origin(f"script {name}")
        parameters = PARAMETERS | LOAD_PARAMETERS
        check_script(sql, parameters, {**shapes, **copies}, origin=origin, report=report)


def _check_table(table: Table, sql_dir: Path, checker: Checker) -> None:
    """The table's own DDL; what is wrong stands in the line of table.yaml that says it."""
    path = sql_dir / table.layer / table.name / "table.yaml"
    text = path.read_text(encoding="utf-8").splitlines()
    report = checker.report
    report.checked["create table"] += 1

    def refuse(message: str, part: str) -> None:
        line = next((n for n, each in enumerate(text, 1) if each.strip().startswith(f"{part}:")), 1)
        report.problems.append(Problem(_shown(path), line, 1, message))

    sql = create_table_sql(table, dialect="bigquery")
    try:
        analysis = checker.analyser.analyse(sql)
    except InvalidSqlError as error:
        clause = sql.splitlines()[error.line - 1].partition(" by ")[0]
        refuse(error.message, f"{clause}_by" if clause in ("partition", "cluster") else "columns")
        return
    for refusal in (*refusals(analysis.statement, sql), *table_refusals(analysis.statement)):
        refuse(refusal.message, refusal.part)
    if table.partition_by and not requires_partition_filter(analysis.statement):
        refuse("its DDL must say require_partition_filter = true", "partition_by")
    for message in _misfits(analysis.columns, shape_of(table).columns, "table.yaml"):
        refuse(message, "columns")


def _check_query(table: Table, checker: Checker) -> None:
    assert table.query is not None
    path = _shown(table.query_path)
    checker.report.checked["queries"] += 1
    analysis = checker.check(table.query, Origin(path))
    if analysis is None:
        return
    last_line = table.query.rstrip().count("\n") + 1
    checker.report.problems.extend(
        Problem(path, last_line, 1, message)
        for message in _misfits(analysis.columns, shape_of(table).columns, "table.yaml")
    )
    checker.report.problems.extend(_differing_calls(analysis, Origin(path)))


def _check_suite(suite: Suite, tables: Mapping[str, Table], checker: Checker) -> None:
    """The row queries of a suite run on both engines as they are, so they are BigQuery SQL too."""
    text = suite.path.read_text(encoding="utf-8")
    table = tables.get(suite.name)
    batch = batch_query(suite, {}, _SOME_MOMENT, table)
    report = checker.report

    def origin(told: str, about: str) -> Origin:
        found = text.find(json.dumps(told, ensure_ascii=False)[1:-1])
        line = text.count("\n", 0, max(found, 0)) + 1
        return Origin(_shown(suite.path), line, is_one_line=True, about=about)

    report.checked["rows of suites"] += 1
    checker.check(f"select count(*) from ({batch}) as rows_of_suite", origin("", suite.name))
    for expectation in suite.expectations:
        at = origin(expectation.query or expectation.check, expectation.check)
        if table is not None and _cannot_fail(expectation, table):
            message = "the filter on the partition column hides empty ones: required: true says it"
            report.problems.append(at.problem(1, 1, message))
        if expectation.query is None:
            continue
        report.checked["row queries of suites"] += 1
        query = suite.with_datasets(expectation.query, {}).format(batch=f"({batch}) as subselect")
        analysis = checker.check(query, at)
        if analysis is not None:
            report.problems.extend(_differing_calls(analysis, at))


def _cannot_fail(expectation: Expectation, table: Table) -> bool:
    return (
        expectation.type == "expect_column_values_to_not_be_null"
        and table.partition_column is not None
        and expectation.column == table.partition_column
    )


def _check_statements(checker: Checker) -> None:
    """``all_statements()`` gives name → SQL, with layer names standing for datasets."""
    for name, sql in statements.all_statements().items():
        checker.report.checked["generated statements"] += 1
        checker.check(sql, Origin(f"statement {name}"), undeclared_parameters=True)


def _check_inline(package: Path, checker: Checker) -> None:
    for statement in inline_statements(package):
        checker.report.checked["statements in Python"] += 1
        origin = Origin(_shown(statement.path), statement.line)
        checker.check(statement.sql, origin, undeclared_parameters=True)


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


def _differing_calls(analysis: Analysis, origin: Origin) -> Iterator[Problem]:
    for call in analysis.calls:
        message = difference(call)
        if message:
            yield origin.problem(call.line, call.column, message)


def _shown(path: Path | None) -> str:
    assert path is not None
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
