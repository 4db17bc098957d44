"""Customers and revenue still to come of leads that are in already.

The account's curves say what leads like these bring; a campaign's own record shifts that by as much
as it can prove (gamma–Poisson shrinkage). With ``m`` the campaign's factor on the account's rate,
``m ~ Gamma(w, w)`` beforehand (mean 1, worth ``w`` customers). After ``k`` customers where the
account's rate had promised ``x``: ``m ~ Gamma(w + k, w + x)``. What is still to come is Poisson
with mean ``m·e``, where ``e`` is what the account's rate promises; averaged over ``m`` that is a
negative binomial, whose 5% and 95% quantiles are the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import sqrt

from trueline.statistics.intervals import TAIL, Interval, to_numeric


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected, and its 90% interval."""

    expected: Decimal
    interval: Interval


def shrunken_factor(seen: Decimal, promised: Decimal, weight: int) -> Decimal:
    """How a campaign does beside the account, after ``seen`` where ``promised`` were due."""
    return (weight + seen) / (weight + promised)


def further_customers(seen: Decimal, promised: Decimal, due: Decimal, weight: int) -> Outlook:
    """Customers still to come.

    Args:
        seen: Customers of the campaign so far.
        promised: Customers it should have by now at the account's rate.
        due: Customers still to come at the account's rate.
        weight: What the account's rate counts for, in customers.
    """
    if not due:
        nothing = Decimal(0)
        return Outlook(nothing, Interval(nothing, nothing))
    shape, rate = float(weight + seen), float(weight + promised)
    chance = rate / (rate + float(due))
    low, high = (_negative_binomial(q, shape, chance) for q in (TAIL, 1 - TAIL))
    expected = float(due) * shape / rate
    return Outlook(to_numeric(expected), Interval(Decimal(low), Decimal(high)))


def further_revenue(
    customers: Outlook, seen: Decimal, weight: int, mean: Decimal, spread: Decimal
) -> Outlook:
    """Revenue of the customers still to come.

    Their number and their worth are both uncertain; the sum is taken as gamma distributed with the
    mean and the variance that follow from both.

    Args:
        customers: What ``further_customers`` made of ``seen`` and ``weight``.
        mean: Won amount of a customer.
        spread: Standard deviation of it.
    """
    from scipy.special import gammaincinv

    count, worth = float(customers.expected), float(mean)
    if not count or not worth:
        nothing = Decimal(0)
        return Outlook(nothing, Interval(nothing, nothing))
    shape = float(weight + seen)
    variance = count * float(spread) ** 2 + (count + count**2 / shape) * worth**2
    gamma_shape = (count * worth) ** 2 / variance
    scale = variance / (count * worth)
    low, high = (float(gammaincinv(gamma_shape, q)) * scale for q in (TAIL, 1 - TAIL))
    return Outlook(to_numeric(count * worth), Interval(to_numeric(low), to_numeric(high)))


def shrunken_worth(
    amount: Decimal, customers: Decimal, account_mean: Decimal, weight: int
) -> Decimal:
    """A customer's won amount: the campaign's own mean, pulled to the account's."""
    return (amount + weight * account_mean) / (customers + weight)


def spread_of(amount: Decimal, squared: Decimal, customers: Decimal) -> Decimal:
    """Standard deviation of an amount per customer, from the sums of amounts and of squares."""
    if not customers:
        return Decimal(0)
    mean = float(amount / customers)
    return to_numeric(sqrt(max(float(squared / customers) - mean**2, 0.0)))


def _negative_binomial(quantile: float, shape: float, chance: float) -> int:
    """The smallest whole number that at least ``quantile`` of the distribution does not exceed."""
    from scipy.special import betainc

    def reached(count: int) -> bool:
        return bool(betainc(shape, count + 1, chance) >= quantile)

    high = 1
    while not reached(high):
        high *= 2
    low = -1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
