"""Salesforce's rows to raw records. Every cell is text or None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from trueline.sources.collect import cell, needed
from trueline.sources.page_urls import without_query
from trueline.sources.salesforce.constants import CLICK_IDS, CRM, CURRENCY_FIELD, SCORES
from trueline.sources.salesforce.history import Change
from trueline.sources.salesforce.results import Row
from trueline.sources.salesforce.values import consent, midnight, record_id
from trueline.sources.values import answer, boolean, integer, moment, numeric, text

_TEXTS = (
    "email",
    "phone",
    "client_id",
    "platform_lead_id",
    "ad_campaign_id",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "form_id",
    "segment",
)
_NUMBERS = ("lead_score", *SCORES)


def lead(row: Row, field_of: Mapping[str, str]) -> dict[str, Any]:
    """``raw.crm_leads`` of a live, deleted or merged lead.

    Args:
        field_of: The setting's name to the field that holds it.
    """

    def of(setting: str) -> str | None:
        name = field_of.get(setting)
        return row.get(name) if name else None

    clicks = ((kind, text(of(kind))) for kind in CLICK_IDS)
    click_id_type, click_id = next((pair for pair in clicks if pair[1]), (None, None))
    survivor = record_id(row.get("MasterRecordId"))
    deleted = needed("is_deleted", boolean, row.get("IsDeleted"))
    return {
        "crm": CRM,
        "crm_record_id": needed("crm_record_id", record_id, row.get("Id")),
        "crm_created_at": needed("crm_created_at", moment, row.get("CreatedDate")),
        "updated_at": needed("updated_at", moment, row.get("SystemModstamp")),
        **{name: text(of(name)) for name in _TEXTS},
        **{name: cell(name, numeric, of(name)) for name in _NUMBERS},
        "click_id": click_id,
        "click_id_type": click_id_type,
        "crm_source": text(of("source")),
        "self_reported_source": answer(of("self_reported_source")),
        "landing_page": without_query(of("landing_page")),
        "lead_type": None,
        "consent_ad_user_data": consent(of("consent_ad_user_data")),
        "is_test": cell("is_test", boolean, of("is_test")),
        # A merge deletes the losers; they live on in the survivor, so they are not gone.
        "merged_into_record_id": survivor,
        "is_deleted": deleted and survivor is None,
    }


def lead_extra(row: Row, unasked: Sequence[str]) -> dict[str, Any]:
    """The day of the conversion, and columns that nobody asked for."""
    return {name: row[name] for name in ("ConvertedDate", *unasked) if row.get(name)}


def stages(
    row: Row,
    field_of: Mapping[str, str],
    changes: Sequence[Change],
    disqualified: Sequence[str],
    *,
    is_tracked: bool,
) -> list[dict[str, Any]]:
    """``raw.crm_stages`` of one lead: every status that it is known to have had, oldest first.

    Without any change told, the status stands since the lead's creation where the org keeps the
    history, and since the lead's last change where it does not. What the history does not tell
    (kept too short, switched off meanwhile) is the status of today, dated by the last change.
    """
    created = needed("crm_created_at", moment, row.get("CreatedDate"))
    modified = cell("changed_at", moment, row.get("LastModifiedDate") or row.get("SystemModstamp"))
    now = text(row.get(field_of["status"]))
    told = [change for change in changes if change.field.lower() == field_of["status"].lower()]
    known = [(change.changed_at, change.new) for change in told]
    if told:
        known.insert(0, (created, told[0].old))
    else:
        known = [(created if is_tracked else modified or created, now)]
    last_at, last = known[-1]
    if last != now:
        known.append((max(modified or last_at, last_at), now))
    return [
        {
            "crm": CRM,
            "crm_record_id": needed("crm_record_id", record_id, row.get("Id")),
            "stage": stage,
            "stage_reason": _reason(row, field_of, changes, known, position)
            if stage in disqualified
            else None,
            "changed_at": changed_at,
            "contact_attempts": cell(
                "contact_attempts", integer, row.get(field_of.get("contact_attempts", ""))
            ),
        }
        for position, (changed_at, stage) in enumerate(known)
        if stage is not None  # emptied by hand: no statement about the lead
    ]


def _reason(
    row: Row,
    field_of: Mapping[str, str],
    changes: Sequence[Change],
    known: Sequence[tuple[datetime, str | None]],
    position: int,
) -> str | None:
    """The first reason given while the status stood; else the one that already stood.

    Where the reason's history is not kept, today's reason belongs to today's status alone.
    """
    name = field_of.get("disqualification_reason")
    if name is None:
        return None
    since = known[position][0]
    is_last = position + 1 == len(known)
    until = None if is_last else known[position + 1][0]
    given = [change for change in changes if change.field.lower() == name.lower()]
    if not given:
        return text(row.get(name)) if is_last else None
    within = [
        change.new
        for change in given
        if change.new
        and change.changed_at >= since
        and (until is None or change.changed_at < until)
    ]
    if within:
        return within[0]
    before = [change.new for change in given if change.changed_at < since]
    return before[-1] if before else given[0].old


def deal(row: Row, leads: Sequence[str], currency: str | None, zone: ZoneInfo) -> dict[str, Any]:
    """``raw.crm_deals``. A close date of an open deal is a hope, so it is not taken.

    Args:
        leads: The leads that were converted into it, lowest id first.
        currency: The org's only currency, where it has one.
    """
    closed = needed("is_closed", boolean, row.get("IsClosed"))
    closed_at = cell("deal_closed_at", lambda value: midnight(value, zone), row.get("CloseDate"))
    return {
        "crm": CRM,
        "deal_id": needed("deal_id", record_id, row.get("Id")),
        "crm_record_id": leads[0],
        "deal_stage": text(row.get("StageName")),
        "is_won": needed("is_won", boolean, row.get("IsWon")),
        "is_closed": closed,
        "deal_amount": cell("deal_amount", numeric, row.get("Amount")),
        "currency_code": text(row.get(CURRENCY_FIELD)) or currency,
        "deal_created_at": cell("deal_created_at", moment, row.get("CreatedDate")),
        "deal_closed_at": closed_at if closed else None,
        "updated_at": needed("updated_at", moment, row.get("SystemModstamp")),
        "is_deleted": needed("is_deleted", boolean, row.get("IsDeleted")),
    }
