"""What is still to come: limits that are known without a computer."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trueline.statistics.outlook import (
    Outlook,
    further_customers,
    further_revenue,
    shrunken_factor,
    shrunken_worth,
    spread_of,
)

NOTHING = Decimal(0)


def test_a_campaign_without_a_record_gets_what_the_account_promises() -> None:
    outlook = further_customers(NOTHING, NOTHING, Decimal(4), 10)
    assert outlook.expected == 4


def test_a_record_moves_the_promise_as_far_as_it_can_prove() -> None:
    # Ten customers where five were due, weight ten: (10 + 10) / (10 + 5).
    assert shrunken_factor(Decimal(10), Decimal(5), 10) == Decimal(20) / 15
    outlook = further_customers(Decimal(10), Decimal(5), Decimal(3), 10)
    assert float(outlook.expected) == pytest.approx(4)


def test_with_a_long_record_it_is_a_plain_poisson() -> None:
    # Mean 4: P(X <= 0) = 0.018, P(X <= 1) = 0.092, P(X <= 7) = 0.949, P(X <= 8) = 0.979.
    outlook = further_customers(Decimal(10**9), Decimal(10**9), Decimal(4), 10)
    assert (outlook.interval.low, outlook.interval.high) == (1, 8)


def test_a_single_customer_of_weight_one_is_geometric() -> None:
    # Shape 1 and due equal to the rate: P(X <= k) = 1 - 1/2^(k + 1), which passes 0.95 at 4.
    outlook = further_customers(NOTHING, NOTHING, Decimal(1), 1)
    assert (outlook.interval.low, outlook.interval.high) == (0, 4)


def test_nothing_due_is_nothing_expected() -> None:
    outlook = further_customers(Decimal(7), Decimal(7), NOTHING, 10)
    assert outlook.expected == outlook.interval.low == outlook.interval.high == 0
    assert further_revenue(outlook, Decimal(7), 10, Decimal(100), Decimal(5)).expected == 0


def test_revenue_is_customers_times_their_worth_and_less_certain_than_either() -> None:
    customers = further_customers(Decimal(50), Decimal(50), Decimal(20), 10)
    alike, unlike = (
        further_revenue(customers, Decimal(50), 10, Decimal(100), Decimal(spread))
        for spread in (0, 100)
    )
    assert alike.expected == unlike.expected == 2000
    assert _width(alike) < _width(unlike)
    assert customers.interval.high is not None
    assert _width(alike) == pytest.approx(
        100 * float(customers.interval.high - customers.interval.low), rel=0.15
    )


def _width(outlook: Outlook) -> float:
    assert outlook.interval.high is not None
    return float(outlook.interval.high - outlook.interval.low)


def test_a_customers_worth_is_pulled_to_the_accounts() -> None:
    assert shrunken_worth(Decimal(9000), Decimal(10), Decimal(100), 10) == 500
    assert shrunken_worth(NOTHING, NOTHING, Decimal(100), 10) == 100


def test_the_spread_of_amounts_comes_from_two_sums() -> None:
    # 1, 2 and 6: mean 3, variance (4 + 1 + 9) / 3.
    assert float(spread_of(Decimal(9), Decimal(41), Decimal(3))) == pytest.approx((14 / 3) ** 0.5)
    assert spread_of(NOTHING, NOTHING, NOTHING) == 0
