"""The same BigQuery text on GoogleSQL's evaluator and, translated, on DuckDB: what differs.

Everything counts: names and types of all columns, values to the last bit, NULLs, the number of
equal rows, and their order where the query itself states one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import sqlglot

from tests.googlesql.evaluator import Evaluator, Result
from trueline.model.catalog import Table, load_catalog
from trueline.model.parameters import PARAMETERS
from trueline.warehouse.dialect import to_duckdb

Rows = Mapping[str, Sequence[Mapping[str, Any]]]

_MAX_ROUNDS = 50
_SHOWN = 5
# An integer is as wide as DuckDB thinks fit; all of them are read as Python's int.
_TYPES = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", '"NULL"'), "INT64"),
    "VARCHAR": "STRING",
    "BOOLEAN": "BOOL",
    "DOUBLE": "FLOAT64",
    "BLOB": "BYTES",
    "DATE": "DATE",
    "TIMESTAMP": "DATETIME",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
}
_NUMERIC_PLACES = 9


def catalog_evaluator() -> Evaluator:
    """An evaluator that knows every table and parameter of the product."""
    return Evaluator(
        {
            key: [(column.name, column.type) for column in table.columns]
            for key, table in load_catalog().items()
        },
        PARAMETERS,
    )


def evaluate_table(evaluator: Evaluator, table: Table, parameters: Mapping[str, Any]) -> Result:
    """A table's rows by GoogleSQL alone, repeated until stable where the table says so.

    The evaluator holds them as the table's rows afterwards.
    """
    assert table.query is not None
    evaluator.set_rows(table.key, [])
    result = evaluator.query(table.query, parameters)
    evaluator.set_rows(table.key, result.as_dicts())
    for _ in range(_MAX_ROUNDS if table.repeat_until_stable else 0):
        before = set(result.rows)
        result = evaluator.query(table.query, parameters)
        evaluator.set_rows(table.key, result.as_dicts())
        if set(result.rows) <= before:
            break
    else:
        assert not table.repeat_until_stable, f"{table.key} is not stable"
    return result


def on_duckdb(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: Mapping[str, Any] | None = None,
    translate: Any = to_duckdb,
) -> Result:
    """One BigQuery query on DuckDB, its types as BigQuery calls them."""
    text = translate(sql)
    named = set(re.findall(r"\$(\w+)", text))
    used = {name: value for name, value in (parameters or {}).items() if name in named}
    answer = connection.execute(text, used)
    columns = tuple((name, bigquery_type(str(kind))) for name, kind, *_ in answer.description)
    return Result(columns, answer.fetchall())


def bigquery_type(duckdb_type: str) -> str:
    """BigQuery's name of a DuckDB type; a type that BigQuery does not have keeps its own name."""
    if duckdb_type.endswith("[]"):
        return f"ARRAY<{bigquery_type(duckdb_type[:-2])}>"
    decimal = re.fullmatch(r"DECIMAL\(\d+,(\d+)\)", duckdb_type)
    if decimal and int(decimal[1]) <= _NUMERIC_PLACES:
        return "NUMERIC"
    fields = re.fullmatch(r"STRUCT\((.*)\)", duckdb_type)
    if fields:
        pairs = [each.rsplit(" ", 1) for each in re.split(r", (?![^(]*\))", fields[1])]
        return f"STRUCT<{', '.join(f'{n.strip(chr(34))} {bigquery_type(t)}' for n, t in pairs)}>"
    return _TYPES.get(duckdb_type, duckdb_type)


def differences(googlesql: Result, duckdb_result: Result, *, ordered: bool) -> list[str]:
    """What differs between the two engines, in words; nothing where they agree."""
    if googlesql.columns != duckdb_result.columns:
        return [f"columns: GoogleSQL {googlesql.columns}, DuckDB {duckdb_result.columns}"]
    ours = [_exact(row) for row in duckdb_result.rows]
    theirs = [_exact(row) for row in googlesql.rows]
    if ordered:
        pairs = enumerate(zip(theirs, ours, strict=False))
        found = [f"row {n}: GoogleSQL {a}, DuckDB {b}" for n, (a, b) in pairs if a != b]
        if len(ours) != len(theirs):
            found.append(f"GoogleSQL {len(theirs)} rows, DuckDB {len(ours)}")
        return found[:_SHOWN]
    return list(_unordered_differences(Counter(theirs), Counter(ours)))


def states_an_order(sql: str) -> bool:
    """True where the query's outermost level has an ORDER BY."""
    return sqlglot.parse_one(sql, read="bigquery").args.get("order") is not None


def _unordered_differences(theirs: Counter[Any], ours: Counter[Any]) -> Iterator[str]:
    for engine, rows in (("GoogleSQL", theirs - ours), ("DuckDB", ours - theirs)):
        for row, count in list(rows.items())[:_SHOWN]:
            yield f"only {engine} ({count}×): {row}"
        if len(rows) > _SHOWN:
            yield f"only {engine}: {len(rows) - _SHOWN} rows more"


def _exact(value: Any) -> Any:
    """Hashable, and equal only where both engines truly said the same."""
    match value:
        case None | str():
            return value
        case bool():
            return f"bool {value}"
        case float():
            return f"float {value!r}"
        case Decimal():
            return f"numeric {value.normalize() + 0:f}"
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).isoformat()
        case tuple():
            return tuple(_exact(each) for each in value)
        case list():
            # BigQuery shows a NULL array as an empty one.
            return tuple(_exact(each) for each in value) or None
        case dict():
            return tuple((name, _exact(each)) for name, each in value.items())
        case bytearray() | memoryview():
            return bytes(value)
    return value
