"""How fast Meta may be asked: its usage headers, obeyed before every call.

Four headers tell percentages of moving allowances: ``x-fb-ads-insights-throttle`` and
``x-ad-account-usage`` of app and account, ``x-app-usage`` of the app, ``x-business-use-case-usage``
of the account, the latter with the minutes until it opens again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from trueline.errors import RetriableError

log = logging.getLogger(__name__)

#: From here on calls are spaced, up to ``SLOWEST_SECONDS`` just below the limit.
SLOW_FROM_PERCENT = 75
SLOWEST_SECONDS = 10.0
#: At the limit, where no header says for how long.
FULL_SECONDS = 30.0
#: A longer wait is left to the orchestrator, and to other accounts in the meantime.
LONGEST_PAUSE_SECONDS = 60.0
_METERS = ("call_count", "total_cputime", "total_time")


class Throttle:
    """Waits as long as the headers of earlier answers ask.

    Args:
        where: The source, for messages.
        sleep: Waits; replaced in tests.
        clock: Seconds that only grow; replaced in tests.
    """

    def __init__(
        self, where: str, sleep: Callable[[float], None], clock: Callable[[], float]
    ) -> None:
        self._where, self._sleep, self._clock = where, sleep, clock
        self._account, self._spacing = "", 0.0
        # Account, or "" for the whole app, to the moment from which it may be asked again.
        self._open_at: dict[str, float] = {}

    def wait(self, account: str) -> None:
        """Wait until ``account`` may be asked; from now on headers are heard as its own.

        Raises:
            RetriableError: the wait is too long for a pull; it says how long.
        """
        self._account = account
        left = self.left(account)
        if left > LONGEST_PAUSE_SECONDS:
            raise RetriableError(
                f"Meta has closed this account's allowance for another {left / 60:.0f} min.",
                where=f"{self._where}: account {account}",
                fix="Try again then; other tools may be using up the same allowance.",
                retry_after_seconds=left,
            )
        pause = max(left, self._spacing)
        self._spacing = 0.0
        if pause > 0:
            log.info("%s: account %s: waiting %.1f s, as Meta asks", self._where, account, pause)
            self._sleep(pause)

    def left(self, account: str) -> float:
        """Seconds until ``account`` is open again."""
        opens = max(self._open_at.get("", 0.0), self._open_at.get(account, 0.0))
        return max(0.0, opens - self._clock())

    def close(self, account: str, seconds: float) -> None:
        """Do not ask ``account`` ("" for all) for some seconds."""
        self._open_at[account] = max(self._open_at.get(account, 0.0), self._clock() + seconds)

    def heard(self, headers: Mapping[str, str]) -> None:
        """Take in the headers of an answer."""
        insights = _read(headers, "x-fb-ads-insights-throttle")
        account = _read(headers, "x-ad-account-usage")
        app = _read(headers, "x-app-usage")
        cases = list(_cases(_read(headers, "x-business-use-case-usage")))
        used = [
            *(_number(insights, name) for name in ("app_id_util_pct", "acc_id_util_pct")),
            _number(account, "acc_id_util_pct"),
            *(_number(meter, name) for meter in (app, *cases) for name in _METERS),
        ]
        for case in cases:
            minutes = _number(case, "estimated_time_to_regain_access")
            if minutes > 0:
                self.close(self._account, float(minutes * 60))
        reset = _number(account, "reset_time_duration")
        if _number(account, "acc_id_util_pct") >= 100 and reset > 0:
            self.close(self._account, float(reset))
        self._spacing = _spacing(max(used))


def _spacing(percent: Decimal) -> float:
    if percent >= 100:
        return FULL_SECONDS
    if percent < SLOW_FROM_PERCENT:
        return 0.0
    return SLOWEST_SECONDS * float(percent - SLOW_FROM_PERCENT + 1) / (100 - SLOW_FROM_PERCENT)


def _read(headers: Mapping[str, str], name: str) -> Any:
    """A header's JSON; what cannot be read tells nothing, and must not stop a pull."""
    try:
        return json.loads(headers.get(name) or "null", parse_float=Decimal)
    except ValueError:
        return None


def _cases(value: Any) -> Iterator[Any]:
    for cases in value.values() if isinstance(value, Mapping) else ():
        yield from cases if isinstance(cases, list) else ()


def _number(meter: Any, name: str) -> Decimal:
    try:
        found = Decimal(str(meter[name])) if isinstance(meter, Mapping) else Decimal(0)
    except (KeyError, InvalidOperation):
        return Decimal(0)
    return found if found.is_finite() else Decimal(0)
