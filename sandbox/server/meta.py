"""Meta's Graph API v26.0: campaign insights per day.

Wire facts: every number is a string, counts are whole, money is in units of the account
currency, ``actions`` is a long list whose ``lead`` type already rolls up the pixel and lead-form
types, window keys stand beside ``value`` only when asked for, and a page holds 25 rows unless told
otherwise.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from datetime import date
from typing import Any
from urllib.parse import urlencode

from sandbox.server.tokens import TOKENS
from sandbox.server.wire import RefusedError, Request, Response, as_json
from sandbox.world import World
from sandbox.world.claims import META_CUSTOM, META_FORM, META_PIXEL
from sandbox.world.company import COMPANY, CURRENCY, META_ACCOUNT, SOURCES

PATH = re.compile(r"/v(\d+)\.0/act_(\w+)(/insights)?")
FIELDS = {
    "account_id",
    "account_currency",
    "account_name",
    "campaign_id",
    "campaign_name",
    "date_start",
    "date_stop",
    "spend",
    "impressions",
    "clicks",
    "inline_link_clicks",
    "actions",
    "attribution_setting",
    "objective",
    "reach",
    "cpc",
    "cpm",
    "ctr",
}
ACCOUNT_FIELDS = {"id", "account_id", "name", "currency", "timezone_name", "account_status"}
#: 7d_view and 28d_view are still accepted as names, but nothing is returned for them.
WINDOWS = {"1d_click", "7d_click", "28d_click", "1d_view", "7d_view", "28d_view", "default"}
RETURNED = ("1d_click", "7d_click", "28d_click", "1d_view")


def error(status: int, code: int, message: str, kind: str = "OAuthException") -> Response:
    """An error in the Graph API's shape."""
    body = {"message": message, "type": kind, "code": code, "fbtrace_id": "AsandboxTrace0"}
    headers = {"x_fb_trace_id": "AsandboxTrace0"}
    if code == 190:
        headers["WWW_Authenticate"] = 'OAuth "Facebook Platform" "invalid_token"'
    return as_json({"error": body}, status, **headers)


def _bad(message: str) -> RefusedError:
    return RefusedError(error(400, 100, f"(#100) {message}"))


class Meta:
    """One Meta ad account over a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        # (source, day, action) -> [by click within a day, by an older click, by view]
        self._claims: dict[tuple[str, int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        for claim in world.claims:
            if SOURCES[claim.source].platform == "meta":
                place = 2 if claim.is_view else (0 if claim.day - claim.click_day < 1 else 1)
                self._claims[claim.source, claim.day, claim.action][place] += (
                    claim.hundredths // 100
                )

    def answer(self, request: Request) -> Response:
        """Answer a Graph API read.

        Raises:
            RefusedError: with Meta's error body.
        """
        token = request.query.get("access_token") or request.bearer()
        if not TOKENS.accepts(token):
            text = (
                "Invalid OAuth access token - Cannot parse access token"
                if token
                else ("An access token is required to request this resource.")
            )
            raise RefusedError(error(400, 190 if token else 104, text))
        found = PATH.fullmatch(request.path)
        if not found or request.method != "GET":
            raise RefusedError(error(404, 2500, "Unknown path components: " + request.path))
        if int(found[1]) != 26:
            raise RefusedError(
                error(
                    400,
                    2635,
                    "You are calling a deprecated version of the Ads API. "
                    "Please update to the latest version: v26.0.",
                )
            )
        if found[2] != META_ACCOUNT:
            raise RefusedError(
                error(403, 200, "(#200) Ad account owner has NOT grant ads_read permission")
            )
        return self._insights(request) if found[3] else self._account(request)

    def _account(self, request: Request) -> Response:
        asked = [name for name in request.query.get("fields", "account_id").split(",") if name]
        known = {
            "id": f"act_{META_ACCOUNT}",
            "account_id": META_ACCOUNT,
            "name": COMPANY,
            "currency": CURRENCY,
            "timezone_name": self._world.clock.zone.key,
            "account_status": 1,
        }
        for name in asked:
            if name not in ACCOUNT_FIELDS:
                raise _bad(f"Tried accessing nonexisting field ({name}) on node type (AdAccount)")
        return as_json({name: known[name] for name in asked} | {"id": known["id"]})

    def _insights(self, request: Request) -> Response:
        asked = request.query
        if asked.get("level", "account") != "campaign":
            raise _bad("level must be campaign in this sandbox")
        fields = [name for name in asked.get("fields", "impressions,spend").split(",") if name]
        for name in fields:
            if name not in FIELDS:
                raise _bad(
                    f"{name} is not valid for fields param. please check "
                    "https://developers.facebook.com/docs/marketing-api/reference/"
                    "ads-insights/ for all valid values"
                )
        windows = _list(asked.get("action_attribution_windows", "[]"), "action_attribution_windows")
        if not set(windows) <= WINDOWS:
            raise _bad("action_attribution_windows must be one of the known windows")
        since, until = _range(asked.get("time_range", ""))
        step = asked.get("time_increment", "all_days")
        if step not in ("1", "all_days"):
            raise _bad("time_increment must be 1 or all_days in this sandbox")
        limit = asked.get("limit", "25")
        if not limit.isdigit() or not 1 <= int(limit) <= 5000:
            raise _bad("param limit must be between 1 and 5000")
        rows = self.rows(fields, since, until, windows, daily=step == "1")
        return as_json(
            _page(request, rows, int(limit)),
            x_fb_ads_insights_throttle=json.dumps(
                {
                    "app_id_util_pct": 0.4,
                    "acc_id_util_pct": 0.2,
                    "ads_api_access_tier": "standard_access",
                }
            ),
        )

    def rows(
        self, fields: list[str], since: date, until: date, windows: list[str], *, daily: bool
    ) -> list[dict[str, Any]]:
        """One row per campaign (and day) that was shown at all."""
        clock = self._world.clock
        days = [day for day in range(clock.days) if since <= clock.day(day) <= until]
        spans = [[day] for day in days] if daily else ([days] if days else [])
        made = []
        for key, source in SOURCES.items():
            if source.platform != "meta":
                continue
            for span in spans:
                given = [self._world.delivery[key, day] for day in span]
                spend = sum(item.cost_cents for item in given)
                shown = sum(item.impressions for item in given)
                clicks = sum(item.clicks for item in given)
                if not shown:
                    continue
                row: dict[str, Any] = {
                    "account_id": META_ACCOUNT,
                    "account_currency": CURRENCY,
                    "account_name": COMPANY,
                    "campaign_id": source.campaign_id,
                    "campaign_name": source.campaign_name,
                    "objective": "OUTCOME_LEADS",
                    "spend": _money(spend),
                    "impressions": str(shown),
                    "clicks": str(clicks),
                    "inline_link_clicks": str(clicks * 9 // 10),
                    "reach": str(shown * 7 // 10),
                    "cpc": f"{spend / 100 / max(clicks, 1):.6f}",
                    "cpm": f"{spend * 10 / shown:.6f}",
                    "ctr": f"{clicks * 100 / shown:.6f}",
                    "attribution_setting": "7d_click_1d_view",
                    "actions": self._actions(key, span, clicks, windows),
                }
                row = {name: row[name] for name in fields if row.get(name) not in (None, [])}
                row["date_start"] = clock.day(span[0]).isoformat()
                row["date_stop"] = clock.day(span[-1]).isoformat()
                made.append(row)
        return made

    def _actions(
        self, key: str, span: list[int], clicks: int, windows: list[str]
    ) -> list[dict[str, str]]:
        counts: dict[str, list[int]] = {}
        if clicks:
            counts["link_click"] = [clicks * 9 // 10, 0, 0]
        for action in (META_PIXEL, META_FORM, META_CUSTOM):
            parts = [
                self._claims[key, day, action] for day in span if (key, day, action) in self._claims
            ]
            total = [sum(part[place] for part in parts) for place in range(3)]
            if any(total):
                counts[action] = total
        roll_up = [counts[name] for name in (META_PIXEL, META_FORM) if name in counts]
        if roll_up:
            counts["lead"] = [sum(part[place] for part in roll_up) for place in range(3)]
        return [_entry(name, found, windows) for name, found in counts.items() if any(found)]


def _entry(name: str, found: list[int], windows: list[str]) -> dict[str, str]:
    """One action; a window that counted nothing has no key."""
    day_click, older_click, view = found
    made = {"action_type": name, "value": str(sum(found))}
    per_window = {
        "1d_click": day_click,
        "7d_click": day_click + older_click,
        "28d_click": day_click + older_click,
        "1d_view": view,
    }
    for window in RETURNED:
        if window in windows and per_window[window]:
            made[window] = str(per_window[window])
    return made


def _money(cents: int) -> str:
    """Units with the trailing zeros cut, as Meta prints money."""
    return f"{cents / 100:.2f}".rstrip("0").rstrip(".")


def _list(text: str, name: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = text.split(",")
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise _bad(f"{name} must be an array")
    return found


def _range(text: str) -> tuple[date, date]:
    if not text:
        raise _bad("time_range is required in this sandbox")
    try:
        found = json.loads(text)
        since, until = date.fromisoformat(found["since"]), date.fromisoformat(found["until"])
    except (ValueError, KeyError, TypeError):
        raise _bad(
            "Must be one object {'since':'YYYY-MM-DD','until':'YYYY-MM-DD'} for param time_range"
        ) from None
    if since > until:
        raise _bad("since must be before until in time_range")
    return since, until


def _page(request: Request, rows: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    after = request.query.get("after", "")
    try:
        start = int(urlsafe_b64decode(after)) if after else 0
    except ValueError:
        raise _bad("Invalid cursors values") from None
    page = rows[start : start + limit]
    made: dict[str, Any] = {"data": page}
    if page:
        cursor = urlsafe_b64encode(str(start + len(page)).encode()).decode()
        before = urlsafe_b64encode(str(start).encode()).decode()
        made["paging"] = {"cursors": {"before": before, "after": cursor}}
        if start + len(page) < len(rows):
            # As at Meta, the address carries the token: clients must not log it.
            query = urlencode({**request.query, "after": cursor})
            made["paging"]["next"] = f"{request.base_url}{request.path}?{query}"
    return made
