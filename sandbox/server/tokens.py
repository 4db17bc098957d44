"""The platforms' token endpoints: tokens that expire, and refresh tokens that may rotate.

Wire facts: requests are forms, never JSON; Google answers without a refresh token, HubSpot repeats
it, Salesforce names the address of the calls and no expiry. With rotation, a refresh token that was
used once before ends the whole grant, as Salesforce does.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from sandbox.server.wire import TOKEN, RefusedError, Request, Response, as_json

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-client-secret"
REFRESH_TOKEN = "sandbox-refresh-token"
HUBSPOT_PORTAL = 4321567
GOOGLE_SCOPE = "https://www.googleapis.com/auth/adwords"
GOOGLE_ENDPOINT = "https://oauth2.googleapis.com/token"
HUBSPOT_SCOPES = ["oauth", "crm.objects.contacts.read", "crm.objects.deals.read"]
ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
Form = dict[str, str]


class Tokens:
    """All tokens of this process's platforms.

    Attributes:
        lifetime_seconds: Of the tokens issued from now on; None is each platform's own.
        rotates: Whether Salesforce replaces the refresh token at each use.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.lifetime_seconds: float | None = None
        self.rotates = False
        self.reset()

    def reset(self) -> None:
        """As on the first day: nothing issued, the grant is whole."""
        with self._lock:
            self.lifetime_seconds, self.rotates = None, False
            self.issued = 0
            self._valid_until: dict[str, float] = {}
            self._refresh: str | None = REFRESH_TOKEN

    def accepts(self, token: str) -> bool:
        """Whether a platform lets the bearer in: the static token, or an issued one in time."""
        with self._lock:
            return token == TOKEN or time.monotonic() < self._valid_until.get(token, 0.0)

    def expire(self) -> None:
        """End every issued token; the grant stays."""
        with self._lock:
            self._valid_until.clear()

    def revoke(self) -> None:
        """End the grant and every token."""
        with self._lock:
            self._valid_until.clear()
            self._refresh = None

    def issue(self, prefix: str, seconds: float) -> tuple[str, float]:
        """A new access token and its lifetime."""
        with self._lock:
            lifetime = self.lifetime_seconds or seconds
            token = f"{prefix}{secrets.token_urlsafe(24)}"
            self._valid_until[token] = time.monotonic() + lifetime
            self.issued += 1
            return token, lifetime

    def used(self, refresh_token: str) -> str | None:
        """Take a refresh token; the one that is valid from now on, None for a wrong one."""
        with self._lock:
            if refresh_token != self._refresh:
                if self.rotates:
                    self._valid_until.clear()
                    self._refresh = None
                return None
            if self.rotates:
                self._refresh = f"5Aep{secrets.token_urlsafe(24)}"
            return self._refresh


TOKENS = Tokens()


def answer_token(request: Request) -> Response | None:
    """Answer a token endpoint; None where the path is none."""
    endpoint = ENDPOINTS.get(request.path)
    if endpoint is None:
        return None
    kind = request.headers.get("content-type", "").partition(";")[0]
    is_form = request.method == "POST" and kind == "application/x-www-form-urlencoded"
    fields = parse_qs(request.body.decode("ascii", "replace")) if is_form else {}
    try:
        return endpoint(request, {name: values[0] for name, values in fields.items()})
    except RefusedError as refused:
        return refused.response


def control_tokens(request: Request) -> Response:
    """``GET`` tells, ``DELETE`` makes everything as on the first day, ``POST`` changes.

    A body of ``POST``: ``{"lifetime_seconds": 20}``, ``{"rotates": true}``, ``{"expire": true}``
    ends the tokens, ``{"revoke": true}`` the grant as well.
    """
    if request.method == "DELETE":
        TOKENS.reset()
    elif request.method == "POST":
        asked = request.json() or {}
        TOKENS.lifetime_seconds = asked.get("lifetime_seconds", TOKENS.lifetime_seconds)
        TOKENS.rotates = asked.get("rotates", TOKENS.rotates)
        if asked.get("expire"):
            TOKENS.expire()
        if asked.get("revoke"):
            TOKENS.revoke()
    told = {
        "issued": TOKENS.issued,
        "lifetime_seconds": TOKENS.lifetime_seconds,
        "rotates": TOKENS.rotates,
    }
    return as_json(told)


def no_such_path(request: Request) -> Response:
    """The answer of a server that has a token endpoint and nothing else."""
    return as_json({"error": "not_found"}, 404)


def _refuse(code: str, described: str, status: int = 400) -> RefusedError:
    return RefusedError(as_json({"error": code, "error_description": described}, status))


def _google(request: Request, form: Form) -> Response:
    grant = form.get("grant_type")
    if grant == ASSERTION:
        _check_assertion(form, request)
    elif grant == "refresh_token":
        if form.get("client_id") != CLIENT_ID:
            raise _refuse("invalid_client", "The OAuth client was not found.", 401)
        if form.get("client_secret") != CLIENT_SECRET:
            raise _refuse("invalid_client", "Unauthorized", 401)
        if TOKENS.used(form.get("refresh_token", "")) is None:
            raise _refuse("invalid_grant", "Token has been expired or revoked.")
    else:
        raise _refuse("unsupported_grant_type", f"Invalid grant_type: {grant}")
    token, seconds = TOKENS.issue("ya29.", 3599)
    return as_json(
        {
            "access_token": token,
            "expires_in": int(seconds),
            "scope": GOOGLE_SCOPE,
            "token_type": "Bearer",
        }
    )


def _check_assertion(form: Form, request: Request) -> None:
    claims = _claims(form.get("assertion", ""))
    # Google's own library always names Google's endpoint, whatever the key says of it.
    if claims.get("aud") not in (GOOGLE_ENDPOINT, f"{request.base_url}{request.path}"):
        raise _refuse("invalid_grant", "Invalid JWT: Failed audience check.")
    if claims.get("scope") != GOOGLE_SCOPE:
        raise _refuse("invalid_scope", "Invalid OAuth scope or ID token audience provided.")


def _claims(assertion: str) -> dict[str, Any]:
    """The claims of a signed assertion; whose signature it is, the sandbox does not look at."""
    parts = assertion.split(".")
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(padded))
    except (IndexError, ValueError):
        raise _refuse("invalid_grant", "Invalid JWT") from None
    if not time.time() - 300 < float(claims.get("exp", 0)) <= time.time() + 3700:
        raise _refuse("invalid_grant", "Invalid JWT: Token must be a short-lived token")
    return claims


def _hubspot(request: Request, form: Form) -> Response:
    def refuse(code: str, status: str, text: str) -> RefusedError:
        body = {
            "status": status,
            "message": text,
            "correlationId": "5a9d0b0e-0000-4000-8000-000000000000",
            "error": code,
            "error_description": text,
        }
        return RefusedError(as_json(body, 400))

    if form.get("grant_type") != "refresh_token":
        raise refuse("unsupported_grant_type", "BAD_GRANT_TYPE", "missing or unknown grant type")
    if form.get("client_id") != CLIENT_ID:
        raise refuse("invalid_client", "BAD_CLIENT_ID", "missing or unknown client id")
    if form.get("client_secret") != CLIENT_SECRET:
        raise refuse("invalid_client", "BAD_CLIENT_SECRET", "missing or invalid client secret")
    kept = TOKENS.used(form.get("refresh_token", ""))
    if kept is None:
        raise refuse("invalid_grant", "BAD_REFRESH_TOKEN", "missing or invalid refresh token")
    token, seconds = TOKENS.issue("CL-", 1800)
    return as_json(
        {
            "token_type": "bearer",
            "refresh_token": kept,
            "access_token": token,
            "hub_id": HUBSPOT_PORTAL,
            "scopes": HUBSPOT_SCOPES,
            "expires_in": int(seconds),
        }
    )


def _salesforce(request: Request, form: Form) -> Response:
    grant = form.get("grant_type")
    made: dict[str, str] = {}
    if grant == ASSERTION:
        if _claims(form.get("assertion", "")).get("iss") != CLIENT_ID:
            raise _refuse("invalid_client_id", "client identifier invalid")
    else:
        if form.get("client_id") != CLIENT_ID:
            raise _refuse("invalid_client_id", "client identifier invalid")
        if form.get("client_secret") != CLIENT_SECRET:
            raise _refuse("invalid_client", "invalid client credentials")
        if grant == "refresh_token":
            kept = TOKENS.used(form.get("refresh_token", ""))
            if kept is None:
                raise _refuse("invalid_grant", "expired access/refresh token")
            made = {"refresh_token": kept} if TOKENS.rotates else {}
        elif grant != "client_credentials":
            raise _refuse("unsupported_grant_type", "grant type not supported")
    token, _ = TOKENS.issue("00D5g000004XyZ!", 7200)
    address = f"{request.base_url}/salesforce"
    return as_json(
        {
            "access_token": token,
            "signature": base64.b64encode(secrets.token_bytes(32)).decode(),
            "scope": "api refresh_token" if grant == "refresh_token" else "api",
            "instance_url": address,
            "id": f"{address}/id/00D5g000004XyZEAU/0055g00000AbCdEAAV",
            "token_type": "Bearer",
            "issued_at": str(int(time.time() * 1000)),
            **made,
        }
    )


ENDPOINTS: dict[str, Callable[[Request, Form], Response]] = {
    "/google-oauth/token": _google,
    "/hubspot/oauth/2026-03/token": _hubspot,
    # Ends on 2027-02-16, says HubSpot.
    "/hubspot/oauth/v1/token": _hubspot,
    "/salesforce/services/oauth2/token": _salesforce,
}
