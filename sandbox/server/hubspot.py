"""HubSpot's CRM API: search, batch read with history, lists with archived records, associations.

Wire facts: every property is a string or null; a search page holds at most 200 records and a search
refuses to page past 10,000; lists have no such end; history is newest first and halves what a list
or batch may hold; a merged-away id answers with its survivor; what a batch does not find comes as
errors beside the results (207). The numbered paths and the dated ones say the same.

Unlike the original it never slows anybody down by itself, and a merge keeps the survivor's id
(HubSpot makes a new record since 2025).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sandbox.server.hubspot_records import Record, Records
from sandbox.server.hubspot_search import (
    KNOWN,
    MAX_BODY_CHARACTERS,
    NUMBERS,
    TIMES,
    find,
    number,
    refuse,
)
from sandbox.server.tokens import TOKENS
from sandbox.server.wire import TOKEN, Request, Response, as_json
from sandbox.world import World

#: A token whose app was not granted the deals.
TOKEN_WITHOUT_DEALS = f"{TOKEN}-without-deals"
VERSIONS = ("v3", "2026-03", "2026-09")
_DATED = "|".join(VERSIONS[1:])
_OBJECTS = rf"/crm/(?:v3/objects|objects/(?:{_DATED}))/(contacts|deals)"
SEARCH = re.compile(rf"{_OBJECTS}/search")
BATCH = re.compile(rf"{_OBJECTS}/batch/read")
LIST = re.compile(_OBJECTS)
PROPERTIES = re.compile(rf"/crm/(?:v3/properties|properties/(?:{_DATED}))/(contacts|deals)")
ASSOCIATIONS = re.compile(
    rf"/crm/(?:v4/associations|associations/(?:{_DATED}))/(deals)/(contacts)/batch/read"
)
DEFAULTS = {
    "contacts": (
        "createdate",
        "email",
        "firstname",
        "hs_object_id",
        "lastmodifieddate",
        "lastname",
    ),
    "deals": (
        "amount",
        "closedate",
        "createdate",
        "dealname",
        "dealstage",
        "hs_lastmodifieddate",
        "hs_object_id",
        "pipeline",
    ),
}
#: Told whatever was asked for.
ALWAYS = {
    "contacts": ("createdate", "hs_object_id", "lastmodifieddate"),
    "deals": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
}
OPTIONS = {
    "lifecyclestage": ("lead", "opportunity", "customer"),
    "hs_lead_status": (
        "NEW",
        "OPEN",
        "ATTEMPTED_TO_CONTACT",
        "CONNECTED",
        "UNQUALIFIED",
        "BAD_TIMING",
    ),
    "consent_ad_user_data": ("granted", "denied"),
}


class HubSpot:
    """One HubSpot account over a world."""

    def __init__(self, world: World) -> None:
        self._records = Records(world)

    def answer(self, request: Request) -> Response:
        """Answer one call.

        Raises:
            RefusedError: with HubSpot's error body.
        """
        token = request.bearer()
        if not TOKENS.accepts(token) and token != TOKEN_WITHOUT_DEALS:
            raise refuse(
                "Authentication credentials not found. This API supports OAuth 2.0 "
                "authentication and you can find more details at "
                "https://developers.hubspot.com/docs/methods/auth/oauth-overview",
                401,
                "INVALID_AUTHENTICATION",
            )
        routes: tuple[tuple[str, re.Pattern[str], Callable[..., Response]], ...] = (
            ("POST", SEARCH, self._search),
            ("POST", BATCH, self._batch),
            ("POST", ASSOCIATIONS, self._associations),
            ("GET", LIST, self._list),
            ("GET", PROPERTIES, self._properties),
        )
        for method, pattern, handler in routes:
            found = pattern.fullmatch(request.path)
            if found and request.method == method:
                _granted(request, found[1])
                return _with_limits(handler(request, found[1]), is_search=pattern is SEARCH)
        raise refuse("resource not found", 404, "OBJECT_NOT_FOUND")

    def _search(self, request: Request, kind: str) -> Response:
        if len(request.body) > MAX_BODY_CHARACTERS:
            raise refuse(f"A search may have at most {MAX_BODY_CHARACTERS} characters")
        body = _body(request)
        found, after, limit = find(self._records.live(kind), body, kind)
        page = found[after : after + limit]
        made: dict[str, Any] = {
            "total": len(found),
            "results": [_shape(record, body.get("properties") or [], kind) for record in page],
        }
        if after + limit < len(found):
            made["paging"] = {"next": {"after": str(after + limit)}}
        return as_json(made)

    def _batch(self, request: Request, kind: str) -> Response:
        body = _body(request)
        inputs, history = body.get("inputs", []), body.get("propertiesWithHistory") or []
        most = 50 if history else 100
        if not isinstance(inputs, list) or not 1 <= len(inputs) <= most:
            raise refuse(f"The number of inputs must be between 1 and {most}")
        results, seen, missing = [], set(), []
        for item in inputs:
            record = self._records.get(kind, str(item.get("id", "")))
            if record is None:
                missing.append(str(item.get("id", "")))
            elif record.record_id not in seen:
                seen.add(record.record_id)
                results.append(_shape(record, body.get("properties") or [], kind, history))
        problem = {
            "category": "OBJECT_NOT_FOUND",
            "message": f"Could not get some {kind.upper()[:-1]} objects, they may be deleted or "
            "not exist. Check that ids are valid.",
            "context": {"ids": missing},
        }
        return self._many(results, [problem] if missing else [])

    def _many(self, results: list[Any], problems: list[dict[str, Any]]) -> Response:
        made: dict[str, Any] = {
            "status": "COMPLETE",
            "results": results,
            "startedAt": self._records.now,
            "completedAt": self._records.now,
        }
        if problems:
            made["numErrors"] = len(problems)
            made["errors"] = [
                {"status": "error", **problem, "errors": [], "links": {}} for problem in problems
            ]
        return as_json(made, 207 if problems else 200)

    def _list(self, request: Request, kind: str) -> Response:
        history = _names(request, "propertiesWithHistory")
        limit, most = number(request.query.get("limit", "10"), "limit"), 50 if history else 100
        if not 1 <= limit <= most:
            raise refuse(f"Invalid input: limit must be between 1 and {most}, was {limit}")
        archived = request.query.get("archived", "").lower() == "true"
        pool = self._records.archived(kind) if archived else self._records.live(kind)
        after = number(request.query.get("after") or "0", "after")
        rest = [record for record in pool if int(record.record_id) > after]
        rest.sort(key=lambda record: int(record.record_id))
        names, linked = _names(request, "properties"), _names(request, "associations")
        made: dict[str, Any] = {"results": []}
        for record in rest[:limit]:
            shaped = _shape(record, names, kind, history)
            contact = self._records.contact_of_deal(record.record_id)
            if kind == "deals" and "contacts" in linked and contact:
                told = {"id": contact, "type": "deal_to_contact"}
                shaped["associations"] = {"contacts": {"results": [told]}}
            made["results"].append(shaped)
        if len(rest) > limit:
            last = rest[limit - 1].record_id
            link = f"{request.base_url}{request.path}?after={last}"
            made["paging"] = {"next": {"after": last, "link": link}}
        return as_json(made)

    def _properties(self, request: Request, kind: str) -> Response:
        return as_json({"results": [_property(name, kind) for name in KNOWN[kind]]})

    def _associations(self, request: Request, kind: str) -> Response:
        inputs = _body(request).get("inputs", [])
        if not isinstance(inputs, list) or not 1 <= len(inputs) <= 1000:
            raise refuse("The number of inputs must be between 1 and 1000")
        results, missing = [], []
        for item in inputs:
            deal = str(item.get("id", ""))
            contact = self._records.contact_of_deal(deal)
            if contact is None:
                missing.append(deal)
                continue
            # The numbered version tells a number, the dated ones text.
            to_id: int | str = int(contact) if "/v4/" in request.path else contact
            label = {"category": "HUBSPOT_DEFINED", "typeId": 3, "label": None}
            results.append(
                {
                    "from": {"id": deal},
                    "to": [{"toObjectId": to_id, "associationTypes": [label]}],
                }
            )
        problems = [
            {
                "category": "OBJECT_NOT_FOUND",
                "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                "message": f"No contact is associated with deal {deal}.",
                "context": {
                    "fromObjectId": [deal],
                    "fromObjectType": ["deal"],
                    "toObjectType": ["contact"],
                },
            }
            for deal in missing
        ]
        return self._many(results, problems)


def _granted(request: Request, kind: str) -> None:
    if request.bearer() == TOKEN_WITHOUT_DEALS and kind == "deals":
        raise refuse(
            "This app hasn't been granted all required scopes to make this call. Read more about "
            "required scopes here: https://developers.hubspot.com/scopes.",
            403,
            "MISSING_SCOPES",
            errors=[
                {
                    "message": "One or more of the following scopes are required.",
                    "context": {"requiredGranularScopes": ["crm.objects.deals.read"]},
                }
            ],
            links={"scopes": "https://developers.hubspot.com/scopes"},
        )


def _with_limits(response: Response, *, is_search: bool) -> Response:
    """The headers of a private app in a professional account; searches have none."""
    if is_search:
        return response
    limits = {
        "X-HubSpot-RateLimit-Daily": "650000",
        "X-HubSpot-RateLimit-Daily-Remaining": "649999",
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        "X-HubSpot-RateLimit-Max": "190",
        "X-HubSpot-RateLimit-Remaining": "189",
    }
    return Response(
        response.status, response.body, response.content_type, {**response.headers, **limits}
    )


def _body(request: Request) -> dict[str, Any]:
    try:
        found = request.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise refuse("Invalid input JSON: a JSON object is expected")
    return found


def _names(request: Request, parameter: str) -> list[str]:
    """Comma-separated or repeated: HubSpot's own client repeats, its documentation separates."""
    told = ",".join(value for key, value in request.pairs if key == parameter)
    return [name for name in told.split(",") if name]


def _property(name: str, kind: str) -> dict[str, Any]:
    if name in TIMES:
        type_, field_type = "datetime", "date"
    elif name in NUMBERS:
        type_, field_type = "number", "number"
    elif name.startswith(("is_", "hs_is_")):
        type_, field_type = "bool", "booleancheckbox"
    elif name in OPTIONS:
        type_, field_type = "enumeration", "select"
    else:
        type_, field_type = "string", "text"
    return {
        "name": name,
        "label": name.replace("_", " "),
        "type": type_,
        "fieldType": field_type,
        "description": "",
        "groupName": f"{kind[:-1]}information",
        "options": [
            {
                "label": value.replace("_", " ").title(),
                "value": value,
                "displayOrder": order,
                "hidden": False,
            }
            for order, value in enumerate(OPTIONS.get(name, ()))
        ],
        "displayOrder": -1,
        "calculated": False,
        "externalOptions": False,
        "hasUniqueValue": False,
        "hidden": False,
        "hubspotDefined": name.startswith("hs_"),
        "formField": True,
        "modificationMetadata": {
            "archivable": True,
            "readOnlyDefinition": False,
            "readOnlyValue": False,
        },
    }


def _shape(
    record: Record, asked: list[str], kind: str, history: list[str] | None = None
) -> dict[str, Any]:
    """A record with the asked properties; one without a value, known or not, is null."""
    names = dict.fromkeys((*ALWAYS[kind], *(asked or DEFAULTS[kind])))
    made: dict[str, Any] = {
        "id": record.record_id,
        "properties": {name: record.properties.get(name) for name in names},
        "createdAt": record.created_at,
        "updatedAt": record.updated_at,
        "archived": bool(record.archived_at),
    }
    if history:
        made["propertiesWithHistory"] = {name: record.history.get(name, []) for name in history}
    if record.archived_at:
        made["archivedAt"] = record.archived_at
    return made
