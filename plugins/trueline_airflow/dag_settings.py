"""What the DAG files share: the profile, default arguments, the writers' pool, window params."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import (
    CronPartitionTimetable,
    CronTriggerTimetable,
    Param,
    PartitionedAtRuntime,
)

from trueline.errors import ConfigurationError
from trueline.settings.profile import Profile, load_profile
from trueline_airflow.retry import FamilyRetryPolicy
from trueline_airflow.window import KEY_FORMAT

if TYPE_CHECKING:
    from airflow.sdk.bases.timetable import BaseTimetable

OWNER = "marketing-data"
START_DATE = pendulum.datetime(2026, 1, 1, tz="UTC")
#: Everything that opens the warehouse shares this pool: one slot on DuckDB, which has one writer
#: process, more on BigQuery. Pools cannot be declared in DAG code: `airflow pools set`.
WAREHOUSE_POOL = "trueline_warehouse"
CLOCK_VARIABLE = "TRUELINE_CLOCK"


def profile_for_dags() -> Profile:
    """The profile; raises at parse time, so that a broken one shows as a DAG import error."""
    profile = load_profile()
    if not profile.sources:
        raise ConfigurationError(
            "The profile has no sources, so there is nothing to ingest or build.",
            where=str(profile.path),
            fix="Add at least one source under `sources:`.",
        )
    return profile


def default_args() -> dict[str, Any]:
    """Arguments of every task; a DAG states where it differs."""
    return {
        "owner": OWNER,
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_policy": FamilyRetryPolicy(),
        "execution_timeout": timedelta(hours=1),
    }


def daily_schedule(profile: Profile) -> BaseTimetable:
    """Every day by the profile's cron, for the day before, with that day as partition key.

    ``TRUELINE_CLOCK=off`` leaves the starts to people. The demo needs that: its world ends on a
    day while the clock goes on. Without it, unpausing alone starts a run: catchup or not, Airflow
    makes up for the last missed tick.
    """
    if not _clock_is_on():
        return PartitionedAtRuntime()
    return CronPartitionTimetable(
        profile.schedule.cron, timezone=profile.time_zone, run_offset=-1, key_format=KEY_FORMAT
    )


def upload_schedule(profile: Profile) -> BaseTimetable | None:
    """By the clock, never by assets: a backfill restarts everything that assets start."""
    if not _clock_is_on():
        return None
    return CronTriggerTimetable(profile.schedule.upload_cron, timezone=profile.time_zone)


def upload_run_types() -> list[str]:
    """Without backfill. Airflow wants ``scheduled`` in it exactly when there is a schedule."""
    return ["manual", "scheduled"] if _clock_is_on() else ["manual"]


def _clock_is_on() -> bool:
    clock = os.environ.get(CLOCK_VARIABLE, "on")
    if clock not in ("on", "off"):
        raise ConfigurationError(
            f"{CLOCK_VARIABLE} is {clock!r}.", fix="Set it to on or off, or leave it away."
        )
    return clock == "on"


def window_params() -> dict[str, Param]:
    """The form of a manual run over a range of days; empty for a run by partition key."""
    return {
        "window_start": _day("First day of the window, in the profile's reporting time zone."),
        "window_end": _day("Last day of the window (inclusive)."),
    }


def as_of_param() -> dict[str, Param]:
    """The moment that a build pretends to be now."""
    return {
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="As of",
            description="Pretend it is this moment (RFC 3339 with offset). Empty: now. A published "
            "as_of never goes back.",
        )
    }


def mode_param() -> dict[str, Param]:
    """How much a build computes."""
    return {
        "mode": Param(
            "auto",
            type="string",
            enum=["auto", "incremental", "full"],
            title="Mode",
            description="incremental computes what changed, full everything, auto what is quicker. "
            "The figures are the same.",
        )
    }


def _day(description: str) -> Param:
    return Param(
        None,
        type=["null", "string"],
        format="date",
        description=f"{description} Leave both empty when you give a partition key.",
    )
