"""Salesforce's REST API and the query jobs of Bulk API 2.0 over the world's CRM.

Wire facts: errors are lists; a job goes through UploadComplete and InProgress before its results
are there; results are quoted CSV in pages with ``Sforce-Locator`` and ``Sforce-NumberOfRecords``;
numbers there have a point (``4.0``), times a ``Z``; in REST answers they are numbers and ``+0000``.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from sandbox.server.salesforce_records import FIELDS, SETUP, Row, full_id, org_of
from sandbox.server.salesforce_soql import Select, Soql, SoqlError, columns_of_bulk
from sandbox.server.tokens import TOKENS
from sandbox.server.wire import RefusedError, Request, Response, as_json
from sandbox.world import World

NEWEST, OLDEST, OLDEST_EVER = 68, 31, 7
REST_PAGE = 2000
BULK_PAGE = 50_000
DAILY_CALLS = 5000
OBJECT = r"([A-Za-z_]\w*)"
VERSION = re.compile(r"/services/data/v(\d+)\.0(/.*)?")
#: A job works during this many questions about it.
QUESTIONS_UNTIL_DONE = 2


def refuse(code: str, message: str, status: int = 400) -> RefusedError:
    """An error in Salesforce's shape."""
    return RefusedError(as_json([{"message": message, "errorCode": code}], status))


@dataclass
class Job:
    """One query job."""

    job_id: str
    version: str
    body: dict[str, Any]
    query: Select
    rows: list[Row]
    state: str = "UploadComplete"
    asked: int = 0
    locators: dict[str, int] = field(default_factory=dict)


class Salesforce:
    """One org over a world."""

    def __init__(self, world: World) -> None:
        self._now = world.clock.utc(world.clock.now)
        self._org = org_of(world)
        self._soql = Soql(self._org)
        self._jobs: dict[str, Job] = {}
        self._cursors: dict[str, tuple[Select, list[Row]]] = {}
        self._calls = self._jobs_made = 0
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Response:
        """Answer one call.

        Raises:
            RefusedError: with Salesforce's error body.
        """
        with self._lock:
            if request.path.rstrip("/") == "/services/data" and request.method == "GET":
                return as_json([_version(number) for number in range(OLDEST, NEWEST + 1)])
            if not TOKENS.accepts(request.bearer()):
                raise refuse("INVALID_SESSION_ID", "Session expired or invalid", 401)
            self._calls += 1
            found = VERSION.fullmatch(request.path)
            if found is None or int(found[1]) > NEWEST or int(found[1]) < OLDEST_EVER:
                raise refuse("NOT_FOUND", "The requested resource does not exist", 404)
            if int(found[1]) < OLDEST:
                raise refuse("UNSUPPORTED_API_VERSION", "This API version is retired", 410)
            try:
                response = self._route(request, f"{found[1]}.0", (found[2] or "/").rstrip("/"))
            except SoqlError as wrong:
                raise refuse(wrong.code, str(wrong)) from None
        usage = {"Sforce-Limit-Info": f"api-usage={self._calls}/{DAILY_CALLS}"}
        return replace(response, headers={**response.headers, **usage})

    def _route(self, request: Request, version: str, path: str) -> Response:
        routes: tuple[tuple[str, str, Callable[..., Response]], ...] = (
            ("GET", rf"/sobjects/{OBJECT}/describe", self._describe),
            ("GET", r"/limits", self._limits),
            ("GET", r"/(query|queryAll)", self._query),
            ("GET", r"/(?:query|queryAll)/(\w+-\d+)", self._query_more),
            ("POST", r"/jobs/query", self._create),
            ("GET", r"/jobs/query/(\w+)", self._tell),
            ("GET", r"/jobs/query/(\w+)/results", self._results),
            ("PATCH", r"/jobs/query/(\w+)", self._abort),
            ("DELETE", r"/jobs/query/(\w+)", self._delete),
        )
        for method, pattern, handler in routes:
            found = re.fullmatch(pattern, path)
            if found and request.method == method:
                return handler(request, version, *found.groups())
        raise refuse("NOT_FOUND", "The requested resource does not exist", 404)

    def _describe(self, request: Request, version: str, sobject: str) -> Response:
        known = {name.lower(): name for name in FIELDS if name not in SETUP}
        if sobject.lower() not in known:
            raise refuse("NOT_FOUND", "The requested resource does not exist", 404)
        name = known[sobject.lower()]
        fields = [
            {
                "name": each,
                "label": each.removesuffix("__c").replace("_", " "),
                "type": kind,
                "custom": each.endswith("__c"),
                "nillable": kind != "id",
                "filterable": kind not in ("anyType", "address"),
            }
            for each, kind in FIELDS[name].items()
        ]
        return as_json({"name": name, "label": name, "queryable": True, "fields": fields})

    def _limits(self, request: Request, version: str) -> Response:
        return as_json(
            {
                "DailyApiRequests": {"Max": DAILY_CALLS, "Remaining": DAILY_CALLS - self._calls},
                "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000 - self._jobs_made},
            }
        )

    def _query(self, request: Request, version: str, kind: str) -> Response:
        query = self._soql.parse(request.query.get("q", ""))
        rows = self._soql.rows(query, deleted=kind == "queryAll")
        return self._records(query, rows, 0, f"/services/data/v{version}/{kind}", "")

    def _query_more(self, request: Request, version: str, cursor: str) -> Response:
        name, _, offset = cursor.rpartition("-")
        if name not in self._cursors:
            raise refuse("INVALID_QUERY_LOCATOR", "invalid query locator")
        query, rows = self._cursors[name]
        return self._records(query, rows, int(offset), f"/services/data/v{version}/query", name)

    def _records(
        self, query: Select, rows: list[Row], start: int, path: str, cursor: str
    ) -> Response:
        end = start + REST_PAGE
        made: dict[str, Any] = {"totalSize": len(rows), "done": end >= len(rows)}
        if not made["done"]:
            if not cursor:
                cursor = f"01g{secrets.token_hex(8)}"
                self._cursors[cursor] = (query, rows)
            made["nextRecordsUrl"] = f"{path}/{cursor}-{end}"
        made["records"] = [self._record(query, row, path) for row in rows[start:end]]
        return as_json(made)

    def _record(self, query: Select, row: Row, path: str) -> dict[str, Any]:
        root = path.rpartition("/")[0]
        identity = row.get("Id", row.get("DurableId"))
        made: dict[str, Any] = {
            "attributes": {
                "type": query.sobject,
                "url": f"{root}/sobjects/{query.sobject}/{identity}",
            }
        }
        for column in query.columns:
            value = _rest(self._soql.value(query.sobject, row, column))
            relationship, _, name = column.rpartition(".")
            if relationship:
                made.setdefault(relationship, {})[name] = value
            else:
                made[column] = value
        return made

    def _create(self, request: Request, version: str) -> Response:
        body = _body(request)
        given = {**body}
        operation = given.pop("operation", None)
        text = given.pop("query", None)
        if operation not in ("query", "queryAll") or not isinstance(text, str):
            raise refuse("INVALIDJOB", "operation and query are required")
        _only(given, "contentType", "CSV")
        _only(given, "columnDelimiter", "COMMA")
        _only(given, "lineEnding", "LF")
        if given:
            raise refuse("JSON_PARSER_ERROR", f'Unrecognized field "{next(iter(given))}"')
        if re.search(r"\b(GROUP\s+BY|OFFSET|TYPEOF)\b|\bCOUNT\s*\(", text, re.IGNORECASE):
            raise refuse("API_ERROR", "This SOQL is not supported in Bulk Query")
        query = self._soql.parse(text)
        if query.sobject in SETUP:
            raise refuse(
                "INVALIDENTITY", f"Entity '{query.sobject}' is not supported by the Bulk API"
            )
        columns_of_bulk(query)
        self._jobs_made += 1
        job = Job(
            full_id("750", self._jobs_made),
            version,
            body,
            query,
            self._soql.rows(query, deleted=operation == "queryAll"),
        )
        self._jobs[job.job_id] = job
        return as_json(self._shape(job))

    def _shape(self, job: Job) -> dict[str, Any]:
        now = _rest(self._now)
        return {
            "id": job.job_id,
            "operation": job.body["operation"],
            "object": job.query.sobject,
            "createdById": full_id("005", 1),
            "createdDate": now,
            "systemModstamp": now,
            "state": job.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(job.version),
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }

    def _job(self, job_id: str) -> Job:
        job = self._jobs.get(job_id)
        if job is None:
            raise refuse("NOT_FOUND", "The requested resource does not exist", 404)
        return job

    def _tell(self, request: Request, version: str, job_id: str) -> Response:
        job = self._job(job_id)
        if job.state in ("UploadComplete", "InProgress"):
            job.asked += 1
            job.state = "InProgress" if job.asked < QUESTIONS_UNTIL_DONE else "JobComplete"
        made = {**self._shape(job), "jobType": "V2Query", "retries": 0, "totalProcessingTime": 32}
        done = job.state == "JobComplete"
        made["numberRecordsProcessed"] = len(job.rows) if done else 0
        made["isPkChunkingSupported"] = True
        return as_json(made)

    def _results(self, request: Request, version: str, job_id: str) -> Response:
        job = self._job(job_id)
        if version != job.version:
            raise refuse("API_ERROR", "The job was made with another API version", 409)
        if job.state != "JobComplete":
            raise refuse("INVALIDJOBSTATE", f"The job is {job.state}, it has no results")
        wanted = request.query.get("maxRecords", str(BULK_PAGE))
        if not wanted.isdigit() or int(wanted) < 1:
            raise refuse("API_ERROR", "maxRecords must be a positive number")
        start = 0
        if "locator" in request.query:
            if request.query["locator"] not in job.locators:
                raise refuse("INVALID_QUERY_LOCATOR", "invalid query locator")
            start = job.locators[request.query["locator"]]
        page = job.rows[start : start + int(wanted)]
        end = start + len(page)
        locator = "null"
        if end < len(job.rows):
            known = {place: name for name, place in job.locators.items()}
            locator = known.get(end) or secrets.token_urlsafe(12)
            job.locators[locator] = end
        body = self._csv(job.query, page)
        headers = {"Sforce-Locator": locator, "Sforce-NumberOfRecords": str(len(page))}
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        return Response(200, body, "text/csv", headers)

    def _csv(self, query: Select, rows: list[Row]) -> bytes:
        stream = io.StringIO()
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(query.columns)
        for row in rows:
            values = (self._soql.value(query.sobject, row, column) for column in query.columns)
            writer.writerow([_bulk(value) for value in values])
        return stream.getvalue().encode()

    def _abort(self, request: Request, version: str, job_id: str) -> Response:
        job = self._job(job_id)
        if _body(request) != {"state": "Aborted"}:
            raise refuse("INVALIDJOBSTATE", "Only the state Aborted can be set")
        if job.state not in ("UploadComplete", "InProgress"):
            raise refuse("INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
        job.state = "Aborted"
        return as_json(self._shape(job))

    def _delete(self, request: Request, version: str, job_id: str) -> Response:
        job = self._job(job_id)
        if job.state in ("UploadComplete", "InProgress"):
            raise refuse(
                "API_ERROR",
                "Error encountered when deleting the job because the job is not terminated",
            )
        del self._jobs[job_id]
        return Response(204, b"")


def _version(number: int) -> dict[str, str]:
    season = ("Winter", "Spring", "Summer")[(number - 2) % 3]
    year = (number - 2) // 3 + 5
    label = f"{season} '{year:02d}"
    return {"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"}


def _body(request: Request) -> dict[str, Any]:
    try:
        found = request.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise refuse("JSON_PARSER_ERROR", "The HTTP entity body is not a JSON object")
    return found


def _only(given: dict[str, Any], name: str, value: str) -> None:
    if given.pop(name, value) != value:
        raise refuse("INVALIDJOB", f"{name}: the sandbox speaks {value} only")


def _rest(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return value.isoformat() if isinstance(value, date) else value


def _bulk(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return value.isoformat() if isinstance(value, date) else str(value)
