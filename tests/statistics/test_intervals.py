"""Intervals against published values, closed forms and the sums that define them."""

from __future__ import annotations

from decimal import Decimal
from math import comb, exp, lgamma, log

import pytest

from trueline.statistics.intervals import (
    Interval,
    cost_interval,
    count_interval,
    ratio_interval,
    share_interval,
)


def _near(value: Decimal | None, published: float) -> bool:
    return value is not None and float(value) == pytest.approx(published, rel=1e-4)


def test_a_count_of_25_has_the_published_interval() -> None:
    # GraphPad, "How QuickCalcs computes the confidence interval of a count": Garwood's, 90%.
    interval = count_interval(Decimal(25))
    assert round(interval.low, 2) == Decimal("17.38")
    assert interval.high is not None
    assert round(interval.high, 2) == Decimal("34.92")


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_at_its_bounds_a_count_is_as_unlikely_as_promised(count: int) -> None:
    interval = count_interval(Decimal(count))
    assert interval.high is not None
    assert 1 - _poisson_up_to(count - 1, float(interval.low)) == pytest.approx(0.05, abs=1e-7)
    assert _poisson_up_to(count, float(interval.high)) == pytest.approx(0.05, abs=1e-7)


def _poisson_up_to(count: int, mean: float) -> float:
    return sum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(count + 1))


def test_no_count_at_all_has_the_closed_form() -> None:
    interval = count_interval(Decimal(0))
    assert interval.low == 0
    assert _near(interval.high, -log(0.05))


@pytest.mark.parametrize("whole", [1, 10, 250])
def test_none_and_all_of_a_share_have_the_closed_form(whole: int) -> None:
    none = share_interval(Decimal(0), Decimal(whole))
    every = share_interval(Decimal(whole), Decimal(whole))
    assert none is not None
    assert every is not None
    assert none.low == 0
    assert _near(none.high, 1 - 0.05 ** (1 / whole))
    assert _near(every.low, 0.05 ** (1 / whole))
    assert every.high == 1


def test_a_share_of_three_in_ten_is_within_clopper_and_pearsons_bounds() -> None:
    # 3 of 10: P(X >= 3 | low) = P(X <= 3 | high) = 0.05, worked out from the binomial itself.
    interval = share_interval(Decimal(3), Decimal(10))
    assert interval is not None
    assert interval.high is not None
    low, high = float(interval.low), float(interval.high)
    at_least = sum(comb(10, k) * low**k * (1 - low) ** (10 - k) for k in range(3, 11))
    at_most = sum(comb(10, k) * high**k * (1 - high) ** (10 - k) for k in range(4))
    assert at_least == pytest.approx(0.05, abs=1e-7)
    assert at_most == pytest.approx(0.05, abs=1e-7)


def test_a_part_beyond_its_whole_is_no_share() -> None:
    assert share_interval(Decimal(3), Decimal(2)) is None
    assert share_interval(Decimal(0), Decimal(0)) is None


def test_a_ratio_may_exceed_one_and_turns_around() -> None:
    over, under = (
        ratio_interval(Decimal(353), Decimal(350)),
        ratio_interval(Decimal(350), Decimal(353)),
    )
    assert over is not None
    assert under is not None
    assert over.low < 1 < (over.high or 0)
    assert under.high is not None
    assert _near(1 / under.high, float(over.low))


def test_a_ratio_to_nothing_has_a_lower_bound_only() -> None:
    interval = ratio_interval(Decimal(4), Decimal(0))
    assert interval is not None
    assert interval.high is None
    # All of four, as odds.
    share = 0.05 ** (1 / 4)
    assert _near(interval.low, share / (1 - share))
    assert ratio_interval(Decimal(0), Decimal(0)) is None
    assert ratio_interval(Decimal(3), Decimal(-1)) is None


def test_a_cost_without_a_single_unit_has_a_lower_bound_only() -> None:
    interval = cost_interval(Decimal(1000), Decimal(0))
    assert interval is not None
    assert _near(interval.low, 1000 / 2.9957)
    assert interval.high is None


@pytest.mark.parametrize("amount", [None, Decimal(0), Decimal(-5)])
def test_no_spend_no_cost(amount: Decimal | None) -> None:
    assert cost_interval(amount, Decimal(3)) is None


def test_half_a_lead_is_less_than_one_and_more_than_none() -> None:
    none, half, one = (count_interval(Decimal(count)).high for count in ("0", "0.5", "1"))
    assert none is not None
    assert half is not None
    assert one is not None
    assert none < half < one


def test_intervals_that_touch_are_not_apart() -> None:
    low, high = Interval(Decimal(1), Decimal(2)), Interval(Decimal(2), None)
    assert not low.is_below(high)
    assert low.is_below(Interval(Decimal("2.01"), None))
    assert not high.is_below(Interval(Decimal(5), Decimal(6)))
    assert Interval(Decimal("2.01"), None).is_above(low)
