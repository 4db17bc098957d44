"""HubSpot's CRM API: changed objects, lists, their history, archived ones and associations."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from trueline.connections import Connection
from trueline.errors import PermanentError, RetriableError
from trueline.progress import Progress
from trueline.sources.collect import at
from trueline.sources.http import Check, HttpClient, Refusal
from trueline.sources.hubspot.constants import (
    DEFAULT_URL,
    HISTORY_PAGE,
    LIST_PAGE,
    SEARCH_PAGE,
)
from trueline.sources.hubspot.errors import explain, refuse_partial
from trueline.sources.hubspot.pace import Pace
from trueline.sources.settings import HubSpotSettings

Object = Mapping[str, Any]
log = logging.getLogger(__name__)


class HubSpotClient:
    """Reads of the CRM API, paced.

    Args:
        progress: Hears of every page.
        pace: Replaced in tests.
    """

    def __init__(
        self,
        settings: HubSpotSettings,
        connection: Connection,
        *,
        progress: Progress,
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._http = HttpClient(
            connection, default_url=DEFAULT_URL, explain=explain, on_headers=self._pace.heard
        )
        self._name, self._progress = connection.name, progress
        version = settings.api_version
        if version.startswith("v"):
            self._objects = f"crm/{version}/objects"
            self._properties = f"crm/{version}/properties"
            # Associations went to v4 alone; the dated versions are one family again.
            self._associations = "crm/v4/associations"
        else:
            self._objects = f"crm/objects/{version}"
            self._properties = f"crm/properties/{version}"
            self._associations = f"crm/associations/{version}"

    def property_types(self) -> dict[str, str]:
        """Every contact property of the portal, name to type (``string``, ``number`` ...)."""
        path = f"{self._properties}/contacts"
        found = self._get(path, {})["results"]
        return {str(each.get("name")): str(each.get("type")) for each in found}

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
        path, last, rows, number = f"{self._objects}/{kind}/search", 0, 0, 0
        while True:
            filters = [
                {"propertyName": modified, "operator": "GTE", "value": _milliseconds(first)},
                {"propertyName": modified, "operator": "LT", "value": _milliseconds(before)},
                {"propertyName": "hs_object_id", "operator": "GT", "value": str(last)},
            ]
            body = {
                "filterGroups": [{"filters": filters}],
                "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                "properties": list(properties),
                "limit": SEARCH_PAGE,
            }
            answer = self._post(path, body, is_search=True)
            page = answer["results"]
            ids = [_id(item, path) for item in page]
            if ids != sorted(set(ids)) or (ids and ids[0] <= last):
                raise RetriableError(
                    "HubSpot's paging repeats itself or is out of order: rows would be lost or "
                    "never end.",
                    where=path,
                    fix="Try again; if it stays so, report it to HubSpot.",
                )
            yield from page
            number, rows = number + 1, rows + len(page)
            self._progress.at(report=kind, page=number, rows=rows)
            if not page or not _more(answer, len(page)):
                return
            last = ids[-1]

    def listed(
        self,
        kind: str,
        properties: Sequence[str],
        *,
        history: Sequence[str] = (),
        is_archived: bool = False,
    ) -> Iterator[Object]:
        """All objects, or all in the recycle bin; the list has no limit and no index that lags."""
        path = f"{self._objects}/{kind}"
        params = {
            "archived": str(is_archived).lower(),
            "limit": str(HISTORY_PAGE if history else LIST_PAGE),
            "properties": ",".join(properties),
        }
        if history:
            params["propertiesWithHistory"] = ",".join(history)
        seen: set[str] = set()
        report, rows = f"archived {kind}" if is_archived else kind, 0
        while True:
            answer = self._get(path, params)
            page = answer["results"]
            yield from page
            rows += len(page)
            self._progress.at(report=report, page=len(seen) + 1, rows=rows)
            after = at(answer, "paging.next.after")
            if not after:
                return
            if after in seen:
                raise RetriableError(
                    "HubSpot's paging repeats a cursor: the rows would never end.",
                    where=path,
                    fix="Try again; if it stays so, report it to HubSpot.",
                )
            seen.add(after)
            params["after"] = str(after)

    def read(
        self,
        kind: str,
        ids: Sequence[str],
        properties: Sequence[str],
        history: Sequence[str] = (),
    ) -> tuple[list[Object], int]:
        """At most 100 live objects by id, 50 with history, and how many HubSpot says are gone; the
        id of a merged one gives its survivor."""
        path = f"{self._objects}/{kind}/batch/read"
        body = {
            "inputs": [{"id": each} for each in ids],
            "properties": list(properties),
            "propertiesWithHistory": list(history),
        }
        answer = self._post(path, body)
        return list(answer["results"]), refuse_partial(answer, path)

    def contacts_of_deals(self, deals: Sequence[str]) -> dict[str, list[str]]:
        """Deal id to its contacts' ids, lowest first; a deal without contacts is missing."""
        path = f"{self._associations}/deals/contacts/batch/read"
        found: dict[str, set[str]] = {}
        inputs = [{"id": deal} for deal in deals]
        while inputs:
            answer = self._post(path, {"inputs": inputs})
            results = answer["results"]
            lonely = refuse_partial(answer, path)
            if lonely:
                log.info("%s: %d deals have no contact", self._name, lonely)
            inputs = []
            for result in results:
                deal = str(at(result, "from.id"))
                told = {str(to.get("toObjectId")) for to in result.get("to") or ()}
                # A page that tells nothing new would be told for ever.
                is_new = not told <= found.get(deal, set())
                found.setdefault(deal, set()).update(told)
                after = at(result, "paging.next.after")
                if after and is_new:
                    inputs.append({"id": deal, "after": str(after)})
        return {
            deal: sorted(contacts, key=lambda text: (len(text), text))
            for deal, contacts in found.items()
        }

    def _get(self, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        self._pace.before_call()
        found: Mapping[str, Any] = self._http.get_json(path, params, check=self._checked(path))
        return found

    def _post(self, path: str, body: Any, *, is_search: bool = False) -> Mapping[str, Any]:
        self._pace.before_call(is_search=is_search)
        found: Mapping[str, Any] = self._http.post_json(path, body, check=self._checked(path))
        return found

    def _checked(self, path: str) -> Check:
        """What makes an answer one: a list of results, and some of them where some are counted."""

        def check(answer: Any) -> None:
            found = at(answer, "results")
            if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
                if at(answer, "status") == "error":
                    # An error inside a success.
                    raise self._http.error_for(Refusal(200, f"{self._name} {path}", answer, None))
                raise RetriableError(
                    "HubSpot's answer has no results.",
                    where=path,
                    fix="Try again; if it stays so, check base_url of the connection.",
                )
            total = at(answer, "total")
            if not found and isinstance(total, int) and total > 0:
                raise RetriableError(
                    f"HubSpot counts {total:,} records and sends none of them.",
                    where=path,
                    fix="Try again; if it stays so, report it to HubSpot.",
                )

        return check


def _more(answer: Any, rows: int) -> bool:
    """Whether the search has more than this page; a short page alone proves nothing."""
    total = at(answer, "total")
    if isinstance(total, int) and total > rows:
        return True
    return bool(at(answer, "paging.next.after")) or rows >= SEARCH_PAGE


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
