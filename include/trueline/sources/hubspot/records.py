"""HubSpot objects to raw records. Every property is text or null."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from trueline.sources.collect import cell, needed
from trueline.sources.hubspot.constants import (
    CRM,
    DEAL_MODIFIED,
    LEAD_TYPES,
    MERGED_IDS,
    NO_CONTACT,
)
from trueline.sources.page_urls import without_query
from trueline.sources.settings import HubSpotProperties
from trueline.sources.values import answer, boolean, integer, moment, numeric, text

Object = Mapping[str, Any]
_SCORES = ("fit", "budget", "authority", "need", "timing", "interest", "intent")


def lead(contact: Object, names: HubSpotProperties) -> dict[str, Any]:
    """``raw.crm_leads`` of a live or archived contact.

    A deletion is told with the time of the record's last change, not of the deletion: a contact
    that comes back from the bin is told with that same time, and the later load wins.
    """
    given = contact.get("properties") or {}

    def of(name: str) -> Any:
        return given.get(getattr(names, name))

    google, facebook = text(of("google_click_id")), text(of("facebook_click_id"))
    lifecycle = (text(of("lifecycle_stage")) or "").lower()
    created = of("created") or contact.get("createdAt")
    return {
        "crm": CRM,
        "crm_record_id": needed("crm_record_id", text, contact.get("id")),
        "crm_created_at": needed("crm_created_at", moment, created),
        "updated_at": cell("updated_at", moment, _last_change(contact, of("modified"))),
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
        "platform_lead_id": text(of("platform_lead_id")),
        "self_reported_source": answer(of("self_reported_source")),
        "landing_page": without_query(of("landing_page")),
        "form_id": text(of("form_id")),
        "segment": text(of("segment")),
        "lead_type": LEAD_TYPES.get(lifecycle),
        "lead_score": None,
        **{name: cell(name, numeric, of(name)) for name in _SCORES},
        "consent_ad_user_data": (text(of("consent_ad_user_data")) or "unknown").lower(),
        "is_test": cell("is_test", boolean, of("is_test")),
        "merged_into_record_id": None,
        "is_deleted": contact.get("archived") is True,
    }


def _last_change(found: Object, modified: Any) -> Any:
    return modified or found.get("updatedAt") or found.get("archivedAt")


def lead_extra(contact: Object, names: HubSpotProperties) -> dict[str, Any]:
    """What has no column of its own, as HubSpot says it.

    The lifecycle stage's history is kept here and not among ``raw.crm_stages``: there the latest
    change is what sales says last, and HubSpot moves the lifecycle stage by itself (a deal makes
    an opportunity), which would speak over the lead status.
    """
    given = contact.get("properties") or {}
    kept = (names.lifecycle_stage, names.source_detail_1, names.source_detail_2)
    extra = {name: value for name in kept if (value := without_query(given.get(name)))}
    history = (contact.get("propertiesWithHistory") or {}).get(names.lifecycle_stage)
    if history and names.lifecycle_stage != names.lead_status:
        extra[f"{names.lifecycle_stage}_history"] = ";".join(
            f"{entry.get('timestamp')} {entry.get('value')}" for entry in reversed(history)
        )
    return extra


def unasked(found: Iterable[Object], known: Container[str]) -> list[str]:
    """Names of properties that nobody asked for.

    Their values are not kept: a property about a person may say anything of that person.
    """
    names = {name for each in found for name in each.get("properties") or {}}
    return sorted(name for name in names if name not in known)


def merged_ids(contact: Object, names: HubSpotProperties) -> list[str]:
    """Records that were merged into this one, those merged into them before included.

    One property holds ``"123;456"``, the other ``"123:1699990000000;456:1700000000000"``.
    """
    given = contact.get("properties") or {}
    told = (given.get(names.merged_ids), given.get(names.merged_ids_with_time))
    return _other_ids(contact, *told)


def _other_ids(found: Object, *told: Any) -> list[str]:
    parts = (part.partition(":")[0].strip() for text in told for part in str(text or "").split(";"))
    return sorted({part for part in parts if part.isdigit()} - {str(found.get("id"))})


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
    archived = found.get("archived") is True
    contact = contacts[0] if contacts else NO_CONTACT if archived else None
    closed = cell("is_closed", boolean, given.get("hs_is_closed"))
    closed_at = cell("deal_closed_at", moment, given.get("closedate"))
    return {
        "crm": CRM,
        "deal_id": needed("deal_id", text, found.get("id")),
        "crm_record_id": needed("crm_record_id", text, contact),
        "deal_stage": text(given.get("dealstage")),
        "is_won": cell("is_won", boolean, given.get("hs_is_closed_won")),
        "is_closed": closed,
        "deal_amount": cell("deal_amount", numeric, given.get("amount")),
        "currency_code": text(given.get("deal_currency_code")),
        "deal_created_at": cell("deal_created_at", moment, given.get("createdate")),
        "deal_closed_at": closed_at if closed else None,
        "updated_at": cell("updated_at", moment, _last_change(found, given.get(DEAL_MODIFIED))),
        "is_deleted": archived,
    }


def merged_deals(found: Object, survivor: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``raw.crm_deals`` that take away what was merged into a deal, or it would count twice."""
    told = (found.get("properties") or {}).get(MERGED_IDS)
    kept = ("crm", "crm_record_id", "updated_at")
    return [
        {
            **dict.fromkeys(survivor),
            **{name: survivor[name] for name in kept},
            "deal_id": merged_id,
            "is_deleted": True,
        }
        for merged_id in _other_ids(found, told)
    ]
