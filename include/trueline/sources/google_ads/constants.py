"""What is asked of Google Ads, and the limits it sets.

Field names: Google Ads API v26. ``segments.conversion_action`` cannot stand beside cost, clicks or
impressions, hence two queries; ``click_view`` takes exactly one day per query.
"""

from __future__ import annotations

PLATFORM = "google_ads"
DEFAULT_URL = "https://googleads.googleapis.com"
# Conversions are taken by the day they happened on, not by the day of the click.
CLAIM_BASIS = "conversion_date"
# Daily figures are kept 37 months, clicks 90 days.
RETENTION_DAYS = 37 * 30
CLICK_RETENTION_DAYS = 90

CUSTOMER = "SELECT customer.id, customer.currency_code, customer.time_zone FROM customer"

DELIVERY = (
    "SELECT segments.date, customer.id, campaign.id, campaign.name, metrics.cost_micros, "
    "metrics.clicks, metrics.impressions FROM campaign "
    "WHERE segments.date BETWEEN '{first}' AND '{last}'"
)

CLAIMS = (
    "SELECT segments.date, customer.id, campaign.id, segments.conversion_action, "
    "segments.conversion_action_name, metrics.conversions_by_conversion_date, "
    "metrics.conversions_value_by_conversion_date FROM campaign "
    "WHERE segments.date BETWEEN '{first}' AND '{last}'"
)

CLICKS = (
    "SELECT segments.date, customer.id, campaign.id, click_view.gclid FROM click_view "
    "WHERE segments.date = '{day}'"
)

# errorCode families and values that repeating later may mend.
RETRIABLE = frozenset(
    {
        "INTERNAL_ERROR",
        "TRANSIENT_ERROR",
        "DEADLINE_EXCEEDED",
        "CONCURRENT_MODIFICATION",
        "RESOURCE_TEMPORARILY_EXHAUSTED",
        "EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION",
        "RESOURCE_EXHAUSTED",
        "EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION",
    }
)
# Spent for the day: the next try within the hour would only burn another operation.
DAILY_QUOTA = frozenset({"RESOURCE_EXHAUSTED", "EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION"})
DAILY_QUOTA_DELAY_SECONDS = 3600.0
