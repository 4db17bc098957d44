"""Access tokens that all processes of this machine share: one file per credential, one renewer.

Airflow runs each task in a process of its own. If every one renewed for itself, a platform that
replaces the refresh token at each use would take the second one for a thief and revoke the grant.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from trueline.errors import ConfigurationError, RetriableError

# Longer than one token call may take; whoever waits so long waits for a process that hangs.
LOCK_SECONDS = 45.0
# A call that starts just before the expiry must still arrive with a valid token.
MARGIN = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Token:
    """One answer of a token endpoint. Nothing secret is in its repr.

    Attributes:
        obtained_at, expires_at: Aware; ``expires_at`` is None where the server does not tell
            (Salesforce): such a token is used until the platform refuses it.
        refresh_token: The newest one where the platform replaced the configured one, else empty.
        instance_url: Where Salesforce wants the calls to go, else empty.
        scope: The granted scopes, separated by blanks, where the server tells them.
    """

    access_token: str = field(repr=False)
    obtained_at: datetime
    expires_at: datetime | None = None
    refresh_token: str = field(default="", repr=False)
    instance_url: str = ""
    scope: str = ""

    def is_fresh(self, now: datetime) -> bool:
        """Whether a call may still start with it. A short-lived token gets a shorter margin."""
        if self.expires_at is None:
            return True
        margin = min(MARGIN, (self.expires_at - self.obtained_at) / 10)
        return now < self.expires_at - margin

    def as_json(self) -> str:
        """For the file."""
        return json.dumps(
            {
                "access_token": self.access_token,
                "obtained_at": self.obtained_at.isoformat(),
                "expires_at": self.expires_at.isoformat() if self.expires_at else None,
                "refresh_token": self.refresh_token,
                "instance_url": self.instance_url,
                "scope": self.scope,
            }
        )


class TokenFile:
    """One credential's token on disk: mode 0600 in a folder of mode 0700.

    Args:
        folder: Below the profile's data folder; made when the first token is kept.
        key: Hash of the credential itself, not of the connection's name: a test of a connection
            runs under a name of its own and must meet the same refresh token.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder
        self._path = folder / f"{key}.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the right to renew. The operating system frees it when its holder dies.

        Raises:
            RetriableError: another process has been renewing for too long.
            ConfigurationError: the folder cannot be written.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(self._path.with_suffix(".lock"), mode=0o600)
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise RetriableError(
                f"Another process has been renewing this token for {LOCK_SECONDS:.0f} s.",
                where=str(self._folder),
                fix="Try again; if it stays so, look for a run that hangs.",
            ) from None
        except OSError as error:
            raise self._unusable(error) from None
        try:
            yield
        finally:
            lock.release()

    def read(self) -> Token | None:
        """The kept token; None where there is none or the file is damaged."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            return _token(kept)
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        except OSError as error:
            raise self._unusable(error) from None

    def write(self, token: Token) -> None:
        """Keep it, whole or not at all; on disk before anybody uses it.

        Raises:
            ConfigurationError: the folder cannot be written.
        """
        fresh = self._path.with_suffix(f".{secrets.token_hex(4)}.new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(token.as_json())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"The folder of the access tokens cannot be used ({type(error).__name__}).",
            where=str(self._folder),
            fix="Give the user that runs trueline read and write access to it.",
        )


def _token(kept: Mapping[str, Any]) -> Token:
    expires = kept["expires_at"]
    return Token(
        access_token=str(kept["access_token"]),
        obtained_at=datetime.fromisoformat(kept["obtained_at"]),
        expires_at=datetime.fromisoformat(expires) if expires else None,
        refresh_token=str(kept["refresh_token"]),
        instance_url=str(kept["instance_url"]),
        scope=str(kept["scope"]),
    )
