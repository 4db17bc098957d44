"""The Google Ads source: per account what was delivered, what is claimed, which click was whose."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from trueline.connections import Connection
from trueline.errors import PermanentError, RetriableError, TruelineError
from trueline.progress import Progress
from trueline.sources.base import AccountFailed, Batch, Coverage, Record
from trueline.sources.google_ads import constants, records
from trueline.sources.google_ads.accounts import accounts_of
from trueline.sources.google_ads.client import GoogleAdsClient, saved_rows
from trueline.sources.google_ads.constants import PLATFORM, TABLES, asked_fields
from trueline.sources.google_ads.errors import (
    AccountClosedError,
    AccountRefusedError,
    QuotaSpentError,
)
from trueline.sources.google_ads.fetch import Fetched, fetch
from trueline.sources.google_ads.parts import parts
from trueline.sources.settings import GoogleAdsSettings
from trueline.windows import Window

log = logging.getLogger(__name__)
Build = Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]


class GoogleAdsSource:
    """Pulls every account of the settings, or every enabled one below the manager.

    An account is fetched whole before anything of it is handed out, so one that breaks half-way
    leaves nothing behind and can be tried again.
    """

    def __init__(
        self,
        name: str,
        settings: GoogleAdsSettings,
        *,
        connection: Connection,
        workdir: Path,
        now: datetime,
    ) -> None:
        self.name = name
        self._settings, self._workdir, self._now = settings, workdir, now
        self._client = GoogleAdsClient(settings, connection)
        self._progress = Progress(name)

    def pull(self, window: Window) -> Iterator[Batch | AccountFailed]:
        """Delivery and claims of the window and ``repull_days`` before it, and its clicks.

        Raises:
            ConfigurationError: the credential, the project or the API version is refused as such.
            RetriableError, PermanentError: the manager's list of accounts cannot be read.
        """
        again: dict[str, tuple[RetriableError, float]] = {}
        spent: QuotaSpentError | None = None
        for account in accounts_of(self._client, self._settings, self.name):
            if spent:
                yield AccountFailed(account, spent, TABLES)
                continue
            try:
                yield from self._pull_account(account, window)
            except QuotaSpentError as error:
                spent = error
                yield AccountFailed(account, error, TABLES)
            except RetriableError as error:
                log.warning("%s: account %s is tried again later: %s", self.name, account, error)
                again[account] = (error, time.monotonic())
        for account, (failed, failed_at) in again.items():
            waited = time.monotonic() - failed_at
            if spent or (failed.retry_after_seconds or 0.0) > waited:
                # Asking before the time would only prolong it; the orchestrator waits better.
                yield AccountFailed(account, failed, TABLES)
                continue
            try:
                yield from self._pull_account(account, window)
            except RetriableError as still:
                spent = still if isinstance(still, QuotaSpentError) else None
                yield AccountFailed(account, still, TABLES)

    def _pull_account(self, account: str, window: Window) -> Iterator[Batch | AccountFailed]:
        """Everything of one account, or why nothing.

        Raises:
            RetriableError: nothing was handed out; it may be tried again.
            ConfigurationError: no account will do better.
        """
        self._workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="google_ads-", dir=self._workdir) as folder:
            try:
                fetched = fetch(
                    self._client,
                    account,
                    window,
                    self._settings,
                    folder=Path(folder),
                    now=self._now,
                    where=f"{self.name}: account {account}",
                    progress=self._progress,
                )
            except AccountClosedError as error:
                log.warning("%s: account %s is skipped: %s", self.name, account, error)
                yield Batch(
                    "ad_accounts", (), account_id=account, skipped_reason="account_not_enabled"
                )
                return
            except (AccountRefusedError, PermanentError) as error:
                yield AccountFailed(account, error, TABLES)
                return
            try:
                yield from self._batches(fetched)
            except TruelineError as error:
                yield AccountFailed(account, error, TABLES)

    def _batches(self, fetched: Fetched) -> Iterator[Batch]:
        account, currency, zone = fetched.account_id, fetched.currency, fetched.time_zone
        described = records.account(fetched.customer, account, currency, zone)
        yield Batch("ad_accounts", (Record(1, described),), account_id=account)
        yield from self._table(
            fetched,
            "conversion_actions",
            fetched.actions,
            partial(records.action, account_id=account),
            constants.ACTIONS,
        )
        if fetched.restated:
            yield from self._table(
                fetched,
                "ad_delivery",
                saved_rows(fetched.delivery, constants.NEEDED_DELIVERY, fetched.where),
                partial(
                    records.delivery,
                    account_id=account,
                    asked=fetched.restated,
                    currency=currency,
                    time_zone=zone,
                ),
                constants.DELIVERY,
                covered=("delivery", fetched.restated),
            )
            yield from self._table(
                fetched,
                "pixel_claims",
                saved_rows(fetched.claims, constants.NEEDED_CLAIMS, fetched.where),
                partial(records.claims, account_id=account, asked=fetched.restated),
                constants.CLAIMS,
                covered=("claims", fetched.restated),
            )
        if fetched.clicked:
            clicks = (
                row
                for path in fetched.clicks
                for row in saved_rows(path, constants.NEEDED_CLICKS, fetched.where)
            )
            yield from self._table(
                fetched,
                "ad_clicks",
                clicks,
                partial(records.click, account_id=account, asked=fetched.clicked),
                constants.CLICKS,
                covered=("clicks", fetched.clicked),
            )

    def _table(
        self,
        fetched: Fetched,
        table: str,
        rows: Iterator[Mapping[str, Any]] | Sequence[Mapping[str, Any]],
        build: Build,
        query: str,
        *,
        covered: tuple[str, Window] | None = None,
    ) -> Iterator[Batch]:
        """One table's batches; what they cover is told with the last one."""
        account, done = fetched.account_id, 0
        coverage: tuple[Coverage, ...] = ()
        if covered:
            report, days = covered
            coverage = (Coverage(report, PLATFORM, account, days.start, days.end),)
        waiting = None
        for part in parts(rows, build, asked_fields(query), where=fetched.where):
            if waiting:
                yield waiting
            waiting = Batch(
                table, part.records, part.errors, account_id=account, drift=tuple(part.drift)
            )
            done += len(part.records)
            self._progress.at(account=account, report=table, rows=done)
        if waiting:
            yield Batch(
                table,
                waiting.records,
                waiting.errors,
                coverage=coverage,
                account_id=account,
                drift=waiting.drift,
            )
