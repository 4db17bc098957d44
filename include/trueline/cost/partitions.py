"""Which partitions a scan touches, by the filters on the partition column next to it.

BigQuery prunes on a comparison of the bare partition column with a constant expression: literals
and parameters, never a column or a subquery (BigQuery, "Query partitioned tables").
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cache

import sqlglot
from sqlglot import exp

HISTORY_PARAMETER = "history_start"
_COMPARISONS = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In)


class Partitions(StrEnum):
    """What of a table a scan touches.

    ``none``: it has no partitions, so all of it. ``no filter``: it has, and all are read; BigQuery
    refuses that where the table requires a filter. ``days``: those that parameters name.
    """

    UNPARTITIONED = "none"
    UNFILTERED = "no filter"
    ALL_HISTORY = "all history"
    DAYS = "days"


@cache
def partition_column(partition_by: str) -> str:
    """``report_date``, or the column inside ``timestamp_trunc(occurred_at, day)``."""
    column = sqlglot.parse_one(partition_by, read="bigquery").find(exp.Column)
    assert column is not None, partition_by
    return column.name


def partitions_read(partition_by: str | None, alias: str, query: exp.Expr) -> Partitions:
    """What ``query`` touches of the table it calls ``alias``.

    Only conditions that must hold for every row count: those of WHERE joined by AND.
    """
    if partition_by is None:
        return Partitions.UNPARTITIONED
    column = partition_column(partition_by)
    bounds = [
        bound
        for condition in _conditions(query)
        for bound in _constant_bounds(condition, alias, column)
    ]
    if not bounds:
        return Partitions.UNFILTERED
    asked = {parameter.name for bound in bounds for parameter in bound.find_all(exp.Parameter)} - {
        HISTORY_PARAMETER
    }
    return Partitions.DAYS if asked else Partitions.ALL_HISTORY


def _conditions(query: exp.Expr) -> Iterator[exp.Expr]:
    where = query.args.get("where")
    if where is not None:
        yield from where.this.flatten() if isinstance(where.this, exp.And) else (where.this,)


def _constant_bounds(condition: exp.Expr, alias: str, column: str) -> Iterator[exp.Expr]:
    """The comparison itself, where it compares the bare column with constants only."""
    condition = condition.unnest()
    if not isinstance(condition, _COMPARISONS):
        return
    columns = list(condition.find_all(exp.Column))
    is_bare = (
        len(columns) == 1
        and columns[0].parent is condition
        and (columns[0].table, columns[0].name) == (alias, column)
    )
    if is_bare and not condition.find(exp.Query):
        yield condition
