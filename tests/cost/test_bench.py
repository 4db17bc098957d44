"""The comparison of the benchmark can say no: repeats, unpruned days and wrong sizes show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tests.bench.cost import AIM, Comparison, CountedBytes, DryRun, compare, growth
from tests.cost.tables import SMALL, VISITS
from tests.cost.test_estimate import FIRST, TWICE, estimator_for, world
from tests.googlesql.analyser import Analyser
from tests.googlesql.engine import Engine
from trueline.cost.estimate import Estimator
from trueline.cost.queries import Query, Step
from trueline.cost.reads import scans
from trueline.cost.sizes import Sizes

DAYS = 60
TOUCHED = FIRST + timedelta(days=DAYS - 31)
PARAMETERS = {"history_start": "DATE", "days": "ARRAY<DATE>"}


@pytest.fixture(scope="module")
def small() -> Analyser:
    columns = {
        key: [(column.name, column.type) for column in table.columns]
        for key, table in SMALL.items()
    }
    return Analyser(Engine(), columns, PARAMETERS)


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return estimator_for(DAYS)


@pytest.fixture(scope="module")
def counted() -> CountedBytes:
    found = CountedBytes()
    for key, rows in world(DAYS).items():
        found.add(SMALL[key], rows)
    return found


def _compared(
    sql: str,
    small: Analyser,
    estimator: Estimator,
    counted: CountedBytes,
    dry_run: DryRun | None = None,
    first_touched: date = TOUCHED,
) -> Comparison:
    (found,) = compare(
        [replace(VISITS, query=sql)],
        SMALL,
        small,
        estimator,
        counted,
        first_touched=first_touched,
        dry_run=dry_run,
        params={"history_start": FIRST},
    )
    return found


PLAIN = "with v as (select * from raw.visits where day >= @history_start) select v.page from v"


def test_a_query_that_reads_what_it_needs_is_at_its_least(
    small: Analyser, estimator: Estimator, counted: CountedBytes
) -> None:
    found = _compared(PLAIN, small, estimator, counted)
    assert found.ratio == pytest.approx(1)
    assert found.estimate / found.least_of_days == pytest.approx(DAYS / 31)


def test_a_table_mentioned_twice_is_over_the_aim(
    small: Analyser, estimator: Estimator, counted: CountedBytes
) -> None:
    twice = TWICE.replace("where a.day in unnest(@days)", "where a.day >= @history_start")
    found = _compared(twice, small, estimator, counted)
    assert found.ratio > AIM
    assert found.estimate_once / found.least == pytest.approx(1)


def test_filtered_days_are_compared_with_the_days_touched(
    small: Analyser, estimator: Estimator, counted: CountedBytes
) -> None:
    found = _compared(
        "select page from raw.visits where day in unnest(@days)", small, estimator, counted
    )
    assert found.estimate == pytest.approx(found.least_of_days)


def test_wrong_sizes_show(small: Analyser, estimator: Estimator, counted: CountedBytes) -> None:
    wrong = Estimator(SMALL, Sizes(estimator_for(DAYS * 2).sizes.tables, DAYS, "wrong"))
    assert _compared(PLAIN, small, wrong, counted).ratio == pytest.approx(2)


def test_a_dry_run_is_asked_instead_of_the_model_where_there_is_one(
    small: Analyser, estimator: Estimator, counted: CountedBytes
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def dry_run(sql: str, params: Mapping[str, Any]) -> int:
        asked.append((sql, dict(params)))
        return 10**9

    found = _compared(PLAIN, small, estimator, counted, dry_run)
    assert asked == [(PLAIN, {"history_start": FIRST})]
    assert found.estimate == 10**9
    assert found.ratio > AIM


@pytest.mark.parametrize(
    ("condition", "times"), [("day >= @history_start", 730 / 90), ("day in unnest(@days)", 1)]
)
def test_growth_is_flat_only_where_days_are_named(
    condition: str, times: float, estimator: Estimator
) -> None:
    found = scans(f"select page from raw.visits where {condition}", SMALL)
    assert growth([Query(Step.BUILD, "x", found)], estimator) == pytest.approx(times)
