"""A report from start to last row: run, wait, read. One that fails is run again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from trueline.errors import TruelineError
from trueline.progress import Progress
from trueline.sources.meta_ads.client import MetaAdsClient, RunState
from trueline.sources.meta_ads.errors import (
    LostRunError,
    NoTotalsError,
    NotThereError,
    ShortReportError,
    StuckRunError,
    field_is_gone,
)
from trueline.sources.meta_ads.totals import absent, shortfall
from trueline.windows import Window

log = logging.getLogger(__name__)

RUNS = 3
DONE, FAILED = "Job Completed", ("Job Failed", "Job Skipped")
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.1, 15.0


class Reports:
    """Reads whole reports.

    Args:
        minutes: A run that is not done by then is abandoned.
        with_totals: Meta's own totals are asked for; rows that add up to less are not taken.
    """

    def __init__(
        self,
        client: MetaAdsClient,
        progress: Progress,
        *,
        minutes: int,
        with_totals: bool,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._with_totals = with_totals
        #: Account → what Meta's own total says is missing, where no new report made it whole.
        self.doubts: dict[str, str] = {}
        self._client, self._progress, self._minutes = client, progress, minutes
        self._sleep, self._clock = sleep, clock

    def read(self, account: str, window: Window) -> list[Any]:
        """All rows of the window's days, in Meta's order, as they came.

        Raises:
            TooMuchDataError: a shorter window may pass.
            StuckRunError: a run does not end.
            PermanentError: a field is gone, or as for any call.
            RetriableError: no run gave a report that can be read to its end, or as for any call.
            ConfigurationError: as for any call.
        """
        for run_number in range(1, RUNS + 1):
            run = self._client.start(account, window, with_totals=self._with_totals)
            try:
                self._wait(account, run, window)
                return self._rows(account, run, window)
            except (LostRunError, NotThereError) as error:
                # A run that is not there is no wrong account: it was when the run was started.
                if run_number == RUNS and isinstance(error, ShortReportError):
                    log.warning("account %s, %s: %s %s", account, window, error.what, error.fix)
                    self.doubts[account] = error.what
                    return error.rows
                if run_number == RUNS:
                    raise _lost(account, run, window, error) from None
                if isinstance(error, NoTotalsError):
                    self._with_totals = False
                log.warning("account %s, %s: %s A new report is run.", account, window, error.what)
                self._sleep(2.0**run_number)
        raise AssertionError("the last run returns or raises")

    def _wait(self, account: str, run: str, window: Window) -> None:
        pause, deadline = FIRST_POLL_SECONDS, self._clock() + self._minutes * 60
        while True:
            state = self._client.state(account, run)
            # Either alone is not enough: Meta shows 100% of runs that are still running.
            if state.status == DONE and state.percent >= 100:
                return
            if state.status in FAILED:
                raise self._client.failure(account, run, state) or _failed(run, state)
            if self._clock() >= deadline:
                raise StuckRunError(
                    f"Meta's report {run} of {window} is not done after {self._minutes} minutes "
                    f"({state.status}, {state.percent}%). It is abandoned: Meta has "
                    "no way to cancel it.",
                    where=f"account {account}",
                    fix="Try again later; if it stays so, lower report_days of the source.",
                    retry_after_seconds=600,
                )
            self._progress.at(account=account, report=str(window), percent=state.percent)
            self._sleep(pause)
            pause = min(pause * 2, LONGEST_POLL_SECONDS)

    def _rows(self, account: str, run: str, window: Window) -> list[Any]:
        where = f"account {account}: report {run}"
        rows: list[Any] = []
        totals: Mapping[str, Any] = {}
        after: str | None = None
        cursors: set[str] = set()
        pages: list[Sequence[Any]] = []
        for number in count(1):
            is_first = after is None
            page = self._client.page(
                account, run, after, with_totals=is_first and self._with_totals
            )
            if page.rows and page.rows in pages:
                raise _not_whole("a page came a second time, perhaps in place of another", where)
            pages.append(page.rows)
            rows += page.rows
            if is_first and self._with_totals:
                totals = page.totals or {}
            self._progress.at(account=account, report=str(window), page=number, rows=len(rows))
            after = page.after
            if after is None:
                break
            if after in cursors:
                raise _not_whole("its paging repeats a cursor, and would never end", where)
            cursors.add(after)
        gone = absent(rows, totals)
        if gone:
            raise field_is_gone(gone, where)
        missing = shortfall(rows, totals)
        if missing:
            raise ShortReportError(missing, rows, where)
        return rows


def _not_whole(how: str, where: str) -> LostRunError:
    return LostRunError(
        f"Meta's report is not whole: {how}.",
        where=where,
        fix="Try again later; if it stays so, report it to Meta.",
    )


def _failed(run: str, state: RunState) -> LostRunError:
    code = f", code {state.code}" + (f"/{state.subcode}" if state.subcode else "")
    return LostRunError(
        f"Meta's report ended as {state.status!r}{code if state.code is not None else ''}.",
        where=f"report {run}",
        fix="Try again later; if it stays so, lower report_days of the source.",
    )


def _lost(account: str, run: str, window: Window, error: TruelineError) -> LostRunError:
    is_told = isinstance(error, LostRunError)
    return LostRunError(
        f"{error.what if is_told else 'Meta has lost the report.'} {RUNS} reports were run.",
        where=f"account {account}, {window}: report {run}",
        fix=error.fix
        if is_told
        else "Try again later; if it stays so, lower report_days of the source.",
    )
