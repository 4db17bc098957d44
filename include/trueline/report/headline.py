"""The headline report: exact sums from the warehouse, ratios and gaps made of them in Decimal.

Sums come from ``reports.headline``; every ratio is made here, so that both engines give the same
digits. Rows that do not add up are never shown: the two identities are checked again on reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING, Any, Literal, get_args

from trueline.errors import ConfigurationError, PermanentError
from trueline.model.parameters import HISTORY_START
from trueline.paths import sql_dir
from trueline.report.words import (
    CLAIM_PARTS,
    GAP_OBSERVED_TO_REAL,
    GAP_PIXEL_TO_REAL,
    GAP_REAL_TO_QUALIFIED,
    Step,
    campaign_label,
    dimension_label,
)

if TYPE_CHECKING:
    from trueline.warehouse.base import Reader

By = Literal["channel", "campaign", "day", "week", "month"]
Row = dict[str, Any]

KEYS = ("period_start", "platform", "account_id", "campaign_id", "campaign_name")

# Figure, numerator, denominator. Only sums over reported claims meet pixel_conversions.
RATIOS = (
    ("cost_per_pixel_conversion", "spend_reported", "pixel_conversions"),
    ("cost_per_real_lead", "spend_amount", "real_leads"),
    ("cost_per_qualified_lead", "spend_amount", "qualified_leads"),
    ("cost_per_qualified_opportunity", "spend_amount", "qualified_opportunities"),
    ("cost_per_customer", "spend_amount", "customers"),
    ("pixel_to_real_rate", "real_leads_reported", "pixel_conversions"),
    ("real_to_qualified_rate", "qualified_leads", "real_leads"),
    ("qualified_to_opportunity_rate", "qualified_opportunities", "qualified_leads"),
    ("opportunity_to_customer_rate", "customers", "opportunities"),
    ("roas", "won_amount", "spend_amount"),
    ("click_through_rate", "clicks", "impressions"),
    ("click_to_tag_event_rate", "observed_on_ad_platforms", "clicks"),
    ("visit_to_tag_event_rate", "observed_tag_events", "visits"),
    ("bounce_rate", "bounces", "measured_visits"),
    ("contact_rate", "contacted_leads", "real_leads"),
    ("contact_within_an_hour_rate", "contacted_within_an_hour", "real_leads"),
    ("minutes_to_first_contact", "first_contact_minutes", "contacted_leads"),
    ("minutes_to_qualify", "qualify_minutes", "qualified_leads"),
    ("minutes_to_close", "close_minutes", "timed_customers"),
)
# Not told means unknown here, not nothing: one unknown part makes the total unknown.
_UNKNOWN_IF_ANY_PART_IS = frozenset({"spend_amount", "spend_reported"})
# The scale of NUMERIC: a ratio has the same nine decimals wherever it is made.
_NUMERIC_STEP = Decimal("0.000000001")
_DIGITS = 50


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the figures were made with.

    Attributes:
        rules_version: The rulebook's version; one per report.
        as_of: The newest moment that the builds of these days knew.
        currency: Of every amount; None where no row has one.
        first_date: First reporting day with figures, inclusive.
        last_date: Last reporting day with figures, inclusive.
        published_at: When the snapshot was published, if the caller knows.
    """

    rules_version: str
    as_of: datetime
    currency: str | None
    first_date: date
    last_date: date
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Rows in reading order, their exact totals and where they come from.

    A row holds the columns of ``reports.headline``, the figures of ``RATIOS`` (None where there is
    nothing to divide by), ``gap_pixel_to_real`` and ``gap_real_to_qualified``, and for each gap
    ``..._causes``: cause to count, positive where it takes away, which add up to the gap exactly.
    ``by`` is what the rows are of: one of ``By``, or of ``trueline.report.dimensions.Dimension``.
    """

    by: str
    rows: list[Row]
    totals: Row
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class SourceLoads:
    """The loads of one source that were in when the figures were built."""

    source: str
    loads: int
    skipped_loads: int
    rows_loaded: int
    rows_quarantined: int
    last_loaded_at: datetime


def headline(
    reader: Reader,
    by: By,
    first_date: date | None = None,
    last_date: date | None = None,
    *,
    published_at: datetime | None = None,
) -> Report:
    """Read the published figures of ``first_date..last_date`` (inclusive; None is open-ended).

    Rows come by spend, then by real leads; by day, week (Monday) or month in the order of time.

    Raises:
        ConfigurationError: unknown ``by``, days the wrong way round, no figures for those days, or
            amounts in several currencies.
        PermanentError: the days mix rulebook versions, or a row does not add up.
    """
    if by not in get_args(By):
        raise ConfigurationError(
            f"A report by {by!r} does not exist.", fix=f"Choose one of {', '.join(get_args(By))}."
        )
    if first_date and last_date and first_date > last_date:
        raise ConfigurationError(
            f"The first day {first_date} is after the last day {last_date}.",
            fix="Give the earlier day first.",
        )
    provenance = provenance_of(reader, first_date, last_date, published_at)
    found = reader.query(report_sql("headline"), {"by": by, **days_asked(first_date, last_date)})
    sums = [dict(row) for row in found]
    keys = {"period_start": None} | dict.fromkeys(KEYS[1:], "(all)")
    totals = with_figures(keys | added_up(sums))
    rows = sorted((with_figures(row) for row in sums), key=_reading_order)
    return Report(by, rows, totals, provenance)


def loads_behind(reader: Reader, as_of: datetime) -> list[SourceLoads]:
    """Per source, what had been loaded when the figures of ``as_of`` were built."""
    found = reader.query(report_sql("loads_behind"), {"as_of": as_of})
    return sorted((SourceLoads(**row) for row in found), key=lambda loads: loads.source)


def with_figures(sums: Row) -> Row:
    """``sums`` with its ratios and gaps.

    Raises:
        PermanentError: one of the two identities does not hold.
    """
    row = dict(sums)
    with localcontext(prec=_DIGITS):
        for figure, numerator, denominator in RATIOS:
            row[figure] = _ratio(row[numerator], row[denominator])
        parts = sum((_number(row[part]) for part in CLAIM_PARTS), Decimal(0))
        if parts != _number(row["claimed_not_observed"]):
            raise _does_not_add_up(row, "claimed_not_observed and its parts")
        for name, start, steps, end in (
            first_gap(row),
            ("gap_real_to_qualified", "real_leads", GAP_REAL_TO_QUALIFIED, "qualified_leads"),
        ):
            causes = {step.column: -effect(row, step) for step in steps}
            row[name] = _number(row[start]) - _number(row[end])
            row[f"{name}_causes"] = causes
            if sum(causes.values(), Decimal(0)) != row[name]:
                raise _does_not_add_up(row, name)
    return row


def first_gap(row: Mapping[str, Any]) -> tuple[str, str, tuple[Step, ...], str]:
    """Name, start, steps and end of the gap before real leads: what nobody claims has no claim."""
    if row["pixel_conversions"] is None:
        return "gap_observed_to_real", "observed_tag_events", GAP_OBSERVED_TO_REAL, "real_leads"
    return "gap_pixel_to_real", "pixel_conversions", GAP_PIXEL_TO_REAL, "real_leads"


def effect(row: Mapping[str, Any], step: Step) -> Decimal:
    """What a ledger step adds (positive) or takes away (negative); not told counts as nothing."""
    return step.sign * _number(row[step.column]) or Decimal(0)


def has_claims(row: Mapping[str, Any]) -> bool:
    """False for channels that no platform makes claims for: there, no claim is not zero claims."""
    return any(row[name] for name in ("pixel_conversions", "spend_reported", "real_leads_reported"))


def provenance_of(
    reader: Reader, first_date: date | None, last_date: date | None, published_at: datetime | None
) -> Provenance:
    """What the figures of these days were made with.

    Raises:
        ConfigurationError: no figures for those days, or amounts in several currencies.
        PermanentError: the days mix rulebook versions.
    """
    found = _made_with(reader, first_date, last_date)
    if not found:
        published = _made_with(reader, None, None)
        raise ConfigurationError(
            f"No figures are published for {first_date or 'the first day'} to "
            f"{last_date or 'the last day'}.",
            fix=(
                f"Ask for days from {min(row['first_date'] for row in published)} to "
                f"{max(row['last_date'] for row in published)}."
                if published
                else "Ingest, build and publish first."
            ),
        )
    versions = sorted({row["rules_version"] for row in found})
    if len(versions) > 1:
        days = "; ".join(
            f"{row['rules_version']} on {row['first_date']} to {row['last_date']}" for row in found
        )
        raise PermanentError(
            f"These days were built under {len(versions)} rulebook versions and cannot be added "
            f"up: {days}.",
            where="marts.funnel_daily",
            fix="Rebuild the older days, or ask for the days of one version.",
        )
    currencies = sorted({row["currency_code"] for row in found if row["currency_code"]})
    if len(currencies) > 1:
        raise ConfigurationError(
            f"Amounts in {' and '.join(currencies)} cannot be added up.",
            where="marts.funnel_daily",
            fix="Bring all accounts into the profile's currency, or report them apart.",
        )
    return Provenance(
        rules_version=versions[0],
        as_of=max(row["as_of"] for row in found),
        currency=currencies[0] if currencies else None,
        first_date=min(row["first_date"] for row in found),
        last_date=max(row["last_date"] for row in found),
        published_at=published_at,
    )


def _made_with(
    reader: Reader, first_date: date | None, last_date: date | None
) -> Sequence[Mapping[str, Any]]:
    return reader.query(report_sql("provenance"), days_asked(first_date, last_date))


def days_asked(first_date: date | None, last_date: date | None) -> dict[str, date | None]:
    """The parameters of a question about some days; None is open-ended."""
    return {"history_start": HISTORY_START, "first_date": first_date, "last_date": last_date}


def report_sql(name: str) -> str:
    """The query of ``reports.<name>``."""
    return (sql_dir() / "reports" / name / "query.sql").read_text(encoding="utf-8")


def added_up(rows: Sequence[Row]) -> Row:
    """The exact sum of every column; None where no row has a figure, or one of the spends.

    Args:
        rows: At least one; their keys (what a row is of) are left out.
    """
    totals: Row = {}
    with localcontext(prec=_DIGITS):
        for name in rows[0]:
            if name not in KEYS and name != "dimension_value":
                told = [row[name] for row in rows if row[name] is not None]
                is_unknown = not told or (name in _UNKNOWN_IF_ANY_PART_IS and len(told) < len(rows))
                totals[name] = None if is_unknown else sum(told[1:], told[0])
    return totals


def _ratio(numerator: Decimal | None, denominator: Decimal | None) -> Decimal | None:
    # More credited back than spent: nothing was bought that anything could be a return on.
    if numerator is None or denominator is None or denominator <= 0:
        return None
    return (Decimal(numerator) / Decimal(denominator)).quantize(_NUMERIC_STEP, ROUND_HALF_UP)


def _number(value: Decimal | int | None) -> Decimal:
    return Decimal(0) if value is None else Decimal(value)


def _reading_order(row: Row) -> tuple[Any, ...]:
    return (
        row["period_start"] or date.min,
        -_number(row["spend_amount"]),
        -_number(row["real_leads"]),
        row["platform"],
        row["account_id"],
        row["campaign_id"],
    )


def _told(row: Row) -> str:
    if "dimension_value" in row:
        return dimension_label(row["dimension_value"])
    return str(row["period_start"] or campaign_label(row))


def _does_not_add_up(row: Row, what: str) -> PermanentError:
    return PermanentError(
        f"The figures of {_told(row)} do not add up: {what}.",
        where="marts.funnel_daily",
        fix="Run the marts checks and rebuild those days; do not use the figures until then.",
    )
