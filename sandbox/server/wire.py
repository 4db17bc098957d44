"""What a platform module gets and gives: one request, one response."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

#: The one token that every platform accepts.
TOKEN = "sandbox-token"


@dataclass(frozen=True)
class Request:
    """One parsed HTTP request. ``path`` has no platform prefix; header names are lower case.

    ``query`` keeps the last of repeated parameters, ``pairs`` all in order.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    base_url: str
    pairs: tuple[tuple[str, str], ...] = ()

    def bearer(self) -> str:
        """The bearer token, empty if there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: if it is none.
        """
        return json.loads(self.body or b"null")


@dataclass(frozen=True)
class Response:
    """Status, body and extra headers.

    Attributes:
        ending: ``cut`` closes the connection in the middle of the body, ``reset`` resets it
            instead of answering.
    """

    status: int
    body: bytes
    content_type: str = "application/json; charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)
    ending: str = ""


def as_json(value: Any, status: int = 200, **headers: str) -> Response:
    """A JSON response."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, body, headers={key.replace("_", "-"): headers[key] for key in headers})


class RefusedError(Exception):
    """A platform says no; carries the response in that platform's error shape."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"HTTP {response.status}")
        self.response = response
