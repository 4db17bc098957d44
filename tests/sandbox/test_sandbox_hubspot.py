"""HubSpot's CRM API over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox.world import World

PROPERTIES = ["email", "hs_lead_status", "hs_merged_object_ids", "lastmodifieddate", "client_id"]


def post(client: requests.Session, url: str, path: str, body: Any) -> requests.Response:
    return client.post(f"{url}/hubspot{path}", json=body, timeout=20)


def changed_since(first: str, last: str, after_id: str = "0") -> dict[str, Any]:
    return {
        "filterGroups": [
            {
                "filters": [
                    {"propertyName": "lastmodifieddate", "operator": "GTE", "value": first},
                    {"propertyName": "lastmodifieddate", "operator": "LT", "value": last},
                    {"propertyName": "hs_object_id", "operator": "GT", "value": after_id},
                ]
            }
        ],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": PROPERTIES,
        "limit": 200,
    }


def every_contact(
    client: requests.Session, url: str, first: str, last: str
) -> list[dict[str, Any]]:
    """Page by key: each page starts after the last id of the one before."""
    found: list[dict[str, Any]] = []
    after_id = "0"
    while True:
        body = changed_since(first, last, after_id)
        page = post(client, url, "/crm/v3/objects/contacts/search", body).json()["results"]
        found += page
        if len(page) < 200:
            return found
        after_id = page[-1]["id"]


def test_the_changed_contacts_are_all_found_once(
    client: requests.Session, url: str, world: World
) -> None:
    found = every_contact(client, url, "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
    alive = {
        contact.contact_id
        for contact in world.contacts
        if not contact.merged_into and contact.deleted_at is None
    }
    assert [row["id"] for row in found] == sorted(alive, key=int)
    for row in found:
        assert all(value is None or isinstance(value, str) for value in row["properties"].values())
        assert row["properties"]["lastmodifieddate"] == row["updatedAt"]
        assert row["archived"] is False


def test_windows_split_the_changes_without_gap_or_overlap(
    client: requests.Session, url: str, world: World
) -> None:
    middle, now = "2026-10-15T00:00:00Z", world.clock.zulu(world.clock.now + 1)
    one = every_contact(client, url, "2000-01-01T00:00:00Z", middle)
    two = every_contact(client, url, "1792022400000", now)  # the same moment in milliseconds
    whole = every_contact(client, url, "2000-01-01T00:00:00Z", now)
    assert one
    assert two
    assert len(one) + len(two) == len(whole)


def test_history_is_newest_first_and_says_why(
    client: requests.Session, url: str, world: World
) -> None:
    contact = next(
        contact
        for contact in world.contacts
        if [item.value for item in contact.status][-1:] == ["UNQUALIFIED"]
        and contact.deleted_at is None
        and not contact.merged_into
    )
    body = {
        "inputs": [{"id": contact.contact_id}],
        "properties": ["contact_attempts"],
        "propertiesWithHistory": ["hs_lead_status", "disqualification_reason"],
    }
    answer = post(client, url, "/crm/v3/objects/contacts/batch/read", body)
    assert answer.status_code == 200
    history = answer.json()["results"][0]["propertiesWithHistory"]
    statuses = history["hs_lead_status"]
    assert [item["value"] for item in statuses] == [item.value for item in reversed(contact.status)]
    times = [item["timestamp"] for item in statuses]
    assert times == sorted(times, reverse=True)
    assert history["disqualification_reason"][0]["timestamp"] >= statuses[0]["timestamp"]


def test_a_merged_id_answers_with_its_survivor(
    client: requests.Session, url: str, world: World
) -> None:
    twin = next(contact for contact in world.contacts if contact.merged_into)
    body = {"inputs": [{"id": twin.contact_id}], "properties": ["hs_merged_object_ids"]}
    found = post(client, url, "/crm/v3/objects/contacts/batch/read", body).json()["results"][0]
    assert found["id"] == twin.merged_into
    assert twin.contact_id in found["properties"]["hs_merged_object_ids"].split(";")


def test_unknown_ids_come_as_errors_beside_the_results(client: requests.Session, url: str) -> None:
    body = {"inputs": [{"id": "1"}]}
    answer = post(client, url, "/crm/v3/objects/contacts/batch/read", body)
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"ids": ["1"]}


def test_deleted_contacts_are_listed_as_archived_only(
    client: requests.Session, url: str, world: World
) -> None:
    deleted = {c.contact_id for c in world.contacts if c.deleted_at is not None}
    path = f"{url}/hubspot/crm/v3/objects/contacts"
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        asked = {"archived": "true", "limit": "10", "properties": "email", "after": after or "0"}
        body = client.get(path, params=asked, timeout=20).json()
        found += body["results"]
        if "paging" not in body:
            break
        after = body["paging"]["next"]["after"]
    assert {row["id"] for row in found} == deleted
    assert all(row["archived"] and row["archivedAt"] for row in found)


def test_deals_and_their_contacts(client: requests.Session, url: str, world: World) -> None:
    names = ["dealstage", "amount", "deal_currency_code", "closedate", "hs_is_closed_won"]
    body = {"filterGroups": [], "properties": names, "limit": 200}
    page = post(client, url, "/crm/v3/objects/deals/search", body).json()
    assert page["total"] == len(world.deals)
    stages = {row["properties"]["dealstage"] for row in page["results"]}
    assert stages == {"closedwon", "closedlost", "contractsent"}
    ids = [{"id": row["id"]} for row in page["results"]]
    path = "/crm/v4/associations/deals/contacts/batch/read"
    answer = post(client, url, path, {"inputs": ids})
    told = {row["from"]["id"]: str(row["to"][0]["toObjectId"]) for row in answer.json()["results"]}
    known = {deal.deal_id: deal.contact_id for deal in world.deals}
    assert told == {key: known[key] for key in told}
    assert len(told) == len(ids)


SEARCH = "/crm/v3/objects/contacts/search"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SEARCH, {"limit": 201}),
        (SEARCH, {"limit": 200, "after": "9900"}),
        (SEARCH, {"limit": 100, "after": "10000"}),
        (SEARCH, {"sorts": ["email", "phone"]}),
        (SEARCH, {"filterGroups": [{"filters": [{"propertyName": "nope", "operator": "EQ",
                                                 "value": "1"}]}]}),
        (SEARCH, {"filterGroups": [{"filters": [{"propertyName": "createdate", "operator": "GTE",
                                                 "value": "yesterday"}]}]}),
        (SEARCH, {"filterGroups": [{"filters": []}] * 6}),
        (SEARCH, []),
        ("/crm/v3/objects/contacts/batch/read", {"inputs": []}),
        ("/crm/v3/objects/contacts/batch/read",
         {"inputs": [{"id": "1"}] * 51, "propertiesWithHistory": ["hs_lead_status"]}),
    ],
)  # fmt: skip
def test_hubspot_refuses(client: requests.Session, url: str, path: str, body: Any) -> None:
    answer = post(client, url, path, body)
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"


def test_no_key_no_data(url: str) -> None:
    answer = requests.post(f"{url}/hubspot{SEARCH}", json={}, timeout=20)
    assert answer.status_code == 401
    assert answer.json()["category"] == "INVALID_AUTHENTICATION"
