"""Tokens that end and grants that are gone, with a credential that renews, through whole pulls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.server.app import SandboxServer
from sandbox.server.tokens import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKENS
from tests.faults.conftest import LAST_DAY, Rig, profile_in
from tests.faults.outcomes import ROWS
from trueline import pipeline
from trueline.connections import Connection
from trueline.errors import ConfigurationError, RetriableError
from trueline.windows import Window

WINDOW = Window(LAST_DAY - timedelta(days=1), LAST_DAY)
#: Where tokens are renewed; Meta's system users have one that does not end.
ENDPOINTS = {
    "google_ads": "google-oauth/token",
    "hubspot": "hubspot/oauth/2026-03/token",
    "salesforce": "salesforce/services/oauth2/token",
}
ENDED = {"kind": "expired_token"}


@dataclass(frozen=True)
class Renewing:
    """A warehouse whose connections hold a refresh token."""

    rig: Rig
    folder: Path

    def pull(self, source: str, *rules: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Loads of one pull: table and rows, while the platform misbehaves so."""
        server, endpoint = self.rig.server, ENDPOINTS[source]
        extra = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
            "token_url": f"{server.url}/{endpoint}",
        }
        name = self.rig.profile.sources[source].connection or ""
        address = f"{server.url}/{source.replace('_', '-')}"
        server.faults.add(list(rules))
        summary = pipeline.ingest(
            self.rig.profile,
            source,
            WINDOW,
            connection=Connection(name, address, "", extra, self.folder),
        )
        return [(load.table_name, load.status, load.rows_loaded) for load in summary.loads]

    def at_token(self, source: str, kind: str, **more: Any) -> dict[str, Any]:
        """A fault of the address that gives tokens."""
        platform = ENDPOINTS[source].partition("/")[0]
        return {"kind": kind, "platform": platform, "path": "token$", **more}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture
def renewing(
    server: SandboxServer, folder: Path, tmp_path: Path, waited: list[float]
) -> Iterator[Renewing]:
    TOKENS.reset()
    yield Renewing(Rig(server, profile_in(folder / "data"), waited), tmp_path / "tokens")
    server.faults.clear()
    TOKENS.reset()


@pytest.mark.parametrize("source", ENDPOINTS)
def test_a_token_that_ends_in_the_middle_of_a_pull_is_renewed_once(
    renewing: Renewing, source: str
) -> None:
    whole = renewing.pull(source)
    assert TOKENS.issued == 1
    assert sum(rows for _, _, rows in whole) > 20
    assert renewing.pull(source, {**ROWS[source], **ENDED}) == whole
    assert TOKENS.issued == 2, "the first token was kept, and renewed when it ended"


@pytest.mark.parametrize("source", ENDPOINTS)
def test_a_token_that_is_refused_however_new_is_a_matter_for_a_person(
    renewing: Renewing, source: str
) -> None:
    before = renewing.rig.query("select count(*) from raw.loads")
    with pytest.raises(ConfigurationError, match=f"trueline_{source}") as caught:
        renewing.pull(source, {**ROWS[source], **ENDED, "times": None})
    assert renewing.rig.query("select count(*) from raw.loads") == before
    assert TOKENS.issued == 2, "renewed once, and not again and again"
    _tells_no_secret(caught.value)


@pytest.mark.parametrize("source", ENDPOINTS)
@pytest.mark.parametrize("is_under_way", [False, True], ids=["before", "under way"])
def test_a_grant_that_is_gone_is_told_once_with_the_way_back(
    renewing: Renewing, source: str, is_under_way: bool
) -> None:
    before = renewing.rig.query("select count(*) from raw.loads")
    revoked = renewing.at_token(source, "revoked", times=None, after=1 if is_under_way else 0)
    with pytest.raises(ConfigurationError, match="revoked or has expired") as caught:
        renewing.pull(source, {**ROWS[source], **ENDED, "times": None}, revoked)
    assert renewing.rig.query("select count(*) from raw.loads") == before
    assert "into the connection" in caught.value.fix
    (rule,) = [each for each in renewing.rig.server.faults.as_list() if each["kind"] == "revoked"]
    assert rule["struck"] == 1
    _tells_no_secret(caught.value)


@pytest.mark.parametrize("source", ENDPOINTS)
def test_a_token_address_that_is_out_of_order_is_waited_for(
    renewing: Renewing, source: str
) -> None:
    assert renewing.pull(source, renewing.at_token(source, "500", times=2))
    TOKENS.expire()
    out_of_order = renewing.at_token(source, "throttle", times=None, seconds=1800, header="seconds")
    with pytest.raises(RetriableError) as caught:
        renewing.pull(source, out_of_order)
    assert caught.value.retry_after_seconds == 1800
    _tells_no_secret(caught.value)


def _tells_no_secret(error: Exception) -> None:
    for secret in (CLIENT_SECRET, REFRESH_TOKEN, "ya29.", "CL-", "00D5g"):
        assert secret not in str(error)
