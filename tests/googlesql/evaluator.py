"""Run queries on GoogleSQL's reference evaluator: slow, in memory, and right by definition.

It is the language, not BigQuery: no partitions, no quotas, no cost. A table's rows are encoded
once, when they are set; a query is sent the tables that it names and no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import sqlglot
import wasmtime
from google.protobuf import empty_pb2  # noqa: TID253 - small, and no DAG imports this
from sqlglot.tokens import TokenType
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.public import type_pb2 as types
from zetasql.wasi._pb2.zetasql.public import value_pb2 as values

from tests.googlesql.analyser import analyser_options, language_options, simple_catalog
from tests.googlesql.analyser import type_name as _type_name
from tests.googlesql.analyser import type_proto as _type_proto
from tests.googlesql.engine import Engine, GoogleSqlError

_EPOCH_DAY = date(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EMPTY = service.TableContent(table_data=service.TableData())
# Wide enough for any NUMERIC and BIGNUMERIC; the default context rounds to 28 digits.
_EXACT = Context(prec=80)
_WITH = {TokenType.WITH, TokenType.RECURSIVE}
_DEPTH = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}
_CODE = re.compile(r"^Code: \d+, Message: ")


class EvaluationError(Exception):
    """The query is wrong, or failed while it ran; the message is Google's."""


@dataclass(frozen=True, slots=True)
class Result:
    """Column names, their BigQuery types, and rows of Python values in the order they came.

    Values are date, aware UTC datetime, Decimal, int, float, str, bytes, bool, list, dict or None.
    """

    columns: tuple[tuple[str, str], ...]
    rows: list[tuple[Any, ...]]

    def as_dicts(self) -> list[dict[str, Any]]:
        names = [name for name, _ in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


class Evaluator:
    """Tables that keep their rows, and queries over them."""

    def __init__(
        self, tables: Mapping[str, Sequence[tuple[str, str]]], parameters: Mapping[str, str]
    ) -> None:
        """``tables``: ``dataset.table`` to (column, type) pairs; ``parameters``: name to type."""
        self._tables = {
            key: [(name, _type_proto(kind)) for name, kind in columns]
            for key, columns in tables.items()
        }
        self._parameters = {name.lower(): kind for name, kind in parameters.items()}
        self._contents: dict[str, service.TableContent] = {}
        names = "|".join(re.escape(key) for key in sorted(tables, key=len, reverse=True))
        self._names = re.compile(rf"(?<![\w`.])({names})\b(?!`)(\s+as\s+\w+)?", re.IGNORECASE)
        self._start()

    def _start(self) -> None:
        self._engine = Engine()
        self._language = language_options(self._engine)
        self._options = analyser_options(self._language, self._parameters)
        # A registered catalog keeps its rows, so it is good until one of its tables is set anew.
        self._catalogs: dict[frozenset[str], int] = {}

    def _catalog_of(self, keys: frozenset[str]) -> int:
        if keys in self._catalogs:
            return self._catalogs[keys]
        request = service.RegisterCatalogRequest(
            simple_catalog=simple_catalog(self._language, {}),
        )
        for key in keys:
            # Rows are bound to tables at the root only, so the dotted name is one identifier.
            table = request.simple_catalog.table.add(name=key, full_name=key)
            for column, kind in self._tables[key]:
                table.column.add(name=column, type=kind)
            request.table_content[key].CopyFrom(self._contents.get(key, _EMPTY))
        answer = self._engine.call("RegisterCatalog", request, service.RegisterResponse)
        return self._catalogs.setdefault(keys, answer.registered_id)

    def _forget_catalogs_of(self, key: str) -> None:
        for keys in [each for each in self._catalogs if key in each]:
            self._engine.call(
                "UnregisterCatalog",
                service.UnregisterRequest(registered_id=self._catalogs.pop(keys)),
                empty_pb2.Empty,
            )

    def set_rows(self, key: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace a table's rows, given as column name → value; what is not named is NULL."""
        self._forget_catalogs_of(key)
        content = service.TableContent()
        content.table_data.SetInParent()
        encoders = [(name, encoder(kind)) for name, kind in self._tables[key]]
        for row in rows:
            cells = content.table_data.row.add().cell
            for name, encode in encoders:
                cell = cells.add()
                value = row.get(name)
                if value is not None:
                    encode(cell, value)
        self._contents[key] = content

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Result:
        """Run one query.

        Args:
            sql: BigQuery SQL; tables as ``dataset.table``.
            parameters: Values of the declared parameters; more may be given than are used.

        Raises:
            EvaluationError: Google's words. A crash of the engine is told so, and survived.
        """
        given = parameters or {}
        words, steps, last = _steps(sql)
        kept: list[_Step] = []
        known: set[str] = set()
        try:
            for number, step in enumerate(steps):
                kept.append(step)
                after = " ".join([*(each.body for each in steps[number + 1 :]), last])
                if _is_repeated(step.name, after):
                    # The evaluator computes such a CTE for every row: it becomes a table.
                    text = _composed(words, kept, f"select * from {step.name}")
                    answer = self._evaluate(text, given, frozenset(known))
                    kept.pop()
                    known.add(step.name)
                    columns = [(column.name, column.type) for column in answer.prepared.columns]
                    self._tables[step.name] = columns
                    self._contents[step.name] = answer.content
            text = _composed(words, kept, last) if known else sql
            return _result(self._evaluate(text, given, frozenset(known)))
        finally:
            for name in known:
                self._forget_catalogs_of(name)
                del self._tables[name], self._contents[name]

    def _evaluate(
        self, sql: str, parameters: Mapping[str, Any], steps: frozenset[str]
    ) -> service.EvaluateQueryResponse:
        read = set(steps)

        def quoted(match: re.Match[str]) -> str:
            key = match[1].lower()
            read.add(key)
            # Back-quoted, the table's own name would no longer be the alias.
            return f"`{key}`{match[2] or ' as ' + key.partition('.')[2]}"

        request = service.EvaluateQueryRequest(
            sql=self._names.sub(quoted, sql), options=self._options
        )
        for name, value in parameters.items():
            parameter = request.params.add(name=name.lower())
            parameter.value.SetInParent()
            if value is not None:
                encoder(_type_proto(self._parameters[name.lower()]))(parameter.value, value)
        try:
            request.registered_catalog_id = self._catalog_of(frozenset(read))
            return self._engine.call("EvaluateQuery", request, service.EvaluateQueryResponse)
        except GoogleSqlError as error:
            raise EvaluationError(_CODE.sub("", str(error))) from None
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            # A failed check in the C++ ends this instance; the next query gets a new one.
            self._start()
            raise EvaluationError(f"the evaluator crashed: {type(error).__name__}") from None


def _result(answer: service.EvaluateQueryResponse) -> Result:
    columns = answer.prepared.columns
    decoders = [decoder(column.type) for column in columns]
    return Result(
        tuple((column.name, _type_name(column.type)) for column in columns),
        [
            tuple(
                decode(cell) if cell.WhichOneof("value") else None
                for decode, cell in zip(decoders, row.cell, strict=True)
            )
            for row in answer.content.table_data.row
        ],
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """One CTE."""

    name: str
    body: str


def _steps(sql: str) -> tuple[str, list[_Step], str]:
    """A query's ``with`` or ``with recursive``, its CTEs, and the text after them."""
    tokens = sqlglot.tokenize(sql, read="bigquery")
    opening_words = 0
    while tokens[opening_words].token_type in _WITH:
        opening_words += 1
    steps: list[_Step] = []
    at = opening_words
    while opening_words and (at == opening_words or tokens[at].token_type == TokenType.COMMA):
        at += tokens[at].token_type == TokenType.COMMA
        opening = closing = at + 2
        depth = 1
        while depth:
            closing += 1
            depth += _DEPTH.get(tokens[closing].token_type, 0)
        body = sql[tokens[opening].end + 1 : tokens[closing].start]
        steps.append(_Step(tokens[at].text, body))
        at = closing + 1
    words = " ".join(token.text for token in tokens[:opening_words])
    return words, steps, sql[tokens[at].start :]


def _is_repeated(name: str, text: str) -> bool:
    """True where a subquery in an expression reads it."""
    return bool(re.search(rf"\(\s*select\b[^()]*\bfrom\s+{name}\b", text, re.IGNORECASE))


def _composed(words: str, steps: Sequence[_Step], last: str) -> str:
    if not steps:
        return last
    ctes = ",\n".join(f"{step.name} as ({step.body})" for step in steps)
    return f"{words} {ctes}\n{last}"


def encoder(kind: types.TypeProto) -> Callable[[values.ValueProto, Any], None]:
    """A function that writes a value that is not None into a cell."""
    if kind.type_kind == types.TYPE_ARRAY:
        encode_element = encoder(kind.array_type.element_type)

        def encode_array(cell: values.ValueProto, items: Any) -> None:
            cell.array_value.SetInParent()
            for item in items:
                element = cell.array_value.element.add()
                if item is not None:
                    encode_element(element, item)

        return encode_array
    return _ENCODERS[kind.type_kind]


def decoder(kind: types.TypeProto) -> Callable[[values.ValueProto], Any]:
    """A function that reads a cell that is not NULL."""
    if kind.type_kind == types.TYPE_ARRAY:
        element = _nullable(decoder(kind.array_type.element_type))
        return lambda cell: [element(each) for each in cell.array_value.element]
    if kind.type_kind == types.TYPE_STRUCT:
        names = [field.field_name for field in kind.struct_type.field]
        fields = [_nullable(decoder(field.field_type)) for field in kind.struct_type.field]
        return lambda cell: {
            name: decode(each)
            for name, decode, each in zip(names, fields, cell.struct_value.field, strict=True)
        }
    return _DECODERS[kind.type_kind]


def _nullable(decode: Callable[[values.ValueProto], Any]) -> Callable[[values.ValueProto], Any]:
    return lambda cell: decode(cell) if cell.WhichOneof("value") else None


def _plain_encoder(field: str) -> Callable[[values.ValueProto, Any], None]:
    return lambda cell, value: setattr(cell, field, value)


def _encode_date(cell: values.ValueProto, value: date) -> None:
    cell.date_value = (value - _EPOCH_DAY).days


def _encode_timestamp(cell: values.ValueProto, value: datetime) -> None:
    since = value - _EPOCH
    cell.timestamp_value.seconds = since.days * 86_400 + since.seconds
    cell.timestamp_value.nanos = since.microseconds * 1000


def _encode_numeric(cell: values.ValueProto, value: Decimal) -> None:
    scaled = value.scaleb(9, _EXACT)
    whole = int(scaled)
    if whole != scaled:
        raise ValueError("a NUMERIC has at most nine places")
    cell.numeric_value = whole.to_bytes(whole.bit_length() // 8 + 1, "little", signed=True)


def _decode_numeric(cell: values.ValueProto) -> Decimal:
    return Decimal(int.from_bytes(cell.numeric_value, "little", signed=True)).scaleb(-9, _EXACT)


def _decode_timestamp(cell: values.ValueProto) -> datetime:
    at = cell.timestamp_value
    return _EPOCH + timedelta(seconds=at.seconds, microseconds=at.nanos // 1000)


def _decode_datetime(cell: values.ValueProto) -> datetime:
    bits = cell.datetime_value.bit_field_datetime_seconds
    return datetime(
        bits >> 26,
        (bits >> 22) & 15,
        (bits >> 17) & 31,
        (bits >> 12) & 31,
        (bits >> 6) & 63,
        bits & 63,
        cell.datetime_value.nanos // 1000,
    )


_ENCODERS: dict[int, Callable[[values.ValueProto, Any], None]] = {
    types.TYPE_STRING: _plain_encoder("string_value"),
    types.TYPE_INT64: _plain_encoder("int64_value"),
    types.TYPE_BOOL: _plain_encoder("bool_value"),
    types.TYPE_DOUBLE: _plain_encoder("double_value"),
    types.TYPE_BYTES: _plain_encoder("bytes_value"),
    types.TYPE_DATE: _encode_date,
    types.TYPE_TIMESTAMP: _encode_timestamp,
    types.TYPE_NUMERIC: _encode_numeric,
}
_DECODERS: dict[int, Callable[[values.ValueProto], Any]] = {
    types.TYPE_STRING: lambda cell: cell.string_value,
    types.TYPE_INT64: lambda cell: cell.int64_value,
    types.TYPE_BOOL: lambda cell: cell.bool_value,
    types.TYPE_DOUBLE: lambda cell: cell.double_value,
    types.TYPE_BYTES: lambda cell: cell.bytes_value,
    types.TYPE_JSON: lambda cell: cell.json_value,
    types.TYPE_DATE: lambda cell: _EPOCH_DAY + timedelta(days=cell.date_value),
    types.TYPE_TIMESTAMP: _decode_timestamp,
    types.TYPE_NUMERIC: _decode_numeric,
    types.TYPE_BIGNUMERIC: lambda cell: Decimal(
        int.from_bytes(cell.bignumeric_value, "little", signed=True)
    ).scaleb(-38, _EXACT),
    types.TYPE_DATETIME: _decode_datetime,
    # As the bits they are: a corpus entry only ever compares them with DuckDB's own type.
    types.TYPE_TIME: lambda cell: f"time {cell.time_value}",
    types.TYPE_INTERVAL: lambda cell: f"interval {cell.interval_value.hex()}",
}
