"""The Meta Ads source: per account what was delivered and what is claimed by action type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from trueline.connections import Connection
from trueline.errors import PermanentError
from trueline.sources.base import Batch, Coverage
from trueline.sources.collect import Collected
from trueline.sources.meta_ads import records
from trueline.sources.meta_ads.client import MetaAdsClient
from trueline.sources.meta_ads.constants import PLATFORM, RETENTION_DAYS
from trueline.sources.settings import MetaAdsSettings
from trueline.sources.values import BadValue
from trueline.windows import Window


class MetaAdsSource:
    """Pulls every account of the settings; an account's failure fails the pull."""

    def __init__(
        self, name: str, settings: MetaAdsSettings, *, connection: Connection, now: datetime
    ) -> None:
        self.name = name
        self._settings, self._now = settings, now
        self._client = MetaAdsClient(settings, connection)

    def pull(self, window: Window) -> Iterator[Batch]:
        """Delivery and claims of the window and ``repull_days`` before it."""
        asked = window.widened(self._settings.repull_days)
        oldest = (self._now - timedelta(days=RETENTION_DAYS)).date()
        if asked.end < oldest:
            return
        asked = Window(max(asked.start, oldest), asked.end)
        for account in self._settings.accounts:
            yield from self._pull_account(account, asked)

    def _pull_account(self, account: str, window: Window) -> Iterator[Batch]:
        about = self._client.account(account)
        currency, time_zone = about.get("currency"), about.get("timezone_name")
        if not currency or not time_zone:
            raise PermanentError(
                "Meta tells no currency or no time zone of the account.",
                where=f"{self.name}: account {account}",
                fix="Open the account in Ads Manager: it may be closed or not set up.",
            )
        delivery, claims = Collected(), Collected()
        for row in self._client.insights(account, window):
            delivery.add(
                row,
                partial(records.delivery, row, account, currency=currency, time_zone=time_zone),
            )
            self._add_claims(claims, row, account)
        for table, report, found in (
            ("ad_delivery", "delivery", delivery),
            ("pixel_claims", "claims", claims),
        ):
            covered = Coverage(report, PLATFORM, account, window.start, window.end)
            yield Batch(table, found.records, found.errors, coverage=(covered,))

    def _add_claims(self, claims: Collected, row: Mapping[str, Any], account: str) -> None:
        seen: set[str] = set()
        for action in row.get("actions") or ():
            kind = str(action.get("action_type"))
            if kind not in self._settings.action_types:
                continue
            if kind in seen:
                claims.add({**row, "actions": [action]}, _refuse_repeat)
                continue
            seen.add(kind)
            claims.add({**row, "actions": [action]}, partial(records.claim, row, action, account))


def _refuse_repeat() -> Mapping[str, Any]:
    """The same action type twice in one row: which of the two is right cannot be told."""
    raise BadValue("duplicate_action", "conversion_action")
