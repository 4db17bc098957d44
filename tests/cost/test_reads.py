"""What a query reads, against the real GoogleSQL analyser: query by query, scan by scan."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.cost.resolved import resolved_scans
from tests.cost.tables import SMALL
from tests.googlesql.analyser import Analyser
from trueline.cost.gates import gate_queries
from trueline.cost.partitions import Partitions
from trueline.cost.reads import scans
from trueline.errors import ConfigurationError
from trueline.model.catalog import Table, load_catalog
from trueline.paths import home
from trueline.quality.suites import Suite, load_suites

COMPUTED = sorted(key for key, table in load_catalog().items() if table.query)
SUITES = {suite.name: suite for suite in load_suites(home() / "great_expectations")}


@pytest.mark.parametrize("key", COMPUTED)
def test_the_model_reads_what_googles_analyser_needs(
    key: str, catalog: Mapping[str, Table], analyser: Analyser
) -> None:
    query = catalog[key].query
    assert query is not None
    modelled = [(scan.table, scan.columns) for scan in scans(query, catalog, what=key)]
    assert modelled, "a query that reads nothing would pass by itself"
    assert modelled == [(scan.table, scan.columns) for scan in resolved_scans(analyser, query)]


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_the_gates_read_what_googles_analyser_needs(
    suite: Suite, catalog: Mapping[str, Table], analyser: Analyser
) -> None:
    for sql in dict.fromkeys(gate_queries(suite, catalog[suite.name])):
        modelled = [(scan.table, scan.columns) for scan in scans(sql, catalog)]
        found = [(scan.table, scan.columns) for scan in resolved_scans(analyser, sql)]
        assert modelled == found, sql


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        # A star in a step costs what later steps use of it.
        ("with a as (select * from raw.loads) select load_id from a", {"load_id"}),
        # A computed value that nobody uses is not computed.
        (
            "with a as (select load_id, upper(status) as s from raw.loads) select load_id from a",
            {"load_id"},
        ),
        # What decides which rows there are is read although it is not given out.
        ("select load_id from raw.loads where status = 'loaded'", {"load_id", "status"}),
        (
            "select load_id from raw.loads "
            "qualify row_number() over (partition by source order by loaded_at) = 1",
            {"load_id", "source", "loaded_at"},
        ),
        ("with a as (select distinct source, status from raw.loads) select source from a", None),
        # Counting rows reads no column.
        ("select count(*) as n from raw.loads", set()),
        # One branch's column stands where the other's does.
        (
            "with a as (select load_id, source from raw.loads union all "
            "select source, status from raw.loads) select load_id from a",
            None,
        ),
    ],
)
def test_both_readers_of_a_query_know_the_easy_answers(
    sql: str, expected: set[str] | None, catalog: Mapping[str, Table], analyser: Analyser
) -> None:
    modelled = [(scan.table, scan.columns) for scan in scans(sql, catalog)]
    assert modelled == [(scan.table, scan.columns) for scan in resolved_scans(analyser, sql)]
    if expected is not None:
        assert modelled == [("raw.loads", frozenset(expected))]


def test_a_branch_is_followed_by_position_and_distinct_needs_all(
    catalog: Mapping[str, Table],
) -> None:
    union = (
        "with a as (select load_id, source from raw.loads union all "
        "select source, status from raw.loads) select load_id from a"
    )
    assert [set(scan.columns) for scan in scans(union, catalog)] == [{"load_id"}, {"source"}]
    distinct = union.replace("union all", "union distinct")
    assert [set(scan.columns) for scan in scans(distinct, catalog)] == [
        {"load_id", "source"},
        {"source", "status"},
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("day >= @history_start", Partitions.ALL_HISTORY),
        ("day >= @history_start and clicks > 1", Partitions.ALL_HISTORY),
        ("day >= date '2026-01-01'", Partitions.ALL_HISTORY),
        ("day in unnest(@days)", Partitions.DAYS),
        ("clicks > 1 and (day = @first_date)", Partitions.DAYS),
        ("day between @first_date and @last_date", Partitions.DAYS),
        ("day between coalesce(@first_date, date '0001-01-01') and @last_date", Partitions.DAYS),
        ("day >= @history_start and day in unnest(@days)", Partitions.DAYS),
        # None of these lets BigQuery prune.
        ("clicks > 1", Partitions.UNFILTERED),
        ("day in unnest(@days) or clicks > 1", Partitions.UNFILTERED),
        ("day = (select max(day) from raw.visits)", Partitions.UNFILTERED),
        ("date_add(day, interval 1 day) = @first_date", Partitions.UNFILTERED),
        ("day > date_add(day, interval -1 day)", Partitions.UNFILTERED),
    ],
)
def test_partitions_are_pruned_by_constants_on_the_bare_column_only(
    condition: str, expected: Partitions
) -> None:
    found = scans(f"select v.visit_id from raw.visits as v where {condition}", SMALL)
    assert expected in {scan.partitions for scan in found}
    assert found[-1].partitions is expected


def test_timestamps_are_pruned_and_tables_without_partitions_have_none() -> None:
    sql = (
        "with recent as (select * from raw.events where happened_at >= timestamp(@history_start)) "
        "select recent.amount, people.name from recent inner join raw.people as people "
        "on recent.event_id = people.visit_id"
    )
    assert {scan.table: scan.partitions for scan in scans(sql, SMALL)} == {
        "raw.events": Partitions.ALL_HISTORY,
        "raw.people": Partitions.UNPARTITIONED,
    }


@pytest.mark.parametrize(
    "sql", ["select x from", "select a from raw.nothing", "select nothing from raw.visits"]
)
def test_a_query_that_cannot_be_read_is_refused_with_its_name(sql: str) -> None:
    with pytest.raises(ConfigurationError, match="The cost of my query cannot be told"):
        scans(sql, SMALL, what="my query")
