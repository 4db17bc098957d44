"""The Google Ads source: per account what was delivered, what is claimed, which click was whose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trueline.connections import Connection
from trueline.errors import PermanentError
from trueline.sources.base import Batch, Coverage
from trueline.sources.collect import Collected, at
from trueline.sources.google_ads import records
from trueline.sources.google_ads.client import GoogleAdsClient
from trueline.sources.google_ads.constants import (
    CLAIMS,
    CLICK_RETENTION_DAYS,
    CLICKS,
    CUSTOMER,
    DELIVERY,
    PLATFORM,
    RETENTION_DAYS,
)
from trueline.sources.settings import GoogleAdsSettings
from trueline.windows import Window


class GoogleAdsSource:
    """Pulls every account of the settings; an account's failure fails the pull."""

    def __init__(
        self, name: str, settings: GoogleAdsSettings, *, connection: Connection, now: datetime
    ) -> None:
        self.name = name
        self._settings, self._now = settings, now
        self._client = GoogleAdsClient(settings, connection)

    def pull(self, window: Window) -> Iterator[Batch]:
        """Delivery and claims of the window and ``repull_days`` before it, and its clicks."""
        for account in self._settings.accounts:
            yield from self._pull_account(account, window)

    def _pull_account(self, account: str, window: Window) -> Iterator[Batch]:
        currency, time_zone = self._account(account)
        restated = self._kept(window.widened(self._settings.repull_days), RETENTION_DAYS, time_zone)
        if restated:
            yield self._report(
                account,
                DELIVERY,
                restated,
                "ad_delivery",
                "delivery",
                partial(records.delivery, account=account, currency=currency, time_zone=time_zone),
            )
            yield self._report(
                account,
                CLAIMS,
                restated,
                "pixel_claims",
                "claims",
                partial(records.claim, account=account),
            )
        clicked = self._kept(
            window.widened(self._settings.click_view_days), CLICK_RETENTION_DAYS, time_zone
        )
        if clicked:
            yield self._clicks(account, clicked)

    def _account(self, account: str) -> tuple[str, str]:
        """Currency and time zone: without them neither cost nor day means anything."""
        row: Mapping[str, Any] = next(iter(self._client.search(account, CUSTOMER)), {})
        currency, zone = at(row, "customer.currencyCode"), at(row, "customer.timeZone")
        try:
            if not currency or not zone:
                raise ValueError
            ZoneInfo(zone)
        except (ValueError, ZoneInfoNotFoundError):
            raise PermanentError(
                "Google Ads tells no currency or no known time zone of the account.",
                where=f"{self.name}: account {account}",
                fix="Open the account in Google Ads: it may be cancelled or not set up.",
            ) from None
        return str(currency), str(zone)

    def _kept(self, window: Window, days: int, time_zone: str) -> Window | None:
        """The part of the window that Google still has."""
        oldest = self._now.astimezone(ZoneInfo(time_zone)).date() - timedelta(days=days)
        if window.end < oldest:
            return None
        return Window(max(window.start, oldest), window.end)

    def _report(
        self,
        account: str,
        query: str,
        window: Window,
        table: str,
        report: str,
        build: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> Batch:
        found = Collected()
        for row in self._client.search(account, query.format(first=window.start, last=window.end)):
            found.add(row, partial(build, row))
        return self._batch(table, found, report, account, window)

    def _clicks(self, account: str, window: Window) -> Batch:
        found = Collected()
        for each in window.days():
            for row in self._client.search(account, CLICKS.format(day=each)):
                # App campaigns click without a gclid: nothing that could be matched.
                if at(row, "clickView.gclid"):
                    found.add(row, partial(records.click, row, account=account))
        return self._batch("ad_clicks", found, "clicks", account, window)

    def _batch(
        self, table: str, found: Collected, report: str, account: str, window: Window
    ) -> Batch:
        covered = Coverage(report, PLATFORM, account, window.start, window.end)
        return Batch(table, found.records, found.errors, coverage=(covered,))
