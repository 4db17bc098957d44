"""HubSpot objects to raw records. Every property is text or null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trueline.sources.collect import cell, needed
from trueline.sources.hubspot.constants import CRM, LEAD_TYPES
from trueline.sources.page_urls import without_query
from trueline.sources.settings import HubSpotProperties
from trueline.sources.values import boolean, integer, moment, numeric, text

Object = Mapping[str, Any]
_SCORES = ("fit", "budget", "authority", "need", "timing", "interest", "intent")


def lead(contact: Object, names: HubSpotProperties) -> dict[str, Any]:
    """``raw.crm_leads`` of a live or archived contact."""
    given = contact.get("properties") or {}

    def of(name: str) -> Any:
        return given.get(getattr(names, name))

    archived = contact.get("archived") is True
    google, facebook = text(of("google_click_id")), text(of("facebook_click_id"))
    lifecycle = (text(of("lifecycle_stage")) or "").lower()
    created = of("created") or contact.get("createdAt")
    changed = contact.get("archivedAt") if archived else of("modified")
    return {
        "crm": CRM,
        "crm_record_id": needed("crm_record_id", text, contact.get("id")),
        "crm_created_at": needed("crm_created_at", moment, created),
        "updated_at": cell("updated_at", moment, changed or contact.get("updatedAt")),
        "email": text(of("email")),
        "phone": text(of("phone")),
        "client_id": text(of("client_id")),
        "click_id": google or facebook,
        "click_id_type": "gclid" if google else "fbclid" if facebook else None,
        "ad_campaign_id": None,
        "utm_source": text(of("utm_source")),
        "utm_medium": text(of("utm_medium")),
        "utm_campaign": text(of("utm_campaign")),
        "crm_source": text(of("source")),
        "landing_page": without_query(of("landing_page")),
        "form_id": text(of("form_id")),
        "segment": text(of("segment")),
        "lead_type": LEAD_TYPES.get(lifecycle),
        "lead_score": None,
        **{name: cell(name, numeric, of(name)) for name in _SCORES},
        "consent_ad_user_data": (text(of("consent_ad_user_data")) or "unknown").lower(),
        "is_test": cell("is_test", boolean, of("is_test")),
        "merged_into_record_id": None,
        "is_deleted": archived,
    }


def lead_extra(contact: Object, names: HubSpotProperties) -> dict[str, Any]:
    """What has no column of its own, as HubSpot says it."""
    given = contact.get("properties") or {}
    kept = (names.lifecycle_stage, names.source_detail_1, names.source_detail_2)
    return {name: value for name in kept if (value := without_query(given.get(name)))}


def merged_ids(contact: Object, names: HubSpotProperties) -> list[str]:
    """Records that were merged into this one: ``"123;456"``."""
    given = (contact.get("properties") or {}).get(names.merged_ids) or ""
    own = str(contact.get("id"))
    parts = (part.strip() for part in str(given).split(";"))
    return sorted({part for part in parts if part and part != own})


def merged_lead(merged_id: str, survivor: Mapping[str, Any]) -> dict[str, Any]:
    """``raw.crm_leads`` of a record that was merged away.

    HubSpot no longer tells anything of it, so its creation is given as the survivor's, which is
    the earlier of the two after a merge. Its identifiers are in the versions loaded before.
    """
    return {
        **dict.fromkeys(survivor),
        "crm": CRM,
        "crm_record_id": merged_id,
        "crm_created_at": survivor["crm_created_at"],
        "updated_at": survivor["updated_at"],
        "merged_into_record_id": survivor["crm_record_id"],
        "is_deleted": False,
    }


def stages(
    contact: Object,
    names: HubSpotProperties,
    disqualified: Sequence[str],
    attempts: Any,
) -> list[dict[str, Any]]:
    """``raw.crm_stages``: every stage that the contact ever had, oldest first.

    The reason of a disqualification is the first one given at or after it and before the next
    stage; if none was, the one that already stood.
    """
    told = contact.get("propertiesWithHistory") or {}
    history = _history(told.get(names.lead_status), "changed_at")
    reasons = _history(told.get(names.disqualification_reason), "stage_reason")
    rows = []
    for position, (changed_at, stage) in enumerate(history):
        if stage is None:  # emptied by hand: no statement about the lead
            continue
        until = history[position + 1][0] if position + 1 < len(history) else None
        reason = None
        if stage in disqualified:
            after = [
                why
                for given_at, why in reasons
                if why and given_at >= changed_at and (until is None or given_at < until)
            ]
            before = [why for given_at, why in reasons if given_at < changed_at]
            reason = after[0] if after else before[-1] if before else None
        rows.append(
            {
                "crm": CRM,
                "crm_record_id": needed("crm_record_id", text, contact.get("id")),
                "stage": stage,
                "stage_reason": reason,
                "changed_at": changed_at,
                "contact_attempts": cell("contact_attempts", integer, attempts),
            }
        )
    return rows


def _history(entries: Any, column: str) -> list[tuple[Any, str | None]]:
    found = [
        (needed(column, moment, entry.get("timestamp")), text(entry.get("value")))
        for entry in entries or ()
    ]
    # HubSpot gives the newest first; of equal times the later entry stays the later.
    found.reverse()
    return sorted(found, key=lambda pair: pair[0])


def deal(found: Object, contacts: Sequence[str]) -> dict[str, Any]:
    """``raw.crm_deals``. A close date of an open deal is a hope, so it is not taken."""
    given = found.get("properties") or {}
    closed = cell("is_closed", boolean, given.get("hs_is_closed"))
    closed_at = cell("deal_closed_at", moment, given.get("closedate"))
    return {
        "crm": CRM,
        "deal_id": needed("deal_id", text, found.get("id")),
        "crm_record_id": needed("crm_record_id", text, contacts[0] if contacts else None),
        "deal_stage": text(given.get("dealstage")),
        "is_won": cell("is_won", boolean, given.get("hs_is_closed_won")),
        "is_closed": closed,
        "deal_amount": cell("deal_amount", numeric, given.get("amount")),
        "currency_code": text(given.get("deal_currency_code")),
        "deal_created_at": cell("deal_created_at", moment, given.get("createdate")),
        "deal_closed_at": closed_at if closed else None,
        "updated_at": cell("updated_at", moment, given.get("hs_lastmodifieddate")),
        "is_deleted": False,
    }
