"""Tokens: renewed once however many ask, kept when they rotate, never told."""

from __future__ import annotations

import json
import logging
import multiprocessing
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.sources.token_server import ACCESS_TOKEN, REFRESH_TOKEN, TokenServer, secrets_of
from trueline.connections import Connection
from trueline.errors import ConfigurationError, RetriableError
from trueline.sources.auth import token_file
from trueline.sources.auth.credential import credential_of
from trueline.sources.auth.token_file import Token
from trueline.sources.http import HttpClient

NOW = datetime(2026, 11, 1, 5, 0, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[TokenServer]:
    made = TokenServer()
    yield made
    made.close()


def client(connection: Connection) -> HttpClient:
    return HttpClient(connection, sleep=lambda _: None)


def _one_process(connection: Connection, barrier: Any, calls: int, tokens: Any) -> None:
    """A task: it makes its calls, all processes starting at the same moment."""
    made = client(connection)
    barrier.wait(30)
    for number in range(calls):
        made.get_json(f"api/{number}")
    tokens.put(made._credential.token())


def race(connection: Connection, processes: int = 3) -> set[str]:
    """Start real processes at once; the tokens that they ended with."""
    context = multiprocessing.get_context("spawn")
    barrier, tokens = context.Barrier(processes), context.Queue()
    started = [
        context.Process(target=_one_process, args=(connection, barrier, 2, tokens))
        for _ in range(processes)
    ]
    for process in started:
        process.start()
    found = {tokens.get(timeout=60) for _ in started}
    for process in started:
        process.join(30)
    assert [process.exitcode for process in started] == [0] * processes
    return found


def test_tasks_that_find_no_valid_token_at_once_renew_it_once(
    server: TokenServer, tmp_path: Path
) -> None:
    server.slow_seconds, server.rotates = 0.4, True
    assert race(server.connection(tmp_path)) == {f"{ACCESS_TOKEN}-1"}
    assert len(server.forms) == 1
    assert len(server.api_calls) == 6


def test_tasks_that_are_refused_at_once_renew_it_once(server: TokenServer, tmp_path: Path) -> None:
    connection = server.connection(tmp_path)
    client(connection).get_json("api/before")
    server.expire()
    server.slow_seconds, server.rotates = 0.4, True
    assert race(connection) == {f"{ACCESS_TOKEN}-2"}
    assert len(server.forms) == 2
    accepted = [path for path, token in server.api_calls if token == f"{ACCESS_TOKEN}-2"]
    assert len(accepted) == 6


def test_a_token_that_ends_mid_pull_is_renewed_and_only_the_failed_call_is_repeated(
    server: TokenServer, tmp_path: Path
) -> None:
    made = client(server.connection(tmp_path))
    for page in range(3):
        made.get_json(f"api/{page}")
    server.expire()
    for page in range(3, 6):
        assert made.get_json(f"api/{page}") == {"path": f"/api/{page}"}
    pages = [path for path, _ in server.api_calls]
    assert pages == [f"/api/{page}" for page in (0, 1, 2, 3, 3, 4, 5)]
    assert len(server.forms) == 2


def test_a_token_that_is_refused_right_after_its_renewal_is_a_matter_for_a_person(
    server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = client(server.connection(tmp_path))
    monkeypatch.setattr(server, "_api", lambda path, bearer: (401, {}, {}))
    with pytest.raises(ConfigurationError, match="does not accept the token"):
        made.get_json("api/1")
    assert len(server.forms) == 2


def test_a_refresh_token_that_rotates_is_kept_for_the_next_process(
    server: TokenServer, tmp_path: Path
) -> None:
    server.rotates = True
    for _ in range(3):
        client(server.connection(tmp_path)).get_json("api/1")
        server.expire()
    used = [form["refresh_token"] for form in server.forms]
    assert used == [REFRESH_TOKEN, f"{REFRESH_TOKEN}-1", f"{REFRESH_TOKEN}-2"]


def test_a_test_of_the_connection_under_another_name_meets_the_rotated_token(
    server: TokenServer, tmp_path: Path
) -> None:
    server.rotates = True
    connection = server.connection(tmp_path)
    client(connection).get_json("api/1")
    server.expire()
    renamed = Connection("xqzw", connection.base_url, "", connection.extra, tmp_path)
    assert client(renamed).get_json("api/2") == {"path": "/api/2"}


def test_another_credential_has_a_token_of_its_own(server: TokenServer, tmp_path: Path) -> None:
    client(server.connection(tmp_path)).get_json("api/1")
    other = server.connection(tmp_path, client_id="another-client")
    assert credential_of(other).token() == f"{ACCESS_TOKEN}-2"
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_only_the_owner_can_read_the_tokens(server: TokenServer, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "tokens"
    client(server.connection(folder)).get_json("api/1")
    files = list(folder.iterdir())
    assert {path.suffix for path in files} == {".json", ".lock"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_damaged_token_file_is_replaced(server: TokenServer, tmp_path: Path) -> None:
    connection = server.connection(tmp_path)
    client(connection).get_json("api/1")
    (kept,) = tmp_path.glob("*.json")
    kept.write_text('{"access_token": "x')
    assert credential_of(connection).token() == f"{ACCESS_TOKEN}-2"
    assert json.loads(kept.read_text())["access_token"] == f"{ACCESS_TOKEN}-2"


@pytest.mark.parametrize(
    ("lifetime", "age", "fresh"),
    [
        (3600, 3600 - 121, True),
        (3600, 3600 - 119, False),
        (60, 53, True),
        (60, 55, False),
        (None, 10**7, True),
    ],
)
def test_a_token_is_renewed_before_it_expires(lifetime: int | None, age: int, fresh: bool) -> None:
    expires = NOW + timedelta(seconds=lifetime) if lifetime else None
    token = Token("t", NOW, expires)
    assert token.is_fresh(NOW + timedelta(seconds=age)) is fresh


def test_an_expired_token_is_not_tried(server: TokenServer, tmp_path: Path) -> None:
    server.expires_in = 0
    connection = server.connection(tmp_path)
    client(connection).get_json("api/1")
    client(connection).get_json("api/2")
    assert len(server.forms) == 2
    assert [token for _, token in server.api_calls] == [f"{ACCESS_TOKEN}-1", f"{ACCESS_TOKEN}-2"]


GONE = {"error": "invalid_grant", "error_description": f"revoked: {REFRESH_TOKEN}"}
OLD_HUBSPOT = {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"}
WRONG_CLIENT = {"error": "invalid_client", "error_description": "The OAuth client was not found."}
BUSY = {
    "error": "invalid_grant",
    "error_description": "Token request is already being processed",
}


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (400, GONE, "was revoked or has expired (invalid_grant: revoked"),
        (400, OLD_HUBSPOT, "was revoked or has expired (bad_refresh_token"),
        (401, WRONG_CLIENT, "refuses the connection 'trueline_test' (HTTP 401) (invalid_client"),
        (403, {}, "refuses the connection"),
        (302, {}, "refuses the connection"),
    ],
)
def test_a_grant_that_is_gone_is_told_once_and_not_tried_again(
    server: TokenServer, tmp_path: Path, status: int, body: Any, told: str
) -> None:
    server.refusals = [(status, body, {"Location": "/elsewhere"})] * 5
    with pytest.raises(ConfigurationError) as caught:
        client(server.connection(tmp_path)).get_json("api/1")
    assert told in str(caught.value)
    assert "What to do" in str(caught.value)
    assert secrets_of(str(caught.value)) == []
    assert len(server.forms) == 1
    assert server.api_calls == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, {}),
        (429, {"error": "rate_limit"}),
        (400, BUSY),
        (400, {"error": "temporarily_unavailable"}),
        (200, {"html": "a login page"}),
    ],
)
def test_a_token_endpoint_out_of_order_is_waited_for(
    server: TokenServer, tmp_path: Path, status: int, body: Any
) -> None:
    server.refusals = [(status, body, {})] * 2
    assert client(server.connection(tmp_path)).get_json("api/1") == {"path": "/api/1"}
    assert len(server.forms) == 3


def test_a_token_endpoints_own_delay_is_handed_on(server: TokenServer, tmp_path: Path) -> None:
    server.refusals = [(429, {}, {"Retry-After": "300"})] * 5
    with pytest.raises(RetriableError) as caught:
        client(server.connection(tmp_path)).get_json("api/1")
    assert caught.value.retry_after_seconds == 300
    assert len(server.forms) == 1


def test_a_process_that_hangs_while_renewing_is_not_waited_for_without_end(
    server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_file, "LOCK_SECONDS", 0.1)
    connection = server.connection(tmp_path)
    credential = credential_of(connection)
    with credential._file.lock(), pytest.raises(RetriableError, match="has been renewing"):
        credential_of(connection).token()


def test_nothing_secret_is_logged_or_shown(
    server: TokenServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connection = server.connection(tmp_path)
    made = client(connection)
    made.get_json("api/1")
    server.expire()
    server.refusals = [(400, GONE, {})]
    with pytest.raises(ConfigurationError):
        made.get_json("api/2")
    credential = made._credential
    shown = [
        caplog.text,
        repr(connection),
        repr(credential),
        repr(credential._grant),
        repr(credential._last),
        credential.told(),
    ]
    assert "a new access token was fetched" in caplog.text
    assert [secrets_of(text) for text in shown] == [[]] * len(shown)
