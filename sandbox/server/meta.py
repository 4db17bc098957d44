"""Meta's Graph API v26.0: an ad account, its insights at once or as a report, usage headers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.server.meta_insights import Insights, question
from sandbox.server.meta_reports import ReportRuns
from sandbox.server.meta_wire import bad, error, listed, not_there, page, params
from sandbox.server.tokens import TOKENS
from sandbox.server.wire import RefusedError, Request, Response, as_json
from sandbox.world import World
from sandbox.world.company import COMPANY, CURRENCY, META_ACCOUNT

PATH = re.compile(r"/v(\d+)\.0/(act_\w+|\d+)(/insights)?/?")
ACCOUNT_FIELDS = {
    "id",
    "account_id",
    "name",
    "currency",
    "timezone_name",
    "account_status",
    "disable_reason",
}
TIER = "standard_access"


class Meta:
    """One Meta ad account over a world.

    Attributes:
        insights: Its rows.
        reports: Its report runs.
        used_percent: What the usage headers tell; from 100 on calls are refused.
        regain_minutes: For how long, as the headers tell it.
        status: The account's ``account_status``.
    """

    def __init__(self, world: World) -> None:
        self._zone = world.clock.zone.key
        self._today = world.clock.last_day + timedelta(days=1)
        now = int(datetime.combine(self._today, datetime.min.time(), UTC).timestamp())
        self.insights = Insights(world)
        self.reports = ReportRuns(self.insights, now)
        self.used_percent, self.regain_minutes, self.status = 1, 0, 1

    def answer(self, request: Request) -> Response:
        """Answer a Graph API call.

        Raises:
            RefusedError: with Meta's error body.
        """
        asked = params(request)
        _check_token(asked.get("access_token") or request.bearer())
        found = PATH.fullmatch(request.path)
        if not found:
            raise RefusedError(error(400, 2500, "Unknown path components: " + request.path))
        version, node, is_insights = int(found[1]), found[2], bool(found[3])
        if version != 26:
            raise RefusedError(
                error(
                    400,
                    2635,
                    "(#2635) You are calling a deprecated version of the Ads API. "
                    "Please update to the latest version: v26.0.",
                )
            )
        if self.used_percent >= 100:
            return self._with_usage(
                error(
                    400,
                    80000,
                    "(#80000) There have been too many calls from this ad-account. Wait a bit and "
                    "try again.",
                    subcode=2446079,
                    is_transient=True,
                )
            )
        asked.pop("access_token", None)
        return self._with_usage(self._node(request, node, is_insights, asked))

    def _node(
        self, request: Request, node: str, is_insights: bool, asked: Mapping[str, str]
    ) -> Response:
        if not node.startswith("act_"):
            if request.method != "GET":
                raise not_there(node)
            if is_insights:
                rows, told = self.reports.rows(node), self.reports.summary(node, asked)
                return as_json(page(request, asked, rows, told))
            return as_json(self.reports.poll(node, asked))
        if node != f"act_{META_ACCOUNT}":
            raise RefusedError(
                error(403, 200, "(#200) Ad account owner has NOT grant ads_read permission")
            )
        if not is_insights:
            return as_json(self._account(asked))
        wanted = question(asked, self._today)
        if request.method == "POST":
            return as_json(self.reports.start(wanted))
        if request.method != "GET":
            raise bad(f"Unsupported {request.method.lower()} request")
        if self.reports.is_too_large(wanted):
            raise RefusedError(
                error(
                    400,
                    100,
                    "(#100) Please reduce the amount of data you're asking for, then retry your "
                    "request",
                    subcode=1487534,
                )
            )
        told = self.insights.summary(wanted, wanted.summary) if wanted.summary else None
        return as_json(page(request, asked, self.insights.rows(wanted), told))

    def _account(self, asked: Mapping[str, str]) -> dict[str, Any]:
        fields = listed(asked.get("fields") or "account_id", "fields")
        known = {
            "id": f"act_{META_ACCOUNT}",
            "account_id": META_ACCOUNT,
            "name": COMPANY,
            "currency": CURRENCY,
            "timezone_name": self._zone,
            "account_status": self.status,
            "disable_reason": 0,
        }
        for name in fields:
            if name not in ACCOUNT_FIELDS:
                raise bad(f"Tried accessing nonexisting field ({name}) on node type (AdAccount)")
        return {name: known[name] for name in fields} | {"id": known["id"]}

    def _with_usage(self, response: Response) -> Response:
        used = self.used_percent
        case = {
            "type": "ads_insights",
            "call_count": used,
            "total_cputime": 1,
            "total_time": 1,
            "estimated_time_to_regain_access": self.regain_minutes,
            "ads_api_access_tier": TIER,
        }
        told: dict[str, Any] = {
            "x-fb-ads-insights-throttle": {
                "app_id_util_pct": 0.4,
                "acc_id_util_pct": used,
                "ads_api_access_tier": TIER,
            },
            "x-ad-account-usage": {
                "acc_id_util_pct": used,
                "reset_time_duration": self.regain_minutes * 60,
                "ads_api_access_tier": TIER,
            },
            "x-app-usage": {"call_count": 1, "total_time": 1, "total_cputime": 1},
            "x-business-use-case-usage": {META_ACCOUNT: [case]},
        }
        for name, value in told.items():
            response.headers[name] = json.dumps(value, separators=(",", ":"))
        return response


def _check_token(token: str) -> None:
    if TOKENS.accepts(token):
        return
    if not token:
        raise RefusedError(error(400, 104, "An access token is required to request this resource."))
    raise RefusedError(error(400, 190, "Invalid OAuth access token - Cannot parse access token"))
