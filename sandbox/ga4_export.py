"""GA4's BigQuery export of the world: one table a day, as it stands on the morning of some day.

It is another observer of the same people, with GA4's own blind spots. It filters the bots that say
who they are, loses what blockers stop, keeps the ids of those who refused consent to itself, writes
some events twice, and adds to a day's table for three more days. One thing only GA4 sees: the chat.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from sandbox.server.site_tag import page_url
from sandbox.world import World
from sandbox.world.company import NONE, OFFICE_IP, SITE, SOURCES
from sandbox.world.identity import BROWSERS
from sandbox.world.model import DAY, MINUTE, Submission, Touch

#: GA4 recommends a name for what the own tag calls lead_form.
EVENT_NAMES = {"lead_form": "generate_lead", "call_booking": "call_booking", "brochure": "brochure"}
CHAT = "chat_start"
SESSION_ENDS_AFTER = 30 * MINUTE
LONGEST_ADDRESS = 1000
_SEARCH = ("google.", "bing.", "duckduckgo.")
#: What an intraday table does not have.
_DAILY_ONLY = (
    "session_traffic_source_last_click",
    "traffic_source",
    "batch_event_index",
    "batch_page_id",
    "batch_ordering_id",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Event = dict[str, Any]


def _param(key: str, value: str | int) -> Event:
    field = "string_value" if isinstance(value, str) else "int_value"
    return {"key": key, "value": {field: value}}


def _collected(touch: Touch) -> Event:
    """What the landing page told, or what GA4 made of the referrer."""
    query = {key: values[0].strip() for key, values in parse_qs(touch.query).items()}
    found = {
        "manual_campaign_id": query.get("utm_id"),
        "manual_campaign_name": query.get("utm_campaign"),
        "manual_source": query.get("utm_source"),
        "manual_medium": query.get("utm_medium"),
        "gclid": query.get("gclid"),
    }
    host = urlsplit(touch.referrer).hostname or ""
    if host and not any(found.values()):
        is_search = any(name in host for name in _SEARCH)
        found["manual_source"] = host.removeprefix("www.").split(".")[0] if is_search else host
        found["manual_medium"] = "organic" if is_search else "referral"
    return {key: value for key, value in found.items() if value}


def _last_click(touch: Touch, collected: Event) -> Event:
    """The session's campaign as GA4 attributes it."""
    manual = {
        key.removeprefix("manual_"): value
        for key, value in collected.items()
        if key.startswith("manual_")
    }
    if "gclid" not in collected or SOURCES[touch.source].campaign_id == NONE:
        return {"manual_campaign": manual}
    source = SOURCES[touch.source]
    ads = {"campaign_id": source.campaign_id, "campaign_name": source.campaign_name}
    return {"manual_campaign": manual, "google_ads_campaign": ads}


class Ga4Export:
    """The export of one world.

    Every event has the day of the event and the number of days it arrives late.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._days: dict[int, list[tuple[int, Event]]] = defaultdict(list)
        self._seen: set[str] = set()
        self._campaigns: dict[str, Event] = {}
        self._first: dict[str, Event] = {}
        by_touch: dict[str, list[Submission]] = defaultdict(list)
        for item in world.submissions:
            by_touch[item.touch.touch_id].append(item)
        for touch in world.touches:
            if touch.touch_id not in self._seen:
                self._seen.add(touch.touch_id)
                self._visit(touch, by_touch[touch.touch_id])
        for rows in self._days.values():
            rows.sort(key=lambda row: (row[1]["event_timestamp"], json.dumps(row[1])))

    def table(self, index: int, seen_on: date) -> tuple[str, list[Event]]:
        """Name and rows of one day's table on the morning of a day.

        The daily table is not there before the second morning; until then there is an intraday one.
        """
        day = self._world.clock.day(index)
        age = (seen_on - day).days
        rows = [event for late, event in self._days[index] if late < age]
        if age >= 2:
            return f"events_{day:%Y%m%d}", rows
        return f"events_intraday_{day:%Y%m%d}", [_as_intraday(event) for event in rows]

    def _visit(self, touch: Touch, submissions: list[Submission]) -> None:
        rng = random.Random(f"{self._world.seed}:ga4:{touch.touch_id}")
        if any(item.kind == "bot" and item.user_agent not in BROWSERS for item in submissions):
            return
        is_denied = not touch.is_recorded and rng.random() < 0.35
        if not touch.is_recorded and not is_denied:
            return
        if touch.is_recorded and rng.random() < 0.06:
            return  # GA4 stands on more block lists than the company's own tag
        session = _Session(self, touch, touch.at, rng, is_denied=is_denied)
        session.start()
        if not touch.is_bounce:
            session.add("page_view", 40, {"page_location": f"{SITE}/{quote('über-uns')}"})
            session.add("user_engagement", 55, {"session_engaged": "1"})
            if rng.random() < 0.03:
                session.add(CHAT, 70, {"event_id": f"c{rng.getrandbits(64):016x}"})
        for item in sorted(submissions, key=lambda each: each.at):
            if item.at - session.began > SESSION_ENDS_AFTER:
                session = _Session(self, touch, item.at - 20, rng, is_denied=is_denied)
                session.start(with_origin=False)
            session.submit(item)

    def keep(self, at: float, event: Event, rng: random.Random) -> None:
        """Into the day's table, a few of them days late."""
        late = rng.choice((1, 2, 3)) if rng.random() < 0.03 else 0
        if at < self._world.clock.now:
            self._days[int(at // DAY)].append((late, event))

    def moment(self, at: float) -> datetime:
        return self._world.clock.utc(at)

    def event_date(self, at: float) -> str:
        return f"{self._world.clock.local(at):%Y%m%d}"

    def attributed(self, client: str, own: Event) -> Event:
        """GA4's session campaign: a direct session repeats the browser's last one."""
        if any(own.values()):
            self._campaigns[client] = own
        return self._campaigns.get(client, own)

    def first_source(self, client: str, own: Event) -> Event:
        """How the browser came the very first time, on all of its events."""
        manual = own.get("manual_campaign", {})
        first = {
            "name": manual.get("campaign_name", "(direct)"),
            "medium": manual.get("medium", "(none)"),
            "source": manual.get("source", "(direct)"),
        }
        return self._first.setdefault(client, first)


class _Session:
    """One session's events."""

    def __init__(
        self, export: Ga4Export, touch: Touch, began: float, rng: random.Random, *, is_denied: bool
    ) -> None:
        self.began = began
        self._export, self._touch, self._rng, self._is_denied = export, touch, rng, is_denied
        self._number = 0
        self._last_click: Event = {}

    def start(self, *, with_origin: bool = True) -> None:
        """The automatic events, then the page; only the page's event tells the campaign."""
        touch = self._touch
        collected = _collected(touch) if with_origin else {}
        own = _last_click(touch, collected) if collected else {}
        self._last_click = self._export.attributed(touch.client_id, own)
        landing = page_url(touch.page_path, touch.query if with_origin else "")
        page: dict[str, str | int] = {"page_location": landing[:LONGEST_ADDRESS]}
        if with_origin and touch.referrer:
            page["page_referrer"] = touch.referrer
        if not self._is_denied:
            self.add("session_start", 0, {"page_location": landing[:LONGEST_ADDRESS]})
        self.add("page_view", 0.05, page, collected)

    def submit(self, item: Submission) -> None:
        address = page_url(item.page_path, item.query)[:LONGEST_ADDRESS]
        given: dict[str, str | int] = {"page_location": address, "form_id": item.form_id}
        if self._rng.random() < 0.9:  # an old page sends no id
            given["event_id"] = item.event_id
        if item.is_test:
            given["debug_mode"] = 1
        if item.ip == OFFICE_IP:
            given["traffic_type"] = "internal"
        collected = _collected(self._touch) if item.query else {}
        name = EVENT_NAMES[item.event_name]
        after = item.at - self.began + 0.4
        event = self.add(name, after, given, collected)
        if self._rng.random() < 0.02:  # written twice by the export
            self._export.keep(self.began + after, event, self._rng)
        if self._rng.random() < 0.02:  # sent twice by two tags on one page
            twin = {**event, "batch_event_index": event["batch_event_index"] + 1}
            self._export.keep(self.began + after, twin, self._rng)

    def add(
        self,
        name: str,
        after: float,
        given: Mapping[str, str | int],
        collected: Event | None = None,
    ) -> Event:
        """One event, ``after`` seconds after the session began."""
        at = self.began + after
        moment = self._export.moment(at)
        self._number += 1
        session = int(self._export.moment(self.began).timestamp())
        params = dict(given)
        params |= {"batch_page_id": session, "batch_ordering_id": self._number}
        if not self._is_denied:
            params |= {"ga_session_id": session, "ga_session_number": 1}
        client = self._touch.client_id
        event = {
            "event_date": self._export.event_date(at),
            "event_timestamp": (moment - _EPOCH) // timedelta(microseconds=1),
            "event_name": name,
            "event_params": [_param(key, value) for key, value in params.items()],
            "event_bundle_sequence_id": self._number,
            "user_pseudo_id": None if self._is_denied else client,
            "privacy_info": {
                "analytics_storage": "No" if self._is_denied else "Yes",
                "ads_storage": "No" if self._is_denied else "Yes",
                "uses_transient_token": "No",
            },
            "device": {"category": "desktop", "web_info": {"hostname": urlsplit(SITE).hostname}},
            "geo": {"country": "Germany"},
            "traffic_source": self._export.first_source(client, self._last_click),
            "stream_id": "4812903456",
            "platform": "WEB",
            "items": [],
            "collected_traffic_source": collected or None,
            "is_active_user": not self._is_denied,
            "batch_event_index": 1,
            "batch_page_id": session,
            "batch_ordering_id": self._number,
            "session_traffic_source_last_click": self._last_click or None,
        }
        self._export.keep(at, event, self._rng)
        return event


def _as_intraday(event: Event) -> Event:
    return {key: value for key, value in event.items() if key not in _DAILY_ONLY}


def _as_json(value: Any) -> Any:
    """As BigQuery extracts it: no nulls, whole numbers in quotes."""
    if isinstance(value, Mapping):
        return {key: _as_json(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_as_json(each) for each in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _lines(events: list[Event]) -> Iterator[str]:
    for event in events:
        yield json.dumps(_as_json(event), ensure_ascii=False, separators=(",", ":")) + "\n"


def write_ga4_export(world: World, folder: Path, *, seen_on: date | None = None) -> list[str]:
    """Write every day's table as JSONL, as of a morning; tables that are gone by then are removed.

    Args:
        seen_on: The day of that morning; the day after the world's last one if None.
    """
    seen_on = seen_on or world.clock.last_day + timedelta(days=1)
    export = Ga4Export(world)
    folder.mkdir(parents=True, exist_ok=True)
    rows = 0
    for index in range(world.clock.days):
        if world.clock.day(index) >= seen_on:
            break
        name, events = export.table(index, seen_on)
        (folder / f"{name}.jsonl").write_text("".join(_lines(events)), encoding="utf-8")
        if not name.startswith("events_intraday"):
            old = folder / f"{name.replace('events_', 'events_intraday_')}.jsonl"
            old.unlink(missing_ok=True)
        rows += len(events)
    return [f"{folder.name}/: {rows} events as of {seen_on}"]
