"""No ``__init__.py`` here, ever: the folder shares its name with the package under test."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.airflow_home  # noqa: F401 - before anything imports Airflow
from trueline.paths import home


@pytest.fixture(scope="session")
def repository() -> Path:
    return home()
