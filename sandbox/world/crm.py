"""The CRM: which people get a record, with what on it, and what happens to the record."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from sandbox.world import sales
from sandbox.world.company import SOURCES
from sandbox.world.identity import SEGMENTS
from sandbox.world.journeys import Traffic
from sandbox.world.model import DAY, HOUR, Change, CrmContact, Deal, Lead, Person, Submission, Touch

#: HubSpot's own words for where a contact first came from.
ANALYTICS_SOURCE = {
    "google_ads": "PAID_SEARCH",
    "meta_ads": "PAID_SOCIAL",
    "organic_search": "ORGANIC_SEARCH",
    "organic_social": "SOCIAL_MEDIA",
    "email": "EMAIL_MARKETING",
    "referral": "REFERRALS",
    "direct": "DIRECT_TRAFFIC",
    "offline": "OFFLINE",
}


@dataclass
class Crm:
    """All records, merged-away ones included."""

    contacts: list[CrmContact] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    leads: list[Lead] = field(default_factory=list)


def sync_lag(rng: random.Random) -> float:
    """Seconds from a submission to its CRM record: mostly seconds, at worst 40 hours."""
    roll = rng.random()
    if roll < 0.04:
        return -rng.uniform(1, 20)  # the browser's clock runs ahead
    if roll < 0.78:
        return rng.uniform(4, 180)
    if roll < 0.93:
        return rng.uniform(3, 60) * 60
    return rng.uniform(1, 12) * HOUR if roll < 0.985 else rng.uniform(12, 40) * HOUR


def _campaign_fields(rng: random.Random, touch: Touch | None, observed: bool) -> dict[str, str]:
    """What hidden form fields hand over of the session, and the CRM's own source field."""
    if touch is None:
        return {"hs_analytics_source": "OFFLINE", "hs_analytics_source_data_1": "PHONE"}
    source = SOURCES[touch.source]
    tags = {key: value[0] for key, value in parse_qs(touch.query).items()}
    found: dict[str, str] = {"landing_page": touch.page_path}
    if rng.random() < (0.75 if observed else 0.5):
        if touch.click_id_type == "gclid":
            found["hs_google_click_id"] = touch.click_id
        elif touch.click_id_type == "fbclid":
            found["hs_facebook_click_id"] = touch.click_id
        for name in ("utm_source", "utm_medium", "utm_campaign"):
            if name in tags:
                found[name] = tags[name]
    if observed or rng.random() < 0.4:
        found["hs_analytics_source"] = ANALYTICS_SOURCE[source.channel]
        found["hs_analytics_source_data_1"] = source.utm_campaign or source.channel
    else:
        found["hs_analytics_source"] = "DIRECT_TRAFFIC"
    return found


def _native_fields(person: Person) -> dict[str, str]:
    """What the platform's lead-form sync writes."""
    source = SOURCES[person.source]
    return {
        "hs_analytics_source": "PAID_SOCIAL",
        "hs_analytics_source_data_1": "facebook_lead_ad",
        "hs_analytics_source_data_2": source.campaign_name,
        "utm_source": "facebook",
        "utm_medium": "paid_social",
        "utm_campaign": source.utm_campaign,
        "form_id": "meta-lead-form",
        # Meta's leadgen id, as its sync writes it into the CRM.
        "platform_lead_id": str(660_000_000_000_000 + person.number),
    }


def _properties(rng: random.Random, person: Person, first: Submission | None) -> dict[str, str]:
    if person.way == "native":
        found = _native_fields(person)
    elif first is not None:
        found = _campaign_fields(rng, first.touch, first.is_observed)
        found["form_id"] = first.form_id
        if first.is_observed and rng.random() < 0.72:
            found["client_id"] = first.client_id
    else:
        found = _campaign_fields(rng, None, False)
    found["industry"] = rng.choice(SEGMENTS) if person.company else ""
    refused = first is not None and not first.is_observed
    weights = (4, 5, 3) if refused else (74, 10, 16)
    found["consent_ad_user_data"] = rng.choices(("granted", "denied", ""), weights)[0]
    return found


def _contact(crm: Crm, person: Person, at: float, properties: dict[str, str]) -> CrmContact:
    contact = CrmContact(
        contact_id=str(31_400_000_000 + person.number * 7 + len(person.contacts)),
        person=person,
        created_at=at,
        email=person.email,
        phone=person.phone,
        properties=properties,
    )
    person.contacts.append(contact)
    crm.contacts.append(contact)
    return contact


def _duplicate_record(
    rng: random.Random, crm: Crm, person: Person, main: CrmContact, at: float
) -> None:
    """A second record of the same person under another address; often merged later."""
    twin = _contact(crm, person, at, {"hs_analytics_source": "DIRECT_TRAFFIC"})
    twin.email = f"{person.last_name}.{person.number}@example.org".lower()
    twin.properties["client_id"] = main.properties.get("client_id", person.clients[0])
    twin.status.append(Change(at, "NEW"))
    if rng.random() < 0.65:
        twin.merged_into = main.contact_id
        twin.merged_at = at + rng.uniform(0.5, 9) * DAY


def add_lead(crm: Crm, rng: random.Random, person: Person, now: float) -> None:
    """The record, its history, deals and truth of one person who reaches sales."""
    source = SOURCES[person.source]
    macro = [item for item in person.submissions if item.event_name != "brochure"]
    first = macro[0] if macro else None
    at = (first.at if first else person.contacted_at) + sync_lag(rng)
    contact = _contact(crm, person, at, _properties(rng, person, first))
    if rng.random() < 0.03:
        contact.email = ""
    verdict = sales.work_lead(rng, contact, source)
    if rng.random() < 0.012:
        contact.deleted_at = at + rng.uniform(0.3, 12) * DAY
        contact.status = [item for item in contact.status[:2] if item.at < contact.deleted_at]
        contact.reason, verdict = [], "deleted_in_crm"
    else:
        if rng.random() < 0.035:
            later = macro[-1].at if len(macro) > 1 else at + rng.uniform(0.1, 20) * DAY
            _duplicate_record(rng, crm, person, contact, max(later, at) + 90)
        deal = sales.make_deal(rng, contact, source, verdict, f"8{contact.contact_id[1:]}")
        if deal:
            crm.deals.append(deal)
    # The CRM touches its record whenever the person submits again.
    contact.modified += [item.at + 30 for item in macro[1:] if item.at + 30 > at]
    now_says = sales.verdict_at(contact, now)
    sales.score(rng, contact, now_says)
    first_touch = person.touches[0].source if person.touches else person.source
    origin = SOURCES[first_touch]
    crm.leads.append(
        Lead(
            crm_record_id=contact.contact_id,
            person=person,
            created_at=at,
            true_source=origin.key,
            true_channel=origin.channel,
            true_campaign=origin.campaign_id,
            true_verdict=verdict,
            verdict_now=now_says,
        )
    )


def add_known_lead(crm: Crm, rng: random.Random, person: Person, now: float) -> None:
    """A lead from before the world that comes back during it."""
    source = SOURCES[person.source]
    properties = {"hs_analytics_source": "OFFLINE", "industry": "manufacturing"}
    contact = _contact(crm, person, person.contacted_at, properties)
    verdict = sales.work_lead(rng, contact, source)
    contact.status = [item for item in contact.status if item.at < 0]
    contact.reason = [item for item in contact.reason if item.at < 0]
    contact.modified += [item.at + 30 for item in person.submissions]
    crm.leads.append(
        Lead(
            crm_record_id=contact.contact_id,
            person=person,
            created_at=contact.created_at,
            true_source=source.key,
            true_channel=source.channel,
            true_campaign=source.campaign_id,
            true_verdict=verdict,
            verdict_now=sales.verdict_at(contact, now),
            is_before_world=True,
        )
    )


def add_test_records(crm: Crm, seed: int, traffic: Traffic) -> None:
    """Staff trials that went through to the CRM; most are flagged there."""
    for item in traffic.submissions:
        if item.kind != "staff" or not item.reaches_crm or item.person is None:
            continue
        rng = random.Random(f"{seed}:crm:{item.person.number}")
        contact = _contact(crm, item.person, item.at + sync_lag(rng), {"form_id": item.form_id})
        contact.is_test = True
        contact.status.append(Change(contact.created_at, "NEW"))


def forget_the_future(crm: Crm, now: float) -> None:
    """Drop everything that has not happened yet at the world's clock."""
    crm.contacts = [contact for contact in crm.contacts if contact.created_at <= now]
    for contact in crm.contacts:
        contact.status = [item for item in contact.status if item.at <= now]
        contact.reason = [item for item in contact.reason if item.at <= now]
        contact.modified = [at for at in contact.modified if at <= now]
        if contact.deleted_at is not None and contact.deleted_at > now:
            contact.deleted_at = None
        if contact.merged_into and contact.merged_at > now:
            contact.merged_into = ""
    crm.leads = [lead for lead in crm.leads if lead.created_at <= now]
    crm.deals = [deal for deal in crm.deals if deal.created_at <= now]
    known = {deal.contact_id for deal in crm.deals}
    won = set()
    for deal in crm.deals:
        if deal.closed_at > now:
            deal.outcome = "open"
        if deal.outcome == "won":
            won.add(deal.contact_id)
    for lead in crm.leads:
        lead.has_deal = lead.crm_record_id in known
        lead.is_customer = lead.crm_record_id in won
