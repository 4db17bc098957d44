"""Meta and HubSpot: documented payloads, played by a local server."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.sources.conftest import NOW, TOKEN, WINDOW, Answer, Asked
from trueline.errors import ConfigurationError, PermanentError
from trueline.sources.base import Batch
from trueline.sources.hubspot import client as hubspot_client
from trueline.sources.registry import build_source
from trueline.sources.settings import HubSpotSettings, MetaAdsSettings
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


META = MetaAdsSettings(type="meta_ads", accounts=("100",), repull_days=0)


def _meta_row(day: str, **more: Any) -> dict[str, Any]:
    return {"campaign_id": "12", "campaign_name": "A", "date_start": day, **more}


def test_meta_numbers_are_text_and_claims_stay_apart_by_type(platform) -> None:
    actions = [
        {"action_type": "lead", "value": "3", "7d_click": "2", "1d_view": "1"},
        {"action_type": "offsite_conversion.fb_pixel_lead", "value": "2", "7d_click": "2"},
        {"action_type": "onsite_conversion.lead_grouped", "value": "1"},
        {"action_type": "link_click", "value": "90"},
        {"action_type": "lead", "value": "4"},
    ]
    row = _meta_row("2026-10-30", spend="12.3", impressions="1000", actions=actions)
    cursor = {"cursors": {"after": "QQ"}}

    def answer(asked: Asked) -> Answer:
        if "insights" not in asked.path:
            return Answer({"account_id": "100", "currency": "EUR", "timezone_name": "Europe/Paris"})
        if "after=QQ" in asked.path:
            return Answer({"data": [_meta_row("2026-10-30", spend="x")], "paging": cursor})
        return Answer({"data": [row], "paging": {**cursor, "next": f"x?access_token={TOKEN}"}})

    server = platform(answer)
    delivery, claims = _pull(META, server)
    assert [
        (record.values["cost_micros"], record.values["impressions"], record.values["clicks"])
        for record in delivery.records
    ] == [(12_300_000, 1000, 0)]
    assert [(error.column, error.reason) for error in delivery.errors] == [
        ("cost_micros", "bad_number")
    ]
    assert [
        (
            record.values["conversion_action"],
            record.values["pixel_conversions"],
            record.values["view_through"],
            record.values["claim_basis"],
        )
        for record in claims.records
    ] == [
        ("lead", 3, 1, "click_date"),
        ("offsite_conversion.fb_pixel_lead", 2, 0, "click_date"),
        ("onsite_conversion.lead_grouped", 1, None, "click_date"),
    ]
    assert [error.reason for error in claims.errors] == ["duplicate_action"]
    assert all(TOKEN not in asked.path for asked in server.asked)


def test_a_meta_cursor_that_repeats_ends_the_pull(platform) -> None:
    page = {"data": [], "paging": {"cursors": {"after": "QQ"}, "next": "x"}, "currency": "EUR"}
    server = platform([Answer({**page, "timezone_name": "UTC"})])
    with pytest.raises(PermanentError, match="repeats a cursor"):
        _pull(META, server)
    assert len(server.asked) < 5


def test_a_meta_error_inside_http_200_is_an_error(platform) -> None:
    server = platform([Answer({"error": {"code": 190, "message": "anna@example.org"}})])
    with pytest.raises(ConfigurationError, match="code 190") as caught:
        _pull(META, server)
    assert "anna" not in str(caught.value)


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
