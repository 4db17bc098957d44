"""HubSpot's search: filter groups, one sort, pages of 200, nothing past 10,000 results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.server.hubspot_records import (
    API_CONTACT_PROPERTIES,
    API_DEAL_PROPERTIES,
    Record,
    Records,
)
from sandbox.server.wire import RefusedError, as_json

KNOWN = {"contacts": API_CONTACT_PROPERTIES, "deals": API_DEAL_PROPERTIES}
TIMES = {"createdate", "lastmodifieddate", "hs_lastmodifieddate", "closedate"}
NUMBERS = {
    "hs_object_id",
    "amount",
    "contact_attempts",
    *(name for name in API_CONTACT_PROPERTIES if name.startswith("score_")),
}
MAX_RESULTS = 10_000
MAX_GROUPS, MAX_FILTERS_OF_GROUP, MAX_FILTERS = 5, 6, 18
MAX_BODY_CHARACTERS = 3000
CORRELATION_ID = "5a9d0b0e-0000-4000-8000-000000000000"


def refuse(
    message: str, status: int = 400, category: str = "VALIDATION_ERROR", **more: Any
) -> RefusedError:
    """An error in HubSpot's shape."""
    return RefusedError(
        as_json(
            {
                "status": "error",
                "message": message,
                "correlationId": CORRELATION_ID,
                **more,
                "category": category,
            },
            status,
        )
    )


def find(records: list[Record], body: dict[str, Any], kind: str) -> tuple[list[Record], int, int]:
    """All that match, in order, and which page of them was asked for (after, limit).

    Raises:
        RefusedError: the request goes over one of the search's limits, or names what is not there.
    """
    limit, after = number(body.get("limit", 10), "limit"), number(body.get("after") or 0, "after")
    if not 1 <= limit <= 200:
        raise refuse(f"Invalid input JSON: limit must be between 1 and 200, was {limit}")
    if after < 0 or after + limit > MAX_RESULTS:
        raise refuse(
            f"The maximum number of results that can be paged is {MAX_RESULTS}. "
            f"after {after} with limit {limit} is past it"
        )
    groups = body.get("filterGroups") or []
    counts = [len(group.get("filters") or []) for group in groups]
    if (
        len(groups) > MAX_GROUPS
        or max(counts, default=0) > MAX_FILTERS_OF_GROUP
        or sum(counts) > MAX_FILTERS
    ):
        raise refuse(
            f"At most {MAX_GROUPS} filterGroups of {MAX_FILTERS_OF_GROUP} filters, "
            f"{MAX_FILTERS} filters in total, are allowed"
        )
    found = [
        record
        for record in records
        if not groups or any(_holds(record, group, kind) for group in groups)
    ]
    _sort(found, body.get("sorts") or [], kind)
    return found, after, limit


def number(value: Any, name: str) -> int:
    """A whole number.

    Raises:
        RefusedError: it is none.
    """
    try:
        return int(str(value))
    except ValueError:
        raise refuse(f"Invalid input JSON: {name} must be a whole number") from None


def known(name: str, kind: str) -> None:
    """Refuse a property that the account does not have.

    Raises:
        RefusedError: it does not.
    """
    if name not in KNOWN[kind]:
        raise refuse(
            f"There was a problem with the request: property '{name}' does not exist",
            errors=[
                {
                    "message": f"Property '{name}' does not exist",
                    "code": "PROPERTY_DOESNT_EXIST",
                    "context": {"propertyName": [name]},
                }
            ],
        )


def _comparable(name: str, value: Any) -> Any:
    """Times as epoch milliseconds, numbers as such, the rest as text."""
    if name in TIMES:
        return Records.milliseconds(str(value))
    if name in NUMBERS:
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
    return all(_filter(record, part, kind) for part in group.get("filters") or [])


def _filter(record: Record, part: dict[str, Any], kind: str) -> bool:
    name, operator = str(part.get("propertyName", "")), str(part.get("operator", ""))
    known(name, kind)
    value = record.properties.get(name)
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return bool(value) == (operator == "HAS_PROPERTY")
    try:
        if operator in ("IN", "NOT_IN"):
            wanted = [_comparable(name, item) for item in part.get("values", [])]
            return bool(value) and (_comparable(name, value) in wanted) == (operator == "IN")
        if operator == "BETWEEN":
            low, high = _comparable(name, part["value"]), _comparable(name, part["highValue"])
            return bool(value) and low <= _comparable(name, value) <= high
        if operator in COMPARE:
            wanted_value = _comparable(name, part["value"])
            return bool(value) and COMPARE[operator](_comparable(name, value), wanted_value)
    except (ValueError, KeyError):
        raise refuse(f"Invalid input JSON: bad value for {name} with {operator}") from None
    raise refuse(f"Invalid input JSON: operator {operator or '(none)'} is not known")


def _sort(found: list[Record], sorts: list[Any], kind: str) -> None:
    if len(sorts) > 1:
        raise refuse("Only one sort is allowed")
    name, down = "hs_object_id", False
    if sorts:
        spec = sorts[0] if isinstance(sorts[0], dict) else {"propertyName": str(sorts[0])}
        name = str(spec.get("propertyName", ""))
        down = spec.get("direction", "ASCENDING") == "DESCENDING"
        known(name, kind)
    found.sort(key=lambda record: int(record.record_id))
    found.sort(
        key=lambda record: _comparable(name, record.properties.get(name) or "0"), reverse=down
    )
