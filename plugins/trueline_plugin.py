"""What trueline registers with Airflow."""

from __future__ import annotations

from types import ModuleType
from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin
from trueline_airflow import preload


class TruelinePlugin(AirflowPlugin):
    """Registers the listener that loads heavy libraries before the scheduler forks its workers."""

    name = "trueline"
    listeners: ClassVar[list[ModuleType | object]] = [preload]
