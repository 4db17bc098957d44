"""``POST /token``: a service account's signed assertion becomes an access token."""

from __future__ import annotations

import json
import secrets
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from sandbox.server.wire import Request, Response, as_json

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# google-auth signs for Google's own address whatever the account's token_uri says.
_AUDIENCE = "https://oauth2.googleapis.com/token"


class Tokens:
    """The accounts that exist here, and the access tokens they hold."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._keys: dict[str, bytes] = {}
        self._issued: dict[str, tuple[str, float]] = {}
        self._refused: str | None = None
        self.lifetime = 3600

    def adopt_account(self, path: Path) -> None:
        """Know an account whose file an earlier process wrote."""
        from cryptography.hazmat.primitives import serialization

        account = json.loads(path.read_text())
        private = serialization.load_pem_private_key(account["private_key"].encode(), None)
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        with self._lock:
            self._keys[account["client_email"]] = public

    def write_account(self, path: Path, token_uri: str, name: str = "trueline") -> None:
        """Write a service account's JSON file with a fresh key, readable by its owner only."""
        email = f"{name}@{self._project}.iam.gserviceaccount.com"
        account = {
            "type": "service_account",
            "project_id": self._project,
            "private_key_id": secrets.token_hex(8),
            "private_key": _private_key(),
            "client_email": email,
            "client_id": str(secrets.randbelow(10**20)),
            "token_uri": token_uri,
            "universe_domain": "googleapis.com",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(account))
        self.adopt_account(path)

    def forget_accounts(self) -> None:
        """No account exists any more; tokens given out stay good."""
        with self._lock:
            self._keys.clear()

    def revoke(self) -> None:
        """Refuse every token given out so far."""
        with self._lock:
            self._issued.clear()

    def refuse_grants(self, why: str | None) -> None:
        """From now on ``/token`` answers ``invalid_grant`` with this text; None lifts it."""
        with self._lock:
            self._refused = why

    def account_of(self, token: str) -> str | None:
        """Whose token it is; None if unknown, revoked or expired."""
        with self._lock:
            email, until = self._issued.get(token, ("", 0.0))
        return email if until > time.time() else None

    def answer(self, request: Request) -> Response:
        """``POST /token``."""
        form = dict(parse_qsl(request.body.decode()))
        if form.get("grant_type") != GRANT:
            return _refusal("unsupported_grant_type", "Invalid grant_type")
        with self._lock:
            refused = self._refused
        if refused is not None:
            return _refusal("invalid_grant", refused)
        try:
            email = self._signer(form.get("assertion", ""))
        except ValueError as error:
            return _refusal("invalid_grant", str(error))
        token = f"ya29.{secrets.token_urlsafe(24)}"
        with self._lock:
            self._issued[token] = (email, time.time() + self.lifetime)
        return as_json({"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"})

    def _signer(self, assertion: str) -> str:
        import jwt

        try:
            claimed: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
            email = str(claimed.get("iss"))
            with self._lock:
                key = self._keys.get(email)
            if key is None:
                raise ValueError("Invalid grant: account not found")
            jwt.decode(assertion, key, algorithms=["RS256"], audience=_AUDIENCE)
        except jwt.PyJWTError as error:
            raise ValueError(f"Invalid JWT: {error}") from None
        return email


@cache
def _private_key() -> str:
    """A fresh RSA key of this process, as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _refusal(error: str, description: str) -> Response:
    return as_json({"error": error, "error_description": description}, 400)
