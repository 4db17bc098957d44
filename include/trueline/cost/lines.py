"""The cost of a run as lines: one per step and table, in the order of the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trueline.cost.estimate import Estimator
from trueline.cost.linear import Bytes, total
from trueline.cost.partitions import Partitions
from trueline.cost.queries import Query, Step


@dataclass(frozen=True, slots=True)
class Line:
    """Some queries of a run, added up.

    Attributes:
        subject: The table they are about, or how many tables.
        queries: How many a run makes.
        columns_read: Columns that they read at all, over all tables they mention.
        columns_there: Columns of those tables.
        partitions: What they touch of partitioned tables; None where they mention none.
        read: Bytes processed, every mention counted.
        read_once: Bytes processed if a column counts once per query.
        billed: Bytes billed on demand, with the minimum per table and query.
    """

    step: Step
    subject: str
    queries: int
    columns_read: int
    columns_there: int
    partitions: Partitions | None
    read: Bytes
    read_once: Bytes
    billed: int


@dataclass(frozen=True, slots=True)
class Days:
    """What the formula is asked for."""

    history: int
    touched: int


def lines_by_table(run: Sequence[Query], estimator: Estimator, days: Days) -> list[Line]:
    """One line per step and table."""
    keys = dict.fromkeys((query.step, query.subject) for query in run)
    return [
        line_of(
            [query for query in run if (query.step, query.subject) == (step, subject)],
            subject,
            estimator,
            days,
        )
        for step, subject in keys
    ]


def line_of(queries: Sequence[Query], subject: str, estimator: Estimator, days: Days) -> Line:
    """Queries of one step, added up."""
    mentioned = {scan.table for query in queries for scan in query.scans}
    read = {
        (scan.table, column) for query in queries for scan in query.scans for column in scan.columns
    }
    return Line(
        step=queries[0].step,
        subject=subject,
        queries=sum(query.times for query in queries),
        columns_read=len(read),
        columns_there=sum(len(estimator.catalog[table].columns) for table in mentioned),
        partitions=_widest(scan.partitions for query in queries for scan in query.scans),
        read=total(estimator.query(query) for query in queries),
        read_once=total(estimator.once(query) for query in queries),
        billed=sum(estimator.billed(query, days.history, days.touched) for query in queries),
    )


def _widest(found: Iterable[Partitions]) -> Partitions | None:
    met = set(found)
    order = (Partitions.UNFILTERED, Partitions.ALL_HISTORY, Partitions.DAYS)
    return next((each for each in order if each in met), None)
