"""Bytes as a function of days, against counting the bytes of real rows one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.cost.tables import EVENTS, PEOPLE, SMALL, VISITS
from tests.cost.test_sizes import logical_bytes, warehouse_with
from trueline.cost.estimate import MIB, Estimator, dollars
from trueline.cost.gates import gate_queries
from trueline.cost.partitions import Partitions
from trueline.cost.queries import ROUNDS, Query, Step, daily_run
from trueline.cost.reads import Scan, scans
from trueline.cost.sizes import Sizes, TableSize, history_days, measure
from trueline.model.catalog import Table, build_order
from trueline.paths import home
from trueline.quality.suites import load_suites

FIRST = date(2026, 1, 1)
Rows = dict[str, list[dict[str, Any]]]


def world(days: int) -> Rows:
    """Every day alike: three visits, two events, one person."""
    dates = [FIRST + timedelta(days=number) for number in range(days)]
    return {
        VISITS.key: [
            {"visit_id": f"{day}-{n}", "day": day, "clicks": n or None, "page": "/größe" * n}
            for day in dates
            for n in range(3)
        ],
        EVENTS.key: [
            {
                "event_id": f"{day}-{n}",
                "happened_at": datetime(day.year, day.month, day.day, n, tzinfo=UTC),
                "amount": Decimal(n) if n else None,
            }
            for day in dates
            for n in range(2)
        ],
        PEOPLE.key: [{"visit_id": f"{day}-1", "name": "Zoë", "is_known": True} for day in dates],
    }


def estimator_for(days: int) -> Estimator:
    rows = world(days)
    connection = warehouse_with(*((SMALL[key], found) for key, found in rows.items()))
    tables = measure(connection, SMALL.values())
    assert history_days(tables) == days
    return Estimator(SMALL, Sizes(tables, days, "a test"))


def counted(
    rows: Rows, read: Iterable[tuple[str, Iterable[str]]], days: set[date] | None = None
) -> int:
    """Bytes of those columns in all rows, or in rows of some days, value by value."""
    return sum(
        logical_bytes(column.type, row[column.name])
        for key, names in read
        for row in rows[key]
        if days is None or _day(row) in days
        for column in SMALL[key].columns
        if column.name in set(names)
    )


def _day(row: Mapping[str, Any]) -> date | None:
    moment = row.get("happened_at")
    return moment.date() if moment else row.get("day")


def query(sql: str, times: int = 1) -> Query:
    return Query(Step.BUILD, "raw.a_test", scans(sql, SMALL), times)


@pytest.mark.parametrize("history", [4, 9, 40])
@pytest.mark.parametrize("touched", [1, 3, 4])
def test_bytes_of_other_histories_are_foretold_from_four_days(history: int, touched: int) -> None:
    estimator = estimator_for(4)
    rows = world(history)
    last = {FIRST + timedelta(days=history - 1 - number) for number in range(touched)}
    of_days = query("select visit_id, page from raw.visits where day in unnest(@days)")
    of_all = query(
        "select e.amount, p.name from raw.events as e inner join raw.people as p "
        "on e.event_id = p.visit_id where e.happened_at >= timestamp(@history_start)"
    )
    assert estimator.query(of_days).at(history, touched) == pytest.approx(
        counted(rows, [("raw.visits", ("visit_id", "page", "day"))], last)
    )
    assert estimator.query(of_all).at(history, touched) == pytest.approx(
        counted(
            rows,
            [
                ("raw.events", ("event_id", "happened_at", "amount")),
                ("raw.people", ("visit_id", "name")),
            ],
        )
    )


def test_no_run_touches_more_days_than_there_are() -> None:
    estimator = estimator_for(4)
    of_days = estimator.query(query("select page from raw.visits where day in unnest(@days)"))
    assert of_days.at(4, 31) == of_days.at(4, 4) > of_days.at(4, 3)


TWICE = (
    "select a.page from raw.visits as a inner join raw.visits as b on a.visit_id = b.visit_id "
    "where a.day in unnest(@days)"
)


def test_every_mention_counts_and_the_other_bound_counts_a_column_once() -> None:
    estimator = estimator_for(5)
    rows = world(5)
    all_days = counted(rows, [("raw.visits", ("visit_id",))])
    two_days = {FIRST, FIRST + timedelta(days=1)}
    first = counted(rows, [("raw.visits", ("visit_id", "page", "day"))], two_days)
    of_first_only = counted(rows, [("raw.visits", ("page", "day"))], two_days)
    assert estimator.query(query(TWICE)).at(5, 2) == pytest.approx(first + all_days)
    assert estimator.once(query(TWICE)).at(5, 2) == pytest.approx(of_first_only + all_days)
    assert estimator.query(query(TWICE, times=3)).at(5, 2) == pytest.approx(3 * (first + all_days))


def _sized(**table_bytes: int) -> Estimator:
    tables = {
        f"raw.{name}": TableSize(1, {"visit_id": count}) for name, count in table_bytes.items()
    }
    return Estimator(SMALL, Sizes(tables, 1, "a test"))


def _scanning(*names: str) -> Query:
    return Query(
        Step.BUILD,
        "raw.a_test",
        tuple(
            Scan(f"raw.{name}", frozenset({"visit_id"}), Partitions.UNPARTITIONED) for name in names
        ),
    )


@pytest.mark.parametrize(
    ("estimator", "asked", "billed_mib"),
    [
        (_sized(visits=1, people=1), _scanning("visits"), 10),
        (_sized(visits=1, people=1), _scanning("visits", "people"), 20),
        (_sized(visits=1, people=1), _scanning("visits", "visits"), 10),
        (_sized(visits=15 * MIB + 1, people=1), _scanning("visits", "people"), 26),
        (_sized(visits=0, people=0), _scanning("visits"), 0),
    ],
)
def test_ten_mebibytes_per_table_are_the_least_and_nothing_costs_nothing(
    estimator: Estimator, asked: Query, billed_mib: int
) -> None:
    assert estimator.billed(asked, 1, 1) == billed_mib * MIB


def test_a_tebibyte_costs_its_price() -> None:
    assert dollars(1024**4, 6.25) == 6.25


def _run(catalog: Mapping[str, Table]) -> Iterator[Query]:
    yield from daily_run(catalog, load_suites(home() / "great_expectations"))


def test_a_run_builds_swaps_and_reports_every_table_and_gates_every_suite(
    catalog: Mapping[str, Table],
) -> None:
    run = list(_run(catalog))
    built = {table.key for table in build_order(catalog)}
    suites = load_suites(home() / "great_expectations")
    assert {each.subject for each in run if each.step is Step.BUILD} == built
    assert {each.subject for each in run if each.step is Step.SWAP} == built
    assert {each.subject for each in run if each.step is Step.REPORT} == {
        key for key, table in catalog.items() if table.kind == "report"
    }
    gates = [each for each in run if each.step.startswith("gate")]
    assert sum(each.times for each in gates) == sum(
        len(list(gate_queries(suite, catalog[suite.name]))) for suite in suites
    )


def test_a_swap_reads_each_table_twice_whole_and_its_partition_column(
    catalog: Mapping[str, Table],
) -> None:
    swaps = [each for each in _run(catalog) if each.step is Step.SWAP]
    read = [scan for each in swaps if each.subject == "identity.leads" for scan in each.scans]
    columns = frozenset(column.name for column in catalog["identity.leads"].columns)
    assert [scan.columns for scan in read] == [columns, frozenset({"report_date"}), columns]


def test_a_repeated_query_is_counted_for_every_round(catalog: Mapping[str, Table]) -> None:
    rounds = [
        each
        for each in _run(catalog)
        if each.step is Step.BUILD and each.subject == "identity.person_nodes"
    ]
    assert [each.times for each in rounds] == [ROUNDS, ROUNDS]


def test_a_report_of_all_days_is_not_counted_as_a_few_days(catalog: Mapping[str, Table]) -> None:
    headline = next(each for each in _run(catalog) if each.subject == "reports.headline")
    assert {scan.partitions for scan in headline.scans} == {Partitions.ALL_HISTORY}
