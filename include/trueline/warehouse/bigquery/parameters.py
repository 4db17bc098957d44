"""Values as typed query parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trueline.model.catalog import Table
from trueline.model.parameters import PARAMETERS

if TYPE_CHECKING:
    from google.cloud.bigquery import ArrayQueryParameter

#: Rows for ``unnest(@rows)``: the table that says their types, and the rows.
TableRows = tuple[Table, list[Mapping[str, Any]]]


def typed_parameters(sql: str, values: Mapping[str, Any]) -> list[Any]:
    """Parameters of one statement or script; those it does not use are left out."""
    used = set(re.findall(r"@(\w+)", sql))
    return [_parameter(name, value) for name, value in values.items() if name in used]


def _parameter(name: str, value: Any) -> Any:
    from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

    if isinstance(value, tuple) and value and isinstance(value[0], Table):
        return _rows_parameter(name, *value)
    if isinstance(value, list):
        return ArrayQueryParameter(name, type_of(name, value[0] if value else None), value)
    return ScalarQueryParameter(name, type_of(name, value), value)


def _rows_parameter(
    name: str, table: Table, rows: Iterable[Mapping[str, Any]]
) -> ArrayQueryParameter:
    from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter
    from google.cloud.bigquery import StructQueryParameter as Struct

    structs = [
        Struct(
            None,
            *(
                ScalarQueryParameter(column.name, column.type, row.get(column.name))
                for column in table.columns
            ),
        )
        for row in rows
    ]
    return ArrayQueryParameter(name, "STRUCT", structs)


def type_of(name: str, value: Any) -> str:
    """BigQuery's type of a parameter: by its name where the product knows it, else by its value."""
    if name in PARAMETERS:
        return PARAMETERS[name]
    if isinstance(value, bool):
        return "BOOL"
    if isinstance(value, int):
        return "INT64"
    if isinstance(value, datetime):
        return "TIMESTAMP"
    if isinstance(value, date):
        return "DATE"
    return "NUMERIC" if isinstance(value, Decimal) else "STRING"
