"""Which reads of partitioned tables name their partitions, judged from the resolved statement.

BigQuery refuses a read of a table with ``require_partition_filter`` unless a filter on the
partition column can be used to leave partitions out (its docs: "Query partitioned tables"). How far
its optimizer carries a filter down is not documented, so only filters that cannot be missed count:

- the condition compares the partition column itself, and nothing computed from it, by ``=``, ``<``,
  ``<=``, ``>``, ``>=``, ``between`` or ``in``, with literals, parameters and functions of these;
- it holds for every row: it stands in the ``where``, joined to other conditions by ``and``;
- it stands in the select that reads the table, or in one that does nothing but filter the rows and
  pick columns of a subquery or of a CTE that nobody else reads. Of an outer join only the side
  whose rows are all kept is filtered by the ``where`` behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message  # noqa: TID253 - small, and no DAG imports this
from zetasql.wasi._pb2.zetasql.public import type_pb2 as types
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_ast_enums_pb2 as enums

from tests.googlesql.resolved import (
    arguments,
    attribute,
    children,
    conjuncts,
    function_name,
    has,
    innermost,
    kind,
    offset,
    walk,
)

_COMPARISONS = {
    "$equal",
    "$less",
    "$less_or_equal",
    "$greater",
    "$greater_or_equal",
    "$between",
    "$in",
    "$in_array",
}
_NOT_CONSTANT = {
    "rand",
    "generate_uuid",
    "session_user",
    "current_date",
    "current_datetime",
    "current_time",
    "current_timestamp",
}
_Join = enums.ResolvedJoinScanEnums
_KEPT_WHOLE = {
    "left_scan": {_Join.INNER, _Join.LEFT},
    "right_scan": {_Join.INNER, _Join.RIGHT},
}
# A copy of a whole table, and the table that rows are put into, are not read by a query.
_NOT_READ = {
    "InsertStmt": {"table_scan"},
    "TruncateStmt": {"table_scan"},
    "CreateSnapshotTableStmt": {"clone_from"},
    "CreateTableStmt": {"clone_from", "copy_from"},
    "CloneDataStmt": {"target_table", "clone_from"},
}
_FILTERED_BY = {"DeleteStmt": "where_expr", "UpdateStmt": "where_expr", "MergeStmt": "merge_expr"}


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How a table is partitioned: ``occurred_at`` by ``timestamp_trunc(occurred_at, day)``."""

    column: str
    expression: str


@dataclass(frozen=True, slots=True)
class PartitionedRead:
    """One scan of a partitioned table; ``problem`` is None where its partitions are named."""

    table: str
    problem: str | None
    offset: int | None


def partitioned_reads(
    statement: Message, partitionings: Mapping[str, Partitioning]
) -> list[PartitionedRead]:
    """All scans of the tables in ``partitionings`` (``dataset.table``), in no order."""
    uses = Counter(str(n.with_query_name) for n in walk(statement) if kind(n) == "WithRefScan")
    return list(_Reads(partitionings, uses).of_statement(statement))


@dataclass(slots=True)
class _Reads:
    partitionings: Mapping[str, Partitioning]
    uses: Counter[str]
    # CTE → positions of its columns that its only reader filters.
    filtered_by_reader: dict[str, frozenset[int]] = field(default_factory=dict)

    def of_statement(self, statement: Message) -> Iterator[PartitionedRead]:
        if _is_view_of_one_table(statement):
            return
        filtered = frozenset[int]()
        clause = _FILTERED_BY.get(kind(statement))
        if clause and has(statement, clause):
            filtered = _filtered_columns(attribute(statement, clause))
        for name, child in children(statement):
            if name in _NOT_READ.get(kind(statement), ()):
                continue
            if name == "from_scan" and kind(statement) == "UpdateStmt":
                yield from self.of_scan(child, filtered, is_same_select=False)
            elif name == "table_scan":
                yield from self.of_scan(child, filtered, is_same_select=True)
            else:
                yield from self.of_node(child)

    def of_node(self, node: Message) -> Iterator[PartitionedRead]:
        """Scans below something that no filter reaches into."""
        if kind(node).endswith("Scan"):
            yield from self.of_scan(node, frozenset(), is_same_select=True)
        else:
            for _, child in children(node):
                yield from self.of_node(child)

    def of_scan(
        self, scan: Message, filtered: frozenset[int], *, is_same_select: bool
    ) -> Iterator[PartitionedRead]:
        """Scans below one scan.

        Args:
            filtered: Ids of columns that a filter above compares with constants.
            is_same_select: Only filters and picked columns lie between that filter and here.
        """
        passed_to: dict[str, tuple[frozenset[int], bool]] = {}
        match kind(scan):
            case "TableScan":
                yield from self._of_table(scan, filtered)
            case "WithRefScan":
                self._note_reader(scan, filtered if is_same_select else frozenset())
            case "WithScan":
                yield from self._of_with(scan, filtered if is_same_select else frozenset())
                return
            case "FilterScan":
                own = _filtered_columns(scan.filter_expr)
                passed_to["input_scan"] = (own | (filtered if is_same_select else own), True)
            case "ProjectScan" if is_same_select:
                passed_to["input_scan"] = (filtered, True)
            case "ArrayScan":
                passed_to["input_scan"] = (filtered, False)
            case "JoinScan":
                for side, join_types in _KEPT_WHOLE.items():
                    if scan.join_type in join_types:
                        passed_to[side] = (filtered, False)
        for name, child in children(scan):
            if name in passed_to:
                columns, is_same = passed_to[name]
                yield from self.of_scan(child, columns, is_same_select=is_same)
            else:
                yield from self.of_node(child)

    def _of_with(self, scan: Message, filtered: frozenset[int]) -> Iterator[PartitionedRead]:
        yield from self.of_scan(innermost(scan.query), filtered, is_same_select=True)
        # Backwards: readers come before what they read.
        for entry in reversed(scan.with_entry_list):
            query = innermost(entry.with_subquery)
            columns = attribute(query, "column_list")
            positions = self.filtered_by_reader.get(entry.with_query_name, frozenset())
            yield from self.of_scan(
                query,
                frozenset(columns[position].column_id for position in positions),
                is_same_select=True,
            )

    def _note_reader(self, scan: Message, filtered: frozenset[int]) -> None:
        if self.uses[scan.with_query_name] == 1:
            self.filtered_by_reader[scan.with_query_name] = frozenset(
                position
                for position, column in enumerate(attribute(scan, "column_list"))
                if column.column_id in filtered
            )

    def _of_table(self, scan: Message, filtered: frozenset[int]) -> Iterator[PartitionedRead]:
        table = str(scan.table.full_name)
        partitioning = self.partitionings.get(table)
        if partitioning is None:
            return
        column = next(
            (
                each
                for each in attribute(scan, "column_list")
                if each.name.lower() == partitioning.column.lower()
            ),
            None,
        )
        is_filtered = column is not None and column.column_id in filtered
        is_date = column is None or column.type.type_kind == types.TYPE_DATE
        problem = None if is_filtered else _advice(table, partitioning, is_date=is_date)
        yield PartitionedRead(table, problem, offset(scan))


def _filtered_columns(condition: Message) -> frozenset[int]:
    return frozenset(
        column for each in conjuncts(condition) for column in _compared_with_constants(each)
    )


def _compared_with_constants(condition: Message) -> Iterator[int]:
    name = function_name(condition)
    if name not in _COMPARISONS:
        return
    sides = arguments(condition)
    has_one_order = name in ("$between", "$in", "$in_array")
    orders = [sides] if has_one_order else [sides, sides[::-1]]
    for column, *values in orders:
        if (
            kind(column) == "ColumnRef"
            and not column.is_correlated
            and all(is_constant(value) for value in values)
        ):
            yield column.column.column_id


def is_constant(expression: Message) -> bool:
    """Literals, parameters and functions of these that give the same value each time."""
    match kind(expression):
        case "Literal" | "Parameter":
            return True
        case "Cast":
            return is_constant(innermost(expression.expr))
        case "FunctionCall":
            return function_name(expression) not in _NOT_CONSTANT and all(
                is_constant(each) for each in arguments(expression)
            )
    return False


def _is_view_of_one_table(statement: Message) -> bool:
    """``create view … as select * from t``: whoever reads the view filters it."""
    if kind(statement) != "CreateViewStmt":
        return False
    query = innermost(attribute(statement, "query"))
    while kind(query) == "ProjectScan" and not query.expr_list:
        query = innermost(query.input_scan)
    return kind(query) == "TableScan"


def _advice(table: str, partitioning: Partitioning, *, is_date: bool) -> str:
    start = "@history_start" if is_date else "timestamp(@history_start)"
    by = partitioning.expression
    return (
        f"{table} is partitioned by {by}: the select that reads it must compare "
        f"{partitioning.column} itself with literals or parameters (=, <, <=, >, >=, between, in), "
        f"for all rows; a read of everything says {partitioning.column} >= {start}"
    )
