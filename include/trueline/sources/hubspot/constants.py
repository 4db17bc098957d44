"""HubSpot's limits and the properties of deals (CRM objects v3 or dated, associations v4)."""

from __future__ import annotations

CRM = "hubspot"
DEFAULT_URL = "https://api.hubapi.com"
SEARCH_PAGE = 200
LIST_PAGE = 100
# Wherever histories are asked for, a page or a batch holds half as much.
HISTORY_PAGE = 50
READ_INPUTS = 100
ASSOCIATION_INPUTS = 1000
BATCH_RECORDS = 10_000
# Five searches a second for the whole account: one is left for whatever else searches there.
SEARCHES_PER_SECOND = 4
# 100 calls in 10 seconds is the smallest plan's burst; other tasks of the same app need some.
CALLS_PER_TEN_SECONDS = 90
DEAL_MODIFIED = "hs_lastmodifieddate"
MERGED_IDS = "hs_merged_object_ids"
# Sent whether asked for or not (CRM guides of contacts and deals).
SENT_UNASKED = (
    "hs_object_id",
    "createdate",
    "lastmodifieddate",
    "email",
    "firstname",
    "lastname",
)
DEAL_SENT_UNASKED = ("hs_object_id", "dealname", "pipeline")
DEAL_PROPERTIES = (
    "dealstage",
    "amount",
    "deal_currency_code",
    "createdate",
    "closedate",
    "hs_is_closed_won",
    "hs_is_closed",
    DEAL_MODIFIED,
    MERGED_IDS,
)
# A deal that is gone belongs to nobody any more; its row only takes the deal away.
NO_CONTACT = "(none)"
# Lifecycle stages that name a lead type of ours.
LEAD_TYPES = {
    "marketingqualifiedlead": "mql",
    "salesqualifiedlead": "sql",
    "productqualifiedlead": "pql",
    "servicequalifiedlead": "service_qualified",
}
