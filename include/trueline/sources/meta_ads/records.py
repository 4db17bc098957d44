"""Meta rows to raw records. Every number is text; counts that are zero may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueline.sources.collect import cell, needed
from trueline.sources.meta_ads.constants import CLAIM_BASIS, PLATFORM, VIEW_WINDOW, WINDOWS
from trueline.sources.values import day, integer, micros, numeric, text

Row = Mapping[str, Any]


def delivery(row: Row, account: str, currency: str, time_zone: str) -> dict[str, Any]:
    """``raw.ad_delivery``: spend in units becomes micros."""
    return {
        **_campaign_day(row, account),
        "campaign_name": text(row.get("campaign_name")),
        "account_time_zone": time_zone,
        # The row's own currency: an account can change it, and its past does not follow.
        "currency_code": text(row.get("account_currency")) or currency,
        "cost_micros": cell("cost_micros", micros, row.get("spend")) or 0,
        "impressions": cell("impressions", integer, row.get("impressions")) or 0,
        "clicks": cell("clicks", integer, row.get("clicks")) or 0,
    }


def claim(row: Row, action: Row, account: str) -> dict[str, Any]:
    """``raw.pixel_claims`` of one entry of ``actions``; ``value`` is the account's own window."""
    kind = needed("conversion_action", text, action.get("action_type"))
    return {
        **_campaign_day(row, account),
        "conversion_action": kind,
        "conversion_action_name": kind,
        "claim_basis": CLAIM_BASIS,
        "pixel_conversions": needed("pixel_conversions", numeric, action.get("value")),
        "view_through": _view_through(action),
        "pixel_value_amount": None,
    }


def _view_through(action: Row) -> Any:
    """Claims after a view alone.

    A window that counted nothing has no key. So its absence means zero where another window that
    was asked for is there, and "not told" where none is.
    """
    if VIEW_WINDOW in action:
        return cell("view_through", numeric, action[VIEW_WINDOW])
    return numeric(0) if any(window in action for window in WINDOWS) else None


def _campaign_day(row: Row, account: str) -> dict[str, Any]:
    return {
        "platform": PLATFORM,
        "account_id": account,
        "campaign_id": needed("campaign_id", text, row.get("campaign_id")),
        "platform_date": cell("platform_date", day, row.get("date_start")),
    }
