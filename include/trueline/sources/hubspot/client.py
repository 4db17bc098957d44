"""HubSpot's CRM API: changed objects, their history, archived ones and associations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from trueline.connections import Connection
from trueline.errors import PermanentError, RetriableError
from trueline.sources.collect import at
from trueline.sources.http import HttpClient
from trueline.sources.hubspot.constants import DEFAULT_URL, LIST_PAGE, SEARCH_PAGE
from trueline.sources.settings import HubSpotSettings

Object = Mapping[str, Any]


class HubSpotClient:
    """Reads of the CRM API."""

    def __init__(self, settings: HubSpotSettings, connection: Connection) -> None:
        self._http = HttpClient(connection, default_url=DEFAULT_URL)
        self._root = f"crm/{settings.api_version}/objects"

    def changed(
        self,
        kind: str,
        modified: str,
        first: datetime,
        before: datetime,
        properties: Sequence[str],
    ) -> Iterator[Object]:
        """Objects whose ``modified`` lies in ``[first, before)``, by ascending id.

        Each page asks for ids above the last one seen: so there is no limit of 10,000 results, and
        an object that changes meanwhile cannot push another one out of a page.
        """
        path, last = f"{self._root}/{kind}/search", 0
        while True:
            filters = [
                {"propertyName": modified, "operator": "GTE", "value": _milliseconds(first)},
                {"propertyName": modified, "operator": "LT", "value": _milliseconds(before)},
                {"propertyName": "hs_object_id", "operator": "GT", "value": str(last)},
            ]
            answer = self._http.post_json(
                path,
                {
                    "filterGroups": [{"filters": filters}],
                    "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                    "properties": list(properties),
                    "limit": SEARCH_PAGE,
                },
            )
            page = _results(answer, path)
            yield from page
            if len(page) < SEARCH_PAGE:
                return
            ids = [_id(item, path) for item in page]
            if min(ids) <= last:
                raise PermanentError(
                    "HubSpot's paging repeats itself: the rows would never end.",
                    where=path,
                    fix="Try again; if it stays so, report it to HubSpot.",
                )
            last = max(ids)

    def history(self, ids: Sequence[str], properties: Sequence[str]) -> Iterator[Object]:
        """``propertiesWithHistory`` of at most 50 contacts."""
        path = f"{self._root}/contacts/batch/read"
        body = {
            "inputs": [{"id": each} for each in ids],
            "properties": [],
            "propertiesWithHistory": list(properties),
        }
        yield from _results(self._http.post_json(path, body), path)

    def archived_contacts(self, properties: Sequence[str]) -> Iterator[Object]:
        """All contacts in HubSpot's recycle bin."""
        path = f"{self._root}/contacts"
        params = {
            "archived": "true",
            "limit": str(LIST_PAGE),
            "properties": ",".join(properties),
        }
        seen: set[str] = set()
        while True:
            answer = self._http.get_json(path, params)
            yield from _results(answer, path)
            after = at(answer, "paging.next.after")
            if not after:
                return
            if after in seen:
                raise PermanentError(
                    "HubSpot's paging repeats a cursor: the rows would never end.",
                    where=path,
                    fix="Try again; if it stays so, report it to HubSpot.",
                )
            seen.add(after)
            params["after"] = str(after)

    def contacts_of_deals(self, deals: Sequence[str]) -> dict[str, list[str]]:
        """Deal id to its contacts' ids, lowest first; a deal without contacts is missing."""
        path = "crm/v4/associations/deals/contacts/batch/read"
        answer = self._http.post_json(path, {"inputs": [{"id": deal} for deal in deals]})
        return {
            str(at(result, "from.id")): sorted(
                (str(to.get("toObjectId")) for to in result.get("to", ())),
                key=lambda text: (len(text), text),
            )
            for result in _results(answer, path)
        }


def _results(answer: Any, path: str) -> list[Object]:
    found = at(answer, "results")
    if not isinstance(found, list):
        raise RetriableError(
            "HubSpot's answer has no results.",
            where=path,
            fix="Try again; if it stays so, check base_url of the connection.",
        )
    return found


def _id(item: Object, path: str) -> int:
    text = str(item.get("id"))
    if not text.isdigit():
        raise PermanentError(
            "HubSpot sent an object without a number as its id.",
            where=path,
            fix="Compare the answer with HubSpot's reference of this API version.",
        )
    return int(text)


def _milliseconds(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1000))
