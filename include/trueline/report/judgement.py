"""A report with its judgements, and its figures with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trueline.model.parameters import HISTORY_START
from trueline.report import figures
from trueline.report.headline import Report, Row
from trueline.statistics.intervals import (
    Interval,
    cost_interval,
    ratio_interval,
    share_interval,
)

if TYPE_CHECKING:
    from trueline.warehouse.base import Reader

WORDS = {
    "scale": "scale",
    "keep": "keep",
    "fix": "fix",
    "burning": "burning",
    "too_early": "too early",
}
EXPECTED = tuple(
    f"expected_{what}{bound}"
    for what in ("customers", "revenue")
    for bound in ("", "_low", "_high")
)
_KEY = ("platform", "account_id", "campaign_id")
# Figure, the function for its interval, and what it is made of.
_INTERVALS: tuple[tuple[str, Callable[[Any, Any], Interval | None], str, str], ...] = (
    ("cost_per_real_lead", cost_interval, "spend_amount", "real_leads"),
    ("cost_per_qualified_lead", cost_interval, "spend_amount", "qualified_leads"),
    ("cost_per_qualified_opportunity", cost_interval, "spend_amount", "qualified_opportunities"),
    ("cost_per_customer", cost_interval, "spend_amount", "customers"),
    ("pixel_to_real_rate", ratio_interval, "real_leads_reported", "pixel_conversions"),
    ("real_to_qualified_rate", share_interval, "qualified_leads", "real_leads"),
    ("qualified_to_opportunity_rate", share_interval, "qualified_opportunities", "qualified_leads"),
    ("opportunity_to_customer_rate", share_interval, "customers", "opportunities"),
)


def judged(reader: Reader, report: Report) -> Report:
    """``report`` with 90% intervals and, by campaign, with the newest judgements.

    Every row gets ``<figure>_low`` and ``<figure>_high``; by campaign also ``judgement`` (None
    where nothing is spent), ``judged`` (the row of ``marts.campaign_judgements``; empty where a
    campaign has none) and what is expected. A judgement speaks of its own window, whatever days
    the report is about.
    """
    rows = [row | intervals(row) for row in report.rows]
    totals = report.totals | intervals(report.totals)
    if report.by == "campaign":
        found = _newest(reader)
        rows = [row | _judgement(found.get(_key(row), {})) for row in rows]
        totals |= _judgement({})
    return replace(report, rows=rows, totals=totals)


def intervals(row: Row) -> Row:
    """Bounds of the row's costs and rates; None where nothing can be said, or nothing bounds it."""
    bounds: Row = {}
    for name, interval_of, numerator, denominator in _INTERVALS:
        above, below = row[numerator], row[denominator]
        known = above is not None and below is not None
        interval = interval_of(Decimal(above), Decimal(below)) if known else None
        bounds[f"{name}_low"] = interval.low if interval else None
        bounds[f"{name}_high"] = interval.high if interval else None
    return bounds


def headline_cost(row: Row) -> str:
    """Cost per qualified opportunity with its interval, like ``551 (480–640)``."""
    # No spend is not a cost of zero: what a channel without ads costs is not known here.
    if not row["spend_amount"]:
        return figures.DASH
    interval = cost_interval(row["spend_amount"], Decimal(row["qualified_opportunities"]))
    cost = figures.cost(row["cost_per_qualified_opportunity"])
    return f"{cost} {_range(interval, figures.cost)}" if interval else cost


def judgement_word(row: Row) -> str:
    return WORDS.get(row.get("judgement") or "", figures.DASH)


def expected(row: Row, what: str) -> str:
    """``customers`` or ``revenue`` expected of the judging window's leads, with the interval."""
    value = row.get(f"expected_{what}")
    if value is None:
        return figures.DASH
    show = figures.count if what == "customers" else figures.money
    interval = Interval(row[f"expected_{what}_low"], row[f"expected_{what}_high"])
    return f"{show(value)} {_range(interval, show)}"


def ripe_cost(judgement: Mapping[str, Any], name: str) -> str:
    """A cost of a judgement with its interval; so many where there is no unit to divide by."""
    interval = Interval(judgement[f"{name}_low"], judgement[f"{name}_high"])
    if judgement[name] is None:
        return f"none so far, {_range(interval, figures.cost)[1:-1]}"
    return f"{figures.cost(judgement[name])} {_range(interval, figures.cost)}"


def _range(interval: Interval, show: Callable[[Decimal], str]) -> str:
    if interval.high is None:
        return f"({show(interval.low)} or more)"
    return f"({show(interval.low)}–{show(interval.high)})"


def _judgement(found: Mapping[str, Any]) -> Row:
    return {
        "judgement": found.get("judgement"),
        **{name: found.get(name) for name in EXPECTED},
        "judged": found,
    }


def _newest(reader: Reader) -> Mapping[tuple[str, ...], Mapping[str, Any]]:
    newest = reader.query(
        "select max(as_of_date) as as_of_date from marts.campaign_judgements "
        "where as_of_date >= @history_start",
        {"history_start": HISTORY_START},
    )[0]["as_of_date"]
    found = reader.query(
        "select * from marts.campaign_judgements where as_of_date = @as_of_date",
        {"as_of_date": newest or HISTORY_START},
    )
    return {_key(row): row for row in found}


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in _KEY)
