"""Sizes in BigQuery's bytes, exact on small tables with NULLs and letters of every width."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tests.cost.tables import EVENTS, PEOPLE, VISITS, table
from tests.lint.sql_rules import check_query
from trueline.cost.estimate import Estimator
from trueline.cost.example import example_sizes
from trueline.cost.queries import daily_run
from trueline.cost.sizes import (
    _STEADY_TABLES,
    TableSize,
    grows_with_days,
    history_days,
    measure,
    size_query,
)
from trueline.model.catalog import Table
from trueline.warehouse.ddl import create_table_sql
from trueline.warehouse.duckdb import DuckDBConnection, in_memory

ALL_TYPES = table(
    "raw.all_types",
    {
        "text": "STRING",
        "number": "INT64",
        "share": "FLOAT64",
        "amount": "NUMERIC",
        "is_it": "BOOL",
        "day": "DATE",
        "moment": "TIMESTAMP",
    },
    partition_by="day",
)
DAY = date(2026, 3, 1)
MOMENT = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
TEXTS = ["", "plain", "Größe", "€", "日本語", "😀", "e\u0301", "tab\tand\nline", "a\\b", None]
WIDTHS = {"INT64": 8, "FLOAT64": 8, "NUMERIC": 16, "BOOL": 1, "DATE": 8, "TIMESTAMP": 8}


def logical_bytes(kind: str, value: Any) -> int:
    """What BigQuery says of one value, written anew."""
    if value is None:
        return 0
    return 2 + len(value.encode("utf-8")) if kind == "STRING" else WIDTHS[kind]


def warehouse_with(*filled: tuple[Table, list[dict[str, Any]]]) -> DuckDBConnection:
    connection = in_memory()
    connection.raw.execute("create schema raw")
    for each, rows in filled:
        connection.raw.execute(create_table_sql(each, "duckdb"))
        connection.insert(each, rows)
    return connection


def test_every_type_is_counted_as_bigquery_counts_it_and_null_is_nothing() -> None:
    full = {
        "number": 2**62,
        "share": 0.5,
        "amount": Decimal("1.000000001"),
        "is_it": False,
        "day": DAY,
        "moment": MOMENT,
    }
    rows: list[dict[str, Any]] = [{"text": text, **full} for text in TEXTS]
    rows += [{"text": "only the day", "day": date(2026, 2, 27)}, {"day": DAY}]
    size = measure(warehouse_with((ALL_TYPES, rows)), [ALL_TYPES])["raw.all_types"]
    assert size.rows == len(rows)
    assert size.column_bytes == {
        column.name: sum(logical_bytes(column.type, row.get(column.name)) for row in rows)
        for column in ALL_TYPES.columns
    }
    assert (size.first_day, size.last_day) == (date(2026, 2, 27), DAY)


def test_a_table_without_rows_weighs_nothing() -> None:
    size = measure(warehouse_with((VISITS, [])), [VISITS])["raw.visits"]
    assert size == TableSize(0, dict.fromkeys(("visit_id", "day", "clicks", "page"), 0))


def test_history_is_what_raw_partitions_span_and_at_least_a_day() -> None:
    sizes = {
        "raw.a": TableSize(1, {}, date(2026, 1, 2), date(2026, 1, 5)),
        "raw.b": TableSize(1, {}, date(2026, 1, 4), date(2026, 1, 9)),
        "raw.c": TableSize(1, {}),
        "identity.leads": TableSize(1, {}, date(2020, 1, 1), date(2026, 1, 9)),
    }
    assert history_days(sizes) == 8
    assert history_days({"raw.c": TableSize(0, {})}) == 1


def test_the_size_of_every_table_can_be_asked_for_on_both_engines(
    catalog: Mapping[str, Table],
) -> None:
    for each in (*catalog.values(), VISITS, EVENTS, PEOPLE):
        assert check_query(size_query(each), each.key) == []


def test_the_size_queries_are_bigquery_sql(catalog: Mapping[str, Table], analyser: Any) -> None:
    for each in catalog.values():
        found = analyser.analyse(size_query(each)).columns
        assert {kind for name, kind in found if name.endswith("_bytes")} == {"INT64"}, each.key


def test_tables_that_do_not_grow_exist(catalog: Mapping[str, Table]) -> None:
    assert set(catalog) >= _STEADY_TABLES
    growing = [key for key, each in catalog.items() if grows_with_days(each)]
    assert "raw.tag_events" in growing
    assert not [key for key in growing if key.startswith("rules.")]


def test_the_example_answers_for_every_query_of_a_run(catalog: Mapping[str, Table]) -> None:
    estimator = Estimator(catalog, example_sizes(catalog))
    silent = [
        query.subject
        for query in daily_run(catalog, [])
        if not estimator.query(query).at(history_days=90, touched_days=31)
    ]
    assert silent == []
