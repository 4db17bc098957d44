"""The gate that computes a few old days anew from raw and compares them with what is stored."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from trueline.model.catalog import build_order, load_catalog
from trueline.model.parameters import HISTORY_START
from trueline.pipeline.build import run_parameters
from trueline.pipeline.incremental import differences_of_days
from trueline.rulebook import load_rulebook
from trueline.settings.profile import Profile
from trueline.warehouse import Warehouse

# Younger days are computed anew by every build anyway.
_OLD_DAYS = 7
_HOW_MANY = 3


@dataclass(frozen=True, slots=True)
class Verified:
    """What was compared.

    Attributes:
        days: The days that were computed anew.
        differing: Table → rows that differ; empty where nothing has drifted.
    """

    days: tuple[date, ...]
    differing: dict[str, int]


class _NothingIsKept(Exception):  # noqa: N818 - it only ends the transaction
    pass


def verify_old_days(
    profile: Profile, warehouse: Warehouse, days: Iterable[date] | None = None
) -> Verified | None:
    """Compare some old days with raw; nothing is changed.

    Args:
        days: Which; by default three by chance, the same for the same build.

    Returns:
        None where there is nothing to compare: no build yet, the last one computed everything, or
        its rulebook is no longer the one at hand.
    """
    runs = warehouse.query(
        """
        select run_id, as_of, rules_version, mode
        from ops.runs
        where run_id in (select run_id from ops.run_tables)
        order by built_at desc
        limit 1
        """
    )
    rulebook = load_rulebook(profile.rulebook, profile.time_zone)
    if not runs or runs[0]["rules_version"] != rulebook.version:
        return None
    if days is None and runs[0]["mode"] != "incremental":
        return None
    as_of = runs[0]["as_of"]
    if days is None:
        newest = as_of.astimezone(ZoneInfo(profile.time_zone)).date() - timedelta(days=_OLD_DAYS)
        stored = warehouse.query(
            "select distinct report_date from marts.funnel_daily "
            "where report_date >= @history_start and report_date <= @newest",
            {"history_start": HISTORY_START, "newest": newest},
        )
        old = sorted(row["report_date"] for row in stored)
        days = random.Random(runs[0]["run_id"]).sample(old, min(_HOW_MANY, len(old)))
    chosen = sorted(days)
    differing: dict[str, int] = {}
    if chosen:
        catalog = load_catalog()
        try:
            with warehouse.transaction() as transaction:
                differing = differences_of_days(
                    transaction,
                    catalog,
                    build_order(catalog),
                    run_parameters(profile, rulebook, as_of),
                    chosen,
                )
                raise _NothingIsKept
        except _NothingIsKept:
            pass
    return Verified(tuple(chosen), differing)
