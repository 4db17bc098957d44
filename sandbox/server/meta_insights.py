"""Meta's insights: what may be asked, and the rows that answer.

Wire facts: every number is a string, counts are whole, money is in units of the account
currency, ``actions`` is a long list whose ``lead`` type already rolls up the pixel and lead-form
types, window keys stand beside ``value`` only when asked for, and campaigns that were deleted or
archived are told only to who asks for their status.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from sandbox.server.meta_wire import bad, error, listed
from sandbox.server.wire import RefusedError
from sandbox.world import World
from sandbox.world.claims import META_CUSTOM, META_FORM, META_PIXEL
from sandbox.world.company import COMPANY, CURRENCY, META_ACCOUNT, SOURCES

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
    "action_values",
    "conversions",
    "conversion_values",
    "attribution_setting",
    "objective",
    "reach",
    "cpc",
    "cpm",
    "ctr",
}
#: 7d_view and 28d_view are still accepted as names, but nothing is returned for them.
WINDOWS = {"1d_click", "7d_click", "28d_click", "1d_view", "7d_view", "28d_view", "default"}
RETURNED = ("1d_click", "7d_click", "28d_click", "1d_view")
STATUSES = {"ACTIVE", "PAUSED", "ARCHIVED", "DELETED", "IN_PROCESS", "WITH_ISSUES"}
#: What is told to who does not ask for a status.
LIVE = STATUSES - {"ARCHIVED", "DELETED"}
MONTHS = 37
#: What may stand in a summary; Meta's own list is longer.
SUMMED = ("spend", "impressions", "clicks", "inline_link_clicks")


@dataclass(frozen=True)
class Question:
    """What a request for insights asks, checked."""

    fields: list[str]
    since: date
    until: date
    windows: list[str]
    statuses: frozenset[str]
    is_daily: bool
    summary: list[str]


def question(asked: Mapping[str, str], today: date) -> Question:
    """Read and check the parameters.

    Raises:
        RefusedError: with Meta's error body.
    """
    if asked.get("level", "account") != "campaign":
        raise bad("level must be campaign in this sandbox")
    fields = [name for name in listed(asked.get("fields") or "impressions,spend", "fields") if name]
    for name in fields:
        if name not in FIELDS:
            raise bad(
                f"{name} is not valid for fields param. please check "
                "https://developers.facebook.com/docs/marketing-api/reference/"
                "ads-insights/ for all valid values"
            )
    windows = listed(asked.get("action_attribution_windows", "[]"), "action_attribution_windows")
    if not set(windows) <= WINDOWS:
        raise bad("action_attribution_windows must be one of the known windows")
    since, until = _range(asked.get("time_range", ""), today)
    step = asked.get("time_increment", "all_days")
    if step not in ("1", "all_days"):
        raise bad("time_increment must be 1 or all_days in this sandbox")
    statuses = _statuses(asked.get("filtering", ""))
    summary = summary_fields(asked, fields)
    return Question(fields, since, until, windows, statuses, step == "1", summary)


def summary_fields(asked: Mapping[str, str], fields: Sequence[str]) -> list[str]:
    """Which totals a request asks for: ``summary`` names them, else ``default_summary`` takes those
    of ``fields``.

    Raises:
        RefusedError: for a field that this sandbox does not sum up.
    """
    if not asked.get("summary"):
        wants_all = asked.get("default_summary", "").lower() in ("true", "1")
        return [name for name in fields if name in SUMMED] if wants_all else []
    named = listed(asked["summary"], "summary")
    for name in named:
        if name not in SUMMED:
            raise bad(f"{name} is not summed up in this sandbox")
    return named


def _statuses(text: str) -> frozenset[str]:
    if not text:
        return frozenset(LIVE)
    try:
        filters = json.loads(text)
        (found,) = filters
        field, operator, value = found["field"], found["operator"], found["value"]
    except (ValueError, KeyError, TypeError):
        raise bad("filtering must be an array of one filter in this sandbox") from None
    if field != "campaign.effective_status" or operator != "IN" or not set(value) <= STATUSES:
        raise bad(f"Filtering field {field} with operation {operator} is not supported")
    return frozenset(value)


def _range(text: str, today: date) -> tuple[date, date]:
    if not text:
        raise bad("time_range is required in this sandbox")
    try:
        found = json.loads(text)
        since, until = date.fromisoformat(found["since"]), date.fromisoformat(found["until"])
    except (ValueError, KeyError, TypeError):
        raise bad(
            "Must be one object {'since':'YYYY-MM-DD','until':'YYYY-MM-DD'} for param time_range"
        ) from None
    if since > until:
        raise bad("since must be before until in time_range")
    months = (today.year - since.year) * 12 + today.month - since.month
    if months - (since.day > today.day) >= MONTHS:
        raise RefusedError(
            error(
                400,
                3018,
                "(#3018) The start date of the time range cannot be beyond 37 months from the "
                "current date",
            )
        )
    return since, until


class Insights:
    """The rows of one ad account over a world.

    Attributes:
        statuses: A campaign's status where it is not ACTIVE.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.statuses: dict[str, str] = {}
        # (source, day, action) -> [by click within a day, by an older click, by view]
        self._claims: dict[tuple[str, int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        for claim in world.claims:
            if SOURCES[claim.source].platform == "meta":
                place = 2 if claim.is_view else (0 if claim.day - claim.click_day < 1 else 1)
                self._claims[claim.source, claim.day, claim.action][place] += (
                    claim.hundredths // 100
                )

    def rows(self, asked: Question) -> list[dict[str, Any]]:
        """One row per campaign (and day) that was shown at all."""
        clock = self._world.clock
        days = [day for day in range(clock.days) if asked.since <= clock.day(day) <= asked.until]
        spans = [[day] for day in days] if asked.is_daily else ([days] if days else [])
        made = []
        for key, source in SOURCES.items():
            status = self.statuses.get(str(source.campaign_id), "ACTIVE")
            if source.platform != "meta" or status not in asked.statuses:
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
                    "actions": self._actions(key, span, clicks, asked.windows),
                }
                row = {name: row[name] for name in asked.fields if row.get(name) not in (None, [])}
                row["date_start"] = clock.day(span[0]).isoformat()
                row["date_stop"] = clock.day(span[-1]).isoformat()
                made.append(row)
        return made

    def summary(self, asked: Question, names: Sequence[str]) -> dict[str, Any]:
        """Totals of all rows of the report, not of a page."""
        whole = replace(asked, fields=list(SUMMED), is_daily=False)
        rows = self.rows(whole)
        made: dict[str, Any] = {}
        for name in names:
            total = sum(Decimal(row[name]) for row in rows)
            made[name] = _money(int(total * 100)) if name == "spend" else str(total)
        return made | {"date_start": str(asked.since), "date_stop": str(asked.until)}

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
