"""The first layers of an incremental run: which loads are new, and what of staging they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from trueline.model.catalog import Table
from trueline.pipeline.incremental.parts import FullRebuildNeededError, Parts
from trueline.warehouse import scoped

LOADS, RATES = "staging.stg_loads", "staging.stg_fx__rates"
COMPLETENESS = "staging.stg_crm__completeness"
LEADS, SHARED_BROWSERS = "staging.stg_crm__leads", "staging.stg_web__shared_browsers"
# Small tables whose change concerns particular people or days, which are looked up for it. A
# change of any other small table may concern everybody.
HANDLED = frozenset(
    {
        LOADS,
        "staging.stg_ads__campaigns",
        "staging.stg_ads__claim_days",
        COMPLETENESS,
        RATES,
    }
)


def find_changed_loads(parts: Parts) -> int:
    """Loads that count now and did not before, or the other way round; returns their number."""
    loads = parts.table(LOADS)
    parts.replace_all(loads)
    # A load that was accepted later carries the moment of that; its id alone says what is new.
    differing = scoped.place("diff", loads)
    return parts.keep("changed_loads", f"select distinct load_id from scratch.{differing}")


def rebuild_staging(parts: Parts, order: Iterable[Table], told: Callable[[str], None]) -> None:
    """Staging tables by the keys or days that changed loads speak of, in the order given.

    Raises:
        FullRebuildNeededError: something changed that may concern every row.
    """
    for table in order:
        if table.key == LOADS:
            continue
        if table.rebuilt_by == "day":
            rebuild_days_of_loads(parts, table)
        elif table.rebuilt_by == "whole":
            changed = parts.replace_all(table)
            if changed and table.key not in HANDLED:
                raise FullRebuildNeededError(f"{table.key} changed")
            if changed and table.key == COMPLETENESS:
                _refuse_a_mark_that_goes_back(parts, table)
        else:
            assert isinstance(table.rebuilt_by, tuple), table.key
            _rebuild_keys(parts, table, table.rebuilt_by)
        told(table.key)


def _refuse_a_mark_that_goes_back(parts: Parts, completeness: Table) -> None:
    """With a later mark only those who wait can change; with an earlier one anybody may wait again.

    It goes back when a load is rejected, or another CRM comes whose mark is older.
    """
    mark = "select coalesce(min(complete_until), @{moment}) as mark from scratch.{place}"
    back = parts.count(
        "select countif(fresh.mark < old.mark) as n from ("
        + mark.format(moment="as_of", place=scoped.place("fresh", completeness))
        + ") as fresh cross join ("
        + mark.format(moment="previous_as_of", place=scoped.place("old", completeness))
        + ") as old"
    )
    if back:
        raise FullRebuildNeededError("the CRM is known less far than at the last build")


def _rebuild_keys(parts: Parts, table: Table, keys: tuple[str, ...]) -> None:
    raw = raw_table(parts, table)
    names = ", ".join(keys)
    parts.keep(
        scoped.place("keys", table),
        f"select distinct {_of(keys, 'rows_of')} from {raw.key} as rows_of "
        "inner join scratch.changed_loads as changed on rows_of.load_id = changed.load_id "
        f"where {_of_rows(raw)}" + "".join(f" and rows_of.{key} is not null" for key in keys),
    )
    if more := _keys_beside_loads(parts, table):
        parts.keep(
            scoped.place("keys", table),
            f"select distinct {names} from (select {names} from "
            f"scratch.{scoped.place('keys', table)} union all {more}) as keys_of_both",
        )
    rebuild_by_keys(parts, table, keys)


def rebuild_by_keys(parts: Parts, table: Table, keys: tuple[str, ...]) -> None:
    """Recompute the keys that wait in ``keys__layer__table`` from raw."""
    raw = raw_table(parts, table)
    asked = f"scratch.{scoped.place('keys', table)}"
    on = " and ".join(f"rows_of.{key} = asked.{key}" for key in keys)
    join = f"inner join {asked} as asked on {on}"
    given = scoped.place("given", raw)
    days: list[date] = []
    condition = "true"
    if (column := raw.partition_column) is not None:
        # Few days hold the rows; reading every column of all days takes longer than asking first.
        days = parts.days_of(
            f"select distinct {_utc_day(raw, column)} as day from {raw.key} as rows_of\n{join}\n"
            f"where {_of_rows(raw)}"
        )
        condition = partition_of_days(raw, column) if days else "false"
    parts.keep(given, scoped.rows(raw, condition, join), days)
    inputs = {raw.key: given}
    for key in sorted(table.reads):
        read = parts.table(key)
        if read.layer == "staging" and set(keys) <= {each.name for each in read.columns}:
            if read.rebuilt_by == keys:
                continue
            inputs[key] = scoped.place("given", read)
            parts.keep(inputs[key], parts.rows_now(read, join=join))
    parts.compute(table, {**parts.whole_inputs(table, inputs), **inputs})
    parts.keep(scoped.place("old", table), scoped.rows(table, join=join))
    parts.settle(table, keys)


def rebuild_days_of_loads(parts: Parts, table: Table) -> None:
    """Recompute the days that changed loads cover, or whose rates changed."""
    days = days_of_changed_loads(parts, table)
    for key in table.reads:
        days |= parts.days.get(key, set())
    rebuild_days_from_raw(parts, table, sorted(days))


def rebuild_days_from_raw(parts: Parts, table: Table, days: list[date]) -> None:
    """Recompute these days of a staging table."""
    if not days:
        parts.days[table.key] = set()
        return
    inputs = parts.whole_inputs(table)
    for key in sorted(table.reads):
        raw = parts.table(key)
        if raw.layer == "raw" and raw.partition_column:
            inputs[key] = scoped.place("given", raw)
            condition = f"rows_of.{raw.partition_column} in unnest(@days)"
            parts.keep(inputs[key], scoped.rows(raw, condition), days)
    parts.compute(table, inputs)
    parts.settle_days(table, days)


def days_of_changed_loads(parts: Parts, table: Table) -> set[date]:
    """Days of the raw rows that changed loads brought, and the days they answer for."""
    days: set[date] = set()
    for key in sorted(table.reads):
        raw = parts.table(key)
        if raw.key == "raw.load_coverage":
            days.update(
                parts.days_of(
                    "select distinct day from raw.load_coverage as coverage "
                    "inner join scratch.changed_loads as changed using (load_id) "
                    "cross join unnest("
                    "generate_date_array(coverage.first_date, coverage.last_date)) as day "
                    "where coverage.report in ('delivery', 'claims')"
                )
            )
        elif raw.layer == "raw" and (column := raw.partition_column) is not None:
            days.update(
                parts.days_of(
                    f"select distinct {_reporting_day(raw, column)} as day "
                    f"from {raw.key} as rows_of "
                    "inner join scratch.changed_loads as changed "
                    f"on rows_of.load_id = changed.load_id where {_of_rows(raw)}"
                )
            )
    return days


def _keys_beside_loads(parts: Parts, table: Table) -> str | None:
    """Keys whose rows change though no load speaks of them."""
    keys = _of(table.rebuilt_by, "rows_of")

    def differs(key: str) -> bool:
        return key in table.reads and bool(parts.differing.get(key))

    if differs(RATES):
        # Amounts whose day has another rate now.
        return (
            f"select {keys} from {table.key} as rows_of "
            f"inner join scratch.{scoped.place('diff', parts.table(RATES))} as rates "
            "on rows_of.currency_code = rates.currency_code "
            "and rows_of.amount_date = rates.rate_date"
        )
    if differs(SHARED_BROWSERS):
        # Whose browser turned out to be shared, or not to be.
        raw = raw_table(parts, table)
        return (
            f"select {keys} from {raw.key} as rows_of "
            f"inner join scratch.{scoped.place('diff', parts.table(SHARED_BROWSERS))} as browsers "
            f"on rows_of.client_id = browsers.client_id where {_of_rows(raw)}"
        )
    if table.key == SHARED_BROWSERS and differs(LEADS):
        return (
            f"select {keys} from scratch.{scoped.place('diff', parts.table(LEADS))} as rows_of "
            "where rows_of.client_id is not null"
        )
    return None


def raw_table(parts: Parts, table: Table) -> Table:
    """The one raw table that a staging table is made of."""
    raw = [
        parts.table(key)
        for key in sorted(table.reads)
        if key.startswith("raw.") and key != "raw.load_coverage"
    ]
    assert len(raw) == 1, f"{table.key} is made of {[each.key for each in raw]}"
    return raw[0]


def _of(names: Iterable[str], of: str) -> str:
    return ", ".join(f"{of}.{name}" for name in names)


def _of_rows(table: Table) -> str:
    condition = table.from_day("@history_start")
    return condition if condition == "true" else f"rows_of.{condition}"


def _is_timestamp(table: Table, column: str) -> bool:
    return next(each.type for each in table.columns if each.name == column) == "TIMESTAMP"


def partition_of_days(table: Table, column: str) -> str:
    """A condition that leaves out partitions without any of ``@days``, days of UTC."""
    if _is_timestamp(table, column):
        # Days of changed rows lie close together; both engines leave out all before and after.
        return (
            f"rows_of.{column} >= timestamp(@first_day) "
            f"and rows_of.{column} < timestamp(date_add(@last_day, interval 1 day))"
        )
    return f"rows_of.{column} in unnest(@days)"


def raw_of_reporting_days(table: Table) -> str:
    """Rows of a partitioned raw table that fall on ``@days``."""
    column = table.partition_column
    assert column is not None, table.key
    if not _is_timestamp(table, column):
        return f"rows_of.{column} in unnest(@days)"
    return (
        # A reporting day begins and ends within a day of UTC's.
        f"rows_of.{column} >= timestamp(date_sub(@first_day, interval 1 day)) "
        f"and rows_of.{column} < timestamp(date_add(@last_day, interval 2 day)) "
        f"and {_reporting_day(table, column)} in unnest(@days)"
    )


def _utc_day(table: Table, column: str) -> str:
    return f"date(rows_of.{column})" if _is_timestamp(table, column) else f"rows_of.{column}"


def _reporting_day(table: Table, column: str) -> str:
    if _is_timestamp(table, column):
        return f"date(rows_of.{column}, @reporting_time_zone)"
    return f"rows_of.{column}"
