"""Misbehaviour that was asked for: some pass first, then it strikes so many times and is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Wanted = TypeVar("Wanted")


@dataclass
class Pending(Generic[Wanted]):
    """What is still to strike. ``times`` is None for ever."""

    wanted: Wanted
    skip: int
    times: int | None
    struck: int = 0


class Strikes(Generic[Wanted]):
    """Oldest first; counters alone decide, so the same requests are struck every time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[Pending[Wanted]] = []

    def add(self, wanted: Wanted, *, skip: int = 0, times: int | None = 1) -> None:
        """Let ``skip`` that fit pass, then strike ``times``."""
        with self._lock:
            self._pending.append(Pending(wanted, skip, times))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._pending.clear()

    def pending(self) -> list[Pending[Wanted]]:
        """What has not struck often enough yet."""
        with self._lock:
            return list(self._pending)

    def take(self, fits: Callable[[Wanted], bool], *, most: int | None = None) -> list[Wanted]:
        """What strikes now, ``most`` of them at once."""
        struck: list[Wanted] = []
        with self._lock:
            for each in list(self._pending):
                if len(struck) == most or not fits(each.wanted):
                    continue
                if each.skip > 0:
                    each.skip -= 1
                    continue
                struck.append(each.wanted)
                each.struck += 1
                if each.times is not None:
                    each.times -= 1
                    if each.times <= 0:
                        self._pending.remove(each)
        return struck
