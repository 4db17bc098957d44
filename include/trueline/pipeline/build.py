"""Build every computed table in one transaction: readers never see half a run.

A build computes what the loads since the last one change (trueline.pipeline.incremental). It
computes everything where there is no last one, where the rulebook, a setting or a query is another,
and where that is quicker.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, TypedDict
from zoneinfo import ZoneInfo

from trueline import __version__
from trueline.errors import ConfigurationError
from trueline.judgement.rows import TABLE as JUDGEMENTS
from trueline.judgement.rows import write_judgements
from trueline.model.catalog import Table, build_order, load_catalog
from trueline.model.parameters import HISTORY_START
from trueline.pipeline.incremental import FullRebuildNeededError, run_incrementally
from trueline.pipeline.keys import ProfileKeys
from trueline.rulebook import Rulebook, load_rulebook
from trueline.settings.profile import Profile
from trueline.warehouse import (
    JobStillRunning,
    Transaction,
    Warehouse,
    Work,
    open_warehouse,
    statements,
)
from trueline.windows import Window, utc_now

log = logging.getLogger(__name__)
# Clocks of two machines differ a little.
_CLOCK_SLACK = timedelta(minutes=5)
# Beyond a year of changed days everything is computed: that is one pass, too.
MAX_AFFECTED_DAYS = 366
# With fewer rows in all tables it takes longer to find out what changed than to compute it all.
INCREMENTAL_FROM_ROWS = 1_000_000
# What may differ between two builds that one result can be compared with.
_MOMENTS = frozenset({"as_of", "as_of_date"})
_CLICK_IDS = {
    "google_data_manager": ("gclid", "gbraid", "wbraid"),
    "meta_conversions": ("fbclid",),
}


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What one build made.

    Attributes:
        full_because: Why everything was computed; None for an incremental build.
        days: Reporting days an incremental build computed anew.
    """

    run_id: str
    rules_version: str
    as_of: datetime
    new_loads: int
    row_counts: Mapping[str, int]
    seconds: float
    full_because: str | None = None
    days: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "rules_version": self.rules_version,
            "as_of": self.as_of.isoformat(),
            "new_loads": self.new_loads,
            "mode": "incremental" if self.full_because is None else "full",
            **({"full_because": self.full_because} if self.full_because else {}),
            **({"days": self.days} if self.days is not None else {}),
            "rows": dict(self.row_counts),
            "seconds": round(self.seconds, 2),
        }


Mode = Literal["auto", "full", "incremental"]


class _Record(TypedDict):
    """The columns of ``ops.runs`` that are known before the build."""

    run_id: str
    run_label: str | None
    rules_version: str
    as_of: datetime
    window_start: date | None
    window_end: date | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _LastBuild:
    """The build that an incremental one goes on from."""

    as_of: datetime
    row_counts: Mapping[str, int]


class BuildStillRunning(Exception):  # noqa: N818 - nothing went wrong: it takes longer
    """One of the build's jobs outlasts the caller's patience; call ``build`` again to go on.

    Call it with the ``run_id``, ``as_of`` and ``mode`` that are here.
    """

    def __init__(self, run_id: str, as_of: datetime, mode: Mode, job: JobStillRunning) -> None:
        self.run_id, self.as_of, self.mode, self.job = run_id, as_of, mode, job
        super().__init__(str(job))


def build(
    profile: Profile,
    window: Window | None = None,
    *,
    as_of: datetime | None = None,
    mode: Mode = "auto",
    run_label: str = "",
    run_id: str | None = None,
    patience_seconds: float | None = None,
    client: Any = None,
    progress: Callable[[str], None] | None = None,
) -> BuildSummary:
    """Compute all tables from stored raw.

    Args:
        window: Days the caller wants replaced; days touched by new loads are added by themselves.
        as_of: The moment to pretend to be now (aware); the clock by default.
        mode: ``full`` computes everything, ``incremental`` what changed wherever that is possible,
            ``auto`` what is quicker.
        run_id: Of a build that raised BuildStillRunning, to go on with it; give its ``as_of`` and
            ``mode`` too.
        patience_seconds: Give up waiting for one BigQuery job after this long.
        progress: Told the name of each table when it is done.

    Raises:
        ConfigurationError: the window lies in the future, ``as_of`` is naive or older than the
            newest build, the rulebook is wrong, or the build is over its budget.
        BuildStillRunning: patience is over; what was done is kept.
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
    goes_on = run_id is not None
    run_id = run_id or new_run_id(now)
    row_counts: dict[str, int] = {}
    work = Work(
        task="build",
        run_id=run_id,
        run_label=run_label,
        labels={"rules_version": rulebook.version},
        patience_seconds=patience_seconds,
    )
    with open_warehouse(profile, work, client=client) as warehouse:
        if goes_on and (done := _built_already(warehouse, run_id, started)):
            warehouse.forget_scratch()
            return done
        # The clock is read again: this run may have waited while others loaded.
        as_of = as_of or utc_now()
        warehouse.ensure_tables(catalog.values(), remake=True)
        _refuse_going_back(warehouse, as_of)
        _refuse_before_the_first_load(warehouse, as_of)
        parameters = run_parameters(profile, rulebook, as_of)
        fingerprint = _fingerprint(order, parameters, rule_rows(profile, rulebook))
        last = _last_build(warehouse, fingerprint)
        because = _why_full(mode, last)
        record = _Record(
            run_id=run_id,
            run_label=run_label or None,
            rules_version=rulebook.version,
            as_of=as_of,
            window_start=window.start if window else None,
            window_end=window.end if window else None,
            fingerprint=fingerprint,
        )
        days = None
        try:
            # Rules are told apart by their version: being there harms nobody if the build fails.
            with warehouse.transaction() as transaction:
                write_rules(transaction, profile, rulebook)
            if because is None:
                assert isinstance(last, _LastBuild)
                try:
                    with warehouse.transaction() as transaction:
                        changes = run_incrementally(
                            transaction,
                            catalog,
                            order,
                            parameters,
                            previous_as_of=last.as_of,
                            window=list(window.days()) if window else (),
                            max_affected_days=MAX_AFFECTED_DAYS,
                            progress=progress,
                        )
                        days = changes.days
                        row_counts = {
                            table.key: changes.growth.get(table.key, 0)
                            + (0 if table.rebuilt_by == "snapshot" else last.row_counts[table.key])
                            for table in order
                        }
                        row_counts[JUDGEMENTS] = write_judgements(
                            transaction, changes.reader, rulebook, as_of
                        )
                        new_loads = _record_run(
                            transaction, record, rulebook, row_counts, None, started
                        )
                except FullRebuildNeededError as needed:
                    because = str(needed)
            if because is not None:
                log.info("computing everything: %s", because)
                if not goes_on:
                    warehouse.refuse_over_budget(order, parameters)
                with warehouse.transaction() as transaction:
                    for table in order:
                        row_counts[table.key] = transaction.rebuild(table, parameters)
                        if progress:
                            progress(table.key)
                    row_counts[JUDGEMENTS] = write_judgements(
                        transaction, transaction, rulebook, as_of
                    )
                    new_loads = _record_run(
                        transaction, record, rulebook, row_counts, because, started
                    )
        except JobStillRunning as job:
            # What an incremental try had put aside is gone once everything is computed.
            goes_on_as: Mode = mode if because is None else "full"
            raise BuildStillRunning(run_id, as_of, goes_on_as, job) from None
    summary = BuildSummary(
        run_id,
        rulebook.version,
        as_of,
        new_loads,
        row_counts,
        time.monotonic() - started,
        because,
        days,
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
        "as_of_date": as_of.astimezone(ZoneInfo(profile.time_zone)).date(),
        "reporting_currency": profile.currency,
        "history_start": HISTORY_START,
    }


def _built_already(warehouse: Warehouse, run_id: str, started: float) -> BuildSummary | None:
    """The build's own record, if its last job was the one that took longer."""
    runs = warehouse.query("select * from ops.runs where run_id = @run_id", {"run_id": run_id})
    if not runs:
        return None
    counts = warehouse.query(
        "select table_name, row_count from ops.run_tables where run_id = @run_id",
        {"run_id": run_id},
    )
    loads = warehouse.query(
        "select count(*) as n from ops.run_loads where run_id = @run_id", {"run_id": run_id}
    )
    return BuildSummary(
        run_id,
        runs[0]["rules_version"],
        runs[0]["as_of"],
        loads[0]["n"],
        {row["table_name"]: row["row_count"] for row in counts},
        time.monotonic() - started,
        runs[0]["full_because"],
    )


def new_run_id(now: datetime) -> str:
    """Unique, and sorted by time."""
    return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def write_rules(transaction: Transaction, profile: Profile, rulebook: Rulebook) -> None:
    """Write the rule tables of this version; other versions stay beside it."""
    catalog = load_catalog()
    for name, values in rule_rows(profile, rulebook).items():
        table = catalog[f"rules.{name}"]
        transaction.execute(
            statements.delete_rules_version(table), {"rules_version": rulebook.version}
        )
        transaction.insert(
            table, [{"rules_version": rulebook.version, **value} for value in values]
        )


def rule_rows(profile: Profile, rulebook: Rulebook) -> dict[str, list[dict[str, Any]]]:
    """Rows of the ``rules`` layer by table, without their rules_version."""
    keys = ProfileKeys(profile)
    return {
        **rulebook.tables(keys.domain, keys.mailbox, keys.ip),
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


def _why_full(mode: Mode, last: _LastBuild | str) -> str | None:
    if mode == "full":
        return "it was asked for"
    if isinstance(last, str):
        return last
    rows = sum(last.row_counts.values())
    if mode == "auto" and rows < INCREMENTAL_FROM_ROWS:
        return f"with {rows:,} rows that is quicker"
    return None


def _fingerprint(
    order: list[Table],
    parameters: Mapping[str, Any],
    rules: Mapping[str, list[dict[str, Any]]],
) -> str:
    """Hash of all that decides the tables beside the rows of raw and the moment."""
    decides = {
        "tables": [
            [table.key, table.query, table.rebuilt_by, [column.name for column in table.columns]]
            for table in order
        ],
        "parameters": {name: value for name, value in parameters.items() if name not in _MOMENTS},
        "rules": rules,
    }
    text = json.dumps(decides, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _last_build(warehouse: Warehouse, fingerprint: str) -> _LastBuild | str:
    """The build whose tables are there, or why no build can go on from one."""
    # A history that was moved here brings the runs that made it, but not their tables.
    runs = warehouse.query(
        """
        select run_id, as_of, fingerprint
        from ops.runs
        where run_id in (select run_id from ops.run_tables)
        order by built_at desc
        limit 1
        """
    )
    if not runs:
        return "nothing was built before"
    if runs[0]["fingerprint"] != fingerprint:
        return "the rulebook, a setting or a query is another than at the last build"
    counts = warehouse.query(
        "select table_name, row_count from ops.run_tables where run_id = @run_id",
        {"run_id": runs[0]["run_id"]},
    )
    return _LastBuild(runs[0]["as_of"], {row["table_name"]: row["row_count"] for row in counts})


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
    record: _Record,
    rulebook: Rulebook,
    row_counts: Mapping[str, int],
    full_because: str | None,
    started: float,
) -> int:
    catalog = load_catalog()
    built_at = utc_now()
    new_loads = transaction.query(
        """
        select load_id from raw.loads
        where status in ('loaded', 'accepted') and loaded_at <= @as_of
            and load_id not in (select load_id from ops.run_loads)
        order by load_id
        """,
        {"as_of": record["as_of"]},
    )
    transaction.insert(
        catalog["ops.runs"],
        [
            {
                **record,
                "mode": "incremental" if full_because is None else "full",
                "full_because": full_because,
                "built_at": built_at,
                "seconds": time.monotonic() - started,
                "trueline_version": __version__,
            }
        ],
    )
    transaction.insert(
        catalog["ops.run_loads"],
        [{"run_id": record["run_id"], "load_id": row["load_id"]} for row in new_loads],
    )
    transaction.insert(
        catalog["ops.run_tables"],
        [
            {"run_id": record["run_id"], "table_name": name, "row_count": count}
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
