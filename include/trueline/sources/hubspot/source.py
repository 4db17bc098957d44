"""The HubSpot source: contacts that changed, what sales said of them, and their deals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from trueline.connections import Connection
from trueline.sources.base import Batch, Coverage
from trueline.sources.collect import Collected, chunks
from trueline.sources.hubspot import records
from trueline.sources.hubspot.client import HubSpotClient
from trueline.sources.hubspot.constants import (
    ASSOCIATION_INPUTS,
    BATCH_RECORDS,
    CRM,
    DEAL_MODIFIED,
    DEAL_PROPERTIES,
    HISTORY_INPUTS,
)
from trueline.sources.settings import HubSpotSettings
from trueline.sources.values import BadValue, moment
from trueline.windows import Window

Object = Mapping[str, Any]


class HubSpotSource:
    """Pulls what changed in the window's days of the reporting time zone."""

    def __init__(
        self,
        name: str,
        settings: HubSpotSettings,
        *,
        connection: Connection,
        time_zone: str,
        now: datetime,
    ) -> None:
        self.name = name
        self._settings, self._now = settings, now
        self._zone = ZoneInfo(time_zone)
        self._names = settings.properties
        self._client = HubSpotClient(settings, connection)

    def pull(self, window: Window) -> Iterator[Batch]:
        """Leads, then stages, then deals; the coverage comes with the last batch of leads."""
        first = self._midnight(window, 0) - timedelta(minutes=self._settings.overlap_minutes)
        before = self._midnight(window, 1)
        covered = Coverage(
            "crm",
            CRM,
            "(none)",
            window.start,
            window.end,
            complete_until=min(self._now.astimezone(UTC), before),
        )
        wanted = list(self._names.model_dump().values())
        contacts = self._client.changed("contacts", self._names.modified, first, before, wanted)
        for group in chunks(contacts, BATCH_RECORDS):
            yield self._leads(group)
            yield self._stages(group)
        yield self._archived(first, before, wanted, covered)
        yield from self._deals(first, before)

    def _midnight(self, window: Window, days_after_end: int) -> datetime:
        day = window.end + timedelta(days=days_after_end) if days_after_end else window.start
        return datetime.combine(day, time(), self._zone).astimezone(UTC)

    def _leads(self, contacts: Sequence[Object]) -> Batch:
        found = Collected()
        for contact in contacts:
            good = len(found.records)
            found.add(
                contact,
                partial(records.lead, contact, self._names),
                extra=records.lead_extra(contact, self._names),
            )
            if len(found.records) == good:
                continue
            survivor = found.records[-1].values
            for merged_id in records.merged_ids(contact, self._names):
                found.add(contact, partial(records.merged_lead, merged_id, survivor))
        return Batch("crm_leads", found.records, found.errors)

    def _archived(
        self, first: datetime, before: datetime, wanted: Sequence[str], covered: Coverage
    ) -> Batch:
        found = Collected()
        for contact in self._client.archived_contacts(wanted):
            if _archived_within(contact, first, before):
                found.add(
                    contact,
                    partial(records.lead, contact, self._names),
                    extra=records.lead_extra(contact, self._names),
                )
        return Batch("crm_leads", found.records, found.errors, coverage=(covered,))

    def _stages(self, contacts: Sequence[Object]) -> Batch:
        names, found = self._names, Collected()
        attempts = {
            str(contact.get("id")): (contact.get("properties") or {}).get(names.contact_attempts)
            for contact in contacts
        }
        for ids in chunks(attempts, HISTORY_INPUTS):
            asked = (names.lead_status, names.disqualification_reason)
            for contact in self._client.history(ids, asked):
                try:
                    rows = records.stages(
                        contact,
                        names,
                        self._settings.disqualified_stages,
                        attempts.get(str(contact.get("id"))),
                    )
                except BadValue as bad:
                    found.add(contact, partial(_raise, bad))
                    continue
                for row in rows:
                    found.add(contact, partial(dict, row))
        return Batch("crm_stages", found.records, found.errors)

    def _deals(self, first: datetime, before: datetime) -> Iterator[Batch]:
        changed = self._client.changed("deals", DEAL_MODIFIED, first, before, DEAL_PROPERTIES)
        for deals in chunks(changed, ASSOCIATION_INPUTS):
            people = self._client.contacts_of_deals([str(deal.get("id")) for deal in deals])
            found = Collected()
            for deal in deals:
                contacts = people.get(str(deal.get("id")), [])
                extra = {"other_contact_ids": ";".join(contacts[1:])} if contacts[1:] else None
                found.add(deal, partial(records.deal, deal, contacts), extra=extra)
            yield Batch("crm_deals", found.records, found.errors)


def _archived_within(contact: Object, first: datetime, before: datetime) -> bool:
    """True also where HubSpot does not say when: a deletion told twice does no harm."""
    try:
        archived_at = moment(contact.get("archivedAt"))
    except BadValue:
        return True
    return archived_at is None or first <= archived_at < before


def _raise(bad: BadValue) -> Mapping[str, Any]:
    raise bad
