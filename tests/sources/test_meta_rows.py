"""Meta's rows: exact numbers, claims by type, nothing lost and nothing twice."""

from __future__ import annotations

import json
import logging
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.sources.conftest import TOKEN
from tests.sources.meta_graph import ABOUT, DAY, Graph, page, pull, row
from trueline.errors import PermanentError, RetriableError
from trueline.sources.meta_ads import account as account_module
from trueline.windows import Window

LEAD = "offsite_conversion.fb_pixel_lead"


def _of(*rows: Any) -> Graph:
    return Graph(pages={"": page(list(rows))})


def test_numbers_are_text_and_claims_stay_apart_by_type(platform) -> None:
    actions = [
        {"action_type": "lead", "value": "3", "1d_click": "1", "7d_click": "2", "1d_view": "1"},
        {"action_type": LEAD, "value": "2", "7d_click": "2", "28d_click": "4"},
        {"action_type": "onsite_conversion.lead_grouped", "value": "1"},
        {"action_type": "lead", "value": "4"},
    ]
    values = [{"action_type": LEAD, "value": "180.55"}]
    good = row(actions=actions, action_values=values)
    bare = {"campaign_id": "13", "date_start": "2026-10-30", "spend": "1"}
    graph = Graph(pages={"": page([good], "QQ"), "QQ": page([bare, row(campaign="14", spend="x")])})
    server = platform(graph)
    found = pull(server)
    assert found.values("ad_delivery", "campaign_id", "cost_micros", "impressions", "clicks") == [
        ("12", 12_300_000, 1000, 40),
        ("13", 1_000_000, 0, 0),
    ]
    assert found.errors("ad_delivery") == [(3, "cost_micros", "bad_number")]
    names = ("conversion_action", "pixel_conversions", "view_through", "pixel_value_amount")
    assert found.values("pixel_claims", *names) == [
        ("lead", 3, 1, None),
        (LEAD, 2, 0, Decimal("180.55")),
        ("onsite_conversion.lead_grouped", 1, None, None),
    ]
    assert [record.extra for record in found.records("pixel_claims")] == [
        {"1d_click": "1", "7d_click": "2"},
        {"7d_click": "2", "28d_click": "4"},
        {},
    ]
    assert found.errors("pixel_claims") == [(4, "conversion_action", "duplicate_action")]
    assert found.values("pixel_claims", "claim_basis") == [
        ("click_date",),
        ("conversion_date",),
        ("click_date",),
    ], "on the website Meta counts the day it happened, on Meta the day of the ad"
    assert all(TOKEN not in asked.path for asked in server.asked), "tokens do not go into addresses"


def test_the_report_asks_for_deleted_campaigns_too(platform) -> None:
    server = platform(_of())
    pull(server)
    (start,) = [asked for asked in server.asked if asked.method == "POST"]
    assert start.path == "/v26.0/act_100/insights"
    assert (start.body["level"], start.body["time_increment"]) == ("campaign", "1")
    assert json.loads(start.body["time_range"]) == {"since": "2026-10-30", "until": "2026-10-30"}
    (status,) = json.loads(start.body["filtering"])
    assert status["field"] == "campaign.effective_status"
    assert {"DELETED", "ARCHIVED", "ACTIVE"} <= set(status["value"])
    assert not {"7d_view", "28d_view"} & set(
        json.loads(start.body["action_attribution_windows"])
    ), "no longer returned since January 2026"


def test_the_account_tells_its_currency_time_zone_and_state(platform, caplog) -> None:
    graph = _of(row(account_currency="USD"))
    graph.accounts["100"] = {**ABOUT, "account_status": 2, "disable_reason": 3}
    with caplog.at_level(logging.WARNING):
        found = pull(platform(graph))
    names = ("account_name", "currency_code", "account_time_zone", "account_status")
    assert found.values("ad_accounts", *names) == [("Sunmoor", "EUR", "Europe/Paris", "DISABLED")]
    assert found.records("ad_accounts")[0].extra == {"disable_reason": "3"}
    assert "account 100: Meta calls the account DISABLED" in caplog.text
    assert found.values("ad_delivery", "currency_code", "account_time_zone") == [
        ("USD", "Europe/Paris")
    ], "a row tells the currency that it was in"
    assert {batch.account_id for batch in found.batches} == {"100"}
    covered = [each for batch in found.batches for each in batch.coverage]
    assert [(each.report, each.first_date, each.last_date) for each in covered] == [
        ("delivery", DAY.start, DAY.end),
        ("claims", DAY.start, DAY.end),
    ]


def test_a_custom_conversion_told_in_both_lists_is_one_claim(platform) -> None:
    custom = "offsite_conversion.fb_pixel_custom"
    booked = "schedule_total"
    told = row(
        actions=[{"action_type": custom, "value": "2"}],
        conversions=[
            {"action_type": custom, "value": "2"},
            {"action_type": booked, "value": "5"},
        ],
        conversion_values=[{"action_type": booked, "value": "50"}],
    )
    found = pull(platform(_of(told)), action_types=[custom, booked])
    assert found.values("pixel_claims", "conversion_action", "pixel_conversions") == [
        (custom, 2),
        (booked, 5),
    ]
    assert found.values("pixel_claims", "pixel_value_amount") == [(None,), (50,)]


def test_action_types_that_nobody_named_are_told_once(platform, caplog) -> None:
    rows = [
        row(campaign=str(number), actions=[
            {"action_type": "link_click", "value": "90"},
            {"action_type": "offsite_conversion.custom.4711", "value": "2"},
        ])
        for number in range(3)
    ]  # fmt: skip
    with caplog.at_level(logging.INFO, logger="trueline.sources.meta_ads.account"):
        found = pull(platform(_of(*rows)))
    assert found.records("pixel_claims") == []
    told = [line.getMessage() for line in caplog.records if "action_types" in line.getMessage()]
    assert len(told) == 1
    assert told[0].endswith("link_click 270, offsite_conversion.custom.4711 6")


@pytest.mark.parametrize(
    ("broken", "column", "reason"),
    [
        ("text", None, "not_an_object"),
        (row(campaign=""), "campaign_id", "missing_required"),
        (row(day="30.10.2026"), "platform_date", "bad_date"),
        (row(day="2026-10-29"), "platform_date", "outside_window"),
        (row(date_stop="2026-11-02"), "platform_date", "not_one_day"),
        (row(campaign="15", impressions="1e400"), "impressions", "bad_integer"),
        (row(campaign="15", spend={"amount": "1"}), "cost_micros", "bad_number"),
    ],
)
def test_a_row_that_cannot_be_used_is_kept_apart(platform, broken, column, reason) -> None:
    found = pull(platform(_of(row(), broken, row(campaign="16"))))
    assert found.errors("ad_delivery") == [(2, column, reason)]
    assert found.values("ad_delivery", "campaign_id") == [("12",), ("16",)]


@pytest.mark.parametrize(
    ("more", "column", "reason"),
    [
        ({"actions": {"lead": "2"}}, "conversion_action", "bad_list"),
        ({"actions": ["lead"]}, "conversion_action", "missing_required"),
        ({"actions": [{"value": "2"}]}, "conversion_action", "missing_required"),
        ({"actions": [{"action_type": "lead"}]}, "pixel_conversions", "missing_required"),
        ({"actions": [{"action_type": "lead", "value": "NaN"}]}, "pixel_conversions", "bad_number"),
        (
            {
                "actions": [{"action_type": "lead", "value": "2"}],
                "action_values": [{"action_type": "lead", "value": "1"}] * 2,
            },
            "pixel_value_amount",
            "duplicate_action",
        ),
    ],
)
def test_a_claim_that_cannot_be_used_is_kept_apart(platform, more, column, reason) -> None:
    found = pull(platform(_of(row(**more))))
    assert found.errors("pixel_claims") == [(1, column, reason)]
    assert len(found.records("ad_delivery")) == 1, "what was delivered is not in doubt"


def test_a_page_that_comes_twice_may_stand_for_a_lost_one(platform) -> None:
    first, second = [row(), row(campaign="13")], [row(campaign="14")]
    pages = {"": page(first, "A"), "A": page(first, "B"), "B": page(second)}
    told = "a page came a second time, perhaps in place of another. 3 reports were run"
    with pytest.raises(RetriableError, match=told):
        pull(platform(Graph(pages=pages)))


def test_rows_that_come_twice_are_counted_once(platform, caplog) -> None:
    lead = [{"action_type": "lead", "value": "2"}]
    first, second = [row(actions=lead), row(campaign="13")], [row(campaign="14")]
    pages = {"": page(first, "A"), "A": page([*first, *second])}
    found = pull(platform(Graph(pages=pages)))
    assert found.values("ad_delivery", "campaign_id") == [("12",), ("13",), ("14",)]
    assert found.values("pixel_claims", "pixel_conversions") == [(2,)]
    assert found.errors("ad_delivery") == []
    assert "2 rows came twice" in caplog.text


def test_two_rows_of_one_day_that_differ_are_not_added_up(platform) -> None:
    lead = [{"action_type": "lead", "value": "2"}]
    found = pull(platform(_of(row(), row(spend="99", actions=lead))))
    assert found.values("ad_delivery", "cost_micros") == [(12_300_000,)]
    assert found.errors("ad_delivery") == [(2, "campaign_id", "duplicate_row")]
    assert found.records("pixel_claims") == []


def test_a_new_field_is_kept_and_told(platform) -> None:
    action = {"action_type": "lead", "value": "2", "3d_click": "1"}
    found = pull(platform(_of(row(reels_views="7", bid={"a": 1}, actions=[action]))))
    (record,) = found.records("ad_delivery")
    assert record.extra == {"reels_views": "7", "bid": '{"a": 1}'}
    assert found.of("ad_delivery")[-1].drift == ("bid", "reels_views")
    assert found.of("pixel_claims")[-1].drift == ("actions.3d_click",)
    assert found.records("pixel_claims")[0].extra == {"3d_click": "1"}


@pytest.mark.parametrize(
    ("old", "new"), [("spend", "amount_spent"), ("campaign_id", "campaign"), ("date_start", "day")]
)
def test_a_renamed_field_stops_before_anything_is_loaded(platform, old, new) -> None:
    rows = [row(), row(campaign="13")]
    for each in rows:
        each[new] = each.pop(old)
    with pytest.raises(PermanentError, match=f"no longer has {old}"):
        pull(platform(_of(*rows)))


def test_much_comes_in_parts_whose_lines_go_on(platform, monkeypatch) -> None:
    monkeypatch.setattr(account_module, "PART", 2)
    rows = [row(campaign=str(number)) for number in range(5)]
    rows[3]["spend"] = "x"
    found = pull(platform(_of(*rows)))
    parts = found.of("ad_delivery")
    assert [len(part.records) for part in parts] == [2, 2, 0]
    assert [len(part.coverage) for part in parts] == [0, 0, 1]
    lines = [record.line for record in found.records("ad_delivery")]
    assert sorted([*lines, *(line for line, *_ in found.errors("ad_delivery"))]) == [1, 2, 3, 4, 5]


def test_history_that_is_restated_is_read_again_as_it_stands(platform) -> None:
    spent = {f"2026-10-{day:02d}": "10" for day in range(1, 31)}

    def rows(account: str, since: str, until: str) -> list[Any]:
        return [row(day, spend=spend) for day, spend in spent.items() if since <= day <= until]

    server = platform(Graph(rows=rows))
    first = pull(server, window=DAY, repull_days=28)
    days = dict(first.values("ad_delivery", "platform_date", "cost_micros"))
    assert (len(days), min(days)) == (29, DAY.start - timedelta(days=28))
    spent["2026-10-03"] = "12.5"
    again = pull(server, window=DAY, repull_days=28)
    restated = dict(again.values("ad_delivery", "platform_date", "cost_micros"))
    assert {day for day in days if days[day] != restated[day]} == {date(2026, 10, 3)}
    assert restated[date(2026, 10, 3)] == 12_500_000


def test_days_that_meta_has_forgotten_are_not_asked_for(platform) -> None:
    server = platform(_of())
    assert pull(server, window=Window(date(2020, 1, 1), date(2020, 1, 2))).batches == []
    assert server.asked == []
