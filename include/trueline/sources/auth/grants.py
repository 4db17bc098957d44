"""The ways to an access token: what each needs, and how it asks.

Each grant tells a ``key``, the hash under which its token is kept, and fetches anew when asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from trueline.errors import ConfigurationError, RetriableError
from trueline.sources.auth.endpoint import LOOPBACK, ask_for_token
from trueline.sources.auth.token_file import Token
from trueline.windows import utc_now

GOOGLE_ADS_SCOPE = "https://www.googleapis.com/auth/adwords"
ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_SECONDS = 180

_ANEW_GOOGLE = (
    "Make a new refresh token with the scope of Google Ads and put it into the connection. An "
    "OAuth client whose consent screen is still in testing gives tokens for seven days only."
)
_ANEW_HUBSPOT = (
    "Install the app in the HubSpot account again and put the new refresh token into the "
    "connection."
)
_ANEW_SALESFORCE = (
    "Authorise the app in Salesforce again and put the new refresh token into the connection. "
    "With refresh token rotation only one machine may use it; the client credentials flow has no "
    "such limit."
)
_ANEW_SALESFORCE_APP = (
    "In Salesforce's Setup, under the app's policies, enable this flow and give it a user to run "
    "as, with the API permission; ask My Domain for the token, not login.salesforce.com."
)
_ANEW_SERVICE_ACCOUNT = (
    "Look at the service account in the Google Cloud console: is it enabled, is this key still "
    "one of its keys? Then invite its address as a user of the Google Ads account."
)
_ANEW_ANY = "Connect anew at the platform and put the new credential into the connection."


class Grant(Protocol):
    """One way to an access token."""

    @property
    def key(self) -> str | None:
        """Under which its token is shared; None where it must not be shared."""
        ...

    def fetch(self, refresh_token: str) -> Token:
        """A new token. ``refresh_token`` is the newest known one, empty for the configured one.

        Raises:
            ConfigurationError: the grant was revoked or expired, or something in it is wrong.
            RetriableError: the endpoint is out of order.
        """
        ...


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A person connected the app once; the app renews for itself."""

    connection: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)

    @property
    def key(self) -> str:
        return _key(
            "refresh_token", self.token_url, self.client_id, self.client_secret, self.refresh_token
        )

    def fetch(self, refresh_token: str) -> Token:
        form = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": refresh_token or self.refresh_token,
        }
        anew = _by_host(self.token_url, _ANEW_SALESFORCE)
        answer = ask_for_token(self.token_url, form, connection=self.connection, anew=anew)
        token = _read(answer)
        # Most platforms keep the refresh token; what they do not replace stays.
        return replace(token, refresh_token=token.refresh_token or refresh_token)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The app itself is let in (Salesforce's client credentials flow)."""

    connection: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)

    @property
    def key(self) -> str:
        return _key("client_credentials", self.token_url, self.client_id, self.client_secret)

    def fetch(self, refresh_token: str) -> Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        anew = _by_host(self.token_url, _ANEW_SALESFORCE_APP)
        return _read(ask_for_token(self.token_url, form, connection=self.connection, anew=anew))


@dataclass(frozen=True, slots=True)
class SignedAssertion:
    """The app signs for a user with its private key (Salesforce's JWT bearer flow)."""

    connection: str
    token_url: str
    client_id: str
    username: str = field(repr=False)
    private_key: str = field(repr=False)
    audience: str

    @property
    def key(self) -> str:
        return _key("assertion", self.token_url, self.client_id, self.username, self.private_key)

    def fetch(self, refresh_token: str) -> Token:
        import jwt

        claims = {
            "iss": self.client_id,
            "sub": self.username,
            "aud": self.audience,
            "exp": utc_now() + timedelta(seconds=ASSERTION_SECONDS),
        }
        try:
            signed = jwt.encode(claims, self.private_key, algorithm="RS256")
        # The library's own text may quote the key.
        except Exception:
            raise ConfigurationError(
                "The private key cannot sign.",
                where=self.connection,
                fix="Put the whole PEM text of an RSA key into private_key, line breaks included.",
            ) from None
        form = {"grant_type": ASSERTION, "assertion": signed}
        anew = _by_host(self.token_url, _ANEW_SALESFORCE_APP)
        return _read(ask_for_token(self.token_url, form, connection=self.connection, anew=anew))


@dataclass(frozen=True, slots=True)
class GoogleServiceAccount:
    """A Google service account's key, as the Cloud console gives it."""

    connection: str
    info: Mapping[str, Any] = field(repr=False)

    @property
    def key(self) -> str:
        return _key("service_account", json.dumps(self.info, sort_keys=True, default=str))

    def fetch(self, refresh_token: str) -> Token:
        from google.oauth2 import service_account

        try:
            credentials = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                dict(self.info), scopes=[GOOGLE_ADS_SCOPE]
            )
        # The library's own text may quote the key.
        except Exception:
            raise ConfigurationError(
                "This is not the key of a Google service account.",
                where=self.connection,
                fix="Put the whole JSON file of the key, as downloaded from the Google Cloud "
                "console, into service_account, or its path into service_account_file.",
            ) from None
        host = urlsplit(str(self.info.get("token_uri", ""))).hostname
        return _from_google(credentials, self.connection, _ANEW_SERVICE_ACCOUNT, host or "")


@dataclass(frozen=True, slots=True)
class ApplicationDefault:
    """The machine's own Google credentials (``gcloud auth application-default login``).

    Not shared: they change outside trueline, and Google's own library keeps them.
    """

    connection: str

    @property
    def key(self) -> None:
        return None

    def fetch(self, refresh_token: str) -> Token:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError

        try:
            credentials, _ = google.auth.default(scopes=[GOOGLE_ADS_SCOPE])
        except DefaultCredentialsError:
            raise ConfigurationError(
                "This machine has no Google credentials of its own.",
                where=self.connection,
                fix="Run gcloud auth application-default login --scopes="
                f"{GOOGLE_ADS_SCOPE},https://www.googleapis.com/auth/cloud-platform, or set "
                "GOOGLE_APPLICATION_CREDENTIALS.",
            ) from None
        return _from_google(credentials, self.connection, _ANEW_GOOGLE, "")


def _from_google(credentials: Any, connection: str, anew: str, host: str) -> Token:
    import requests
    from google.auth.exceptions import GoogleAuthError, RefreshError
    from google.auth.transport.requests import Request

    session = requests.Session()
    session.trust_env = host not in LOOPBACK
    try:
        credentials.refresh(Request(session=session))
    except RefreshError as error:
        # Its text holds the endpoint's whole answer.
        if error.retryable:
            raise RetriableError(
                "Google's token endpoint is out of order.", where=connection, fix="Try again later."
            ) from None
        raise ConfigurationError(
            f"Google does not give a token to the connection {connection!r}.",
            where=connection,
            fix=anew,
        ) from None
    except GoogleAuthError as error:
        raise RetriableError(
            f"Google's token endpoint cannot be reached ({type(error).__name__}).",
            where=connection,
            fix="Check the network.",
        ) from None
    expires = credentials.expiry.replace(tzinfo=UTC) if credentials.expiry else None
    return Token(credentials.token, utc_now(), expires)


def _read(answer: Mapping[str, Any]) -> Token:
    now = utc_now()
    return Token(
        access_token=str(answer["access_token"]).strip(),
        obtained_at=now,
        expires_at=_expiry(answer.get("expires_in"), now),
        refresh_token=str(answer.get("refresh_token") or ""),
        instance_url=str(answer.get("instance_url") or "").rstrip("/"),
        scope=_scope(answer),
    )


def _scope(answer: Mapping[str, Any]) -> str:
    """Blank-separated text; HubSpot sends a list named otherwise."""
    listed = answer.get("scopes")
    if isinstance(listed, list):
        return " ".join(str(each) for each in listed)
    return str(answer.get("scope") or "")


def _expiry(seconds: Any, now: datetime) -> datetime | None:
    try:
        return now + timedelta(seconds=int(seconds))
    except (TypeError, ValueError, OverflowError):
        return None


def _by_host(token_url: str, otherwise: str) -> str:
    host = urlsplit(token_url).hostname or ""
    if host.endswith("googleapis.com"):
        return _ANEW_GOOGLE
    if host.endswith((".hubapi.com", ".hubspot.com")):
        return _ANEW_HUBSPOT
    if host.endswith((".salesforce.com", ".force.com")):
        return otherwise
    return _ANEW_ANY


def read_key_file(path: str, connection: str) -> str:
    """The text of a service account's key file.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The key file of the service account cannot be read ({type(error).__name__}).",
            where=f"{connection}: {path}",
            fix="Check service_account_file of the connection: the path must exist on the machine "
            "that runs trueline (with Airflow: on every worker), readable by its user.",
        ) from None


def _key(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
