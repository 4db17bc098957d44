"""A HubSpot account in a few lines: documented payloads for the scripted server."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.sources.conftest import NOW, Answer, Asked
from trueline.sources.base import Batch
from trueline.sources.registry import build_source
from trueline.sources.settings import HubSpotProperties, HubSpotSettings
from trueline.windows import Window

DAY = Window(date(2026, 10, 30), date(2026, 10, 30))
SETTINGS = HubSpotSettings(type="hubspot")
TYPES = {
    "createdate": "datetime",
    "lastmodifieddate": "datetime",
    "contact_attempts": "number",
    "is_test_contact": "bool",
}
PROPERTIES = [
    {
        "name": name,
        "type": TYPES.get(name, "number" if name.startswith("score_") else "string"),
    }
    for name in [*HubSpotProperties().model_dump().values(), "one_of_hundreds"]
]


def pull(server: Any, window: Window = DAY, settings: HubSpotSettings = SETTINGS) -> list[Batch]:
    """All batches of one pull from a scripted server."""
    source = build_source(
        "crm",
        settings,
        connection=server.connection(),
        time_zone="Europe/Berlin",
        root=Path(),
        workdir=Path(),
        known_hashes=frozenset(),
        now=NOW,
    )
    return list(source.pull(window))


def values(batches: list[Batch], table: str) -> list[dict[str, Any]]:
    return [
        dict(record.values) for batch in batches if batch.table == table for record in batch.records
    ]


def errors(batches: list[Batch], table: str) -> list[tuple[str | None, str]]:
    return [
        (error.column, error.reason)
        for batch in batches
        if batch.table == table
        for error in batch.errors
    ]


def contact(contact_id: str, **properties: str | None) -> dict[str, Any]:
    return {
        "id": contact_id,
        "properties": {
            "createdate": "2026-10-01T08:00:00.123Z",
            "lastmodifieddate": "2026-10-30T09:00:00Z",
            **properties,
        },
        "createdAt": "2026-10-01T08:00:00.123Z",
        "updatedAt": "2026-10-30T09:00:00Z",
        "archived": False,
    }


def change(value: str, at: str) -> dict[str, str]:
    return {"value": value, "timestamp": f"2026-10-{at}:00Z", "sourceType": "CRM_UI"}


def not_found(*ids: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": "Could not get some CONTACT objects, they may be deleted or not exist.",
        "context": {"ids": list(ids)},
    }


class Portal:
    """Answers as HubSpot does, from the lists it is given.

    Attributes:
        contacts, deals: Live objects; a contact's history may stand in it.
        bin: Archived contacts; ``deal_bin`` archived deals.
        aliases: Ids that were merged away, to the id that answers for them.
        people: Deal id to contact ids.
    """

    def __init__(self, *contacts: dict[str, Any]) -> None:
        self.contacts = list(contacts)
        self.deals: list[dict[str, Any]] = []
        self.bin: list[dict[str, Any]] = []
        self.deal_bin: list[dict[str, Any]] = []
        self.aliases: dict[str, str] = {}
        self.people: dict[str, list[int]] = {}
        self.properties = list(PROPERTIES)

    def __call__(self, asked: Asked) -> Answer:
        path, query = urlsplit(asked.path).path, parse_qs(urlsplit(asked.path).query)
        kind = "deals" if "/deals" in path else "contacts"
        live = self.deals if kind == "deals" else self.contacts
        if "/properties/" in path:
            return Answer({"results": self.properties})
        if path.endswith("/search"):
            return Answer({"total": len(live), "results": [self._told(each) for each in live]})
        if "associations" in path:
            return self._associations([each["id"] for each in asked.body["inputs"]])
        if path.endswith("/batch/read"):
            return self._read([each["id"] for each in asked.body["inputs"]])
        if query["archived"] == ["true"]:
            return Answer({"results": self.deal_bin if kind == "deals" else self.bin})
        return Answer({"results": live})

    @staticmethod
    def _told(found: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in found.items() if key != "propertiesWithHistory"}

    def _read(self, ids: list[str]) -> Answer:
        known = {each["id"]: each for each in self.contacts}
        answering = dict.fromkeys(self.aliases.get(each, each) for each in ids)
        missing = [each for each in answering if each not in known]
        body: dict[str, Any] = {
            "status": "COMPLETE",
            "results": [known[each] for each in answering if each in known],
        }
        if missing:
            body |= {"numErrors": 1, "errors": [not_found(*missing)]}
        return Answer(body, status=207 if missing else 200)

    def _associations(self, deals: list[str]) -> Answer:
        lonely = [deal for deal in deals if deal not in self.people]
        return Answer(
            {
                "status": "COMPLETE",
                "results": [
                    {"from": {"id": deal}, "to": [{"toObjectId": each} for each in people]}
                    for deal, people in self.people.items()
                    if deal in deals
                ],
                "errors": [
                    {
                        "status": "error",
                        "category": "OBJECT_NOT_FOUND",
                        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                        "context": {"fromObjectId": [deal]},
                    }
                    for deal in lonely
                ],
            },
            status=207 if lonely else 200,
        )
