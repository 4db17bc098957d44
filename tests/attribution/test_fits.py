"""Removal effects and Shapley values, against their definitions."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueline.attribution.fit import MAX_MARKOV_CHANNELS, credited, weights_of
from trueline.attribution.markov import removal_effects
from trueline.attribution.shapley import shapley_values
from trueline.errors import ConfigurationError

PATHS = st.dictionaries(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=6).map(tuple),
    st.integers(1, 9),
    min_size=1,
    max_size=8,
)


def test_the_channel_that_every_path_starts_with_is_indispensable() -> None:
    effects = removal_effects({("a",): 3, ("a", "b"): 2, ("a", "c", "b"): 1})
    assert effects["a"] == 1
    assert 0 < effects["c"] < effects["b"] < 1


def test_a_chain_on_paper() -> None:
    # Two leads by a alone, one by a then b: a leads to the lead in 2 of 3 steps, else to b.
    effects = removal_effects({("a",): 2, ("a", "b"): 1})
    assert effects == {"a": 1, "b": Fraction(1, 3)}
    assert credited(effects, 3) == {"a": Fraction(9, 4), "b": Fraction(3, 4)}


def test_a_chain_with_a_way_back_on_paper() -> None:
    # a → b, b → a, and from both out to a lead in 1 of 2 steps; the walk starts at a.
    effects = removal_effects({("a", "b", "a"): 1, ("a", "b"): 1})
    # From a: twice to b, once to a lead. From b: once to a, once to a lead.
    assert effects == {"a": 1, "b": Fraction(2, 3)}


def test_two_channels_in_the_same_places_are_worth_the_same() -> None:
    paths = {("a", "c"): 4, ("b", "c"): 4, ("a",): 1, ("b",): 1}
    for model in ("markov", "shapley"):
        weights = weights_of(model, paths)
        assert weights["a"] == weights["b"] != weights["c"]


@given(PATHS)
@settings(max_examples=60, deadline=None)
def test_coming_again_by_the_same_channel_changes_nothing(
    paths: dict[tuple[str, ...], int],
) -> None:
    again: Counter[tuple[str, ...]] = Counter()
    for path, leads in paths.items():
        again[(path[0], path[0], *path, path[-1])] += leads
    for model in ("markov", "shapley"):
        assert weights_of(model, again) == weights_of(model, paths)


@given(PATHS, st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_leads_does_not_matter(
    paths: dict[tuple[str, ...], int], dice: Random
) -> None:
    shuffled = list(paths.items())
    dice.shuffle(shuffled)
    for model in ("markov", "shapley"):
        assert weights_of(model, dict(shuffled)) == weights_of(model, paths)


@given(PATHS)
@settings(max_examples=60, deadline=None)
def test_removal_effects_are_what_walking_the_chain_gives(
    paths: dict[tuple[str, ...], int],
) -> None:
    for removed, effect in removal_effects(paths).items():
        assert float(effect) == pytest.approx(1 - _walked(paths, removed), abs=1e-9)


def _walked(paths: dict[tuple[str, ...], int], removed: str) -> float:
    """Chance to arrive, by following all walkers step by step until next to none is on the way."""
    steps: Counter[tuple[str, str]] = Counter()
    for path, leads in paths.items():
        for step in zip(("start", *path), (*path, "lead"), strict=True):
            steps[step] += leads
    out = Counter({"start": 0})
    for (origin, _), count in steps.items():
        out[origin] += count
    walkers, arrived = {"start": 1.0}, 0.0
    while sum(walkers.values()) > 1e-12:
        following: dict[str, float] = {}
        for (origin, target), count in steps.items():
            part = walkers.get(origin, 0.0) * count / out[origin]
            if target == "lead":
                arrived += part
            elif target != removed:
                following[target] = following.get(target, 0.0) + part
        walkers = following
    return arrived


@given(PATHS)
@settings(max_examples=60, deadline=None)
def test_shapley_values_are_what_their_definition_gives(paths: dict[tuple[str, ...], int]) -> None:
    channels = sorted({channel for path in paths for channel in path})
    orders = list(permutations(channels))
    values = dict.fromkeys(channels, Fraction())
    for order in orders:
        for place, channel in enumerate(order):
            gain = _won(paths, set(order[: place + 1])) - _won(paths, set(order[:place]))
            values[channel] += Fraction(gain, len(orders))
    assert shapley_values(paths) == values
    assert sum(values.values()) == sum(paths.values())


def _won(paths: dict[tuple[str, ...], int], channels: set[str]) -> int:
    return sum(leads for path, leads in paths.items() if set(path) <= channels)


def test_markov_refuses_more_channels_than_it_can_solve_and_shapley_does_not() -> None:
    paths = {(f"channel_{n}",): 1 for n in range(MAX_MARKOV_CHANNELS + 1)}
    with pytest.raises(ConfigurationError, match="at most 40"):
        weights_of("markov", paths)
    assert set(weights_of("shapley", paths).values()) == {Fraction(1, MAX_MARKOV_CHANNELS + 1)}
