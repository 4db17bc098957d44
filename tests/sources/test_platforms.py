"""Google Ads and HubSpot: documented payloads, played by a local server."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.sources.conftest import NOW, WINDOW, Answer, Asked
from trueline.errors import ConfigurationError, PermanentError
from trueline.sources.base import Batch
from trueline.sources.hubspot import client as hubspot_client
from trueline.sources.registry import build_source
from trueline.sources.settings import GoogleAdsSettings, HubSpotSettings
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


def _change(value: str, at: str) -> dict[str, str]:
    return {"value": value, "timestamp": f"2026-10-{at}:00Z"}


CONTACT = {
    "id": "501",
    "properties": {
        "email": "anna@example.org",
        "createdate": "2026-10-01T08:00:00.123Z",
        "lastmodifieddate": "2026-10-30T09:00:00Z",
        "lifecyclestage": "marketingqualifiedlead",
        "hs_facebook_click_id": "IwAR1",
        "landing_page": "https://x.example/p?email=anna@example.org",
        "score_fit": "0.7",
        "hs_merged_object_ids": "499;500",
        "contact_attempts": "4",
    },
    "propertiesWithHistory": {
        "hs_lead_status": [  # newest first, as HubSpot gives it
            _change("UNQUALIFIED", "20T10:00"),
            _change("OPEN", "10T10:00"),
            _change("UNQUALIFIED", "05T10:00"),
            _change("NEW", "01T08:00"),
        ],
        "disqualification_reason": [
            _change("not_fit", "20T10:02"),
            _change("", "10T10:00"),
            _change("spam", "05T09:59"),
        ],
    },
}


def _hubspot(asked: Asked) -> Answer:
    if asked.path.endswith("contacts/search"):
        return Answer({"results": [CONTACT]})
    if asked.path.endswith("contacts/batch/read") and "/v4/" not in asked.path:
        return Answer({"results": [CONTACT]})
    if asked.path.startswith("/crm/v3/objects/contacts?"):
        archived = {
            "id": "77",
            "createdAt": "2026-09-01T00:00:00Z",
            "archived": True,
            "properties": {},
        }
        return Answer(
            {
                "results": [
                    {**archived, "archivedAt": "2026-10-30T12:00:00Z"},
                    {**archived, "id": "78", "archivedAt": "2026-09-30T12:00:00Z"},
                ]
            }
        )
    if asked.path.endswith("deals/search"):
        deal = {
            "dealstage": "contractsent",
            "amount": "1200.50",
            "closedate": "2026-12-24T00:00:00Z",
            "hs_is_closed": "false",
            "hs_is_closed_won": "false",
        }
        return Answer({"results": [{"id": "9", "properties": deal}, {"id": "10"}]})
    people = [{"toObjectId": 1501}, {"toObjectId": 501}]
    return Answer({"results": [{"from": {"id": "9"}, "to": people}]}, status=207)


def test_hubspot_tells_leads_stages_merges_deletions_and_deals(platform) -> None:
    server = platform(_hubspot)
    leads, stages, archived, deals = _pull(HubSpotSettings(type="hubspot"), server)
    assert [
        (record.values["crm_record_id"], record.values["merged_into_record_id"])
        for record in leads.records
    ] == [("501", None), ("499", "501"), ("500", "501")]
    lead = leads.records[0].values
    assert (lead["click_id_type"], lead["lead_type"]) == ("fbclid", "mql")
    assert (lead["fit"], lead["consent_ad_user_data"]) == (Decimal("0.7"), "unknown")
    assert lead["landing_page"] == "https://x.example/p"
    assert leads.records[1].values["email"] is None
    assert [
        (record.values["stage"], record.values["stage_reason"]) for record in stages.records
    ] == [("NEW", None), ("UNQUALIFIED", "spam"), ("OPEN", None), ("UNQUALIFIED", "not_fit")]
    assert {record.values["contact_attempts"] for record in stages.records} == {4}
    assert [
        (record.values["crm_record_id"], record.values["is_deleted"]) for record in archived.records
    ] == [("77", True)]
    assert archived.coverage[0].complete_until == datetime(2026, 10, 30, 23, tzinfo=UTC)
    deal = deals.records[0]
    assert (deal.values["crm_record_id"], deal.values["deal_closed_at"]) == ("501", None)
    assert (deal.values["deal_amount"], deal.extra) == (
        Decimal("1200.50"),
        {"other_contact_ids": "1501"},
    )
    assert [(error.column, error.reason) for error in deals.errors] == [
        ("crm_record_id", "missing_required")
    ]


def test_hubspot_is_asked_for_the_window_in_the_companys_time(platform) -> None:
    server = platform(_hubspot)
    _pull(HubSpotSettings(type="hubspot"), server)
    low, high, above = server.asked[0].body["filterGroups"][0]["filters"]
    assert datetime.fromtimestamp(int(low["value"]) / 1000, UTC) == datetime(
        2026, 10, 29, 22, 45, tzinfo=UTC
    )
    assert datetime.fromtimestamp(int(high["value"]) / 1000, UTC) == datetime(
        2026, 10, 30, 23, tzinfo=UTC
    )
    assert (low["operator"], high["operator"], above["operator"]) == ("GTE", "LT", "GT")


def test_an_empty_crm_still_says_that_it_was_asked(platform) -> None:
    server = platform([Answer({"results": []})])
    (batch,) = _pull(HubSpotSettings(type="hubspot"), server, WINDOW)
    assert (batch.table, list(batch.records)) == ("crm_leads", [])
    assert [each.report for each in batch.coverage] == ["crm"]


def test_hubspot_pages_by_id_and_notices_when_it_turns_in_a_circle(platform, monkeypatch) -> None:
    monkeypatch.setattr(hubspot_client, "SEARCH_PAGE", 1)
    server = platform(_hubspot)
    with pytest.raises(PermanentError, match="repeats itself"):
        _pull(HubSpotSettings(type="hubspot"), server)
    asked_above = [
        json.dumps(asked.body["filterGroups"][0]["filters"][2]["value"]) for asked in server.asked
    ]
    assert asked_above == ['"0"', '"501"']
