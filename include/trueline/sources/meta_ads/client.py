"""Meta's Graph API: an account's own words, report runs and their pages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trueline.connections import Connection
from trueline.errors import RetriableError, TruelineError
from trueline.sources.collect import at
from trueline.sources.http import HttpClient, Refusal
from trueline.sources.meta_ads.constants import (
    ACCOUNT_FIELDS,
    DEFAULT_URL,
    FIELDS,
    FILTERING,
    PAGE_SIZE,
    RUN_FIELDS,
    SUMMED,
    WINDOWS,
)
from trueline.sources.meta_ads.errors import (
    APP_THROTTLED,
    ThrottledError,
    TooMuchDataError,
    by_code,
    explain,
    whole,
)
from trueline.sources.meta_ads.throttle import LONGEST_PAUSE_SECONDS, Throttle
from trueline.sources.settings import MetaAdsSettings
from trueline.windows import Window

# Beyond those of the HTTP client, for what may come with HTTP 200 or after a longer pause.
TRIES = 3
# Asked for twice: a run tells only totals that it was started with.
TOTALS = {"summary": ",".join(SUMMED)}
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a report run is.

    Attributes:
        status: Meta's own word, for example ``Job Running``.
        percent: How much is done; done is done only with both.
        code, subcode: Why a run failed, since v25.0.
    """

    status: str
    percent: int
    code: int | None
    subcode: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the cursor of the next page if there is one.

    Attributes:
        totals: Meta's own totals of the whole report, where it tells them.
    """

    rows: Sequence[Any]
    after: str | None
    totals: Mapping[str, Any] | None = None


class MetaAdsClient:
    """Calls of the Graph API. The token travels in the header: addresses end up in logs."""

    def __init__(
        self,
        settings: MetaAdsSettings,
        connection: Connection,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._throttle = Throttle(connection.name, sleep, clock)
        self._http = HttpClient(
            connection,
            default_url=DEFAULT_URL,
            explain=explain,
            on_headers=self._throttle.heard,
            sleep=sleep,
        )
        self._version, self._connection = settings.api_version, connection.name

    def account(self, account: str) -> Mapping[str, Any]:
        """The account's name, currency, time zone and status."""
        try:
            return self._get(account, f"act_{account}", {"fields": ",".join(ACCOUNT_FIELDS)})
        except TooMuchDataError as error:
            # There is nothing to halve about one object, and the next try mostly passes.
            raise RetriableError(error.what, where=error.where, fix="Try again.") from None

    def start(self, account: str, window: Window, *, with_totals: bool = False) -> str:
        """Start a report, a row per campaign and day; returns the run's id."""
        form = {
            "level": "campaign",
            "time_increment": "1",
            "time_range": json.dumps({"since": str(window.start), "until": str(window.end)}),
            "fields": ",".join(FIELDS),
            "filtering": json.dumps(FILTERING),
            "action_attribution_windows": json.dumps(WINDOWS),
            **(TOTALS if with_totals else {}),
        }
        path = f"{self._version}/act_{account}/insights"
        answer = self._call(account, path, lambda: self._http.post_form(path, form))
        run = answer.get("report_run_id")
        if not isinstance(run, str | int) or not str(run).isdigit():
            raise RetriableError("Meta started no report.", where=path, fix="Try again.")
        return str(run)

    def state(self, account: str, run: str) -> RunState:
        """How far a report is."""
        answer = self._get(account, run, {"fields": ",".join(RUN_FIELDS)})
        status = answer.get("async_status")
        if not isinstance(status, str):
            raise RetriableError(
                "Meta does not tell how far the report is.", where=f"report {run}", fix="Try again."
            )
        return RunState(
            status,
            whole(answer.get("async_percent_completion")) or 0,
            whole(answer.get("error_code")),
            whole(answer.get("error_subcode")),
        )

    def page(self, account: str, run: str, after: str | None, *, with_totals: bool = False) -> Page:
        """One page of a finished report.

        Raises:
            NoTotalsError: Meta does not tell this report's totals.
            RetriableError: there is a next page, but no way to it.
        """
        path = f"{run}/insights"
        params = {"limit": str(PAGE_SIZE), **({"after": after} if after else {})}
        if with_totals:
            params |= TOTALS
        answer = self._get(account, path, params)
        rows = answer.get("data")
        if not isinstance(rows, list):
            raise RetriableError(
                "Meta's answer has no data.",
                where=path,
                fix="Try again; if it stays so, check base_url of the connection.",
            )
        told = answer.get("summary")
        totals = told if isinstance(told, Mapping) else None
        # ``next`` is only a sign: the address itself carries the token.
        if not at(answer, "paging.next"):
            return Page(rows, None, totals)
        cursor = at(answer, "paging.cursors.after")
        if not isinstance(cursor, str) or not cursor:
            raise RetriableError(
                "Meta announces a further page but gives no cursor to it: rows would be missing.",
                where=path,
                fix="Try again; if it stays so, report it to Meta.",
            )
        return Page(rows, cursor, totals)

    def closed_for(self, account: str) -> float:
        """Seconds for which Meta wants no call for the account."""
        return self._throttle.left(account)

    def failure(self, account: str, run: str, state: RunState) -> TruelineError | None:
        """Why a run failed, where its code tells more than that a new run may do better."""
        if state.code is None:
            return None
        error = by_code(state.code, state.subcode, f"report {run}", self._connection)
        if isinstance(error, ThrottledError):
            self._close(account, error)
        return None if type(error) is RetriableError else error

    def _get(self, account: str, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        full = f"{self._version}/{path}"
        return self._call(account, full, lambda: self._http.get_json(full, params))

    def _call(self, account: str, path: str, call: Callable[[], Any]) -> Mapping[str, Any]:
        for left in reversed(range(TRIES)):
            self._throttle.wait(account)
            answer = None
            try:
                answer = call()
                if not isinstance(answer, Mapping):
                    raise RetriableError(
                        "Meta's answer is not an object.", where=path, fix="Try again."
                    )
                # Meta can wrap an error in HTTP 200.
                if "error" in answer:
                    raise self._http.error_for(Refusal(200, path, answer, None))
            except RetriableError as error:
                seconds = self._close(account, error)
                # Other refusals have been tried again by then.
                can_wait = isinstance(error, ThrottledError) or answer is not None
                if not (left and can_wait) or seconds > LONGEST_PAUSE_SECONDS:
                    raise
            else:
                return answer
        raise AssertionError("the last try returns or raises")

    def _close(self, account: str, error: RetriableError) -> float:
        """Note the pause that a refusal asks for: as its headers tell, else as the error does.

        Whoever tries this account again has to keep to it too.
        """
        if not self._throttle.left(account):
            is_of_app = isinstance(error, ThrottledError) and error.code in APP_THROTTLED
            seconds = error.retry_after_seconds or PAUSE_SECONDS
            self._throttle.close("" if is_of_app else account, seconds)
        seconds = self._throttle.left(account)
        if isinstance(error, ThrottledError):
            error.retry_after_seconds = seconds
        return seconds
