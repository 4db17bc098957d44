"""On which day a lead counts in zones whose clocks change: from files to the marts."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.end_to_end.own_files import OwnFiles, company

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
#: Days with 23, 24, 25 or half an hour more or less, a leap day, and the first of a year.
DAYS = (
    date(2024, 2, 29),
    date(2026, 1, 1),
    date(2026, 3, 8),
    date(2026, 3, 29),
    date(2026, 4, 5),
    date(2025, 10, 5),
    date(2025, 10, 26),
    date(2025, 11, 2),
)


def moments() -> list[datetime]:
    """The last second before, and the first of, each of these days and the next, in every zone."""
    found = set()
    for zone in map(ZoneInfo, ZONES):
        for day in DAYS:
            for midnight in (day, day + timedelta(days=1)):
                first = datetime.combine(midnight, time(), zone).astimezone(UTC)
                found |= {first, first - timedelta(seconds=1)}
    return sorted(found)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> OwnFiles:
    """Somebody sends a form at each of the moments; every other one is in the CRM at once."""
    own = company(tmp_path_factory.mktemp("clocks"), "events", "leads", "spend")
    events, leads = "id,at,email,source,medium\n", "id,at,email\n"
    for number, at in enumerate(moments()):
        person = f"p{number}@example.org"
        leads += f"{number},{at.isoformat()},{person}\n"
        if number % 2:
            events += f"e{number},{at.isoformat()},{person},newsletter,email\n"
    own.load("events", 1, events, DAYS[0])
    own.load("leads", 1, leads, DAYS[0])
    spend = "platform,account,campaign,day,zone,currency,cost,impressions,clicks\n"
    for account, zone in enumerate(ZONES):
        for day in DAYS:
            spend += f"google_ads,{account},c,{day},{zone},EUR,1.5,10,1\n"
    own.load("spend", 1, spend, DAYS[0])
    return own


@pytest.mark.parametrize("zone", ZONES)
def test_a_lead_counts_on_its_day_in_the_reporting_zone(own: OwnFiles, zone: str) -> None:
    own.build(zone)
    of_day = Counter(at.astimezone(ZoneInfo(zone)).date() for at in moments())
    observed = Counter(at.astimezone(ZoneInfo(zone)).date() for at in moments()[1::2])
    assert own.sums("select report_date, count(*) from identity.leads group by all") == of_day
    found = own.rows(
        "select report_date, sum(real_leads), sum(made_lead), sum(unobserved_leads) "
        "from marts.funnel_daily group by all having sum(real_leads) > 0"
    )
    assert {row[0]: row[1:] for row in found} == {
        day: (leads, observed[day], leads - observed[day]) for day, leads in of_day.items()
    }
    # An ad account's day is its own, whichever zone the leads are counted in.
    spend = own.rows(
        "select report_date, account_id, spend_amount from marts.funnel_daily "
        "where platform = 'google_ads' order by all"
    )
    assert spend == [
        (day, str(account), Decimal("1.5")) for day in sorted(DAYS) for account in range(len(ZONES))
    ]
