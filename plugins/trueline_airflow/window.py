"""Which reporting days a run is about: the only place that answers it.

Partitioned and asset-triggered runs have no logical date, so ``{{ ds }}`` and its relatives do not
exist in them. Nothing here reads the clock or guesses "yesterday": a run says its days, or fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trueline.errors import ConfigurationError
from trueline.windows import Window, parse_day

KEY_FORMAT = "%Y-%m-%d"
_HOW_TO_SAY_IT = (
    "Trigger it again with a partition key (YYYY-MM-DD) for one day, or with the params "
    "window_start and window_end for a range."
)


def window_from_context(context: Mapping[str, Any], *, time_zone: str, now: datetime) -> Window:
    """The window of the run that ``context`` belongs to.

    Args:
        context: Airflow's task context; ``dag_run`` and ``params`` are read.
        time_zone: The profile's reporting time zone.
        now: The present moment, to refuse days that are not over.

    Raises:
        ConfigurationError: the run names no days, names them twice, or names days that are not
            over; Airflow does not retry it.
    """
    params = context["params"]
    return window_of_run(
        context["dag_run"].partition_key,
        start=params.get("window_start"),
        end=params.get("window_end"),
        time_zone=time_zone,
        now=now,
    )


def window_of_run(
    partition_key: str | None,
    *,
    start: str | None,
    end: str | None,
    time_zone: str,
    now: datetime,
) -> Window:
    """The partition key's day, else the params' range; see :func:`window_from_context`."""
    if partition_key is not None and (start or end):
        raise ConfigurationError(
            f"This run has the partition key {partition_key!r} and also window params "
            f"({start or 'no start'} to {end or 'no end'}).",
            fix="Give one of the two. " + _HOW_TO_SAY_IT,
        )
    if partition_key is not None:
        window = _one_day(partition_key)
    elif start and end:
        window = Window(parse_day(start, what="window_start"), parse_day(end, what="window_end"))
    elif start or end:
        missing = "window_end" if start else "window_start"
        raise ConfigurationError(
            f"This run has no {missing}.", fix="Give both window_start and window_end."
        )
    else:
        raise ConfigurationError(
            "This run has neither a partition key nor window_start and window_end, so it does not "
            "know which days it is about.",
            fix=_HOW_TO_SAY_IT,
        )
    window.refuse_future(now, time_zone)
    return window


def _one_day(partition_key: str) -> Window:
    day = parse_day(partition_key, what="The partition key")
    # 20261120 and 2026-W47-5 are days too, but Airflow would count them as other partitions.
    if day.isoformat() != partition_key:
        raise ConfigurationError(
            f"The partition key is {partition_key!r}, but this day's key is {day.isoformat()!r}.",
            fix=f"Trigger it again with the partition key {day.isoformat()}.",
        )
    return Window(day, day)
