"""A company that has nothing but files: written by a test, loaded and built by the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from trueline import pipeline
from trueline.paths import home
from trueline.pipeline.build import Mode
from trueline.settings.profile import Profile, load_profile
from trueline.windows import Window

PROFILE = """
name: own
time_zone: {time_zone}
currency: EUR
warehouse: {{engine: duckdb, folder: warehouse}}
rulebook: {rulebook}
sources:
"""
MAPPINGS = {
    "spend": """
kind: ad_report
format: csv
fields:
  platform: platform
  account_id: account
  campaign_id: campaign
  platform_date: day
  account_time_zone: zone
  currency_code: currency
  cost_micros: {column: cost, multiply: 1000000}
  impressions: impressions
  clicks: clicks
""",
    "claims": """
kind: ad_report
format: csv
constants: {platform: google_ads, claim_basis: conversion_date}
fields:
  account_id: account
  campaign_id: campaign
  platform_date: day
  conversion_action: action
  pixel_conversions: claimed
""",
    "rates": """
kind: exchange_rates
format: csv
constants: {base_currency: EUR}
fields: {rate_date: day, quote_currency: currency, rate: rate}
""",
    "events": """
kind: tag_events
format: csv
constants: {observer: site_tag, event_name: lead_form}
fields: {event_id: id, occurred_at: at, email: email, utm_source: source, utm_medium: medium}
""",
    "leads": """
kind: crm_leads
format: csv
constants: {crm: own}
fields: {crm_record_id: id, crm_created_at: at, email: email}
""",
    "deals": """
kind: crm_deals
format: csv
constants: {crm: own}
fields:
  deal_id: id
  crm_record_id: lead
  is_won: won
  deal_amount: amount
  currency_code: currency
  deal_created_at: opened
  deal_closed_at: closed
""",
}


@dataclass(frozen=True)
class OwnFiles:
    """A folder with a profile, and what was made of it."""

    folder: Path
    sources: tuple[str, ...]

    def profile(self, time_zone: str = "Europe/Berlin") -> Profile:
        """Its profile; days may be those of another time zone each time it is built."""
        text = PROFILE.format(time_zone=time_zone, rulebook=home() / "config" / "rulebook")
        for name in self.sources:
            text += f"  {name}:\n    type: files\n    files:\n"
            text += f"      - {{path: '{name}-*.csv', mapping: {name}.yaml}}\n"
        path = self.folder / "profile.yaml"
        path.write_text(text, encoding="utf-8")
        return load_profile(path)

    def load(self, source: str, number: int, text: str, day: date) -> None:
        """One more file of a source, and the pull that finds it."""
        (self.folder / f"{source}-{number}.csv").write_text(text, encoding="utf-8")
        pipeline.ingest(self.profile(), source, Window(day, day))

    def build(self, time_zone: str = "Europe/Berlin", mode: Mode = "auto") -> None:
        pipeline.build(self.profile(time_zone), mode=mode)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        path = self.profile().data_folder / "warehouse.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def sums(self, sql: str) -> Mapping[Any, Any]:
        """Two columns as one mapping."""
        return dict(self.rows(sql))  # type: ignore[arg-type]


def company(folder: Path, *sources: str) -> OwnFiles:
    for name in sources:
        (folder / f"{name}.yaml").write_text(MAPPINGS[name], encoding="utf-8")
    return OwnFiles(folder, sources)
