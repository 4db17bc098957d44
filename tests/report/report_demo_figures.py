"""Ninety invented days of ``marts.funnel_daily`` that keep both identities, credit by credit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

LAST_DAY = date(2026, 11, 22)
DAYS = 90
RULES_VERSION = "first-touch-3f9a1c"
AS_OF = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

EXCLUDED = [
    "bot",
    "internal_or_test",
    "duplicate_submission",
    "same_person",
    "existing_lead",
    "awaiting_crm",
    "no_crm_record",
]
REASONS = [
    "spam",
    "marked_duplicate",
    "deleted_in_crm",
    "unreachable",
    "not_fit",
    "no_budget",
    "no_authority",
    "no_need",
    "no_timing",
    "no_intent",
    "undecided",
    "other_reason",
]
OF_LEADS = [
    "hot_leads",
    "warm_leads",
    "cold_leads",
    "mql_leads",
    "sql_leads",
    "pql_leads",
    "service_qualified_leads",
    "contacted_leads",
    "contacted_within_an_hour",
    "first_contact_minutes",
    "contact_attempts",
    "wasted_contacts",
    "qualify_minutes",
    "timed_customers",
    "close_minutes",
    "rulebook_misses",
    "unknown_stage_leads",
]
COUNTS = ["impressions", "clicks", "visits", "measured_visits", "bounces"]
NUMERIC_COLUMNS = [
    "spend_amount",
    "pixel_conversions",
    "observed_without_claim",
    "claimed_not_observed",
    "view_through",
    "day_shift",
    "claimed_not_observed_rest",
    "observed_tag_events",
    *EXCLUDED,
    "made_lead",
    "credited_elsewhere",
    "credited_from_elsewhere",
    "unobserved_leads",
    "recovered_leads",
    "real_leads",
    *REASONS,
    "pending",
    "qualified_leads",
    "opportunities",
    "qualified_opportunities",
    "customers",
    "qualified_customers",
    "pipeline_amount",
    "won_amount",
    *OF_LEADS,
]
DDL = f"""
create schema marts;
create table marts.funnel_daily (
    report_date date, platform varchar, account_id varchar, campaign_id varchar,
    campaign_name varchar, claim_state varchar, currency_code varchar,
    {", ".join(f"{name} bigint" for name in COUNTS)},
    {", ".join(f"{name} decimal(38, 9)" for name in NUMERIC_COLUMNS)},
    rules_version varchar, as_of timestamptz
);
create schema raw;
create table raw.loads (
    load_id varchar, source varchar, status varchar, reason varchar, file_name varchar,
    content_hash varchar, table_name varchar, window_start date, window_end date,
    rows_received bigint, rows_loaded bigint, rows_quarantined bigint, loaded_at timestamptz
);
"""


@dataclass(frozen=True)
class Campaign:
    """What one campaign is like: per-day rates and the mix of its leads."""

    platform: str
    campaign_id: str
    name: str
    spend: int
    made: float
    noise: float
    qualified: float
    opportunity: float
    claim: str = "reported"
    view_through: float = 0.0
    unobserved: float = 0.3


CAMPAIGNS = (
    Campaign(
        "google_ads", "2001", "Rooftop consultation – decision makers", 780, 3.2, 0.4, 0.52, 0.6
    ),
    Campaign("google_ads", "2002", "Brand", 140, 3.6, 0.3, 0.44, 0.5),
    Campaign("google_ads", "2003", "Generic – solar for business", 520, 5.0, 0.8, 0.24, 0.4),
    Campaign(
        "meta_ads", "3001", "Savings calculator – broad", 430, 7.5, 5.0, 0.05, 0.2, view_through=2.1
    ),
    Campaign(
        "meta_ads", "3002", "Lead form – plant managers", 330, 0.4, 0.1, 0.30, 0.4, unobserved=2.6
    ),
    Campaign(
        "meta_ads",
        "3003",
        "Retargeting <script>alert(1)</script>",
        90,
        0.15,
        0.2,
        0.3,
        0.4,
        view_through=1.9,
        unobserved=0.02,
    ),
    Campaign("organic_search", "(none)", "", 0, 4.2, 1.0, 0.33, 0.5, claim="not_applicable"),
    Campaign("direct", "(none)", "", 0, 1.6, 0.8, 0.35, 0.5, claim="not_applicable"),
    Campaign("email", "(none)", "", 0, 0.9, 0.2, 0.40, 0.5, claim="not_applicable"),
    Campaign("referral", "(none)", "", 0, 0.6, 0.2, 0.38, 0.5, claim="not_applicable"),
    Campaign("organic_social", "(none)", "", 0, 0.5, 0.4, 0.15, 0.3, claim="not_applicable"),
)


def funnel_rows(days: int = DAYS, last_day: date = LAST_DAY) -> Iterator[dict[str, Any]]:
    """One row per campaign and day, oldest first; the same rows every time."""
    dice = random.Random(7)
    for offset in range(days):
        day = last_day - timedelta(days=days - 1 - offset)
        rows = [_delivered(dice, campaign, day, age=days - 1 - offset) for campaign in CAMPAIGNS]
        _share_credits(dice, rows)
        for campaign, row in zip(CAMPAIGNS, rows, strict=True):
            _judge(dice, campaign, row, age=days - 1 - offset)
        yield from rows


def _delivered(dice: random.Random, campaign: Campaign, day: date, age: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(NUMERIC_COLUMNS, Decimal(0)) | {
        "report_date": day,
        "platform": campaign.platform,
        "account_id": "(none)" if campaign.claim == "not_applicable" else "111-222-3333",
        "campaign_id": campaign.campaign_id,
        "campaign_name": campaign.name or None,
        "claim_state": campaign.claim,
        "currency_code": "EUR",
        "impressions": int(campaign.spend * dice.uniform(30, 50)),
        "clicks": int(campaign.spend * dice.uniform(0.3, 0.5)),
        "rules_version": RULES_VERSION,
        "as_of": AS_OF,
        "spend_amount": Decimal(round(campaign.spend * dice.uniform(80, 120))) / 100,
    }
    row["visits"] = row["clicks"] * 9 // 10 or 60
    row["measured_visits"] = row["visits"] - 1
    row["bounces"] = row["visits"] * 2 // 5
    row["made_lead"] = _about(dice, campaign.made)
    row["bot"] = _about(dice, campaign.noise * 0.5)
    row["internal_or_test"] = _about(dice, 0.06)
    row["duplicate_submission"] = _about(dice, campaign.made * 0.12)
    row["same_person"] = _about(dice, campaign.made * 0.05)
    row["existing_lead"] = _about(dice, campaign.made * 0.07)
    row["awaiting_crm"] = _about(dice, campaign.made * 0.3) if age < 2 else Decimal(0)
    row["no_crm_record"] = _about(dice, campaign.made * 0.06)
    row["observed_tag_events"] = row["made_lead"] + sum(row[name] for name in EXCLUDED)
    row["unobserved_leads"] = _about(dice, campaign.unobserved)
    row["recovered_leads"] = _about(dice, 0.02)
    if campaign.claim == "not_applicable":
        row["observed_without_claim"] = row["observed_tag_events"]
        row["view_through"] = None
        return row
    row["view_through"] = (
        _about(dice, campaign.view_through) if campaign.platform == "meta_ads" else None
    )
    row["day_shift"] = Decimal(dice.choice((-1, 0, 0, 0, 0, 1)))
    row["claimed_not_observed_rest"] = (
        Decimal(dice.randint(-90, 60)) / 100
        if campaign.platform == "google_ads"
        else _about(dice, 0.3)
    )
    claimed = row["observed_tag_events"] + (row["view_through"] or 0) + row["day_shift"]
    if claimed + row["claimed_not_observed_rest"] < 0:
        row["day_shift"] = row["claimed_not_observed_rest"] = Decimal(0)
        claimed = row["observed_tag_events"] + (row["view_through"] or 0)
    row["pixel_conversions"] = claimed + row["claimed_not_observed_rest"]
    row["claimed_not_observed"] = row["pixel_conversions"] - row["observed_tag_events"]
    return row


def _share_credits(dice: random.Random, rows: list[dict[str, Any]]) -> None:
    """Move thirds and whole credits of made leads between campaigns; they cancel per day."""
    for row in rows:
        if row["made_lead"] and dice.random() < 0.25:
            share = dice.choice((Decimal("0.333333333"), Decimal("0.5"), Decimal(1)))
            other = dice.choice([other for other in rows if other is not row])
            row["credited_elsewhere"] += share
            other["credited_from_elsewhere"] += share


def _judge(dice: random.Random, campaign: Campaign, row: dict[str, Any], age: int) -> None:
    row["real_leads"] = (
        row["made_lead"]
        - row["credited_elsewhere"]
        + row["credited_from_elsewhere"]
        + row["unobserved_leads"]
        + row["recovered_leads"]
    )
    row["contacted_leads"] = row["real_leads"]
    row["first_contact_minutes"] = row["real_leads"] * 90
    row["hot_leads"] = row["real_leads"]
    left = row["real_leads"]
    while left > 0:
        credit = min(left, Decimal(1))
        left -= credit
        if dice.random() < max(0.0, 0.7 - age / 25):
            row["pending"] += credit
        elif dice.random() < campaign.qualified:
            row["qualified_leads"] += credit
            if dice.random() < campaign.opportunity:
                _deal(dice, row, credit)
        else:
            row[dice.choices(REASONS, (2, 1, 1, 5, 8, 4, 2, 3, 3, 4, 2, 1))[0]] += credit


def _deal(dice: random.Random, row: dict[str, Any], credit: Decimal) -> None:
    amount = (Decimal(dice.randint(4000, 30000)) * credit).quantize(Decimal("0.01"))
    row["opportunities"] += credit
    row["qualified_opportunities"] += credit
    row["pipeline_amount"] += amount
    if dice.random() < 0.3:
        row["customers"] += credit
        row["qualified_customers"] += credit
        row["won_amount"] += amount


def _about(dice: random.Random, mean: float) -> Decimal:
    """A Poisson draw."""
    left, drawn = dice.expovariate(1.0), 0
    while left < mean:
        left, drawn = left + dice.expovariate(1.0), drawn + 1
    return Decimal(drawn)
