"""The rows of a query over one account's figures, flat: ``{"metrics.clicks": 5, ...}``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sandbox.server import gaql
from sandbox.server.google_accounts import Account, Action
from sandbox.server.google_fields import ACTION, Row, check
from sandbox.world.clock import WorldClock

RETENTION_DAYS = 37 * 30.4375
CLICK_DAYS = 90


class Rows:
    """Answers queries about the accounts of one world."""

    def __init__(self, accounts: dict[str, Account], clock: WorldClock) -> None:
        self._accounts, self._clock = accounts, clock
        # The day on which the world is asked: its last day is over.
        self._today = clock.last_day + timedelta(days=1)

    def of(self, account: Account, query: gaql.Query) -> list[Row]:
        """The rows of a query, filtered, ordered and limited.

        Raises:
            QueryError: for what Google refuses.
        """
        check(query)
        first, last = query.dates()
        self._refuse_days(account, query, first)
        producer = {
            "customer": self._figures,
            "customer_client": self._customer_clients,
            "campaign": self._figures,
            "click_view": self._click_view,
            "conversion_action": self._actions,
        }[query.resource]
        rows = [
            row
            for row in producer(account, query, first, last)
            if all(part.holds(row[part.name]) for part in query.where)
        ]
        for name, down in reversed(query.order):
            rows.sort(key=lambda row: row[name], reverse=down)
        return rows[: query.limit]

    def _refuse_days(self, account: Account, query: gaql.Query, first: date | None) -> None:
        used = {*query.fields, *(part.name for part in query.where)}
        has_metrics = any(name.startswith("metrics.") for name in used)
        if account.is_manager and (has_metrics or query.resource == "click_view"):
            raise gaql.QueryError(
                "REQUESTED_METRICS_FOR_MANAGER",
                "Metrics cannot be requested for a manager account. To retrieve metrics, issue "
                "separate requests against each client account under the manager account.",
            )
        is_old = first is not None and (self._today - first).days > RETENTION_DAYS
        if has_metrics and is_old and query.resource != "click_view":
            raise gaql.QueryError(
                "REQUESTED_DATE_GRANULARITY_NOT_SUPPORTED",
                "The requested time granularity is not supported for the date range in the query.",
                family="dateRangeError",
            )

    def _customer_clients(self, account: Account, *_: Any) -> Iterator[Row]:
        """The manager itself at level 0, and everything below it, whatever its state."""
        if not account.is_manager:
            return
        for client in self._accounts.values():
            yield _described(account) | {
                "customer_client.id": int(client.number),
                "customer_client.client_customer": client.resource,
                "customer_client.currency_code": client.currency,
                "customer_client.descriptive_name": client.name,
                "customer_client.hidden": False,
                "customer_client.level": 0 if client is account else 1,
                "customer_client.manager": client.is_manager,
                "customer_client.status": client.status,
                "customer_client.test_account": False,
                "customer_client.time_zone": client.time_zone,
                "customer_client.resource_name": (
                    f"{account.resource}/customerClients/{client.number}"
                ),
            }

    def _figures(
        self, account: Account, query: gaql.Query, first: date | None, last: date | None
    ) -> Iterator[Row]:
        """Per campaign or account, day and action, as asked; all-zero rows are not sent."""
        asked = set(query.fields) | {part.name for part in query.where}
        names = list(account.campaigns) if query.resource == "campaign" else [""]
        if not any(name.startswith(("metrics.", "segments.")) for name in asked):
            yield from (_campaign(account, each) for each in names)
            return
        by_day, by_action = "segments.date" in query.fields, bool(asked & ACTION)
        low = self._clock.first_day if first is None else first
        high = self._clock.last_day if last is None else last
        days = [day for day in range(self._clock.days) if low <= self._clock.day(day) <= high]
        by = _Grain(query.resource == "campaign", by_action, by_day)
        for (campaign, action, place), sums in _totals(account, days, by).items():
            if not any(sums):
                continue
            row = _campaign(account, campaign) | _metrics(sums)
            # Where the day is only a condition, the range has already been applied.
            day = self._clock.day(place) if by_day else low
            row["segments.date"] = day.isoformat()
            if by_action:
                row |= _segment(account, action)
            yield row

    def _click_view(
        self, account: Account, query: gaql.Query, first: date | None, last: date | None
    ) -> Iterator[Row]:
        if first is None or first != last:
            raise gaql.QueryError(
                "EXPECTED_FILTER_ON_A_SINGLE_DAY",
                "Missing filter on a single day. Queries including ClickView must have a filter "
                "limiting the results to one day.",
                family="clickViewError",
            )
        if first < self._today - timedelta(days=CLICK_DAYS):
            raise gaql.QueryError(
                "DATE_TOO_OLD",
                "The requested date is too old. Only dates within the last 90 days are supported.",
                family="clickViewError",
            )
        index = self._clock.day_index(first)
        for campaign, gclid in account.clicks[index] if index is not None else ():
            ad = f"{account.resource}/adGroupAds/9{campaign}~1"
            yield _campaign(account, campaign) | {
                "segments.date": first.isoformat(),
                "metrics.clicks": 1,
                "ad_group.id": int(f"9{campaign}"),
                "ad_group.resource_name": f"{account.resource}/adGroups/9{campaign}",
                "click_view.gclid": gclid,
                "click_view.ad_group_ad": ad,
                "click_view.keyword": f"{ad.replace('adGroupAds', 'adGroupCriteria')}",
                "click_view.keyword_info.text": "commercial solar",
                "click_view.page_number": 1,
                "click_view.resource_name": f"{account.resource}/clickViews/{first}~{gclid}",
            }

    def _actions(self, account: Account, *_: Any) -> Iterator[Row]:
        for action in account.actions:
            yield _described(account) | {
                "conversion_action.id": int(action.number),
                "conversion_action.name": action.name,
                "conversion_action.type": "WEBPAGE",
                "conversion_action.status": "ENABLED",
                "conversion_action.category": action.category,
                "conversion_action.counting_type": "ONE_PER_CLICK",
                "conversion_action.primary_for_goal": True,
                "conversion_action.include_in_conversions_metric": True,
                "conversion_action.click_through_lookback_window_days": 30,
                "conversion_action.attribution_model_settings.attribution_model": (
                    "GOOGLE_SEARCH_ATTRIBUTION_DATA_DRIVEN"
                ),
                "conversion_action.resource_name": (
                    f"{account.resource}/conversionActions/{action.number}"
                ),
            }


def _described(account: Account) -> Row:
    return {
        "customer.id": int(account.number),
        "customer.currency_code": account.currency,
        "customer.time_zone": account.time_zone,
        "customer.descriptive_name": account.name,
        "customer.manager": account.is_manager,
        "customer.resource_name": account.resource,
        "customer.status": account.status,
        "customer.test_account": False,
    }


def _campaign(account: Account, campaign: str) -> Row:
    """A campaign's own fields and its account's; the account's alone where there is none."""
    if not campaign:
        return _described(account)
    return _described(account) | {
        "campaign.id": int(campaign),
        "campaign.name": account.campaigns[campaign],
        "campaign.status": "ENABLED",
        "campaign.advertising_channel_type": "SEARCH",
        "campaign.resource_name": f"{account.resource}/campaigns/{campaign}",
    }


@dataclass(frozen=True)
class _Grain:
    """What stays apart in sums."""

    campaign: bool
    action: bool
    day: bool

    def key(self, campaign: str, action: str, day: int) -> tuple[str, str, int]:
        return (
            campaign if self.campaign else "",
            action if self.action else "",
            day if self.day else -1,
        )


def _totals(
    account: Account, days: Iterable[int], by: _Grain
) -> dict[tuple[str, str, int], list[float]]:
    """Cost, clicks, impressions, then claims and values by click day and by conversion day."""
    totals: dict[tuple[str, str, int], list[float]] = defaultdict(lambda: [0.0] * 7)
    for day in days:
        for campaign in account.campaigns:
            if not by.action and (campaign, day) in account.delivery:
                row = totals[by.key(campaign, "", day)]
                for at, amount in enumerate(account.delivery[campaign, day]):
                    row[at] += amount
            for action in account.actions:
                told = account.claims.get((campaign, action.number, day))
                if told is None:
                    continue
                row = totals[by.key(campaign, action.number, day)]
                for at, hundredths in ((3, told[0]), (5, told[1])):
                    row[at] += hundredths
                    row[at + 1] += hundredths * action.value
    return totals


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


def _segment(account: Account, number: str) -> Row:
    action: Action = next(each for each in account.actions if each.number == number)
    return {
        "segments.conversion_action": f"{account.resource}/conversionActions/{number}",
        "segments.conversion_action_name": action.name,
        "segments.conversion_action_category": action.category,
    }
