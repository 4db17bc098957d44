"""A scripted Salesforce org: documented answers, and a wrong one wherever a test wants it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.sources.conftest import NOW, Answer, Asked
from trueline.connections import Connection
from trueline.sources.base import Batch
from trueline.sources.registry import build_source
from trueline.sources.settings import SalesforceSettings
from trueline.windows import Window

ROOT = "/services/data/v67.0"
LEAD = (
    "Id", "IsDeleted", "CreatedDate", "SystemModstamp", "MasterRecordId", "LastModifiedDate",
    "ConvertedDate", "Email", "Phone", "Status", "LeadSource", "Industry", "GCLID__c", "fbclid__c",
    "Reason__c", "Attempts__c", "Fit__c", "Consent__c", "Is_Test__c",
)  # fmt: skip
DEAL = (
    "Id", "IsDeleted", "StageName", "IsWon", "IsClosed", "SystemModstamp", "Amount", "CloseDate",
    "CreatedDate",
)  # fmt: skip
HISTORY = ("Id", "LeadId", "Field", "OldValue", "NewValue", "CreatedDate")
CUSTOM = {
    "fbclid": "fbclid__c",
    "disqualification_reason": "Reason__c",
    "contact_attempts": "Attempts__c",
    "fit": "Fit__c",
    "consent_ad_user_data": "Consent__c",
    "is_test": "Is_Test__c",
}


def lead_id(number: int) -> str:
    return f"00Q{number:012d}EAA"


def a_lead(number: int, **values: str) -> dict[str, str]:
    """A lead of 2026-10-30 that nobody touched since."""
    made = "2026-10-30T09:00:00.000Z"
    return {
        "Id": lead_id(number),
        "IsDeleted": "false",
        "CreatedDate": made,
        "LastModifiedDate": made,
        "SystemModstamp": made,
        "Email": f"anna{number}@example.org",
        "Status": "New",
        **values,
    }


def a_change(lead: int, at: str, old: str, new: str, **values: str) -> dict[str, str]:
    return {
        "Id": f"017{at[8:].translate(str.maketrans('', '', ':T')):0>12}AAA",
        "LeadId": lead_id(lead),
        "Field": "Status",
        "OldValue": old,
        "NewValue": new,
        "CreatedDate": f"{at}.000+0000",
        **values,
    }


def refused(code: str, status: int, message: str = "anna@example.org") -> Answer:
    """An error body as Salesforce documents it."""
    return Answer([{"errorCode": code, "message": message, "fields": []}], status)


def as_csv(columns: Sequence[str], rows: Sequence[dict[str, str]]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(name, "") for name in columns] for row in rows)
    return stream.getvalue().encode()


class ScriptedOrg:
    """Answers by object; ``instead`` may put another answer in an answer's place.

    Attributes:
        rows: By object; ``Converted`` are the leads of changed opportunities.
        queries: The SOQL of every job, in order.
        jobs: What became of each job: what it asks for, ``deleted`` once it was deleted.
    """

    def __init__(
        self,
        *,
        leads: Sequence[dict[str, str]] = (),
        history: Sequence[dict[str, str]] = (),
        deals: Sequence[dict[str, str]] = (),
        converted: Sequence[dict[str, str]] = (),
        lead_fields: Sequence[str] = LEAD,
        deal_fields: Sequence[str] = DEAL,
        tracked: bool = True,
        page: int = 1000,
        instead: Callable[[Asked, str], Answer | None] = lambda asked, what: None,
    ) -> None:
        self.rows = {"Lead": leads, "LeadHistory": history, "Opportunity": deals}
        self.rows["Converted"] = converted
        self.fields = {"Lead": lead_fields, "LeadHistory": HISTORY, "Opportunity": deal_fields}
        self.tracked, self.page, self.instead = tracked, page, instead
        self.queries: list[str] = []
        self.jobs: list[str] = []
        self.aborted: list[int] = []
        self._polls: dict[int, int] = {}

    def __call__(self, asked: Asked) -> Answer:
        path = urlsplit(asked.path).path
        assert path.startswith(ROOT), path
        return self._answer(asked, path.removeprefix(ROOT).strip("/").split("/"))

    def _answer(self, asked: Asked, parts: list[str]) -> Answer:
        if parts[0] == "sobjects":
            described = [{"name": name, "type": "string"} for name in self.fields[parts[1]]]
            answer = Answer({"name": parts[1], "fields": described})
            return self.instead(asked, f"describe {parts[1]}") or answer
        if parts[0] == "query":
            answer = Answer({"records": [{"IsFieldHistoryTracked": self.tracked}], "done": True})
            return self.instead(asked, "query") or answer
        if len(parts) == 2:
            return self._create(asked)
        number = int(parts[2].removeprefix("750"))
        what = self.jobs[number]
        if asked.method == "DELETE":
            self.jobs[number] = "deleted"
            return self.instead(asked, f"delete {what}") or Answer(b"", 204)
        if asked.method == "PATCH":
            self.aborted.append(number)
            return Answer({"state": "Aborted"})
        if parts[-1] == "results":
            return self._results(asked, number, what)
        self._polls[number] = self._polls.get(number, 0) + 1
        state = ("UploadComplete", "InProgress", "JobComplete")[min(self._polls[number], 3) - 1]
        told: dict[str, Any] = {"state": state}
        if state == "JobComplete":
            told["numberRecordsProcessed"] = len(self.rows[what])
        return self.instead(asked, f"state {what}") or Answer(told)

    def _create(self, asked: Asked) -> Answer:
        what = asked.body["query"].partition(" FROM ")[2].partition(" ")[0]
        if asked.body["query"].startswith("SELECT Id, ConvertedOpportunityId FROM"):
            what = "Converted"
        other = self.instead(asked, f"create {what}")
        if other:
            return other
        self.queries.append(asked.body["query"])
        self.jobs.append(what)
        return Answer({"id": f"750{len(self.jobs) - 1:012d}", "state": "UploadComplete"})

    def _results(self, asked: Asked, number: int, what: str) -> Answer:
        locator = parse_qs(urlsplit(asked.path).query).get("locator", ["MQ-0"])[0]
        start = int(locator.removeprefix("MQ-"))
        rows = self.rows[what]
        page = rows[start : start + self.page]
        end = start + len(page)
        columns = self.queries[number].removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
        # The order of the columns is not promised.
        answer = Answer(
            as_csv(columns[::-1], page),
            headers={
                "Content-Type": "text/csv",
                "Sforce-Locator": f"MQ-{end}" if end < len(rows) else "null",
                "Sforce-NumberOfRecords": str(len(page)),
            },
        )
        return self.instead(asked, f"results {what}") or answer


def settings(**more: Any) -> SalesforceSettings:
    return SalesforceSettings.model_validate({"type": "salesforce", "fields": CUSTOM, **more})


def pull(connection: Connection, window: Window, **more: Any) -> list[Batch]:
    source = build_source(
        "crm",
        settings(**more),
        connection=connection,
        time_zone="Europe/Berlin",
        root=Path(),
        workdir=Path(),
        known_hashes=frozenset(),
        now=NOW,
    )
    return list(source.pull(window))


def rows(batches: Sequence[Batch], table: str) -> list[dict[str, Any]]:
    """The good records of one table."""
    return [
        dict(record.values) for batch in batches if batch.table == table for record in batch.records
    ]


def errors(batches: Sequence[Batch]) -> list[tuple[str, str | None, str]]:
    return [
        (batch.table, error.column, error.reason) for batch in batches for error in batch.errors
    ]
