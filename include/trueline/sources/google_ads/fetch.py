"""One account's answers, whole and on disk, before anything is made of them."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trueline.errors import PermanentError
from trueline.progress import Progress
from trueline.sources.collect import at
from trueline.sources.google_ads import constants
from trueline.sources.google_ads.client import GoogleAdsClient
from trueline.sources.google_ads.errors import DayGoneError, manager_has_no_figures
from trueline.sources.settings import GoogleAdsSettings
from trueline.windows import Window

log = logging.getLogger(__name__)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What Google answered of one account.

    Attributes:
        where: Source and account, for messages.
        restated: Days of delivery and claims, or None where Google keeps none of them.
        clicked: Days of the clicks, likewise.
        delivery, claims, clicks: Files for ``saved_rows``; there where their days are.
    """

    where: str
    account_id: str
    customer: Row
    currency: str
    time_zone: str
    actions: Sequence[Row]
    restated: Window | None
    clicked: Window | None
    delivery: Path
    claims: Path
    clicks: Sequence[Path]


def fetch(
    client: GoogleAdsClient,
    account: str,
    window: Window,
    settings: GoogleAdsSettings,
    *,
    folder: Path,
    now: datetime,
    where: str,
    progress: Progress,
) -> Fetched:
    """Ask for everything of one account.

    Raises:
        AccountRefusedError: this account is closed to us, or has no figures.
        PermanentError: it tells no currency or time zone.
        RetriableError, ConfigurationError: see ``explain``.
    """

    def save(report: str, query: str, name: str) -> Path:
        target = folder / name
        client.save(
            account,
            query,
            target,
            lambda page: progress.at(account=account, report=report, page=page),
        )
        return target

    customer = next(iter(client.search(account, constants.CUSTOMER)), {})
    if at(customer, "customer.manager") is True:
        raise manager_has_no_figures(where)
    currency, time_zone = _money_and_days(customer, where)
    actions = client.search(account, constants.ACTIONS)
    delivery, claims = folder / "delivery", folder / "claims"
    today = now.astimezone(ZoneInfo(time_zone)).date()
    oldest = months_before(today, constants.RETENTION_MONTHS)
    restated = _kept(window.widened(settings.repull_days), oldest)
    if restated:
        days = {"first": restated.start, "last": restated.end}
        save("delivery", constants.DELIVERY.format(**days), delivery.name)
        save("claims", constants.CLAIMS.format(**days), claims.name)
    oldest = today - timedelta(days=constants.CLICK_RETENTION_DAYS)
    clicked = _kept(window.widened(settings.click_view_days), oldest)
    clicks = []
    for day in clicked.days() if clicked else ():
        try:
            clicks.append(save("clicks", constants.CLICKS.format(day=day), f"clicks-{day}"))
        except DayGoneError:
            # Around midnight Google's today may be a day ahead: the oldest day is gone.
            log.info("%s: the clicks of %s are no longer kept", where, day)
            clicked = _kept(window.widened(settings.click_view_days), day + timedelta(days=1))
    return Fetched(
        where,
        account,
        customer,
        currency,
        time_zone,
        actions,
        restated,
        clicked,
        delivery,
        claims,
        clicks,
    )


def _money_and_days(customer: Row, where: str) -> tuple[str, str]:
    """Currency and time zone: without them neither cost nor day means anything."""
    currency, zone = at(customer, "customer.currencyCode"), at(customer, "customer.timeZone")
    try:
        if not re.fullmatch(r"[A-Z]{3}", str(currency)):
            raise ValueError
        ZoneInfo(str(zone))
    except (ValueError, ZoneInfoNotFoundError):
        raise PermanentError(
            "Google Ads tells no currency or no known time zone of the account.",
            where=where,
            fix="Open the account in Google Ads: it may be cancelled or not set up.",
        ) from None
    return str(currency), str(zone)


def _kept(window: Window, oldest: date) -> Window | None:
    """The part of the window that Google still has."""
    if window.end < oldest:
        return None
    return Window(max(window.start, oldest), window.end)


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last day."""
    count = day.year * 12 + day.month - 1 - months
    first, following = (date(each // 12, each % 12 + 1, 1) for each in (count, count + 1))
    return min(first + timedelta(days=day.day - 1), following - timedelta(days=1))
