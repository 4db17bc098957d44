"""Statements: cut from a script, parsed, their tables found, translated for DuckDB."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType

from sandbox.bigquery.errors import ApiError, invalid_query
from sandbox.bigquery.store import Store, Table
from sandbox.bigquery.types import Field
from sandbox.bigquery.values import bound, parameter_field, parameter_sql, parameter_value
from trueline.warehouse.dialect import to_duckdb

# "Falling back to parsing as a Command": those statements are read here by their text.
logging.getLogger("sqlglot").setLevel(logging.ERROR)
_VARIABLE = re.compile(r"\$zqp_(\w+?)_zqp\b")
_ROWS = re.compile(r"zqp_rows_(\w+?)_zqp\(\)", re.IGNORECASE)
_PART = r"`?[\w-]+`?"
_PATH = rf"((?:`[^`]+`)|{_PART}(?:\.{_PART}){{0,2}})"
_SNAPSHOT = re.compile(
    rf"create\s+snapshot\s+table\s+(?P<exists>if\s+not\s+exists\s+)?{_PATH}"
    rf"\s+clone\s+{_PATH}\s*(?:options\s*\((?P<options>.*)\))?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_DROP_SNAPSHOT = re.compile(
    rf"drop\s+snapshot\s+table\s+(?P<exists>if\s+exists\s+)?{_PATH}\s*$", re.IGNORECASE
)
_DECLARE = re.compile(r"declare\s+\w+\s+\w+\s*$", re.IGNORECASE)
_ASSERT = re.compile(
    r"assert\b(?P<what>.*?)(?:\bas\s+(?P<why>'[^']*'|\"[^\"]*\"))?\s*$", re.I | re.S
)


@dataclass(frozen=True)
class Piece:
    """One statement of a script and where it begins (1-based)."""

    text: str
    line: int
    column: int

    @property
    def words(self) -> str:
        """Its first words in capitals, for telling statements apart."""
        return " ".join(re.sub(r"(?m)(--|#).*$", "", self.text).upper().split()[:4])

    def control(self) -> str | None:
        """BEGIN, COMMIT or ROLLBACK."""
        found = re.match(r"(BEGIN|COMMIT|ROLLBACK)( TRANSACTION)?$", self.words)
        return found[1] if found else None


@dataclass(frozen=True)
class Snapshot:
    """``create snapshot table`` (``source`` set) or ``drop snapshot table``."""

    target: exp.Table
    source: exp.Table | None
    options: dict[str, exp.Expression]
    exists: bool


@dataclass(frozen=True)
class Assertion:
    query: exp.Expression
    message: str


@dataclass(frozen=True)
class Declaration:
    """``declare name type``: a variable that this fake lets nobody use."""


@dataclass
class Parameters:
    """A job's query parameters: types and values, by lower-case name."""

    fields: dict[str, Field] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: list[dict[str, Any]], *, positional: bool) -> Parameters:
        """Raises ApiError for a type or value that is none."""
        found = cls()
        for number, each in enumerate(given, start=1):
            name = f"_{number}" if positional else str(each.get("name") or "").lower()
            if not name:
                raise ApiError("invalid", "Missing name for named query parameter")
            if name in found.fields:
                raise ApiError("invalid", f"Duplicate query parameter: {name}")
            kind = parameter_field(name, each.get("parameterType") or {})
            found.fields[name] = kind
            found.values[name] = parameter_value(kind, each.get("parameterValue"))
        return found


def pieces(script: str) -> list[Piece]:
    """The statements of a script, without empty ones.

    Raises:
        ApiError: invalidQuery, a literal or comment is not closed.
    """
    try:
        tokens = BigQuery().tokenize(script)
    except SqlglotError as error:
        raise invalid_query(f"Syntax error: {error}") from None
    found, start = [], None
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            if start is not None:
                found.append(_piece(script, start, token.start))
            start = None
        elif start is None:
            start = token.start
    if start is not None:
        found.append(_piece(script, start, len(script)))
    return found


def _piece(script: str, start: int, end: int) -> Piece:
    line = script.count("\n", 0, start) + 1
    column = start - (script.rfind("\n", 0, start) + 1) + 1
    return Piece(script[start:end].rstrip(), line, column)


@lru_cache(maxsize=512)
def parse(text: str) -> exp.Expression | Snapshot | Assertion | Declaration:
    """One statement, its unnamed columns named. The tree is shared: never change it.

    Raises:
        ApiError: invalidQuery with line and column of the statement's own text.
    """
    snapshot = _SNAPSHOT.match(text)
    if snapshot:
        return Snapshot(
            _table(snapshot[2]),
            _table(snapshot[3]),
            _options(snapshot["options"]),
            bool(snapshot["exists"]),
        )
    dropped = _DROP_SNAPSHOT.match(text)
    if dropped:
        return Snapshot(_table(dropped[2]), None, {}, bool(dropped["exists"]))
    if _DECLARE.match(text):
        return Declaration()
    asserted = _ASSERT.match(text)
    if asserted:
        query = _parsed(f"select {asserted['what']} as is_true")
        return Assertion(query, (asserted["why"] or "''")[1:-1])
    tree = _parsed(text)
    _name_columns(tree.expression if isinstance(tree, exp.Create) else tree)
    return tree


def _parsed(text: str) -> exp.Expression:
    try:
        tree = sqlglot.parse_one(_named_placeholders(text), read="bigquery")
    except SqlglotError as error:
        details = getattr(error, "errors", None) or [{}]
        where = f" at [{details[0].get('line', 1)}:{details[0].get('col', 1)}]"
        what = details[0].get("description") or str(error)
        near = details[0].get("highlight")
        raise invalid_query(
            f"Syntax error: {what}{f' near {near!r}' if near else ''}{where}"
        ) from None
    if isinstance(tree, exp.Command):
        raise invalid_query(f"Statement not supported: {text.split()[0].upper()}")
    return tree


def _named_placeholders(text: str) -> str:
    """``?`` as ``@_1``, ``@_2`` …, in the order of the text."""
    if "?" not in text:
        return text
    marks = [t for t in BigQuery().tokenize(text) if t.token_type == TokenType.PLACEHOLDER]
    for number, token in reversed(list(enumerate(marks, start=1))):
        text = f"{text[: token.start]}@_{number}{text[token.end + 1 :]}"
    return text


def _table(path: str) -> exp.Table:
    return exp.to_table(path, dialect="bigquery")


def _options(text: str | None) -> dict[str, exp.Expression]:
    if not text:
        return {}
    tree = _parsed(f"create table d.t (x int64) options ({text})")
    return options_of(tree)


def options_of(tree: exp.Expression) -> dict[str, exp.Expression]:
    """``OPTIONS (name = value)`` of a statement, by lower-case name."""
    found = tree.args.get("properties")
    return {
        each.name.lower(): each.args["value"]
        for each in (found.expressions if found else [])
        if type(each) is exp.Property
    }


class Names:
    """Which table a name in a statement means.

    Args:
        location: Where the job runs; a dataset elsewhere is not found.
        default_dataset: For names without one.
        temporary: Temporary tables of the script so far, lower case.
    """

    def __init__(
        self,
        store: Store,
        location: str,
        default_dataset: str | None,
        temporary: Mapping[str, Any],
    ) -> None:
        self.store, self.location = store, location
        self._default, self.temporary = default_dataset, temporary

    def path(self, node: exp.Table) -> tuple[str, str] | None:
        """Dataset and table of a name; None for a temporary table.

        Raises:
            ApiError: the project is another one, or there is no dataset in the name.
        """
        if node.catalog and node.catalog != self.store.project:
            raise ApiError(
                "accessDenied",
                f"Access Denied: Table {node.catalog}:{node.db}.{node.name}: User does not have "
                f"permission to query table {node.catalog}:{node.db}.{node.name}, or perhaps it "
                "does not exist.",
            )
        if not node.db:
            if node.name.lower() in self.temporary:
                return None
            if self._default is None:
                raise invalid_query(
                    f'Table "{node.name}" must be qualified with a dataset (e.g. dataset.table).'
                )
        return node.db or str(self._default), node.name

    def table(self, node: exp.Table) -> Table | None:
        """The table; None for a temporary one or a view of INFORMATION_SCHEMA."""
        path = self.path(node)
        if path is None or is_information_schema(node):
            return None
        return self.store.table(*path, location=self.location)


def is_information_schema(node: exp.Table) -> bool:
    return node.name.upper().startswith("INFORMATION_SCHEMA.") or (
        node.db.upper() == "INFORMATION_SCHEMA"
    )


def table_nodes(tree: exp.Expression) -> Iterator[exp.Table]:
    """Names of tables, without names of CTEs and without ``alias.array`` in FROM."""
    ctes = {each.alias.lower() for each in tree.find_all(exp.CTE)}
    for node in list(tree.find_all(exp.Table)):
        if not isinstance(node.this, exp.Identifier) or is_array(node):
            continue
        if not node.db and node.name.lower() in ctes:
            continue
        yield node


def is_array(node: exp.Table) -> bool:
    """``FROM t, t.items``: an array of a table named before it, parsed as a table."""
    select = node.find_ancestor(exp.Select)
    source = select.args.get("from_") if select else None
    if source is None or not node.db or node.catalog:
        return False
    named = [source.this, *(join.this for join in select.args.get("joins") or [])]
    return any(each is not node and each.alias_or_name.lower() == node.db.lower() for each in named)


def _name_columns(tree: exp.Expression) -> None:
    """Columns without a name get BigQuery's: ``f0_``, ``f1_`` …; two of one name are refused."""
    if not isinstance(tree, exp.Query):
        return
    first = tree
    while isinstance(first, exp.SetOperation | exp.Subquery):
        first = first.this
    unnamed, named = 0, []
    for number, each in enumerate(first.expressions):
        if isinstance(each, exp.Star) or (isinstance(each, exp.Column) and each.is_star):
            continue
        if isinstance(each, exp.Alias | exp.Column | exp.Dot):
            named.append(each.alias_or_name.lower())
        else:
            first.expressions[number].replace(exp.alias_(each.copy(), f"f{unnamed}_"))
            unnamed += 1
    for name in named:
        if named.count(name) > 1:
            raise invalid_query(
                "Duplicate column names in the result are not supported. Found duplicate(s): "
                f"{name}"
            )


def translated(
    tree: exp.Expression, names: Names, parameters: Parameters
) -> tuple[str, dict[str, str | None]]:
    """DuckDB's SQL and what to bind.

    Raises:
        ApiError: a table or a parameter is not there.
    """
    tree = tree.copy()
    for node in table_nodes(tree):
        path = names.path(node)
        if path is None:
            continue
        if is_information_schema(node):
            replacement = exp.table_(information_schema_view(node, path), quoted=True)
        else:
            names.table(node)
            replacement = exp.table_(path[1], db=path[0], quoted=True)
        for key, value in node.args.items():
            if key not in ("this", "db", "catalog", "alias") and value:
                replacement.set(key, value)
        if node.args.get("alias"):
            # The parser names INFORMATION_SCHEMA views by their whole path.
            alias = node.args["alias"].copy()
            alias.set("this", exp.to_identifier(node.alias.split(".")[-1], quoted=True))
            replacement.set("alias", alias)
        node.replace(replacement)
    binding: dict[str, str | None] = {}
    for node in list(tree.find_all(exp.Parameter)):
        name = node.name.lower()
        parent = node.parent
        if name not in parameters.fields:
            shown = f"'{name}'" if not name.startswith("_") else f"at position {name[1:]}"
            raise invalid_query(f"Query parameter {shown} not found")
        binding[name] = bound(parameters.fields[name], parameters.values[name])
        if (
            isinstance(parent, exp.Unnest)
            and isinstance(parent.parent, exp.From | exp.Join)
            and parameters.fields[name].type == "STRUCT"
        ):
            # A struct's fields are columns in BigQuery's FROM UNNEST.
            rows = exp.select(exp.Anonymous(this=f"zqp_rows_{name}_zqp"))
            parent.replace(rows.subquery(parent.alias or None))
            continue
        node.replace(exp.Parameter(this=exp.var(f"zqp_{name}_zqp")))
    text = to_duckdb(tree.sql("bigquery"))
    text = _ROWS.sub(
        lambda m: (
            f"unnest({parameter_sql(parameters.fields[m[1].lower()], f'${m[1].lower()}')}, "
            "max_depth := 2)"
        ),
        text,
    )
    text = _VARIABLE.sub(lambda m: parameter_sql(parameters.fields[m[1]], f"${m[1]}"), text)
    return text, binding


def information_schema_view(node: exp.Table, path: tuple[str, str]) -> str:
    """What the view is called on a job's own connection: ``_is_<dataset>_COLUMNS``."""
    view = node.name.upper().removeprefix("INFORMATION_SCHEMA.")
    dataset = path[0] if node.db.upper() != "INFORMATION_SCHEMA" else node.catalog
    return f"_is_{dataset}_{view}"
