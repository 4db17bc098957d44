"""From a figure to its rows: what ``trueline explain`` and ``trueline lead`` show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trueline.errors import ConfigurationError, PermanentError
from trueline.model.parameters import HISTORY_START
from trueline.report.dimensions import NOT_TOLD, Dimension, by_dimension
from trueline.report.headline import Row, days_asked, headline, provenance_of, report_sql
from trueline.report.words import GAP_PIXEL_TO_REAL, GAP_REAL_TO_QUALIFIED

if TYPE_CHECKING:
    from trueline.warehouse.base import Reader

_STEPS = (*GAP_PIXEL_TO_REAL, *GAP_REAL_TO_QUALIFIED)
#: Every line of the funnel that leads to rows, and what a person would call it.
LINES: Mapping[str, str] = {
    "impressions": "Times shown",
    "clicks": "Clicks",
    "visits": "Visits",
    "bounces": "Bounces",
    "spend_amount": "Spend",
    "pixel_conversions": "Pixel conversions",
    "claimed_not_observed": "Claimed minus observed",
    "observed_tag_events": "Submissions our tag saw",
    "made_lead": "Submissions that made a lead",
    "real_leads": "Real leads",
    "qualified_leads": "Qualified leads",
    "opportunities": "Leads that ever had a deal",
    "qualified_opportunities": "Qualified opportunities",
    "customers": "Customers",
    "qualified_customers": "Qualified customers",
    "pipeline_amount": "Pipeline",
    "won_amount": "Won",
    "hot_leads": "Hot leads",
    "warm_leads": "Warm leads",
    "cold_leads": "Cold leads",
    "mql_leads": "Marketing-qualified leads",
    "sql_leads": "Sales-qualified leads",
    "pql_leads": "Product-qualified leads",
    "service_qualified_leads": "Service-qualified leads",
    "contacted_leads": "Leads that were contacted",
    "contacted_within_an_hour": "Leads contacted within an hour",
    "first_contact_minutes": "Minutes to the first contact",
    "contact_attempts": "Sales attempts",
    "wasted_contacts": "Sales attempts on disqualified leads",
    "qualify_minutes": "Minutes to qualify",
    "timed_customers": "Customers with a date",
    "close_minutes": "Minutes to the first won deal",
    "rulebook_misses": "Customers the rulebook does not call qualified",
    "unknown_stage_leads": "Leads in a stage the rulebook does not know",
    **{step.column: step.label for step in _STEPS},
}


@dataclass(frozen=True, slots=True)
class Place:
    """Whose figure: a channel, account or campaign, or one value of a dimension; None is all."""

    platform: str | None = None
    account_id: str | None = None
    campaign_id: str | None = None
    dimension: Dimension | None = None
    dimension_value: str | None = None


@dataclass(frozen=True, slots=True)
class FigureRows:
    """A line, the rows of ``reports.figure_rows`` behind it, and its figure: the rows' sum."""

    line: str
    rows: list[Row]
    figure: Decimal


def figure_rows(
    reader: Reader,
    line: str,
    place: Place,
    first_date: date | None = None,
    last_date: date | None = None,
) -> FigureRows:
    """The rows behind ``line`` in the order of time, checked against the published figure.

    Raises:
        ConfigurationError: there is no such line or place, or a dimension does not tell the line.
        PermanentError: the rows do not sum to the figure.
    """
    if line not in LINES:
        raise ConfigurationError(
            f"There is no line {line!r}.", fix=f"Choose one of {', '.join(LINES)}."
        )
    named = (place.platform, place.account_id, place.campaign_id)
    if place.dimension and any(named):
        raise ConfigurationError(
            "A figure is of a campaign or of a dimension, not of both.", fix="Name one of them."
        )
    if place.dimension and line in NOT_TOLD:
        raise ConfigurationError(
            f"No platform tells {line} by {place.dimension}.", fix="Ask for a campaign's."
        )
    figure = _published_figure(reader, line, place, first_date, last_date)
    provenance = provenance_of(reader, first_date, last_date, None)
    found = reader.query(
        report_sql("figure_rows"),
        {
            "line": line,
            "platform": place.platform,
            "account_id": place.account_id,
            "campaign_id": place.campaign_id,
            "dimension": place.dimension,
            "dimension_value": place.dimension_value,
            "rules_version": provenance.rules_version,
            **days_asked(first_date, last_date),
        },
    )
    rows = sorted((dict(row) for row in found), key=_reading_order)
    told = sum((row["amount"] for row in rows), Decimal(0))
    if figure is not None and told != figure:
        raise PermanentError(
            f"The rows behind {line} sum to {told}, the figure is {figure}.",
            where="marts.funnel_daily",
            fix="Build and publish again; do not use the figures until then.",
        )
    return FigureRows(line, rows, told)


def lead_life(reader: Reader, lead_key: str) -> list[Row]:
    """What is known of one lead, in the order of time: rows of ``reports.lead_life``.

    Raises:
        ConfigurationError: there is no such lead.
    """
    provenance = provenance_of(reader, None, None, None)
    found = reader.query(
        report_sql("lead_life"),
        {"lead_key": lead_key, "as_of": provenance.as_of, "history_start": HISTORY_START},
    )
    if not found:
        raise ConfigurationError(
            f"There is no lead {lead_key}.",
            fix="Take a lead_key that trueline explain shows, like hubspot:1234.",
        )
    # A record, its first stage and a verdict can share a moment; this is how they follow.
    order = ("touch", "credit", "tag_event", "crm_record", "stage", "deal", "verdict")
    return sorted(
        (dict(row) for row in found),
        key=lambda row: (
            row["happened_at"] is not None,
            row["happened_at"],
            order.index(row["kind"]),
            row["row_key"] or "",
            row["what"] or "",
        ),
    )


def _published_figure(
    reader: Reader, line: str, place: Place, first_date: date | None, last_date: date | None
) -> Decimal | None:
    """None where a part of it is unknown: spend in a currency without a rate."""
    if place.dimension:
        rows = by_dimension(reader, place.dimension, first_date, last_date).rows
        rows = [row for row in rows if row["dimension_value"] == place.dimension_value]
    else:
        wanted = {
            "platform": place.platform,
            "account_id": place.account_id,
            "campaign_id": place.campaign_id,
        }
        rows = [
            row
            for row in headline(reader, "campaign", first_date, last_date).rows
            if all(row[name] == value for name, value in wanted.items() if value is not None)
        ]
    if not rows:
        raise ConfigurationError(
            "Nothing is published for this place on those days.",
            fix="Take a name from trueline report --format json of the same days.",
        )
    told = [row[line] for row in rows]
    if line == "spend_amount" and None in told:
        return None
    return sum((Decimal(value) for value in told if value is not None), Decimal(0))


def _reading_order(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(row["report_date"]),
        str(row["happened_at"] or ""),
        row["platform"],
        row["account_id"],
        row["campaign_id"],
        row["row_kind"],
        row["lead_key"] or "",
        row["row_key"],
    )
