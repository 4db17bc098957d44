"""One account's pull, report by report. What stopped it can be tried again where it stopped."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from trueline.errors import PermanentError, RetriableError
from trueline.sources.base import Batch, Coverage
from trueline.sources.collect import Collected
from trueline.sources.meta_ads import records
from trueline.sources.meta_ads.client import MetaAdsClient
from trueline.sources.meta_ads.constants import METRICS, PLATFORM
from trueline.sources.meta_ads.errors import TooMuchDataError, field_is_gone
from trueline.sources.meta_ads.reports import Reports
from trueline.sources.settings import MetaAdsSettings
from trueline.sources.values import BadValue, numeric
from trueline.windows import Window

log = logging.getLogger(__name__)

TABLES = ("ad_accounts", "ad_delivery", "pixel_claims")
#: Records of one batch: a pull's memory is this and one report.
PART = 10_000
_WORKING = frozenset({"ACTIVE", "ANY_ACTIVE", "IN_GRACE_PERIOD"})


class AccountPull:
    """Delivery and claims of one account and window."""

    def __init__(
        self,
        account: str,
        window: Window,
        *,
        source: str,
        settings: MetaAdsSettings,
        client: MetaAdsClient,
        reports: Reports,
    ) -> None:
        self.account = account
        self._window, self._source, self._settings = window, source, settings
        self._client, self._reports = client, reports
        self._next, self._days = window.start, settings.report_days
        self._about: Mapping[str, Any] | None = None
        self._delivery, self._claims = Collected(), Collected()
        self._drift: dict[str, set[str]] = {"ad_delivery": set(), "pixel_claims": set()}
        self._not_asked: Counter[str] = Counter()

    def batches(self) -> Iterator[Batch]:
        """Everything, in parts; called again after an error it goes on with the failed report.

        Raises:
            RetriableError, PermanentError, ConfigurationError: of the report that failed; what was
                handed out before stands.
        """
        if self._about is None:
            about = self._read_account()
            yield self._account_batch(about)
            self._about = about
        while self._next <= self._window.end:
            window = self._next_window()
            try:
                rows = self._reports.read(self.account, window)
            except TooMuchDataError as error:
                self._shorten(window, error)
                continue
            self._refuse_renamed(rows, window)
            yield from self._parts(rows, window)
            self._next = window.end + timedelta(days=1)
        yield from self._last_parts()
        self._tell_not_asked()

    def _where(self) -> str:
        return f"{self._source}: account {self.account}"

    def _read_account(self) -> Mapping[str, Any]:
        about = self._client.account(self.account)
        if not about.get("currency") or not about.get("timezone_name"):
            raise PermanentError(
                "Meta tells no currency or no time zone of the account.",
                where=self._where(),
                fix="Open the account in Ads Manager: it may be closed or not set up.",
            )
        return about

    def _account_batch(self, about: Mapping[str, Any]) -> Batch:
        found = Collected()
        values = records.account(about, self.account)
        reason = str(about.get("disable_reason") or "0")
        extra = {"disable_reason": reason} if reason != "0" else {}
        found.add(about, lambda: values, extra=extra)
        if values["account_status"] not in (None, *_WORKING):
            log.warning(
                "%s: Meta calls the account %s. Its past is read, new days may stay empty.",
                self._where(),
                values["account_status"],
            )
        return Batch("ad_accounts", found.records, found.errors, account_id=self.account)

    def _next_window(self) -> Window:
        last = self._next + timedelta(days=self._days - 1)
        return Window(self._next, min(last, self._window.end))

    def _shorten(self, window: Window, error: TooMuchDataError) -> None:
        """Halve the days of a report.

        Raises:
            PermanentError, RetriableError: it was one day already.
        """
        days = (window.end - window.start).days + 1
        if days == 1:
            family = RetriableError if error.may_pass else PermanentError
            raise family(
                f"Even one day is too much: {error.what}",
                where=f"{self._where()}, {window}",
                fix="Try again later; if it stays so, ask Meta's support with the fbtrace_id that "
                "the log tells.",
            )
        self._days = days // 2
        log.info("%s: %s is too much at once, on with %d days", self._where(), window, self._days)

    def _refuse_renamed(self, rows: Sequence[Any], window: Window) -> None:
        """Stop where a field that the numbers rest on is gone from every row."""
        rows = [row for row in rows if isinstance(row, Mapping)]
        if not rows:
            return
        gone = [name for name in ("campaign_id", "date_start") if not _in_any(rows, name)]
        if any(records.unknown_fields(row) for row in rows):
            # A metric alone may be missing where it is zero: beside a new name it was renamed.
            gone += [name for name in METRICS if not _in_any(rows, name)]
        if gone:
            raise field_is_gone(gone, f"{self._where()}, {window}")

    def _parts(self, rows: Sequence[Any], window: Window) -> Iterator[Batch]:
        met: dict[tuple[str, date], Any] = {}
        repeated = 0
        for row in rows:
            try:
                key = records.campaign_day(row, self.account, window)
            except BadValue as bad:
                self._delivery.add(row, partial(_refuse, bad))
                continue
            identity = (key["campaign_id"], key["platform_date"])
            if met.setdefault(identity, row) is not row:
                if met[identity] == row:
                    repeated += 1  # a page that was delivered twice
                else:
                    differs = BadValue("duplicate_row", "campaign_id")
                    self._delivery.add(row, partial(_refuse, differs))
                continue
            self._add(row, key)
            if len(self._delivery.records) >= PART:
                yield self._part("ad_delivery")
            if len(self._claims.records) >= PART:
                yield self._part("pixel_claims")
        if repeated:
            log.warning(
                "%s, %s: %d rows came twice, word by word; they are taken once",
                self._where(),
                window,
                repeated,
            )

    def _add(self, row: Mapping[str, Any], key: Mapping[str, Any]) -> None:
        about = self._about or {}
        extra = records.unknown_fields(row)
        self._drift["ad_delivery"].update(extra)
        currency, time_zone = str(about["currency"]), str(about["timezone_name"])
        build = partial(records.delivery, row, key, currency=currency, time_zone=time_zone)
        self._delivery.add(row, build, extra=extra)
        for found in records.claimed(row):
            if found.kind is not None and found.kind not in self._settings.action_types:
                self._not_asked[found.kind] += _count(found.entry)
                continue
            others = {} if found.wrong else records.other_windows(found.entry)
            self._drift["pixel_claims"].update(
                f"actions.{name}" for name in others if name not in records.KNOWN_ACTION_FIELDS
            )
            kept = {**row, "actions": [found.entry], "action_values": found.amounts}
            self._claims.add(kept, partial(records.claim, key, found), extra=others)

    def _part(self, table: str) -> Batch:
        found = self._delivery if table == "ad_delivery" else self._claims
        after = found.handed_on + len(found.records) + len(found.errors)
        rest = Collected(handed_on=after)
        if table == "ad_delivery":
            self._delivery = rest
        else:
            self._claims = rest
        return Batch(table, found.records, found.errors, account_id=self.account)

    def _last_parts(self) -> Iterator[Batch]:
        for table, report in (("ad_delivery", "delivery"), ("pixel_claims", "claims")):
            first, last = self._window.start, self._window.end
            yield replace(
                self._part(table),
                coverage=(Coverage(report, PLATFORM, self.account, first, last),),
                doubt=self._reports.doubts.get(self.account),
                drift=tuple(sorted(self._drift[table])),
            )

    def _tell_not_asked(self) -> None:
        """Once a pull: claims that nobody stores must not vanish without a word."""
        if self._not_asked:
            told = ", ".join(f"{kind} {count:,}" for kind, count in self._not_asked.most_common())
            log.info(
                "%s: action types that action_types does not name, so nothing of them is kept: %s",
                self._where(),
                told,
            )


def _in_any(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(row.get(name) not in (None, "") for row in rows)


def _count(entry: Any) -> int:
    try:
        return int(numeric(entry.get("value")) or Decimal(0))
    except BadValue:
        return 0


def _refuse(bad: BadValue) -> Mapping[str, Any]:
    raise bad
