"""Every table of the product, read from ``include/sql/<layer>/<table>/``.

``table.yaml`` owns the columns; DDL for both engines, documentation and the uniqueness promise are
made from it. ``query.sql``, where there is one, says how the table is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import sqlglot
from pydantic import Field
from sqlglot import exp

from trueline.errors import ConfigurationError
from trueline.paths import sql_dir
from trueline.settings.yaml_lines import Strict, load_model

# Left to right: a layer reads only layers to its left (and its own).
LAYERS = (
    "raw_restricted",
    "raw",
    "rules",
    "staging",
    "identity",
    "attribution",
    "qualification",
    "marts",
    "activation",
    "ops",
    "reports",
)
# Written by the pipeline's own record keeping, not by a query.
UNREADABLE_BY_SQL = frozenset({"raw_restricted", "ops"})

#: What an incremental run replaces of a table: all rows of the affected people, days or keys, the
#: snapshot of the run's own day, or everything (only for what stays small).
RebuiltBy = Literal["person", "day", "snapshot", "whole"]

ColumnType = Literal["STRING", "INT64", "NUMERIC", "BOOL", "DATE", "TIMESTAMP", "FLOAT64"]


class ColumnSpec(Strict):
    """One column as table.yaml states it."""

    type: ColumnType
    description: str = Field(min_length=3)
    required: bool = False
    personal: Literal["none", "possible", "pseudonymous", "clear"] = "none"


class TableSpec(Strict):
    """One table.yaml."""

    purpose: str = Field(min_length=10)
    grain: tuple[str, ...] = Field(min_length=1)
    owner: str = "revenue-analytics"
    kind: Literal["table", "report"] = "table"
    repeat_until_stable: bool = False
    rebuilt_by: RebuiltBy | tuple[str, ...] = "whole"
    partition_by: str | None = None
    cluster_by: tuple[str, ...] = Field(default=(), max_length=4)
    columns: dict[str, ColumnSpec] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Column:
    """One column, named."""

    name: str
    type: str
    description: str
    required: bool
    personal: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its promise and, where it is computed, its query and what that reads."""

    layer: str
    name: str
    purpose: str
    grain: tuple[str, ...]
    kind: str
    columns: tuple[Column, ...]
    partition_by: str | None
    cluster_by: tuple[str, ...]
    repeat_until_stable: bool
    rebuilt_by: RebuiltBy | tuple[str, ...]
    query: str | None
    query_path: Path | None
    reads: frozenset[str]
    parameters: frozenset[str]

    @property
    def key(self) -> str:
        return f"{self.layer}.{self.name}"

    @property
    def is_built(self) -> bool:
        """True where a run computes and stores it."""
        return self.query is not None and self.kind == "table"

    @property
    def partition_column(self) -> str | None:
        """The column it is partitioned by, whole or truncated."""
        if self.partition_by is None:
            return None
        column = sqlglot.parse_one(self.partition_by, read="bigquery").find(exp.Column)
        return column.name if column else None

    def from_day(self, day: str) -> str:
        """The condition that keeps the partitions from ``day`` on; every read needs one.

        Args:
            day: A DATE parameter with its ``@``, or a day like ``2026-11-20``.

        Returns:
            A condition that both engines read alike, ``true`` for a table without partitions.
        """
        column = self.partition_column
        if column is None:
            return "true"
        kind = next(each.type for each in self.columns if each.name == column)
        if day.startswith("@"):
            return f"{column} >= {day if kind == 'DATE' else f'timestamp({day})'}"
        midnight = day if kind == "DATE" else f"{day} 00:00:00+00"
        return f"{column} >= {kind.lower()} '{midnight}'"


def load_catalog(folder: Path | None = None) -> Mapping[str, Table]:
    """All tables by ``layer.table``, in a stable order.

    Raises:
        ConfigurationError: a table.yaml is wrong, a query is not SQL, or reads what it may not.
    """
    return _load(folder or sql_dir())


@cache
def _load(folder: Path) -> Mapping[str, Table]:
    tables = {}
    for path in sorted(folder.glob("*/*/table.yaml")):
        table = _read_table(path)
        tables[table.key] = table
    if not tables:
        raise ConfigurationError(
            "There are no tables.", where=str(folder), fix="Run from a checkout or a full install."
        )
    for table in tables.values():
        _check_reads(table, tables)
    return tables


def _read_table(path: Path) -> Table:
    layer, name = path.parts[-3], path.parts[-2]
    if layer not in LAYERS:
        raise ConfigurationError(
            f"Unknown layer {layer!r}.", where=str(path), fix=f"Use one of {', '.join(LAYERS)}."
        )
    spec = load_model(path, TableSpec, expand_env=False)
    missing = [key for key in (*spec.grain, *spec.cluster_by) if key not in spec.columns]
    if missing:
        raise ConfigurationError(
            f"grain or cluster_by names {missing[0]!r}, which is not a column.",
            where=str(path),
            fix="Name columns of this table.",
        )
    folded = [name.lower() for name in spec.columns]
    twice = [name for name in spec.columns if folded.count(name.lower()) > 1]
    if twice:
        raise ConfigurationError(
            f"The columns {' and '.join(twice)} have the same name: case does not count.",
            where=str(path),
            fix="Rename one of them.",
        )
    if spec.partition_by and not any(
        column.name in spec.columns
        for column in sqlglot.parse_one(spec.partition_by, read="bigquery").find_all(exp.Column)
    ):
        raise ConfigurationError(
            f"partition_by {spec.partition_by!r} names no column of the table.",
            where=str(path),
            fix="Name a DATE column, or timestamp_trunc(column, day).",
        )
    query_path = path.with_name("query.sql")
    query = query_path.read_text(encoding="utf-8") if query_path.exists() else None
    reads, parameters = _parse(query, query_path) if query else (frozenset(), frozenset())
    return Table(
        layer=layer,
        name=name,
        purpose=spec.purpose,
        grain=spec.grain,
        kind=spec.kind,
        columns=tuple(
            Column(key, column.type, column.description, column.required, column.personal)
            for key, column in spec.columns.items()
        ),
        partition_by=spec.partition_by,
        cluster_by=spec.cluster_by,
        repeat_until_stable=spec.repeat_until_stable,
        rebuilt_by=spec.rebuilt_by,
        query=query,
        query_path=query_path if query else None,
        reads=reads,
        parameters=parameters,
    )


def _parse(query: str, path: Path) -> tuple[frozenset[str], frozenset[str]]:
    try:
        tree = sqlglot.parse_one(query, read="bigquery")
    except sqlglot.errors.SqlglotError as error:
        detail = (getattr(error, "errors", None) or [{}])[0]
        raise ConfigurationError(
            f"This is not BigQuery SQL: {detail.get('description', 'cannot be parsed')}.",
            where=f"{path}:{detail.get('line', 1)}:{detail.get('col', 1)}",
            fix="Run make lint for the analyser's own message.",
        ) from None
    reads = frozenset(f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db)
    return reads, frozenset(parameter.name for parameter in tree.find_all(exp.Parameter))


def _check_reads(table: Table, tables: Mapping[str, Table]) -> None:
    for read in sorted(table.reads):
        layer = read.split(".")[0]
        problem = None
        if read not in tables:
            problem = f"reads {read}, which does not exist"
        elif layer in UNREADABLE_BY_SQL:
            problem = f"reads {read}: no query may read {layer}"
        elif LAYERS.index(layer) > LAYERS.index(table.layer):
            problem = f"reads {read}, a layer to its right"
        elif read == table.key and not table.repeat_until_stable:
            problem = "reads itself"
        if problem:
            raise ConfigurationError(
                f"{table.key} {problem}.",
                where=str(table.query_path),
                fix="Read existing tables of layers to the left only.",
            )


def build_order(tables: Mapping[str, Table]) -> list[Table]:
    """Built tables, each after everything it reads.

    Raises:
        ConfigurationError: the queries depend on each other in a circle.
    """
    order: list[Table] = []
    done: set[str] = set()
    path: list[str] = []

    def visit(key: str) -> None:
        if key in done:
            return
        if key in path:
            circle = " → ".join([*path[path.index(key) :], key])
            raise ConfigurationError(
                f"Queries depend on each other in a circle: {circle}.",
                fix="Break the circle by splitting one of the tables.",
            )
        path.append(key)
        for read in sorted(tables[key].reads - {key}):
            visit(read)
        path.pop()
        done.add(key)
        if tables[key].is_built:
            order.append(tables[key])

    for key in sorted(tables):
        visit(key)
    return order
