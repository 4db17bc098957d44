"""The rows of ``marts.campaign_judgements``: made by a build after its queries, from their sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from trueline.judgement.judge import Evidence, Judgement, judge, together
from trueline.model.catalog import load_catalog
from trueline.report.headline import headline
from trueline.rulebook import Rulebook
from trueline.statistics.intervals import Interval
from trueline.statistics.outlook import (
    Outlook,
    further_customers,
    further_revenue,
    shrunken_factor,
    shrunken_worth,
    spread_of,
)

if TYPE_CHECKING:
    from trueline.warehouse.base import Reader, Transaction

TABLE = "marts.campaign_judgements"
Row = dict[str, Any]
_KEY = ("platform", "account_id", "campaign_id")
_STEP = Decimal("0.000000001")
_ZERO = Decimal(0)


def write_judgements(
    transaction: Transaction, reader: Reader, rulebook: Rulebook, as_of: datetime
) -> int:
    """Replace the snapshot of ``as_of``'s day; returns the number of rows.

    Call it in the transaction that rebuilt the marts, after all of them.

    Args:
        reader: Sees the marts as the transaction leaves them.
    """
    rows = judgement_rows(reader, rulebook, as_of)
    transaction.execute(
        f"delete from {TABLE} where as_of_date = @as_of_date",
        {"as_of_date": _day(rulebook, as_of)},
    )
    transaction.insert(load_catalog()[TABLE], rows)
    return len(rows)


def judgement_rows(reader: Reader, rulebook: Rulebook, as_of: datetime) -> list[Row]:
    """One row per campaign with spend or leads in the judging window, ordered by its key.

    Args:
        reader: Anything that reads ``marts.campaign_maturity`` and ``marts.funnel_daily``.

    Raises:
        PermanentError: the window's days mix rulebook versions, or do not add up.
    """
    found = reader.query(
        "select * from marts.campaign_maturity where as_of_date = @as_of_date",
        {"as_of_date": _day(rulebook, as_of)},
    )
    if not found:
        return []
    first, last = found[0]["first_date"], found[0]["last_date"]
    sums = {_key(row): row for row in headline(reader, "campaign", first, last).rows}
    maturity = {_key(row): row for row in found}
    evidence = {key: _evidence(sums[key], maturity[key]) for key in maturity if key in sums}
    paid = {key for key, each in evidence.items() if each.spend is None or each.spend > 0}
    with localcontext(prec=50):
        account = _account(found)
        return [
            _row(
                maturity[key],
                evidence[key],
                judge(
                    evidence[key],
                    together(evidence[each] for each in paid if each != key),
                    rulebook.qualification.judgement,
                )
                if key in paid
                else None,
            )
            | _outlook(
                maturity[key], sums[key], account, rulebook.qualification.judgement.prior_weight
            )
            for key in sorted(evidence)
        ]


def _day(rulebook: Rulebook, as_of: datetime) -> Any:
    return as_of.astimezone(ZoneInfo(rulebook.time_zone)).date()


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in _KEY)


def _evidence(sums: Mapping[str, Any], maturity: Mapping[str, Any]) -> Evidence:
    return Evidence(
        spend=sums["spend_amount"],
        mature_spend=maturity["mature_spend"],
        opportunity_mature_spend=maturity["opportunity_mature_spend"],
        spend_reported=sums["spend_reported"],
        pixel_conversions=Decimal(sums["pixel_conversions"]),
        real_leads=Decimal(sums["real_leads"]),
        real_leads_reported=Decimal(sums["real_leads_reported"]),
        # A campaign without a lead has no unripe lead either: its spend alone tells its age.
        mature_leads=maturity["mature_leads"] if maturity["real_leads"] else _ZERO,
        decided_leads=Decimal(sums["real_leads"] - sums["pending"]),
        qualified_leads=Decimal(sums["qualified_leads"]),
        qualified_opportunities=Decimal(sums["qualified_opportunities"]),
        pixel_to_real=sums["gap_pixel_to_real_causes"],
        real_to_qualified=sums["gap_real_to_qualified_causes"],
    )


def _row(maturity: Mapping[str, Any], campaign: Evidence, said: Judgement | None) -> Row:
    compared = said.costs if said else {}
    return dict.fromkeys(column.name for column in load_catalog()[TABLE].columns) | {
        "as_of_date": maturity["as_of_date"],
        **{name: maturity[name] for name in _KEY},
        "first_date": maturity["first_date"],
        "last_date": maturity["last_date"],
        "judgement": said.word if said else None,
        "reason": said.reason if said else None,
        "threshold": said.threshold if said else None,
        "gap": said.gap if said else None,
        "cause": said.cause if said else None,
        "spend_amount": campaign.spend,
        "mature_spend": campaign.mature_spend,
        "pixel_conversions": campaign.pixel_conversions,
        "real_leads": campaign.real_leads,
        "decided_leads": campaign.decided_leads,
        "qualified_leads": campaign.qualified_leads,
        "qualified_opportunities": campaign.qualified_opportunities,
        "maturity": _numeric(campaign.maturity),
        **{
            name: value
            for measure, costs in compared.items()
            for name, value in (
                *_with_bounds(measure, costs.own, costs.own_range),
                *_with_bounds(f"others_{measure}", costs.others, costs.others_range),
            )
        },
        "rules_version": maturity["rules_version"],
        "as_of": maturity["as_of"],
    }


def _with_bounds(
    name: str, cost: Decimal | None, interval: Interval | None
) -> Iterator[tuple[str, Decimal | None]]:
    yield name, _numeric(cost)
    yield f"{name}_low", interval.low if interval else None
    yield f"{name}_high", interval.high if interval else None


def _account(found: Sequence[Mapping[str, Any]]) -> Mapping[str, Decimal]:
    """Sums over all channels: what a customer is worth, and how much customers differ."""
    return {
        name: sum((Decimal(row[name]) for row in found), _ZERO)
        for name in ("qualified_customers", "won_amount", "won_amount_squared")
    }


def _outlook(
    row: Mapping[str, Any], sums: Mapping[str, Any], account: Mapping[str, Decimal], weight: int
) -> Row:
    """Customers and revenue expected of the window's leads: those there are, and those to come."""
    told: Row = dict.fromkeys(
        f"expected_{what}{bound}"
        for what in ("customers", "revenue")
        for bound in ("", "_low", "_high")
    )
    needed = ("qualified_expected", "later_qualified", "later_won", "won_expected", "won_share")
    if any(row[name] is None for name in needed):
        return told
    # What may still qualify does so as often as the campaign's leads have shown so far.
    pace = shrunken_factor(row["qualified_leads"], row["qualified_expected"], weight)
    due = row["later_won"] + row["later_qualified"] * pace * row["won_share"]
    seen = Decimal(row["qualified_customers"])
    customers = further_customers(seen, row["won_expected"], due, weight)
    told |= _beyond("customers", Decimal(sums["customers"]), customers)
    if account["qualified_customers"]:
        usual = account["won_amount"] / account["qualified_customers"]
        worth = shrunken_worth(Decimal(row["won_amount"]), seen, usual, weight)
        # Squares are kept in thousands.
        spread = 1000 * spread_of(
            account["won_amount"] / 1000,
            account["won_amount_squared"],
            account["qualified_customers"],
        )
        revenue = further_revenue(customers, seen, weight, worth, spread)
        told |= _beyond("revenue", Decimal(sums["won_amount"]), revenue)
    return told


def _beyond(what: str, so_far: Decimal, further: Outlook) -> Row:
    return {
        f"expected_{what}": _numeric(so_far + further.expected),
        f"expected_{what}_low": _numeric(so_far + further.interval.low),
        f"expected_{what}_high": _numeric(so_far + (further.interval.high or _ZERO)),
    }


def _numeric(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(_STEP, ROUND_HALF_UP)
