"""Credits of the eight models, against the design's formula in fractions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attribution.own_leads import Credits, Touch, by
from trueline.rulebook.attribution import MODELS
from trueline.rulebook.decay import ONE, decay_factors

CHANNELS = ("google_ads", "meta_ads", "email", "organic_search", "direct")
NEWEST = datetime(2026, 11, 10, 12, tzinfo=UTC)
BILLION = 10**9


def _half_up(value: Fraction) -> int:
    return int((2 * value + 1) // 2)


def _by_the_formula(weights: Sequence[Fraction]) -> list[Decimal]:
    """Units of at most a million, credits as differences of rounded running sums."""
    heaviest = max(weights)
    units = [max(1, _half_up(10**6 * weight / heaviest)) if weight else 0 for weight in weights]
    credits, so_far = [], 0
    for each in units:
        before, so_far = so_far, so_far + each
        rounded = [_half_up(Fraction(x * BILLION, sum(units))) for x in (before, so_far)]
        credits.append(Decimal(rounded[1] - rounded[0]) / BILLION)
    return [credit for credit, each in zip(credits, units, strict=True) if each]


def _weights(
    channels: Sequence[str], model: str, first: int, last: int, fitted: dict[str, Fraction]
) -> list[Fraction]:
    count = len(channels)
    ones = [Fraction(1)] * count
    known = [place for place, channel in enumerate(channels) if channel != "direct"]
    taker = {
        "first_touch": 0,
        "last_touch": count - 1,
        "last_non_direct": known[-1] if known else count - 1,
    }
    if model in taker:
        return [Fraction(place == taker[model]) for place in range(count)]
    if model == "position_based" and count > 1:
        middle = [Fraction(100 - first - last, count - 2)] * (count - 2) if count > 2 else []
        return [Fraction(first), *middle, Fraction(last)]
    if model in ("markov", "shapley"):
        shared = [
            Fraction(_half_up(fitted.get(channel, Fraction()) * 10**12 / channels.count(channel)))
            for channel in channels
        ]
        return shared if any(shared) else ones
    return ones


@st.composite
def _rulebooks(draw: st.DrawFn) -> dict[str, Any]:
    first = draw(st.integers(0, 100))
    last = draw(st.integers(0 if first else 1, 100 - first))
    weight = st.integers(0, 10**12).map(lambda steps: Fraction(steps, 10**12))
    fitted = draw(st.dictionaries(st.sampled_from(CHANNELS), weight, max_size=len(CHANNELS)))
    model = draw(st.sampled_from([model for model in MODELS if model != "time_decay"]))
    return {"model": model, "first": first, "last": last, "fitted": fitted}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rules=_rulebooks(),
    leads=st.lists(
        st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=12), min_size=1, max_size=8
    ),
)
def test_any_lead_under_any_rules_is_split_exactly_as_designed(
    credits_of: Credits, rules: dict[str, Any], leads: list[list[str]]
) -> None:
    found = credits_of.of(
        [by(*channels) for channels in leads],
        rules["model"],
        weights=rules["fitted"],
        first_touch_percent=rules["first"],
        last_touch_percent=rules["last"],
    )
    for channels, credited in zip(leads, found, strict=True):
        credits = [credit for _, credit in credited]
        assert sum(credits) == 1
        assert min(credits) >= 0
        assert credits == _by_the_formula(_weights(channels, **rules))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    half_life=st.integers(864_000_000, 730 * 86_400_000_000),
    leads=st.lists(
        st.lists(st.integers(0, 730 * 86_400_000_000), min_size=1, max_size=12),
        min_size=1,
        max_size=8,
    ),
)
def test_time_decay_leaves_nothing_over_whatever_the_ages(
    credits_of: Credits, half_life: int, leads: list[list[int]]
) -> None:
    found = credits_of.of(
        [
            [Touch("email", NEWEST - timedelta(microseconds=age)) for age in sorted(ages)[::-1]]
            for ages in leads
        ],
        "time_decay",
        half_life_microseconds=half_life,
    )
    for ages, credited in zip(leads, found, strict=True):
        credits = [credit for _, credit in credited]
        assert len(credits) == len(ages)
        assert sum(credits) == 1
        # One step of rounding may lie between two touches of the same weight.
        assert all(newer - older >= -Decimal("1e-9") for older, newer in pairwise(credits))
        assert min(credits) >= 0


def test_time_decay_is_the_power_of_one_half_to_the_last_unit(credits_of: Credits) -> None:
    dice = random.Random(5)
    half_life = 7 * 86_400_000_000
    ages = [
        *(dice.randint(0, 90 * 86_400_000_000) for _ in range(700)),
        *(half_life * n for n in range(20)),
    ]
    found = credits_of.of(
        [
            [Touch("email", NEWEST - timedelta(microseconds=age)), Touch("direct", NEWEST)]
            for age in ages
        ],
        "time_decay",
        half_life_microseconds=half_life,
    )
    compared = 0
    for age, ((_, older), (_, newer)) in zip(ages, found, strict=True):
        with localcontext(prec=40):
            true = Decimal(10**6) * Decimal(2) ** (-Decimal(age) / half_life)
            wanted = max(1, int(true.quantize(Decimal(1), ROUND_HALF_UP)))
            if abs(true % 1 - Decimal("0.5")) < Decimal("0.005"):
                continue
        assert older == _by_the_formula([Fraction(wanted, 10**6), Fraction(1)])[0]
        assert older + newer == 1
        compared += 1
    assert compared > 680


def test_the_factors_are_powers_of_one_half() -> None:
    factors = {(row["digit"], row["step"]): row["factor"] for row in decay_factors()}
    assert factors[0, 0] == factors[1, 0] == factors[2, 0] == ONE
    assert factors[0, 1] * 2 == factors[0, 20] * 2**20 == ONE
    # Half of a half-life twice is a half-life.
    assert abs(factors[1, 64] ** 2 - ONE * factors[0, 1]) <= 2 * ONE
    assert abs(factors[2, 64] ** 2 - ONE * factors[1, 1]) <= 2 * ONE


@pytest.mark.parametrize("model", ["linear", "position_based", "time_decay", "markov"])
def test_a_lead_with_more_touches_than_one_multiplication_holds(
    credits_of: Credits, model: str
) -> None:
    # 2 * 4612 * 10^6 * 10^9 is past the end of INT64.
    touches = by(*(CHANNELS[n % 5] for n in range(9000)))
    credited = credits_of.of([touches], model, weights=dict.fromkeys(CHANNELS, Fraction(1, 2)))[0]
    credits = [credit for _, credit in credited]
    assert len(credits) == 9000
    assert sum(credits) == 1
    if model != "position_based":
        assert {credit.quantize(Decimal("1e-6")) for credit in credits} == {Decimal("0.000111")}


def test_without_touches_the_leads_own_origin_takes_all(credits_of: Credits) -> None:
    for model in MODELS:
        assert credits_of.of([[]], model) == [[("none of them", Decimal(1))]], model
