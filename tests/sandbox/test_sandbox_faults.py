"""Misbehaviour on request, as a client on the wire meets it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.server.answers import Answer, unpacked
from sandbox.server.app import SandboxServer
from sandbox.server.faults import KINDS
from sandbox.server.wire import Response, as_json
from sandbox.world import World
from tests.sandbox.conftest import running

ROOT = Path(__file__).parents[2]
DAY = "2026-11-20"
TOKEN = {"Authorization": "Bearer sandbox-token"}
Ask = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with running(World.make(7, last_day=date(2026, 11, 22), days=12, size=0.3)) as found:
        yield found


@pytest.fixture(autouse=True)
def _forgotten(server: SandboxServer) -> Iterator[None]:
    yield
    server.faults.clear()


def meta(url: str, **more: Any) -> requests.Response:
    asked = {
        "level": "campaign",
        "time_increment": "1",
        "time_range": json.dumps({"since": "2026-11-14", "until": DAY}),
        "fields": "campaign_id,spend,actions",
        "limit": "7",
        **more,
    }
    address = f"{url}/meta-ads/v26.0/act_100200300/insights"
    return requests.get(address, params=asked, headers=TOKEN, timeout=10)


def google(url: str, fields: str = "campaign.id, metrics.cost_micros") -> requests.Response:
    query = f"SELECT segments.date, {fields} FROM campaign WHERE segments.date = '{DAY}'"
    address = f"{url}/google-ads/v26/customers/1234567890/googleAds:searchStream"
    return requests.post(address, json={"query": query}, headers=TOKEN, timeout=10)


def hubspot(url: str) -> requests.Response:
    address = f"{url}/hubspot/crm/v3/objects/contacts/search"
    body = {"limit": 5, "properties": ["createdate", "contact_attempts"]}
    return requests.post(address, json=body, headers=TOKEN, timeout=10)


def tag(url: str) -> requests.Response:
    return requests.get(f"{url}/site-tag/touches/{DAY}.jsonl", headers=TOKEN, timeout=10)


def code(answer: requests.Response) -> Any:
    """The platform's own code of its refusal."""
    body = answer.json()
    if isinstance(body, list):
        return next(iter(body[0]["error"]["details"][0]["errors"][0]["errorCode"].values()))
    told = body.get("error", body)
    if isinstance(told, dict) and "code" in told:
        return (told["code"], told.get("error_subcode"))
    return told.get("policyName") or told.get("category") if isinstance(told, dict) else told


@pytest.mark.parametrize(
    ("ask", "rule", "status", "said"),
    [
        (google, {"kind": "throttle"}, 429, "RESOURCE_EXHAUSTED"),
        (
            google,
            {"kind": "throttle", "code": "RESOURCE_TEMPORARILY_EXHAUSTED"},
            429,
            "RESOURCE_TEMPORARILY_EXHAUSTED",
        ),
        (google, {"kind": "500"}, 500, "INTERNAL_ERROR"),
        (google, {"kind": "500_after_commit"}, 500, "INTERNAL_ERROR"),
        (google, {"kind": "expired_token"}, 401, "OAUTH_TOKEN_EXPIRED"),
        (google, {"kind": "revoked"}, 401, "OAUTH_TOKEN_REVOKED"),
        (google, {"kind": "sunset"}, 400, "UNSUPPORTED_VERSION"),
        (meta, {"kind": "throttle"}, 400, (80004, 2446079)),
        (meta, {"kind": "throttle", "code": 17}, 400, (17, 2446079)),
        (meta, {"kind": "throttle", "code": 613}, 400, (613, 1487742)),
        (meta, {"kind": "500"}, 500, (2, None)),
        (meta, {"kind": "expired_token"}, 400, (190, 463)),
        (meta, {"kind": "expired_token", "status": 401}, 401, (190, 463)),
        (meta, {"kind": "revoked"}, 400, (190, 458)),
        (meta, {"kind": "sunset"}, 400, (2635, None)),
        (hubspot, {"kind": "throttle"}, 429, "TEN_SECONDLY_ROLLING"),
        (hubspot, {"kind": "throttle", "code": "DAILY"}, 429, "DAILY"),
        (hubspot, {"kind": "expired_token"}, 401, "EXPIRED_AUTHENTICATION"),
        (hubspot, {"kind": "revoked"}, 401, "INVALID_AUTHENTICATION"),
        (hubspot, {"kind": "sunset"}, 410, "GONE"),
        (tag, {"kind": "throttle"}, 429, "throttle"),
        (tag, {"kind": "500"}, 500, "500"),
    ],
)
def test_each_platform_refuses_in_its_own_words_once(
    server: SandboxServer, ask: Ask, rule: dict[str, Any], status: int, said: Any
) -> None:
    server.faults.add(rule)
    answer = ask(server.url)
    assert (answer.status_code, code(answer)) == (status, said)
    assert ask(server.url).status_code == 200
    assert server.faults.as_list() == []


def test_how_long_to_wait_stands_where_the_platform_puts_it(server: SandboxServer) -> None:
    server.faults.add({"kind": "throttle", "times": None, "seconds": 90})
    failure = google(server.url).json()[0]["error"]["details"][0]["errors"][0]
    assert failure["details"]["quotaErrorDetails"]["retryDelay"] == "90s"
    usage = json.loads(meta(server.url).headers["x-business-use-case-usage"])
    assert usage["100200300"][0]["estimated_time_to_regain_access"] == 2, "minutes"
    assert hubspot(server.url).headers["Retry-After"] == "90"
    server.faults.clear()
    server.faults.add({"kind": "throttle", "seconds": 90, "header": "date"})
    told = parsedate_to_datetime(hubspot(server.url).headers["Retry-After"])
    assert 85 < told.timestamp() - time.time() <= 91
    server.faults.add({"kind": "throttle", "seconds": None})
    assert "Retry-After" not in hubspot(server.url).headers


def test_a_rule_strikes_what_it_means_and_counts(server: SandboxServer) -> None:
    rule = {
        "kind": "500",
        "platform": "meta_ads",
        "method": "GET",
        "path": "/insights$",
        "body": "campaign_id,spend",
        "after": 1,
        "times": 2,
    }
    server.faults.add([rule])
    assert google(server.url).status_code == 200
    assert meta(server.url, fields="spend").status_code == 200
    assert server.faults.as_list() == [{**rule, "platform": "meta-ads", "struck": 0}]
    assert [meta(server.url).status_code for _ in range(4)] == [200, 500, 500, 200]
    latest = server.log.as_dict()["latest"][-2]
    assert (latest["status"], latest["faults"]) == (500, ["500"])


def test_the_work_is_done_although_the_answer_says_500(server: SandboxServer) -> None:
    done: list[str] = []

    def work() -> Response:
        done.append("done")
        return as_json({"report_run_id": "1"})

    request = _request("POST")
    for kind, count in (("500", 0), ("500_after_commit", 1)):
        server.faults.add({"kind": kind, "platform": "meta-ads"})
        response, struck = server.faults.answer("meta-ads", request, work)
        assert (response.status, struck, len(done)) == (500, [kind], count)


def _request(method: str, path: str = "/v26.0/act_1/insights") -> Any:
    from sandbox.server.wire import Request

    return Request(method, path, {}, {}, b"", "http://127.0.0.1")


def test_tokens_are_only_met_by_rules_that_name_them(server: SandboxServer) -> None:
    request = _request("POST", "/oauth2/token")
    server.faults.add({"kind": "revoked", "times": None})
    assert server.faults.answer("x", request, lambda: as_json({}))[0].status == 200
    server.faults.add({"kind": "revoked", "path": "/token$"})
    response, _ = server.faults.answer("x", request, lambda: as_json({}))
    assert json.loads(response.body)["error"] == "invalid_grant"


@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_the_connection_ends_before_the_answer_does(server: SandboxServer, kind: str) -> None:
    server.faults.add({"kind": kind})
    with pytest.raises(requests.exceptions.RequestException) as caught:
        meta(server.url)
    assert "cut" not in kind or "IncompleteRead" in str(caught.value)
    assert "reset" not in kind or "reset" in str(caught.value).lower()
    assert meta(server.url).status_code == 200


def test_a_slow_answer_comes_after_the_client_left(server: SandboxServer) -> None:
    server.faults.add([{"kind": "slow", "seconds": 0.4, "times": 2}])
    began = time.monotonic()
    assert tag(server.url).status_code == 200
    assert time.monotonic() - began >= 0.4
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{server.url}/site-tag/touches/{DAY}.jsonl", headers=TOKEN, timeout=0.1)


def test_bodies_that_are_no_data(server: SandboxServer) -> None:
    whole = meta(server.url).content
    server.faults.add({"kind": "json_cut"})
    assert meta(server.url).content == whole[: len(whole) // 2]
    server.faults.add({"kind": "bom"})
    assert meta(server.url).content == b"\xef\xbb\xbf" + whole
    server.faults.add({"kind": "html"})
    page = meta(server.url)
    assert (page.status_code, page.text[:15]) == (200, "<!DOCTYPE html>")
    server.faults.add({"kind": "nan"})
    assert meta(server.url).text.count("NaN") == 1
    server.faults.add({"kind": "error_in_200", "times": 2})
    assert set(meta(server.url).json()) == {"error"}
    *stream, last = google(server.url).json()
    assert stream[0]["results"]
    assert "error" in last


def follow(url: str, most: int = 6) -> list[list[dict[str, Any]]]:
    """Pages as a client without any care reads them."""
    pages, answer = [], meta(url).json()
    while True:
        pages.append(answer["data"])
        following = answer.get("paging", {}).get("next")
        if not following or len(pages) == most:
            return pages
        answer = requests.get(following, headers=TOKEN, timeout=10).json()


def test_pages_that_lead_astray(server: SandboxServer) -> None:
    good = follow(server.url)
    assert [len(page) for page in good] == [7, 7, 7]
    server.faults.add({"kind": "duplicate_page"})
    assert follow(server.url) == [good[0], good[0], good[1], good[2]]
    server.faults.add({"kind": "duplicate_page", "keep_cursor": True})
    assert follow(server.url) == [good[0], good[0], good[2]]
    server.faults.add({"kind": "repeat_cursor", "times": None})
    assert follow(server.url) == [good[0], *[good[1]] * 5]
    server.faults.clear()
    server.faults.add({"kind": "missing_last_page", "after": 1})
    assert follow(server.url) == good[:2]
    server.faults.add({"kind": "duplicate_page", "platform": "google-ads"})
    first, second = google(server.url).json()
    assert first["results"] == second["results"]


def test_rows_that_drift(server: SandboxServer) -> None:
    server.faults.add({"kind": "drift"})
    assert all(row["brand_new_field"] for row in meta(server.url).json()["data"])
    server.faults.add({"kind": "drift", "change": "removed"})
    assert all("campaign_id" not in row for row in meta(server.url).json()["data"])
    server.faults.add({"kind": "drift", "change": "renamed", "field": "properties.createdate"})
    for row in hubspot(server.url).json()["results"]:
        assert row["properties"]["createdate_v2"]
        assert "createdate" not in row["properties"]
    server.faults.add({"kind": "drift", "change": "text"})
    rows = google(server.url).json()[0]["results"]
    assert {row["metrics"]["costMicros"] for row in rows} == {"about twelve"}
    server.faults.add({"kind": "unknown_enum", "field": "actions.0.action_type", "to": "moon"})
    assert "moon" in meta(server.url).text
    server.faults.add({"kind": "drift", "change": "removed", "platform": "site-tag"})
    assert b"occurred_at" not in tag(server.url).content


def test_a_part_of_the_rows_and_none(server: SandboxServer) -> None:
    whole = meta(server.url).json()["data"]
    server.faults.add({"kind": "partial", "share": 0.3})
    assert meta(server.url).json()["data"] == whole[:2]
    server.faults.add({"kind": "empty"})
    assert meta(server.url).json()["data"] == []
    server.faults.add({"kind": "empty"})
    assert "results" not in google(server.url).json()[0]


def test_pages_and_rows_of_a_crm_that_answers_in_csv() -> None:
    body = b'"Id","Amount"\n"00Q1","12.5"\n"00Q2",""\n'
    answer = Answer(Response(200, body, "text/csv", {"Sforce-Locator": "MTAw"}))
    assert (answer.cursor, [row["Id"] for row in answer.rows()]) == ("MTAw", ["00Q1", "00Q2"])
    assert answer.response().body == body
    answer.turn_to("")
    answer.keep(0)
    told = answer.response()
    assert (told.body, told.headers) == (b'"Id","Amount"\n', {"Sforce-Locator": "null"})
    packed = Response(200, gzip.compress(body), "text/csv", {"Content-Encoding": "gzip"})
    assert unpacked(packed) == Response(200, body, "text/csv")
    page = Answer(as_json({"records": [{"Id": "1"}], "nextRecordsUrl": "/q/1", "done": False}))
    assert page.cursor == "/q/1"
    page.turn_to("")
    assert json.loads(page.response().body) == {"records": [{"Id": "1"}], "done": True}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"kind": "meteor"}, "no such kind of fault: 'meteor'"),
        ({"kind": "500", "colour": "red"}, "a fault has no colour"),
        ({"kind": "drift", "change": "turned"}, "no such change"),
        ({"kind": "500", "path": "("}, "no regular expression"),
        ("500", "a fault is an object"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(
    server: SandboxServer, rule: Any, said: str
) -> None:
    answer = requests.post(f"{server.url}/__faults", json=[{"kind": "500"}, rule], timeout=10)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert requests.get(f"{server.url}/__faults", timeout=10).json() == [], "all or none"


def test_rules_come_and_go_over_http(server: SandboxServer) -> None:
    faults = f"{server.url}/__faults"
    posted = requests.post(faults, json={"kind": "500", "platform": "meta-ads"}, timeout=10)
    assert posted.json() == [
        {"kind": "500", "platform": "meta-ads", "after": 0, "times": 1, "struck": 0}
    ]
    assert requests.delete(faults, timeout=10).json() == []
    assert meta(server.url).status_code == 200


def test_every_kind_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "sandbox.md").read_text("utf-8")
    assert [kind for kind in KINDS if f"`{kind}`" not in page] == []


def test_the_command_line_takes_faults_and_a_day(tmp_path: Path) -> None:
    rules = tmp_path / "faults.json"
    rules.write_text('[{"kind": "revoked", "platform": "meta-ads"}]')
    command = [sys.executable, "-m", "sandbox", "serve", "--port", "0", "--days", "5"]
    command += ["--size", "0.1", "--last-day", "2026-11-22", "--today", DAY]
    process = subprocess.Popen(
        [*command, "--faults", str(rules)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = next(word for word in process.stdout.readline().split() if word.startswith("http"))
        assert requests.get(f"{url}/__now", timeout=10).json()["today"] == DAY
        assert code(meta(url)) == (190, 458)
    finally:
        process.terminate()
        process.communicate(timeout=10)
    rules.write_text('[{"kind": "meteor"}]')
    refused = subprocess.run(
        [*command, "--faults", str(rules)], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert refused.returncode == 2
    assert "no such kind of fault: 'meteor'" in refused.stderr
