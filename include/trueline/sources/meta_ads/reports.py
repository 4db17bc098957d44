"""A report from start to last row: run, wait, read. One that fails is run again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from trueline.errors import PermanentError, TruelineError
from trueline.progress import Progress
from trueline.sources.meta_ads.client import MetaAdsClient, RunState
from trueline.sources.meta_ads.errors import LostRunError, NotThereError, StuckRunError
from trueline.windows import Window

log = logging.getLogger(__name__)

RUNS = 3
DONE, FAILED = "Job Completed", ("Job Failed", "Job Skipped")
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.1, 15.0


class Reports:
    """Reads whole reports.

    Args:
        minutes: A run that is not done by then is abandoned.
    """

    def __init__(
        self,
        client: MetaAdsClient,
        progress: Progress,
        *,
        minutes: int,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._client, self._progress, self._minutes = client, progress, minutes
        self._sleep, self._clock = sleep, clock

    def read(self, account: str, window: Window) -> list[Any]:
        """All rows of the window's days, in Meta's order, as they came.

        Raises:
            TooMuchDataError: a shorter window may pass.
            StuckRunError: a run does not end.
            RetriableError, PermanentError, ConfigurationError: as for any call.
        """
        for run_number in range(1, RUNS + 1):
            run = self._client.start(account, window)
            try:
                self._wait(account, run, window)
                return self._rows(account, run, window)
            except (LostRunError, NotThereError) as error:
                # A run that is not there is no wrong account: it was when the run was started.
                if run_number == RUNS:
                    raise _lost(account, run, window, error) from None
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
        rows: list[Any] = []
        last_page: Sequence[Any] = ()
        after: str | None = None
        seen: set[str] = set()
        for number in count(1):
            page = self._client.page(account, run, after)
            if page.rows and page.rows == last_page:
                # Perhaps in place of another one, which would be lost without a word.
                raise LostRunError(
                    "Meta sent a page of the report twice.",
                    where=f"account {account}: report {run}",
                    fix="Try again; nothing of this account was loaded.",
                )
            last_page = page.rows
            rows += page.rows
            self._progress.at(account=account, report=str(window), page=number, rows=len(rows))
            after = page.after
            if after is None:
                return rows
            if after in seen:
                raise PermanentError(
                    "Meta's paging repeats a cursor: the rows would never end.",
                    where=f"account {account}: report {run}",
                    fix="Ask for a shorter window; if it stays so, report it to Meta.",
                )
            seen.add(after)
        raise AssertionError("the last page returns")


def _failed(run: str, state: RunState) -> LostRunError:
    code = f", code {state.code}" + (f"/{state.subcode}" if state.subcode else "")
    return LostRunError(
        f"Meta's report ended as {state.status!r}{code if state.code is not None else ''}.",
        where=f"report {run}",
        fix="Try again later; if it stays so, lower report_days of the source.",
    )


def _lost(account: str, run: str, window: Window, error: TruelineError) -> LostRunError:
    what = error.what if isinstance(error, LostRunError) else "Meta has lost the report."
    return LostRunError(
        f"{what} {RUNS} reports were run.",
        where=f"account {account}, {window}: report {run}",
        fix="Try again later; if it stays so, lower report_days of the source.",
    )
