"""BigQuery takes every statement that the product says to it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import trueline
from tests.googlesql.inline import inline_statements
from tests.live.findings import FINDINGS
from tests.live.target import Target, stored_tables
from trueline.errors import TruelineError
from trueline.model.catalog import load_catalog
from trueline.model.parameters import REPORT_PARAMETERS
from trueline.pipeline.build import run_parameters
from trueline.rulebook import load_rulebook
from trueline.warehouse import Work, open_warehouse
from trueline.warehouse.bigquery.access import own_place
from trueline.warehouse.ddl import create_table_sql
from trueline.warehouse.places import with_places
from trueline.warehouse.statements import all_scripts, all_statements
from trueline.windows import utc_now

AT_ONCE = 8


def _values(target: Target) -> dict[str, Any]:
    rulebook = load_rulebook(target.profile.rulebook, target.profile.time_zone)
    rows = {
        f"{table.name}_rows": (table, [{}])
        for table in load_catalog().values()
        if table.layer in ("ops", "rules")
        or table.key == "raw.loads"
        or (table.layer == "marts" and table.query is None)
    }
    some = {
        **dict.fromkeys(REPORT_PARAMETERS),
        "by": "day",
        "first_day": utc_now().date(),
        "last_day": utc_now().date(),
        "days": [utc_now().date()],
        "previous_as_of": utc_now(),
        "newest": utc_now().date(),
        "run_id": "x",
        "load_id": "x",
        "first_load": "x",
        "last_load": "x",
        "load_ids": ["x"],
        "given_up": ["x"],
        "loaded_at": utc_now(),
        "account_ids": ["x"],
        "report": "delivery",
        "record_ids": ["x"],
        "row_limit": 1,
    }
    return {**run_parameters(target.profile, rulebook, utc_now()), **rows, **some}


def _refused(
    target: Target, statements: Mapping[str, str], place: Callable[[str, str], str]
) -> list[tuple[str, str]]:
    """Name and error of each statement that a dry run refuses."""
    jobs, values = target.jobs("dry_run"), _values(target)

    def try_it(item: tuple[str, str]) -> tuple[str, str] | None:
        from google.api_core.exceptions import GoogleAPICallError

        name, sql = item
        try:
            jobs.estimate(with_places(sql, place), values)
        except (GoogleAPICallError, TruelineError) as error:
            return name, str(error)
        return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [found for found in pool.map(try_it, statements.items()) if found]


def test_every_table_can_be_made_and_is_then_as_it_should_be(target: Target) -> None:
    made = {
        f"create {table.key}": create_table_sql(
            table, "bigquery", f"{target.settings.dataset_prefix}{table.layer}", expiration_days=90
        )
        for table in stored_tables()
    }
    refused = _refused(target, made, own_place(target.settings))
    with open_warehouse(target.profile, Work("ensure", f"ensure-{secrets.token_hex(4)}")) as found:
        found.ensure_tables(stored_tables())
        # Read back and compared with table.yaml: a type or a partition that differs is refused.
        found.ensure_tables(stored_tables())
    FINDINGS.refuse("tables", refused, looked_at=f"{len(made)} made")


def test_what_bigquery_refuses_is_seen(target: Target, tables: None) -> None:
    """Else the next tests could not fail."""
    broken = {
        "good": "select load_id from raw.loads",
        "no such column": "select nobody from raw.loads",
        "no days": "select touch_id from raw.touches",
    }
    refused = dict(_refused(target, broken, own_place(target.settings)))
    assert refused.keys() == {"no such column", "no days"}
    assert "nobody" in refused["no such column"]
    assert "Cannot query over table" in refused["no days"]


def test_every_statement_is_taken(target: Target, tables: None) -> None:
    statements = {**all_statements(), **dict(_queries()), **dict(_inline())}
    refused = _refused(target, statements, own_place(target.settings))
    FINDINGS.refuse("statements", refused, looked_at=f"{len(statements)} dry runs")


def _queries() -> Iterator[tuple[str, str]]:
    for table in load_catalog().values():
        if table.query:
            yield f"query {table.key}", table.query


def _inline() -> Iterator[tuple[str, str]]:
    for statement in inline_statements(Path(trueline.__file__).parent):
        if with_places(statement.sql, lambda layer, table: "") != statement.sql:
            yield f"{statement.path.name}:{statement.line}", statement.sql


def test_every_script_is_taken(target: Target, tables: None) -> None:
    from google.cloud.bigquery import SchemaField
    from google.cloud.bigquery import Table as LiveTable

    scratch = target.dataset("scratch")

    def make(table: Any) -> None:
        schema = [SchemaField(column.name, column.type) for column in table.columns]
        name = f"{target.settings.project}.{scratch}.{table.layer}__{table.name}"
        target.access.client.create_table(LiveTable(name, schema=schema), exists_ok=True)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(make, stored_tables()))
    scripts = {
        name: script.replace(" scratch.", f" {scratch}.") for name, script in all_scripts().items()
    }
    refused = _refused(target, scripts, own_place(target.settings))
    FINDINGS.refuse("scripts", refused, looked_at=f"{len(scripts)} dry runs")
