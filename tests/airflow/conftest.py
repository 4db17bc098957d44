"""Airflow with a home of its own, set before anything imports it.

This folder must never hold an ``__init__.py``: it shares its name with the package under test.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

for variable in [name for name in os.environ if name.startswith(("AIRFLOW", "TRUELINE_"))]:
    del os.environ[variable]
AIRFLOW_HOME = tempfile.mkdtemp(prefix="trueline-test-airflow-")
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=AIRFLOW_HOME,
    AIRFLOW__CORE__DAGS_FOLDER=str(REPOSITORY / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(REPOSITORY / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
)
for folder in ("include", "plugins"):
    sys.path.insert(0, str(REPOSITORY / folder))


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY
