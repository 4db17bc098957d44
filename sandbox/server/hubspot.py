"""HubSpot's CRM API: search, batch read with history, lists with archived records, associations.

Wire facts: every property is a string or null; a search page holds at most 200 records and a search
refuses to page past 10,000; history is newest first; a merged-away id answers with its survivor.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sandbox.server.hubspot_records import CONTACT_PROPERTIES, DEAL_PROPERTIES, Record, Records
from sandbox.server.tokens import TOKENS
from sandbox.server.wire import RefusedError, Request, Response, as_json
from sandbox.world import World

SEARCH = re.compile(r"/crm/v3/objects/(contacts|deals)/search")
BATCH = re.compile(r"/crm/v3/objects/(contacts|deals)/batch/read")
LIST = re.compile(r"/crm/v3/objects/(contacts|deals)")
PROPERTIES = re.compile(r"/crm/v3/properties/(contacts|deals)")
ASSOCIATIONS = re.compile(r"/crm/v4/associations/(deals)/(contacts)/batch/read")
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
MAX_RESULTS = 10_000
TIMES = {"createdate", "lastmodifieddate", "hs_lastmodifieddate", "closedate"}


def refuse(message: str, status: int = 400, category: str = "VALIDATION_ERROR") -> RefusedError:
    """An error in HubSpot's shape."""
    return RefusedError(
        as_json(
            {
                "status": "error",
                "message": message,
                "category": category,
                "correlationId": "5a9d0b0e-0000-4000-8000-000000000000",
            },
            status,
        )
    )


class HubSpot:
    """One HubSpot account over a world."""

    def __init__(self, world: World) -> None:
        self._records = Records(world)

    def answer(self, request: Request) -> Response:
        """Answer one call.

        Raises:
            RefusedError: with HubSpot's error body.
        """
        if not TOKENS.accepts(request.bearer()):
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
                return handler(request, found[1])
        raise refuse("resource not found", 404, "OBJECT_NOT_FOUND")

    def _search(self, request: Request, kind: str) -> Response:
        body = _body(request)
        limit, after = (
            _number(body.get("limit", 10), "limit"),
            _number(body.get("after", 0), "after"),
        )
        if not 1 <= limit <= 200:
            raise refuse(f"Invalid input JSON: limit must be between 1 and 200, was {limit}")
        if after + limit > MAX_RESULTS:
            raise refuse(
                f"The maximum number of results that can be paged is {MAX_RESULTS}. "
                f"after {after} with limit {limit} is past it"
            )
        groups = body.get("filterGroups", [])
        if len(groups) > 5 or sum(len(group.get("filters", [])) for group in groups) > 18:
            raise refuse("At most 5 filterGroups with 18 filters in total are allowed")
        found = [
            record
            for record in self._records.live(kind)
            if not groups or any(_holds(record, group, kind) for group in groups)
        ]
        _sort(found, body.get("sorts", []), kind)
        page = found[after : after + limit]
        made: dict[str, Any] = {
            "total": len(found),
            "results": [_shape(record, body.get("properties", []), kind) for record in page],
        }
        if after + limit < len(found):
            made["paging"] = {"next": {"after": str(after + limit)}}
        return as_json(made)

    def _batch(self, request: Request, kind: str) -> Response:
        body = _body(request)
        inputs, history = body.get("inputs", []), body.get("propertiesWithHistory", [])
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
                shaped = _shape(record, body.get("properties", []), kind)
                if history:
                    shaped["propertiesWithHistory"] = {
                        name: record.history.get(name, []) for name in history
                    }
                results.append(shaped)
        made: dict[str, Any] = {
            "status": "COMPLETE",
            "results": results,
            "startedAt": self._records.now,
            "completedAt": self._records.now,
        }
        if missing:
            made |= {
                "numErrors": 1,
                "errors": [
                    {
                        "status": "error",
                        "category": "OBJECT_NOT_FOUND",
                        "message": "Could not get some objects, they may be deleted or not exist.",
                        "context": {"ids": missing},
                    }
                ],
            }
        return as_json(made, 207 if missing else 200)

    def _list(self, request: Request, kind: str) -> Response:
        limit = _number(request.query.get("limit", "10"), "limit")
        if not 1 <= limit <= 100:
            raise refuse(f"Invalid input: limit must be between 1 and 100, was {limit}")
        archived = request.query.get("archived", "false") == "true"
        pool = self._records.archived(kind) if archived else self._records.live(kind)
        after = _number(request.query.get("after", "0"), "after")
        rest = [record for record in pool if int(record.record_id) > after]
        rest.sort(key=lambda record: int(record.record_id))
        names = [name for name in request.query.get("properties", "").split(",") if name]
        made: dict[str, Any] = {"results": [_shape(item, names, kind) for item in rest[:limit]]}
        if len(rest) > limit:
            made["paging"] = {"next": {"after": rest[limit - 1].record_id}}
        return as_json(made)

    def _properties(self, request: Request, kind: str) -> Response:
        known = CONTACT_PROPERTIES if kind == "contacts" else DEAL_PROPERTIES
        return as_json(
            {
                "results": [
                    {
                        "name": name,
                        "label": name.replace("_", " "),
                        "groupName": "sandbox",
                        "type": "datetime" if name in TIMES else "string",
                    }
                    for name in known
                ]
            }
        )

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
            results.append(
                {
                    "from": {"id": deal},
                    "to": [
                        {
                            "toObjectId": int(contact),
                            "associationTypes": [
                                {"category": "HUBSPOT_DEFINED", "typeId": 3, "label": None}
                            ],
                        }
                    ],
                }
            )
        made: dict[str, Any] = {
            "status": "COMPLETE",
            "results": results,
            "startedAt": self._records.now,
            "completedAt": self._records.now,
        }
        if missing:
            made |= {
                "numErrors": len(missing),
                "errors": [
                    {
                        "status": "error",
                        "category": "OBJECT_NOT_FOUND",
                        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                        "message": "No contact is associated with deal",
                        "context": {"fromObjectId": [deal]},
                    }
                    for deal in missing
                ],
            }
        return as_json(made, 207 if missing else 200)


def _body(request: Request) -> dict[str, Any]:
    try:
        found = request.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise refuse("Invalid input JSON: a JSON object is expected")
    return found


def _number(value: Any, name: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise refuse(f"Invalid input JSON: {name} must be a whole number") from None


def _comparable(name: str, value: Any) -> Any:
    """Times as epoch milliseconds, ids and amounts as numbers, the rest as text."""
    if name in TIMES:
        return Records.milliseconds(str(value))
    if name in ("hs_object_id", "amount"):
        return float(value)
    return str(value).lower()


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda left, right: left == right,
    "NEQ": lambda left, right: left != right,
    "GT": lambda left, right: left > right,
    "GTE": lambda left, right: left >= right,
    "LT": lambda left, right: left < right,
    "LTE": lambda left, right: left <= right,
}


def _holds(record: Record, group: dict[str, Any], kind: str) -> bool:
    return all(_filter(record, part, kind) for part in group.get("filters", []))


def _filter(record: Record, part: dict[str, Any], kind: str) -> bool:
    name, operator = str(part.get("propertyName", "")), str(part.get("operator", ""))
    _known(name, kind)
    value = record.properties.get(name)
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return bool(value) == (operator == "HAS_PROPERTY")
    try:
        if operator == "IN":
            wanted = [_comparable(name, item) for item in part.get("values", [])]
            return bool(value) and _comparable(name, value) in wanted
        if operator == "BETWEEN":
            low, high = _comparable(name, part["value"]), _comparable(name, part["highValue"])
            return bool(value) and low <= _comparable(name, value) <= high
        if operator in COMPARE:
            wanted_value = _comparable(name, part["value"])
            return bool(value) and COMPARE[operator](_comparable(name, value), wanted_value)
    except (ValueError, KeyError):
        raise refuse(f"Invalid input JSON: bad value for {name} with {operator}") from None
    raise refuse(f"Invalid input JSON: operator {operator or '(none)'} is not known")


def _known(name: str, kind: str) -> None:
    if name not in (CONTACT_PROPERTIES if kind == "contacts" else DEAL_PROPERTIES):
        raise refuse(f"There was a problem with the request: property '{name}' does not exist")


def _sort(found: list[Record], sorts: list[Any], kind: str) -> None:
    if len(sorts) > 1:
        raise refuse("Only one sort is allowed")
    name, down = "hs_object_id", False
    if sorts:
        spec = sorts[0] if isinstance(sorts[0], dict) else {"propertyName": str(sorts[0])}
        name = str(spec.get("propertyName", ""))
        down = spec.get("direction", "ASCENDING") == "DESCENDING"
        _known(name, kind)
    found.sort(key=lambda record: int(record.record_id))
    found.sort(
        key=lambda record: _comparable(name, record.properties.get(name) or "0"), reverse=down
    )


def _shape(record: Record, asked: list[str], kind: str) -> dict[str, Any]:
    """A record with the asked properties; one without a value, known or not, is null."""
    names = dict.fromkeys((*DEFAULTS[kind], *asked))
    made: dict[str, Any] = {
        "id": record.record_id,
        "properties": {name: record.properties.get(name) for name in names},
        "createdAt": record.created_at,
        "updatedAt": record.updated_at,
        "archived": bool(record.archived_at),
    }
    if record.archived_at:
        made["archivedAt"] = record.archived_at
    return made
