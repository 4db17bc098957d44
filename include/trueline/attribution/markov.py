"""Removal effects of a first-order Markov chain over channels, exact.

A lead's path is start → channel → … → lead. The removal effect of a channel is the share of leads
that the chain would lose if every step into that channel ended in nothing. Only paths that ended
in a lead are known, so without a removal every walk arrives: the effect is 1 minus the chance to
arrive without the channel. It is solved in fractions, not simulated: no seed, no rounding, and the
order of the leads cannot matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise

Path = tuple[str, ...]
Paths = Mapping[Path, int]

_START, _LEAD = "(start)", "(lead)"


def removal_effects(paths: Paths) -> dict[str, Fraction]:
    """Removal effect per channel, each above 0 and at most 1.

    Args:
        paths: How many leads came by each path: the channels of their touches in order of time,
            at least one.
    """
    steps = _steps(paths)
    channels = sorted({channel for path in paths for channel in path})
    return {channel: 1 - _chance_without(channel, channels, steps) for channel in channels}


def _steps(paths: Paths) -> Counter[tuple[str, str]]:
    """How often each state follows each other.

    From a channel to itself is no step: it delays the walk and changes no chance of arriving.
    """
    steps: Counter[tuple[str, str]] = Counter()
    for path, leads in paths.items():
        states = (_START, *path, _LEAD)
        for one, following in pairwise(states):
            if one != following:
                steps[one, following] += leads
    return steps


def _chance_without(removed: str, channels: list[str], steps: Counter[tuple[str, str]]) -> Fraction:
    """Chance to arrive at a lead when steps into ``removed`` arrive nowhere.

    One linear equation per state, chance(state) = sum of share(step) * chance(where it leads),
    solved by elimination from the last state to the first, the start.
    """
    states = [_START, *(channel for channel in channels if channel != removed)]
    taken: Counter[str] = Counter()
    for (origin, _), count in steps.items():
        taken[origin] += count

    def share(origin: str, target: str) -> Fraction:
        return Fraction(steps[origin, target], taken[origin])

    onward = [[share(origin, target) for target in states] for origin in states]
    arrives = [share(origin, _LEAD) for origin in states]
    for last in range(len(states) - 1, 0, -1):
        # What comes back to the last state only delays. Some way leads out, or no lead would.
        leaving = 1 - onward[last][last]
        arrival = arrives[last] / leaving
        through = [chance / leaving for chance in onward[last][:last]]
        for state in range(last):
            into = onward[state][last]
            if into:
                arrives[state] += into * arrival
                for target in range(last):
                    onward[state][target] += into * through[target]
    return arrives[0]
