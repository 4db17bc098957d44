"""Google Ads rows to raw records. Whole numbers come as text, fractions as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueline.sources.collect import at, cell, needed
from trueline.sources.google_ads.constants import CLAIM_BASIS, PLATFORM
from trueline.sources.values import day, integer, numeric, text

Row = Mapping[str, Any]


def delivery(row: Row, account: str, currency: str, time_zone: str) -> dict[str, Any]:
    """``raw.ad_delivery``; a metric that Google leaves out is zero."""
    return {
        **_campaign_day(row, account),
        "campaign_name": text(at(row, "campaign.name")),
        "account_time_zone": time_zone,
        "currency_code": currency,
        "cost_micros": cell("cost_micros", integer, at(row, "metrics.costMicros")) or 0,
        "impressions": cell("impressions", integer, at(row, "metrics.impressions")) or 0,
        "clicks": cell("clicks", integer, at(row, "metrics.clicks")) or 0,
    }


def claim(row: Row, account: str) -> dict[str, Any]:
    """``raw.pixel_claims``. Google does not tell views from clicks here: view_through is None."""
    action = needed("conversion_action", text, at(row, "segments.conversionAction"))
    claimed = at(row, "metrics.conversionsByConversionDate")
    value = at(row, "metrics.conversionsValueByConversionDate")
    return {
        **_campaign_day(row, account),
        # customers/123/conversionActions/7001
        "conversion_action": action.rpartition("/")[2],
        "conversion_action_name": text(at(row, "segments.conversionActionName")),
        "claim_basis": CLAIM_BASIS,
        "pixel_conversions": cell("pixel_conversions", numeric, 0 if claimed is None else claimed),
        "view_through": None,
        "pixel_value_amount": cell("pixel_value_amount", numeric, value),
    }


def click(row: Row, account: str) -> dict[str, Any]:
    """``raw.ad_clicks``."""
    gclid = needed("click_id", text, at(row, "clickView.gclid"))
    return {**_campaign_day(row, account), "click_id": gclid}


def _campaign_day(row: Row, account: str) -> dict[str, Any]:
    return {
        "platform": PLATFORM,
        "account_id": account,
        "campaign_id": needed("campaign_id", text, at(row, "campaign.id")),
        "platform_date": cell("platform_date", day, at(row, "segments.date")),
    }
