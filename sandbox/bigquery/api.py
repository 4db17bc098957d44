"""The REST surface: paths to answers."""

from __future__ import annotations

import re
from typing import Any

from sandbox.bigquery import config
from sandbox.bigquery.datasets import Datasets, page
from sandbox.bigquery.errors import ApiError, invalid
from sandbox.bigquery.jobs import ANONYMOUS, Job, Jobs, Rows, etag, ran_dry
from sandbox.bigquery.runner import Runner
from sandbox.bigquery.store import Store
from sandbox.bigquery.types import schema_resource
from sandbox.bigquery.values import row_json
from sandbox.server.wire import Request, Response, as_json

_ROOT = re.compile(r"/bigquery/v2/projects/([^/]+)/(.+)")
_ID = r"([^/]+)"
MAX_PAGE = 10_000


class Api:
    """Answers authenticated requests of one project."""

    def __init__(self, store: Store, jobs: Jobs, runner: Runner) -> None:
        self._store, self._jobs, self._runner = store, jobs, runner
        self._datasets = Datasets(store)

    def answer(self, request: Request, user: str) -> Response:
        """Raises ApiError for whatever BigQuery refuses."""
        found = _ROOT.fullmatch(request.path)
        if not found:
            raise ApiError("notFound", f"Not Found: {request.path}")
        if found[1] != self._store.project:
            raise ApiError("notFound", f"Not found: Project {found[1]}")
        for method, pattern, name in _ROUTES:
            parts = re.fullmatch(pattern, found[2])
            if parts and request.method in method.split():
                body = getattr(self, f"_{name}")(request, user, *parts.groups())
                return Response(204, b"") if body is None else as_json(body)
        raise ApiError("notFound", f"Not Found: {request.method} {request.path}")

    def _dataset_list(self, request: Request, user: str) -> Any:
        return self._datasets.list(request)

    def _dataset_insert(self, request: Request, user: str) -> Any:
        return self._datasets.insert(request)

    def _dataset_get(self, request: Request, user: str, dataset_id: str) -> Any:
        return self._datasets.get(dataset_id)

    def _dataset_patch(self, request: Request, user: str, dataset_id: str) -> Any:
        return self._datasets.patch(request, dataset_id)

    def _dataset_delete(self, request: Request, user: str, dataset_id: str) -> Any:
        self._datasets.delete(request, dataset_id)

    def _table_list(self, request: Request, user: str, dataset_id: str) -> Any:
        return self._datasets.tables(request, dataset_id)

    def _table_insert(self, request: Request, user: str, dataset_id: str) -> Any:
        return self._datasets.insert_table(request, dataset_id)

    def _table_get(self, request: Request, user: str, dataset_id: str, table_id: str) -> Any:
        return self._datasets.get_table(dataset_id, table_id)

    def _table_patch(self, request: Request, user: str, dataset_id: str, table_id: str) -> Any:
        return self._datasets.patch_table(request, dataset_id, table_id)

    def _table_delete(self, request: Request, user: str, dataset_id: str, table_id: str) -> Any:
        self._datasets.delete_table(dataset_id, table_id)

    def _table_data(self, request: Request, user: str, dataset_id: str, table_id: str) -> Any:
        return self._datasets.data(request, dataset_id, table_id)

    def _job_insert(self, request: Request, user: str) -> Any:
        body = config.job(_json(request))
        if "load" in body["configuration"]:
            raise invalid("Load configuration must specify at least one source URI")
        job = self._runner.start(body, user)
        return ran_dry(job) if body["configuration"].get("dryRun") else job.resource()

    def _job_get(self, request: Request, user: str, job_id: str) -> Any:
        job = self._jobs.get(job_id, request.query.get("location"))
        _polled(job)
        return job.resource()

    def _job_cancel(self, request: Request, user: str, job_id: str) -> Any:
        job = self._jobs.get(job_id, request.query.get("location"))
        self._runner.cancel(job)
        job.done.wait(0.2)
        return {"kind": "bigquery#jobCancelResponse", "job": job.resource()}

    def _job_list(self, request: Request, user: str) -> Any:
        asked = request.query
        parent, state = asked.get("parentJobId"), asked.get("stateFilter")
        first, last = int(asked.get("minCreationTime", 0)), int(asked.get("maxCreationTime", 2**62))
        found = [
            job
            for job in self._jobs.newest_first()
            if job.parent_id == parent
            and state in (None, job.state().lower())
            and first <= job.created <= last
        ]
        some, more = page(found, request.query)
        shown = []
        for job in some:
            resource = job.resource()
            entry = {"state": resource["status"]["state"]}
            if "errorResult" in resource["status"]:
                entry["errorResult"] = resource["status"]["errorResult"]
            shown.append(resource | entry)
        return {"kind": "bigquery#jobList", "etag": etag({"j": shown}), "jobs": shown} | more

    def _query_insert(self, request: Request, user: str) -> Any:
        given = _json(request)
        body = config.query_request(given)
        job = self._jobs.of_request(given.get("requestId"))
        if job is None:
            job = self._runner.start(body, user)
            if not given.get("dryRun"):
                self._jobs.of_request(given.get("requestId"), job.job_id)
        micros = bool((given.get("formatOptions") or {}).get("useInt64Timestamp"))
        found = self._results(
            job,
            kind="bigquery#queryResponse",
            start=0,
            size=given.get("maxResults"),
            timeout=int(given.get("timeoutMs") or 10_000),
            micros=micros,
        )
        if given.get("dryRun"):
            found["jobReference"] = ran_dry(job)["jobReference"]
        return found

    def _query_results(self, request: Request, user: str, job_id: str) -> Any:
        job = self._jobs.get(job_id, request.query.get("location"))
        if job.kind != "query":
            raise invalid(f"Cannot get query results of a {job.kind} job: {job.job_id}")
        asked = request.query
        size = asked.get("maxResults")
        return self._results(
            job,
            kind="bigquery#getQueryResultsResponse",
            start=int(asked.get("pageToken") or asked.get("startIndex") or 0),
            size=None if size is None else int(size),
            timeout=int(asked.get("timeoutMs") or 10_000),
            micros=asked.get("formatOptions.useInt64Timestamp", "").lower() == "true",
        )

    def _results(
        self, job: Job, *, kind: str, start: int, size: int | None, timeout: int, micros: bool
    ) -> dict[str, Any]:
        job.done.wait(timeout / 1000)
        _polled(job)
        body: dict[str, Any] = {"kind": kind, "jobReference": job.reference()}
        if job.state() != "DONE":
            return body | {"jobComplete": False}
        if job.error is not None:
            raise job.error.bare()
        query = job.statistics.get("query") or {}
        body |= {
            "jobComplete": True,
            "cacheHit": False,
            "totalBytesProcessed": query.get("totalBytesProcessed", "0"),
            "location": job.location,
            "creationTime": str(job.created),
            "startTime": str(job.started),
            "endTime": str(job.ended),
        }
        for key in ("numDmlAffectedRows", "dmlStats"):
            if key in query:
                body[key] = query[key]
        if job.configuration.get("dryRun"):
            return body | {"schema": query.get("schema", {"fields": []}), "totalRows": "0"}
        if job.rows is None and query.get("statementType") == "SELECT":
            raise ApiError("notFound", f"Not found: Table {job.project}:{ANONYMOUS}.{job.job_id}")
        if job.rows is not None:
            body |= self._page(job, job.rows, start, size, micros)
        return body | {"etag": etag(body)}

    def _page(
        self, job: Job, rows: Rows, start: int, size: int | None, micros: bool
    ) -> dict[str, Any]:
        target = (job.configuration.get("query") or {}).get("destinationTable") or {}
        size = MAX_PAGE if size is None else min(size, MAX_PAGE)
        written = self._store.tables.get((target.get("datasetId"), target.get("tableId")))
        if written is not None:
            total = self._store.count(written)
            some = self._store.rows(written, list(rows.fields), start, size)
        else:
            total, some = len(rows.values), rows.values[start : start + size]
        body: dict[str, Any] = {
            "schema": schema_resource(rows.fields),
            "totalRows": str(total),
        }
        if some:
            body["rows"] = [row_json(row, rows.fields, micros=micros) for row in some]
        if size and start + size < total:
            body["pageToken"] = str(start + size)
        return body


def _json(request: Request) -> Any:
    try:
        return request.json()
    except ValueError:
        raise ApiError("parseError", "Parse Error", status=400) from None


def _polled(job: Job) -> None:
    """A slow job still says RUNNING to this one."""
    if job.done.is_set():
        job.hidden_polls -= 1


_ROUTES = [
    ("GET", "datasets", "dataset_list"),
    ("POST", "datasets", "dataset_insert"),
    ("GET", f"datasets/{_ID}", "dataset_get"),
    ("PATCH PUT", f"datasets/{_ID}", "dataset_patch"),
    ("DELETE", f"datasets/{_ID}", "dataset_delete"),
    ("GET", f"datasets/{_ID}/tables", "table_list"),
    ("POST", f"datasets/{_ID}/tables", "table_insert"),
    ("GET", f"datasets/{_ID}/tables/{_ID}", "table_get"),
    ("PATCH PUT", f"datasets/{_ID}/tables/{_ID}", "table_patch"),
    ("DELETE", f"datasets/{_ID}/tables/{_ID}", "table_delete"),
    ("GET", f"datasets/{_ID}/tables/{_ID}/data", "table_data"),
    ("GET", "jobs", "job_list"),
    ("POST", "jobs", "job_insert"),
    ("GET", f"jobs/{_ID}", "job_get"),
    ("POST", f"jobs/{_ID}/cancel", "job_cancel"),
    ("POST", "queries", "query_insert"),
    ("GET", f"queries/{_ID}", "query_results"),
]
