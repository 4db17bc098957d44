"""Which fields a mapping may fill, and their types: read from table.yaml, written nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from trueline.model.catalog import load_catalog

Kind = Literal[
    "ad_report", "tag_events", "touches", "crm_leads", "crm_stages", "crm_deals", "exchange_rates"
]

# An ad report may carry delivery and claims in one row.
TABLES: dict[str, tuple[str, ...]] = {
    "ad_report": ("ad_delivery", "pixel_claims"),
    **{name: (name,) for name in get_args(Kind) if name != "ad_report"},
}
# Filled by ingest.
OWN_COLUMNS = frozenset({"source", "load_id", "loaded_at", "row_hash", "_extra"})
KEYED_COLUMNS = frozenset(
    {"email_key", "phone_key", "email_domain_key", "email_local_key", "ip_key"}
)
# Clear identifiers that ingest turns into the keyed columns.
IDENTIFIERS: dict[str, tuple[str, ...]] = {
    "tag_events": ("email", "phone", "ip_address"),
    "crm_leads": ("email", "phone"),
}
# Addresses that are taken apart, and the columns that come out of them.
URL_COLUMNS = (
    "click_id",
    "click_id_type",
    "ad_campaign_id",
    "utm_source",
    "utm_medium",
    "utm_campaign",
)
PAGE_COLUMN = {"tag_events": "page_path", "touches": "page_path", "crm_leads": "landing_page"}
# Measures that make a row of an ad report a delivery row, or a claim.
DELIVERY_MEASURES = ("cost_micros", "impressions", "clicks")
CLAIM_MEASURE = "pixel_conversions"
# Text that is more than text: what the cell readers make of it.
TEXT_TYPES = {
    "self_reported_source": "ANSWER",
    "currency_code": "CURRENCY",
    "base_currency": "CURRENCY",
    "quote_currency": "CURRENCY",
}
# Filled with text that must not pass through a number.
ID_COLUMNS = frozenset({"account_id", "click_id", "conversion_action"})


@dataclass(frozen=True, slots=True)
class Target:
    """One field that a mapping may fill.

    Attributes:
        type: BigQuery type of the column; ``URL`` and ``REFERRER`` for addresses, ``ANSWER`` for
            what somebody wrote freely, ``CURRENCY`` for a code.
        required: No row is good without it.
    """

    name: str
    type: str
    required: bool

    @property
    def is_id(self) -> bool:
        return self.name in ID_COLUMNS or self.name.endswith("_id")


@cache
def targets(kind: Kind) -> dict[str, Target]:
    """Every field of a kind of file by name."""
    found: dict[str, Target] = {}
    for table in TABLES[kind]:
        for name, target in columns(table).items():
            found.setdefault(name, target)
    for name in IDENTIFIERS.get(kind, ()):
        found[name] = Target(name, "STRING", False)
    if kind in PAGE_COLUMN:
        found["page_url"] = Target("page_url", "URL", False)
        if "referrer_host" in found:
            found["referrer"] = Target("referrer", "REFERRER", False)
    return found


@cache
def columns(table: str) -> dict[str, Target]:
    """The columns of ``raw.<table>`` that a source fills."""
    return {
        column.name: Target(column.name, TEXT_TYPES.get(column.name, column.type), column.required)
        for column in load_catalog()[f"raw.{table}"].columns
        if column.name not in OWN_COLUMNS | KEYED_COLUMNS
    }
