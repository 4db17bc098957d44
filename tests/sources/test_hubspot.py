"""HubSpot: what a pull makes of contacts, histories, merges, the bin and deals."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial

import pytest

from tests.sources.conftest import WINDOW, Answer, Asked
from tests.sources.hubspot_portal import (
    DAY,
    Portal,
    change,
    contact,
    errors,
    pull,
    values,
)
from trueline.errors import ConfigurationError, RetriableError
from trueline.progress import Progress
from trueline.sources.hubspot import client as hubspot_client
from trueline.sources.hubspot import source as hubspot_source
from trueline.sources.settings import HubSpotSettings
from trueline.windows import Window

ANNA = contact(
    "501",
    email="anna@example.org",
    lifecyclestage="marketingqualifiedlead",
    hs_facebook_click_id="IwAR1",
    landing_page="https://x.example/p?email=anna@example.org",
    score_fit="0.7",
    hs_merged_object_ids="499;500",
    contact_attempts="4",
) | {
    "propertiesWithHistory": {
        "hs_lead_status": [  # newest first, as HubSpot gives it
            change("UNQUALIFIED", "20T10:00"),
            change("OPEN", "10T10:00"),
            change("UNQUALIFIED", "05T10:00"),
            change("NEW", "01T08:00"),
        ],
        "disqualification_reason": [
            change("not_fit", "20T10:02"),
            change("", "10T10:00"),
            change("spam", "05T09:59"),
        ],
        "lifecyclestage": [
            change("marketingqualifiedlead", "09T10:00"),
            change("lead", "01T08:00"),
        ],
    }
}
IN_BIN = {
    "id": "77",
    "createdAt": "2026-09-01T00:00:00Z",
    "updatedAt": "2026-10-02T00:00:00Z",
    "archived": True,
    "archivedAt": "2026-10-30T12:00:00Z",
    "properties": {},
}
OPEN_DEAL = {
    "dealstage": "contractsent",
    "amount": "1200.50",
    "closedate": "2026-12-24T00:00:00Z",
    "hs_is_closed": "false",
    "hs_is_closed_won": "false",
    "hs_lastmodifieddate": "2026-10-30T08:00:00Z",
}


def test_leads_stages_and_merges_are_told(platform) -> None:
    batches = pull(platform(Portal(ANNA)))
    leads, stages = values(batches, "crm_leads"), values(batches, "crm_stages")
    assert [(row["crm_record_id"], row["merged_into_record_id"]) for row in leads] == [
        ("501", None),
        ("499", "501"),
        ("500", "501"),
    ]
    assert (leads[0]["click_id_type"], leads[0]["lead_type"]) == ("fbclid", "mql")
    assert (leads[0]["fit"], leads[0]["consent_ad_user_data"]) == (Decimal("0.7"), "unknown")
    assert leads[0]["landing_page"] == "https://x.example/p"
    assert leads[1]["email"] is None
    assert [(row["stage"], row["stage_reason"]) for row in stages] == [
        ("NEW", None),
        ("UNQUALIFIED", "spam"),
        ("OPEN", None),
        ("UNQUALIFIED", "not_fit"),
    ]
    assert {row["contact_attempts"] for row in stages} == {4}


def test_a_lead_form_leaves_the_platforms_own_id_and_an_answer(platform) -> None:
    answered = {"leadgen": "660100000000001", "heard_of_us": " A friend "}
    names = {"platform_lead_id": "leadgen", "self_reported_source": "heard_of_us"}
    settings = HubSpotSettings.model_validate({"type": "hubspot", "properties": names})
    portal = Portal(
        contact("501", email="anna@example.org", **answered),
        # Whoever writes an address into the field has told more than where they heard of us.
        contact("502", email="jon@example.org", heard_of_us="ask anna@example.org"),
    )
    portal.properties += [{"name": name, "type": "string"} for name in names.values()]
    leads = values(pull(platform(portal), settings=settings), "crm_leads")
    assert [(row["platform_lead_id"], row["self_reported_source"]) for row in leads] == [
        ("660100000000001", "A friend"),
        (None, None),
    ]


def test_the_lifecycle_stage_does_not_speak_over_the_lead_status(platform) -> None:
    batches = pull(platform(Portal(ANNA)))
    assert {row["stage"] for row in values(batches, "crm_stages")} == {"NEW", "OPEN", "UNQUALIFIED"}
    extra = next(record.extra for batch in batches for record in batch.records)
    assert extra["lifecyclestage_history"] == (
        "2026-10-01T08:00:00Z lead;2026-10-09T10:00:00Z marketingqualifiedlead"
    )


def test_a_company_may_work_with_lifecycle_stages_instead(platform) -> None:
    settings = HubSpotSettings.model_validate(
        {"type": "hubspot", "properties": {"lead_status": "lifecyclestage"}}
    )
    batches = pull(platform(Portal(ANNA)), settings=settings)
    assert [row["stage"] for row in values(batches, "crm_stages")] == [
        "lead",
        "marketingqualifiedlead",
    ]


def test_hubspot_is_asked_for_the_window_in_the_companys_time(platform) -> None:
    server = platform(Portal(ANNA))
    batches = pull(server)
    search = next(asked for asked in server.asked if asked.path.endswith("contacts/search"))
    low, high, above = search.body["filterGroups"][0]["filters"]
    assert datetime.fromtimestamp(int(low["value"]) / 1000, UTC) == datetime(
        2026, 10, 29, 22, 45, tzinfo=UTC
    )
    assert datetime.fromtimestamp(int(high["value"]) / 1000, UTC) == datetime(
        2026, 10, 30, 23, tzinfo=UTC
    )
    assert (low["operator"], high["operator"], above["operator"]) == ("GTE", "LT", "GT")
    assert len(json.dumps(search.body)) < 3000, "HubSpot takes no longer search"
    (covered,) = [each for batch in batches for each in batch.coverage]
    assert covered.complete_until == datetime(2026, 10, 30, 23, tzinfo=UTC)


def test_what_the_index_may_not_show_yet_is_not_called_complete(platform) -> None:
    today = Window(date(2026, 11, 1), date(2026, 11, 1))
    batches = pull(platform(Portal()), today)
    (covered,) = [each for batch in batches for each in batch.coverage]
    assert covered.complete_until == datetime(2026, 11, 1, 4, 45, tzinfo=UTC)


def test_an_empty_crm_still_says_that_it_was_asked(platform) -> None:
    (batch,) = pull(platform(Portal()), WINDOW)
    assert (batch.table, list(batch.records)) == ("crm_leads", [])
    assert [each.report for each in batch.coverage] == ["crm"]


@pytest.mark.parametrize(
    ("version", "paths"),
    [
        (
            "v3",
            {
                "/crm/v3/properties/contacts",
                "/crm/v3/objects/contacts/search",
                "/crm/v3/objects/contacts/batch/read",
                "/crm/v3/objects/contacts",
                "/crm/v3/objects/deals/search",
                "/crm/v3/objects/deals",
                "/crm/v4/associations/deals/contacts/batch/read",
            },
        ),
        (
            "2026-03",
            {
                "/crm/properties/2026-03/contacts",
                "/crm/objects/2026-03/contacts/search",
                "/crm/objects/2026-03/contacts/batch/read",
                "/crm/objects/2026-03/contacts",
                "/crm/objects/2026-03/deals/search",
                "/crm/objects/2026-03/deals",
                "/crm/associations/2026-03/deals/contacts/batch/read",
            },
        ),
    ],
)
def test_both_kinds_of_versions_have_their_paths(platform, version, paths) -> None:
    portal = Portal(ANNA)
    portal.deals, portal.people = [{"id": "9", "properties": OPEN_DEAL}], {"9": [501]}
    server = platform(portal)
    pull(server, settings=HubSpotSettings(type="hubspot", api_version=version))
    assert {asked.path.partition("?")[0] for asked in server.asked} == paths


# --- searching -----------------------------------------------------------------------------------


def _pages(*pages: list[str], total: int | None = None):
    """A search that answers these pages of contact ids, one after the other.

    ``total`` counts what is above the ids asked for, so it falls from page to page.
    """
    portal, told, left = Portal(), iter(pages), total

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("contacts/search"):
            nonlocal left
            ids = next(told, [])
            counted = {} if left is None else {"total": left}
            left = None if left is None else left - len(ids)
            return Answer({"results": [contact(each) for each in ids], **counted})
        return portal(asked)

    return answer


def test_a_short_page_is_not_the_last_where_hubspot_says_there_is_more(platform) -> None:
    server = platform(_pages(["7", "9"], ["10"], total=3))
    leads = values(pull(server), "crm_leads")
    assert [row["crm_record_id"] for row in leads] == ["7", "9", "10"]
    above = [
        asked.body["filterGroups"][0]["filters"][2]["value"]
        for asked in server.asked
        if asked.path.endswith("contacts/search")
    ]
    assert above == ["0", "9"]


def test_contacts_that_are_counted_and_not_sent_are_no_end(platform, monkeypatch) -> None:
    monkeypatch.setattr("trueline.sources.http._backoff", lambda state: 0.0)
    with pytest.raises(RetriableError, match="counts 1 records and sends none of them"):
        pull(platform(_pages(["7", "9"], [], total=3)))


@pytest.mark.parametrize("pages", [(["501"], ["501"]), (["10", "9"],), (["9", "9"],)])
def test_pages_that_repeat_or_lose_their_order_end_the_pull(platform, monkeypatch, pages) -> None:
    monkeypatch.setattr(hubspot_client, "SEARCH_PAGE", 1)
    with pytest.raises(RetriableError, match="repeats itself or is out of order"):
        pull(platform(_pages(*pages)))


def test_the_crm_itself_has_the_last_word_over_its_search_index(platform) -> None:
    portal = Portal(contact("501", email="new@example.org", score_fit=None))
    stale = contact("501", email="old@example.org", score_fit="0.1", industry="it")

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("contacts/search"):
            return Answer({"total": 1, "results": [stale]})
        return portal(asked)

    (lead,) = values(pull(platform(answer)), "crm_leads")
    assert (lead["email"], lead["fit"], lead["segment"]) == ("new@example.org", None, "it")


def test_a_contact_that_went_between_two_calls_is_told_as_it_was_found(platform, caplog) -> None:
    caplog.set_level(logging.INFO)
    portal = Portal(ANNA)

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("contacts/search"):
            gone = contact("502", email="jon@example.org")
            return Answer({"total": 2, "results": [contact("501"), gone]})
        return portal(asked)

    batches = pull(platform(answer))
    told = {row["crm_record_id"] for row in values(batches, "crm_leads")}
    assert {"501", "502"} <= told
    assert {row["crm_record_id"] for row in values(batches, "crm_stages")} == {"501"}
    assert "crm: 1 contacts went between two calls" in caplog.text
    assert "jon" not in caplog.text


def test_histories_are_asked_for_in_fifties(platform) -> None:
    server = platform(Portal(*(contact(str(number)) for number in range(1, 121))))
    pull(server)
    sizes = [
        len(asked.body["inputs"]) for asked in server.asked if asked.path.endswith("batch/read")
    ]
    assert sizes == [50, 50, 20]


def test_a_large_crm_comes_in_parts(platform, monkeypatch) -> None:
    monkeypatch.setattr(hubspot_source, "BATCH_RECORDS", 2)
    batches = pull(platform(Portal(*(contact(str(number)) for number in range(1, 6)))))
    sizes = [len(batch.records) for batch in batches if batch.table == "crm_leads"]
    assert sizes == [2, 2, 1, 0]


# --- full loads ----------------------------------------------------------------------------------


def test_a_long_window_reads_the_whole_list_instead_of_searching(platform) -> None:
    old = contact("3", lastmodifieddate="2020-01-01T00:00:00Z")
    portal = Portal(old, ANNA)
    portal.bin = [{**IN_BIN, "archivedAt": "2026-08-20T00:00:00Z"}]
    portal.deals, portal.people = [{"id": "9", "properties": OPEN_DEAL}], {"9": [501]}
    server = platform(portal)
    settings = HubSpotSettings(type="hubspot", full_load_days=1)
    two_days = Window(date(2026, 10, 29), date(2026, 10, 30))
    batches = pull(server, two_days, settings)
    assert not [asked for asked in server.asked if asked.path.endswith("/search")]
    told = {row["crm_record_id"]: row for row in values(batches, "crm_leads")}
    assert set(told) == {"3", "77", "499", "500", "501"}
    assert len(values(batches, "crm_stages")) == 4
    assert [row["deal_id"] for row in values(batches, "crm_deals")] == ["9"]
    lists = [asked.path for asked in server.asked if "propertiesWithHistory=" in asked.path]
    assert len(lists) == 1
    assert "limit=50" in lists[0]
    assert [asked for asked in server.asked if asked.path.endswith("/search")] == []
    pull(server, DAY, settings)
    assert [asked for asked in server.asked if asked.path.endswith("/search")]


def test_a_list_that_repeats_its_cursor_ends_the_pull(platform) -> None:
    portal = Portal()

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/crm/v3/objects/contacts?"):
            return Answer({"results": [], "paging": {"next": {"after": "QQ"}}})
        return portal(asked)

    with pytest.raises(RetriableError, match="repeats a cursor"):
        pull(platform(answer))


# --- merges and the bin --------------------------------------------------------------------------


def test_a_chain_of_merges_ends_at_its_last_survivor(platform) -> None:
    """1 and 2 became 3, then 3 and 4 became 5: since 2025 every merge makes a new record."""
    survivor = contact(
        "5",
        hs_merged_object_ids="3;4",
        hs_calculated_merged_vids="1:1793000000000;2:1793000000000;3:1793100000000;5:1",
    )
    leads = values(pull(platform(Portal(survivor))), "crm_leads")
    merged = {row["crm_record_id"]: row["merged_into_record_id"] for row in leads}
    assert merged == {"5": None, "1": "5", "2": "5", "3": "5", "4": "5"}


def test_a_merged_record_in_the_bin_is_not_deleted(platform) -> None:
    portal = Portal(contact("5", hs_merged_object_ids="77"))
    portal.bin, portal.aliases = [IN_BIN], {"77": "5"}
    leads = values(pull(platform(portal)), "crm_leads")
    assert [(row["crm_record_id"], row["is_deleted"]) for row in leads] == [
        ("5", False),
        ("77", False),
    ]


def test_the_bin_tells_the_deletions_of_the_window(platform) -> None:
    portal = Portal()
    portal.bin = [IN_BIN, {**IN_BIN, "id": "78", "archivedAt": "2026-09-30T12:00:00Z"}]
    (lead,) = values(pull(platform(portal)), "crm_leads")
    assert (lead["crm_record_id"], lead["is_deleted"]) == ("77", True)


def test_a_contact_back_from_the_bin_wins_by_being_loaded_later(platform) -> None:
    portal = Portal()
    portal.bin = [IN_BIN]
    (deleted,) = values(pull(platform(portal)), "crm_leads")
    back = contact("77", lastmodifieddate="2026-10-02T00:00:00Z")
    (restored,) = values(pull(platform(Portal(back))), "crm_leads")
    assert (deleted["is_deleted"], restored["is_deleted"]) == (True, False)
    assert deleted["updated_at"] == restored["updated_at"]


def test_a_contact_restored_during_the_pull_is_not_told_twice(platform) -> None:
    portal = Portal(contact("77"))
    portal.bin = [IN_BIN]
    (lead,) = values(pull(platform(portal)), "crm_leads")
    assert lead["is_deleted"] is False


# --- deals ---------------------------------------------------------------------------------------


def test_deals_belong_to_their_first_contact(platform) -> None:
    portal = Portal()
    portal.deals = [{"id": "9", "properties": OPEN_DEAL}, {"id": "10"}]
    portal.people = {"9": [1501, 501]}
    batches = pull(platform(portal))
    (deal,) = values(batches, "crm_deals")
    assert (deal["crm_record_id"], deal["deal_closed_at"]) == ("501", None)
    assert deal["deal_amount"] == Decimal("1200.50")
    assert batches[-1].records[0].extra == {"other_contact_ids": "1501"}
    assert errors(batches, "crm_deals") == [("crm_record_id", "missing_required")]


def test_deals_that_were_merged_or_deleted_count_no_more(platform) -> None:
    portal = Portal()
    merged = {**OPEN_DEAL, "hs_merged_object_ids": "7;8"}
    portal.deals, portal.people = [{"id": "9", "properties": merged}], {"9": [501]}
    portal.deal_bin = [
        {**IN_BIN, "id": "11", "properties": OPEN_DEAL},
        {**IN_BIN, "id": "12", "archivedAt": "2026-01-01T00:00:00Z"},
    ]
    deals = {row["deal_id"]: row for row in values(pull(platform(portal)), "crm_deals")}
    assert {deal_id for deal_id, row in deals.items() if row["is_deleted"]} == {"7", "8", "11"}
    assert {deal_id for deal_id, row in deals.items() if not row["is_deleted"]} == {"9"}
    assert deals["7"]["deal_amount"] is None


def test_a_deal_with_many_contacts_is_read_page_by_page(platform) -> None:
    portal = Portal()
    portal.deals = [{"id": "9", "properties": OPEN_DEAL}]

    def answer(asked: Asked) -> Answer:
        if "associations" not in asked.path:
            return portal(asked)
        after = asked.body["inputs"][0].get("after")
        told = {"from": {"id": "9"}, "to": [{"toObjectId": "501" if after else "1501"}]}
        return Answer({"results": [{**told, "paging": {"next": {"after": "QQ"}}}]})

    (deal,) = values(pull(platform(answer)), "crm_deals")
    assert deal["crm_record_id"] == "501"


# --- the account's properties --------------------------------------------------------------------


def test_a_property_that_is_needed_and_not_there_stops_the_pull(platform) -> None:
    portal = Portal(ANNA)
    portal.properties = [
        each for each in portal.properties if each["name"] not in ("email", "hs_lead_status")
    ]
    server = platform(portal)
    with pytest.raises(ConfigurationError) as caught:
        pull(server)
    text = str(caught.value)
    assert "'email' (properties.email)" in text
    assert "'hs_lead_status' (properties.lead_status)" in text
    assert "sources.crm.properties" in text
    assert len(server.asked) == 1, "nothing was read before"


def test_optional_properties_that_are_not_there_are_told_once_and_stay_empty(
    platform, caplog
) -> None:
    portal = Portal(ANNA)
    portal.properties = [
        each
        for each in portal.properties
        if not str(each["name"]).startswith(("score_", "disqualification"))
    ]
    server = platform(portal)
    batches = pull(server)
    told = [record.getMessage() for record in caplog.records if "score_fit" in record.getMessage()]
    assert len(told) == 1
    assert "disqualification_reason" in told[0]
    assert "one_of_hundreds" not in caplog.text
    read = next(asked.body for asked in server.asked if asked.path.endswith("batch/read"))
    assert "score_fit" not in read["properties"]
    assert read["propertiesWithHistory"] == ["hs_lead_status", "lifecyclestage"]
    assert all(not batch.drift for batch in batches)


def test_a_property_of_another_type_is_told_and_its_values_are_set_aside(platform) -> None:
    portal = Portal(contact("501", score_fit="very"), contact("502", score_fit="0.5"))
    portal.properties = [
        {**each, "type": "enumeration"} if each["name"] == "score_fit" else each
        for each in portal.properties
    ]
    batches = pull(platform(portal))
    assert [each for batch in batches for each in batch.drift] == [
        "score_fit is enumeration, not number"
    ]
    assert [row["crm_record_id"] for row in values(batches, "crm_leads")] == ["502"]
    assert errors(batches, "crm_leads") == [("fit", "bad_number")]


def test_a_property_that_comes_unasked_is_named_and_its_value_kept_nowhere(platform) -> None:
    portal = Portal(contact("501", firstname="Anna", nickname="Anni"))
    deal = {"id": "9", "properties": {"dealname": "Anna's roof", "gift": "a book"}}
    portal.deals, portal.people = [deal], {"9": [501]}
    batches = pull(platform(portal))
    drift = {batch.table: list(batch.drift) for batch in batches if batch.drift}
    assert drift == {"crm_leads": ["nickname"], "crm_deals": ["gift"]}
    kept = [record for batch in batches for record in batch.records]
    assert {record.values["crm_record_id"] for record in kept} == {"501"}
    for word in ("Anni", "Anna", "a book"):
        assert all(word not in str((record.values, record.extra)) for record in kept)


def test_progress_tells_report_page_and_rows(platform, monkeypatch, caplog) -> None:
    caplog.set_level(logging.INFO, logger="trueline.progress")
    monkeypatch.setattr(hubspot_source, "Progress", partial(Progress, every_seconds=0.0))
    pull(platform(Portal(ANNA)))
    assert "crm: contacts, page 1, 1 rows" in caplog.text
    assert "crm: archived contacts, page 1, 0 rows" in caplog.text
