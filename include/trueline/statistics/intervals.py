"""90% intervals of rates and costs, exact in the sense that they cover at least what they promise.

Counts are sums of credits and may be fractional. A sum of credits never varies more than as many
whole leads would (the square of a credit is at most the credit), so the sum itself is taken as the
number of leads: with shared leads the intervals are a little too wide, never too narrow.

Shares: Clopper and Pearson (1934), quantiles of the beta distribution. Counts: Garwood (1936),
quantiles of the gamma distribution. The ratio of two independent counts: the share of the first in
their sum is binomial (Przyborowski and Wilenski, 1940), so its Clopper–Pearson interval, as odds,
is one of the ratio, which may exceed 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

#: Each side of a 90% interval.
TAIL = 0.05
_STEP = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``low`` to ``high``, both possible; ``high`` None where nothing bounds it."""

    low: Decimal
    high: Decimal | None

    def is_below(self, other: Interval) -> bool:
        """Whether all of it lies below all of ``other``."""
        return self.high is not None and self.high < other.low

    def is_above(self, other: Interval) -> bool:
        return other.is_below(self)


def count_interval(count: Decimal) -> Interval:
    """Of the mean behind a Poisson count (Garwood)."""
    low, high = _garwood(float(count))
    return Interval(to_numeric(low), to_numeric(high))


def share_interval(part: Decimal, whole: Decimal) -> Interval | None:
    """Of a share whose ``part`` is counted out of ``whole`` (Clopper–Pearson).

    Returns:
        None where ``whole`` is 0 or ``part`` is not a part of it.
    """
    if not 0 <= part <= whole or not whole:
        return None
    low, high = _clopper_pearson(float(part), float(whole))
    return Interval(to_numeric(low), to_numeric(high))


def ratio_interval(count: Decimal, base: Decimal) -> Interval | None:
    """Of the ratio of two counts, neither a part of the other (conditional binomial).

    Returns:
        None where both are 0, or one is negative: platforms take more back than they claim.
    """
    if count < 0 or base < 0 or not count + base:
        return None
    low, high = _clopper_pearson(float(count), float(count + base))
    return Interval(
        to_numeric(low / (1 - low)), to_numeric(high / (1 - high)) if high < 1 else None
    )


def cost_interval(amount: Decimal | None, count: Decimal) -> Interval | None:
    """Of the cost per unit, the amount being certain and the count Poisson.

    Returns:
        None where the amount is unknown or not positive, or the count negative.
    """
    if amount is None or amount <= 0 or count < 0:
        return None
    low, high = _garwood(float(count))
    return Interval(
        to_numeric(float(amount) / high), to_numeric(float(amount) / low) if low else None
    )


def _garwood(count: float) -> tuple[float, float]:
    from scipy.special import gammaincinv

    low = float(gammaincinv(count, TAIL)) if count else 0.0
    return low, float(gammaincinv(count + 1, 1 - TAIL))


def _clopper_pearson(part: float, whole: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    # A share below one lead is no binomial any more, but the same quantiles still bound it.
    low = float(betaincinv(part, whole - part + 1, TAIL)) if part else 0.0
    high = float(betaincinv(part + 1, whole - part, 1 - TAIL)) if part < whole else 1.0
    return low, high


def _bound(value: float | None) -> Decimal | None:
    return None if value is None else to_numeric(value)


def to_numeric(value: float) -> Decimal:
    """Nine decimals, like every NUMERIC: the last digits of two releases of a library differ."""
    return Decimal(f"{value:.12g}").quantize(_STEP, ROUND_HALF_UP)
