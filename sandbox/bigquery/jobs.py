"""Jobs: their ids, their states, and what ``jobs.get`` shows of them."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

from sandbox.bigquery.errors import ApiError
from sandbox.bigquery.store import Store, now_millis
from sandbox.bigquery.types import Field, schema_of

MULTI_REGIONS = ("US", "EU")
#: The dataset that results go to which no table was asked for. They are lost in a restart.
ANONYMOUS = "_anonymous"


@dataclass
class Rows:
    """What a query gave."""

    fields: tuple[Field, ...]
    values: list[tuple[Any, ...]]


@dataclass
class Job:
    """One job. ``done`` is set when nothing will change any more."""

    job_id: str
    project: str
    location: str
    configuration: dict[str, Any]
    user_email: str
    parent_id: str | None = None
    transaction_id: str | None = None
    created: int = field(default_factory=now_millis)
    started: int | None = None
    ended: int | None = None
    error: ApiError | None = None
    errors: list[dict[str, str]] = field(default_factory=list)
    statistics: dict[str, Any] = field(default_factory=dict)
    children: int = 0
    rows: Rows | None = None
    #: The answers that still say RUNNING although all is over: a slow job.
    hidden_polls: int = -1
    cancel_asked: bool = False
    #: Refused while it was analysed: ``jobs.insert`` itself answers the error.
    refused: bool = False
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def kind(self) -> str:
        return "load" if "load" in self.configuration else "query"

    @property
    def statement(self) -> str:
        return str((self.configuration.get("query") or {}).get("query", ""))

    def state(self) -> str:
        if self.done.is_set() and self.hidden_polls < 0:
            return "DONE"
        return "RUNNING" if self.started else "PENDING"

    def finish(self, error: ApiError | None = None) -> None:
        self.error = error.bare() if error is not None else None
        if error is not None:
            self.errors = [error.proto(), *error.more, *self.errors]
        self.ended = max(now_millis(), self.started or self.created)
        self.done.set()

    def reference(self) -> dict[str, str]:
        return {"projectId": self.project, "jobId": self.job_id, "location": self.location}

    def resource(self) -> dict[str, Any]:
        """The REST ``Job``."""
        state = self.state()
        status: dict[str, Any] = {"state": state}
        statistics: dict[str, Any] = {"creationTime": str(self.created)}
        if self.started:
            statistics["startTime"] = str(self.started)
        if self.parent_id:
            statistics["parentJobId"] = self.parent_id
            statistics["scriptStatistics"] = {"evaluationKind": "STATEMENT"}
        if self.transaction_id:
            statistics["transactionInfo"] = {"transactionId": self.transaction_id}
        if self.children:
            statistics["numChildJobs"] = str(self.children)
        if state == "DONE":
            statistics["endTime"] = str(self.ended)
            statistics["finalExecutionDurationMs"] = str((self.ended or 0) - (self.started or 0))
            statistics |= self.statistics
            if self.error is not None:
                status["errorResult"] = self.error.proto()
            if self.errors:
                status["errors"] = self.errors
        body = {
            "kind": "bigquery#job",
            "id": f"{self.project}:{self.location}.{self.job_id}",
            "selfLink": f"/bigquery/v2/projects/{self.project}/jobs/{self.job_id}",
            "user_email": self.user_email,
            "configuration": self.configuration,
            "jobReference": self.reference(),
            "statistics": statistics,
            "status": status,
        }
        return body | {"etag": etag(body)}


def etag(body: dict[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, default=str)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:22] + "=="


class Jobs:
    """All jobs by id; an id is used up whatever becomes of the job."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._order: list[str] = []
        self._requests: dict[str, str] = {}
        for _, body in store.kept("job"):
            self._remember(_restored(body))

    def add(self, job: Job) -> None:
        """Raises ApiError duplicate: the id has been used."""
        with self._lock:
            if job.job_id in self._jobs:
                raise ApiError(
                    "duplicate", f"Already Exists: Job {job.project}:{job.location}.{job.job_id}"
                )
            self._remember(job)
        self.keep(job)

    def keep(self, job: Job) -> None:
        """Write it down so that its id is known after a restart."""
        resource = job.resource()
        self._store.keep("job", job.job_id, {"resource": resource, "parent": job.parent_id})

    def _remember(self, job: Job) -> None:
        self._jobs[job.job_id] = job
        self._order.append(job.job_id)

    def find(self, job_id: str) -> Job | None:
        with self._lock:
            return self._jobs.get(job_id)

    def get(self, job_id: str, location: str | None) -> Job:
        """Raises ApiError notFound: no such job there.

        Without a location BigQuery looks in its multi-regions only.
        """
        job = self.find(job_id)
        if job is not None:
            wanted = (location.upper(),) if location else MULTI_REGIONS
            if job.location.upper() in wanted:
                return job
        where = f"{location}." if location else ""
        project = self._store.project
        raise ApiError("notFound", f"Not found: Job {project}:{where}{job_id}")

    def newest_first(self) -> list[Job]:
        with self._lock:
            return [self._jobs[each] for each in reversed(self._order)]

    def of_request(self, request_id: str | None, job_id: str | None = None) -> Job | None:
        """The job that an earlier ``jobs.query`` of this ``requestId`` made."""
        if not request_id:
            return None
        with self._lock:
            if job_id is not None:
                self._requests[request_id] = job_id
            known = self._requests.get(request_id)
            return self._jobs.get(known) if known else None


def new_job_id(prefix: str = "job_") -> str:
    return f"{prefix}{secrets.token_urlsafe(20)}"


def ran_dry(job: Job) -> dict[str, Any]:
    """A dry run's answer: a job that does not exist."""
    body = job.resource()
    body["id"] = f"{job.project}:{job.location}."
    body["jobReference"] = {"projectId": job.project, "location": job.location}
    return body


def _restored(body: dict[str, Any]) -> Job:
    resource = body["resource"]
    reference, statistics = resource["jobReference"], dict(resource["statistics"])
    job = Job(
        reference["jobId"],
        reference["projectId"],
        reference["location"],
        resource["configuration"],
        resource["user_email"],
        parent_id=body["parent"],
        created=int(statistics.pop("creationTime")),
    )
    job.started = int(statistics.pop("startTime", job.created))
    job.children = int(statistics.pop("numChildJobs", 0))
    job.statistics = {
        key: value
        for key, value in statistics.items()
        if key in ("query", "load", "totalBytesProcessed")
    }
    failed = resource["status"].get("errorResult")
    if resource["status"]["state"] != "DONE":
        job.finish(ApiError("backendError", "The job was lost in a restart. Retry the job."))
    else:
        job.ended = int(statistics.get("endTime", job.started))
        if failed:
            job.error = ApiError(failed["reason"], failed["message"])
            job.errors = resource["status"].get("errors", [])
        query = job.statistics.get("query") or {}
        target = (job.configuration.get("query") or {}).get("destinationTable") or {}
        if "schema" in query and target.get("datasetId") != ANONYMOUS:
            job.rows = Rows(schema_of(query["schema"]), [])
        job.done.set()
    return job
