"""What a connection's fields say of its credential, and the token that each call gets from it."""

from __future__ import annotations

import json
import logging
from typing import Protocol
from urllib.parse import urlsplit

from trueline.connections import Connection
from trueline.errors import ConfigurationError
from trueline.sources.auth.endpoint import LOOPBACK
from trueline.sources.auth.grants import (
    ApplicationDefault,
    ClientCredentials,
    GoogleServiceAccount,
    Grant,
    RefreshToken,
    SignedAssertion,
    read_key_file,
)
from trueline.sources.auth.token_file import Token, TokenFile
from trueline.windows import utc_now

log = logging.getLogger(__name__)
#: Fields of which a connection has at most one: each names a way in.
WAYS = (
    "refresh_token",
    "private_key",
    "service_account",
    "service_account_file",
    "application_default",
)
# A secret is sent to no address that is guessed: other hosts need token_url.
_TOKEN_PATHS = {
    "googleads.googleapis.com": "https://oauth2.googleapis.com/token",
    "api.hubapi.com": "https://api.hubapi.com/oauth/2026-03/token",
}
_SALESFORCE = (".salesforce.com", ".force.com")
_LOGIN_HOSTS = frozenset({"", "login.salesforce.com", "test.salesforce.com"})


class Credential(Protocol):
    """Gives the token of each call."""

    def token(self) -> str:
        """A token to call with now; empty where the connection has none.

        Raises:
            ConfigurationError, RetriableError: there is no way to one.
        """
        ...

    def renew(self) -> bool:
        """Called after a 401: whether there is now another token than the last one given."""
        ...

    def address(self, given: str) -> str:
        """Where the calls go: ``given``, unless the token came with an address of its own."""
        ...

    def told(self) -> str:
        """What it is, for ``trueline check``; asks for a token if there is none yet."""
        ...

    @property
    def scope(self) -> str:
        """The granted scopes, where the server told them with the token."""
        ...


class FixedToken:
    """A token that does not expire, or whose renewal is a person's work."""

    scope = ""

    def __init__(self, token: str) -> None:
        self._token = token.strip()

    def token(self) -> str:
        return self._token

    def renew(self) -> bool:
        return False

    def address(self, given: str) -> str:
        return given

    def told(self) -> str:
        return "a fixed token" if self._token else "no token, calls go without one"


class RenewedToken:
    """A token that is renewed before it expires, once for all processes that share the file."""

    def __init__(self, grant: Grant, file: TokenFile | None, kind: str) -> None:
        self._grant, self._file, self._kind = grant, file, kind
        self._last: Token | None = None

    @property
    def scope(self) -> str:
        return self._last.scope if self._last else ""

    def token(self) -> str:
        now = utc_now()
        if self._last is None or not self._last.is_fresh(now):
            kept = self._file.read() if self._file else None
            self._last = kept if kept and kept.is_fresh(now) else self._renewed(self._last)
        return self._last.access_token

    def renew(self) -> bool:
        refused = self._last
        if refused is None:
            return False
        self._last = self._renewed(refused)
        return True

    def address(self, given: str) -> str:
        if (urlsplit(given).hostname or "") not in _LOGIN_HOSTS:
            return given
        self.token()
        return (self._last.instance_url if self._last else "") or given

    def told(self) -> str:
        self.token()
        assert self._last is not None
        until = self._last.expires_at
        return f"{self._kind}, token valid " + (
            f"until {until:%Y-%m-%d %H:%M} UTC" if until else "until the platform ends it"
        )

    def _renewed(self, old: Token | None) -> Token:
        """A token that is not ``old``: another process's, if it was quicker, else a new one."""
        if self._file is None:
            return self._grant.fetch("")
        with self._file.lock():
            kept = self._file.read()
            if kept and kept != old and kept.is_fresh(utc_now()):
                return kept
            token = self._grant.fetch(kept.refresh_token if kept else "")
            self._file.write(token)
        log.info("a new access token was fetched (%s)", self._kind)
        return token


def credential_of(connection: Connection, api_url: str = "") -> Credential:
    """The credential that the connection's fields describe.

    Args:
        api_url: The platform's address where the connection has none.

    Raises:
        ConfigurationError: fields are missing, contradict each other or cannot be read.
    """
    fields = connection.extra
    ways = [name for name in WAYS if fields.get(name) and fields[name].lower() != "false"]
    if connection.token:
        ways.insert(0, "token")
    if len(ways) > 1:
        raise ConfigurationError(
            f"The connection has more than one credential: {' and '.join(ways)}.",
            where=connection.name,
            fix="Keep one of them and empty the others.",
        )
    way = ways[0] if ways else ""
    if way == "token" or not (way or fields.get("client_id") or fields.get("client_secret")):
        return FixedToken(connection.token)
    grant, kind = _grant(connection, way, connection.base_url or api_url)
    key, folder = grant.key, connection.token_folder
    return RenewedToken(grant, TokenFile(folder, key) if key and folder else None, kind)


def _grant(connection: Connection, way: str, api_url: str) -> tuple[Grant, str]:
    name, fields = connection.name, connection.extra
    if way in ("service_account", "service_account_file"):
        text = fields.get("service_account") or read_key_file(fields[way], name)
        return GoogleServiceAccount(name, _json(text, name)), "service account"
    if way == "application_default":
        return ApplicationDefault(name), "the machine's own Google credentials"
    needed = {
        "refresh_token": ("client_id", "client_secret", "refresh_token"),
        "private_key": ("client_id", "username", "private_key"),
        "": ("client_id", "client_secret"),
    }[way]
    missing = [field for field in needed if not fields.get(field)]
    host = urlsplit(api_url).hostname or ""
    if not way and host in _TOKEN_PATHS:
        missing.append("refresh_token")
    if missing:
        raise ConfigurationError(
            f"The connection lacks {' and '.join(missing)}.",
            where=name,
            fix="Fill it in, or empty the other fields of this way in (see "
            "docs/how-to/connections.md).",
        )
    url = _token_url(connection, api_url)
    if way == "refresh_token":
        return RefreshToken(name, url, *(fields[each] for each in needed)), "refresh token"
    if way == "private_key":
        is_sandbox = ".sandbox." in host or host == "test.salesforce.com"
        audience = fields.get("audience") or (
            "https://test.salesforce.com" if is_sandbox else "https://login.salesforce.com"
        )
        # A form field of one line holds the line breaks of the key as \n.
        key = fields["private_key"].replace("\\n", "\n")
        grant = SignedAssertion(name, url, fields["client_id"], fields["username"], key, audience)
        return grant, "signed assertion"
    return ClientCredentials(name, url, *(fields[each] for each in needed)), "client credentials"


def _token_url(connection: Connection, api_url: str) -> str:
    url = connection.extra.get("token_url", "").strip()
    host = urlsplit(api_url).hostname or ""
    if not url and host in _TOKEN_PATHS:
        url = _TOKEN_PATHS[host]
    if not url and host.endswith(_SALESFORCE):
        url = f"{api_url.rstrip('/')}/services/oauth2/token"
    if not url:
        raise ConfigurationError(
            "The connection does not say where tokens are renewed.",
            where=connection.name,
            fix="Set token_url to the platform's token endpoint; for Salesforce set base_url (in "
            "Airflow: host) to My Domain.",
        )
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ConfigurationError(
            "token_url must start with https://: secrets are sent there.",
            where=connection.name,
            fix="Correct token_url of the connection.",
        )
    return url


def _json(text: str, connection: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigurationError(
            "service_account holds no JSON object.",
            where=connection,
            fix="Paste the whole key file, from { to }, or name its path in service_account_file.",
        )
    return found
