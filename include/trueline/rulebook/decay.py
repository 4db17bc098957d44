"""Powers of one half as whole numbers, for the time decay of touches.

A touch that is x half-lives older than the lead's newest weighs 2^-x. The power function of the
two engines may differ in its last digit, and so decide a unit differently. So x is written with
three digits (whole half-lives, 128ths, 16384ths), the weight is the product of their three
factors, and what is left of x is so small that a straight line is exact enough: integers alone,
the same everywhere, and within a hundred-millionth of the newest touch's weight of the true value.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache

BASE = 128
# As old or older is the least there is: below one unit, a millionth of the newest touch's weight.
OLDEST = 21
ONE = 2**31


@cache
def _factors() -> tuple[tuple[int, int, int], ...]:
    """(digit, step, factor) where digit 0 counts half-lives, 1 their 128ths, 2 their 16384ths."""
    with localcontext(prec=40):
        return tuple(
            (digit, step, round(ONE * Decimal(2) ** (-Decimal(step) / BASE**digit)))
            for digit in range(3)
            for step in range(BASE if digit else OLDEST + 1)
        )


def decay_factors() -> list[dict[str, int]]:
    """Rows of ``rules.decay_factors``, without their rules_version."""
    return [{"digit": digit, "step": step, "factor": factor} for digit, step, factor in _factors()]
