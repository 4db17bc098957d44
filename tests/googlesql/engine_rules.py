"""What BigQuery refuses although it is right GoogleSQL, judged from the resolved statement.

Each rule names where Google states it. The analyser itself knows the rules of recursion, of
``delete`` and ``update`` without ``where``, of window frames, of grouping and of views.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from google.protobuf.message import Message  # noqa: TID253 - small, and no DAG imports this
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_ast_enums_pb2 as enums

from tests.googlesql.resolved import (
    arguments,
    attribute,
    children,
    column_ids,
    conjuncts,
    function_name,
    has,
    innermost,
    kind,
    offset,
    walk,
)

# "Quotas and limits", query jobs: maximum unresolved GoogleSQL query length.
MAX_QUERY_BYTES = 1024 * 1024
_Join = enums.ResolvedJoinScanEnums
_OUTER = {_Join.LEFT: "left", _Join.RIGHT: "right", _Join.FULL: "full"}
_TABLES = {"TableScan", "WithRefScan", "RecursiveRefScan"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What BigQuery would refuse.

    Attributes:
        offset: Byte of the statement at which the part starts, if known.
        part: In ``create table``: ``partition_by``, ``cluster_by`` or the column it is about.
    """

    message: str
    offset: int | None = None
    part: str = ""


def refusals(statement: Message, sql: str) -> Iterator[Refusal]:
    """Everything that BigQuery would refuse in one resolved statement other than DDL."""
    if len(sql.encode()) > MAX_QUERY_BYTES:
        yield Refusal("the text is longer than the 1 MB that BigQuery takes")
    yield from _repeated_output_columns(statement)
    for node in walk(statement):
        rule = _RULES.get(kind(node))
        if rule:
            yield from rule(node)


def _repeated_output_columns(statement: Message) -> Iterator[Refusal]:
    # Error "Duplicate column names in the result are not supported"; names ignore case.
    if kind(statement) != "QueryStmt":
        return
    names = [column.name.lower() for column in statement.output_column_list]
    repeated = sorted({name for name in names if names.count(name) > 1 and name[0] != "$"})
    if repeated:
        yield Refusal(f"the result has two columns of the name {', '.join(repeated)}")


def _join(scan: Message) -> Iterator[Refusal]:
    condition = innermost(scan.join_expr) if has(scan, "join_expr") else None
    # Error "Unsupported subquery with table in join predicate".
    if condition is not None and any(kind(each) in _TABLES for each in walk(condition)):
        yield Refusal(
            "a join condition cannot look into a table: join that table, or look it up before",
            offset(scan),
        )
    # Error "LEFT OUTER JOIN cannot be used without a condition that is an equality of fields from
    # both sides of the join"; the same words for RIGHT and FULL. Whether `on true` passes is not
    # documented, so it does not here.
    join_type = _OUTER.get(scan.join_type)
    if join_type and not (condition is not None and _has_equality_of_both_sides(scan, condition)):
        yield Refusal(
            f"a {join_type} join needs an equality of a column of each side: add one, or use "
            "inner or cross join",
            offset(scan),
        )


def _has_equality_of_both_sides(scan: Message, condition: Message) -> bool:
    left, right = (
        {column.column_id for column in attribute(innermost(side), "column_list")}
        for side in (scan.left_scan, scan.right_scan)
    )
    for each in conjuncts(condition):
        if function_name(each) == "$equal":
            one, other = (column_ids(side) for side in arguments(each))
            is_of_both = (one <= left and other <= right) or (one <= right and other <= left)
            if one and other and is_of_both:
                return True
    return False


def _subquery(expression: Message) -> Iterator[Refusal]:
    """A subquery that looks at the row around it has to become a join.

    Error "Correlated subqueries that reference other tables are not supported unless they can be
    de-correlated, such as by transforming them into an efficient JOIN". An equality in ``where``
    can; a limit for each row or a comparison cannot.
    """
    query = innermost(expression.subquery)
    outer = {each.column.column_id for each in expression.parameter_list}
    if not outer or not any(kind(each) in _TABLES for each in walk(query)):
        return
    place = offset(expression)
    how = "join instead, and number the rows with row_number() where one of several is meant"
    if any(kind(each) == "LimitOffsetScan" for each in walk(query)):
        yield Refusal(f"a subquery cannot limit its rows for each row around it: {how}", place)
    elif _mentions_beyond_equality(query, outer):
        yield Refusal(
            f"a subquery may look at the row around it in an equality of its where only: {how}",
            place,
        )


def _mentions_beyond_equality(node: Message, outer: set[int]) -> bool:
    """Whether a column of ``outer`` is used anywhere but in ``where own = outer and …``."""
    if kind(node) == "ColumnRef":
        return node.column.column_id in outer
    for name, child in children(node):
        if kind(node) == "FilterScan" and name == "filter_expr":
            parts = [each for each in conjuncts(child) if not _is_own_equal_to(each, outer)]
        else:
            parts = [child]
        if any(_mentions_beyond_equality(part, outer) for part in parts):
            return True
    return False


def _is_own_equal_to(condition: Message, outer: set[int]) -> bool:
    if function_name(condition) != "$equal":
        return False
    sides = [column_ids(side) for side in arguments(condition)]
    return any(side and side <= outer for side in sides) and any(
        side and not side & outer for side in sides
    )


def _primary_key(node: Message) -> Iterator[Refusal]:
    # "Use primary and foreign keys": BigQuery only takes NOT ENFORCED.
    if not node.unenforced:
        yield Refusal("a primary key must be not enforced")


def _foreign_key(node: Message) -> Iterator[Refusal]:
    if node.enforced:
        yield Refusal("a foreign key must be not enforced")


_RULES: dict[str, Callable[[Message], Iterator[Refusal]]] = {
    "JoinScan": _join,
    "SubqueryExpr": _subquery,
    "PrimaryKey": _primary_key,
    "ForeignKey": _foreign_key,
}
