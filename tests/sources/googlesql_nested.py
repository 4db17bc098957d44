"""Nested tables in the real GoogleSQL engine: queries over a record column, checked and evaluated.

Rows are handed over as SQL: the engine itself makes its values out of literals, so a fixture cannot
say anything that BigQuery would not understand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2 as options
from zetasql.wasi._pb2.zetasql.proto import simple_catalog_pb2 as catalog
from zetasql.wasi._pb2.zetasql.public import type_pb2 as types

from tests.googlesql.analyser import Analyser, InvalidSqlError, type_name, type_proto
from tests.googlesql.engine import Engine

__all__ = ["InvalidSqlError", "check", "evaluate"]
Columns = Sequence[tuple[str, str]]
Rows = list[dict[str, Any]]


@cache
def engine() -> Engine:
    return Engine()


def check(
    sql: str, tables: Mapping[str, Columns], parameters: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Columns of a query over tables such as ``project.dataset.events_2*``.

    Raises:
        InvalidSqlError: GoogleSQL refuses the statement.
    """
    # The analyser knows two-part names; the project's part is taken off on both sides.
    plain = re.sub(r"`[^`]+`\.`([^`]+)`\.`([^`]+)`", r"`\1`.`\2`", sql)
    return Analyser(engine(), tables, parameters).analyse(plain).columns


def evaluate(sql: str, parameters: Mapping[str, str] | None = None) -> Rows:
    """Rows of a query that reads no table; parameters are STRING.

    Raises:
        GoogleSqlError: the engine refuses the query, or fails on a value.
    """
    request = service.EvaluateQueryRequest(sql=sql)
    request.options.CopyFrom(_options())
    root = catalog.SimpleCatalogProto(name="root")
    root.builtin_function_options.language_options.CopyFrom(request.options.language_options)
    request.simple_catalog.CopyFrom(root)
    for name, value in (parameters or {}).items():
        request.options.query_parameters.add(name=name.lower(), type=type_proto("STRING"))
        parameter = request.params.add(name=name)
        parameter.value.string_value = value
    answer = engine().call("EvaluateQuery", request, service.EvaluateQueryResponse)
    columns = [(each.name, each.type) for each in answer.prepared.columns]
    return [
        {name: _value(cell, kind) for cell, (name, kind) in zip(row.cell, columns, strict=True)}
        for row in answer.content.table_data.row
    ]


@cache
def _options() -> options.AnalyzerOptionsProto:
    return Analyser(engine(), {}, {})._options


def _value(cell: Any, kind: types.TypeProto) -> Any:
    field = cell.WhichOneof("value")
    if field is None:
        return None
    if field == "timestamp_value":
        moment = cell.timestamp_value
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            seconds=moment.seconds, microseconds=moment.nanos // 1000
        )
    if field not in ("string_value", "bool_value", "int64_value"):
        raise NotImplementedError(f"a value of type {type_name(kind)}")
    return getattr(cell, field)
