"""Shapley values of channels, exact.

The game: a set of channels wins every lead whose touches came by channels of that set alone. It is
a sum of games that each ask for one set of channels, and in such a game all its channels are worth
the same (Shapley's symmetry and null-player rules); values of sums add up. So a lead's value is
shared equally by the channels of its path, which is the sum over all 2^n sets without the 2^n.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from trueline.attribution.markov import Paths


def shapley_values(paths: Paths) -> dict[str, Fraction]:
    """Leads per channel; they add up to all leads.

    Args:
        paths: How many leads came by each path: the channels of their touches, at least one.
    """
    values: dict[str, Fraction] = defaultdict(Fraction)
    for path, leads in paths.items():
        channels = set(path)
        for channel in channels:
            values[channel] += Fraction(leads, len(channels))
    return dict(sorted(values.items()))
