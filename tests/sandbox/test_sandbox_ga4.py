"""GA4's export of the world has GA4's own blind spots, and only those."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.ga4_export import CHAT, Ga4Export, write_ga4_export
from sandbox.world import World
from sandbox.world.identity import BROWSERS

LAST_DAY = date(2026, 11, 22)
LATER = LAST_DAY + timedelta(days=5)
SMALL = {"last_day": LAST_DAY, "days": 10, "size": 0.3}


@pytest.fixture(scope="module")
def small() -> World:
    return World.make(7, **SMALL)


@pytest.fixture(scope="module")
def export(small: World) -> Ga4Export:
    return Ga4Export(small)


@pytest.fixture(scope="module")
def events(small: World, export: Ga4Export) -> list[dict[str, Any]]:
    return [event for day in range(small.clock.days) for event in export.table(day, LATER)[1]]


def _params(event: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in event["event_params"]}


def test_the_same_seed_gives_the_same_files(small: World, tmp_path: Path) -> None:
    write_ga4_export(small, tmp_path / "a")
    write_ga4_export(World.make(7, **SMALL), tmp_path / "b")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 10
    assert files[-1] == "events_intraday_20261122.jsonl"
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_day_is_intraday_first_then_daily_and_grows_for_three_days(
    small: World, export: Ga4Export
) -> None:
    day = small.clock.day(3)
    tables = [export.table(3, day + timedelta(days=age)) for age in range(1, 7)]
    assert [name.startswith("events_intraday_") for name, _ in tables] == [True] + [False] * 5
    sizes = [len(rows) for _, rows in tables]
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3] == sizes[4] == sizes[5]
    assert "session_traffic_source_last_click" not in tables[0][1][0]
    assert "session_traffic_source_last_click" in tables[1][1][0]


def test_the_intraday_file_goes_when_the_daily_one_comes(small: World, tmp_path: Path) -> None:
    write_ga4_export(small, tmp_path, seen_on=LAST_DAY + timedelta(days=1))
    assert (tmp_path / "events_intraday_20261122.jsonl").exists()
    write_ga4_export(small, tmp_path, seen_on=LAST_DAY + timedelta(days=2))
    names = {path.name for path in tmp_path.iterdir()}
    assert "events_20261122.jsonl" in names
    assert not [name for name in names if "intraday" in name]


def test_rows_are_written_as_bigquery_extracts_them(small: World, tmp_path: Path) -> None:
    write_ga4_export(small, tmp_path)
    line = (tmp_path / "events_20261115.jsonl").read_text(encoding="utf-8").splitlines()[0]
    row = json.loads(line)
    assert row["event_timestamp"].isdigit()
    assert isinstance(row["is_active_user"], bool)
    assert None not in row.values()


def test_bots_that_say_who_they_are_are_filtered(
    small: World, events: list[dict[str, Any]]
) -> None:
    sent = {_params(event).get("event_id") for event in events}
    honest = {
        item.event_id
        for item in small.submissions
        if item.kind == "bot" and item.user_agent not in BROWSERS
    }
    assert len(honest) > 20
    assert not honest & sent


def test_blocked_visits_are_missing_and_denied_ones_have_no_id(
    small: World, events: list[dict[str, Any]]
) -> None:
    denied = [event for event in events if event["user_pseudo_id"] is None]
    assert len(denied) > 10
    assert {event["privacy_info"]["analytics_storage"] for event in denied} == {"No"}
    assert not any("ga_session_id" in _params(event) for event in denied)
    known = {event["user_pseudo_id"] for event in events} - {None}
    recorded = {touch.client_id for touch in small.touches if touch.is_recorded}
    assert 0.85 < len(known) / len(recorded) < 0.99
    assert known <= recorded


def test_some_events_are_there_twice_and_some_without_the_sites_id(
    events: list[dict[str, Any]],
) -> None:
    submissions = [event for event in events if event["event_name"] == "brochure"]
    keys = Counter(
        (event["user_pseudo_id"], event["event_timestamp"], event["batch_event_index"])
        for event in submissions
    )
    assert max(keys.values()) > 1
    assert any(event["batch_event_index"] > 1 for event in submissions)
    assert any("event_id" not in _params(event) for event in submissions)


def test_only_ga4_sees_the_chat(small: World, events: list[dict[str, Any]]) -> None:
    assert sum(event["event_name"] == CHAT for event in events) > 5
    assert CHAT not in {event.submission.event_name for event in small.tag_events}


def test_a_direct_session_repeats_the_browsers_last_campaign(
    events: list[dict[str, Any]],
) -> None:
    repeated = [
        event
        for event in events
        if event["event_name"] == "page_view"
        and event["session_traffic_source_last_click"]
        and event["collected_traffic_source"] is None
        and "über" not in _params(event)["page_location"]
        and "%C3" not in _params(event)["page_location"]
    ]
    assert repeated
