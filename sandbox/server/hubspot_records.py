"""The world's CRM as HubSpot records: properties as strings, histories newest first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from sandbox.world import World
from sandbox.world.company import CURRENCY
from sandbox.world.model import Change, CrmContact, Deal

CONTACT_PROPERTIES = (
    "email",
    "phone",
    "firstname",
    "lastname",
    "company",
    "createdate",
    "lastmodifieddate",
    "lifecyclestage",
    "hs_lead_status",
    "hs_object_id",
    "hs_google_click_id",
    "hs_facebook_click_id",
    "hs_analytics_source",
    "hs_analytics_source_data_1",
    "hs_analytics_source_data_2",
    "client_id",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "platform_lead_id",
    "self_reported_source",
    "landing_page",
    "form_id",
    "industry",
    "disqualification_reason",
    "contact_attempts",
    "score_fit",
    "score_budget",
    "score_authority",
    "score_need",
    "score_timing",
    "score_interest",
    "score_intent",
    "consent_ad_user_data",
    "is_test_contact",
    "hs_merged_object_ids",
)
DEAL_PROPERTIES = (
    "dealname",
    "dealstage",
    "pipeline",
    "amount",
    "deal_currency_code",
    "createdate",
    "closedate",
    "hs_is_closed_won",
    "hs_is_closed",
    "hs_lastmodifieddate",
    "hs_object_id",
)
#: What the API knows beside what people export.
API_CONTACT_PROPERTIES = (*CONTACT_PROPERTIES, "hs_calculated_merged_vids")
API_DEAL_PROPERTIES = (*DEAL_PROPERTIES, "hs_merged_object_ids")
STAGE_OF_OUTCOME = {"won": "closedwon", "lost": "closedlost", "open": "contractsent"}


@dataclass
class Record:
    """One object as the API tells it."""

    record_id: str
    properties: dict[str, str | None]
    created_at: str
    updated_at: str
    archived_at: str = ""
    history: dict[str, list[dict[str, str]]] = field(default_factory=dict)


def _end_of(merges: dict[str, str], record_id: str) -> str:
    while record_id in merges:
        record_id = merges[record_id]
    return record_id


class Records:
    """All records at the world's clock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.now = world.clock.zulu(world.clock.now)
        merges = {
            contact.contact_id: contact.merged_into
            for contact in world.contacts
            if contact.merged_into
        }
        # The last survivor of a chain holds all that went before.
        self._survivor = {record_id: _end_of(merges, record_id) for record_id in merges}
        self._merged: dict[str, list[CrmContact]] = defaultdict(list)
        for contact in world.contacts:
            if contact.merged_into:
                self._merged[self._survivor[contact.contact_id]].append(contact)
        with_deal = {deal.contact_id: deal for deal in world.deals}
        self._deal_contact = {deal.deal_id: deal.contact_id for deal in world.deals}
        self._all: dict[str, dict[str, Record]] = {
            "contacts": {
                contact.contact_id: self._contact(contact, with_deal.get(contact.contact_id))
                for contact in world.contacts
                if not contact.merged_into
            },
            "deals": {deal.deal_id: self._deal(deal) for deal in world.deals},
        }

    @staticmethod
    @lru_cache(maxsize=100_000)
    def milliseconds(text: str) -> int:
        """Epoch milliseconds of a filter value: HubSpot takes numbers and ISO times.

        Raises:
            ValueError: if it is neither.
        """
        if text.lstrip("-").isdigit():
            return int(text)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("a time needs an offset")
        return round(moment.timestamp() * 1000)

    def live(self, kind: str) -> list[Record]:
        """Records that are neither merged away nor deleted."""
        return [record for record in self._all[kind].values() if not record.archived_at]

    def archived(self, kind: str) -> list[Record]:
        """Deleted records, still held by the CRM."""
        return [record for record in self._all[kind].values() if record.archived_at]

    def get(self, kind: str, record_id: str) -> Record | None:
        """A live record; a merged-away id gives its survivor."""
        record = self._all[kind].get(self._survivor.get(record_id, record_id))
        return None if record is None or record.archived_at else record

    def contact_of_deal(self, deal_id: str) -> str | None:
        """The contact's id, after merges."""
        found = self._deal_contact.get(deal_id)
        return None if found is None else self._survivor.get(found, found)

    def _history(self, changes: list[Change]) -> list[dict[str, str]]:
        return [
            {
                "value": change.value,
                "timestamp": self._world.clock.zulu(change.at),
                "sourceType": "CRM_UI",
                "sourceId": "sales",
            }
            for change in reversed(changes)
        ]

    def _contact(self, contact: CrmContact, deal: Deal | None) -> Record:
        clock, person = self._world.clock, contact.person
        twins = self._merged[contact.contact_id]
        # A change of the reason counts as a change; so do later submissions, merges and deals.
        changed = [contact.created_at, *contact.modified]
        changed += [change.at for change in (*contact.status, *contact.reason)]
        changed += [twin.merged_at for twin in twins]
        if deal:
            changed += [at for at in (deal.created_at, deal.closed_at) if at <= clock.now]
        if contact.deleted_at is not None:
            changed.append(contact.deleted_at)
        created, updated = clock.zulu(contact.created_at), clock.zulu(max(changed))
        lifecycle = [Change(contact.created_at, "lead")]
        if deal:
            lifecycle.append(Change(deal.created_at, "opportunity"))
        if deal and deal.outcome == "won":
            lifecycle.append(Change(deal.closed_at, "customer"))
        properties: dict[str, str | None] = dict(contact.properties)
        properties |= {
            "email": contact.email or None,
            "phone": contact.phone or None,
            "firstname": person.first_name if person else None,
            "lastname": person.last_name if person else None,
            "company": person.company if person else None,
            "createdate": created,
            "lastmodifieddate": updated,
            "hs_object_id": contact.contact_id,
            "lifecyclestage": lifecycle[-1].value,
            "hs_lead_status": contact.status[-1].value if contact.status else None,
            "disqualification_reason": contact.reason[-1].value if contact.reason else None,
            "contact_attempts": str(contact.attempts) if contact.attempts else None,
            "is_test_contact": "true" if contact.is_test else None,
            "hs_merged_object_ids": ";".join(twin.contact_id for twin in twins) or None,
            "hs_calculated_merged_vids": ";".join(
                f"{twin.contact_id}:{self.milliseconds(clock.zulu(twin.merged_at))}"
                for twin in twins
            )
            or None,
        }
        return Record(
            contact.contact_id,
            {key: value or None for key, value in properties.items()},
            created,
            updated,
            clock.zulu(contact.deleted_at) if contact.deleted_at is not None else "",
            {
                "hs_lead_status": self._history(contact.status),
                "disqualification_reason": self._history(contact.reason),
                "lifecyclestage": self._history(lifecycle),
            },
        )

    def _deal(self, deal: Deal) -> Record:
        clock = self._world.clock
        is_closed = deal.outcome != "open"
        created = clock.zulu(deal.created_at)
        updated = clock.zulu(deal.closed_at) if is_closed else created
        return Record(
            deal.deal_id,
            {
                "dealname": deal.name,
                "dealstage": STAGE_OF_OUTCOME[deal.outcome],
                "pipeline": "default",
                "amount": deal.amount,
                "deal_currency_code": CURRENCY,
                "createdate": created,
                # An open deal's close date is what sales hopes for.
                "closedate": clock.zulu(deal.closed_at),
                "hs_is_closed_won": "true" if deal.outcome == "won" else "false",
                "hs_is_closed": "true" if is_closed else "false",
                "hs_lastmodifieddate": updated,
                "hs_object_id": deal.deal_id,
            },
            created,
            updated,
        )
