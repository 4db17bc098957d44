"""What BigQuery refuses in a ``create table`` that is right GoogleSQL, hand-written or made.

Sources: "CREATE TABLE statement" (partition_expression, clustering), "Quotas and limits" (tables),
"Specifying a schema" (column names).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf.message import Message  # noqa: TID253 - small, and no DAG imports this
from zetasql.wasi._pb2.zetasql.public import type_pb2 as types
from zetasql.wasi._pb2.zetasql.public.functions.datetime_pb2 import DateTimestampPart

from tests.googlesql.engine_rules import Refusal
from tests.googlesql.resolved import (
    arguments,
    attribute,
    function_name,
    innermost,
    kind,
    offset,
)

MAX_COLUMNS = 10_000
MAX_COLUMN_NAME = 300
MAX_TABLE_NAME_BYTES = 1024
MAX_COLUMN_DESCRIPTION = 1024
MAX_TABLE_DESCRIPTION = 16_384
MAX_CLUSTER_COLUMNS = 4
RESERVED_PREFIXES = (
    "_TABLE_",
    "_FILE_",
    "_PARTITION",
    "_ROW_TIMESTAMP",
    "__ROOT__",
    "_COLIDENTIFIER",
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLUSTER_TYPES = {
    types.TYPE_BIGNUMERIC,
    types.TYPE_BOOL,
    types.TYPE_DATE,
    types.TYPE_DATETIME,
    types.TYPE_GEOGRAPHY,
    types.TYPE_INT64,
    types.TYPE_NUMERIC,
    types.TYPE_RANGE,
    types.TYPE_STRING,
    types.TYPE_TIMESTAMP,
}
# Function of the partition column → type of the column, units it may be truncated to.
_TRUNCATED = {
    "timestamp_trunc": (types.TYPE_TIMESTAMP, {"HOUR", "DAY", "MONTH", "YEAR"}),
    "datetime_trunc": (types.TYPE_DATETIME, {"HOUR", "DAY", "MONTH", "YEAR"}),
    "date_trunc": (types.TYPE_DATE, {"MONTH", "YEAR"}),
}
_PARTITION_ADVICE = (
    "partition by a DATE column, timestamp_trunc(column, hour, day, month or year), "
    "date_trunc(column, month or year) or range_bucket(column, ...)"
)


def table_refusals(statement: Message) -> Iterator[Refusal]:
    """Everything that BigQuery would refuse in ``create table``; nothing for other statements."""
    if kind(statement) not in ("CreateTableStmt", "CreateTableAsSelectStmt"):
        return
    columns = list(attribute(statement, "column_definition_list"))
    required = {each.column.column_id for each in columns if each.annotations.not_null}
    yield from _names(list(attribute(statement, "name_path"))[-1], columns)
    yield from _descriptions(statement, columns)
    yield from _partition(statement, required)
    yield from _clusters(statement)


def requires_partition_filter(statement: Message) -> bool:
    """Whether a ``create table`` makes BigQuery refuse reads that name no partition."""
    return any(
        option.name == "require_partition_filter" and innermost(option.value).value.value.bool_value
        for option in attribute(statement, "option_list")
    )


def _names(table: str, columns: list[Message]) -> Iterator[Refusal]:
    # BigQuery allows more in the name of a table; the product keeps to what needs no back-quotes.
    if len(table) > MAX_TABLE_NAME_BYTES or not _NAME.fullmatch(table.rpartition(".")[2]):
        yield Refusal(f"{table} is no name for a table: letters, digits and _, up to 1024")
    if len(columns) > MAX_COLUMNS:
        yield Refusal(f"{len(columns)} columns: BigQuery takes {MAX_COLUMNS}")
    for column in columns:
        name = column.name
        if len(name) > MAX_COLUMN_NAME or not _NAME.fullmatch(name):
            yield Refusal(
                f"{name} is no name for a column: letters, digits and _, up to 300", part=name
            )
        for prefix in RESERVED_PREFIXES:
            if name.upper().startswith(prefix):
                yield Refusal(
                    f"{name}: BigQuery keeps column names that start with {prefix}", part=name
                )


def _descriptions(statement: Message, columns: list[Message]) -> Iterator[Refusal]:
    for name, options, longest in (
        ("the table", attribute(statement, "option_list"), MAX_TABLE_DESCRIPTION),
        *((each.name, each.annotations.option_list, MAX_COLUMN_DESCRIPTION) for each in columns),
    ):
        for option in options:
            value = innermost(option.value)
            if option.name == "description" and kind(value) == "Literal":
                length = len(value.value.value.string_value)
                if length > longest:
                    yield Refusal(
                        f"the description of {name} is {length} characters long: "
                        f"BigQuery takes {longest}",
                        part=name,
                    )


def _partition(statement: Message, required: set[int]) -> Iterator[Refusal]:
    expressions = [innermost(each) for each in statement.partition_by_list]
    if len(expressions) > 1:
        yield Refusal(
            f"BigQuery partitions by one column: {_PARTITION_ADVICE}", part="partition_by"
        )
    for expression in expressions:
        column = partition_column(expression)
        place = offset(expression)
        if column is None:
            yield Refusal(
                f"this cannot partition a table: {_PARTITION_ADVICE}", place, "partition_by"
            )
        elif column.column_id not in required:
            # Rows without a value lie in the partition __NULL__, which no comparison reaches.
            yield Refusal(
                f"the partition column {column.name} must be not null (required: true): a filter "
                "on it would never read the rows that have none",
                place,
                "partition_by",
            )


def partition_column(expression: Message) -> Message | None:
    """The column of a partition expression that BigQuery takes, else None."""
    if kind(expression) == "ColumnRef":
        return expression.column if _type(expression) == types.TYPE_DATE else None
    name = function_name(expression)
    sides = arguments(expression) if name else []
    if not sides or kind(sides[0]) != "ColumnRef":
        return None
    column_type = _type(sides[0])
    if name in _TRUNCATED:
        wanted, units = _TRUNCATED[name]
        is_right = column_type == wanted and len(sides) == 2 and _unit(sides[1]) in units
    elif name == "date":
        is_right = column_type in (types.TYPE_TIMESTAMP, types.TYPE_DATETIME) and len(sides) == 1
    else:
        is_right = name == "range_bucket" and column_type == types.TYPE_INT64
    return sides[0].column if is_right else None


def _clusters(statement: Message) -> Iterator[Refusal]:
    expressions = [innermost(each) for each in statement.cluster_by_list]
    if len(expressions) > MAX_CLUSTER_COLUMNS:
        yield Refusal(
            f"BigQuery clusters by at most {MAX_CLUSTER_COLUMNS} columns", part="cluster_by"
        )
    seen = set()
    for expression in expressions:
        place = offset(expression)
        if kind(expression) != "ColumnRef":
            yield Refusal("BigQuery clusters by columns of the table only", place, "cluster_by")
            continue
        column = expression.column
        if column.type.type_kind not in _CLUSTER_TYPES:
            name = types.TypeKind.Name(column.type.type_kind).removeprefix("TYPE_")
            yield Refusal(f"BigQuery cannot cluster by {column.name} {name}", place, "cluster_by")
        if column.column_id in seen:
            yield Refusal(f"{column.name} is clustered by twice", place, "cluster_by")
        seen.add(column.column_id)


def _type(expression: Message) -> int:
    return int(attribute(expression, "type").type_kind)


def _unit(expression: Message) -> str:
    """``DAY`` of ``timestamp_trunc(column, day)``."""
    if kind(expression) != "Literal":
        return ""
    return str(DateTimestampPart.Name(expression.value.value.enum_value))
