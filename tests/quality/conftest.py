"""A good warehouse, made once, and copies of it to be spoiled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.quality.small_warehouse import build


@pytest.fixture(scope="session")
def good_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("good") / "warehouse.duckdb")


@pytest.fixture
def warehouse(good_warehouse: Path, tmp_path: Path) -> Path:
    """A good warehouse of the test's own."""
    return Path(shutil.copy(good_warehouse, tmp_path / "warehouse.duckdb"))
