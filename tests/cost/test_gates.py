"""The gates' queries as modelled against those that Great Expectations really sends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlglot

from tests.end_to_end.conftest import profile_in
from trueline.cost.gates import gate_queries
from trueline.cost.reads import scans
from trueline.model.catalog import Table
from trueline.paths import home
from trueline.quality.runner import run_border
from trueline.quality.suites import Border, load_suites
from trueline.warehouse import Work, open_warehouse

SUITES = home() / "great_expectations"
Shape = tuple[tuple[str, tuple[str, ...]], ...]


def _shape(sql: str, catalog: Mapping[str, Table]) -> Shape:
    return tuple((scan.table, tuple(sorted(scan.columns))) for scan in scans(sql, catalog))


@contextmanager
def _listening() -> Iterator[list[str]]:
    import sqlalchemy

    heard: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        heard.append(statement)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", hear)


def _as_bigquery(statement: str) -> str:
    with_values = re.sub(r"\$\d+", "'1'", statement)
    return sqlglot.parse_one(with_values, read="duckdb").sql(dialect="bigquery")


@pytest.mark.parametrize("border", ["raw", "marts", "activation"])
def test_a_gate_makes_the_queries_that_are_counted(
    border: Border, catalog: Mapping[str, Table], tmp_path: Path
) -> None:
    profile = profile_in(tmp_path / "data")
    with open_warehouse(profile, Work("test", "run-of-a-test")) as warehouse:
        warehouse.ensure_tables(catalog.values())
        with warehouse.for_quality(published=False) as access, _listening() as heard:
            run_border(
                border,
                connection_string=access.address,
                datasets=access.datasets,
                suites_dir=SUITES,
                loaded_since=datetime(2026, 1, 1, tzinfo=UTC),
            )
    sent = Counter(_shape(_as_bigquery(statement), catalog) for statement in heard)
    counted = Counter(
        _shape(sql, catalog)
        for suite in load_suites(SUITES, border)
        for sql in gate_queries(suite, catalog[suite.name])
    )
    assert sum(sent.values()) > 20
    assert sent == counted
