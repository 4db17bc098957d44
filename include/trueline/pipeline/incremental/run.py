"""One incremental run over all tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from trueline.model.catalog import Table
from trueline.pipeline.incremental import people, sources
from trueline.pipeline.incremental.parts import FullRebuildNeededError, Parts
from trueline.warehouse import Transaction, scoped, statements
from trueline.warehouse.base import Reader, Rows

DERIVED_LAYERS = frozenset({"identity", "attribution", "qualification", "marts", "activation"})


@dataclass(frozen=True, slots=True)
class IncrementalSummary:
    """What one incremental run changed.

    Attributes:
        changed_loads: Loads that count now and did not at the last build, or the other way round.
        nodes: Records, browsers and lone submissions that had to be looked at.
        days: Reporting days that were computed anew.
        rows: Table → rows that differ from before.
        growth: Table → rows inserted less rows deleted; of a snapshot its rows.
        reader: Reads the tables as this run leaves them, while its transaction is open.
    """

    changed_loads: int
    nodes: int
    days: int
    rows: Mapping[str, int]
    growth: Mapping[str, int]
    reader: Reader


@dataclass(frozen=True, slots=True)
class _AsLeft:
    """A reader of what the run has made."""

    parts: Parts

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows:
        return self.parts.query_as_left(sql, params or {})


def run_incrementally(
    transaction: Transaction,
    catalog: Mapping[str, Table],
    order: list[Table],
    parameters: dict[str, Any],
    *,
    previous_as_of: datetime,
    window: Iterable[date] = (),
    max_affected_days: int,
    progress: Callable[[str], None] | None = None,
) -> IncrementalSummary:
    """Bring all tables to where a full rebuild at ``as_of`` would bring them.

    Args:
        order: Built tables, each after everything it reads.
        previous_as_of: The moment of the build whose tables are there.
        window: Days to compute anew although nothing says that they changed.
        max_affected_days: With more days than this a full rebuild is quicker.

    Raises:
        FullRebuildNeededError: computing everything is needed or quicker; nothing is lost by it.
    """
    parameters = {**parameters, "previous_as_of": previous_as_of}
    parts = Parts(transaction, catalog, parameters)
    told = progress or (lambda _: None)
    loads = sources.find_changed_loads(parts)
    told(sources.LOADS)
    staging = [table for table in order if table.layer == "staging"]
    sources.rebuild_staging(parts, staging, told)
    graph = [table for table in order if table.key in people.GRAPH]
    derived = [table for table in order if table.layer in DERIVED_LAYERS and table not in graph]
    nodes = people.rebuild_people(parts, derived, people_whose_clock_ran_out(), told)
    days: set[date] = set()
    for table in derived:
        if table.rebuilt_by == "day":
            days |= rebuild_days(parts, table, set(window))
            if len(days) > max_affected_days:
                raise FullRebuildNeededError(f"{len(days)} days are concerned")
        elif table.rebuilt_by == "snapshot":
            _rebuild_snapshot(parts, table)
        elif table.rebuilt_by == "whole":
            parts.replace_all(table)
        if table.rebuilt_by != "person":
            told(table.key)
    return IncrementalSummary(
        loads, nodes, len(days), parts.differing, parts.growth, _AsLeft(parts)
    )


def people_whose_clock_ran_out() -> str:
    """Whose rows change by time alone between ``@previous_as_of`` and ``@as_of``.

    A superset does no harm: who did not change is not replaced.
    """
    return """
        select person_key
        from identity.event_causes
        where report_date >= @history_start and cause = 'awaiting_crm'

        union distinct

        select person_key
        from qualification.lead_verdicts
        where report_date >= @history_start and not is_final and final_at <= @as_of

        union distinct

        select person_key
        from activation.qualified_conversions
        where
            clicked_at < timestamp_sub(@as_of, interval @upload_click_window_days day)
            and clicked_at >= timestamp_sub(
                @previous_as_of, interval @upload_click_window_days day
            )
        """


def rebuild_days(parts: Parts, table: Table, more: set[date]) -> set[date]:
    """Recompute a day-keyed table where something that it reads differs; returns the days."""
    days = more | sources.days_of_changed_loads(parts, table)
    for key in table.reads:
        days |= parts.days.get(key, set())
    recompute_days_of(parts, table, sorted(days))
    return days


def recompute_days_of(parts: Parts, table: Table, days: list[date]) -> None:
    """Recompute these days of a day-keyed table from what it reads."""
    if not days:
        parts.days[table.key] = set()
        return
    inputs: dict[str, str] = {}
    for key in sorted(table.reads):
        read = parts.table(key)
        condition = _of_days(read)
        if condition is None:
            continue
        inputs[key] = scoped.place("days", read)
        if read.layer == "raw":
            parts.keep(inputs[key], scoped.rows(read, condition), days)
        else:
            parts.keep(inputs[key], parts.rows_now(read, condition), days)
    parts.compute(table, {**parts.whole_inputs(table, inputs), **inputs})
    parts.settle_days(table, days)


def _of_days(table: Table) -> str | None:
    """Which rows of a table the days need; None where it knows no days, or is small anyway."""
    names = {column.name for column in table.columns}
    if table.layer == "rules" or (table.layer == "raw" and table.partition_column is None):
        return None
    if "report_date" in names:
        return "rows_of.report_date in unnest(@days)"
    if table.layer == "raw":
        return sources.raw_of_reporting_days(table)
    return None


def _rebuild_snapshot(parts: Parts, table: Table) -> None:
    """Replace the snapshot of this run's own day; those of other days stay."""
    parts.compute(table, parts.whole_inputs(table))
    parts.growth[table.key] = parts.count(scoped.fresh_rows(table))
    # Its day's rows are replaced whatever they are.
    parts.keep(
        scoped.place("replaced", table),
        f"select as_of_date from {table.key} where as_of_date = @as_of_date union distinct "
        f"select as_of_date from scratch.{scoped.place('fresh', table)}",
    )
    parts.touched[table.key] = ("as_of_date",)
    parts.transaction.execute(statements.delete_all(table), parts.parameters)
    parts.transaction.execute(scoped.insert_fresh(table), parts.parameters)
