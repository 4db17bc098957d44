"""Google Ads: documented payloads, played by a local server."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.sources.conftest import NOW, Answer, Asked
from trueline.errors import ConfigurationError
from trueline.sources.base import Batch
from trueline.sources.registry import build_source
from trueline.sources.settings import GoogleAdsSettings
from trueline.windows import Window

DAY = Window(date(2026, 10, 30), date(2026, 10, 30))


def _pull(settings: Any, server: Any, window: Window = DAY) -> list[Batch]:
    source = build_source(
        "tested",
        settings,
        connection=server.connection(),
        time_zone="Europe/Berlin",
        root=Path(),
        workdir=Path(),
        known_hashes=frozenset(),
        now=NOW,
    )
    return list(source.pull(window))


def _google(asked: Asked) -> Answer:
    query = asked.body["query"]
    if "FROM customer" in query:
        row: dict[str, Any] = {
            "customer": {"id": "1", "currencyCode": "USD", "timeZone": "America/New_York"}
        }
        return Answer([{"results": [row]}])
    row = {
        "segments": {
            "date": "2026-10-30",
            "conversionAction": "customers/1/conversionActions/7001",
            "conversionActionName": "Lead form",
        },
        "campaign": {"id": "20871100401", "name": "Brand"},
        "metrics": {
            "costMicros": "12345678901234567",
            "conversionsByConversionDate": 0.3333333333333333,
        },
        "clickView": {"gclid": "Cj0K"},
    }
    if "FROM click_view" in query:
        return Answer([{"results": [row, {**row, "clickView": {}}]}])
    return Answer([{"results": [row]}, {"results": [{**row, "campaign": {}}]}])


def test_google_rows_arrive_exactly_and_bad_ones_are_kept_apart(platform) -> None:
    server = platform(_google)
    settings = GoogleAdsSettings(
        type="google_ads", accounts=("123-456-7890",), repull_days=2, click_view_days=1
    )
    delivery, claims, clicks = _pull(settings, server)
    values = delivery.records[0].values
    assert values["cost_micros"] == 12345678901234567
    assert (values["clicks"], values["currency_code"]) == (0, "USD")
    assert values["account_time_zone"] == "America/New_York"
    assert [(error.line, error.column, error.reason) for error in delivery.errors] == [
        (2, "campaign_id", "missing_required")
    ]
    claim = claims.records[0].values
    assert claim["pixel_conversions"] == Decimal("0.333333333")
    assert (claim["conversion_action"], claim["claim_basis"]) == ("7001", "conversion_date")
    assert [record.values["click_id"] for record in clicks.records] == ["Cj0K"] * 2
    assert [
        (each.report, each.account_id, str(each.first_date), str(each.last_date))
        for batch in (delivery, claims, clicks)
        for each in batch.coverage
    ] == [
        ("delivery", "1234567890", "2026-10-28", "2026-10-30"),
        ("claims", "1234567890", "2026-10-28", "2026-10-30"),
        ("clicks", "1234567890", "2026-10-29", "2026-10-30"),
    ]
    assert {asked.path for asked in server.asked} == {
        "/v26/customers/1234567890/googleAds:searchStream"
    }


def test_clicks_older_than_google_keeps_them_are_not_asked_for(platform) -> None:
    server = platform(_google)
    settings = GoogleAdsSettings(type="google_ads", accounts=("1",), repull_days=0)
    long_ago = Window(date(2026, 1, 1), date(2026, 1, 2))
    assert [batch.table for batch in _pull(settings, server, long_ago)] == [
        "ad_delivery",
        "pixel_claims",
    ]


def test_an_error_inside_a_google_stream_is_an_error(platform) -> None:
    failure = {
        "error": {
            "code": 403,
            "details": [
                {"errors": [{"errorCode": {"authorizationError": "CUSTOMER_NOT_ENABLED"}}]}
            ],
        }
    }
    server = platform([Answer([{"results": []}, failure])])
    settings = GoogleAdsSettings(type="google_ads", accounts=("1",))
    with pytest.raises(ConfigurationError, match="CUSTOMER_NOT_ENABLED"):
        _pull(settings, server)
