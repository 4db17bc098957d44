"""What is asked of Google Ads, and the limits it sets.

Field names: Google Ads API v26. ``segments.conversion_action`` cannot stand beside cost, clicks or
impressions, hence two queries; ``click_view`` takes exactly one day per query.
"""

from __future__ import annotations

import re

PLATFORM = "google_ads"
DEFAULT_URL = "https://googleads.googleapis.com"
# Daily figures are kept 37 months (since 2026-06-01), clicks 90 days.
RETENTION_MONTHS = 37
CLICK_RETENTION_DAYS = 90
# Records that are handed on at once.
PART_ROWS = 10_000
TABLES = ("ad_accounts", "conversion_actions", "ad_delivery", "pixel_claims", "ad_clicks")

CHILDREN = (
    "SELECT customer_client.id, customer_client.manager, customer_client.status, "
    "customer_client.level FROM customer_client"
)

CUSTOMER = (
    "SELECT customer.id, customer.descriptive_name, customer.currency_code, customer.time_zone, "
    "customer.status, customer.manager FROM customer"
)

ACTIONS = (
    "SELECT conversion_action.id, conversion_action.name, conversion_action.type, "
    "conversion_action.status, conversion_action.category, conversion_action.counting_type, "
    "conversion_action.primary_for_goal, conversion_action.include_in_conversions_metric, "
    "conversion_action.click_through_lookback_window_days, "
    "conversion_action.attribution_model_settings.attribution_model FROM conversion_action"
)

DELIVERY = (
    "SELECT segments.date, customer.id, campaign.id, campaign.name, metrics.cost_micros, "
    "metrics.clicks, metrics.impressions FROM campaign "
    "WHERE segments.date BETWEEN '{first}' AND '{last}'"
)

CLAIMS = (
    "SELECT segments.date, customer.id, campaign.id, segments.conversion_action, "
    "segments.conversion_action_name, metrics.conversions, metrics.conversions_value, "
    "metrics.conversions_by_conversion_date, metrics.conversions_value_by_conversion_date "
    "FROM campaign WHERE segments.date BETWEEN '{first}' AND '{last}'"
)

CLICKS = (
    "SELECT segments.date, customer.id, campaign.id, click_view.gclid FROM click_view "
    "WHERE segments.date = '{day}'"
)

# What an answer must have; what is no metric is asked of every row besides.
NEEDED_DELIVERY = ("segments.date", "campaign.id", "metrics.costMicros")
NEEDED_CLAIMS = ("segments.date", "campaign.id", "segments.conversionAction")
NEEDED_CLICKS = ("segments.date", "campaign.id", "clickView.gclid")


def asked_fields(query: str) -> frozenset[tuple[str, str]]:
    """``{("metrics", "costMicros"), ...}``: what the rows of a query hold, as JSON spells it.

    The resource names come unasked.
    """
    names = re.split(r"[,\s]+", query.partition(" FROM ")[0].removeprefix("SELECT "))
    found = set()
    for name in names:
        resource, field, *_ = (_camel(part) for part in name.split("."))
        found |= {(resource, field), (resource, "resourceName")}
    return frozenset(found)


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


# Codes that repeating later may mend.
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
# Codes that speak of one account; what else is refused to a credential is refused for all.
ACCOUNT_REFUSED = frozenset(
    {
        "USER_PERMISSION_DENIED",
        "ACTION_NOT_PERMITTED",
        "ACTION_NOT_PERMITTED_FOR_SUSPENDED_ACCOUNT",
        "ACCESS_DENIED_FOR_ACCOUNT_TYPE",
        "METRIC_ACCESS_DENIED",
        "INCOMPLETE_SIGNUP",
        "MISSING_TOS",
        "INVALID_LOGIN_CUSTOMER_ID_SERVING_CUSTOMER_ID_COMBINATION",
        "CUSTOMER_NOT_FOUND",
        "CLIENT_CUSTOMER_ID_INVALID",
        "INVALID_CUSTOMER_ID",
        "ACCOUNT_NOT_SET_UP",
        "LOGIN_CUSTOMER_ID_PARAMETER_MISSING",
    }
)
