"""Bytes as a function of two numbers of days: what is kept, and what a run touches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bytes:
    """``constant + history_days * per_history_day + touched_days * per_touched_day``."""

    constant: float = 0
    per_history_day: float = 0
    per_touched_day: float = 0

    def at(self, history_days: int, touched_days: int) -> float:
        """No run touches days that are not there."""
        return (
            self.constant
            + history_days * self.per_history_day
            + min(touched_days, history_days) * self.per_touched_day
        )

    def times(self, factor: int) -> Bytes:
        return Bytes(
            self.constant * factor, self.per_history_day * factor, self.per_touched_day * factor
        )


def total(parts: Iterable[Bytes]) -> Bytes:
    found = list(parts)
    return Bytes(
        sum(each.constant for each in found),
        sum(each.per_history_day for each in found),
        sum(each.per_touched_day for each in found),
    )
