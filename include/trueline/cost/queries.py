"""Every query of a daily run on BigQuery that reads a table, with what it scans.

Publishing is left out: snapshots and views read nothing. So is the pipeline's own bookkeeping (the
newest build, new loads): a few tables of a few rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from trueline.cost.gates import gate_queries
from trueline.cost.partitions import Partitions, partition_column
from trueline.cost.reads import Scan, scans
from trueline.model.catalog import Table, build_order
from trueline.quality.suites import Suite

# How often a repeated query runs until nothing changes. The demo's company takes three, the last of
# which only finds that out; the number grows with the logarithm of the longest chain of links.
ROUNDS = 3


class Step(StrEnum):
    """Where in the run a query belongs, in the order of the run."""

    LOAD = "load"
    GATE_RAW = "gate raw"
    BUILD = "build"
    SWAP = "swap"
    GATE_MARTS = "gate marts"
    GATE_ACTIVATION = "gate activation"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Query:
    """One query job or statement.

    Attributes:
        subject: The table it is about.
        times: How often a run runs it.
    """

    step: Step
    subject: str
    scans: tuple[Scan, ...]
    times: int = 1


def daily_run(catalog: Mapping[str, Table], suites: Iterable[Suite]) -> list[Query]:
    """All queries of one run: load, gates, build, swap and one report."""
    order = build_order(catalog)
    suites = list(suites)
    return [
        *(_load(table) for table in catalog.values() if _is_loaded(table)),
        *_gates(Step.GATE_RAW, suites, catalog),
        *(query for table in order for query in _build(table, catalog)),
        *(query for table in order for query in _swap(table)),
        *_gates(Step.GATE_MARTS, suites, catalog),
        *_gates(Step.GATE_ACTIVATION, suites, catalog),
        *(_report(table, catalog) for table in catalog.values() if table.kind == "report"),
    ]


def _is_loaded(table: Table) -> bool:
    return table.layer == "raw" and any(column.name == "row_hash" for column in table.columns)


def _load(table: Table) -> Query:
    """``insert … select`` out of the load's own table: the new rows, all columns."""
    return Query(Step.LOAD, table.key, (Scan(table.key, _all_columns(table), Partitions.DAYS),))


def _build(table: Table, catalog: Mapping[str, Table]) -> Iterator[Query]:
    assert table.query is not None
    found = scans(table.query, catalog, what=table.key)
    if not table.repeat_until_stable:
        yield Query(Step.BUILD, table.key, found)
        return
    yield Query(Step.BUILD, table.key, found, times=ROUNDS)
    # Each round is compared with the one before, all columns of both.
    yield Query(Step.BUILD, table.key, (_whole(table), _whole(table)), times=ROUNDS)


def _swap(table: Table) -> Iterator[Query]:
    """Delete and insert, as BigQuery counts DML: ``DELETE`` what it reads plus all columns of the
    partitions it changes, ``INSERT`` what its query reads."""
    deleted = [_whole(table)]
    if table.partition_by:
        column = partition_column(table.partition_by)
        deleted.append(Scan(table.key, frozenset({column}), Partitions.ALL_HISTORY))
    yield Query(Step.SWAP, table.key, tuple(deleted))
    yield Query(Step.SWAP, table.key, (_whole(table),))


def _report(table: Table, catalog: Mapping[str, Table]) -> Query:
    """A report without ``--first-date`` asks for all days there are."""
    assert table.query is not None
    found = (
        replace(scan, partitions=Partitions.ALL_HISTORY)
        if scan.partitions is Partitions.DAYS
        else scan
        for scan in scans(table.query, catalog, what=table.key)
    )
    return Query(Step.REPORT, table.key, tuple(found))


def _gates(step: Step, suites: Iterable[Suite], catalog: Mapping[str, Table]) -> Iterator[Query]:
    for suite in suites:
        if f"gate {suite.meta.border}" == step:
            what = f"the suite of {suite.name}"
            for sql, times in Counter(gate_queries(suite, catalog[suite.name])).items():
                yield Query(step, suite.name, scans(sql, catalog, what=what), times)


def _whole(table: Table) -> Scan:
    partitions = Partitions.ALL_HISTORY if table.partition_by else Partitions.UNPARTITIONED
    return Scan(table.key, _all_columns(table), partitions)


def _all_columns(table: Table) -> frozenset[str]:
    return frozenset(column.name for column in table.columns)
