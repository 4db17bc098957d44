"""DDL for both engines from one table.yaml."""

from __future__ import annotations

import re
from typing import Literal

from trueline.model.catalog import Column, Table

DUCKDB_TYPES = {
    "STRING": "VARCHAR",
    "INT64": "BIGINT",
    "NUMERIC": "DECIMAL(38,9)",
    "BOOL": "BOOLEAN",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMPTZ",
    "FLOAT64": "DOUBLE",
}


def create_table_sql(
    table: Table,
    dialect: Literal["bigquery", "duckdb"],
    dataset: str | None = None,
    *,
    expiration_days: int | None = None,
) -> str:
    """``create table if not exists`` for one engine.

    Args:
        dataset: The dataset or schema that stands for the table's layer; the layer itself if None.
        expiration_days: On BigQuery, days after which a partition goes by itself.
    """
    target = f"{dataset or table.layer}.{table.name}"
    columns = ",\n    ".join(_column(column, dialect) for column in table.columns)
    sql = f"create table if not exists {target} (\n    {columns}\n)"
    if dialect == "duckdb":
        return sql
    if table.partition_by:
        sql += f"\npartition by {table.partition_by}"
    if table.cluster_by:
        sql += f"\ncluster by {', '.join(table.cluster_by)}"
    options = [f"description = {string_literal(table.purpose)}"]
    if table.partition_by:
        # A query that forgets its days is refused instead of billed for all of them.
        options.append("require_partition_filter = true")
        if expiration_days is not None:
            options.append(f"partition_expiration_days = {expiration_days}")
    return f"{sql}\noptions ({', '.join(options)})"


def add_column_sql(table: Table, column: Column, dialect: Literal["bigquery", "duckdb"]) -> str:
    return f"alter table {table.key} add column {_column(column, dialect, nullable=True)}"


def _column(column: Column, dialect: str, *, nullable: bool = False) -> str:
    kind = DUCKDB_TYPES[column.type] if dialect == "duckdb" else column.type
    required = " not null" if column.required and not nullable else ""
    if dialect == "duckdb":
        return f"{column.name} {kind}{required}"
    return (
        f"{column.name} {kind}{required} options (description = "
        f"{string_literal(column.description)})"
    )


def string_literal(text: str) -> str:
    """A BigQuery string literal."""
    escaped = re.sub(r"(['\\])", r"\\\1", text).replace("\n", "\\n")
    return f"'{escaped}'"
