"""Columns a query needs of each table, told by the GoogleSQL analyser's resolved tree.

Independent of the cost model: other parser, other resolver, other algorithm. The analyser itself
prunes only within one SELECT; what flows through steps (WITH), unions and subqueries is followed
here, from the output back to the table scans, by column ids. Everything that decides which rows
there are (filters, joins, groupings, distinct unions) is needed; a computed value only where it is
used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from google.protobuf import descriptor  # noqa: TID253 - small, and no DAG imports this
from google.protobuf.message import Message  # noqa: TID253
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.public import type_pb2 as types
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_ast_enums_pb2 as enums

from tests.googlesql.analyser import Analyser
from tests.googlesql.resolved import innermost, kind

Needed = set[int]
_KEEPS_DUPLICATES = {
    enums.ResolvedSetOperationScanEnums.UNION_ALL,
    enums.ResolvedRecursiveScanEnums.UNION_ALL,
}


@dataclass(frozen=True, slots=True)
class ResolvedScan:
    """One table scan: the table and the columns whose values are needed."""

    table: str
    columns: frozenset[str]


def resolved_scans(analyser: Analyser, sql: str) -> list[ResolvedScan]:
    """Every table scan of a query, sorted like the model's. A scan that nothing needs is absent."""
    request = service.AnalyzeRequest(
        sql_statement=sql,
        options=analyser._lenient_options,
        registered_catalog_id=analyser._catalog_id,
    )
    request.options.prune_unused_columns = True
    answer = analyser._engine.call("Analyze", request, service.AnalyzeResponse)
    statement = innermost(answer.resolved_statement)
    flow = _Flow()
    flow.need_scan(
        statement.query, {each.column.column_id for each in statement.output_column_list}
    )
    flow.run()
    found = [
        ResolvedScan(table, frozenset(columns[each] for each in flow.needed[key] & set(columns)))
        for key, (table, columns) in flow.tables.items()
    ]
    return sorted(found, key=lambda scan: (scan.table, sorted(scan.columns)))


@dataclass
class _Flow:
    """Demand per scan, pushed from each scan to what it takes its rows from, until nothing grows.

    Scans are known by the identity of their message, which lives as long as the statement does.
    """

    needed: dict[int, Needed] = field(default_factory=lambda: defaultdict(set))
    tables: dict[int, tuple[str, dict[int, str]]] = field(default_factory=dict)
    steps: dict[str, Message] = field(default_factory=dict)
    recursive: list[tuple[Message, list[int]]] = field(default_factory=list)
    waiting: list[Message] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    kept: dict[int, Message] = field(default_factory=dict)

    def need_scan(self, wrapped: Message, columns: Needed) -> None:
        scan = innermost(wrapped)
        key = _key(scan)
        self.kept[key] = scan
        if key in self.seen and columns <= self.needed[key]:
            return
        self.seen.add(key)
        self.needed[key] |= columns
        self.waiting.append(scan)

    def run(self) -> None:
        while self.waiting:
            scan = self.waiting.pop()
            handler: Callable[[Message, Needed], None] = getattr(self, f"_{kind(scan).lower()}")
            handler(scan, set(self.needed[_key(scan)]))

    def need_value(self, expression: Message, columns: Needed) -> None:
        """Add what an expression looks at; subqueries become scans of their own."""
        for node in _expressions(expression):
            if node.DESCRIPTOR.name == "ResolvedColumnRefProto":
                columns.add(node.column.column_id)
            elif node.DESCRIPTOR.name == "ResolvedSubqueryExprProto":
                inner = _columns(innermost(node.subquery))
                exists = node.subquery_type == enums.ResolvedSubqueryExprEnums.EXISTS
                self.need_scan(node.subquery, set() if exists else set(inner))

    def _tablescan(self, scan: Message, needed: Needed) -> None:
        self.tables[_key(scan)] = (
            scan.table.full_name or scan.table.name,
            {each.column_id: each.name for each in scan.parent.column_list},
        )

    def _singlerowscan(self, scan: Message, needed: Needed) -> None:
        pass

    def _projectscan(self, scan: Message, needed: Needed) -> None:
        for computed in scan.expr_list:
            if computed.column.column_id in needed:
                self.need_value(computed.expr, needed)
        self.need_scan(scan.input_scan, needed)

    def _filterscan(self, scan: Message, needed: Needed) -> None:
        self.need_value(scan.filter_expr, needed)
        self.need_scan(scan.input_scan, needed)

    def _joinscan(self, scan: Message, needed: Needed) -> None:
        if scan.HasField("join_expr"):
            self.need_value(scan.join_expr, needed)
        self.need_scan(scan.left_scan, needed)
        self.need_scan(scan.right_scan, needed)

    def _arrayscan(self, scan: Message, needed: Needed) -> None:
        for expression in scan.array_expr_list:
            self.need_value(expression, needed)
        if scan.HasField("join_expr"):
            self.need_value(scan.join_expr, needed)
        if scan.HasField("input_scan"):
            self.need_scan(scan.input_scan, needed)

    def _aggregatescan(self, scan: Message, needed: Needed) -> None:
        base = scan.parent
        for computed in base.group_by_list:
            self.need_value(computed.expr, needed)
        for wrapped in base.aggregate_list:
            computed = innermost(wrapped)
            if computed.column.column_id in needed:
                self.need_value(computed.expr, needed)
        self.need_scan(base.input_scan, needed)

    def _analyticscan(self, scan: Message, needed: Needed) -> None:
        for group in scan.function_group_list:
            functions = [innermost(wrapped) for wrapped in group.analytic_function_list]
            used = [each for each in functions if each.column.column_id in needed]
            for computed in used:
                self.need_value(computed.expr, needed)
            if used:
                self.need_value(group.partition_by, needed)
                self.need_value(group.order_by, needed)
        self.need_scan(scan.input_scan, needed)

    def _orderbyscan(self, scan: Message, needed: Needed) -> None:
        for item in scan.order_by_item_list:
            self.need_value(item, needed)
        self.need_scan(scan.input_scan, needed)

    def _limitoffsetscan(self, scan: Message, needed: Needed) -> None:
        self.need_scan(scan.input_scan, needed)

    def _setoperationscan(self, scan: Message, needed: Needed) -> None:
        keeps_duplicates = scan.op_type in _KEEPS_DUPLICATES
        for item in scan.input_item_list:
            self._need_term(scan, item, needed, whole=not keeps_duplicates)

    def _recursivescan(self, scan: Message, needed: Needed) -> None:
        self.recursive.append((scan, _columns(scan)))
        for item in (scan.non_recursive_term, scan.recursive_term):
            self._need_term(scan, item, needed, whole=scan.op_type not in _KEEPS_DUPLICATES)

    def _need_term(self, scan: Message, item: Message, needed: Needed, *, whole: bool) -> None:
        """The item's columns by position, as its set operation gives them on."""
        self.need_scan(
            item.scan,
            {
                inner.column_id
                for outer, inner in zip(_columns(scan), item.output_column_list, strict=True)
                if whole or outer in needed
            },
        )

    def _recursiverefscan(self, scan: Message, needed: Needed) -> None:
        target, outer = self.recursive[-1]
        self._need_behind(scan, target, outer, needed)

    def _withscan(self, scan: Message, needed: Needed) -> None:
        for entry in scan.with_entry_list:
            self.steps[entry.with_query_name] = entry.with_subquery
        self.need_scan(scan.query, needed)

    def _withrefscan(self, scan: Message, needed: Needed) -> None:
        step = self.steps[scan.with_query_name]
        self._need_behind(scan, step, _columns(innermost(step)), needed)

    def _need_behind(
        self, scan: Message, target: Message, outer: list[int], needed: Needed
    ) -> None:
        """A reference renames a step's columns, in their order."""
        renamed = zip(_columns(scan), outer, strict=True)
        self.need_scan(target, {behind for own, behind in renamed if own in needed})


def _key(scan: Message) -> int:
    return id(scan)


def _columns(scan: Message) -> list[int]:
    base = scan
    while "column_list" not in base.DESCRIPTOR.fields_by_name:
        base = base.parent
    return [each.column_id for each in base.column_list]


def _expressions(node: Message) -> Iterator[Message]:
    """Every node of an expression; a subquery is given out, but not its inside."""
    yield node
    is_subquery = node.DESCRIPTOR.name == "ResolvedSubqueryExprProto"
    for declared, value in node.ListFields():
        if declared.type != descriptor.FieldDescriptor.TYPE_MESSAGE:
            continue
        if is_subquery and declared.name == "subquery":
            continue
        for child in value if declared.is_repeated else [value]:
            if not isinstance(child, types.TypeProto):
                yield from _expressions(child)
