"""Meta's insights over real HTTP."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox.world import World
from sandbox.world.company import SOURCES

FIELDS = (
    "account_id,account_currency,campaign_id,campaign_name,date_start,date_stop,spend,"
    "impressions,clicks,inline_link_clicks,actions,attribution_setting"
)
WINDOWS = json.dumps(["1d_click", "7d_click", "28d_click", "1d_view", "7d_view"])


def params(first: Any, last: Any, **more: Any) -> dict[str, Any]:
    return {
        "level": "campaign",
        "time_increment": 1,
        "time_range": json.dumps({"since": str(first), "until": str(last)}),
        "fields": FIELDS,
        "access_token": "sandbox-token",
        **more,
    }


def get(url: str, asked: dict[str, Any], account: str = "100200300") -> requests.Response:
    return requests.get(f"{url}/meta-ads/v26.0/act_{account}/insights", params=asked, timeout=20)


def every_page(url: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    answer = get(url, asked)
    found: list[dict[str, Any]] = []
    while True:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += body["data"]
        following = body.get("paging", {}).get("next")
        if not following:
            return found
        answer = requests.get(following, timeout=20)


def test_all_pages_together_are_the_whole_account(url: str, world: World) -> None:
    clock = world.clock
    asked = params(clock.first_day, clock.last_day, action_attribution_windows=WINDOWS)
    assert len(get(url, asked).json()["data"]) == 25, "a page holds 25 rows unless told otherwise"
    found = every_page(url, asked)
    assert len(found) == 3 * clock.days
    assert len({(row["campaign_id"], row["date_start"]) for row in found}) == len(found)
    cents = sum(
        given.cost_cents
        for (key, _), given in world.delivery.items()
        if SOURCES[key].platform == "meta"
    )
    assert sum(Decimal(row["spend"]) for row in found) * 100 == cents


def test_numbers_are_strings_and_the_roll_up_is_not_a_further_action(
    url: str, world: World
) -> None:
    clock = world.clock
    asked = params(clock.first_day, clock.last_day, action_attribution_windows=WINDOWS, limit=500)
    told: Counter[str] = Counter()
    views = 0
    for row in every_page(url, asked):
        assert all(isinstance(row[name], str) for name in ("spend", "impressions", "clicks"))
        assert row["date_start"] == row["date_stop"]
        actions = {action["action_type"]: action for action in row["actions"]}
        for name, action in actions.items():
            assert all(isinstance(value, str) for value in action.values())
            assert "7d_view" not in action, "Meta stopped returning it in January 2026"
            whole = int(action.get("7d_click", "0")) + int(action.get("1d_view", "0"))
            assert int(action["value"]) == whole
            told[name] += int(action["value"])
            views += int(action.get("1d_view", "0")) if name == "lead" else 0
    parts = told["offsite_conversion.fb_pixel_lead"] + told["onsite_conversion.lead_grouped"]
    assert told["lead"] == parts
    known = Counter(
        claim.action for claim in world.claims if SOURCES[claim.source].platform == "meta"
    )
    assert all(told[action] == count for action, count in known.items())
    assert views > 50


def test_windows_are_only_told_when_asked_for(url: str, world: World) -> None:
    day = world.clock.last_day
    for row in get(url, params(day, day)).json()["data"]:
        for action in row.get("actions", []):
            assert set(action) == {"action_type", "value"}


def test_the_account_tells_currency_and_time_zone(url: str) -> None:
    answer = requests.get(
        f"{url}/meta-ads/v26.0/act_100200300",
        params={"fields": "currency,timezone_name,account_id"},
        headers={"Authorization": "Bearer sandbox-token"},
        timeout=20,
    )
    assert answer.json() == {
        "currency": "EUR",
        "timezone_name": "Europe/Berlin",
        "account_id": "100200300",
        "id": "act_100200300",
    }


def test_a_range_outside_the_world_is_empty(url: str) -> None:
    assert get(url, params("2025-01-01", "2025-01-05")).json() == {"data": []}


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"access_token": "expired"}, 400, 190),
        ({"access_token": ""}, 400, 104),
        ({"fields": "spend,conversion_rate"}, 400, 100),
        ({"time_range": "{'since':'2026-11-01'}"}, 400, 100),
        ({"time_range": '{"since":"2026-11-02","until":"2026-11-01"}'}, 400, 100),
        ({"time_range": '{"since":"2023-10-22","until":"2023-10-23"}'}, 400, 3018),
        ({"filtering": "[{'field':'ad.name'}]"}, 400, 100),
        ({"limit": 0}, 400, 100),
        ({"after": "nonsense"}, 400, 100),
        ({"action_attribution_windows": '["3d_click"]'}, 400, 100),
    ],
)
def test_meta_refuses(url: str, changed: dict[str, Any], status: int, code: int) -> None:
    answer = get(url, params("2026-11-01", "2026-11-02") | changed)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["fbtrace_id"]


def test_another_account_and_an_old_version_are_refused(url: str) -> None:
    asked = params("2026-11-01", "2026-11-02")
    assert get(url, asked, account="42").json()["error"]["code"] == 200
    old = requests.get(f"{url}/meta-ads/v19.0/act_100200300/insights", params=asked, timeout=20)
    assert old.json()["error"]["code"] == 2635
