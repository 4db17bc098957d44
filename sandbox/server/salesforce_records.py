"""The world's CRM as Salesforce records: leads, their field history, opportunities."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sandbox.world import World
from sandbox.world.company import CURRENCY
from sandbox.world.model import Change, CrmContact, Deal

Row = dict[str, Any]

#: Field types by object; what the world's org has, and nothing else.
FIELDS: dict[str, dict[str, str]] = {
    "Lead": {
        "Id": "id",
        "IsDeleted": "boolean",
        "MasterRecordId": "reference",
        "FirstName": "string",
        "LastName": "string",
        "Company": "string",
        "Address": "address",
        "Email": "email",
        "Phone": "phone",
        "Status": "picklist",
        "LeadSource": "picklist",
        "Industry": "picklist",
        "CurrencyIsoCode": "picklist",
        "IsConverted": "boolean",
        "ConvertedDate": "date",
        "ConvertedOpportunityId": "reference",
        "CreatedDate": "datetime",
        "LastModifiedDate": "datetime",
        "SystemModstamp": "datetime",
        "GCLID__c": "string",
        "FBCLID__c": "string",
        "Client_Id__c": "string",
        "UTM_Source__c": "string",
        "UTM_Medium__c": "string",
        "UTM_Campaign__c": "string",
        "Platform_Lead_Id__c": "string",
        "Landing_Page__c": "string",
        "Form_Id__c": "string",
        "Disqualification_Reason__c": "picklist",
        "Contact_Attempts__c": "double",
        "Score_Fit__c": "double",
        "Score_Budget__c": "double",
        "Score_Authority__c": "double",
        "Score_Need__c": "double",
        "Score_Timing__c": "double",
        "Score_Interest__c": "double",
        "Score_Intent__c": "double",
        "Consent_Ad_User_Data__c": "picklist",
        "Is_Test__c": "boolean",
    },
    "LeadHistory": {
        "Id": "id",
        "IsDeleted": "boolean",
        "LeadId": "reference",
        "CreatedDate": "datetime",
        "Field": "picklist",
        "DataType": "picklist",
        "OldValue": "anyType",
        "NewValue": "anyType",
    },
    "Opportunity": {
        "Id": "id",
        "IsDeleted": "boolean",
        "Name": "string",
        "StageName": "picklist",
        "IsWon": "boolean",
        "IsClosed": "boolean",
        "Amount": "currency",
        "CurrencyIsoCode": "picklist",
        "CloseDate": "date",
        "CreatedDate": "datetime",
        "LastModifiedDate": "datetime",
        "SystemModstamp": "datetime",
    },
    "EntityDefinition": {"DurableId": "string", "QualifiedApiName": "string"},
    "FieldDefinition": {
        "DurableId": "string",
        "EntityDefinitionId": "string",
        "QualifiedApiName": "string",
        "IsFieldHistoryTracked": "boolean",
    },
}
#: Child-to-parent relationships: name, the field that holds the parent's id, the parent.
PARENTS: dict[str, dict[str, tuple[str, str]]] = {
    "Lead": {"ConvertedOpportunity": ("ConvertedOpportunityId", "Opportunity")},
    "LeadHistory": {"Lead": ("LeadId", "Lead")},
    "FieldDefinition": {"EntityDefinition": ("EntityDefinitionId", "EntityDefinition")},
}
#: Objects that describe the org; they have no rows of people.
SETUP = frozenset({"EntityDefinition", "FieldDefinition"})
TRACKED = ("Status", "Disqualification_Reason__c")

STATUS = {
    "NEW": "New",
    "OPEN": "Open",
    "ATTEMPTED_TO_CONTACT": "Contacting",
    "CONNECTED": "Working",
    "QUALIFIED": "Qualified",
    "UNQUALIFIED": "Unqualified",
    "BAD_TIMING": "Nurturing",
}
LEAD_SOURCE = {
    "PAID_SEARCH": "Paid Search",
    "PAID_SOCIAL": "Paid Social",
    "ORGANIC_SEARCH": "Organic Search",
    "SOCIAL_MEDIA": "Social Media",
    "EMAIL_MARKETING": "Email",
    "REFERRALS": "Referral",
    "DIRECT_TRAFFIC": "Direct",
    "OFFLINE": "Phone Inquiry",
}
STAGE_OF_OUTCOME = {"won": "Closed Won", "lost": "Closed Lost", "open": "Proposal/Price Quote"}
#: World properties that Lead has in custom fields of its own.
CUSTOM = {
    "hs_google_click_id": "GCLID__c",
    "hs_facebook_click_id": "FBCLID__c",
    "client_id": "Client_Id__c",
    "utm_source": "UTM_Source__c",
    "utm_medium": "UTM_Medium__c",
    "utm_campaign": "UTM_Campaign__c",
    "platform_lead_id": "Platform_Lead_Id__c",
    "landing_page": "Landing_Page__c",
    "form_id": "Form_Id__c",
    "consent_ad_user_data": "Consent_Ad_User_Data__c",
}
SCORES = ("fit", "budget", "authority", "need", "timing", "interest", "intent")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def full_id(prefix: str, number: int) -> str:
    """An id of 18 characters: prefix, number, and three letters that tell the capitals."""
    short = f"{prefix}{number:012d}"
    groups = (short[0:5], short[5:10], short[10:15])
    return short + "".join(
        ALPHABET[sum(1 << place for place, char in enumerate(group) if char.isupper())]
        for group in groups
    )


def lead_id(contact_id: str) -> str:
    """The lead that the world's contact is."""
    return full_id("00Q", int(contact_id))


def opportunity_id(deal_id: str) -> str:
    """The opportunity that the world's deal is."""
    return full_id("006", int(deal_id))


@dataclass(frozen=True)
class Org:
    """All rows at the world's clock, by object; deleted ones among them."""

    tables: dict[str, list[Row]]

    def parent(self, sobject: str, row: Row, relationship: str) -> Row | None:
        """The row that ``row`` points to."""
        field, target = PARENTS[sobject][relationship]
        return self._by_id[target].get(row[field])

    @cached_property
    def _by_id(self) -> dict[str, dict[Any, Row]]:
        return {
            name: {row.get("Id", row.get("DurableId")): row for row in rows}
            for name, rows in self.tables.items()
        }


def org_of(world: World) -> Org:
    """The world as one org with the history of status and reason switched on."""
    deals = {deal.contact_id: deal for deal in world.deals}
    merged: dict[str, list[float]] = defaultdict(list)
    for contact in world.contacts:
        if contact.merged_into:
            merged[contact.merged_into].append(contact.merged_at)
    leads, history = [], []
    for contact in world.contacts:
        merges = merged[contact.contact_id]
        row = _lead(world, contact, deals.get(contact.contact_id), merges)
        leads.append(row)
        for change in _history(world, contact):
            identity = full_id("017", len(history) + 1)
            history.append({"Id": identity, "IsDeleted": row["IsDeleted"], **change})
    entities = [{"DurableId": name, "QualifiedApiName": name} for name in FIELDS]
    fields = [
        {
            "DurableId": f"{sobject}.{name}",
            "EntityDefinitionId": sobject,
            "QualifiedApiName": name,
            "IsFieldHistoryTracked": sobject == "Lead" and name in TRACKED,
        }
        for sobject, names in FIELDS.items()
        for name in names
    ]
    return Org(
        {
            "Lead": leads,
            "LeadHistory": history,
            "Opportunity": [_opportunity(world, deal) for deal in world.deals],
            "EntityDefinition": entities,
            "FieldDefinition": fields,
        }
    )


def _second(world: World, at: float) -> datetime:
    """Salesforce keeps whole seconds."""
    return world.clock.utc(at).replace(microsecond=0)


def _lead(world: World, contact: CrmContact, deal: Deal | None, merges: list[float]) -> Row:
    now, person, given = world.clock.now, contact.person, contact.properties
    changed = [contact.created_at, *contact.modified]
    changed += [change.at for change in (*contact.status, *contact.reason)]
    changed += merges
    if deal:
        changed += [at for at in (deal.created_at, deal.closed_at) if at <= now]
    if contact.deleted_at is not None:
        changed.append(contact.deleted_at)
    if contact.merged_into:
        changed.append(contact.merged_at)
    modified = _second(world, max(changed))
    source = given.get("hs_analytics_source", "")
    row: Row = dict.fromkeys(FIELDS["Lead"])
    row |= {field: given.get(name) or None for name, field in CUSTOM.items()}
    row |= {f"Score_{name.capitalize()}__c": _number(given.get(f"score_{name}")) for name in SCORES}
    return row | {
        "Id": lead_id(contact.contact_id),
        "IsDeleted": contact.deleted_at is not None or bool(contact.merged_into),
        "MasterRecordId": lead_id(contact.merged_into) if contact.merged_into else None,
        "FirstName": person.first_name if person else None,
        "LastName": person.last_name if person else "[not provided]",
        "Company": (person.company if person else "") or "[not provided]",
        "Email": contact.email or None,
        "Phone": contact.phone or None,
        "Status": STATUS[contact.status[-1].value] if contact.status else None,
        "LeadSource": LEAD_SOURCE.get(source),
        "Industry": given.get("industry") or None,
        "CurrencyIsoCode": CURRENCY,
        "IsConverted": deal is not None,
        "ConvertedDate": world.clock.local(deal.created_at).date() if deal else None,
        "ConvertedOpportunityId": opportunity_id(deal.deal_id) if deal else None,
        "CreatedDate": _second(world, contact.created_at),
        "LastModifiedDate": modified,
        "SystemModstamp": modified,
        "Disqualification_Reason__c": (contact.reason[-1].value if contact.reason else "") or None,
        "Contact_Attempts__c": float(contact.attempts) if contact.attempts else None,
        "Is_Test__c": contact.is_test,
    }


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _history(world: World, contact: CrmContact) -> list[Row]:
    """What LeadHistory tells: that the lead was made, and each change after it."""
    rows = [_change(world, contact, contact.created_at, "created", None, None)]
    named = [
        ("Status", [Change(item.at, STATUS[item.value]) for item in contact.status]),
        ("Disqualification_Reason__c", contact.reason),
    ]
    for field, values in named:
        had: str | None = None
        for position, item in enumerate(values):
            # What a record is made with is no change of it.
            if not (field == "Status" and position == 0):
                rows.append(_change(world, contact, item.at, field, had, item.value or None))
            had = item.value or None
    return sorted(rows, key=lambda row: row["CreatedDate"])


def _change(
    world: World, contact: CrmContact, at: float, field: str, old: str | None, new: str | None
) -> Row:
    return {
        "LeadId": lead_id(contact.contact_id),
        "CreatedDate": _second(world, at),
        "Field": field,
        "DataType": "EnumOrId" if field != "created" else "Text",
        "OldValue": old,
        "NewValue": new,
    }


def _opportunity(world: World, deal: Deal) -> Row:
    closed = deal.outcome != "open"
    modified = _second(world, deal.closed_at if closed else deal.created_at)
    return {
        "Id": opportunity_id(deal.deal_id),
        "IsDeleted": False,
        "Name": deal.name,
        "StageName": STAGE_OF_OUTCOME[deal.outcome],
        "IsWon": deal.outcome == "won",
        "IsClosed": closed,
        "Amount": float(deal.amount),
        "CurrencyIsoCode": CURRENCY,
        # An open deal's close date is what sales hopes for.
        "CloseDate": world.clock.local(deal.closed_at).date(),
        "CreatedDate": _second(world, deal.created_at),
        "LastModifiedDate": modified,
        "SystemModstamp": modified,
    }
