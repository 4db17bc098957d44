"""Google's own client and types: they read what the sandbox says, over REST and over gRPC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.server.app import SandboxServer
from sandbox.server.google_accounts import CLOSED_ACCOUNT, MANAGER, US_ACCOUNT
from sandbox.server.google_grpc import GoogleAdsGrpc
from sandbox.server.wire import TOKEN
from sandbox.world import World
from sandbox.world.company import GOOGLE_ACCOUNT
from tests.sandbox.test_sandbox_google_ads import CLAIMS, CLICKS, DELIVERY
from trueline.sources.google_ads import constants

FIRST, LAST = "2026-10-20", "2026-11-22"
QUERIES = {
    "delivery of all fields": DELIVERY.format(first=FIRST, last=LAST),
    "claims of all fields": CLAIMS.format(first=FIRST, last=LAST),
    "clicks of all fields": CLICKS.format(day=LAST),
    "our customer": constants.CUSTOMER,
    "our actions": constants.ACTIONS,
    "our delivery": constants.DELIVERY.format(first=FIRST, last=LAST),
    "our claims": constants.CLAIMS.format(first=FIRST, last=LAST),
    "our clicks": constants.CLICKS.format(day=LAST),
    "nothing": DELIVERY.format(first="2027-01-01", last="2027-01-02"),
    "sums": f"SELECT metrics.conversions FROM customer WHERE segments.date = '{LAST}'",
}
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def sdk(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Ask through Google's client."""
    certificate = tmp_path_factory.mktemp("grpc") / "certificate.pem"
    server = SandboxServer(world, 0)
    door = GoogleAdsGrpc(server.answer, certificate)
    reader = subprocess.Popen(
        [sys.executable, "-m", "tests.sandbox.google_sdk_reader", door.endpoint],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificate)},
        cwd=Path(__file__).parents[2],
    )
    assert reader.stdin
    assert reader.stdout
    lines_in, lines_out = reader.stdin, reader.stdout

    def ask(query: str, customer: str = GOOGLE_ACCOUNT, **more: str) -> dict[str, Any]:
        lines_in.write(json.dumps({"query": query, "customer": customer, **more}) + "\n")
        lines_in.flush()
        answer: dict[str, Any] = json.loads(lines_out.readline())
        return answer

    yield ask
    lines_in.close()
    assert reader.wait(20) == 0
    lines_out.close()
    door.close()
    server.server_close()


def _rest(
    client: requests.Session, url: str, query: str, customer: str = GOOGLE_ACCOUNT, **more: Any
) -> Any:
    path = f"{url}/google-ads/v26/customers/{customer}/googleAds:searchStream"
    return client.post(path, json={"query": query}, timeout=20, **more).json()


@pytest.mark.parametrize("name", list(QUERIES))
def test_googles_client_reads_the_same_over_grpc(
    client: requests.Session, url: str, sdk: Ask, name: str
) -> None:
    over_rest = _rest(client, url, QUERIES[name])
    over_grpc = sdk(QUERIES[name])["batches"]
    for batch in (*over_rest, *over_grpc):
        assert batch.pop("requestId")
    assert over_grpc == over_rest
    assert ("results" in over_rest[0]) is (name != "nothing")


@pytest.mark.parametrize("name", list(QUERIES))
def test_every_rest_answer_is_what_googles_types_would_write(
    client: requests.Session, url: str, name: str
) -> None:
    """Strictly: an unknown field, a word of no enumeration or an int64 as a number would fail."""
    from google.ads.googleads.v26.services.types import google_ads_service
    from google.protobuf import json_format

    kind = google_ads_service.SearchGoogleAdsStreamResponse
    for told in _rest(client, url, QUERIES[name]):
        message = kind()
        json_format.ParseDict(told, kind.pb(message))
        assert json_format.MessageToDict(kind.pb(message)) == told


def test_a_manager_and_a_client_account_over_grpc(sdk: Ask) -> None:
    children = sdk(constants.CHILDREN, MANAGER)["batches"][0]["results"]
    assert [each["customerClient"]["id"] for each in children] == [
        MANAGER,
        GOOGLE_ACCOUNT,
        US_ACCOUNT,
        CLOSED_ACCOUNT,
    ]
    found = sdk(constants.CUSTOMER, US_ACCOUNT, login=MANAGER)["batches"][0]["results"]
    assert found[0]["customer"]["currencyCode"] == "USD"


def test_googles_client_turns_pages(
    client: requests.Session, url: str, sdk: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.server.google_ads.PAGE", 40)
    rows = sdk(QUERIES["our delivery"], method="search")["rows"]
    assert len(rows) > 80
    assert rows == _rest(client, url, QUERIES["our delivery"])[0]["results"]


REFUSED = {
    "closed account": ({"customer": CLOSED_ACCOUNT, "login": MANAGER}, constants.CUSTOMER),
    "no permission": ({"customer": US_ACCOUNT}, constants.CUSTOMER),
    "wrong token": ({"token": "wrong"}, constants.CUSTOMER),
    "unknown field": ({}, "SELECT metrics.conversion FROM campaign"),
    "two days of clicks": ({}, "SELECT click_view.gclid FROM click_view"),
    "old days": (
        {},
        "SELECT segments.date, metrics.clicks FROM campaign "
        "WHERE segments.date BETWEEN '2022-01-01' AND '2022-01-02'",
    ),
    "an action beside cost": (
        {},
        "SELECT segments.conversion_action, metrics.cost_micros FROM campaign "
        f"WHERE segments.date = '{LAST}'",
    ),
    "metrics of a manager": ({"customer": MANAGER}, "SELECT metrics.clicks FROM campaign"),
    "no query": ({}, "SELECT"),
    "a bad list": ({}, "SELECT campaign.id FROM campaign WHERE campaign.id IN 5"),
    "a bad date": ({}, "SELECT campaign.id FROM campaign WHERE segments.date = 'yesterday'"),
    "a bad comparison": ({}, f"SELECT campaign.id FROM campaign WHERE segments.date != '{LAST}'"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_refusals_are_googles_failure_over_both_doors(
    client: requests.Session, url: str, sdk: Ask, name: str
) -> None:
    from google.ads.googleads.v26.errors.types import errors
    from google.protobuf import json_format

    more, query = REFUSED[name]
    headers = {"login-customer-id": more["login"]} if "login" in more else {}
    headers["Authorization"] = f"Bearer {more.get('token', TOKEN)}"
    customer = more.get("customer", GOOGLE_ACCOUNT)
    (told,) = _rest(client, url, query, customer, headers=headers)
    (detail,) = told["error"]["details"]
    assert detail.pop("@type") == (
        "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure"
    )
    message = errors.GoogleAdsFailure()
    json_format.ParseDict(detail, errors.GoogleAdsFailure.pb(message))
    assert json_format.MessageToDict(errors.GoogleAdsFailure.pb(message)) == detail
    over_grpc = sdk(query, **{"customer": customer, **more})
    assert over_grpc["code"] == told["error"]["status"]
    assert over_grpc["request_id"] == over_grpc["failure"].pop("requestId")
    assert detail.pop("requestId")
    assert over_grpc["failure"] == detail


def test_an_older_version_of_googles_client_is_told_so(sdk: Ask) -> None:
    told = sdk(constants.CUSTOMER, version="v25")["failure"]["errors"][0]
    assert told["errorCode"] == {"requestError": "UNSUPPORTED_VERSION"}
