"""What Meta's answers have in common: errors, lists, pages."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sandbox.server.wire import TOKEN, RefusedError, Request, Response, as_json

TRACE = "AsandboxTrace0"


def error(
    status: int,
    code: int,
    message: str,
    kind: str = "OAuthException",
    *,
    subcode: int | None = None,
    is_transient: bool = False,
) -> Response:
    """An error in the Graph API's shape."""
    body: dict[str, Any] = {"message": message, "type": kind, "code": code}
    if subcode is not None:
        body |= {"error_subcode": subcode, "is_transient": is_transient}
    headers = {"x_fb_trace_id": TRACE}
    if code == 190:
        headers["WWW_Authenticate"] = 'OAuth "Facebook Platform" "invalid_token"'
    return as_json({"error": {**body, "fbtrace_id": TRACE}}, status, **headers)


def bad(message: str) -> RefusedError:
    """Code 100: a parameter that Meta does not take."""
    return RefusedError(error(400, 100, f"(#100) {message}"))


def not_there(name: str) -> RefusedError:
    """Code 100/33: no such object, or none that the token sees."""
    return RefusedError(
        error(
            400,
            100,
            f"Unsupported get request. Object with ID '{name}' does not exist, cannot be loaded "
            "due to missing permissions, or does not support this operation.",
            "GraphMethodException",
            subcode=33,
        )
    )


def params(request: Request) -> dict[str, str]:
    """Parameters of the address and of the body, which is a form or JSON.

    Raises:
        RefusedError: the body is neither.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    found = dict(request.query)
    if not request.body:
        return found
    if kind == "application/json":
        try:
            body = request.json()
        except ValueError:
            raise bad("The request body is no JSON") from None
        if not isinstance(body, Mapping):
            raise bad("The request body must be an object")
        for name, value in body.items():
            found[name] = value if isinstance(value, str) else json.dumps(value)
    elif kind == "application/x-www-form-urlencoded":
        found |= dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    else:
        raise bad(f"Content-Type {kind or 'none'} is not supported in this sandbox")
    return found


def listed(text: str, name: str) -> list[str]:
    """An array as JSON or as text with commas.

    Raises:
        RefusedError: it is neither.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = text.split(",")
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise bad(f"{name} must be an array")
    return found


def page(
    request: Request,
    asked: Mapping[str, str],
    rows: list[Any],
    summary: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One page: 25 rows unless told otherwise, cursors, and the next address with the token in it.

    Args:
        summary: Totals of all rows, where they were asked for.

    Raises:
        RefusedError: a limit or cursor that Meta does not take.
    """
    limit, after = asked.get("limit", "25"), asked.get("after", "")
    if not limit.isdigit() or not 1 <= int(limit) <= 5000:
        raise bad("param limit must be between 1 and 5000")
    try:
        start = int(urlsafe_b64decode(after)) if after else 0
    except ValueError:
        raise bad("Invalid cursors values") from None
    found = rows[start : start + int(limit)]
    made: dict[str, Any] = {"data": found}
    if found:
        made["paging"] = {
            "cursors": {"before": _cursor(start), "after": _cursor(start + len(found))}
        }
        if start + len(found) < len(rows):
            # As at Meta, the address carries the token: clients must not log it.
            query = {"access_token": TOKEN, **asked, "after": _cursor(start + len(found))}
            made["paging"]["next"] = f"{request.base_url}{request.path}?{urlencode(query)}"
    return made if summary is None else {**made, "summary": summary}


def _cursor(place: int) -> str:
    return urlsafe_b64encode(str(place).encode()).decode()
