"""Google Ads: what its rows become, played by a local server."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError

from tests.sources.conftest import Answer
from tests.sources.google_ads_script import (
    ACCOUNT,
    Script,
    failures,
    pull,
    refused,
    row,
    tables,
    values,
)
from trueline.errors import ConfigurationError, PermanentError
from trueline.progress import Progress
from trueline.sources.base import Batch
from trueline.sources.google_ads import parts, source
from trueline.sources.google_ads.fetch import months_before
from trueline.sources.settings import GoogleAdsSettings
from trueline.windows import Window

DAY = Window(date(2026, 10, 30), date(2026, 10, 30))
ALL = ["ad_accounts", "conversion_actions", "ad_delivery", "pixel_claims", "ad_clicks"]


def _batch(found: list[Any], table: str) -> Batch:
    (batch,) = [each for each in found if isinstance(each, Batch) and each.table == table]
    return batch


def test_an_account_is_told_whole(play, tmp_path) -> None:
    script = Script()
    server = play(script)
    found = pull(server, tmp_path, DAY, "123-456-7890", repull_days=2, click_view_days=1)
    assert tables(found, ACCOUNT) == ALL
    assert values(found, "ad_accounts") == [
        {
            "platform": "google_ads",
            "account_id": ACCOUNT,
            "account_name": "Sunmoor",
            "currency_code": "USD",
            "account_time_zone": "America/New_York",
            "account_status": "ENABLED",
        }
    ]
    (delivery,) = values(found, "ad_delivery")
    assert (delivery["cost_micros"], delivery["clicks"], delivery["impressions"]) == (
        5_000_000,
        7,
        100,
    )
    assert (delivery["currency_code"], delivery["account_time_zone"]) == ("USD", "America/New_York")
    assert [each["click_id"] for each in values(found, "ad_clicks")] == ["Cj0K"] * 2
    assert [
        (each.report, each.account_id, str(each.first_date), str(each.last_date))
        for batch in found
        for each in batch.coverage
    ] == [
        ("delivery", ACCOUNT, "2026-10-28", "2026-10-30"),
        ("claims", ACCOUNT, "2026-10-28", "2026-10-30"),
        ("clicks", ACCOUNT, "2026-10-29", "2026-10-30"),
    ]
    assert {asked.path for asked in server.asked} == {
        f"/v26/customers/{ACCOUNT}/googleAds:searchStream"
    }
    days = [asked.body["query"] for asked in server.asked if "click_view" in asked.body["query"]]
    assert [query[-12:] for query in days] == ["'2026-10-29'", "'2026-10-30'"], "one day each"
    assert list(tmp_path.iterdir()) == [], "what was fetched is gone"


def _claims(play: Any, tmp_path: Any, *rows: Any) -> list[dict[str, Any]]:
    script = Script({("*", "claims"): Answer([{"results": list(rows)}])})
    return [
        {
            "basis": each["claim_basis"],
            "count": each["pixel_conversions"],
            "value": each["pixel_value_amount"],
        }
        for each in values(pull(play(script), tmp_path, DAY), "pixel_claims")
    ]


def test_a_claim_is_filed_under_the_day_of_the_click_and_of_the_conversion(play, tmp_path) -> None:
    both = {
        "conversionsByConversionDate": 0.3333333333333333,
        "conversionsValueByConversionDate": 12.5,
        "conversions": 2,
        "conversionsValue": 80.1,
    }
    assert _claims(play, tmp_path, row(metrics=both)) == [
        {"basis": "conversion_date", "count": Decimal("0.333333333"), "value": Decimal("12.5")},
        {"basis": "click_date", "count": Decimal(2), "value": Decimal("80.1")},
    ]


def test_the_conversions_day_is_told_even_where_it_is_zero(play, tmp_path) -> None:
    zero = {"conversionsByConversionDate": 0, "conversions": 1}
    assert [
        (each["basis"], each["count"]) for each in _claims(play, tmp_path, row(metrics=zero))
    ] == [
        ("conversion_date", 0),
        ("click_date", 1),
    ]


@pytest.mark.parametrize(
    ("metrics", "bases"),
    [
        ({"conversionsByConversionDate": 1}, ["conversion_date"]),
        ({"conversionsByConversionDate": 1, "conversions": 0}, ["conversion_date"]),
        ({"conversions": 3}, ["click_date"]),
        ({}, ["conversion_date"]),
    ],
)
def test_a_basis_that_is_not_told_is_not_invented(play, tmp_path, metrics, bases) -> None:
    found = _claims(play, tmp_path, row(metrics=metrics))
    assert [each["basis"] for each in found] == bases


def test_the_catalogue_of_actions_keeps_words_that_nobody_knows(play, tmp_path) -> None:
    told = {
        "id": "7001",
        "name": "Lead form",
        "type": "A_TYPE_OF_NEXT_YEAR",
        "status": "HIDDEN",
        "category": "SUBMIT_LEAD_FORM",
        "countingType": "ONE_PER_CLICK",
        "primaryForGoal": True,
        "includeInConversionsMetric": False,
        "clickThroughLookbackWindowDays": "45",
        "attributionModelSettings": {"attributionModel": "GOOGLE_ADS_LAST_CLICK"},
    }
    answer = Answer([{"results": [{"conversionAction": told}, {"conversionAction": {"id": "8"}}]}])
    script = Script({("*", "conversion_action"): answer})
    first, second = values(pull(play(script), tmp_path, DAY), "conversion_actions")
    assert first == {
        "platform": "google_ads",
        "account_id": ACCOUNT,
        "conversion_action": "7001",
        "conversion_action_name": "Lead form",
        "action_type": "A_TYPE_OF_NEXT_YEAR",
        "action_status": "HIDDEN",
        "category": "SUBMIT_LEAD_FORM",
        "counting": "ONE_PER_CLICK",
        "is_primary": False,
        "click_window_days": 45,
        "attribution_model": "GOOGLE_ADS_LAST_CLICK",
    }
    assert second["conversion_action"] == "8"
    assert second["is_primary"] is None


def test_numbers_stay_exact_and_left_out_metrics_are_zero(play, tmp_path) -> None:
    rows = [row(metrics={"costMicros": "9007199254740993"}), row(metrics={})]
    script = Script({("*", "campaign"): Answer([{"results": rows}])})
    first, second = values(pull(play(script), tmp_path, DAY), "ad_delivery")
    assert first["cost_micros"] == 9007199254740993
    assert (second["cost_micros"], second["clicks"], second["impressions"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("broken", "column", "reason"),
    [
        ({"campaign": {"name": "no id"}}, "campaign_id", "missing_required"),
        ({"campaign": {"id": {"odd": 1}}}, "campaign_id", "bad_id"),
        ({"segments": {"date": "30.10.2026"}}, "platform_date", "bad_date"),
        ({"segments": {"date": "2026-10-31"}}, "platform_date", "outside_window"),
        ({"metrics": {"costMicros": "1.5"}}, "cost_micros", "bad_integer"),
        ({"metrics": {"costMicros": "9223372036854775808"}}, "cost_micros", "bad_integer"),
        ({"metrics": {"clicks": "NaN"}}, "clicks", "bad_integer"),
        ({"metrics": {"clicks": float("nan")}}, "clicks", "bad_integer"),
        ({"metrics": {"clicks": True}}, "clicks", "bad_integer"),
        ({"metrics": {"impressions": "-1"}}, "impressions", "negative_count"),
    ],
)
def test_a_bad_row_is_set_aside_alone(play, tmp_path, broken, column, reason) -> None:
    script = Script({("*", "campaign"): Answer([{"results": [row(), row(**broken), row()]}])})
    delivery = _batch(pull(play(script), tmp_path, DAY), "ad_delivery")
    assert len(delivery.records) == 2
    assert [(error.line, error.column, error.reason) for error in delivery.errors] == [
        (2, column, reason)
    ]
    assert delivery.errors[0].raw_row


@pytest.mark.parametrize("count", ["NaN", float("inf"), -0.5])
def test_a_claim_that_is_no_count_is_set_aside(play, tmp_path, count) -> None:
    told = row(metrics={"conversionsByConversionDate": count})
    script = Script({("*", "claims"): Answer([{"results": [told, row(metrics={})]}])})
    claims = _batch(pull(play(script), tmp_path, DAY), "pixel_claims")
    assert [error.column for error in claims.errors] == ["pixel_conversions"]
    assert len(claims.records) == 1


def test_fields_that_nobody_asked_for_are_kept_and_told(play, tmp_path) -> None:
    told, known = row(segments={"date": "2026-10-30"}), row(segments={"date": "2026-10-30"})
    told["campaign"]["optimizationScore"] = 0.7
    told["labels"] = ["new"]
    script = Script({("*", "campaign"): Answer([{"results": [known, told]}])})
    delivery = _batch(pull(play(script), tmp_path, DAY), "ad_delivery")
    assert list(delivery.drift) == ["campaign.optimizationScore", "labels"]
    assert [dict(record.extra) for record in delivery.records] == [
        {},
        {"campaign.optimizationScore": Decimal("0.7"), "labels": ["new"]},
    ]


def test_a_field_that_google_took_away_stops_the_account(play, tmp_path) -> None:
    lost = [row(campaign={"name": "A"}), row(campaign={"name": "B"})]
    by_rows = Script({("*", "campaign"): Answer([{"results": lost}])})
    error = failures(pull(play(by_rows), tmp_path, DAY))[ACCOUNT]
    assert isinstance(error, PermanentError)
    assert "campaign_id" in str(error)
    told = {"results": [row()], "fieldMask": "segments.date,campaign.id,metrics.clicks"}
    by_mask = Script({("*", "campaign"): Answer([told])})
    error = failures(pull(play(by_mask), tmp_path, DAY))[ACCOUNT]
    assert "metrics.costMicros" in str(error)


def test_a_field_mask_may_be_spelled_either_way(play, tmp_path) -> None:
    told = {"results": [row()], "fieldMask": "segments.date,campaign.id,metrics.cost_micros"}
    script = Script({("*", "campaign"): Answer([told])})
    assert len(values(pull(play(script), tmp_path, DAY), "ad_delivery")) == 1


def test_a_long_answer_comes_in_parts_and_covers_with_the_last(play, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(parts, "PART_ROWS", 10)
    rows = [row(campaign={"id": str(number)}) for number in range(25)]
    rows[12] = row(campaign={"id": "x"})
    stream = [{"results": rows[:7]}, {"results": rows[7:20]}, {"results": rows[20:]}]
    script = Script({("*", "campaign"): Answer(stream)})
    found = pull(play(script), tmp_path, DAY)
    delivery = [each for each in found if each.table == "ad_delivery"]
    assert [len(each.records) + len(each.errors) for each in delivery] == [10, 10, 5]
    assert [len(each.coverage) for each in delivery] == [0, 0, 1]
    assert [error.line for each in delivery for error in each.errors] == [13]
    ids = [record.values["campaign_id"] for each in delivery for record in each.records]
    assert ids == [str(number) for number in range(25) if number != 12]


def test_days_that_google_no_longer_keeps_are_not_asked_for(play, tmp_path) -> None:
    script = Script()
    long_ago = Window(date(2026, 1, 1), date(2026, 1, 2))
    assert tables(pull(play(script), tmp_path, long_ago), ACCOUNT) == ALL[:-1]
    script = Script()
    before_all = Window(date(2022, 1, 1), date(2022, 1, 2))
    assert tables(pull(play(script), tmp_path, before_all), ACCOUNT) == ALL[:2]
    half = Window(date(2023, 9, 1), date(2023, 12, 31))
    delivery = _batch(pull(play(Script()), tmp_path, half), "ad_delivery")
    assert str(delivery.coverage[0].first_date) == "2023-10-01", "37 months before 2026-11-01"


def test_a_click_day_that_is_just_gone_is_no_failure(play, tmp_path) -> None:
    def clicks(query: str) -> Answer:
        if "'2026-10-29'" in query:
            return refused(400, "clickViewError", "DATE_TOO_OLD")
        return Answer([{"results": [row(clickView={"gclid": "Cj0K"})]}])

    script = Script({("*", "click_view"): clicks})
    batch = _batch(pull(play(script), tmp_path, DAY, click_view_days=1), "ad_clicks")
    assert len(batch.records) == 1
    assert str(batch.coverage[0].first_date) == "2026-10-30"


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 3, 31), 1, date(2026, 2, 28)),
        (date(2026, 11, 22), 37, date(2023, 10, 22)),
        (date(2028, 3, 29), 1, date(2028, 2, 29)),
        (date(2026, 1, 15), 1, date(2025, 12, 15)),
    ],
)
def test_months_end_where_they_end(day, months, expected) -> None:
    assert months_before(day, months) == expected


def _child(number: str, status: str = "ENABLED", *, manager: bool = False) -> dict[str, Any]:
    told = {"id": number, "status": status, "manager": manager, "level": "1"}
    return {"customerClient": told}


def test_accounts_are_found_below_the_manager(play, tmp_path, caplog) -> None:
    caplog.set_level("INFO", logger="trueline.sources.google_ads.accounts")
    children = [
        _child("9000000001", manager=True),
        _child("1111111111"),
        _child("2222222222", "CANCELED"),
        _child("3333333333"),
        _child("1111111111"),
        _child("4444444444", "A_STATUS_OF_NEXT_YEAR"),
    ]
    script = Script({("9000000001", "customer_client"): Answer([{"results": children}])})
    server = play(script)
    found = pull(server, tmp_path, DAY, login_customer_id="900-000-0001", accounts=())
    assert {each.account_id for each in found} == {"1111111111", "3333333333"}
    assert tables(found, "3333333333") == ALL
    assert {asked.headers.get("login-customer-id") for asked in server.asked} == {"9000000001"}
    assert "2 enabled accounts" in caplog.text
    assert "2222222222 CANCELED" in caplog.text


def test_a_manager_without_enabled_accounts_is_said(play, tmp_path) -> None:
    answer = Answer([{"results": [_child("9000000001", manager=True)]}])
    script = Script({("9000000001", "customer_client"): answer})
    with pytest.raises(ConfigurationError, match="no enabled account below the manager"):
        pull(play(script), tmp_path, DAY, login_customer_id="9000000001", accounts=())


def test_a_manager_among_the_accounts_is_said(play, tmp_path) -> None:
    told = {"id": "1", "manager": True, "currencyCode": "EUR", "timeZone": "Europe/Berlin"}
    script = Script({("5555555555", "customer"): Answer([{"results": [{"customer": told}]}])})
    found = pull(play(script), tmp_path, DAY, "5555555555", ACCOUNT)
    assert "login_customer_id" in str(failures(found)["5555555555"])
    assert tables(found, ACCOUNT) == ALL


@pytest.mark.parametrize(
    "told",
    [
        {"currencyCode": "EUR"},
        {"timeZone": "Europe/Berlin"},
        {"currencyCode": "EURO", "timeZone": "Europe/Berlin"},
        {"currencyCode": "EUR", "timeZone": "Mars/Olympus"},
        {"currencyCode": "EUR", "timeZone": "../etc/passwd"},
    ],
)
def test_an_account_without_currency_or_time_zone_fails_alone(play, tmp_path, told) -> None:
    script = Script({("5555555555", "customer"): Answer([{"results": [{"customer": told}]}])})
    found = pull(play(script), tmp_path, DAY, "5555555555", ACCOUNT)
    assert "no currency or no known time zone" in str(failures(found)["5555555555"])
    assert tables(found, "5555555555") == []
    assert tables(found, ACCOUNT) == ALL


def test_a_long_pull_says_where_it_is(play, tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(source, "Progress", partial(Progress, every_seconds=0.0))
    caplog.set_level("INFO", logger="trueline.progress")
    pull(play(Script()), tmp_path, DAY)
    assert f"tested: account {ACCOUNT}, delivery, page 1" in caplog.messages
    assert f"tested: account {ACCOUNT}, pixel_claims, 2 rows" in caplog.messages


def test_settings_name_accounts_or_a_manager() -> None:
    with pytest.raises(ValidationError, match="login_customer_id"):
        GoogleAdsSettings(type="google_ads")
    assert GoogleAdsSettings(type="google_ads", login_customer_id="900-000-0001").accounts == ()
