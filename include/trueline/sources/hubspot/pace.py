"""Calls no faster than HubSpot allows: its documented limits, and what its answers say is left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from trueline.sources.hubspot.constants import CALLS_PER_TEN_SECONDS, SEARCHES_PER_SECOND


class Pace:
    """Waits before a call that would go over a limit.

    Args:
        clock: Seconds that only grow; replaced in tests.
        sleep: Waits; replaced in tests.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._calls: deque[float] = deque(maxlen=CALLS_PER_TEN_SECONDS)
        self._searches: deque[float] = deque(maxlen=SEARCHES_PER_SECOND)
        self._not_before = 0.0

    def before_call(self, *, is_search: bool = False) -> None:
        """Return as soon as one more call is allowed."""
        allowed = self._not_before
        if len(self._calls) == CALLS_PER_TEN_SECONDS:
            allowed = max(allowed, self._calls[0] + 10)
        if is_search and len(self._searches) == SEARCHES_PER_SECOND:
            allowed = max(allowed, self._searches[0] + 1)
        wait = allowed - self._clock()
        if wait > 0:
            self._sleep(wait)
        now = self._clock()
        self._calls.append(now)
        if is_search:
            self._searches.append(now)

    def heard(self, headers: Mapping[str, str]) -> None:
        """Read what an answer says is left; searches do not say it.

        Where nothing is left, the next call waits the interval out instead of being refused:
        refused calls count against the app, too.
        """
        for left, interval in (
            ("X-HubSpot-RateLimit-Remaining", _seconds(headers)),
            ("X-HubSpot-RateLimit-Secondly-Remaining", 1.0),
        ):
            if headers.get(left, "").strip() == "0":
                self._not_before = max(self._not_before, self._clock() + interval)


def _seconds(headers: Mapping[str, str]) -> float:
    text = headers.get("X-HubSpot-RateLimit-Interval-Milliseconds", "").strip()
    return int(text) / 1000 if text.isdigit() else 10.0
