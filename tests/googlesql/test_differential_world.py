"""Small worlds, built from raw to the last table by both engines, end in the same tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import IDENTITY_KEY
from tests.googlesql.differential_world import build_on_both
from trueline.model.catalog import build_order, load_catalog


@pytest.fixture(scope="module", autouse=True)
def _identity_key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_IDENTITY_KEY", IDENTITY_KEY)
        yield


@pytest.mark.parametrize("seed", [3, pytest.param(14, marks=pytest.mark.soak)])
def test_both_engines_build_the_same_world(seed: int, tmp_path: Path) -> None:
    built = build_on_both(tmp_path, seed=seed, days=6, size=0.05, nasty=30)
    assert built.differing == {}
    assert built.tables == len(build_order(load_catalog()))
    assert built.rows > 500


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 106))
def test_both_engines_build_the_same_larger_world(seed: int, tmp_path: Path) -> None:
    built = build_on_both(tmp_path, seed=seed, days=20, size=0.15, nasty=400)
    assert built.differing == {}
