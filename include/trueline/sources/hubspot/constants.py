"""HubSpot's limits and the properties of deals. CRM API v3, associations v4."""

from __future__ import annotations

CRM = "hubspot"
DEFAULT_URL = "https://api.hubapi.com"
SEARCH_PAGE = 200
LIST_PAGE = 100
HISTORY_INPUTS = 50
ASSOCIATION_INPUTS = 1000
BATCH_RECORDS = 10_000
DEAL_PROPERTIES = (
    "dealstage",
    "amount",
    "deal_currency_code",
    "createdate",
    "closedate",
    "hs_is_closed_won",
    "hs_is_closed",
    "hs_lastmodifieddate",
)
DEAL_MODIFIED = "hs_lastmodifieddate"
# Lifecycle stages that name a lead type of ours.
LEAD_TYPES = {
    "marketingqualifiedlead": "mql",
    "salesqualifiedlead": "sql",
    "productqualifiedlead": "pql",
    "servicequalifiedlead": "service_qualified",
}
