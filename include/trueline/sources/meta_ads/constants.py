"""What is asked of Meta's Insights. Graph API v26.0."""

from __future__ import annotations

PLATFORM = "meta_ads"
DEFAULT_URL = "https://graph.facebook.com"
# Since 2025-06-10 what happens outside Meta is filed under the day that it happened, what happens
# on Meta under the day of the ad; the roll-ups hold both.
OFF_META = ("offsite_conversion.", "offline_conversion.", "app_custom_event.")
RETENTION_DAYS = 37 * 30
PAGE_SIZE = 500
# 7d_view and 28d_view are no longer returned since 2026-01-12.
WINDOWS = ("1d_click", "7d_click", "28d_click", "1d_view")
VIEW_WINDOW = "1d_view"
METRICS = ("spend", "impressions", "clicks")
# Meta's own totals of a report, beside which its rows are laid.
MONEY = "spend"
SUMMED = ("impressions", MONEY)
# Lists of counts and the lists with their values; ``conversions`` tells further types.
ACTION_LISTS = (("actions", "action_values"), ("conversions", "conversion_values"))
FIELDS = (
    "account_id",
    "account_currency",
    "campaign_id",
    "campaign_name",
    *METRICS,
    *(name for pair in ACTION_LISTS for name in pair),
)
DAY_FIELDS = ("date_start", "date_stop")
# Without it a campaign vanishes from its own past once somebody deletes or archives it.
FILTERING = (
    {
        "field": "campaign.effective_status",
        "operator": "IN",
        "value": ["ACTIVE", "PAUSED", "ARCHIVED", "DELETED", "IN_PROCESS", "WITH_ISSUES"],
    },
)
ACCOUNT_FIELDS = (
    "account_id",
    "name",
    "currency",
    "timezone_name",
    "account_status",
    "disable_reason",
)
ACCOUNT_STATUS = {
    "1": "ACTIVE",
    "2": "DISABLED",
    "3": "UNSETTLED",
    "7": "PENDING_RISK_REVIEW",
    "8": "PENDING_SETTLEMENT",
    "9": "IN_GRACE_PERIOD",
    "100": "PENDING_CLOSURE",
    "101": "CLOSED",
    "201": "ANY_ACTIVE",
    "202": "ANY_CLOSED",
}
RUN_FIELDS = ("async_status", "async_percent_completion", "error_code", "error_subcode")
