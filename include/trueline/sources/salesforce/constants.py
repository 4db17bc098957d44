"""Salesforce's limits and the standard fields that are read. Bulk API 2.0 and REST API."""

from __future__ import annotations

CRM = "salesforce"
# Rows of one page of results, and so of one batch of leads.
PAGE_RECORDS = 10_000
FIRST_POLL_SECONDS = 1.0
LONGEST_POLL_SECONDS = 20.0
# The org's limits count over 24 hours; some of it is free again after an hour.
LIMIT_SECONDS = 3600.0

LEAD_NEEDED = ("Id", "IsDeleted", "CreatedDate", "SystemModstamp")
LEAD_USEFUL = ("MasterRecordId", "LastModifiedDate", "ConvertedDate")
HISTORY_COLUMNS = ("Id", "LeadId", "Field", "OldValue", "NewValue", "CreatedDate")
DEAL_NEEDED = ("Id", "IsDeleted", "StageName", "IsWon", "IsClosed", "SystemModstamp")
DEAL_USEFUL = ("Amount", "CloseDate", "CreatedDate")
# There is one only in orgs with several currencies.
CURRENCY_FIELD = "CurrencyIsoCode"
CONVERTED_COLUMNS = ("Id", "ConvertedOpportunityId")
# Fields made of other fields: no query job may select them.
COMPOUND_TYPES = frozenset({"address", "location"})
CLICK_IDS = ("gclid", "gbraid", "wbraid", "fbclid", "msclkid")
SCORES = ("fit", "budget", "authority", "need", "timing", "interest", "intent")
