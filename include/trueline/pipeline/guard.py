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
# Platform and account.
_Account = tuple[str, str]


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
    for table in REPORTS:
        judged = [
            load
            for load in loads
            if load.status == "loaded" and load.table == table and load.coverage
        ]
        if not judged:
            continue
        counting = _counting(warehouse, table, [each for load in judged for each in load.coverage])
        if not counting:
            continue
        for load in judged:
            told = _spooled(files.get(f"raw.{table}"), load)
            for coverage in dict.fromkeys(load.coverage):
                account = (coverage.subject, coverage.account_id)
                before = {
                    day: found
                    for day, found in counting.get(account, {}).items()
                    if coverage.first_date <= day <= coverage.last_date
                }
                reason = too_small(
                    before, told.get(account, {}), smallest_share, by_day=table == "ad_delivery"
                )
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


def _spooled(path: Path | None, load: SpooledLoad) -> dict[_Account, dict[date, _Day]]:
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
    found: dict[_Account, dict[date, _Day]] = {}
    for platform, account, day, count, cost in rows:
        found.setdefault((platform, account), {})[day] = _Day(count, int(cost or 0))
    return found


def _counting(
    warehouse: Warehouse, table: str, asked: Sequence[Coverage]
) -> dict[_Account, dict[date, _Day]]:
    """What counts today, of the days that a pull covers: per account and day the newest load's."""
    report, measure = REPORTS[table]
    asking = {
        "first_date": min(each.first_date for each in asked),
        "last_date": max(each.last_date for each in asked),
        "account_ids": sorted({each.account_id for each in asked}),
    }
    # Oldest first: the newest stays.
    newest = {
        (row["subject"], row["account_id"], each): row["load_id"]
        for row in warehouse.query(statements.covering_loads(), {**asking, "report": report})
        for each in _days(
            max(row["first_date"], asking["first_date"]), min(row["last_date"], asking["last_date"])
        )
    }
    if not newest:
        return {}
    rows = warehouse.query(
        statements.day_rows(load_catalog()[f"raw.{table}"], measure),
        {**asking, "load_ids": sorted(set(newest.values()))},
    )
    found: dict[_Account, dict[date, _Day]] = {}
    for row in rows:
        account, day = (row["platform"], row["account_id"]), row["platform_date"]
        if newest.get((*account, day)) == row["load_id"]:
            told = _Day(row["row_count"], int(row["cost"] or 0))
            found.setdefault(account, {})[day] = told
    return found


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
