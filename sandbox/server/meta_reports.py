"""Meta's asynchronous reports: started, polled until done, read, gone after a while.

A run tells only totals that it was started with, as answers that public issues quote say it; that
it has to be asked for them again is our reading of those answers.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.server.meta_insights import Insights, Question, summary_fields
from sandbox.server.meta_wire import bad, error, listed, not_there
from sandbox.server.wire import RefusedError
from sandbox.world.company import META_ACCOUNT

FIELDS = {
    "id",
    "account_id",
    "async_percent_completion",
    "async_status",
    "date_start",
    "date_stop",
    "error_code",
    "error_message",
    "error_subcode",
    "is_running",
    "time_completed",
    "time_ref",
}
DEFAULT_FIELDS = (
    "id",
    "account_id",
    "time_ref",
    "time_completed",
    "async_status",
    "async_percent_completion",
)
#: What a run tells, poll by poll; the second is the trap: all percents, and still not done.
COURSE = (("Job Not Started", 0), ("Job Running", 100), ("Job Completed", 100))
MOST_RUNS = 500


@dataclass(frozen=True)
class Ending:
    """How a run ends instead of well; ``Job Running`` never ends."""

    status: str = "Job Failed"
    percent: int = 0
    code: int | None = None
    subcode: int | None = None


@dataclass
class Run:
    """One report run."""

    id: str
    asked: Question
    ending: Ending | None
    polls: int = field(default=0)

    def state(self) -> tuple[str, int]:
        """Status and percent as of the latest poll."""
        place = min(max(self.polls, 1), len(COURSE)) - 1
        if self.ending and place == len(COURSE) - 1:
            return self.ending.status, self.ending.percent
        return COURSE[place]


class ReportRuns:
    """The runs of one account.

    Attributes:
        endings: How the next runs end, in order; None ends well.
        most_rows: A report of more rows is too large.
    """

    def __init__(self, insights: Insights, now: int) -> None:
        self._insights, self._now = insights, now
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._started = 0
        self.endings: deque[Ending | None] = deque()
        self.most_rows: int | None = None

    def start(self, asked: Question) -> dict[str, str]:
        """Answer of the POST."""
        with self._lock:
            self._started += 1
            ending = self.endings.popleft() if self.endings else None
            if ending is None and self.is_too_large(asked):
                ending = Ending(code=-3, subcode=1504045)
            run = Run(f"6{self._started:015d}", asked, ending)
            self._runs[run.id] = run
            if len(self._runs) > MOST_RUNS:
                self._runs.popitem(last=False)
        return {"report_run_id": run.id}

    def is_too_large(self, asked: Question) -> bool:
        """Whether the report has more rows than Meta gives at once."""
        return self.most_rows is not None and len(self._insights.rows(asked)) > self.most_rows

    def forget(self) -> None:
        """All runs are gone, as after 30 days."""
        with self._lock:
            self._runs.clear()

    def knows(self, name: str) -> bool:
        """Whether there is such a run."""
        return name in self._runs

    def poll(self, name: str, params: Mapping[str, str]) -> dict[str, Any]:
        """Answer of the GET of a run."""
        fields = listed(params["fields"], "fields") if params.get("fields") else DEFAULT_FIELDS
        for each in fields:
            if each not in FIELDS:
                raise bad(f"Tried accessing nonexisting field ({each}) on node type (AdReportRun)")
        run = self._run(name)
        with self._lock:
            run.polls += 1
            status, percent = run.state()
        is_over = status not in ("Job Not Started", "Job Started", "Job Running")
        told: dict[str, Any] = {
            "id": run.id,
            "account_id": META_ACCOUNT,
            "time_ref": self._now,
            "time_completed": self._now if is_over else 0,
            "async_status": status,
            "async_percent_completion": percent,
            "is_running": not is_over,
            "date_start": run.asked.since.isoformat(),
            "date_stop": run.asked.until.isoformat(),
        }
        if run.ending and is_over and run.ending.code is not None:
            told["error_code"] = run.ending.code
            told["error_message"] = "The report could not be made."
            if run.ending.subcode is not None:
                told["error_subcode"] = run.ending.subcode
        return {each: told[each] for each in fields if each in told} | {"id": run.id}

    def rows(self, name: str) -> list[dict[str, Any]]:
        """All rows of a finished run.

        Raises:
            RefusedError: it is not finished, or not there.
        """
        return self._insights.rows(self._finished(name).asked)

    def summary(self, name: str, asked: Mapping[str, str]) -> dict[str, Any] | None:
        """Its totals, if they are asked for and were when it was started.

        Raises:
            RefusedError: the run was started without them, is not finished, or not there.
        """
        run = self._finished(name)
        wanted = summary_fields(asked, run.asked.fields)
        lacking = [each for each in wanted if each not in run.asked.summary]
        if lacking:
            was = "it wasn't" if len(lacking) == 1 else "they weren't"
            raise bad(
                f"Cannot include {', '.join(lacking)} in summary param because {was} there while "
                f"creating the report run. All available values are: {', '.join(run.asked.summary)}"
            )
        return self._insights.summary(run.asked, wanted) if wanted else None

    def _finished(self, name: str) -> Run:
        run = self._run(name)
        if run.polls == 0 or run.state() != COURSE[-1]:
            raise RefusedError(
                error(
                    400,
                    2601,
                    "Error accessing adreport job.",
                    subcode=1815107,
                    is_transient=True,
                )
            )
        return run

    def _run(self, name: str) -> Run:
        run = self._runs.get(name)
        if run is None:
            raise not_there(name)
        return run
