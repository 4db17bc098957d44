"""The Salesforce source: leads that changed, what sales said of them, and their opportunities."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from trueline.connections import Connection
from trueline.errors import ConfigurationError, PermanentError
from trueline.progress import Progress
from trueline.sources.base import Batch, Coverage
from trueline.sources.collect import Collected
from trueline.sources.salesforce import records
from trueline.sources.salesforce.client import Query, SalesforceClient
from trueline.sources.salesforce.constants import (
    CONVERTED_COLUMNS,
    CRM,
    CURRENCY_FIELD,
    HISTORY_COLUMNS,
)
from trueline.sources.salesforce.fields import Columns, deal_columns, lead_columns
from trueline.sources.salesforce.history import StatusHistory
from trueline.sources.salesforce.results import Page
from trueline.sources.salesforce.values import record_id
from trueline.sources.settings import SalesforceSettings
from trueline.sources.values import BadValue
from trueline.windows import Window

log = logging.getLogger(__name__)


class SalesforceSource:
    """Pulls what changed in the window's days of the reporting time zone."""

    def __init__(
        self,
        name: str,
        settings: SalesforceSettings,
        *,
        connection: Connection,
        time_zone: str,
        now: datetime,
    ) -> None:
        self.name = name
        self._settings, self._now = settings, now
        self._zone = ZoneInfo(time_zone)
        self._client = SalesforceClient(settings, connection, Progress(name))

    def pull(self, window: Window) -> Iterator[Batch]:
        """Leads and their stages page by page, then the coverage, then deals."""
        leads = lead_columns(self._client.describe("Lead"), self._settings.fields)
        deals = deal_columns(self._client.describe("Opportunity"))
        is_tracked = self._is_tracked(leads.of_setting["status"])
        first = self._midnight(window.start) - timedelta(minutes=self._settings.overlap_minutes)
        before = self._midnight(window.end + timedelta(days=1))
        with closing(StatusHistory()) as history:
            # Before the leads: one that changes meanwhile is then missing among the leads, and
            # comes with the next window, instead of standing there without its history.
            if is_tracked:
                yield from self._read_history(history, leads.of_setting, first, before)
            yield from self._leads(history, leads, first, before, is_tracked=is_tracked)
        covered = Coverage(
            "crm",
            CRM,
            "(none)",
            window.start,
            window.end,
            complete_until=min(self._now.astimezone(UTC), before),
        )
        yield Batch("crm_leads", (), coverage=(covered,))
        yield from self._deals(deals, first, before)

    def _midnight(self, day: Any) -> datetime:
        return datetime.combine(day, time(), self._zone).astimezone(UTC)

    def _is_tracked(self, status: str) -> bool:
        """Whether Salesforce keeps the history of the status."""
        try:
            is_tracked = self._client.tracks(status)
        except (ConfigurationError, PermanentError) as refused:
            log.warning(
                "Salesforce does not say whether it keeps the history of Lead.%s: %s Taken as so.",
                status,
                refused.what,
            )
            return True
        if not is_tracked:
            log.warning(
                "Salesforce keeps no history of Lead.%s: each pull tells the status of the day, "
                "dated by the lead's last change. Setup, Object Manager, Lead, Fields, Set "
                "History Tracking switches it on; the past does not come back.",
                status,
            )
        return is_tracked

    def _read_history(
        self,
        history: StatusHistory,
        field_of: Mapping[str, str],
        first: datetime,
        before: datetime,
    ) -> Iterator[Batch]:
        """Fill ``history``; a batch tells what could not be read."""
        names = [field_of["status"], field_of.get("disqualification_reason")]
        wanted = ", ".join(f"'{name}'" for name in names if name)
        condition = f"Field IN ({wanted}) AND {_changed('Lead.SystemModstamp', first, before)}"
        bad = Collected()
        for page in self._client.pages(
            Query("LeadHistory", HISTORY_COLUMNS, condition, HISTORY_COLUMNS)
        ):
            for row in page.rows:
                try:
                    history.add(row)
                except BadValue as wrong:
                    bad.add(row, partial(_raise, wrong))
        if bad.errors:
            yield Batch("crm_stages", (), bad.errors)

    def _leads(
        self,
        history: StatusHistory,
        columns: Columns,
        first: datetime,
        before: datetime,
        *,
        is_tracked: bool,
    ) -> Iterator[Batch]:
        condition = _changed("SystemModstamp", first, before)
        for page in self._client.pages(Query("Lead", columns.selected, condition, columns.needed)):
            field_of, found = columns.of_setting, Collected()
            for row in page.rows:
                extra = records.lead_extra(row, page.unasked)
                found.add(row, partial(records.lead, row, field_of), extra=extra)
            yield Batch("crm_leads", found.records, found.errors, drift=_drift("Lead", page))
            yield self._stages(history, page, field_of, is_tracked=is_tracked)

    def _stages(
        self, history: StatusHistory, page: Page, field_of: Mapping[str, str], *, is_tracked: bool
    ) -> Batch:
        changes = history.of(each for row in page.rows if (each := record_id(row.get("Id"))))
        found = Collected()
        for row in page.rows:
            try:
                stages = records.stages(
                    row,
                    field_of,
                    changes.get(record_id(row.get("Id")) or "", ()),
                    self._settings.disqualified_stages,
                    is_tracked=is_tracked,
                )
            except BadValue as wrong:
                found.add(row, partial(_raise, wrong))
                continue
            for stage in stages:
                found.add(row, partial(dict, stage))
        return Batch("crm_stages", found.records, found.errors)

    def _deals(self, columns: Columns, first: datetime, before: datetime) -> Iterator[Batch]:
        """Opportunities that leads became; the others belong to nobody that we know."""
        people = self._leads_of_deals(first, before)
        if CURRENCY_FIELD not in columns.selected and self._settings.currency is None:
            log.warning(
                "This org has one currency, and Salesforce does not say which: set currency of "
                "the source %r, or deals have none.",
                self.name,
            )
        condition = _changed("SystemModstamp", first, before)
        for page in self._client.pages(
            Query("Opportunity", columns.selected, condition, columns.needed)
        ):
            found = Collected()
            for row in page.rows:
                leads = people.get(record_id(row.get("Id")) or "")
                if leads is None:
                    continue
                extra = {name: row[name] for name in page.unasked if row.get(name)}
                if leads[1:]:
                    extra["other_lead_ids"] = ";".join(leads[1:])
                build = partial(records.deal, row, leads, self._settings.currency, self._zone)
                found.add(row, build, extra=extra)
            yield Batch("crm_deals", found.records, found.errors, drift=_drift("Opportunity", page))

    def _leads_of_deals(self, first: datetime, before: datetime) -> dict[str, list[str]]:
        """Ids of changed opportunities to those of the leads that became them, lowest first."""
        condition = "ConvertedOpportunityId != null AND " + _changed(
            "ConvertedOpportunity.SystemModstamp", first, before
        )
        found: dict[str, set[str]] = defaultdict(set)
        for page in self._client.pages(
            Query("Lead", CONVERTED_COLUMNS, condition, CONVERTED_COLUMNS)
        ):
            for row in page.rows:
                lead, opportunity = (record_id(row.get(name)) for name in CONVERTED_COLUMNS)
                if lead and opportunity:
                    found[opportunity].add(lead)
        return {opportunity: sorted(leads) for opportunity, leads in found.items()}


def _changed(field: str, first: datetime, before: datetime) -> str:
    return f"{field} >= {_soql(first)} AND {field} < {_soql(before)}"


def _soql(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _drift(sobject: str, page: Page) -> Sequence[str]:
    return [f"{sobject}.{name}" for name in page.unasked]


def _raise(bad: BadValue) -> Mapping[str, Any]:
    raise bad
