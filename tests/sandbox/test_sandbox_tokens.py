"""The token endpoints refuse what the originals refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.server.tokens import (
    CLIENT_ID,
    CLIENT_SECRET,
    ENDPOINTS,
    REFRESH_TOKEN,
    TOKENS,
    answer_token,
    control_tokens,
)
from sandbox.server.wire import Request

FORM = f"client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&refresh_token={REFRESH_TOKEN}"
KIND = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def _first_day() -> Iterator[None]:
    TOKENS.reset()
    yield
    TOKENS.reset()


def ask(path: str, body: str, kind: str = KIND, method: str = "POST") -> tuple[int, Any]:
    request = Request(method, path, {}, {"content-type": kind}, body.encode(), "http://sandbox")
    answered = answer_token(request)
    assert answered is not None
    return answered.status, json.loads(answered.body)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_form_with_the_grant_gives_a_token_that_expires(path: str) -> None:
    status, answer = ask(path, f"grant_type=refresh_token&{FORM}")
    assert status == 200
    assert TOKENS.accepts(answer["access_token"])
    TOKENS.expire()
    assert not TOKENS.accepts(answer["access_token"])
    assert ask(path, f"grant_type=refresh_token&{FORM}")[0] == 200


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (f"grant_type=password&{FORM}", KIND),
        (f"grant_type=refresh_token&{FORM}x", KIND),
        (f"grant_type=refresh_token&{FORM}".replace(CLIENT_SECRET, "guess"), KIND),
        (f"grant_type=refresh_token&{FORM}".replace(CLIENT_ID, "guess"), KIND),
        (json.dumps({"grant_type": "refresh_token"}), "application/json"),
    ],
)
def test_what_is_not_the_grant_gives_none(path: str, body: str, kind: str) -> None:
    status, answer = ask(path, body, kind)
    assert status in (400, 401)
    assert answer["error"]
    assert "access_token" not in answer
    assert TOKENS.issued == 0


def test_tokens_can_be_told_how_to_behave() -> None:
    def control(method: str, body: Any = None) -> Any:
        text = json.dumps(body).encode() if body else b""
        request = Request(method, "/__tokens", {}, {}, text, "http://sandbox")
        return json.loads(control_tokens(request).body)

    path = "/salesforce/services/oauth2/token"
    assert control("POST", {"rotates": True, "lifetime_seconds": 1e-9})["rotates"]
    _, answer = ask(path, f"grant_type=refresh_token&{FORM}")
    assert answer["refresh_token"] != REFRESH_TOKEN
    assert not TOKENS.accepts(answer["access_token"])
    assert control("GET")["issued"] == 1
    control("POST", {"revoke": True})
    fresh = FORM.replace(REFRESH_TOKEN, answer["refresh_token"])
    assert ask(path, f"grant_type=refresh_token&{fresh}")[1]["error"] == "invalid_grant"
    assert control("DELETE") == {"issued": 0, "lifetime_seconds": None, "rotates": False}
