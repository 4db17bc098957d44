"""The world as plain files: what a company without API access would export, and the truth."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sandbox.ga4_export import write_ga4_export
from sandbox.server.hubspot_records import CONTACT_PROPERTIES, DEAL_PROPERTIES, Records
from sandbox.server.site_tag import SiteTag, jsonl
from sandbox.world import World
from sandbox.world.company import CURRENCY, GOOGLE_ACCOUNT, META_ACCOUNT, SOURCES

LEAD_COLUMNS = (*CONTACT_PROPERTIES, "is_deleted", "merged_into_record_id")
STAGE_COLUMNS = ("hs_object_id", "hs_lead_status", "disqualification_reason", "changed_at")
DEAL_COLUMNS = (*DEAL_PROPERTIES, "contact_id")
AD_COLUMNS = (
    "date",
    "platform",
    "account_id",
    "campaign_id",
    "campaign_name",
    "currency",
    "cost",
    "impressions",
    "clicks",
    "conversion_action",
    "claimed",
    "view_through",
)


def _write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow("" if value is None else value for value in row)
            count += 1
    return f"{path.name}: {count} rows"


def _ad_rows(world: World) -> Iterator[list[Any]]:
    """Delivery rows without an action, claim rows with one: the two never share a row."""
    claims: dict[tuple[str, int, str], list[int]] = defaultdict(lambda: [0, 0])
    for claim in world.claims:
        found = claims[claim.source, claim.day, claim.action]
        found[0] += claim.hundredths
        found[1] += claim.hundredths if claim.is_view else 0

    def named(key: str, day: int) -> list[Any]:
        source = SOURCES[key]
        account = GOOGLE_ACCOUNT if source.platform == "google" else META_ACCOUNT
        return [
            world.clock.day(day).isoformat(),
            source.channel,
            account,
            source.campaign_id,
            source.campaign_name,
            CURRENCY,
        ]

    for (key, day), given in sorted(world.delivery.items()):
        cost = f"{given.cost_cents / 100:.2f}"
        yield [*named(key, day), cost, given.impressions, given.clicks, "", "", ""]
    for (key, day, action), (total, viewed) in sorted(claims.items()):
        view = f"{viewed / 100:.2f}" if SOURCES[key].platform == "meta" else ""
        yield [*named(key, day), "", "", "", action, f"{total / 100:.2f}", view]


def _truth(world: World) -> Iterator[dict[str, Any]]:
    """The true cause of every delivered row, then the truth of every lead."""
    for event in world.tag_events:
        source = SOURCES[event.submission.touch.source]
        yield {
            "kind": "tag_event",
            "event_id": event.event_id,
            "observer": event.observer,
            "occurred_at": world.clock.rfc3339(event.at),
            "event_name": event.submission.event_name,
            "is_copy": event.is_copy,
            "true_cause": event.true_cause,
            "true_channel": source.channel,
            "true_campaign": source.campaign_id,
        }
    for lead in world.leads:
        yield {
            "kind": "lead",
            "crm_record_id": lead.crm_record_id,
            "crm_created_at": world.clock.zulu(lead.created_at),
            "true_channel": lead.true_channel,
            "true_campaign": lead.true_campaign,
            "true_verdict": lead.true_verdict,
            "verdict_now": lead.verdict_now,
            "making_event_id": lead.making_event_id or None,
            "is_before_world": lead.is_before_world,
            "has_deal": lead.has_deal,
            "is_customer": lead.is_customer,
        }


def _lead_rows(world: World, records: Records) -> Iterator[list[Any]]:
    """Live records, deleted ones, and for a merged-away one the survivor's id and no more."""
    for record in (*records.live("contacts"), *records.archived("contacts")):
        values = [record.properties.get(name) for name in CONTACT_PROPERTIES]
        yield [*values, "true" if record.archived_at else "false", ""]
    for contact in world.contacts:
        if contact.merged_into:
            known = {
                "hs_object_id": contact.contact_id,
                "createdate": world.clock.zulu(contact.created_at),
                "lastmodifieddate": world.clock.zulu(contact.merged_at),
            }
            values = [known.get(name) for name in CONTACT_PROPERTIES]
            yield [*values, "false", contact.merged_into]


def _stage_rows(world: World) -> Iterator[list[Any]]:
    for contact in world.contacts:
        if contact.merged_into or contact.deleted_at is not None:
            continue
        for change in contact.status:
            said = [item.value for item in contact.reason if 0 <= item.at - change.at <= 60]
            reason = said[0] if said else ""
            yield [contact.contact_id, change.value, reason, world.clock.zulu(change.at)]


def _deal_rows(records: Records) -> Iterator[list[Any]]:
    for deal in records.live("deals"):
        values = [deal.properties[name] for name in DEAL_PROPERTIES]
        yield [*values, records.contact_of_deal(deal.record_id)]


def write_world(world: World, folder: Path) -> list[str]:
    """Write every file below ``folder`` and return one line per file kind."""
    told = []
    tag, records = SiteTag(world), Records(world)
    for kind in ("tag-events", "touches"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for index in range(world.clock.days):
            path = folder / kind / f"{world.clock.day(index)}.jsonl"
            path.write_bytes(tag.day(kind, index))
        told.append(f"{kind}/: {world.clock.days} files")
    tables: dict[str, tuple[tuple[str, ...], Iterator[list[Any]]]] = {
        "crm_leads.csv": (LEAD_COLUMNS, _lead_rows(world, records)),
        "crm_stages.csv": (STAGE_COLUMNS, _stage_rows(world)),
        "crm_deals.csv": (DEAL_COLUMNS, _deal_rows(records)),
        "ad_report.csv": (AD_COLUMNS, _ad_rows(world)),
    }
    for name, (header, rows) in tables.items():
        told.append(_write_csv(folder / name, header, rows))
    (folder / "truth.jsonl").write_bytes(jsonl(_truth(world)))
    told.append(f"truth.jsonl: {len(world.tag_events) + len(world.leads)} rows")
    told += write_ga4_export(world, folder / "ga4")
    return told
