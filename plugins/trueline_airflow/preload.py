"""Loads the heavy libraries once per scheduler instead of once per task.

Great Expectations alone takes 7 to 10 seconds to import, and two tasks of every build need it.
LocalExecutor forks its workers, and they their tasks, from the scheduler process: what the
scheduler has imported before, every task has. Set ``TRUELINE_PRELOAD=1`` for the scheduler process
only (`make demo` and `make up` do); without it, or where workers are remote, each task imports
what it needs.
"""

from __future__ import annotations

import importlib
import logging
import os
import time
from typing import Any

from airflow.listeners import hookimpl

from trueline.settings.profile import load_profile

PRELOAD_VARIABLE = "TRUELINE_PRELOAD"
HEAVY_MODULES = ("great_expectations", "dlt", "pandas", "trueline.pipeline")
OF_THE_ENGINE = {
    "duckdb": ("duckdb",),
    "bigquery": (
        "airflow.providers.google.cloud.hooks.bigquery",
        "dlt.destinations.impl.bigquery.bigquery",
        "google.cloud.bigquery_storage",
        "sqlalchemy_bigquery",
    ),
}
log = logging.getLogger(__name__)


@hookimpl
def on_starting(component: Any) -> None:
    """Airflow calls this as a component starts, before LocalExecutor forks its workers."""
    # Taken out, so that the processes forked from here do not come here again.
    if os.environ.pop(PRELOAD_VARIABLE, None) != "1":
        return
    started = time.monotonic()
    modules = (*HEAVY_MODULES, *OF_THE_ENGINE[load_profile().warehouse.engine])
    for module in modules:
        importlib.import_module(module)
    log.info("loaded %s in %.1f s", ", ".join(modules), time.monotonic() - started)
