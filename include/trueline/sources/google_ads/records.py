"""Google Ads rows to raw records. Whole numbers come as text, fractions as numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from trueline.sources.collect import at, cell, needed
from trueline.sources.google_ads.constants import PLATFORM
from trueline.sources.values import BadValue, boolean, day, integer, numeric, text
from trueline.windows import Window

Row = Mapping[str, Any]
Number = TypeVar("Number", int, Decimal)
# Of the metrics and of claim_basis: first the day of the conversion, then that of the click.
_BASES = (
    ("conversion_date", "conversionsByConversionDate", "conversionsValueByConversionDate"),
    ("click_date", "conversions", "conversionsValue"),
)


def account(row: Row, account_id: str, currency: str, time_zone: str) -> dict[str, Any]:
    """``raw.ad_accounts``."""
    return {
        "platform": PLATFORM,
        "account_id": account_id,
        "account_name": text(at(row, "customer.descriptiveName")),
        "currency_code": currency,
        "account_time_zone": time_zone,
        "account_status": text(at(row, "customer.status")),
    }


def action(row: Row, account_id: str) -> list[dict[str, Any]]:
    """``raw.conversion_actions``. Words of enumerations are kept, those nobody knows too."""
    told = row.get("conversionAction")
    is_primary = at(told, "includeInConversionsMetric")
    if is_primary is None:
        is_primary = at(told, "primaryForGoal")
    return [
        {
            "platform": PLATFORM,
            "account_id": account_id,
            "conversion_action": needed("conversion_action", _id, at(told, "id")),
            "conversion_action_name": text(at(told, "name")),
            "action_type": text(at(told, "type")),
            "action_status": text(at(told, "status")),
            "category": text(at(told, "category")),
            "counting": text(at(told, "countingType")),
            "is_primary": cell("is_primary", boolean, is_primary),
            "click_window_days": cell(
                "click_window_days", integer, at(told, "clickThroughLookbackWindowDays")
            ),
            "attribution_model": text(at(told, "attributionModelSettings.attributionModel")),
        }
    ]


def delivery(
    row: Row, account_id: str, asked: Window, currency: str, time_zone: str
) -> list[dict[str, Any]]:
    """``raw.ad_delivery``; a metric that Google leaves out is zero. Credits make cost negative."""
    metrics = _told(row, "metrics")
    return [
        {
            **_campaign_day(row, account_id, asked),
            "campaign_name": text(_told(row, "campaign").get("name")),
            "account_time_zone": time_zone,
            "currency_code": currency,
            "cost_micros": cell("cost_micros", integer, metrics.get("costMicros")) or 0,
            "impressions": _count("impressions", integer, metrics.get("impressions")) or 0,
            "clicks": _count("clicks", integer, metrics.get("clicks")) or 0,
        }
    ]


def claims(row: Row, account_id: str, asked: Window) -> list[dict[str, Any]]:
    """``raw.pixel_claims``: the same action filed under both days, where Google tells both.

    The row of the conversion's day is there even if it is zero: by it a reader sees which basis a
    load is to be read on. Google does not tell views from clicks here: view_through is None.
    """
    segments, metrics = _told(row, "segments"), _told(row, "metrics")
    # customers/123/conversionActions/7001
    named = needed("conversion_action", text, segments.get("conversionAction"))
    what = {
        **_campaign_day(row, account_id, asked),
        "conversion_action": needed("conversion_action", _id, named.rpartition("/")[2]),
        "conversion_action_name": text(segments.get("conversionActionName")),
        "view_through": None,
    }
    found = [
        {
            **what,
            "claim_basis": basis,
            "pixel_conversions": _count("pixel_conversions", numeric, metrics.get(count))
            or Decimal(0),
            "pixel_value_amount": cell("pixel_value_amount", numeric, metrics.get(value)),
        }
        for basis, count, value in _BASES
    ]
    by_conversion, by_click = found
    has_click = bool(by_click["pixel_conversions"] or by_click["pixel_value_amount"])
    if has_click and not any(name in metrics for name in _BASES[0][1:]):
        return [by_click]
    return found if has_click else [by_conversion]


def click(row: Row, account_id: str, asked: Window) -> list[dict[str, Any]]:
    """``raw.ad_clicks``. App campaigns click without a gclid: nothing that could be matched."""
    gclid = cell("click_id", text, at(row, "clickView.gclid"))
    return [{**_campaign_day(row, account_id, asked), "click_id": gclid}] if gclid else []


def _campaign_day(row: Row, account_id: str, asked: Window) -> dict[str, Any]:
    """Whose row it is, and of which day.

    Raises:
        BadValue: also where it is none of the days that were asked for.
    """
    found = needed("platform_date", _day, _told(row, "segments").get("date"))
    if not asked.start <= found <= asked.end:
        raise BadValue("outside_window", "platform_date")
    return {
        "platform": PLATFORM,
        "account_id": account_id,
        "campaign_id": needed("campaign_id", _id, _told(row, "campaign").get("id")),
        "platform_date": found,
    }


def _told(row: Row, resource: str) -> Row:
    """One resource's fields; none where it is left out. Millions of rows go through here."""
    found = row.get(resource)
    return found if isinstance(found, dict) else {}


def _day(value: Any) -> date | None:
    return None if value is None else _known_day(str(value))


@lru_cache(maxsize=4096)
def _known_day(value: str) -> date:
    return day(value)


def _id(value: Any) -> str | None:
    """Digits, as text."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        found = str(value).strip()
        if not found:
            return None
        if found.isascii() and found.isdigit():
            return found
    elif value is None:
        return None
    raise BadValue("bad_id")


def _count(column: str, read: Callable[[Any], Number | None], value: Any) -> Number | None:
    found = cell(column, read, value)
    if found is not None and found < 0:
        raise BadValue("negative_count", column)
    return found
