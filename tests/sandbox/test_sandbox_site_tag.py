"""The company's own tag files over real HTTP, the request log, and the plain server."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from sandbox.world import World
from sandbox.world.model import DAY

EVENT_FIELDS = [
    "observer",
    "event_id",
    "event_name",
    "occurred_at",
    "client_id",
    "email",
    "phone",
    "ip",
    "page_url",
    "form_id",
    "referrer",
    "user_agent",
    "is_test",
]
TOUCH_FIELDS = ["touch_id", "occurred_at", "client_id", "page_url", "referrer", "is_bounce"]


def lines(client: requests.Session, url: str, kind: str, day: Any) -> list[dict[str, Any]]:
    answer = client.get(f"{url}/site-tag/{kind}/{day}.jsonl", timeout=20)
    assert answer.status_code == 200
    assert answer.text.endswith("\n")
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize("index", [0, 40, 61, 89])
def test_a_days_file_holds_that_day(
    client: requests.Session, url: str, world: World, index: int
) -> None:
    day = world.clock.day(index)
    events = lines(client, url, "tag-events", day)
    assert len(events) == sum(int(event.at // DAY) == index for event in world.tag_events)
    for row in events:
        assert list(row) == EVENT_FIELDS
        moment = datetime.fromisoformat(row["occurred_at"])
        assert moment.tzinfo is not None
        assert moment.date() == day
        assert row["page_url"].startswith("https://www.sunmoor.example/")
    assert {row["observer"] for row in events} == {"site_tag", "server_log"}
    touches = lines(client, url, "touches", day)
    assert all(list(row) == TOUCH_FIELDS for row in touches)
    seen = [touch for touch in world.touches if touch.is_recorded and touch.at // DAY == index]
    assert len(touches) == len(seen)


def test_urls_carry_all_click_ids_and_untidy_tags(
    client: requests.Session, url: str, world: World
) -> None:
    rows: list[dict[str, Any]] = []
    for index in range(30, 36):
        rows += lines(client, url, "touches", world.clock.day(index))
    text = "\n".join(row["page_url"] for row in rows)
    for mark in ("gclid=", "gbraid=", "fbclid=", "msclkid=", "utm_campaign=", "utm_id="):
        assert mark in text
    assert "utm_source=Facebook" in text
    assert "utm_source=%20" in text
    assert any("gclid=" in row["page_url"] and "utm_" not in row["page_url"] for row in rows)


def test_a_day_outside_the_world_is_not_there(
    client: requests.Session, url: str, world: World
) -> None:
    for day in (world.clock.last_day + timedelta(days=1), "2026-02-30"):
        answer = client.get(f"{url}/site-tag/tag-events/{day}.jsonl", timeout=20)
        assert answer.status_code == 404
    assert requests.get(f"{url}/site-tag/touches/{world.clock.last_day}.jsonl", timeout=20
                        ).status_code == 401  # fmt: skip


def test_the_log_counts_requests_and_keeps_no_token(
    client: requests.Session, url: str, world: World
) -> None:
    client.delete(f"{url}/__requests", timeout=20)
    assert client.get(f"{url}/__requests", timeout=20).json()["total"] == 0
    lines(client, url, "touches", world.clock.last_day)
    requests.get(f"{url}/meta-ads/v26.0/act_1", params={"access_token": "secret"}, timeout=20)
    told = client.get(f"{url}/__requests", timeout=20)
    assert told.json()["counts"] == {"/site-tag": 1, "/meta-ads": 1}
    assert told.json()["latest"][-1]["status"] == 400
    assert "secret" not in told.text


def test_health_names_the_world(url: str, world: World) -> None:
    told = requests.get(f"{url}/health", timeout=20).json()
    assert told["status"] == "ok"
    assert (told["first_day"], told["last_day"]) == ("2026-08-25", "2026-11-22")
    assert told["seed"] == world.seed


def test_an_unknown_platform_is_not_found(url: str) -> None:
    assert requests.get(f"{url}/tiktok/whatever", timeout=20).status_code == 404
