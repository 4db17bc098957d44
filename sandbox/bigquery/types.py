"""Columns: BigQuery's types, their REST schema, and what DuckDB calls them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from sandbox.bigquery.errors import ApiError, invalid

_LEGACY = {
    "INT64": "INTEGER",
    "FLOAT64": "FLOAT",
    "BOOL": "BOOLEAN",
    "STRUCT": "RECORD",
}
_STANDARD = {legacy: standard for standard, legacy in _LEGACY.items()} | {
    "INT": "INT64",
    "SMALLINT": "INT64",
    "BIGINT": "INT64",
    "TINYINT": "INT64",
    "BYTEINT": "INT64",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
}
_DUCKDB = {
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "NUMERIC": "DECIMAL(38,9)",
    # Not its 76 digits: DuckDB has 38.
    "BIGNUMERIC": "DECIMAL(38,18)",
    "BOOL": "BOOLEAN",
    "DATE": "DATE",
    "DATETIME": "TIMESTAMP",
    "TIME": "TIME",
    "TIMESTAMP": "TIMESTAMPTZ",
    "JSON": "JSON",
    "INTERVAL": "INTERVAL",
}
_FROM_DUCKDB = {
    "VARCHAR": "STRING",
    "BLOB": "BYTES",
    "DOUBLE": "FLOAT64",
    "FLOAT": "FLOAT64",
    "BOOLEAN": "BOOL",
    "DATE": "DATE",
    "TIMESTAMP": "DATETIME",
    "TIME": "TIME",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "JSON": "JSON",
    "INTERVAL": "INTERVAL",
    "UUID": "STRING",
    '"NULL"': "INT64",
} | {
    f"{sign}{name}": "INT64"
    for sign in ("", "U")
    for name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")
_FIELD_KEYS = {
    "name",
    "type",
    "mode",
    "fields",
    "description",
    "precision",
    "scale",
    "maxLength",
    "policyTags",
    "defaultValueExpression",
    "roundingMode",
    "timestampPrecision",
}


@dataclass(frozen=True)
class Field:
    """One column. ``mode`` is NULLABLE, REQUIRED or REPEATED; ``type`` a GoogleSQL name."""

    name: str
    type: str
    mode: str = "NULLABLE"
    fields: tuple[Field, ...] = ()
    description: str | None = None
    policy_tags: tuple[str, ...] = ()

    @property
    def element(self) -> Field:
        """One item of a REPEATED column."""
        return replace(self, mode="NULLABLE")

    def sql_type(self) -> str:
        """``ARRAY<STRUCT<a INT64>>`` as GoogleSQL writes it."""
        text = self.type
        if self.type == "STRUCT":
            text = f"STRUCT<{', '.join(f'{sub.name} {sub.sql_type()}' for sub in self.fields)}>"
        return f"ARRAY<{text}>" if self.mode == "REPEATED" else text

    def duckdb_type(self) -> str:
        if self.type == "STRUCT":
            inner = ", ".join(f"{quoted(sub.name)} {sub.duckdb_type()}" for sub in self.fields)
            text = f"STRUCT({inner})"
        else:
            text = _DUCKDB[self.type]
        return f"{text}[]" if self.mode == "REPEATED" else text

    def resource(self) -> dict[str, Any]:
        """The REST ``TableFieldSchema``, with the legacy type names BigQuery answers with."""
        found: dict[str, Any] = {
            "name": self.name,
            "type": _LEGACY.get(self.type, self.type),
            "mode": self.mode,
        }
        if self.fields:
            found["fields"] = [sub.resource() for sub in self.fields]
        if self.description is not None:
            found["description"] = self.description
        if self.policy_tags:
            found["policyTags"] = {"names": list(self.policy_tags)}
        return found


def quoted(name: str) -> str:
    """A DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


def field_of(resource: dict[str, Any]) -> Field:
    """A column from its REST schema.

    Raises:
        ApiError: invalid, for an unknown key, type, mode or name.
    """
    for key in resource:
        if key not in _FIELD_KEYS:
            raise unknown_name(key)
    name, kind = str(resource.get("name", "")), str(resource.get("type", "")).upper()
    if not _NAME.fullmatch(name):
        raise invalid(
            f'Invalid field name "{name}". Fields must contain only letters, numbers, and '
            "underscores, start with a letter or underscore, and be at most 300 characters long."
        )
    kind = _STANDARD.get(kind, kind)
    mode = str(resource.get("mode") or "NULLABLE").upper()
    if kind not in _DUCKDB and kind != "STRUCT":
        raise invalid(f"Invalid value for type: {kind} is not a valid value")
    if mode not in ("NULLABLE", "REQUIRED", "REPEATED"):
        raise invalid(f"Invalid value for mode: {mode} is not a valid value")
    fields = tuple(field_of(sub) for sub in resource.get("fields") or [])
    if (kind == "STRUCT") != bool(fields):
        raise invalid(f"Field {name} is type RECORD but has no schema")
    tags = tuple((resource.get("policyTags") or {}).get("names") or ())
    return Field(name, kind, mode, fields, resource.get("description"), tags)


def schema_of(resource: dict[str, Any] | None) -> tuple[Field, ...]:
    """All columns of a REST ``TableSchema``."""
    fields = tuple(field_of(each) for each in (resource or {}).get("fields") or [])
    names = [field.name.lower() for field in fields]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"Field {name} already exists in schema")
    return fields


def schema_resource(fields: tuple[Field, ...]) -> dict[str, Any]:
    return {"fields": [field.resource() for field in fields]}


def field_from_sqlglot(name: str, kind: Any, mode: str, description: str | None) -> Field:
    """A column from a parsed ``CREATE TABLE``."""
    from sqlglot import exp

    if kind.is_type(exp.DataType.Type.ARRAY):
        return field_from_sqlglot(name, kind.expressions[0], "REPEATED", description)
    if kind.is_type(exp.DataType.Type.STRUCT):
        subs = tuple(
            field_from_sqlglot(sub.this.name, sub.args["kind"], "NULLABLE", None)
            for sub in kind.expressions
        )
        return Field(name, "STRUCT", mode, subs, description)
    written = kind.sql("bigquery").split("(")[0].upper()
    found = _STANDARD.get(written, written)
    if found not in _DUCKDB:
        raise ApiError("invalidQuery", f"Type not found: {written}", location="query")
    return Field(name, found, mode, (), description)


def field_from_duckdb(name: str, kind: Any) -> Field:
    """A result's column from DuckDB's own type."""
    identifier = kind.id
    if identifier in ("list", "array"):
        inner = field_from_duckdb(name, kind.children[0][1])
        return replace(inner, mode="REPEATED")
    if identifier == "struct":
        subs = tuple(field_from_duckdb(sub, inner) for sub, inner in kind.children)
        return Field(name, "STRUCT", "NULLABLE", subs)
    if identifier == "decimal":
        # A literal such as 1.5 is a short DECIMAL in DuckDB and a FLOAT64 in BigQuery.
        width = dict(kind.children)["precision"]
        return Field(name, "NUMERIC" if width >= 38 else "FLOAT64")
    if str(kind) not in _FROM_DUCKDB:
        raise ApiError("invalidQuery", f"No type of BigQuery for {kind}", location="query")
    return Field(name, _FROM_DUCKDB[str(kind)])


def unknown_name(key: str, path: str = "") -> ApiError:
    """A JSON key that the API does not know."""
    where = f" at '{path}'" if path else ""
    return ApiError(
        "badRequest",
        f'Invalid JSON payload received. Unknown name "{key}"{where}: Cannot find field.',
        status=400,
    )
