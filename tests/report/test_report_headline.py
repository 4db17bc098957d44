"""The headline figures: exact in every roll-up, honest where there is nothing to divide by."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from report_demo_figures import (
    AS_OF,
    CAMPAIGNS,
    COUNTS,
    LAST_DAY,
    NUMERIC_COLUMNS,
    RULES_VERSION,
    funnel_rows,
)

from trueline.errors import ConfigurationError, PermanentError
from trueline.report.headline import headline, loads_behind

ROLL_UPS = ("channel", "campaign", "day", "week", "month")


def _key(by: str, row: dict[str, Any]) -> Any:
    day = row["report_date"]
    return {
        "channel": row["platform"],
        "campaign": (row["platform"], row["account_id"], row["campaign_id"]),
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
    }[by]


def _key_of_report(by: str, row: dict[str, Any]) -> Any:
    if by == "channel":
        return row["platform"]
    if by == "campaign":
        return row["platform"], row["account_id"], row["campaign_id"]
    return row["period_start"]


def _one_row(**changes: Any) -> dict[str, Any]:
    """A reported row of one day: 3 claimed and seen, 1 bot, 2 real leads, 1 of them qualified."""
    row = next(funnel_rows(days=1)) | dict.fromkeys(NUMERIC_COLUMNS, Decimal(0))
    return (
        row
        | {
            "spend_amount": Decimal(100),
            "pixel_conversions": Decimal(3),
            "observed_tag_events": Decimal(3),
            "bot": Decimal(1),
            "made_lead": Decimal(2),
            "real_leads": Decimal(2),
            "not_fit": Decimal(1),
            "qualified_leads": Decimal(1),
        }
        | changes
    )


@pytest.mark.parametrize("by", ROLL_UPS)
def test_every_sum_is_exact_to_the_last_digit(demo_reader, by):
    expected: dict[Any, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for row in funnel_rows():
        for name in (*NUMERIC_COLUMNS, *COUNTS):
            expected[_key(by, row)][name] += row[name] or 0
            totals[name] += row[name] or 0
    report = headline(demo_reader, by)
    assert {_key_of_report(by, row) for row in report.rows} == set(expected)
    for row in report.rows:
        sums = expected[_key_of_report(by, row)]
        assert {name: row[name] or 0 for name in sums} == dict(sums)
    assert {name: report.totals[name] or 0 for name in totals} == dict(totals)


@pytest.mark.parametrize("by", ROLL_UPS)
def test_both_gaps_add_up_by_cause_in_every_roll_up(demo_reader, by):
    report = headline(demo_reader, by)
    assert len(report.rows) > 1
    for row in (*report.rows, report.totals):
        assert row["gap_pixel_to_real"] == row["pixel_conversions"] - row["real_leads"]
        assert sum(row["gap_pixel_to_real_causes"].values()) == row["gap_pixel_to_real"]
        assert row["gap_real_to_qualified"] == row["real_leads"] - row["qualified_leads"]
        assert sum(row["gap_real_to_qualified_causes"].values()) == row["gap_real_to_qualified"]
    moved = report.totals["gap_pixel_to_real_causes"]
    assert moved["credited_elsewhere"] == -moved["credited_from_elsewhere"] > 0


@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_periods_come_in_the_order_of_time(demo_reader, by):
    starts = [row["period_start"] for row in headline(demo_reader, by).rows]
    assert starts == sorted(starts)
    assert by != "week" or {start.weekday() for start in starts} == {0}


def test_the_largest_spend_comes_first_then_the_channels_nobody_claims(demo_reader):
    rows = headline(demo_reader, "campaign").rows
    assert len(rows) == len(CAMPAIGNS)
    spends = [row["spend_amount"] for row in rows]
    assert spends == sorted(spends, reverse=True)
    unclaimed = [row["real_leads"] for row in rows if not row["spend_amount"]]
    assert len(unclaimed) == 5
    assert unclaimed == sorted(unclaimed, reverse=True)


def test_only_the_days_asked_for_count(demo_reader):
    first, last = LAST_DAY - timedelta(days=6), LAST_DAY - timedelta(days=2)
    report = headline(demo_reader, "day", first, last)
    assert [row["period_start"] for row in report.rows] == [
        first + timedelta(days=offset) for offset in range(5)
    ]
    assert (report.provenance.first_date, report.provenance.last_date) == (first, last)


def test_a_zero_denominator_gives_none_and_the_row_stays(publish):
    reader = publish(
        [
            _one_row(
                pixel_conversions=Decimal(0),
                observed_tag_events=Decimal(0),
                bot=Decimal(0),
                made_lead=Decimal(0),
                real_leads=Decimal(0),
                not_fit=Decimal(0),
                qualified_leads=Decimal(0),
            )
        ]
    )
    (row,) = headline(reader, "campaign").rows
    assert row["spend_amount"] == 100
    for figure in (
        "cost_per_pixel_conversion",
        "cost_per_real_lead",
        "cost_per_qualified_lead",
        "cost_per_qualified_opportunity",
        "cost_per_customer",
        "pixel_to_real_rate",
        "real_to_qualified_rate",
        "qualified_to_opportunity_rate",
    ):
        assert row[figure] is None
    assert row["roas"] == 0


def test_ratios_are_divided_exactly_and_rounded_once(publish):
    (row,) = headline(publish([_one_row()]), "campaign").rows
    assert row["cost_per_pixel_conversion"] == Decimal("33.333333333")
    assert row["cost_per_real_lead"] == 50
    assert row["pixel_to_real_rate"] == Decimal("0.666666667")
    assert row["real_to_qualified_rate"] == Decimal("0.5")


def test_clicks_are_set_beside_the_submissions_of_ad_platforms_alone(publish):
    clicked = _one_row(impressions=1000, clicks=30, visits=24, measured_visits=20, bounces=5)
    organic = _one_row(
        platform="direct",
        account_id="(none)",
        campaign_id="(none)",
        claim_state="not_applicable",
        pixel_conversions=Decimal(0),
        observed_without_claim=Decimal(3),
        spend_amount=Decimal(0),
        impressions=0,
        clicks=0,
        visits=6,
        measured_visits=0,
        bounces=0,
    )
    total = headline(publish([clicked, organic]), "day").totals
    assert total["observed_tag_events"] == 6
    assert total["click_to_tag_event_rate"] == Decimal("0.1")
    assert total["click_through_rate"] == Decimal("0.03")
    assert total["visit_to_tag_event_rate"] == Decimal("0.2")
    assert total["bounce_rate"] == Decimal("0.25")


def test_times_are_means_over_the_leads_they_are_known_of(publish):
    row = _one_row(
        contacted_leads=Decimal(1),
        contacted_within_an_hour=Decimal(1),
        first_contact_minutes=Decimal(30),
        qualify_minutes=Decimal(2880),
    )
    (found,) = headline(publish([row]), "campaign").rows
    assert found["contact_rate"] == Decimal("0.5")
    assert found["minutes_to_first_contact"] == 30
    assert found["minutes_to_qualify"] == 2880
    assert found["minutes_to_close"] is None


def test_a_day_without_claims_leaves_the_pixel_ratios_alone(publish):
    claimed = _one_row()
    unclaimed = _one_row(
        report_date=LAST_DAY - timedelta(days=1),
        claim_state="missing",
        pixel_conversions=Decimal(0),
        observed_without_claim=Decimal(3),
        spend_amount=Decimal(900),
    )
    (row,) = headline(publish([claimed, unclaimed]), "campaign").rows
    assert row["spend_amount"] == 1000
    assert row["real_leads"] == 4
    assert row["cost_per_pixel_conversion"] == Decimal("33.333333333")
    assert row["pixel_to_real_rate"] == Decimal("0.666666667")
    assert row["cost_per_real_lead"] == 250


def test_spend_in_a_currency_without_a_rate_makes_its_costs_and_the_total_unknown(publish):
    foreign = _one_row(campaign_id="2002", spend_amount=None)
    half_foreign = _one_row(campaign_id="2003")
    day_before = LAST_DAY - timedelta(days=1)
    reader = publish(
        [
            _one_row(),
            foreign,
            half_foreign,
            half_foreign | {"spend_amount": None, "report_date": day_before},
        ]
    )
    report = headline(reader, "campaign")
    spends = {row["campaign_id"]: row["spend_amount"] for row in report.rows}
    assert spends == {"2001": 100, "2002": None, "2003": None}
    assert report.totals["spend_amount"] is None
    for row in report.rows:
        known = row["campaign_id"] == "2001"
        assert (row["cost_per_real_lead"] is not None) == known
        assert (row["cost_per_pixel_conversion"] is not None) == known
    assert report.totals["cost_per_real_lead"] is None
    assert report.totals["real_leads"] == 8
    for other in ("channel", "week"):
        assert headline(reader, other).totals["cost_per_pixel_conversion"] is None


def test_view_through_that_no_platform_tells_stays_unknown(publish):
    report = headline(publish([_one_row(view_through=None)]), "campaign")
    assert report.rows[0]["view_through"] is None
    assert report.totals["view_through"] is None


@pytest.mark.parametrize(
    "broken",
    [
        {"bot": Decimal(2)},
        {"qualified_leads": Decimal("1.000000001")},
        {"view_through": Decimal(1)},
    ],
)
def test_figures_that_do_not_add_up_are_not_shown(publish, broken):
    with pytest.raises(PermanentError, match="do not add up"):
        headline(publish([_one_row(**broken)]), "channel")


def test_two_rulebook_versions_are_refused_by_name_and_day(publish):
    day_before = LAST_DAY - timedelta(days=1)
    reader = publish([_one_row(), _one_row(report_date=day_before, rules_version="linear-0b")])
    with pytest.raises(PermanentError, match=f"linear-0b on {day_before}") as refused:
        headline(reader, "channel")
    assert RULES_VERSION in str(refused.value)
    assert headline(reader, "channel", LAST_DAY).provenance.rules_version == RULES_VERSION


def test_two_currencies_are_refused(publish):
    reader = publish([_one_row(), _one_row(campaign_id="2002", currency_code="USD")])
    with pytest.raises(ConfigurationError, match="EUR and USD cannot be added up"):
        headline(reader, "channel")


def test_a_channel_without_amounts_needs_no_currency(publish):
    reader = publish([_one_row(), _one_row(campaign_id="2002", currency_code=None)])
    assert headline(reader, "channel").provenance.currency == "EUR"


def test_days_without_figures_are_answered_with_the_days_there_are(publish):
    reader = publish([_one_row()])
    with pytest.raises(ConfigurationError, match=f"from {LAST_DAY} to {LAST_DAY}"):
        headline(reader, "channel", date(2020, 1, 1), date(2020, 1, 31))


def test_an_empty_snapshot_says_what_to_do(publish):
    with pytest.raises(ConfigurationError, match="Ingest, build and publish first"):
        headline(publish([]), "channel")


@pytest.mark.parametrize(
    ("by", "first", "last", "says"),
    [
        ("quarter", None, None, "channel, campaign, day, week, month"),
        ("day", date(2026, 11, 2), date(2026, 11, 1), "earlier day first"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(demo_reader, by, first, last, says):
    with pytest.raises(ConfigurationError, match=says):
        headline(demo_reader, by, first, last)


def test_the_report_says_where_it_comes_from(demo_reader):
    published_at = datetime(2026, 11, 23, 6, 20, tzinfo=UTC)
    provenance = headline(demo_reader, "channel", published_at=published_at).provenance
    assert provenance.rules_version == RULES_VERSION
    assert provenance.as_of == AS_OF
    assert provenance.currency == "EUR"
    assert provenance.published_at == published_at
    loads = {each.source: each for each in loads_behind(demo_reader, provenance.as_of)}
    assert loads["crm_export"].rows_quarantined == 7
    assert loads["crm_export"].skipped_loads == 1
