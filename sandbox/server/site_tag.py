"""Daily JSONL files of the company's own tag and server log, and of the visits."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from sandbox.server.tokens import TOKENS
from sandbox.server.wire import Request, Response, as_json
from sandbox.world import World
from sandbox.world.company import SITE
from sandbox.world.model import DAY, TagEvent, Touch

PATH = re.compile(r"/(tag-events|touches)/(\d{4}-\d{2}-\d{2})\.jsonl")


def page_url(path: str, query: str) -> str:
    """The page's address as the tag saw it."""
    return f"{SITE}{path}?{query}" if query else f"{SITE}{path}"


def event_row(world: World, event: TagEvent) -> dict[str, Any]:
    """One delivered row as the observer writes it."""
    item = event.submission
    is_tag = event.observer == "site_tag"
    return {
        "observer": event.observer,
        "event_id": item.event_id,
        "event_name": item.event_name,
        "occurred_at": world.clock.rfc3339(event.at),
        "client_id": item.client_id or None,
        # The server log keeps no form contents.
        "email": (item.email or None) if is_tag else None,
        "phone": (item.phone or None) if is_tag else None,
        "ip": item.ip or None,
        "page_url": page_url(item.page_path, item.query),
        "form_id": item.form_id,
        "referrer": item.touch.referrer or None,
        "user_agent": item.user_agent or None,
        "is_test": item.is_test,
    }


def touch_row(world: World, touch: Touch) -> dict[str, Any]:
    """One recorded visit."""
    return {
        "touch_id": touch.touch_id,
        "occurred_at": world.clock.rfc3339(touch.at),
        "client_id": touch.client_id or None,
        "page_url": page_url(touch.page_path, touch.query),
        "referrer": touch.referrer or None,
        "is_bounce": touch.is_bounce,
    }


def jsonl(rows: Iterable[dict[str, Any]]) -> bytes:
    """One JSON object a line, each line terminated."""
    return "".join(
        json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows
    ).encode()


class SiteTag:
    """``/tag-events/YYYY-MM-DD.jsonl`` and ``/touches/YYYY-MM-DD.jsonl``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._events: dict[int, list[TagEvent]] = defaultdict(list)
        self._touches: dict[int, list[Touch]] = defaultdict(list)
        for event in world.tag_events:
            self._events[int(event.at // DAY)].append(event)
        for touch in world.touches:
            if touch.is_recorded:
                self._touches[int(touch.at // DAY)].append(touch)

    def day(self, kind: str, index: int) -> bytes:
        """The file of one kind and day index."""
        if kind == "tag-events":
            return jsonl(event_row(self._world, event) for event in self._events[index])
        return jsonl(touch_row(self._world, touch) for touch in self._touches[index])

    def answer(self, request: Request) -> Response:
        """Serve a day's file; 404 for a day outside the world."""
        if not TOKENS.accepts(request.bearer()):
            return as_json({"error": "unauthorized"}, 401, WWW_Authenticate="Bearer")
        found = PATH.fullmatch(request.path)
        if request.method != "GET" or not found:
            return as_json({"error": "not found"}, 404)
        try:
            index = self._world.clock.day_index(date.fromisoformat(found[2]))
        except ValueError:
            index = None
        if index is None:
            return as_json({"error": f"no file for {found[2]}"}, 404)
        return Response(200, self.day(found[1], index), "application/x-ndjson")
