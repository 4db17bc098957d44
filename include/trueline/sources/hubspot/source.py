"""The HubSpot source: contacts that changed, what sales said of them, and their deals."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from trueline.connections import Connection
from trueline.errors import RetriableError
from trueline.progress import Progress
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
    DEAL_SENT_UNASKED,
    HISTORY_PAGE,
    READ_INPUTS,
    SENT_UNASKED,
)
from trueline.sources.hubspot.properties import Known, compare
from trueline.sources.settings import HubSpotSettings
from trueline.sources.values import BadValue, moment
from trueline.windows import Window

Object = Mapping[str, Any]
log = logging.getLogger(__name__)


class HubSpotSource:
    """Pulls what changed in the window's days of the reporting time zone; everything, if the
    window is longer than ``full_load_days``."""

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
        self._client = HubSpotClient(settings, connection, progress=Progress(name))

    def pull(self, window: Window) -> Iterator[Batch]:
        """Deleted deals and leads, then leads and stages in parts, then deals.

        The coverage comes with the last batch of leads.
        """
        overlap = timedelta(minutes=self._settings.overlap_minutes)
        first, before = self._midnight(window, 0) - overlap, self._midnight(window, 1)
        known = compare(self.name, self._names, self._client.property_types())
        self._tell(known)
        is_full = (window.end - window.start).days + 1 > self._settings.full_load_days
        # The bin comes first: what is deleted from here on is told by the next window, and nothing
        # is told both alive and deleted by one load. Deals before contacts: a scope that is
        # missing for them shows before all contacts are read.
        within = None if is_full else (first, before)
        yield from self._deleted_deals(within)
        yield from self._deleted_leads(within, known.wanted)
        history = tuple(
            name
            for name in (
                self._names.lead_status,
                self._names.disqualification_reason,
                self._names.lifecycle_stage,
            )
            if name in known.wanted
        )
        if is_full:
            contacts = self._client.listed("contacts", known.wanted, history=history)
        else:
            found = self._client.changed(
                "contacts", self._names.modified, first, before, known.wanted
            )
            contacts = self._with_history(found, known.wanted, history)
        for group in chunks(contacts, BATCH_RECORDS):
            yield self._leads(group)
            yield self._stages(group)
        covered = Coverage(
            "crm",
            CRM,
            "(none)",
            window.start,
            window.end,
            # What changed just now may not be in the search index yet.
            complete_until=min(self._now.astimezone(UTC) - overlap, before),
        )
        yield Batch("crm_leads", [], coverage=(covered,), drift=known.changed)
        yield from self._deals(first, before, is_full=is_full)

    def _midnight(self, window: Window, days_after_end: int) -> datetime:
        day = window.end + timedelta(days=days_after_end) if days_after_end else window.start
        return datetime.combine(day, time(), self._zone).astimezone(UTC)

    def _tell(self, known: Known) -> None:
        if known.missing:
            log.warning(
                "%s: the account has no contact properties %s; what they would fill stays empty",
                self.name,
                ", ".join(known.missing),
            )
        if known.changed:
            log.warning(
                "%s: contact properties are of another type than expected: %s; values that do "
                "not fit are quarantined",
                self.name,
                ", ".join(known.changed),
            )

    def _with_history(
        self, contacts: Iterator[Object], wanted: Sequence[str], history: Sequence[str]
    ) -> Iterator[Object]:
        """The contacts as the CRM itself holds them: the search index lags behind it.

        A contact merged or deleted since the search is told as the search told it.
        """
        for group in chunks(contacts, HISTORY_PAGE):
            ids = [str(contact.get("id")) for contact in group]
            found, gone = self._client.read("contacts", ids, wanted, history)
            held = {str(each.get("id")): each for each in found}
            if self._names.merged_ids in wanted:
                self._refuse_others(set(ids), found, gone)
            if gone:
                log.info("%s: %d contacts went between two calls", self.name, gone)
            for contact, contact_id in zip(group, ids, strict=True):
                now = held.get(contact_id, {})
                properties = {
                    **(contact.get("properties") or {}),
                    **(now.get("properties") or {}),
                }
                yield {**contact, **now, "properties": properties}

    def _refuse_others(self, asked: set[str], found: Sequence[Object], gone: int) -> None:
        """Contacts that are neither asked for nor what became of one are another call's answer,
        and those that nobody tells of would lose their history without a word.

        Raises:
            RetriableError: so it is.
        """
        told: set[str] = set()
        strangers = 0
        for each in found:
            of_asked = {str(each.get("id")), *records.merged_ids(each, self._names)} & asked
            strangers += not of_asked
            told |= of_asked
        if strangers or len(asked - told) > gone:
            raise RetriableError(
                f"HubSpot was asked for {len(asked)} contacts, told of {len(told)} of them and "
                f"called {gone} gone; {strangers} it told of are others.",
                where=f"{self.name}: contacts/batch/read",
                fix="Try again; if it stays so, report it to HubSpot.",
            )

    def _leads(self, contacts: Sequence[Object]) -> Batch:
        found = Collected()
        for contact in contacts:
            good = len(found.records)
            self._add_lead(found, contact)
            if len(found.records) == good:
                continue
            survivor = found.records[-1].values
            for merged_id in records.merged_ids(contact, self._names):
                found.add(contact, partial(records.merged_lead, merged_id, survivor))
        unasked = records.unasked(contacts, {*self._names.model_dump().values(), *SENT_UNASKED})
        return Batch("crm_leads", found.records, found.errors, drift=unasked)

    def _add_lead(self, found: Collected, contact: Object) -> None:
        found.add(
            contact,
            partial(records.lead, contact, self._names),
            extra=records.lead_extra(contact, self._names),
        )

    def _deleted_leads(
        self, within: tuple[datetime, datetime] | None, wanted: Sequence[str]
    ) -> Iterator[Batch]:
        in_bin = (
            contact
            for contact in self._client.listed("contacts", wanted, is_archived=True)
            if within is None or _archived_within(contact, *within)
        )
        for group in chunks(in_bin, BATCH_RECORDS):
            found = Collected()
            for part in chunks(group, READ_INPUTS):
                living = self._still_living([str(contact.get("id")) for contact in part])
                for contact in part:
                    if str(contact.get("id")) not in living:
                        self._add_lead(found, contact)
            yield Batch("crm_leads", found.records, found.errors)

    def _still_living(self, ids: Sequence[str]) -> set[str]:
        """Those of the bin that live on, restored or in the record they were merged into.

        Nothing says that the bin is free of merged records, and a merge is no deletion. The
        survivor tells the merge in the pull of its own change.
        """
        wanted = (self._names.merged_ids, self._names.merged_ids_with_time)
        living = set()
        found, _ = self._client.read("contacts", ids, wanted)
        for contact in found:
            living |= {str(contact.get("id")), *records.merged_ids(contact, self._names)}
        return living

    def _stages(self, contacts: Sequence[Object]) -> Batch:
        names, found = self._names, Collected()
        for contact in contacts:
            attempts = (contact.get("properties") or {}).get(names.contact_attempts)
            try:
                rows = records.stages(contact, names, self._settings.disqualified_stages, attempts)
            except BadValue as bad:
                found.add(contact, partial(_raise, bad))
                continue
            for row in rows:
                found.add(contact, partial(dict, row))
        return Batch("crm_stages", found.records, found.errors)

    def _deleted_deals(self, within: tuple[datetime, datetime] | None) -> Iterator[Batch]:
        in_bin = (
            deal
            for deal in self._client.listed("deals", DEAL_PROPERTIES, is_archived=True)
            if within is None or _archived_within(deal, *within)
        )
        for deals in chunks(in_bin, BATCH_RECORDS):
            found = Collected()
            for deal in deals:
                found.add(deal, partial(records.deal, deal, ()))
            yield Batch("crm_deals", found.records, found.errors)

    def _deals(self, first: datetime, before: datetime, *, is_full: bool) -> Iterator[Batch]:
        if is_full:
            living = self._client.listed("deals", DEAL_PROPERTIES)
        else:
            living = self._client.changed("deals", DEAL_MODIFIED, first, before, DEAL_PROPERTIES)
        for deals in chunks(living, ASSOCIATION_INPUTS):
            people = self._client.contacts_of_deals([str(deal.get("id")) for deal in deals])
            found = Collected()
            for deal in deals:
                contacts = people.get(str(deal.get("id")), [])
                extra = {"other_contact_ids": ";".join(contacts[1:])} if contacts[1:] else None
                good = len(found.records)
                found.add(deal, partial(records.deal, deal, contacts), extra=extra)
                if len(found.records) > good:
                    for row in records.merged_deals(deal, found.records[-1].values):
                        found.add(deal, partial(dict, row))
            unasked = records.unasked(deals, {*DEAL_PROPERTIES, *DEAL_SENT_UNASKED})
            yield Batch("crm_deals", found.records, found.errors, drift=unasked)


def _archived_within(found: Object, first: datetime, before: datetime) -> bool:
    """True also where HubSpot does not say when: a deletion told twice does no harm."""
    try:
        archived_at = moment(found.get("archivedAt"))
    except BadValue:
        return True
    return archived_at is None or first <= archived_at < before


def _raise(bad: BadValue) -> Mapping[str, Any]:
    raise bad
