"""Google Ads over real HTTP: what its REST API says, and what it refuses."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
import requests

from sandbox.server.google_accounts import CLOSED_ACCOUNT, MANAGER, US_ACCOUNT
from sandbox.world import World
from sandbox.world.company import GOOGLE_ACCOUNT, SOURCES
from sandbox.world.model import DAY

DELIVERY = """
    SELECT segments.date, customer.id, customer.currency_code, customer.time_zone,
           campaign.id, campaign.name, campaign.status, campaign.advertising_channel_type,
           metrics.cost_micros, metrics.clicks, metrics.impressions,
           metrics.conversions, metrics.conversions_value, metrics.all_conversions
    FROM campaign
    WHERE segments.date BETWEEN '{first}' AND '{last}'
"""
CLAIMS = """
    SELECT segments.date, customer.id, campaign.id,
           segments.conversion_action, segments.conversion_action_name,
           segments.conversion_action_category,
           metrics.conversions, metrics.conversions_value, metrics.all_conversions,
           metrics.all_conversions_value, metrics.conversions_by_conversion_date,
           metrics.all_conversions_by_conversion_date
    FROM campaign
    WHERE segments.date BETWEEN '{first}' AND '{last}'
"""
CLICKS = """
    SELECT segments.date, click_view.gclid, click_view.ad_group_ad, click_view.keyword,
           click_view.keyword_info.text, click_view.page_number, campaign.id, ad_group.id,
           metrics.clicks
    FROM click_view
    WHERE segments.date = '{day}'
"""


def ask(
    client: requests.Session, url: str, query: str, *, customer: str = "1234567890", **more: Any
) -> requests.Response:
    path = f"{url}/google-ads/v26/customers/{customer}/googleAds:searchStream"
    return client.post(path, json={"query": query}, timeout=20, **more)


def rows(answer: requests.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    chunks = answer.json()
    assert isinstance(chunks, list)
    return [row for chunk in chunks for row in chunk.get("results", [])]


def error_code(answer: requests.Response) -> dict[str, str]:
    body = answer.json()
    assert isinstance(body, list)
    assert body[0]["error"]["code"] == answer.status_code
    details = body[0]["error"]["details"][0]
    assert details["@type"].endswith("GoogleAdsFailure")
    assert details["requestId"]
    code: dict[str, str] = details["errors"][0]["errorCode"]
    return code


def test_delivery_has_googles_types_and_the_worlds_spend(
    client: requests.Session, url: str, world: World
) -> None:
    clock = world.clock
    found = rows(ask(client, url, DELIVERY.format(first=clock.first_day, last=clock.last_day)))
    assert len(found) == 3 * clock.days
    first = found[0]
    assert first["customer"] == {
        "resourceName": "customers/1234567890",
        "id": "1234567890",
        "currencyCode": "EUR",
        "timeZone": "Europe/Berlin",
    }
    assert first["campaign"]["advertisingChannelType"] == "SEARCH"
    for name in ("costMicros", "clicks", "impressions"):
        assert isinstance(first["metrics"][name], str), "int64 is a string in JSON"
    assert {type(row["metrics"]["conversions"]) for row in found} == {int, float}, "12, not 12.0"
    micros = sum(int(row["metrics"]["costMicros"]) for row in found)
    cents = sum(
        given.cost_cents
        for (key, _), given in world.delivery.items()
        if SOURCES[key].platform == "google"
    )
    assert micros == cents * 10_000


def test_claims_by_action_add_up_to_the_worlds_claims(
    client: requests.Session, url: str, world: World
) -> None:
    clock = world.clock
    found = rows(ask(client, url, CLAIMS.format(first=clock.first_day, last=clock.last_day)))
    told: Counter[str] = Counter()
    for row in found:
        number = row["segments"]["conversionAction"].rsplit("/", 1)[1]
        told[number] += round(row["metrics"]["conversionsByConversionDate"] * 100)
        assert "costMicros" not in row["metrics"]
    known: Counter[str] = Counter()
    for claim in world.claims:
        if SOURCES[claim.source].platform == "google":
            known[claim.action] += claim.hundredths
    assert told == known
    assert set(told) == {"7001", "7002", "7003"}
    assert {row["segments"]["conversionActionName"] for row in found} == {
        "Lead form",
        "Call booked",
        "Brochure download",
    }


def test_click_view_gives_every_gclid_of_one_day(
    client: requests.Session, url: str, world: World
) -> None:
    index = 50
    found = rows(ask(client, url, CLICKS.format(day=world.clock.day(index))))
    known = {
        touch.click_id: SOURCES[touch.source].campaign_id
        for touch in world.touches
        if touch.click_id_type == "gclid" and touch.at // DAY == index
    }
    assert {row["clickView"]["gclid"]: row["campaign"]["id"] for row in found} == known


def test_a_day_without_rows_is_an_empty_answer_not_an_error(
    client: requests.Session, url: str, world: World
) -> None:
    day = world.clock.last_day + timedelta(days=3)
    answer = ask(client, url, DELIVERY.format(first=day, last=day))
    assert rows(answer) == []
    assert "fieldMask" in answer.json()[0]


def test_conditions_order_and_limit_are_obeyed(
    client: requests.Session, url: str, world: World
) -> None:
    day = world.clock.last_day
    found = rows(
        ask(
            client,
            url,
            "SELECT campaign.id, metrics.clicks FROM campaign WHERE segments.date >= "
            f"'{day}' AND segments.date <= '{day}' AND campaign.id IN (20871100402, 20871100403) "
            "AND campaign.status != 'REMOVED' ORDER BY campaign.id DESC LIMIT 1",
        )
    )
    assert [row["campaign"]["id"] for row in found] == ["20871100403"]


def test_the_account_and_its_actions_can_be_asked(client: requests.Session, url: str) -> None:
    account = rows(ask(client, url, "SELECT customer.id, customer.time_zone FROM customer"))
    assert account == [
        {
            "customer": {
                "resourceName": "customers/1234567890",
                "id": "1234567890",
                "timeZone": "Europe/Berlin",
            }
        }
    ]
    actions = rows(
        ask(
            client,
            url,
            "SELECT conversion_action.id, conversion_action.type, "
            "conversion_action.click_through_lookback_window_days FROM conversion_action",
        )
    )
    assert actions[0]["conversionAction"] == {
        "resourceName": "customers/1234567890/conversionActions/7001",
        "id": "7001",
        "type": "WEBPAGE",
        "clickThroughLookbackWindowDays": "30",
    }


DAY_RANGE = "WHERE segments.date BETWEEN '2026-11-01' AND '2026-11-02'"


@pytest.mark.parametrize(
    ("query", "family", "code"),
    [
        (
            f"SELECT segments.conversion_action, metrics.cost_micros FROM campaign {DAY_RANGE}",
            "queryError",
            "PROHIBITED_SEGMENT_WITH_METRIC_IN_SELECT_OR_WHERE_CLAUSE",
        ),
        (
            "SELECT click_view.gclid FROM click_view WHERE segments.date BETWEEN "
            "'2026-11-01' AND '2026-11-02'",
            "clickViewError",
            "EXPECTED_FILTER_ON_A_SINGLE_DAY",
        ),
        (
            "SELECT click_view.gclid FROM click_view",
            "clickViewError",
            "EXPECTED_FILTER_ON_A_SINGLE_DAY",
        ),
        (
            "SELECT click_view.gclid FROM click_view WHERE segments.date = '2026-08-01'",
            "clickViewError",
            "DATE_TOO_OLD",
        ),
        (
            f"SELECT metrics.conversion FROM campaign {DAY_RANGE}",
            "queryError",
            "UNRECOGNIZED_FIELD",
        ),
        (
            "SELECT metrics.clicks FROM conversion_action",
            "queryError",
            "PROHIBITED_METRIC_IN_SELECT_OR_WHERE_CLAUSE",
        ),
        (
            "SELECT campaign.id FROM customer",
            "queryError",
            "PROHIBITED_RESOURCE_TYPE_IN_SELECT_CLAUSE",
        ),
        (
            "SELECT customer.id FROM customer WHERE campaign.id = 1",
            "queryError",
            "PROHIBITED_RESOURCE_TYPE_IN_WHERE_CLAUSE",
        ),
        (
            "SELECT segments.date, metrics.clicks FROM campaign "
            "WHERE segments.date BETWEEN '2023-01-01' AND '2026-11-02'",
            "dateRangeError",
            "REQUESTED_DATE_GRANULARITY_NOT_SUPPORTED",
        ),
        ("SELECT customer.id FROM nowhere", "queryError", "BAD_RESOURCE_TYPE_IN_FROM_CLAUSE"),
        ("SELECT segments.date FROM campaign", "queryError", "EXPECTED_FILTERS_ON_DATE_RANGE"),
        ("FROM campaign SELECT campaign.id", "queryError", "EXPECTED_SELECT"),
        ("SELECT campaign.id FROM campaign LIMIT 0", "queryError", "BAD_LIMIT_VALUE"),
        ("SELECT campaign.id FROM campaign;", "queryError", "UNEXPECTED_INPUT"),
    ],
)
def test_google_refuses(
    client: requests.Session, url: str, query: str, family: str, code: str
) -> None:
    answer = ask(client, url, query)
    assert answer.status_code == 400
    assert error_code(answer) == {family: code}


def test_wrong_keys_and_doors_are_refused(client: requests.Session, url: str) -> None:
    query = "SELECT customer.id FROM customer"
    wrong = ask(client, url, query, headers={"Authorization": "Bearer expired"})
    assert wrong.status_code == 401
    assert error_code(wrong) == {"authenticationError": "OAUTH_TOKEN_INVALID"}
    other = ask(client, url, query, customer="9999999999")
    assert other.status_code == 403
    assert error_code(other) == {"authorizationError": "USER_PERMISSION_DENIED"}
    dashed = ask(client, url, query, customer="123-456-7890")
    assert error_code(dashed) == {"requestError": "INVALID_CUSTOMER_ID"}
    lost = client.get(f"{url}/google-ads/v26/customers/1234567890", timeout=20)
    assert lost.status_code == 404
    assert "text/html" in lost.headers["content-type"]


@pytest.mark.parametrize("version", ["v20", "v25"])
def test_older_versions_are_switched_off(client: requests.Session, url: str, version: str) -> None:
    path = f"{url}/google-ads/{version}/customers/1234567890/googleAds:searchStream"
    old = client.post(path, json={"query": "SELECT customer.id FROM customer"}, timeout=20)
    assert error_code(old) == {"requestError": "UNSUPPORTED_VERSION"}
    assert f".{version}.errors." in old.json()[0]["error"]["details"][0]["@type"]


def test_a_version_that_does_not_exist_yet_is_no_address(
    client: requests.Session, url: str
) -> None:
    path = f"{url}/google-ads/v27/customers/1234567890/googleAds:searchStream"
    new = client.post(path, json={"query": "SELECT customer.id FROM customer"}, timeout=20)
    assert new.status_code == 404
    assert "text/html" in new.headers["content-type"]


def test_nobody_sets_the_size_of_a_page(client: requests.Session, url: str) -> None:
    query = "SELECT customer.id FROM customer"
    stream = f"{url}/google-ads/v26/customers/1234567890/googleAds:searchStream"
    unknown = client.post(stream, json={"query": query, "pageSize": 10}, timeout=20)
    assert unknown.status_code == 400
    assert 'Unknown name "pageSize"' in unknown.json()[0]["error"]["message"]
    search = f"{url}/google-ads/v26/customers/1234567890/googleAds:search"
    set_size = client.post(search, json={"query": query, "page_size": 10}, timeout=20).json()
    told = set_size["error"]["details"][0]["errors"][0]["errorCode"]
    assert told == {"requestError": "PAGE_SIZE_NOT_SUPPORTED"}


def test_search_answers_page_by_page(
    client: requests.Session, url: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.server.google_ads.PAGE", 100)
    clock = world.clock
    query = DELIVERY.format(first=clock.first_day, last=clock.last_day)
    search = f"{url}/google-ads/v26/customers/1234567890/googleAds:search"
    found, token = [], ""
    for _ in range(3):
        body = {"query": query} | ({"pageToken": token} if token else {})
        page = client.post(search, json=body, timeout=20).json()
        found += page["results"]
        token = page.get("nextPageToken", "")
    assert token == ""
    assert found == rows(ask(client, url, query))
    other = {"query": "SELECT customer.id FROM customer", "pageToken": "bm9uZQ=="}
    told = client.post(search, json=other, timeout=20).json()["error"]["details"][0]["errors"][0]
    assert told["errorCode"] == {"requestError": "INVALID_PAGE_TOKEN"}


def test_a_client_account_is_reached_through_its_manager(
    client: requests.Session, url: str
) -> None:
    query = "SELECT customer.id, customer.currency_code FROM customer"
    alone = ask(client, url, query, customer=US_ACCOUNT)
    assert error_code(alone) == {"authorizationError": "USER_PERMISSION_DENIED"}
    through = ask(client, url, query, customer=US_ACCOUNT, headers={"login-customer-id": MANAGER})
    assert rows(through)[0]["customer"]["currencyCode"] == "USD"
    wrong = {"login-customer-id": GOOGLE_ACCOUNT}
    other = ask(client, url, query, customer=US_ACCOUNT, headers=wrong)
    assert error_code(other) == {"authorizationError": "USER_PERMISSION_DENIED"}
    dashed = ask(client, url, query, headers={"login-customer-id": "777-000-0001"})
    assert error_code(dashed) == {"headerError": "INVALID_LOGIN_CUSTOMER_ID"}


def test_a_manager_names_its_accounts_and_has_no_figures(
    client: requests.Session, url: str
) -> None:
    query = (
        "SELECT customer_client.id, customer_client.level, customer_client.manager, "
        "customer_client.status FROM customer_client"
    )
    found = rows(ask(client, url, query, customer=MANAGER))
    assert [row["customerClient"] for row in found] == [
        {
            "resourceName": f"customers/{MANAGER}/customerClients/{number}",
            "id": number,
            "level": level,
            "manager": number == MANAGER,
            "status": status,
        }
        for number, level, status in (
            (MANAGER, "0", "ENABLED"),
            (GOOGLE_ACCOUNT, "1", "ENABLED"),
            (US_ACCOUNT, "1", "ENABLED"),
            (CLOSED_ACCOUNT, "1", "CANCELED"),
        )
    ]
    only = rows(
        ask(client, url, f"{query} WHERE customer_client.manager = FALSE", customer=MANAGER)
    )
    assert len(only) == 3
    figures = ask(client, url, f"SELECT metrics.clicks FROM campaign {DAY_RANGE}", customer=MANAGER)
    assert error_code(figures) == {"queryError": "REQUESTED_METRICS_FOR_MANAGER"}


def test_a_closed_account_is_closed(client: requests.Session, url: str) -> None:
    query = "SELECT customer.id FROM customer"
    headers = {"login-customer-id": MANAGER}
    closed = ask(client, url, query, customer=CLOSED_ACCOUNT, headers=headers)
    assert closed.status_code == 403
    assert error_code(closed) == {"authorizationError": "CUSTOMER_NOT_ENABLED"}


def test_an_account_adds_up_its_campaigns(client: requests.Session, url: str) -> None:
    asked = f"SELECT segments.date, metrics.cost_micros FROM {{}} {DAY_RANGE}"
    sums: dict[str, Counter[str]] = {}
    for resource in ("customer", "campaign"):
        sums[resource] = Counter()
        for row in rows(ask(client, url, asked.format(resource))):
            sums[resource][row["segments"]["date"]] += int(row["metrics"]["costMicros"])
    assert len(sums["customer"]) == 2
    assert sums["customer"] == sums["campaign"]


def test_days_of_the_platform_are_the_accounts_days(world: World) -> None:
    assert world.clock.zone.key == "Europe/Berlin"
    assert world.clock.local(0).utcoffset() == timedelta(hours=2)
    assert world.clock.day(0) == date(2026, 8, 25)
