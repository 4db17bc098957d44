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

PRELOAD_VARIABLE = "TRUELINE_PRELOAD"
HEAVY_MODULES = ("great_expectations", "dlt", "duckdb", "pandas", "trueline.pipeline")
log = logging.getLogger(__name__)


@hookimpl
def on_starting(component: Any) -> None:
    """Airflow calls this as a component starts, before LocalExecutor forks its workers."""
    # Taken out, so that the processes forked from here do not come here again.
    if os.environ.pop(PRELOAD_VARIABLE, None) != "1":
        return
    started = time.monotonic()
    for module in HEAVY_MODULES:
        importlib.import_module(module)
    log.info("loaded %s in %.1f s", ", ".join(HEAVY_MODULES), time.monotonic() - started)
