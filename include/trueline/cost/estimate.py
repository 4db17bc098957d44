"""Bytes and money of queries, as a function of the days kept and the days touched.

BigQuery documents that a column read costs its bytes, but not how often a column counts that a
query mentions twice. ``query`` counts every mention in the text, ``once`` a column once per query,
which the little that is published speaks for. A step (CTE) counts once in both, however often later
steps use it: were each use billed, both would be too low.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trueline.cost.linear import Bytes, total
from trueline.cost.partitions import Partitions
from trueline.cost.queries import Query
from trueline.cost.reads import Scan
from trueline.cost.sizes import Sizes, grows_with_days
from trueline.model.catalog import Table

MIB = 1024**2
TIB = 1024**4
# "Charges are rounded up to the nearest MB, with a minimum 10 MB data processed per table
# referenced by the query, and with a minimum 10 MB data processed per query." (BigQuery pricing)
_MINIMUM = 10 * MIB
# USD per TiB on demand, US multi-region, list price as of 2026-11; one TiB a month is free.
PRICE_PER_TIB = 6.25


@dataclass(frozen=True, slots=True)
class Estimator:
    """Turns scans into bytes by the sizes of one warehouse."""

    catalog: Mapping[str, Table]
    sizes: Sizes

    def scan(self, scan: Scan) -> Bytes:
        """Bytes of one mention of a table."""
        size = self.sizes.tables.get(scan.table)
        whole = size.bytes_of(scan.columns) if size else 0
        if not grows_with_days(self.catalog[scan.table]):
            return Bytes(constant=whole)
        a_day = whole / self.sizes.history_days
        if scan.partitions is Partitions.DAYS:
            return Bytes(per_touched_day=a_day)
        return Bytes(per_history_day=a_day)

    def query(self, query: Query) -> Bytes:
        """Bytes of all its mentions of all tables, as often as a run makes it."""
        return total(self.scan(scan) for scan in query.scans).times(query.times)

    def once(self, query: Query) -> Bytes:
        """The same if a column counts once a query, however often it is mentioned."""
        return total(self.scan(scan) for scan in _merged(query.scans)).times(query.times)

    def billed(self, query: Query, history_days: int, touched_days: int) -> int:
        """Bytes billed on demand, with the minimum per table and query.

        A query that processes nothing (a bare count of rows) is not billed.
        """
        per_table: dict[str, float] = {}
        for scan in query.scans:
            read = self.scan(scan).at(history_days, touched_days)
            per_table[scan.table] = per_table.get(scan.table, 0) + read
        if not sum(per_table.values()):
            return 0
        billed = sum(max(read, _MINIMUM) for read in per_table.values())
        return math.ceil(billed / MIB) * MIB * query.times


def dollars(billed_bytes: float, price_per_tib: float) -> float:
    return billed_bytes / TIB * price_per_tib


def _merged(scans: Iterable[Scan]) -> list[Scan]:
    """One scan per table and kind of partitions; days lie within all history."""
    whole: dict[str, Scan] = {}
    days: dict[str, frozenset[str]] = {}
    for scan in scans:
        if scan.partitions is Partitions.DAYS:
            days[scan.table] = days.get(scan.table, frozenset()) | scan.columns
        else:
            before = whole.get(scan.table)
            columns = scan.columns | (before.columns if before else frozenset())
            whole[scan.table] = Scan(scan.table, columns, scan.partitions)
    rest = [
        Scan(table, columns - whole[table].columns if table in whole else columns, Partitions.DAYS)
        for table, columns in days.items()
    ]
    return [*whole.values(), *rest]
