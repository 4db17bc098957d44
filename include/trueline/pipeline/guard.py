"""A partial report looks like a day on which little happened: it must not replace a good one.

A pull that tells clearly less of some days than the one before is kept in raw but *held*: it
counts only after a person said so (``trueline loads --accept``). Until then the older figures
stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from trueline.model.catalog import load_catalog
from trueline.pipeline.spool import SpooledLoad
from trueline.sources.base import Coverage
from trueline.warehouse import Warehouse, statements

#: Raw table → its report in ``raw.load_coverage``, and what is summed beside the rows.
REPORTS = {"ad_delivery": ("delivery", "cost_micros"), "pixel_claims": ("claims", None)}
# Fewer rows than this say nothing: one paused campaign of three would be a third.
JUDGED_FROM_ROWS = 10


@dataclass(frozen=True, slots=True)
class _Day:
    """What one pull tells of one account's day: rows, and cost in micros where it is delivery."""

    rows: int = 0
    cost: int = 0


Days = Mapping[date, _Day]


def hold_suspicious(
    warehouse: Warehouse,
    loads: Sequence[SpooledLoad],
    files: Mapping[str, Path],
    smallest_share: Decimal,
) -> None:
    """Mark loads as held that tell less than ``smallest_share`` of what counts now.

    Compared are the days that both cover: rows and cost of all of them together, the rows of each
    single day, and no row at all for a day with cost. Claims are compared in their rows only, and
    not by day: a platform may well take the only claim of a day back.

    Args:
        loads: Loads of one pull.
        files: Their rows, ``layer.table`` → Parquet.
        smallest_share: 0 holds nothing.
    """
    if smallest_share <= 0:
        return
    for load in loads:
        if not load.counts or load.table not in REPORTS:
            continue
        counting_by_coverage = {
            coverage: days
            for coverage in dict.fromkeys(load.coverage)
            if (days := _counting(warehouse, load.table, coverage))
        }
        told = _spooled(files.get(f"raw.{load.table}"), load) if counting_by_coverage else {}
        for coverage, counting in counting_by_coverage.items():
            now = told.get((coverage.subject, coverage.account_id), {})
            reason = too_small(counting, now, smallest_share, by_day=load.table == "ad_delivery")
            if reason:
                load.status, load.reason = "held", reason
                break


def too_small(before: Days, now: Days, smallest_share: Decimal, *, by_day: bool) -> str | None:
    """Why a pull may be partial, or None; ``before`` has only days that both pulls cover."""
    share = float(smallest_share)
    rows_before = sum(day.rows for day in before.values())
    rows_now = sum(now.get(each, _Day()).rows for each in before)
    if rows_before >= JUDGED_FROM_ROWS and rows_now < share * rows_before:
        return f"too_small: {rows_now:,} rows where {rows_before:,} were"
    if not by_day:
        return None
    for each, day in sorted(before.items()):
        found = now.get(each, _Day())
        if day.cost > 0 and found.rows == 0:
            return f"empty_day: nothing for {each}, which had cost"
        if day.rows >= JUDGED_FROM_ROWS and found.rows < share * day.rows:
            return f"too_small: {found.rows:,} rows for {each} where {day.rows:,} were"
    cost_before = sum(day.cost for day in before.values())
    cost_now = sum(now.get(each, _Day()).cost for each in before)
    if rows_before >= JUDGED_FROM_ROWS and 0 <= cost_now < share * cost_before:
        return f"too_small: {cost_now / cost_before:.0%} of the cost before"
    return None


def _spooled(path: Path | None, load: SpooledLoad) -> dict[tuple[str, str], dict[date, _Day]]:
    if path is None:
        return {}
    import duckdb

    measure = REPORTS[load.table][1] or "0"
    with duckdb.connect(":memory:") as connection:
        rows = connection.execute(
            "select platform, account_id, platform_date, count(distinct row_hash), "
            f"sum({measure}) from read_parquet(?) where load_id = ? group by all",
            [str(path), load.load_id],
        ).fetchall()
    found: dict[tuple[str, str], dict[date, _Day]] = {}
    for platform, account, day, count, cost in rows:
        found.setdefault((platform, account), {})[day] = _Day(count, int(cost or 0))
    return found


def _counting(warehouse: Warehouse, table: str, coverage: Coverage) -> Days:
    """What counts today, of the days that the pull covers too: per day the newest load's rows."""
    report, measure = REPORTS[table]
    days = {
        "first_date": coverage.first_date,
        "last_date": coverage.last_date,
        "platform": coverage.subject,
        "account_id": coverage.account_id,
    }
    covering = warehouse.query(statements.covering_loads(), {**days, "report": report})
    newest = {
        each: row["load_id"]
        for row in covering  # oldest first: the newest stays
        for each in _days(
            max(row["first_date"], coverage.first_date), min(row["last_date"], coverage.last_date)
        )
    }
    if not newest:
        return {}
    rows = warehouse.query(
        statements.day_rows(load_catalog()[f"raw.{table}"], measure),
        {**days, "load_ids": sorted(set(newest.values()))},
    )
    return {
        row["platform_date"]: _Day(row["row_count"], int(row["cost"] or 0))
        for row in rows
        if newest.get(row["platform_date"]) == row["load_id"]
    }


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
