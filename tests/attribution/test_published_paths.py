"""Nine paths of another attribution package's own tests, with the totals that it gives."""

from __future__ import annotations

import json
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.attribution.own_leads import Credits, by
from trueline.attribution.fit import credited, weights_of
from trueline.attribution.markov import removal_effects
from trueline.paths import home

FOLDER = Path(os.environ.get("ATTRIBUTION_DIR") or home() / "data" / "attribution")
FILE = FOLDER / "dp6_paths.json"

pytestmark = pytest.mark.skipif(
    not FILE.exists(), reason=f"{FILE.name} is not in {FOLDER.name}/: set ATTRIBUTION_DIR"
)
# The package's own direct channel is called A.
CHANNELS = {"A": "direct", "B": "email", "C": "google_ads"}
NAMES = {channel: name for name, channel in CHANNELS.items()}
MODELS = {
    "first": "first_touch",
    "last": "last_touch",
    "last_non_A": "last_non_direct",
    "linear": "linear",
    "position_40_20_40_(2=50/50)": "position_based",
}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"), parse_float=Decimal)
    return found


def _paths(told: dict[str, Any]) -> list[tuple[str, ...]]:
    return [tuple(CHANNELS[name] for name in path.split(" > ")) for path in told["paths"]]


@pytest.mark.parametrize("name", MODELS)
def test_the_totals_are_the_same(credits_of: Credits, told: dict[str, Any], name: str) -> None:
    totals = credits_of.totals([by(*path) for path in _paths(told)], MODELS[name])
    worth = {
        NAMES[channel]: total * told["conversion_value_each"] for channel, total in totals.items()
    }
    assert set(told["totals_value"]) == set(MODELS)
    assert {key: value.quantize(Decimal("1e-7")) for key, value in worth.items()} == {
        key: Decimal(value) for key, value in told["totals_value"][name].items()
    }


def test_the_removal_effects_are_the_same(told: dict[str, Any]) -> None:
    effects = removal_effects(Counter(_paths(told)))
    for channel, effect in effects.items():
        assert float(effect) == pytest.approx(
            float(told["removal_effects"][NAMES[channel]]), abs=1e-15
        )


@pytest.mark.parametrize(
    ("model", "key", "digits"),
    [
        ("markov", "markov_exact_mine", 12),
        ("markov", "markov_peer", 6),
        ("shapley", "shapley_peer", 12),
    ],
)
def test_the_fitted_totals_are_the_same(
    told: dict[str, Any], model: str, key: str, digits: int
) -> None:
    paths = Counter(_paths(told))
    worth = sum(paths.values()) * told["conversion_value_each"]
    totals = credited(weights_of(model, paths), worth)
    assert {NAMES[channel]: float(total) for channel, total in totals.items()} == pytest.approx(
        {name: float(value) for name, value in told[key].items()}, abs=10**-digits
    )
