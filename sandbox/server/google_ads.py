"""Google Ads API v26 over REST: ``googleAds:searchStream``.

Wire facts: camelCase, int64 as strings, doubles as numbers, an array of result chunks; errors are a
``GoogleAdsFailure`` inside an array too. ``segments.conversion_action`` cannot stand beside cost,
clicks or impressions, and ``click_view`` takes exactly one day.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sandbox.server import gaql
from sandbox.server.google_fields import ACTION, Row, camel_path, check, shape
from sandbox.server.tokens import TOKENS
from sandbox.server.wire import RefusedError, Request, Response, as_json
from sandbox.world import World
from sandbox.world.company import (
    COMPANY,
    CURRENCY,
    GOOGLE_ACCOUNT,
    GOOGLE_ACTIONS,
    SOURCES,
)
from sandbox.world.model import DAY

PATH = re.compile(r"/v(\d+)/customers/([^/]+)/googleAds:searchStream")
CHUNK = 1000
ACCOUNT = f"customers/{GOOGLE_ACCOUNT}"
CATEGORY = {
    "lead_form": "SUBMIT_LEAD_FORM",
    "call_booking": "BOOK_APPOINTMENT",
    "brochure": "DOWNLOAD",
}
VALUE = {"7001": 50.0, "7002": 80.0, "7003": 5.0}


def failure(status: int, family: str, code: str, message: str, request_id: str) -> Response:
    """An error as searchStream sends it."""
    words = {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
    }
    text = {
        400: "Request contains an invalid argument.",
        401: "Request had invalid authentication credentials. Expected OAuth 2 access token.",
        403: "The caller does not have permission",
        404: "Requested entity was not found.",
    }
    error = {
        "code": status,
        "message": text[status],
        "status": words[status],
        "details": [
            {
                "@type": "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure",
                "errors": [{"errorCode": {family: code}, "message": message}],
                "requestId": request_id,
            }
        ],
    }
    return as_json([{"error": error}], status)


class GoogleAds:
    """One Google Ads account over a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._requests = 0
        self._claims: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
        for claim in world.claims:
            if SOURCES[claim.source].platform == "google":
                self._claims[claim.source, claim.action, claim.day][1] += claim.hundredths
                self._claims[claim.source, claim.action, claim.click_day][0] += claim.hundredths
        self._clicks: dict[int, list[Any]] = defaultdict(list)
        for touch in world.touches:
            if touch.click_id_type == "gclid":
                self._clicks[int(touch.at // DAY)].append(touch)

    def answer(self, request: Request) -> Response:
        """Answer a search.

        Raises:
            RefusedError: with Google's error body.
        """
        self._requests += 1
        request_id = f"sandbox{self._requests:08d}"

        def refuse(status: int, family: str, code: str, message: str) -> RefusedError:
            return RefusedError(failure(status, family, code, message, request_id))

        found = PATH.fullmatch(request.path)
        if not found or request.method != "POST":
            return Response(
                404,
                b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>",
                "text/html; charset=UTF-8",
            )
        if found[1] != "26":
            raise refuse(
                400,
                "requestError",
                "UNSUPPORTED_VERSION",
                f"Version v{found[1]} is deprecated. Requests to this version will be blocked.",
            )
        if not TOKENS.accepts(request.bearer()):
            raise refuse(
                401,
                "authenticationError",
                "OAUTH_TOKEN_INVALID",
                "The OAuth token in the request header is invalid.",
            )
        if not re.fullmatch(r"\d{10}", found[2]):
            raise refuse(
                400, "requestError", "INVALID_CUSTOMER_ID", f"Invalid customer ID '{found[2]}'."
            )
        if found[2] != GOOGLE_ACCOUNT:
            raise refuse(
                403,
                "authorizationError",
                "USER_PERMISSION_DENIED",
                "User doesn't have permission to access customer.",
            )
        try:
            body = request.json()
            text = body["query"] if isinstance(body, dict) else None
        except (ValueError, KeyError):
            text = None
        if not isinstance(text, str):
            raise refuse(400, "requestError", "REQUIRED_FIELD_MISSING", "query is required")
        if "pageSize" in body or "page_size" in body:
            raise refuse(
                400,
                "requestError",
                "PAGE_SIZE_NOT_SUPPORTED",
                "Setting the page size is not supported.",
            )
        try:
            query = gaql.parse(text)
            rows = self.rows(query)
        except gaql.QueryError as error:
            family = "clickViewError" if error.code in CLICK_VIEW_ERRORS else "queryError"
            raise refuse(400, family, error.code, error.message) from None
        return self._stream(query, rows, request_id)

    def _stream(self, query: gaql.Query, rows: list[Row], request_id: str) -> Response:
        tail = {
            "fieldMask": ",".join(camel_path(name) for name in query.fields),
            "requestId": request_id,
        }
        shaped = [shape(query.fields, row) for row in rows]
        if not shaped:
            return as_json([tail])
        return as_json(
            [{"results": shaped[at : at + CHUNK], **tail} for at in range(0, len(shaped), CHUNK)]
        )

    def rows(self, query: gaql.Query) -> list[Row]:
        """The flat rows of a query, filtered, ordered and limited."""
        check(query)
        first, last = query.dates()
        producer = {
            "customer": self._customer,
            "campaign": self._campaign,
            "click_view": self._click_view,
            "conversion_action": self._actions,
        }[query.resource]
        rows = [
            row
            for row in producer(query, first, last)
            if all(part.holds(row[part.name]) for part in query.where)
        ]
        for name, down in reversed(query.order):
            rows.sort(key=lambda row: row[name], reverse=down)
        return rows[: query.limit]

    def _account(self) -> Row:
        return {
            "customer.id": int(GOOGLE_ACCOUNT),
            "customer.currency_code": CURRENCY,
            "customer.time_zone": self._world.clock.zone.key,
            "customer.descriptive_name": COMPANY,
            "customer.resource_name": ACCOUNT,
            "customer.status": "ENABLED",
            "customer.manager": False,
        }

    def _customer(self, query: gaql.Query, first: Any, last: Any) -> Iterator[Row]:
        yield self._account()

    def _named(self, key: str) -> Row:
        source = SOURCES[key]
        return self._account() | {
            "campaign.id": int(source.campaign_id),
            "campaign.name": source.campaign_name,
            "campaign.status": "ENABLED",
            "campaign.advertising_channel_type": "SEARCH",
            "campaign.resource_name": f"{ACCOUNT}/campaigns/{source.campaign_id}",
        }

    def _campaign(self, query: gaql.Query, first: Any, last: Any) -> Iterator[Row]:
        """Per campaign and day, or per campaign, day and action; all-zero rows are not sent."""
        asked = set(query.fields) | {part.name for part in query.where}
        by_day, by_action = "segments.date" in query.fields, bool(asked & ACTION)
        clock = self._world.clock
        low = clock.first_day if first is None else first
        high = clock.last_day if last is None else last
        totals: dict[tuple[str, str, int], list[float]] = defaultdict(lambda: [0.0] * 7)
        for day in range(clock.days):
            if not low <= clock.day(day) <= high:
                continue
            for key, source in SOURCES.items():
                if source.platform == "google":
                    self._add_day(totals, key, day, by_day=by_day, by_action=by_action)
        for (key, action, day), sums in totals.items():
            if not any(sums):
                continue
            row = self._named(key) | _metrics(sums)
            # Where the day is only a condition, the range has already been applied.
            row["segments.date"] = clock.day(day).isoformat() if by_day else low.isoformat()
            if by_action:
                row |= _action(action)
            yield row

    def _add_day(
        self,
        totals: dict[tuple[str, str, int], list[float]],
        key: str,
        day: int,
        *,
        by_day: bool,
        by_action: bool,
    ) -> None:
        """Add one campaign's day: cost, clicks, impressions, then claims and values twice."""
        place = day if by_day else -1
        if not by_action:
            given, row = self._world.delivery[key, day], totals[key, "", place]
            row[0] += given.cost_cents * 10_000
            row[1] += given.clicks
            row[2] += given.impressions
        for action, value in VALUE.items():
            if (key, action, day) not in self._claims:
                continue
            clicked, converted = self._claims[key, action, day]
            row = totals[key, action if by_action else "", place]
            for at, amount in ((3, clicked), (5, converted)):
                row[at] += amount
                row[at + 1] += amount * value

    def _click_view(self, query: gaql.Query, first: Any, last: Any) -> Iterator[Row]:
        if first is None or first != last:
            raise gaql.QueryError(
                "EXPECTED_FILTER_ON_A_SINGLE_DAY",
                "Missing filter on a single day. Queries including ClickView must have a filter "
                "limiting the results to one day.",
            )
        clock = self._world.clock
        if first < clock.last_day - timedelta(days=90):
            raise gaql.QueryError("DATE_TOO_OLD", "The requested date is too old.")
        index = clock.day_index(first)
        for touch in self._clicks[index] if index is not None else ():
            ad = f"{ACCOUNT}/adGroupAds/9{SOURCES[touch.source].campaign_id}~1"
            yield self._named(touch.source) | {
                "segments.date": first.isoformat(),
                "metrics.clicks": 1,
                "ad_group.id": int("9" + SOURCES[touch.source].campaign_id),
                "click_view.gclid": touch.click_id,
                "click_view.ad_group_ad": ad,
                "click_view.keyword": f"{ad.replace('adGroupAds', 'adGroupCriteria')}",
                "click_view.keyword_info.text": "commercial solar",
                "click_view.page_number": 1,
                "click_view.resource_name": f"{ACCOUNT}/clickViews/{first}~{touch.click_id}",
            }

    def _actions(self, query: gaql.Query, first: Any, last: Any) -> Iterator[Row]:
        for event_name, (action, name) in GOOGLE_ACTIONS.items():
            yield self._account() | {
                "conversion_action.id": int(action),
                "conversion_action.name": name,
                "conversion_action.type": "WEBPAGE",
                "conversion_action.status": "ENABLED",
                "conversion_action.category": CATEGORY[event_name],
                "conversion_action.counting_type": "ONE_PER_CLICK",
                "conversion_action.primary_for_goal": True,
                "conversion_action.include_in_conversions_metric": True,
                "conversion_action.click_through_lookback_window_days": 30,
                "conversion_action.attribution_model_settings.attribution_model": (
                    "GOOGLE_SEARCH_ATTRIBUTION_DATA_DRIVEN"
                ),
                "conversion_action.resource_name": f"{ACCOUNT}/conversionActions/{action}",
            }


CLICK_VIEW_ERRORS = {"EXPECTED_FILTER_ON_A_SINGLE_DAY", "DATE_TOO_OLD"}


def _metrics(found: list[float]) -> Row:
    cost, clicks, impressions, clicked, clicked_value, converted, converted_value = found
    row: Row = {
        "metrics.cost_micros": int(cost),
        "metrics.clicks": int(clicks),
        "metrics.impressions": int(impressions),
    }
    for every in ("", "all_"):
        row[f"metrics.{every}conversions"] = clicked / 100
        row[f"metrics.{every}conversions_value"] = clicked_value / 100
        row[f"metrics.{every}conversions_by_conversion_date"] = converted / 100
        row[f"metrics.{every}conversions_value_by_conversion_date"] = converted_value / 100
    return row


def _action(action: str) -> Row:
    for event_name, (number, name) in GOOGLE_ACTIONS.items():
        if number == action:
            return {
                "segments.conversion_action": f"{ACCOUNT}/conversionActions/{number}",
                "segments.conversion_action_name": name,
                "segments.conversion_action_category": CATEGORY[event_name],
            }
    raise KeyError(action)
