"""Rows on their way into raw: Arrow and Parquet with exactly the columns of table.yaml."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from trueline.errors import PermanentError
from trueline.model.catalog import Table

ARROW_TYPES: dict[str, pa.DataType] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "NUMERIC": pa.decimal128(38, 9),
    "BOOL": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "FLOAT64": pa.float64(),
}


def arrow_schema(table: Table) -> pa.Schema:
    """The columns of a table as Arrow has them."""
    return pa.schema(
        pa.field(column.name, ARROW_TYPES[column.type], nullable=not column.required)
        for column in table.columns
    )


def schema_of(table: Table, path: Path) -> pa.Schema:
    """The file's schema, where it is the table's: no column may appear, vanish or change.

    Raises:
        PermanentError: names the column that differs.
    """
    import pyarrow.parquet as pq

    schema: pa.Schema = pq.read_schema(path)
    wanted = {column.name: ARROW_TYPES[column.type] for column in table.columns}
    found = {field.name: field.type for field in schema}
    if found != wanted:
        differs = next(
            name
            for name in sorted(wanted.keys() | found.keys())
            if wanted.get(name) != found.get(name)
        )
        raise PermanentError(
            f"The rows do not fit the tables of raw: {differs} is {found.get(differs, 'missing')}, "
            f"where {wanted.get(differs, 'no such column')} is expected.",
            where=table.key,
            fix="Change table.yaml and the source together.",
        )
    return schema
