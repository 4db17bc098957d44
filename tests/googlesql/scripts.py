"""Scripts of several statements: split by the real parser, each statement checked in its turn.

The product's scripts are plain lists of statements; control flow is Python's. The rules of
transactions are those of BigQuery's docs, "Multi-statement transactions".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message  # noqa: TID253 - small, and no DAG imports this
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_ast_enums_pb2 as enums

from tests.googlesql.analyser import Analysis, InvalidSqlError, place
from tests.googlesql.checks import Checker, Origin, Report, TableShape
from tests.googlesql.engine_rules import MAX_QUERY_BYTES
from tests.googlesql.partitions import Partitioning
from tests.googlesql.resolved import attribute, innermost, kind, walk

MAX_MUTATED_TABLES = 100
_ROWS = re.compile(r"insert\s+into\s+`?([\w.]+)`?.*?unnest\s*\(\s*@(\w+)\s*\)", re.I | re.S)
_NOT_PLAIN = {"ASTBeginEndBlockProto", "ASTIfStatementProto", "ASTVariableDeclarationProto"}
_MUTATIONS = {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "TruncateStmt"}
_CREATES_TABLE = {"CreateTableStmt", "CreateTableAsSelectStmt"}


def check_script(
    sql: str,
    parameters: Mapping[str, str],
    tables: Mapping[str, TableShape],
    *,
    origin: Origin | None = None,
    report: Report | None = None,
    projects: tuple[str, ...] = (),
    is_ours: bool = True,
) -> Report:
    """Check every statement of a script against the tables as the statements before left them.

    Args:
        sql: Statements ended by ``;``.
        parameters: Name to type. An array from which rows are inserted (``insert into t … from
            unnest(@rows)``) has the columns of that table where it is not named here.
        tables: ``dataset.table`` to shape.
        origin: Where the text stands; line 1 of ``script`` by default.
        report: Add to this report instead of a new one.
        projects: Names that may stand before a dataset.
        is_ours: False for a program that may decide in SQL, and ask for tables that are not there:
            such statements are counted as not judged.
    """
    report = report if report is not None else Report()
    origin = origin or Origin("script")
    if len(sql.encode()) > MAX_QUERY_BYTES:
        report.problems.append(origin.problem(1, 1, "the script is longer than BigQuery's 1 MB"))
    script = _Script(sql, parameters, dict(tables), origin, report, projects, is_ours)
    try:
        statements = list(script.statements())
    except InvalidSqlError as error:
        report.problems.append(origin.problem(error.line, error.column, error.message))
        return report
    for start, end, name in statements:
        script.check(start, end, name)
    script.finish()
    return report


@dataclass(slots=True)
class _Script:
    sql: str
    parameters: Mapping[str, str]
    tables: dict[str, TableShape]
    origin: Origin
    report: Report
    projects: tuple[str, ...]
    is_ours: bool
    checker: Checker | None = None
    transaction_at: int | None = None
    mutated: set[str] = field(default_factory=set)
    temporary: set[str] = field(default_factory=set)

    def statements(self) -> Iterator[tuple[int, int, str]]:
        """First byte, end and name of the parse tree's node."""
        for each in self._checker().analyser.parse_script(self.sql):
            node = innermost(each)
            start, end = _range(node)
            yield start, end, node.DESCRIPTOR.name

    def check(self, start: int, end: int, name: str) -> None:
        self.report.checked["statements in scripts"] += 1
        if name in _NOT_PLAIN:
            if self.is_ours:
                self._refuse(start, "a script is a plain list of statements: decide in Python")
            else:
                self.report.checked["not judged"] += 1
            return
        text = self.sql.encode()[start:end].decode()
        part = self.origin.of_part(*place(self.sql, start))
        problems = self.report.problems
        known = len(problems)
        analysis = self._checker().check(text, part)
        if not self.is_ours and any("Table not found" in each.message for each in problems[known:]):
            del problems[known:]
            self.report.checked["not judged"] += 1
        if analysis is not None:
            self._follow_transaction(start, analysis.statement)
            self._follow_tables(analysis)

    def finish(self) -> None:
        if self.transaction_at is not None:
            self._refuse(self.transaction_at, "the transaction is never committed")

    def _follow_transaction(self, start: int, statement: Message) -> None:
        match kind(statement):
            case "BeginStmt":
                if self.transaction_at is not None:
                    self._refuse(start, "transactions cannot be nested")
                self.transaction_at = start
                self.mutated.clear()
            case "CommitStmt" | "RollbackStmt":
                if self.transaction_at is None:
                    self._refuse(start, "there is no transaction to end")
                self.transaction_at = None
            case name if name in _MUTATIONS:
                target = str(statement.table_scan.table.full_name)
                if target not in self.temporary:
                    self.mutated.add(target)
                if self.transaction_at is not None and len(self.mutated) > MAX_MUTATED_TABLES:
                    limit = MAX_MUTATED_TABLES
                    self._refuse(start, f"a transaction changes at most {limit} tables")
            case "QueryStmt" | "AssertStmt":
                pass
            case _ if self.transaction_at is not None and not self._is_about_temporary(statement):
                self._refuse(
                    start, "a transaction cannot create, change or drop anything that lasts"
                )

    def _is_about_temporary(self, statement: Message) -> bool:
        if kind(statement) in _CREATES_TABLE:
            return _is_temporary(statement)
        return kind(statement) == "DropStmt" and _name(statement) in self.temporary

    def _follow_tables(self, analysis: Analysis) -> None:
        """What a statement creates can be read by the next ones."""
        statement = analysis.statement
        name = _name(statement)
        if kind(statement) in _CREATES_TABLE:
            self.tables[name] = TableShape(analysis.columns, None)
            if _is_temporary(statement):
                self.temporary.add(name)
        elif kind(statement) == "CreateSnapshotTableStmt":
            source = innermost(statement.clone_from)
            self.tables[name] = self.tables[str(source.table.full_name)]
        elif kind(statement) == "CreateViewStmt":
            self.tables[name] = TableShape(analysis.columns, self._partitioning_shown(statement))
        else:
            return
        self.checker = None

    def _partitioning_shown(self, view: Message) -> Partitioning | None:
        scanned = [n for n in walk(view) if kind(n) == "TableScan"]
        if len(scanned) != 1:
            return None
        return self.tables[str(scanned[0].table.full_name)].partitioning

    def _checker(self) -> Checker:
        if self.checker is None:
            self.checker = Checker(
                self.tables,
                {**_row_parameters(self.sql, self.tables), **self.parameters},
                self.report,
                projects=self.projects,
            )
        return self.checker

    def _refuse(self, start: int, message: str) -> None:
        self.report.problems.append(self.origin.problem(*place(self.sql, start), message))


def _row_parameters(sql: str, tables: Mapping[str, TableShape]) -> dict[str, str]:
    found = {}
    for statement in sql.split(";"):
        match = _ROWS.search(statement)
        if match and match[1] in tables:
            fields = ", ".join(f"{name} {type_}" for name, type_ in tables[match[1]].columns)
            found[match[2].lower()] = f"ARRAY<STRUCT<{fields}>>"
    return found


def _name(statement: Message) -> str:
    """``dataset.table`` of what a DDL statement names, without a project."""
    path = [part for each in attribute(statement, "name_path") or () for part in each.split(".")]
    return ".".join(path[-2:])


def _is_temporary(statement: Message) -> bool:
    return bool(
        attribute(statement, "create_scope") == enums.ResolvedCreateStatementEnums.CREATE_TEMP
    )


def _range(node: Message) -> tuple[int, int]:
    while "parse_location_range" not in node.DESCRIPTOR.fields_by_name:
        node = node.parent
    return node.parse_location_range.start, node.parse_location_range.end
