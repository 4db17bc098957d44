"""What stands beside the funnel: reach, sales' times, dimensions, micro goals, GA4, restatement.

Each is small, read from its own question, and left out of the page where there is nothing to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from trueline.report import figures
from trueline.report.dimensions import Dimension, by_dimension
from trueline.report.drift import Drift, drift
from trueline.report.headline import Report, Row, days_asked, report_sql
from trueline.report.words import DIMENSIONS, channel_label, dimension_label

if TYPE_CHECKING:
    from trueline.warehouse.base import Reader

# The page shows the largest; the report by that dimension has all of them.
MAX_VALUES = 12
_DRIFT_AGES = (1, 7, 28)
_MINUTES_A_DAY = 1440


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the page.

    Attributes:
        title: Its heading.
        note: A sentence on how to read it.
        first: Heading of the first column.
        headers: Headings of the others.
        lines: Name and cells of each line; the last one is the total where ``has_total``.
    """

    title: str
    note: str
    first: str
    headers: tuple[str, ...]
    lines: list[tuple[str, list[str]]]
    has_total: bool = False


@dataclass(frozen=True, slots=True)
class Besides:
    """What ``read_besides`` found; the report by campaign has the rest."""

    dimensions: dict[Dimension, Report]
    micro_goals: list[Row]
    ga4: list[Row]
    drift: list[Drift]


def read_besides(
    reader: Reader, first_date: date | None = None, last_date: date | None = None
) -> Besides:
    """Read all of it for ``first_date..last_date``.

    Raises:
        ConfigurationError: no figures for those days.
        PermanentError: the days mix rulebook versions, or a row does not add up.
    """
    days = days_asked(first_date, last_date)
    return Besides(
        dimensions={
            name: by_dimension(reader, name, first_date, last_date)
            for name in ("segment", "landing_page", "form")
        },
        micro_goals=[dict(row) for row in reader.query(report_sql("micro_goals"), days)],
        ga4=[dict(row) for row in reader.query(report_sql("ga4_beside"), days)],
        drift=drift(reader, first_date, last_date),
    )


def sections(by_channel: Report, found: Besides | None) -> list[Section]:
    """The tables worth showing, in reading order."""
    told = [_reach(by_channel), _sales(by_channel)]
    if found:
        told += [_dimension(name, report) for name, report in found.dimensions.items()]
        told += [_micro(found.micro_goals), _ga4(found.ga4), _drift(found.drift)]
    return [section for section in told if section.lines]


def _reach(report: Report) -> Section:
    return Section(
        "From the ad to the form",
        "Clicks are the platforms' own count, visits are those our tag recorded: fewer visits than "
        "clicks means that some never arrived, or that no tag was allowed.",
        "Channel",
        (
            "Shown",
            "Clicks",
            "Clicks per view",
            "Visits",
            "Bounced",
            "Submissions",
            "Click → submission",
            "Visit → submission",
        ),
        _channel_lines(
            report,
            lambda row: [
                figures.count(row["impressions"] or None),
                figures.count(row["clicks"] or None),
                figures.rate(row["click_through_rate"]),
                figures.count(row["visits"] or None),
                figures.rate(row["bounce_rate"]),
                figures.count(row["observed_tag_events"]),
                figures.rate(row["click_to_tag_event_rate"]),
                figures.rate(row["visit_to_tag_event_rate"]),
            ],
        ),
        has_total=True,
    )


def _sales(report: Report) -> Section:
    return Section(
        "What sales made of the leads",
        "Means over the leads concerned. Wasted attempts went to leads that ended disqualified. "
        "Customers missed are those that the rulebook does not call qualified.",
        "Channel",
        (
            "Contacted",
            "Within an hour",
            "Hours to first contact",
            "Days to qualify",
            "Days to close",
            "Hot",
            "Warm",
            "Cold",
            "Attempts wasted",
            "Pipeline",
            "Won",
            "Cost per customer",
            "Customers missed",
        ),
        _channel_lines(
            report,
            lambda row: [
                figures.rate(row["contact_rate"]),
                figures.rate(row["contact_within_an_hour_rate"]),
                _time(row["minutes_to_first_contact"], 60),
                _time(row["minutes_to_qualify"], _MINUTES_A_DAY),
                _time(row["minutes_to_close"], _MINUTES_A_DAY),
                figures.count(row["hot_leads"]),
                figures.count(row["warm_leads"]),
                figures.count(row["cold_leads"]),
                figures.rate(
                    row["wasted_contacts"] / row["contact_attempts"]
                    if row["contact_attempts"]
                    else None
                ),
                figures.money(row["pipeline_amount"]),
                figures.money(row["won_amount"]),
                figures.cost(row["cost_per_customer"] if row["spend_amount"] else None),
                figures.count(row["rulebook_misses"]),
            ],
        ),
        has_total=True,
    )


def _channel_lines(
    report: Report, cells: Callable[[Row], list[str]]
) -> list[tuple[str, list[str]]]:
    lines = [(channel_label(row["platform"]), cells(row)) for row in report.rows]
    return [*lines, ("Total", cells(report.totals))]


def _dimension(name: Dimension, report: Report) -> Section:
    def cells(row: Row) -> list[str]:
        return [
            figures.count(row["observed_tag_events"]),
            figures.count(row["real_leads"]),
            figures.count(row["qualified_leads"]),
            figures.count(row["qualified_opportunities"]),
            figures.count(row["customers"]),
            figures.rate(row["real_to_qualified_rate"]),
            figures.rate(row["qualified_to_opportunity_rate"]),
            figures.money(row["won_amount"]),
        ]

    shown = report.rows[:MAX_VALUES]
    left = len(report.rows) - len(shown)
    title = DIMENSIONS[name]
    return Section(
        f"By {title.lower()}",
        "No platform tells its claims or spend by this, so the way starts at the submission."
        + (f" The {len(shown)} with the most leads; {left} more are in the total." if left else ""),
        title,
        (
            "Submissions",
            "Real leads",
            "Qualified leads",
            "Qualified opportunities",
            "Customers",
            "Real → qualified",
            "Qualified → opportunity",
            "Won",
        ),
        [
            *((dimension_label(row["dimension_value"]), cells(row)) for row in shown),
            ("Total", cells(report.totals)),
        ],
        has_total=True,
    )


def _micro(rows: Sequence[Row]) -> Section:
    ordered = sorted(
        rows, key=lambda row: (row["conversion_goal"], -row["observed_tag_events"], row["platform"])
    )
    return Section(
        "Steps on the way",
        "Micro goals make no lead and belong to no total; they are shown so that nobody takes them "
        "for leads.",
        "Goal and channel",
        ("Pixel conversions", "Submissions"),
        [
            (
                f"{row['conversion_goal']}, {channel_label(row['platform'])}",
                [
                    figures.count(row["pixel_conversions"] or None),
                    figures.count(row["observed_tag_events"]),
                ],
            )
            for row in ordered
        ],
    )


def _ga4(rows: Sequence[Row]) -> Section:
    # Without GA4 there is nothing to compare with.
    seen = [row for row in rows if row["ga4_submissions"]]
    return Section(
        "GA4 beside our own tag",
        "A cross-check: these figures feed nothing. Where GA4 gives ids of its own, only the two "
        "counts can be compared.",
        "Goal",
        ("Our tag", "GA4", "Seen by both", "Only our tag", "Only GA4"),
        [
            (
                row["conversion_goal"],
                [
                    figures.count(row["own_tag_submissions"]),
                    figures.count(row["ga4_submissions"]),
                    figures.count(row["seen_by_both"]),
                    figures.count(row["only_own_tag"]),
                    figures.count(row["only_ga4"]),
                ],
            )
            for row in sorted(seen, key=lambda row: row["conversion_goal"])
        ],
    )


def _drift(found: Sequence[Drift]) -> Section:
    accounts: dict[tuple[str, str, str], dict[int, Drift]] = {}
    for each in found:
        accounts.setdefault((each.platform, each.account_id, each.measure), {})[each.age] = each
    words = {"pixel_conversions": "pixel conversions", "spend": "spend"}
    return Section(
        "How much the platforms still change their figures",
        "Of days that were pulled again later: what their figure still moved once a day was that "
        "old. Young days are preliminary by this much.",
        "Platform, account, figure",
        tuple(f"After {age} {'day' if age == 1 else 'days'}" for age in _DRIFT_AGES),
        [
            (
                f"{channel_label(platform)}, {account_id}, {words.get(measure, measure)}",
                [
                    figures.rate(ages[age].moved_share) if age in ages else figures.DASH
                    for age in _DRIFT_AGES
                ],
            )
            for (platform, account_id, measure), ages in sorted(accounts.items())
        ],
    )


def _time(minutes: Decimal | None, unit: int) -> str:
    return figures.count(None if minutes is None else minutes / unit)
