"""The sandbox's HubSpot, read by HubSpot's own client (hubspot-api-client): what it finds is what
our adapter tells, and no answer has more or less than its models know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hubspot
import pytest
import requests
from hubspot.crm import contacts, deals, properties
from hubspot.crm.associations import v4 as associations

from sandbox.server.hubspot import TOKEN_WITHOUT_DEALS
from sandbox.server.wire import TOKEN
from tests.sources.conftest import NOW, WINDOW
from tests.sources.hubspot_portal import values
from trueline.connections import Connection
from trueline.errors import ConfigurationError
from trueline.sources.base import Batch
from trueline.sources.registry import build_source
from trueline.sources.settings import HubSpotProperties, HubSpotSettings

NAMES = HubSpotProperties()
WANTED = list(NAMES.model_dump().values())
HISTORIES = [NAMES.lead_status, NAMES.disqualification_reason, NAMES.lifecycle_stage]


@pytest.fixture(scope="module")
def address(sandbox_url: str) -> str:
    return f"{sandbox_url}/hubspot"


@pytest.fixture(scope="module")
def sdk(address: str) -> Any:
    """HubSpot's client, whose host is a setting of its configuration."""
    return hubspot.Client.create(access_token=TOKEN, host=address)


def _ours(address: str, token: str = TOKEN, **settings: Any) -> list[Batch]:
    source = build_source(
        "hubspot",
        HubSpotSettings.model_validate({"type": "hubspot", **settings}),
        connection=Connection("trueline_hubspot", address, token),
        time_zone="Europe/Berlin",
        root=Path(),
        workdir=Path(),
        known_hashes=frozenset(),
        now=NOW,
    )
    return list(source.pull(WINDOW))


@pytest.fixture(scope="module")
def full(address: str) -> list[Batch]:
    """Our full load."""
    return _ours(address, full_load_days=1)


def _pieces(ids: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _number(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


def _told(contact: Any) -> dict[str, Any]:
    """A contact of the client, in our columns."""
    of = contact.properties
    google, facebook = of[NAMES.google_click_id], of[NAMES.facebook_click_id]
    return {
        "crm_record_id": contact.id,
        "crm_created_at": contact.created_at.astimezone(UTC),
        "updated_at": contact.updated_at.astimezone(UTC),
        "email": of[NAMES.email],
        "phone": of[NAMES.phone],
        "client_id": of[NAMES.client_id],
        "click_id": google or facebook,
        # People type blanks around a tag; we do not keep them.
        "utm_campaign": (of[NAMES.utm_campaign] or "").strip() or None,
        "crm_source": of[NAMES.source],
        "segment": of[NAMES.segment],
        "fit": _number(of[NAMES.fit]),
        "intent": _number(of[NAMES.intent]),
        "is_deleted": contact.archived,
    }


def test_its_list_of_contacts_is_our_full_load(sdk, full) -> None:
    live = sdk.crm.contacts.get_all(properties=WANTED)
    binned = sdk.crm.contacts.get_all(properties=WANTED, archived=True)
    assert len(live) > 100
    assert binned
    theirs = {contact.id: _told(contact) for contact in (*live, *binned)}
    ours = {
        row["crm_record_id"]: {name: row[name] for name in next(iter(theirs.values()))}
        for row in values(full, "crm_leads")
        if row["merged_into_record_id"] is None
    }
    assert ours == theirs
    merged = {
        (part, contact.id)
        for contact in live
        for part in (contact.properties[NAMES.merged_ids] or "").split(";")
        if part
    }
    assert merged
    assert merged == {
        (row["crm_record_id"], row["merged_into_record_id"])
        for row in values(full, "crm_leads")
        if row["merged_into_record_id"]
    }


def test_its_search_finds_what_our_search_finds(sdk, address) -> None:
    first, before = (
        datetime(2026, 9, 30, 21, 45, tzinfo=UTC),
        datetime(2026, 10, 31, 23, tzinfo=UTC),
    )
    found, last = [], "0"
    while True:
        filters = [
            contacts.Filter(property_name=name, operator=operator, value=value)
            for name, operator, value in (
                ("lastmodifieddate", "GTE", str(round(first.timestamp() * 1000))),
                ("lastmodifieddate", "LT", str(round(before.timestamp() * 1000))),
                ("hs_object_id", "GT", last),
            )
        ]
        page = sdk.crm.contacts.search_api.do_search(
            contacts.PublicObjectSearchRequest(
                filter_groups=[contacts.FilterGroup(filters=filters)],
                sorts=["hs_object_id"],
                properties=WANTED,
                limit=200,
            )
        )
        found += page.results
        if page.paging is None:
            break
        last = page.results[-1].id
    ours = {
        row["crm_record_id"]: row
        for row in values(_ours(address), "crm_leads")
        if row["merged_into_record_id"] is None and not row["is_deleted"]
    }
    assert found
    assert {contact.id: _told(contact) for contact in found} == {
        key: {name: row[name] for name in _told(found[0])} for key, row in ours.items()
    }


def test_its_histories_are_our_stages(sdk, full) -> None:
    stages = values(full, "crm_stages")
    ids = sorted({row["crm_record_id"] for row in stages}, key=int)
    theirs = []
    for piece in _pieces(ids, 50):
        answer = sdk.crm.contacts.batch_api.read(
            contacts.BatchReadInputSimplePublicObjectId(
                inputs=[contacts.SimplePublicObjectId(id=each) for each in piece],
                properties=[],
                properties_with_history=HISTORIES,
            )
        )
        for contact in answer.results:
            history = contact.properties_with_history[NAMES.lead_status]
            theirs += [
                (contact.id, entry.value, entry.timestamp.astimezone(UTC)) for entry in history
            ]
    assert len(theirs) > 100
    assert sorted(theirs) == sorted(
        (row["crm_record_id"], row["stage"], row["changed_at"]) for row in stages
    )


def test_its_deals_and_associations_are_ours(sdk, full) -> None:
    found = sdk.crm.deals.get_all(
        properties=["amount", "dealstage", "hs_is_closed_won", "deal_currency_code"]
    )
    assert found
    answer = sdk.crm.associations.v4.batch_api.get_page(
        "deals",
        "contacts",
        associations.BatchInputPublicFetchAssociationsBatchRequest(
            inputs=[associations.PublicFetchAssociationsBatchRequest(id=each.id) for each in found]
        ),
    )
    people = {each._from.id: each.to[0].to_object_id for each in answer.results}
    listed = sdk.crm.deals.get_all(associations=["contacts"])
    assert people == {each.id: each.associations["contacts"].results[0].id for each in listed}
    theirs = {
        (
            each.id,
            people[each.id],
            each.properties["dealstage"],
            Decimal(each.properties["amount"]),
            each.properties["deal_currency_code"],
            each.properties["hs_is_closed_won"] == "true",
        )
        for each in found
    }
    columns = ("deal_id", "crm_record_id", "deal_stage", "deal_amount", "currency_code", "is_won")
    assert theirs == {tuple(row[name] for name in columns) for row in values(full, "crm_deals")}


def test_a_full_load_tells_what_the_searches_tell(address, full) -> None:
    """The whole of the sandbox's CRM lies in the window but for what is older or newer."""
    found = _ours(address)

    def rows(batches: list[Batch], table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
        keys = {
            "crm_leads": ("crm_record_id",),
            "crm_stages": ("crm_record_id", "stage", "changed_at"),
            "crm_deals": ("deal_id",),
        }[table]
        return {tuple(row[key] for key in keys): row for row in values(batches, table)}

    for table in ("crm_leads", "crm_stages", "crm_deals"):
        part, whole = rows(found, table), rows(full, table)
        assert part
        assert part == {key: whole[key] for key in part}
    older = {key for key in rows(full, "crm_leads") if key not in rows(found, "crm_leads")}
    window_start = datetime(2026, 9, 30, 21, 45, tzinfo=UTC)
    window_end = datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert all(
        not window_start <= rows(full, "crm_leads")[key]["updated_at"] < window_end for key in older
    )


# --- every answer fits the client's models --------------------------------------------------------

CONTACTS, DEALS = "/crm/v3/objects/contacts", "/crm/v3/objects/deals"
PEOPLE = "/crm/v4/associations/deals/contacts/batch/read"
HISTORY = "propertiesWithHistory=hs_lead_status,lifecyclestage"


def _deal_and_contact(address: str) -> tuple[str, str]:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {TOKEN}"
    pair = [
        session.get(f"{address}{path}?limit=1", timeout=20).json()["results"][0]["id"]
        for path in (DEALS, CONTACTS)
    ]
    return pair[0], pair[1]


CALLS = [
    ("GET", f"{CONTACTS}?limit=3", None, contacts,
     "CollectionResponseSimplePublicObjectWithAssociationsForwardPaging", 200),
    ("GET", f"{CONTACTS}?limit=50&{HISTORY}", None, contacts,
     "CollectionResponseSimplePublicObjectWithAssociationsForwardPaging", 200),
    ("GET", f"{CONTACTS}?archived=true", None, contacts,
     "CollectionResponseSimplePublicObjectWithAssociationsForwardPaging", 200),
    ("GET", f"{DEALS}?associations=contacts", None, deals,
     "CollectionResponseSimplePublicObjectWithAssociationsForwardPaging", 200),
    ("POST", f"{CONTACTS}/search", {"limit": 5}, contacts,
     "CollectionResponseWithTotalSimplePublicObjectForwardPaging", 200),
    ("POST", f"{DEALS}/search", {"limit": 5}, deals,
     "CollectionResponseWithTotalSimplePublicObjectForwardPaging", 200),
    ("POST", f"{CONTACTS}/batch/read",
     {"inputs": ["CONTACT"], "propertiesWithHistory": ["hs_lead_status"]}, contacts,
     "BatchResponseSimplePublicObject", 200),
    ("POST", f"{CONTACTS}/batch/read", {"inputs": ["CONTACT", "1"]}, contacts,
     "BatchResponseSimplePublicObjectWithErrors", 207),
    ("POST", PEOPLE, {"inputs": ["DEAL"]}, associations,
     "BatchResponsePublicAssociationMultiWithLabel", 200),
    ("POST", PEOPLE, {"inputs": ["DEAL", "1"]}, associations,
     "BatchResponsePublicAssociationMultiWithLabelWithErrors", 207),
    ("GET", "/crm/v3/properties/contacts", None, properties,
     "CollectionResponsePropertyNoPaging", 200),
    ("GET", "/crm/v3/properties/deals", None, properties,
     "CollectionResponsePropertyNoPaging", 200),
    ("POST", f"{CONTACTS}/search", {"limit": 999}, contacts, "Error", 400),
    ("GET", "/crm/v3/nothing", None, contacts, "Error", 404),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "package", "model", "status"),
    CALLS,
    ids=[f"{call[4]}-{number}" for number, call in enumerate(CALLS)],
)
def test_an_answer_fits_its_model(address, method, path, body, package, model, status) -> None:
    if body and "inputs" in body:
        deal, contact = _deal_and_contact(address)
        known = {"DEAL": deal, "CONTACT": contact}
        body = {**body, "inputs": [{"id": known.get(each, each)} for each in body["inputs"]]}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.request(method, address + path, json=body, headers=headers, timeout=20)
    assert answer.status_code == status
    assert _unknown(answer.json(), model, package) == []
    # Parsing checks what is required, and the values of enumerations.
    parsed = package.ApiClient().deserialize(SimpleNamespace(data=answer.text), model)
    assert type(parsed).__name__ == model


def _unknown(value: Any, kind: str, package: Any, where: str = "") -> list[str]:
    """Keys of an answer that the client's model of it has not."""
    if value is None:
        return []
    many = re.fullmatch(r"list\[(.*)\]", kind)
    if many:
        return [
            told
            for number, each in enumerate(value)
            for told in _unknown(each, many[1], package, f"{where}[{number}]")
        ]
    named = re.fullmatch(r"dict\[str, (.*)\]", kind)
    if named:
        return [
            told
            for key, each in value.items()
            for told in _unknown(each, named[1], package, f"{where}.{key}")
        ]
    model = getattr(package, kind, None)
    if model is None:
        assert kind in ("str", "int", "bool", "datetime", "object"), kind
        return []
    by_key = {key: name for name, key in model.attribute_map.items()}
    told = [f"{where}.{key}" for key in value if key not in by_key]
    # The status word of an error body is documented, and no model has it.
    told = [key for key in told if not (kind == "Error" and key == ".status")]
    for key, each in value.items():
        if key in by_key:
            inner = model.openapi_types[by_key[key]]
            told += _unknown(each, inner, package, f"{where}.{key}")
    return told


@pytest.mark.parametrize("version", ["2026-03", "2026-09"])
def test_the_dated_versions_say_the_same(address, version, full) -> None:
    dated = _ours(address, full_load_days=1, api_version=version)
    assert [list(batch.records) for batch in dated] == [list(batch.records) for batch in full]


def test_a_version_that_is_not_served_is_one_clear_message(address) -> None:
    with pytest.raises(ConfigurationError, match="this API version was switched off"):
        _ours(address, api_version="2024-09")


def test_a_token_without_the_deals_says_which_scope_is_missing(address) -> None:
    with pytest.raises(ConfigurationError, match=r"crm\.objects\.deals\.read"):
        _ours(address, token=TOKEN_WITHOUT_DEALS)
