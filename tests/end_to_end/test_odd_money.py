"""Credits, fractions, restatements, foreign money: from files to the report, to the last digit."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from tests.end_to_end.own_files import OwnFiles, company
from trueline import pipeline
from trueline.report.headline import headline
from trueline.warehouse import open_reader

DAY = date(2024, 3, 1)
SPEND = """platform,account,campaign,day,zone,currency,cost,impressions,clicks
google_ads,1,c10,2024-02-28,Europe/Berlin,EUR,100.10,1000,50
google_ads,1,c10,2024-02-29,Europe/Berlin,EUR,-40.05,0,0
google_ads,1,c10,2024-03-01,Europe/Berlin,EUR,0.01,3,0
google_ads,1,c11,2024-02-29,Europe/Berlin,EUR,-12.50,0,0
google_ads,2,c20,2024-02-28,America/New_York,USD,0.000001,1,1
google_ads,2,c20,2024-02-29,America/New_York,USD,500,2000,70
meta_ads,3,c30,2024-02-27,Asia/Tokyo,JPY,10000,900,9
meta_ads,3,c30,2024-02-28,Asia/Tokyo,JPY,10000,900,9
meta_ads,3,c30,2024-02-29,Asia/Tokyo,JPY,0,0,0
"""
# Nobody quotes on the leap day; the yen was last quoted seven days before the 27th.
RATES = """day,currency,rate
2024-02-20,JPY,162.25
2024-02-28,USD,1.0808
2024-03-01,USD,1.0834
"""
CLAIMS = """account,campaign,day,action,claimed
1,c10,2024-02-28,7001,5
1,c10,2024-02-28,7002,2
1,c10,2024-02-29,7001,0.333333333
1,c10,2024-02-29,7002,0.666666667
1,c10,2024-03-01,7001,2
2,c20,2024-02-29,7001,12.345678901
2,never-delivered,2024-02-29,7001,1.5
"""
# A week later: less, nothing, and a day that stays as it was.
RESTATED = """account,campaign,day,action,claimed
1,c10,2024-02-28,7001,3.25
1,c10,2024-02-28,7002,0
2,never-delivered,2024-02-29,7001,0
"""
DEALS = """id,lead,won,amount,currency,opened,closed
d1,1,true,1000.50,USD,2024-02-28T10:00:00Z,2024-02-28T23:30:00Z
d2,2,true,1000,JPY,2024-03-20T10:00:00Z,2024-03-20T12:00:00Z
"""
LEADS = """id,at,email
1,2024-02-28T09:00:00Z,maria@example.org
2,2024-02-28T09:30:00Z,jon@example.org
"""
NANO = Decimal("0.000000001")


def in_euros(amount: str, per_euro: str) -> Decimal:
    """Through a rate of a thousand units with nine decimals, as documented."""
    thousand = (1000 / Decimal(per_euro)).quantize(NANO, ROUND_HALF_UP)
    return (Decimal(amount) * thousand / 1000).quantize(NANO, ROUND_HALF_UP)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> OwnFiles:
    own = company(tmp_path_factory.mktemp("money"), "spend", "rates", "claims", "leads", "deals")
    own.load("spend", 1, SPEND, DAY)
    own.load("rates", 1, RATES, DAY)
    own.load("claims", 1, CLAIMS, DAY)
    own.load("claims", 2, RESTATED, DAY)
    own.load("leads", 1, LEADS, DAY)
    own.load("deals", 1, DEALS, DAY)
    own.build()
    return own


def test_credits_and_foreign_money_are_counted_to_the_last_digit(own: OwnFiles) -> None:
    found = own.sums(
        "select campaign_id || ' ' || report_date, spend_amount from marts.funnel_daily "
        "where campaign_id like 'c%'"
    )
    assert found == {
        "c10 2024-02-28": Decimal("100.10"),
        "c10 2024-02-29": Decimal("-40.05"),
        "c10 2024-03-01": Decimal("0.01"),
        "c11 2024-02-29": Decimal("-12.50"),
        "c20 2024-02-28": in_euros("0.000001", "1.0808"),
        # The leap day takes the rate of the day before.
        "c20 2024-02-29": in_euros("500", "1.0808"),
        "c30 2024-02-27": in_euros("10000", "162.25"),
        # Eight days after the last rate of the yen: not known, and never one to one.
        "c30 2024-02-28": None,
        "c30 2024-02-29": 0,
    }
    assert found["c20 2024-02-29"] == Decimal("462.620281273")


def test_a_claim_is_what_the_newest_pull_tells_however_small(own: OwnFiles) -> None:
    found = own.sums(
        "select campaign_id || ' ' || report_date, pixel_conversions from marts.funnel_daily "
        "where account_id in ('1', '2')"
    )
    assert found == {
        "c10 2024-02-28": Decimal("3.25"),
        "c10 2024-02-29": 1,
        "c10 2024-03-01": 2,
        "c11 2024-02-29": 0,
        "c20 2024-02-28": 0,
        "c20 2024-02-29": Decimal("12.345678901"),
        # Never delivered, claimed once and taken back: the row stays and says so.
        "never-delivered 2024-02-29": 0,
    }


def test_the_gate_lets_it_through_and_tells_of_the_missing_rate(own: OwnFiles) -> None:
    results = pipeline.check(own.profile(), "marts").results
    told = {result.expectation: result for result in results if not result.success}
    assert told["spend in another currency has a rate"].unexpected_rows == 1
    assert {result.severity for result in told.values()} == {"warning"}


def test_the_report_keeps_its_head(own: OwnFiles) -> None:
    pipeline.publish(own.profile())
    with open_reader(own.profile()) as reader:
        report = headline(reader, "campaign")
    rows = {row["campaign_id"]: row for row in report.rows}
    # Clicks of none, claims of some: no ratio of theirs is made up.
    assert rows["c10"]["cost_per_pixel_conversion"] == (
        Decimal("60.06") / Decimal("6.25")
    ).quantize(NANO, ROUND_HALF_UP)
    # More came back than was spent: no return on that.
    assert rows["c11"]["spend_amount"] == Decimal("-12.5")
    assert rows["c11"]["roas"] is None
    assert rows["c11"]["cost_per_real_lead"] is None
    # One unknown part makes a sum unknown; the other campaigns stay known.
    assert rows["c30"]["spend_amount"] is None
    assert report.totals["spend_amount"] is None
    assert report.totals["pixel_conversions"] == Decimal("18.595678901")


def test_a_deal_is_worth_what_it_was_when_it_was_closed_in_the_reporting_zone(
    own: OwnFiles,
) -> None:
    found = own.rows(
        "select deal_id, amount_date, reporting_amount, is_rate_missing "
        "from staging.stg_crm__deals order by deal_id"
    )
    assert found == [
        # 23:30 UTC is the leap day in Berlin.
        ("d1", date(2024, 2, 29), in_euros("1000.50", "1.0808"), False),
        ("d2", date(2024, 3, 20), None, True),
    ]


def test_rates_that_come_later_convert_what_waited_for_them(tmp_path: Path) -> None:
    own = company(tmp_path, "spend", "rates", "leads", "deals")
    figures = (
        "select spend_amount from marts.funnel_daily where campaign_id = 'c20' "
        "and report_date = date '2024-02-29' union all "
        "select sum(won_amount) from marts.funnel_daily union all "
        "select reporting_amount from staging.stg_crm__deals where deal_id = 'd1'"
    )
    own.load("spend", 1, SPEND, DAY)
    own.load("leads", 1, LEADS, DAY)
    own.load("deals", 1, DEALS, DAY)
    own.build()
    assert own.rows(figures) == [(None,), (0,), (None,)]
    own.load("rates", 1, RATES, DAY)
    own.build(mode="incremental")
    deal = in_euros("1000.50", "1.0808")
    assert own.rows(figures) == [(in_euros("500", "1.0808"),), (deal,), (deal,)]
