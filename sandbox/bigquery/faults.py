"""Misbehaviour on request.

A fault is JSON, posted to ``/__faults`` or given to :meth:`Faults.add`::

    {"do": "error", "when": "after", "times": 1, "skip": 0,
     "match": {"method": "POST", "path": "/jobs$", "statement": "insert into",
               "job_id_prefix": "trueline_", "label": {"step": "swap"}},
     "reason": "backendError", "status": 503, "message": "…"}

Every key of ``match`` must fit (``path`` and ``statement`` are regular expressions that are
searched for); no ``match`` fits everything but ``/token``, which must be named. ``skip`` lets that
many pass first, ``times`` is how often it strikes (null: for ever).

To a request (``when`` "before" it is done, the default, or "after"):

- ``error``: answer ``reason`` with ``status`` and ``message`` (both have defaults by reason:
  backendError 503, rateLimitExceeded 403, quotaExceeded 403, accessDenied 403, authError 401,
  notFound 404 …);
- ``cut``: close the connection without an answer;
- ``latency``: wait ``seconds``.

A job that seems to be elsewhere, for example, is ``error`` with notFound on ``GET`` of ``/jobs/``.

To a job:

- ``slow``: say RUNNING to ``polls`` requests although it is over; a cancel then comes too late;
- ``fail``: end in ``reason`` (internalError), after ``polls`` requests; ``when`` "before" (the
  default): without having done anything, "after": having done all;
- ``hold``: stop before the first statement that ``statement`` fits (of ``match``), until
  ``DELETE /__faults`` or :meth:`Faults.release`; a cancel stops it there;
- ``bad_row``: call row number ``row`` of a load bad, with ``message``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.bigquery.errors import ApiError
from sandbox.strikes import Strikes

REQUEST_KINDS = ("error", "cut", "latency")
JOB_KINDS = ("slow", "fail", "hold", "bad_row")
_MESSAGES = {
    "backendError": "Error encountered during execution. Retrying may solve the problem.",
    "internalError": "An internal error occurred and the request could not be completed.",
    "rateLimitExceeded": "Exceeded rate limits: too many api requests per user per method for this "
    "user_method.",
    "quotaExceeded": "Quota exceeded: Your project exceeded quota for free query bytes scanned.",
    "authError": "Request had invalid authentication credentials.",
}
_KEYS = {"do", "match", "when", "times", "skip", "reason", "status", "message"} | {
    "seconds",
    "polls",
    "row",
}
_MATCH = {"method", "path", "statement", "job_id_prefix", "label"}


@dataclass(frozen=True)
class Facts:
    """What a fault can match."""

    method: str = ""
    path: str = ""
    statement: str = ""
    job_id: str = ""
    labels: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    do: str
    match: dict[str, Any] = field(default_factory=dict)
    when: str = "before"
    times: int | None = 1
    skip: int = 0
    reason: str = "backendError"
    status: int | None = None
    message: str | None = None
    seconds: float = 0.0
    polls: int = 1
    row: int = 1

    def fits(self, facts: Facts) -> bool:
        asked = self.match
        if facts.path == "/token" and "token" not in asked.get("path", ""):
            return False
        return (
            asked.get("method") in (None, facts.method)
            and re.search(asked.get("path", ""), facts.path) is not None
            and re.search(asked.get("statement", ""), facts.statement, re.I) is not None
            and facts.job_id.startswith(asked.get("job_id_prefix", ""))
            and (asked.get("label") or {}).items() <= facts.labels.items()
        )

    def error(self, project: str) -> ApiError:
        denied = (
            f"Access Denied: Project {project}: User does not have bigquery.jobs.create "
            f"permission in project {project}."
        )
        message = self.message or (
            denied if self.reason == "accessDenied" else _MESSAGES.get(self.reason, self.reason)
        )
        status = self.status or (401 if self.reason == "authError" else None)
        return ApiError(self.reason, message, status=status)


class Faults:
    """The faults asked for, oldest first."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._strikes: Strikes[Fault] = Strikes()
        self._released = 0

    def add(self, **wanted: Any) -> None:
        """Raises ValueError for a key or kind that there is not."""
        unknown = set(wanted) - _KEYS | set(wanted.get("match") or {}) - _MATCH
        if unknown or wanted.get("do") not in REQUEST_KINDS + JOB_KINDS:
            raise ValueError(f"no such fault: {wanted.get('do')} {sorted(unknown)}")
        if wanted["do"] == "fail":
            wanted.setdefault("reason", "internalError")
        fault = Fault(**wanted)
        self._strikes.add(fault, skip=fault.skip, times=fault.times)

    def release(self) -> None:
        """Let held jobs go on."""
        with self._condition:
            self._released += 1
            self._condition.notify_all()

    def clear(self) -> None:
        """Forget all faults and let held jobs go on."""
        self._strikes.clear()
        self.release()

    def take(self, kinds: tuple[str, ...], facts: Facts, when: str | None = None) -> list[Fault]:
        """The faults that strike now; each strikes once less afterwards."""
        return self._strikes.take(
            lambda fault: (
                fault.do in kinds and (not when or fault.when == when) and fault.fits(facts)
            )
        )

    def hold(self, cancelled: Callable[[], bool], patience: float = 120.0) -> None:
        """Wait until released, cancelled, or out of patience."""
        with self._condition:
            before = self._released
            waited = 0.0
            while self._released == before and not cancelled() and waited < patience:
                self._condition.wait(0.05)
                waited += 0.05
