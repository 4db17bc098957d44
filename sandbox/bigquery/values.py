"""Cells as BigQuery's JSON writes them, and query parameters as DuckDB takes them."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.bigquery.errors import invalid, invalid_query
from sandbox.bigquery.types import Field, field_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCALARS = {
    "STRING",
    "BYTES",
    "INT64",
    "FLOAT64",
    "NUMERIC",
    "BIGNUMERIC",
    "BOOL",
    "DATE",
    "DATETIME",
    "TIME",
    "TIMESTAMP",
    "JSON",
}


def row_json(row: Sequence[Any], fields: Sequence[Field], *, micros: bool) -> dict[str, Any]:
    """``{"f": [{"v": …}]}``. ``micros``: TIMESTAMP as whole microseconds instead of seconds."""
    return {
        "f": [
            {"v": cell(value, field, micros=micros)}
            for value, field in zip(row, fields, strict=True)
        ]
    }


def cell(value: Any, field: Field, *, micros: bool) -> Any:
    if field.mode == "REPEATED":
        # BigQuery has no NULL arrays: it shows them empty.
        items = value if value is not None else []
        return [{"v": cell(item, field.element, micros=micros)} for item in items]
    if value is None:
        return None
    if field.type == "STRUCT":
        inner = value.values() if isinstance(value, dict) else value
        return row_json(list(inner), field.fields, micros=micros)
    return (
        _TEXT.get(field.type, str)(value) if field.type != "TIMESTAMP" else _instant(value, micros)
    )


def _instant(value: datetime, micros: bool) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    count = (aware - _EPOCH) // timedelta(microseconds=1)
    return str(count) if micros else repr(count / 1_000_000)


def _number(value: Any) -> str:
    text = format(Decimal(value), "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _float(value: float) -> str:
    if math.isinf(value) or math.isnan(value):
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[str(value)]
    return repr(float(value))


_TEXT: dict[str, Any] = {
    "BOOL": lambda value: "true" if value else "false",
    "BYTES": lambda value: base64.standard_b64encode(value).decode(),
    "DATE": date.isoformat,
    "DATETIME": lambda value: value.isoformat(
        timespec="microseconds" if value.microsecond else "seconds"
    ),
    "TIME": time.isoformat,
    "NUMERIC": _number,
    "BIGNUMERIC": _number,
    "FLOAT64": _float,
    "INT64": lambda value: str(int(value)),
}


def parameter_field(name: str, kind: dict[str, Any]) -> Field:
    """The type of a ``QueryParameterType``."""
    written = str(kind.get("type", "")).upper()
    if written == "ARRAY":
        item = parameter_field(name, kind.get("arrayType") or {})
        if item.mode == "REPEATED":
            raise invalid("Array of arrays is not a valid query parameter type")
        return replace(item, mode="REPEATED")
    if written in ("STRUCT", "RECORD"):
        subs = tuple(
            parameter_field(each.get("name", ""), each.get("type") or {})
            for each in kind.get("structTypes") or []
        )
        return Field(name, "STRUCT", "NULLABLE", subs)
    field = field_of({"name": "x", "type": written or "(none)"})
    if field.type not in _SCALARS:
        raise invalid(f"Invalid query parameter type {written}")
    return replace(field, name=name)


def parameter_value(field: Field, value: dict[str, Any] | None) -> Any:
    """A ``QueryParameterValue`` as a JSON-able value; scalars stay text, checked.

    Raises:
        ApiError: the text is none of the type.
    """
    value = value or {}
    if field.mode == "REPEATED":
        return [parameter_value(field.element, item) for item in value.get("arrayValues") or []]
    if field.type == "STRUCT":
        if "structValues" not in value:
            return None
        given = value["structValues"] or {}
        return {sub.name: parameter_value(sub, given.get(sub.name)) for sub in field.fields}
    text = value.get("value")
    if text is None:
        return None
    if not isinstance(text, str):
        # The original takes JSON numbers and booleans here as their text.
        text = json.dumps(text)
    try:
        _checked(field.type, text)
    except (ValueError, InvalidOperation):
        raise invalid_query(
            f"Invalid value for query parameter {field.name}: Could not cast {text!r} "
            f"to type {field.type}"
        ) from None
    return text


def _checked(kind: str, text: str) -> None:
    match kind:
        case "INT64":
            if not -(2**63) <= int(text) < 2**63:
                raise ValueError(text)
        case "FLOAT64":
            float(text)
        case "NUMERIC" | "BIGNUMERIC":
            Decimal(text)
        case "BOOL":
            if text.lower() not in ("true", "false"):
                raise ValueError(text)
        case "DATE":
            date.fromisoformat(text)
        case "TIME":
            time.fromisoformat(text)
        case "DATETIME":
            if datetime.fromisoformat(text).tzinfo:
                raise ValueError(text)
        case "TIMESTAMP":
            if not re.match(r"\d{4}-\d{2}-\d{2}", text):
                raise ValueError(text)
            datetime.fromisoformat(text.replace(" UTC", "+00:00"))
        case "JSON":
            json.loads(text)
        case "BYTES":
            base64.standard_b64decode(text)


def parameter_sql(field: Field, variable: str) -> str:
    """DuckDB's expression for a parameter that is bound as text."""
    if field.mode == "REPEATED" or field.type == "STRUCT":
        return f"CAST(CAST({variable} AS JSON) AS {field.duckdb_type()})"
    if field.type == "BYTES":
        return f"from_base64(CAST({variable} AS VARCHAR))"
    return f"CAST(CAST({variable} AS VARCHAR) AS {field.duckdb_type()})"


def bound(field: Field, value: Any) -> str | None:
    """What is bound to that expression's variable."""
    if field.mode == "REPEATED" or field.type == "STRUCT":
        return None if value is None else json.dumps(value)
    if value is not None and field.type == "TIMESTAMP":
        return str(value).replace(" UTC", "+00:00")
    return value
