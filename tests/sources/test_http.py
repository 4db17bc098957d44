"""Every outcome of a call is an answer or one of the error families, and tells no secret."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.sources.conftest import TOKEN, Answer
from trueline.connections import Connection
from trueline.errors import ConfigurationError, PermanentError, RetriableError
from trueline.sources.http import ATTEMPTS, HttpClient


def _call(server, waited: list[float], **options):
    client = HttpClient(server.connection(), sleep=waited.append, **options)
    return client.get_json("v1/people", {"email": "anna@example.org"})


@pytest.mark.parametrize(
    ("answer", "family", "tries", "told"),
    [
        (Answer(status=500), RetriableError, ATTEMPTS, "out of order (HTTP 500)"),
        (Answer(status=503), RetriableError, ATTEMPTS, "HTTP 503"),
        (Answer(b"<html>busy"), RetriableError, ATTEMPTS, "web page instead of data"),
        (Answer(b'{"data": [1, '), RetriableError, ATTEMPTS, "not whole JSON"),
        (Answer(b'{"data": NaN}'), RetriableError, ATTEMPTS, "not whole JSON"),
        (Answer({"data": []}, cut=True), RetriableError, ATTEMPTS, "cut off"),
        (Answer(status=401), ConfigurationError, 1, "Renew the token of the connection"),
        (Answer(status=403), ConfigurationError, 1, "denies access"),
        (Answer(status=404), ConfigurationError, 1, "switched off"),
        (Answer(status=410), ConfigurationError, 1, "switched off"),
        (Answer(status=302), ConfigurationError, 1, "elsewhere"),
        (Answer({"m": "anna@example.org"}, status=422), PermanentError, 1, "HTTP 422"),
    ],
)
def test_each_bad_answer_has_its_family(platform, answer, family, tries, told) -> None:
    server, waited = platform([answer]), []
    with pytest.raises(family) as caught:
        _call(server, waited)
    text = str(caught.value)
    assert told in text
    assert "trueline_test GET v1/people" in text
    assert caught.value.fix
    assert TOKEN not in text
    assert "anna" not in text
    assert len(server.asked) == tries
    assert sum(waited) < 60


def test_a_streamed_answer_begins_anew_after_a_cut(platform) -> None:
    cut, whole = Answer(b"[1, 2", cut=True), Answer(b"[1, 2, 3]")
    server, waited, begun = platform([Answer(status=503), cut, whole]), [], []

    def read(pieces):
        begun.append(b"")
        for piece in pieces:
            begun[-1] += piece
        return begun[-1]

    client = HttpClient(server.connection(), sleep=waited.append)
    assert client.post_streamed("v1/people", {"query": "all"}, read) == b"[1, 2, 3]"
    assert len(begun) == 2
    assert [asked.body for asked in server.asked] == [{"query": "all"}] * 3
    assert len(waited) == 2


def test_a_short_outage_is_waited_out(platform, caplog) -> None:
    pause = Answer(status=429, headers={"Retry-After": "3"})
    server, waited = platform([pause, Answer(status=500), Answer(b'\xef\xbb\xbf{"n": 1.10}')]), []
    answer = _call(server, waited)
    assert answer == {"n": Decimal("1.10")}
    assert waited[0] >= 3
    assert "asks for a pause (HTTP 429). Tried again in 3 s." in caplog.text
    assert "anna" not in caplog.text


def test_a_long_pause_is_left_to_the_orchestrator(platform) -> None:
    server, waited = platform([Answer(status=429, headers={"Retry-After": "900"})]), []
    with pytest.raises(RetriableError) as caught:
        _call(server, waited)
    assert caught.value.retry_after_seconds == 900
    assert str(caught.value).endswith("When: in 15 minutes at the earliest.")
    assert (len(server.asked), waited) == (1, [])


def test_a_server_that_is_not_there_can_be_tried_again() -> None:
    client = HttpClient(Connection("gone", "http://127.0.0.1:9", TOKEN), sleep=lambda _: None)
    with pytest.raises(RetriableError, match="cannot be reached"):
        client.get_json("x")


def test_neither_netrc_nor_a_proxy_comes_between(platform, monkeypatch, tmp_path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password stranger\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server = platform([Answer({"n": 1})])
    assert _call(server, []) == {"n": 1}
    assert server.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_an_address_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="no web address"):
        HttpClient(Connection("empty"))
