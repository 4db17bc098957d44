"""Build every computed table in one transaction: readers never see half a run.

The interface is already that of an incremental run (``as_of``, ``rules_version``, the loads not yet
consumed, a window that only adds days). At this size the run rebuilds everything, which is the
result that any incremental run has to equal.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trueline import __version__
from trueline.errors import ConfigurationError, PermanentError
from trueline.model.catalog import Table, build_order, load_catalog
from trueline.model.parameters import HISTORY_START
from trueline.pipeline.keys import ProfileKeys
from trueline.rulebook import Rulebook, load_rulebook
from trueline.settings.profile import Profile
from trueline.warehouse import Transaction, Warehouse, open_warehouse, statements
from trueline.windows import Window, utc_now

log = logging.getLogger(__name__)
# Labels travel at least one link a round; a real chain of records is far shorter than this.
_MAX_ROUNDS = 200
# Clocks of two machines differ a little.
_CLOCK_SLACK = timedelta(minutes=5)
_CLICK_IDS = {
    "google_data_manager": ("gclid", "gbraid", "wbraid"),
    "meta_conversions": ("fbclid",),
}


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What one build made."""

    run_id: str
    rules_version: str
    as_of: datetime
    new_loads: int
    row_counts: Mapping[str, int]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "rules_version": self.rules_version,
            "as_of": self.as_of.isoformat(),
            "new_loads": self.new_loads,
            "rows": dict(self.row_counts),
            "seconds": round(self.seconds, 2),
        }


def build(
    profile: Profile,
    window: Window | None = None,
    *,
    as_of: datetime | None = None,
    run_label: str = "",
    client: Any = None,
    progress: Callable[[str], None] | None = None,
) -> BuildSummary:
    """Compute all tables from stored raw.

    Args:
        window: Days the caller wants replaced; days touched by new loads are added by themselves.
        as_of: The moment to pretend to be now (aware); the clock by default.
        progress: Told the name of each table when it is done.

    Raises:
        ConfigurationError: the window lies in the future, ``as_of`` is naive or older than the
            newest build, or the rulebook is wrong.
    """
    started = time.monotonic()
    now = utc_now()
    if window:
        window.refuse_future(now, profile.time_zone)
    if as_of is not None:
        _refuse_a_moment_to_come(as_of, now)
    rulebook = load_rulebook(profile.rulebook, profile.time_zone)
    catalog = load_catalog()
    order = build_order(catalog)
    run_id = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    row_counts: dict[str, int] = {}
    purpose = f"build {run_label or run_id}"
    with open_warehouse(profile, purpose=purpose, client=client) as warehouse:
        # The clock is read again: this run may have waited while others loaded.
        as_of = as_of or utc_now()
        warehouse.ensure_tables(catalog.values())
        _refuse_going_back(warehouse, as_of)
        _refuse_before_the_first_load(warehouse, as_of)
        parameters = run_parameters(profile, rulebook, as_of)
        labels = {"task": "build", "run": run_id, "rules_version": rulebook.version}
        with warehouse.transaction(labels=labels) as transaction:
            write_rules(transaction, profile, rulebook)
            for table in order:
                row_counts[table.key] = rebuild_table(transaction, table, parameters)
                if progress:
                    progress(table.key)
            new_loads = _record_run(
                transaction,
                run_id,
                run_label,
                rulebook,
                as_of,
                window,
                row_counts,
                time.monotonic() - started,
            )
    summary = BuildSummary(
        run_id, rulebook.version, as_of, new_loads, row_counts, time.monotonic() - started
    )
    log.info(
        "built %d tables from %d new loads in %.1f s (rules %s, as of %s)",
        len(row_counts),
        new_loads,
        summary.seconds,
        rulebook.version,
        as_of.isoformat(),
    )
    return summary


def run_parameters(profile: Profile, rulebook: Rulebook, as_of: datetime) -> dict[str, Any]:
    """Every value that queries of a run may ask for."""
    return {
        **rulebook.parameters(as_of),
        "history_start": HISTORY_START,
        "reporting_currency": profile.currency,
    }


def rebuild_table(transaction: Transaction, table: Table, parameters: Mapping[str, Any]) -> int:
    """Replace all rows of one table by what its query says; returns their number."""
    transaction.execute(statements.delete_all(table))
    transaction.execute(statements.insert_query(table), parameters)
    if table.repeat_until_stable:
        _repeat_until_stable(transaction, table, parameters)
    return int(transaction.query(statements.count_rows(table))[0]["n"])


def _repeat_until_stable(
    transaction: Transaction, table: Table, parameters: Mapping[str, Any]
) -> None:
    """Run a query that reads its own last result until it returns the same rows."""
    for _ in range(_MAX_ROUNDS):
        transaction.execute(statements.keep_round(table), parameters)
        changed = transaction.query(statements.count_changes(table))[0]["n"]
        transaction.execute(statements.delete_all(table))
        transaction.execute(statements.insert_round(table))
        transaction.execute(statements.drop_round(table))
        if not changed:
            return
    raise PermanentError(
        f"{table.key} still changes after {_MAX_ROUNDS} rounds.",
        fix="Look for a chain of links that long; lower max_fan_out, or mend the query.",
    )


def write_rules(transaction: Transaction, profile: Profile, rulebook: Rulebook) -> None:
    """Write the rule tables of this version; other versions stay beside it."""
    catalog = load_catalog()
    keys = ProfileKeys(profile)
    rows = {
        **rulebook.tables(keys.domain, keys.ip),
        "destinations": [
            {"destination": name, "destination_type": destination.type}
            for name, destination in profile.destinations.items()
        ],
        "destination_click_ids": [
            {"destination_type": kind, "click_id_type": click_id}
            for kind, click_ids in _CLICK_IDS.items()
            for click_id in click_ids
        ],
    }
    for name, values in rows.items():
        table = catalog[f"rules.{name}"]
        transaction.execute(
            statements.delete_rules_version(table), {"rules_version": rulebook.version}
        )
        transaction.insert(
            table, [{"rules_version": rulebook.version, **value} for value in values]
        )


def _refuse_a_moment_to_come(as_of: datetime, now: datetime) -> None:
    if as_of.tzinfo is None:
        raise ConfigurationError(
            "as_of has no time zone.", fix="Give it like 2026-11-20T06:00:00+00:00."
        )
    if as_of > now + _CLOCK_SLACK:
        raise ConfigurationError(
            f"as_of {as_of.isoformat()} lies in the future: every later build would be refused "
            "until then.",
            fix="Give a moment that has passed, or none.",
        )


def _refuse_before_the_first_load(warehouse: Warehouse, as_of: datetime) -> None:
    first = warehouse.query("select min(loaded_at) as loaded_at from raw.loads")[0]["loaded_at"]
    if first is not None and as_of < first:
        raise ConfigurationError(
            f"as_of {as_of.isoformat()} lies before the first load ({first.isoformat()}): nothing "
            "was known then.",
            fix="as_of is the moment the data was known, not the day it speaks of: give a later "
            "one, or none.",
        )


def _refuse_going_back(warehouse: Warehouse, as_of: datetime) -> None:
    newest = warehouse.query("select max(as_of) as as_of from ops.runs")[0]["as_of"]
    if newest is not None and as_of < newest:
        raise ConfigurationError(
            f"as_of {as_of.isoformat()} lies before the newest build's {newest.isoformat()}: "
            "readers would be taken back in time.",
            fix="Give a later as_of, or build the past in a warehouse folder of its own.",
        )


def _record_run(
    transaction: Transaction,
    run_id: str,
    run_label: str,
    rulebook: Rulebook,
    as_of: datetime,
    window: Window | None,
    row_counts: Mapping[str, int],
    seconds: float,
) -> int:
    catalog = load_catalog()
    built_at = utc_now()
    new_loads = transaction.query(
        """
        select load_id from raw.loads
        where status = 'loaded' and loaded_at <= @as_of
            and load_id not in (select load_id from ops.run_loads)
        order by load_id
        """,
        {"as_of": as_of},
    )
    transaction.insert(
        catalog["ops.runs"],
        [
            {
                "run_id": run_id,
                "run_label": run_label or None,
                "rules_version": rulebook.version,
                "as_of": as_of,
                "window_start": window.start if window else None,
                "window_end": window.end if window else None,
                "built_at": built_at,
                "seconds": seconds,
                "trueline_version": __version__,
            }
        ],
    )
    transaction.insert(
        catalog["ops.run_loads"],
        [{"run_id": run_id, "load_id": row["load_id"]} for row in new_loads],
    )
    transaction.insert(
        catalog["ops.run_tables"],
        [
            {"run_id": run_id, "table_name": name, "row_count": count}
            for name, count in row_counts.items()
        ],
    )
    known = transaction.query(
        "select count(*) as n from ops.rulebooks where rules_version = @rules_version",
        {"rules_version": rulebook.version},
    )[0]["n"]
    if not known:
        transaction.insert(
            catalog["ops.rulebooks"],
            [
                {
                    "rules_version": rulebook.version,
                    "label": rulebook.label,
                    "content": rulebook.content(),
                    "first_used_at": built_at,
                }
            ],
        )
    return len(new_loads)
