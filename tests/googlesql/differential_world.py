"""A small world with nasty rows in it, built twice: by the product on DuckDB, by GoogleSQL alone.

A nasty row takes each value from what the world itself says in that column, so that rows meet, or
from values at which engines part: ties, NULLs, midnights of days on which clocks change, nine
decimals, letters of more than one byte, blanks of all kinds.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from sandbox.world import World
from tests.end_to_end.conftest import Company, profile_in, served
from tests.googlesql.differential import (
    catalog_evaluator,
    differences,
    evaluate_table,
    on_duckdb,
    states_an_order,
)
from trueline import pipeline
from trueline.model.catalog import Column, Table, build_order, load_catalog
from trueline.model.parameters import REPORT_PARAMETERS
from trueline.pipeline.build import run_parameters
from trueline.rulebook import load_rulebook
from trueline.windows import utc_now

# Clocks go forward in this world.
LAST_DAY = date(2026, 3, 31)
FIRST_MOMENT = datetime(2026, 3, 27, 22, 59, 59, 999_999, tzinfo=UTC)
_LOADS = 6
_NULL = 0.15
_KEYS = {"client_id", "click_id", "crm_record_id", "merged_into_record_id", "touch_id"}
_NAMES = {"crm", "platform", "observer", "source", "stage", "event_name", "subject", "report"}
_TRUE = {"is_test": 0.03, "is_deleted": 0.1, "is_exhaustive": 0.3}
_TEXTS = (
    "",
    " ",
    "\t\u00a0\n",
    " Müller ",
    "MÜLLER",
    "müller\u2003",
    "İstanbul",
    "ΟΔΟΣ",
    "Straße",
    "STRASSE",
    "Cafe\u0301",
    "Café",
    "👩‍👩‍👧 ok",
    "日本語",
    "100%_\\",
    "a:b|c#1,d",
    "ſ",
)
_NUMBERS = tuple(
    map(Decimal, ("0", "1", "0.5", "0.333333333", "0.000000001", "-0.000000001", "0.0109375"))
)
_MONEY = tuple(map(Decimal, ("0", "0.005", "1234.565", "99999.999999999", "-12.345678901")))
_CONSENTS = ("granted", "DENIED ", "denied", "unknown", "Ja")
_GRAINS = ("day", "week", "month", "channel", "campaign", "total")


@dataclass(frozen=True)
class BuiltWorld:
    """How many tables and rows were built, and what differed, by table."""

    tables: int
    rows: int
    differing: dict[str, list[str]]


def build_on_both(folder: Path, *, seed: int, days: int, size: float, nasty: int) -> BuiltWorld:
    """Make a world, pull it through the platforms' APIs, and build it on both engines.

    Args:
        nasty: Nasty rows in each raw table.
    """
    world = World.make(seed, last_day=LAST_DAY, days=days, size=size)
    with served(world) as url:
        company = Company(world, url, profile_in(folder))
        company.ingest(company.window)
    profile = company.profile
    with closing(duckdb.connect(str(profile.data_folder / "warehouse.duckdb"))) as connection:
        _add_nasty_rows(connection, random.Random(seed), nasty)
    as_of = utc_now()
    pipeline.build(profile, company.window, as_of=as_of)
    rulebook = load_rulebook(profile.rulebook, profile.time_zone)
    parameters = run_parameters(profile, rulebook, as_of)
    with closing(duckdb.connect(str(profile.data_folder / "warehouse.duckdb"))) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return _compare(connection, parameters)


def _compare(connection: duckdb.DuckDBPyConnection, parameters: dict[str, Any]) -> BuiltWorld:
    catalog, evaluator = load_catalog(), catalog_evaluator()
    rows = 0
    differing: dict[str, list[str]] = {}
    for key, table in catalog.items():
        if not table.query and table.layer != "raw_restricted":
            evaluator.set_rows(key, on_duckdb(connection, f"select * from {key}").as_dicts())
    order = build_order(catalog)
    for table in order:
        by_googlesql = evaluate_table(evaluator, table, parameters)
        by_duckdb = on_duckdb(connection, f"select * from {table.key}")
        rows += len(by_duckdb.rows)
        found = differences(by_googlesql, by_duckdb, ordered=False)
        if found:
            differing[table.key] = found
    for table, asked in _reports(catalog.values()):
        assert table.query is not None
        given = parameters | asked
        found = differences(
            evaluator.query(table.query, given),
            on_duckdb(connection, table.query, given),
            ordered=states_an_order(table.query),
        )
        if found:
            differing[f"{table.key} {asked['by']}"] = found
    return BuiltWorld(len(order), rows, differing)


def _reports(tables: Any) -> Iterator[tuple[Table, dict[str, Any]]]:
    for table in tables:
        if table.kind == "report":
            for grain in _GRAINS if "by" in table.parameters else _GRAINS[:1]:
                # A day that is asked for by itself has to be one.
                first = None if "by" in table.parameters else LAST_DAY - timedelta(days=28)
                days = {"first_date": first, "last_date": LAST_DAY}
                yield table, dict.fromkeys(REPORT_PARAMETERS) | {"by": grain} | days


def _add_nasty_rows(connection: duckdb.DuckDBPyConnection, dice: random.Random, count: int) -> None:
    connection.execute("set TimeZone = 'UTC'")
    loads = [(f"nasty-{n}", dice.choice(_LOADED)) for n in range(_LOADS)]
    catalog = load_catalog()
    for table in catalog.values():
        if table.layer != "raw" or table.name == "quarantine":
            continue
        names = [column.name for column in table.columns]
        own = {
            name: [
                value
                for (value,) in connection.execute(
                    f"select distinct {name} from {table.key} order by 1 limit 40"
                ).fetchall()
            ]
            for name in names
        }
        rows = list(_nasty_rows(table, own, loads, dice, count))
        connection.executemany(
            f"insert into {table.key} values ({', '.join('?' for _ in names)})",
            [[row[name] for name in names] for row in rows],
        )


_LOADED = tuple(datetime(2026, 4, 1, hour, tzinfo=UTC) for hour in (5, 5, 6))


def _nasty_rows(
    table: Table,
    own: dict[str, list[Any]],
    loads: list[tuple[str, datetime]],
    dice: random.Random,
    count: int,
) -> Iterator[dict[str, Any]]:
    if table.name == "loads":
        for load_id, loaded_at in loads:
            row = {column.name: _value(column, [], dice) for column in table.columns}
            told = {"load_id": load_id, "status": "loaded", "loaded_at": loaded_at}
            yield {**row, **told, "source": "site_tag"}
        yield {**row, "load_id": loads[0][0], "status": "rejected", "loaded_at": loads[0][1]}
        return
    for _ in range(count):
        row = {column.name: _value(column, own[column.name], dice) for column in table.columns}
        row["load_id"], row["loaded_at"] = dice.choice(loads)
        if "first_date" in row:
            row["last_date"] = row["first_date"] + timedelta(days=dice.randint(-1, 3))
        if "row_hash" in row:
            # As at loading: the same content, the same hash.
            content = {name: value for name, value in row.items() if name not in _NOT_CONTENT}
            row["row_hash"] = hashlib.sha256(repr(content).encode()).hexdigest()
        yield row
        if dice.random() < 0.1:
            yield row


_NOT_CONTENT = {"row_hash", "load_id", "loaded_at"}


def _value(column: Column, own: list[Any], dice: random.Random) -> Any:
    if not column.required and dice.random() < _NULL:
        return None
    own = [value for value in own if value is not None]
    # Keys meet now and then only, or all would be one person.
    is_key = column.name.endswith("_key") or column.name in _KEYS
    own_share = 0.1 if is_key else 0.95 if column.name in _NAMES else 0.5
    if own and dice.random() < own_share:
        return dice.choice(own)
    match column.type:
        case "STRING" if is_key:
            return f"{dice.choice(_TEXTS)}{dice.randint(0, 99)}"
        case "STRING":
            return dice.choice(_CONSENTS if column.name.startswith("consent") else _TEXTS)
        case "NUMERIC":
            return dice.choice(_MONEY if column.name.endswith("amount") else _NUMBERS)
        case "INT64":
            return dice.choice((0, 1, 7, 999_999, 123_456_789_012))
        case "BOOL":
            return dice.random() < _TRUE.get(column.name, 0.5)
        case "DATE":
            return LAST_DAY - timedelta(days=dice.randint(0, 4))
    minutes = dice.choice((0, 1, 30, 60, 120, 1_440, 2_880))
    return FIRST_MOMENT + timedelta(minutes=minutes, microseconds=dice.randint(0, 2))
