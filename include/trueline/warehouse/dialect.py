"""BigQuery SQL into DuckDB's, and back to the few things SQLGlot silently gets wrong.

Each correction names the wrong result it prevents. Constructs that cannot be made equal are
refused by ``make lint`` instead of corrected here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sqlglot
from sqlglot import exp

_NUMERIC = exp.DataType.build("DECIMAL(38,9)", dialect="duckdb")


def _numeric_keeps_nine_decimals(node: exp.Expression) -> exp.Expression:
    # Bare DECIMAL is DECIMAL(18,3) in DuckDB: 0.123456789 became 0.123.
    if (
        isinstance(node, exp.DataType)
        and node.is_type(exp.DataType.Type.DECIMAL)
        and not node.expressions
    ):
        return _NUMERIC.copy()
    return node


def _timestamp_diff_counts_whole_units(node: exp.Expression) -> exp.Expression:
    # DuckDB's date_diff counts boundaries (23:59 to 00:01 is a day), BigQuery whole units.
    if isinstance(node, exp.TimestampDiff):
        unit = exp.Literal.string(str(node.args["unit"].name).lower())
        return exp.Anonymous(this="date_sub", expressions=[unit, node.expression, node.this])
    return node


def _date_arithmetic_stays_date(node: exp.Expression) -> exp.Expression:
    # DATE + INTERVAL is a TIMESTAMP in DuckDB.
    if isinstance(node, exp.DateAdd | exp.DateSub) and not isinstance(node.parent, exp.Cast):
        return exp.cast(node.copy(), "DATE")
    return node


def _date_trunc_stays_date(node: exp.Expression) -> exp.Expression:
    # DATE_TRUNC of a DATE is a DATE in BigQuery; the lint keeps timestamps to TIMESTAMP_TRUNC.
    if isinstance(node, exp.DateTrunc) and not isinstance(node.parent, exp.Cast):
        return exp.cast(node.copy(), "DATE")
    return node


def _like_knows_its_escape(node: exp.Expression) -> exp.Expression:
    # A backslash escapes in BigQuery's LIKE, not in DuckDB's.
    if isinstance(node, exp.Like) and not isinstance(node.parent, exp.Escape):
        return exp.Escape(this=node.copy(), expression=exp.Literal.string("\\"))
    return node


def _div_keeps_its_operands(node: exp.Expression) -> exp.Expression:
    # DIV(a + b, 2 * c) was written as a + b // 2 * c.
    if isinstance(node, exp.IntDiv):
        for side in ("this", "expression"):
            if isinstance(node.args[side], exp.Binary):
                node.set(side, exp.Paren(this=node.args[side].copy()))
    return node


_CORRECTIONS: tuple[Callable[[exp.Expression], exp.Expression], ...] = (
    _numeric_keeps_nine_decimals,
    _timestamp_diff_counts_whole_units,
    _date_arithmetic_stays_date,
    _date_trunc_stays_date,
    _like_knows_its_escape,
    _div_keeps_its_operands,
)


@cache
def to_duckdb(sql: str) -> str:
    """One BigQuery statement as DuckDB SQL; ``@name`` parameters become ``$name``."""
    tree = sqlglot.parse_one(sql, read="bigquery")
    for correct in _CORRECTIONS:
        tree = tree.transform(correct)
    return tree.sql(dialect="duckdb")
