"""What is asked of Meta's Insights, and how it says no. Graph API v26.0."""

from __future__ import annotations

PLATFORM = "meta_ads"
DEFAULT_URL = "https://graph.facebook.com"
# Meta files a conversion under the day of the click or view that it credits.
CLAIM_BASIS = "click_date"
RETENTION_DAYS = 37 * 30
PAGE_SIZE = 500
# 7d_view and 28d_view are no longer returned since 2026-01-12.
WINDOWS = ("7d_click", "1d_view")
VIEW_WINDOW = "1d_view"
FIELDS = (
    "account_id",
    "account_currency",
    "campaign_id",
    "campaign_name",
    "spend",
    "impressions",
    "clicks",
    "actions",
)

THROTTLED = frozenset({4, 17, 32, 613, *range(80000, 80007), 80014})
TRANSIENT = frozenset({1, 2, 341})
# 104: no token; 102, 190: expired or revoked; 10, 200-299: no permission.
DENIED = frozenset({10, 102, 104, 190, *range(200, 300)})
# Too much at once: (code, subcode).
TOO_LARGE = frozenset({(100, 1487534), (100, 1504018), (2, 1504038)})
SWITCHED_OFF_VERSION = 2635
DEFAULT_THROTTLE_SECONDS = 60.0
