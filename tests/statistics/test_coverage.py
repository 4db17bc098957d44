"""Intervals cover what they promise, in simulated repetitions with a known truth."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest

from trueline.statistics.intervals import (
    Interval,
    count_interval,
    ratio_interval,
    share_interval,
)
from trueline.statistics.outlook import further_customers

PROMISED = 0.90
REPETITIONS = 4000
# Three standard deviations of a share of 0.9 in that many repetitions.
SLACK = 3 * (PROMISED * (1 - PROMISED) / REPETITIONS) ** 0.5
pytestmark = pytest.mark.soak


def _covered(interval: Interval | None, truth: float) -> bool:
    # Where nothing can be said, nothing wrong is said.
    return interval is None or (
        float(interval.low) <= truth and (interval.high is None or truth <= float(interval.high))
    )


def _share(truth: float, draw: Callable[[], Interval | None]) -> float:
    return sum(_covered(draw(), truth) for _ in range(REPETITIONS)) / REPETITIONS


@pytest.mark.parametrize("mean", [0.4, 2.0, 9.0, 60.0, 400.0])
def test_counts(mean: float) -> None:
    dice = np.random.default_rng(1)
    covered = _share(mean, lambda: count_interval(Decimal(int(dice.poisson(mean)))))
    assert covered >= PROMISED - SLACK


@pytest.mark.parametrize("leads", [3, 40, 500])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_shares(leads: int, share: float) -> None:
    dice = np.random.default_rng(2)
    covered = _share(
        share, lambda: share_interval(Decimal(int(dice.binomial(leads, share))), Decimal(leads))
    )
    assert covered >= PROMISED - SLACK


@pytest.mark.parametrize(("real", "claimed"), [(3.0, 4.0), (60.0, 50.0), (300.0, 2000.0)])
def test_ratios(real: float, claimed: float) -> None:
    dice = np.random.default_rng(3)
    covered = _share(
        real / claimed,
        lambda: ratio_interval(
            Decimal(int(dice.poisson(real))), Decimal(int(dice.poisson(claimed)))
        ),
    )
    assert covered >= PROMISED - SLACK


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_shares_of_leads_that_several_campaigns_share(share: float) -> None:
    """Credits of a quarter to a whole: the sum of credits stands for the number of leads."""
    dice = np.random.default_rng(4)
    credits = dice.choice([0.25, 0.5, 1.0], size=60)

    def draw() -> Interval | None:
        qualified = credits[dice.random(60) < share].sum()
        return share_interval(Decimal(str(qualified)), Decimal(str(credits.sum())))

    assert _share(share, draw) >= PROMISED - SLACK


@pytest.mark.parametrize(("promised", "due"), [(0.5, 1.0), (8.0, 4.0), (40.0, 25.0)])
def test_customers_to_come(promised: float, due: float) -> None:
    """Campaigns differ as the prior says; what comes lies in the interval nine times in ten."""
    dice, weight, covered = np.random.default_rng(5), 10, 0
    for _ in range(REPETITIONS):
        factor = dice.gamma(weight, 1 / weight)
        outlook = further_customers(
            Decimal(int(dice.poisson(factor * promised))),
            Decimal(str(promised)),
            Decimal(str(due)),
            weight,
        )
        covered += _covered(outlook.interval, float(dice.poisson(factor * due)))
    assert covered / REPETITIONS >= PROMISED - SLACK
