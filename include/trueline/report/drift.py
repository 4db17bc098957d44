"""How much the platforms still change a day's figures after it is over."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from statistics import median
from typing import TYPE_CHECKING

from trueline.report.headline import Row, days_asked, provenance_of, report_sql

if TYPE_CHECKING:
    from trueline.warehouse.base import Reader

_STEP = Decimal("0.000000001")
_DIGITS = 50


@dataclass(frozen=True, slots=True)
class Drift:
    """What one account's days still moved after ``age`` days.

    Attributes:
        measure: ``spend`` (in the account's currency) or ``pixel_conversions`` (macro goals).
        days: Days that were told by then and told again later.
        figure_then: Their sum as told by then.
        figure_now: Their sum as told last.
        moved: figure_now - figure_then, exact.
        moved_share: moved / figure_then; None where nothing was told by then.
        median_day: The middle one of the days' own shares; None where no day had a figure.
    """

    platform: str
    account_id: str
    measure: str
    age: int
    days: int
    figure_then: Decimal
    figure_now: Decimal
    moved: Decimal
    moved_share: Decimal | None
    median_day: Decimal | None


def drift(
    reader: Reader, first_date: date | None = None, last_date: date | None = None
) -> list[Drift]:
    """Per account, measure and age how its days moved; empty where no day was pulled twice.

    Raises:
        ConfigurationError: no figures for those days.
        PermanentError: the days mix rulebook versions.
    """
    provenance = provenance_of(reader, first_date, last_date, None)
    found = reader.query(
        report_sql("restatement"),
        {"rules_version": provenance.rules_version, **days_asked(first_date, last_date)},
    )
    days: dict[tuple[str, str, str, int], list[Row]] = defaultdict(list)
    for row in found:
        days[row["platform"], row["account_id"], row["measure"], row["age"]].append(dict(row))
    return [_moved(*key, rows) for key, rows in sorted(days.items())]


def _moved(platform: str, account_id: str, measure: str, age: int, rows: list[Row]) -> Drift:
    with localcontext(prec=_DIGITS):
        then = sum((row["figure_then"] for row in rows), Decimal(0))
        now = sum((row["figure_now"] for row in rows), Decimal(0))
        shares = [
            (row["figure_now"] - row["figure_then"]) / row["figure_then"]
            for row in rows
            if row["figure_then"]
        ]
        return Drift(
            platform=platform,
            account_id=account_id,
            measure=measure,
            age=age,
            days=len(rows),
            figure_then=then,
            figure_now=now,
            moved=now - then,
            moved_share=_rounded((now - then) / then) if then else None,
            median_day=_rounded(median(shares)) if shares else None,
        )


def _rounded(share: Decimal) -> Decimal:
    return share.quantize(_STEP, ROUND_HALF_UP)
