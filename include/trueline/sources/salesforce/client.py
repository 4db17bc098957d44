"""Salesforce's REST API for small things, and query jobs of Bulk API 2.0 for rows."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trueline.connections import Connection
from trueline.errors import RetriableError, TruelineError
from trueline.progress import Progress
from trueline.sources.collect import at
from trueline.sources.http import HttpClient
from trueline.sources.salesforce import constants
from trueline.sources.salesforce.errors import NothingThereError, explain, of_failed_job
from trueline.sources.salesforce.results import Page, parse
from trueline.sources.settings import SalesforceSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Query:
    """One query job.

    Attributes:
        sobject: The object, for example ``Lead``.
        columns: What is selected.
        where: The condition, made of constants, field names and times only.
        needed: Columns without which the rows are of no use.
    """

    sobject: str
    columns: Sequence[str]
    where: str
    needed: Sequence[str]

    @property
    def soql(self) -> str:
        """The query's text. Without ORDER BY: it would keep Salesforce from splitting the work."""
        return f"SELECT {', '.join(self.columns)} FROM {self.sobject} WHERE {self.where}"


class SalesforceClient:
    """Reads of one org."""

    def __init__(
        self,
        settings: SalesforceSettings,
        connection: Connection,
        progress: Progress,
    ) -> None:
        self._name, self._progress = connection.name, progress
        self._http = HttpClient(connection, explain=explain)
        self._root = f"services/data/{settings.api_version}"
        self._jobs = f"{self._root}/jobs/query"
        self._longest = settings.longest_job_minutes * 60.0

    def describe(self, sobject: str) -> list[Mapping[str, Any]]:
        """The fields of an object that this user may see.

        Raises:
            NothingThereError: there is no such object, or not for this user.
        """
        path = f"{self._root}/sobjects/{sobject}/describe"
        fields = at(self._http.get_json(path), "fields")
        if not isinstance(fields, list):
            raise self._strange("description of an object", path)
        return fields

    def tracks(self, field: str) -> bool:
        """Whether Salesforce keeps the history of a field of Lead.

        Raises:
            ConfigurationError, PermanentError: it does not say.
        """
        try:
            self.describe("LeadHistory")
            found = self.query(
                "SELECT IsFieldHistoryTracked FROM FieldDefinition "
                "WHERE EntityDefinition.QualifiedApiName = 'Lead' "
                f"AND QualifiedApiName = '{field}'"
            )
        except NothingThereError:
            return False
        return not found or found[0].get("IsFieldHistoryTracked") is True

    def query(self, soql: str) -> list[Mapping[str, Any]]:
        """The rows of a query with a handful of rows."""
        path = f"{self._root}/query"
        found = at(self._http.get_json(path, {"q": soql}), "records")
        if not isinstance(found, list):
            raise self._strange("list of records", path)
        return found

    def pages(self, query: Query) -> Iterator[Page]:
        """All rows, deleted and merged ones too, in pages of at most ``PAGE_RECORDS``.

        Raises:
            RetriableError, PermanentError, ConfigurationError: also after some pages, where in the
                end not as many rows came as Salesforce had counted.
        """
        job, running = self._start(query), True
        try:
            expected = self._finished(job, query.sobject)
            running = False
            yield from self._results(job, query, expected)
        finally:
            self._forget(job, running=running)

    def _start(self, query: Query) -> str:
        body = {
            "operation": "queryAll",
            "query": query.soql,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        job = at(self._http.post_json(self._jobs, body), "id")
        if not isinstance(job, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", job):
            raise self._strange("id of the new job", self._jobs)
        return job

    def _finished(self, job: str, sobject: str) -> int | None:
        """Wait for the job; how many rows it found, where told."""
        path = f"{self._jobs}/{job}"
        waited, pause = 0.0, constants.FIRST_POLL_SECONDS
        while True:
            told = self._http.get_json(path)
            state = at(told, "state")
            if state == "JobComplete":
                count = at(told, "numberRecordsProcessed")
                return count if isinstance(count, int) else None
            if state == "Failed":
                raise of_failed_job(
                    str(at(told, "errorMessage") or ""),
                    f"{self._where(path)} ({sobject})",
                    self._name,
                )
            if state == "Aborted":
                raise RetriableError(
                    f"Somebody stopped the query of {sobject} in Salesforce (state Aborted).",
                    where=self._where(path),
                    fix="Try again; see Setup, Bulk Data Load Jobs, for who did it.",
                )
            if state not in ("UploadComplete", "InProgress"):
                raise self._strange("known state of the job", path)
            if waited >= self._longest:
                raise RetriableError(
                    f"Salesforce still works on the query of {sobject} after "
                    f"{round(waited / 60)} minutes.",
                    where=self._where(path),
                    fix="Try again, ask for a shorter window, or raise longest_job_minutes.",
                )
            self._progress.at(report=f"{sobject}: Salesforce works on the query")
            time.sleep(pause)
            waited += pause
            pause = min(pause * 1.5, constants.LONGEST_POLL_SECONDS)

    def _results(self, job: str, query: Query, expected: int | None) -> Iterator[Page]:
        path = f"{self._jobs}/{job}/results"
        params = {"maxRecords": str(constants.PAGE_RECORDS)}
        begun_with: set[str | None] = set()
        seen: set[str] = set()
        rows = 0

        def read(headers: Mapping[str, str], content: bytes) -> tuple[Page, str]:
            page = parse(
                content,
                query.columns,
                query.needed,
                headers.get("Sforce-NumberOfRecords"),
                where=self._where(path),
            )
            if page.rows and page.rows[0].get("Id") in begun_with:
                # Its rows may even be as many as counted: those of another page are missing.
                raise RetriableError(
                    f"Salesforce sent a page of {query.sobject} twice, maybe in place of another.",
                    where=self._where(path),
                    fix="Try again; if it stays so, report it to Salesforce.",
                )
            return page, headers.get("Sforce-Locator", "null")

        while True:
            page, locator = self._http.get_content(path, params, read, accept="text/csv")
            rows += len(page.rows)
            self._progress.at(report=query.sobject, page=len(seen) + 1, rows=rows)
            if page.rows:
                begun_with |= {page.rows[0].get("Id")} - {None}
                yield page
            if locator in ("null", ""):
                break
            if locator in seen:
                raise RetriableError(
                    "Salesforce's paging repeats a locator: the rows would never end.",
                    where=self._where(path),
                    fix="Try again; if it stays so, report it to Salesforce.",
                )
            seen.add(locator)
            params["locator"] = locator
        if expected is not None and rows != expected:
            raise RetriableError(
                f"Salesforce counted {expected:,} rows of {query.sobject} and sent {rows:,}.",
                where=self._where(path),
                fix="Try again; nothing of this pull was loaded.",
            )

    def _forget(self, job: str, *, running: bool) -> None:
        """Delete the job with its results: they hold personal values and count as storage."""
        path = f"{self._jobs}/{job}"
        try:
            if running:
                self._http.once("PATCH", path, {"state": "Aborted"})
            self._http.once("DELETE", path)
        except TruelineError as error:
            log.info("A query job was not deleted (%s); Salesforce does it later.", error.what)

    def _strange(self, what: str, path: str) -> RetriableError:
        return RetriableError(
            f"Salesforce's answer has no {what}.",
            where=self._where(path),
            fix=f"Try again; if it stays so, check base_url of the connection {self._name!r}.",
        )

    def _where(self, path: str) -> str:
        return f"{self._name} {path}"
