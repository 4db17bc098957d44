"""One call of a platform's token endpoint, and what its refusals mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from trueline.errors import ConfigurationError, RetriableError, TruelineError
from trueline.redaction import redact

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# Codes by which a server says that it is not our fault.
_LATER = frozenset({"server_error", "temporarily_unavailable", "internal_failure", "slow_down"})
# Salesforce lets one renewal through at a time and calls the other an invalid grant.
_BUSY = "already being processed"
_GONE = frozenset({"invalid_grant", "bad_refresh_token"})
_LONGEST_DESCRIPTION = 160


def ask_for_token(
    url: str, form: Mapping[str, str], *, connection: str, anew: str
) -> Mapping[str, Any]:
    """POST the form, once; the answer has an ``access_token``.

    Args:
        url: The token endpoint.
        form: Form fields; they go into the body only, never into the address.
        connection: The connection's name, for messages.
        anew: What to do when the grant is gone.

    Raises:
        ConfigurationError: the grant was revoked or expired, or the client is not accepted.
        RetriableError: throttled, out of order, not reached, or the answer is no JSON.
    """
    parts = urlsplit(url)
    where = f"{connection} POST {parts.hostname}{parts.path}"
    with requests.Session() as session:
        session.trust_env = parts.hostname not in LOOPBACK
        # Without a say of ours, requests would put a password of ~/.netrc into the header.
        session.auth = _nothing
        try:
            response = session.post(
                url,
                data=form,
                headers={"Accept": "application/json", "User-Agent": "trueline"},
                allow_redirects=False,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
            body = response.json()
        except requests.JSONDecodeError:
            body = None
        # The exception's own text holds the address.
        except requests.RequestException as error:
            raise RetriableError(
                f"The token endpoint cannot be reached ({type(error).__name__}).",
                where=where,
                fix=f"Check the network and token_url of the connection {connection!r}.",
            ) from None
    answer = body if isinstance(body, Mapping) else {}
    if response.ok and isinstance(answer.get("access_token"), str) and answer["access_token"]:
        return answer
    refused = refusal(response.status_code, answer, form.values(), where, connection, anew)
    if isinstance(refused, RetriableError):
        asked = response.headers.get("Retry-After", "").strip()
        refused.retry_after_seconds = float(asked) if asked.isdigit() else None
    raise refused


def refusal(
    status: int,
    answer: Mapping[str, Any],
    sent: Any,
    where: str,
    connection: str,
    anew: str,
) -> TruelineError:
    """The error of an answer without a token; no value that was sent is repeated in it."""
    code = _code(answer)
    described = _described(answer, sent)
    said = f"{code}: {described}" if code and described else code or described
    told = f" ({said})" if said else ""
    is_busy = _BUSY in described.lower()
    if status in (408, 429) or status >= 500 or code in _LATER or is_busy:
        return RetriableError(
            f"The token endpoint asks for a pause or is out of order (HTTP {status}){told}.",
            where=where,
            fix="Try again later; the credential itself was not refused.",
        )
    if 200 <= status < 300:
        return RetriableError(
            f"The token endpoint answered without a token (HTTP {status}){told}.",
            where=where,
            fix=f"Check token_url of the connection {connection!r}, and whether a proxy or a "
            "login page answers in its place.",
        )
    if code in _GONE:
        return ConfigurationError(
            f"The grant of the connection {connection!r} was revoked or has expired{told}.",
            where=where,
            fix=anew,
        )
    return ConfigurationError(
        f"The token endpoint refuses the connection {connection!r} (HTTP {status}){told}.",
        where=where,
        fix="Check client_id, client_secret and token_url: they must be of the same app, and the "
        f"app must allow this way in. If they are right: {anew[0].lower()}{anew[1:]}",
    )


def _code(answer: Mapping[str, Any]) -> str:
    """``error`` of OAuth, or ``status`` as HubSpot had it before."""
    for name in ("error", "status"):
        found = answer.get(name)
        if isinstance(found, str) and re.fullmatch(r"[A-Za-z0-9_.\-]{3,60}", found):
            return found.lower()
    return ""


def _described(answer: Mapping[str, Any], sent: Any) -> str:
    found = answer.get("error_description") or answer.get("message")
    if not isinstance(found, str):
        return ""
    for value in sent:
        if len(value) > 3:
            found = found.replace(value, "[secret]")
    clean = "".join(char for char in redact(found) if char.isprintable())
    return clean[:_LONGEST_DESCRIPTION].rstrip(". ")


def _nothing(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
