"""Airflow with a home of its own: imported by conftest files before anything imports Airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile

from trueline.paths import home

for variable in [name for name in os.environ if name.startswith(("AIRFLOW", "TRUELINE_"))]:
    del os.environ[variable]
AIRFLOW_HOME = tempfile.mkdtemp(prefix="trueline-test-airflow-")
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=AIRFLOW_HOME,
    AIRFLOW__CORE__DAGS_FOLDER=str(home() / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(home() / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
)
for folder in ("include", "plugins"):
    sys.path.insert(0, str(home() / folder))
