"""One statement against everything the gate knows, wherever the statement comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from tests.googlesql.analyser import Analyser, Analysis, InvalidSqlError, place
from tests.googlesql.engine import Engine
from tests.googlesql.engine_rules import refusals
from tests.googlesql.partitions import Partitioning, partitioned_reads
from tests.googlesql.table_rules import table_refusals
from trueline.model.catalog import Table


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
    """What was checked, by kind of statement, and what was wrong.

    Attributes:
        reads: Scans of partitioned tables that were looked at.
    """

    checked: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    reads: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the text of a statement starts.

    Attributes:
        is_one_line: The text stands in one line of its file, whatever lines it has itself.
        about: Stands before each message.
    """

    path: str
    line: int = 1
    column: int = 1
    is_one_line: bool = False
    about: str = ""

    def of_part(self, line: int, column: int) -> Origin:
        """Where a part of the text starts that has this place in it."""
        if self.is_one_line:
            return self
        shifted = column + self.column - 1 if line == 1 else column
        return replace(self, line=self.line + line - 1, column=shifted)

    def problem(self, line: int, column: int, message: str) -> Problem:
        """A problem at a line and column of the text."""
        part = self.of_part(line, column)
        message = f"{self.about}: {message}" if self.about else message
        return Problem(self.path, part.line, part.column, message)


@dataclass(frozen=True, slots=True)
class TableShape:
    """Columns as (name, type), and how the table is partitioned where a read must say so."""

    columns: tuple[tuple[str, str], ...]
    partitioning: Partitioning | None = None


def shape_of(table: Table) -> TableShape:
    partitioning = None
    if table.partition_by and table.partition_column:
        partitioning = Partitioning(table.partition_column, table.partition_by)
    return TableShape(tuple((each.name, each.type) for each in table.columns), partitioning)


class Checker:
    """Checks statements against tables that are registered once."""

    def __init__(
        self,
        tables: Mapping[str, TableShape],
        parameters: Mapping[str, str],
        report: Report,
        *,
        projects: Iterable[str] = (),
    ) -> None:
        """``tables``: ``dataset.table`` to shape; ``parameters``: name to type."""
        columns = {key: shape.columns for key, shape in tables.items()}
        self.analyser = Analyser(engine(), columns, parameters, projects)
        self.report = report
        self._partitionings = {
            key: shape.partitioning for key, shape in tables.items() if shape.partitioning
        }

    def check(
        self, sql: str, origin: Origin, *, undeclared_parameters: bool = False
    ) -> Analysis | None:
        """Report everything that is wrong; the analysis, or None where the analyser refuses."""
        try:
            analysis = self.analyser.analyse(sql, undeclared_parameters=undeclared_parameters)
        except InvalidSqlError as error:
            self.report.problems.append(origin.problem(error.line, error.column, error.message))
            return None
        found = [
            (refusal.message, refusal.offset)
            for rules in (refusals(analysis.statement, sql), table_refusals(analysis.statement))
            for refusal in rules
        ]
        reads = partitioned_reads(analysis.statement, self._partitionings)
        self.report.reads += len(reads)
        found += [(read.problem, read.offset) for read in reads if read.problem]
        self.report.problems += [
            origin.problem(*place(sql, offset), message) for message, offset in found
        ]
        return analysis


@cache
def engine() -> Engine:
    return Engine()
