"""Which tables a statement reads, and which partitions its literals and parameters leave.

A filter counts when it compares the bare partition column with literals and parameters, directly
in WHERE or ON, or further out in the query over a CTE, subquery or view through which BigQuery
pushes it down. A filter by subquery selects no partition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from sandbox.bigquery.sql import Names, is_array, is_information_schema, parse
from sandbox.bigquery.store import Table

Evaluate = Callable[[exp.Expression], Any]


@dataclass(frozen=True)
class Condition:
    """``column op values``; ``op`` is one of ``= in < <= > >= or``."""

    column: str
    op: str
    values: tuple[Any, ...]

    def renamed(self, column: str) -> Condition:
        values = self.values
        if self.op == "or":
            values = tuple(each.renamed(column) for each in self.values)
        return Condition(column, self.op, values)


@dataclass
class Scan:
    """One table read once; ``conditions`` are joined by AND."""

    table: Table
    conditions: list[Condition] = field(default_factory=list)


_NO_ROWS = exp.select("1")


@dataclass(frozen=True)
class _Scope:
    """CTEs in sight: name → its query and the scope it was written in.

    The scope is None in a WITH RECURSIVE: each sees all of them, and itself gives no table's rows.
    """

    ctes: Mapping[str, tuple[exp.Query, _Scope | None]] = field(default_factory=dict)

    def find(self, name: str) -> tuple[exp.Query, _Scope] | None:
        """A CTE's query and the scope to read it in."""
        found = self.ctes.get(name.lower())
        if found is None:
            return None
        query, inside = found
        if inside is None:
            inside = _Scope({**self.ctes, name.lower(): (_NO_ROWS, _Scope())})
        return query, inside


@dataclass(frozen=True)
class _Named:
    """A condition and the alias its column was written with, if any."""

    alias: str | None
    condition: Condition


class Scanner:
    """Finds the scans of one statement; for one use.

    Args:
        names: Resolves tables.
        evaluate: The value of an expression without columns.
    """

    def __init__(self, names: Names, evaluate: Evaluate) -> None:
        self._names, self._evaluate = names, evaluate
        self._found: list[Scan] = []
        self._visited: set[tuple[int, tuple[Condition, ...]]] = set()
        self._views: list[exp.Expression] = []

    def scans(self, tree: exp.Expression) -> list[Scan]:
        """All reads of stored tables; a DML statement's target is its first."""
        scope = _with(tree, _Scope())
        match tree:
            case exp.Query():
                self._query(tree, _Scope(), [])
            case exp.Delete() | exp.Update():
                self._target(tree.this, tree.args.get("where"), scope)
                source = tree.args.get("from_")
                if source is not None:
                    self._source(source.this, scope, [])
                self._subqueries(tree, scope, skip={id(source.this)} if source else set())
            case exp.Insert():
                if isinstance(tree.expression, exp.Query):
                    self._query(tree.expression, scope, [])
            case exp.Merge():
                self._target(tree.this, tree.args.get("on"), scope)
                self._source(tree.args["using"], scope, [])
            case exp.Create():
                if isinstance(tree.expression, exp.Query):
                    self._query(tree.expression, scope, [])
        return self._found

    def _target(self, node: exp.Table, where: exp.Expression | None, scope: _Scope) -> None:
        table = self._names.table(node)
        if table is None:
            return
        wanted = {node.alias_or_name.lower(), node.name.lower(), None}
        conditions = [each.condition for each in self._conditions(where) if each.alias in wanted]
        self._found.append(Scan(table, conditions))

    def _query(self, query: exp.Expression, scope: _Scope, pushed: list[Condition]) -> None:
        # A CTE that is read twice under the same conditions gives the same scans.
        visit = (id(query), tuple(pushed))
        if visit in self._visited:
            return
        self._visited.add(visit)
        scope = _with(query, scope)
        if isinstance(query, exp.Subquery):
            self._query(query.this, scope, pushed)
        elif isinstance(query, exp.SetOperation):
            positions = _output_names(query.left)
            for side in (query.left, query.right):
                self._query(side, scope, _by_position(pushed, positions, _output_names(side)))
        elif isinstance(query, exp.Select):
            self._select(query, scope, pushed)

    def _select(self, select: exp.Select, scope: _Scope, pushed: list[Condition]) -> None:
        source = select.args.get("from_")
        joins = select.args.get("joins") or []
        conditions = self._conditions(select.args.get("where"))
        conditions += [inner for outer in pushed for inner in _through(select, outer)]
        if source is not None:
            nodes = [(source.this, self._joined_in(joins))]
            nodes += [(join.this, self._joined(join)) for join in joins]
            for node, more in nodes:
                others = [each for each, _ in nodes if each is not node]
                mine = [
                    each.condition
                    for each in conditions + more
                    if self._belongs(each, node, others, scope)
                ]
                self._source(node, scope, mine)
        taken = {id(node) for node in [source.this if source else None] + [j.this for j in joins]}
        self._subqueries(select, scope, skip=taken)

    def _joined(self, join: exp.Join) -> list[_Named]:
        # An outer join keeps the other side's rows whatever ON says.
        return [] if join.side in ("RIGHT", "FULL") else self._conditions(join.args.get("on"))

    def _joined_in(self, joins: list[exp.Join]) -> list[_Named]:
        return [
            each
            for join in joins
            if join.side not in ("LEFT", "FULL")
            for each in self._conditions(join.args.get("on"))
        ]

    def _source(self, node: exp.Expression, scope: _Scope, conditions: list[Condition]) -> None:
        if isinstance(node, exp.Subquery):
            self._query(node, scope, conditions)
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            cte = None if node.db else scope.find(node.name)
            if cte is not None:
                self._query(*cte, conditions)
            elif not is_information_schema(node) and not is_array(node):
                self._read(node, conditions)

    def _read(self, node: exp.Table, conditions: list[Condition]) -> None:
        table = self._names.table(node)
        if table is None:
            return
        if table.kind == "VIEW":
            query = parse(table.properties["view"]["query"])
            assert isinstance(query, exp.Query), "a view is a query"
            self._views.append(query)  # Kept, so that no other query gets its id.
            self._query(query, _Scope(), conditions)
        else:
            self._found.append(Scan(table, conditions))

    def _subqueries(self, tree: exp.Expression, scope: _Scope, skip: set[int]) -> None:
        """Queries in expressions: EXISTS, IN, scalar ones."""
        for child in _children(tree):
            if id(child) in skip or isinstance(child, exp.With):
                continue
            if isinstance(child, exp.Query):
                self._query(child, scope, [])
            else:
                self._subqueries(child, scope, skip)

    def _belongs(
        self, named: _Named, node: exp.Expression, others: list[exp.Expression], scope: _Scope
    ) -> bool:
        if named.alias is not None:
            return node.alias_or_name.lower() == named.alias
        if not others:
            return True
        return self._has(node, named.condition.column, scope)

    def _has(self, node: exp.Expression, column: str, scope: _Scope) -> bool:
        if isinstance(node, exp.Subquery):
            return column in _output_names(node) or "*" in _output_names(node)
        if isinstance(node, exp.Table):
            cte = None if node.db else scope.find(node.name)
            if cte is not None:
                names = _output_names(cte[0])
                return column in names or "*" in names
            if not is_information_schema(node) and not is_array(node):
                table = self._names.table(node)
                return table is not None and table.column(column) is not None
        return False

    def _conditions(self, where: exp.Expression | None) -> list[_Named]:
        if where is None:
            return []
        root = where.this if isinstance(where, exp.Where) else where
        found = []
        for each in _conjuncts(root):
            condition = self._condition(each)
            if condition is not None:
                found.extend(condition)
        return found

    def _condition(self, node: exp.Expression) -> list[_Named] | None:
        node = node.unnest()
        match node:
            case exp.Or():
                sides = [self._condition(node.left), self._condition(node.right)]
                found = [side[0] for side in sides if side and len(side) == 1]
                same = {(each.alias, each.condition.column) for each in found}
                if len(found) == 2 and len(same) == 1:
                    ((alias, column),) = same
                    values = tuple(each.condition for each in found)
                    return [_Named(alias, Condition(column, "or", values))]
            case exp.Between():
                low, high = node.args["low"], node.args["high"]
                if _constant(low) and _constant(high) and isinstance(node.this, exp.Column):
                    return [
                        self._named(node.this, ">=", (self._evaluate(low),)),
                        self._named(node.this, "<=", (self._evaluate(high),)),
                    ]
            case exp.In():
                if isinstance(node.this, exp.Column):
                    values = self._listed(node)
                    if values is not None:
                        return [self._named(node.this, "in", values)]
            case exp.EQ() | exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
                op, left, right = _OPERATORS[type(node)], node.left.unnest(), node.right.unnest()
                if not isinstance(left, exp.Column):
                    op, left, right = _FLIPPED[op], right, left
                if isinstance(left, exp.Column) and _constant(right):
                    return [self._named(left, op, (self._evaluate(right),))]
        return None

    def _listed(self, node: exp.In) -> tuple[Any, ...] | None:
        unnest = node.args.get("unnest")
        if unnest is not None:
            array = unnest.expressions[0]
            return tuple(self._evaluate(array) or ()) if _constant(array) else None
        if node.args.get("query") is not None or not all(map(_constant, node.expressions)):
            return None
        return tuple(self._evaluate(each) for each in node.expressions)

    def _named(self, column: exp.Column, op: str, values: tuple[Any, ...]) -> _Named:
        return _Named(column.table.lower() or None, Condition(column.name.lower(), op, values))


_OPERATORS = {exp.EQ: "=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
_FLIPPED = {"=": "=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}


def _with(tree: exp.Expression, scope: _Scope) -> _Scope:
    clause = tree.args.get("with_")
    if clause is None:
        return scope
    ctes = dict(scope.ctes)
    for each in clause.expressions:
        inside = None if clause.recursive else _Scope(dict(ctes))
        ctes[each.alias.lower()] = (each.this, inside)
    return _Scope(ctes)


def _conjuncts(node: exp.Expression) -> Iterator[exp.Expression]:
    node = node.unnest()
    if isinstance(node, exp.And):
        yield from _conjuncts(node.left)
        yield from _conjuncts(node.right)
    else:
        yield node


def _constant(node: exp.Expression) -> bool:
    return node.find(exp.Column, exp.Query, exp.Table) is None


def _children(tree: exp.Expression) -> Iterator[exp.Expression]:
    for value in tree.args.values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, exp.Expression):
                yield each


def _output_names(query: exp.Expression) -> list[str]:
    """Names of a query's columns; ``*`` for all of its tables."""
    while isinstance(query, exp.SetOperation | exp.Subquery):
        query = query.this
    if not isinstance(query, exp.Select):
        return ["*"]
    return [
        "*" if each.is_star and not isinstance(each, exp.Alias) else each.alias_or_name.lower()
        for each in query.expressions
    ]


def _by_position(pushed: list[Condition], names: list[str], mine: list[str]) -> list[Condition]:
    if "*" in names or "*" in mine:
        return pushed
    return [
        each.renamed(mine[names.index(each.column)])
        for each in pushed
        if each.column in names and names.index(each.column) < len(mine)
    ]


def _through(select: exp.Select, condition: Condition) -> list[_Named]:
    """A condition on this query's output as one on its input, where that is the same."""
    if select.args.get("limit") or select.args.get("offset") or select.args.get("qualify"):
        return []
    if next(_own(select, exp.Window), None) is not None:
        return []
    grouped = select.args.get("group")
    if grouped is None and next(_own(select, exp.AggFunc), None) is not None:
        return []
    for each in select.expressions:
        if isinstance(each, exp.Star) or (isinstance(each, exp.Column) and each.is_star):
            alias = each.table.lower() or None if isinstance(each, exp.Column) else None
            named = {
                item.alias_or_name.lower()
                for key in ("except_", "except", "replace", "rename")
                for item in (each.find(exp.Star) or each).args.get(key) or []
            }
            listed = [e.alias_or_name.lower() for e in select.expressions if not e.is_star]
            if condition.column not in named and condition.column not in listed:
                return [_Named(alias, condition)]
        elif each.alias_or_name.lower() == condition.column:
            inner = each.unalias()
            if isinstance(inner, exp.Column):
                return [_Named(inner.table.lower() or None, condition.renamed(inner.name.lower()))]
    return []


def _own(select: exp.Select, kind: type[exp.Expression]) -> Iterator[exp.Expression]:
    """Nodes in the columns of this query itself, not of queries inside."""
    for each in select.expressions:
        for node in each.walk(prune=lambda n: isinstance(n, exp.Query)):
            if isinstance(node, kind):
                yield node
