"""The cost of a run for people (a table 120 columns wide) and as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from trueline.cost.estimate import MIB, Estimator, dollars
from trueline.cost.linear import total
from trueline.cost.lines import Days, Line, line_of, lines_by_table
from trueline.cost.partitions import Partitions
from trueline.cost.queries import Query, Step

_WIDTH = 120
_GIB = 1024**3
_KIB = 1024
_RUNS_A_MONTH = 30
_MORE_DAYS = 100
_DOMINANT = 4


def print_run(run: Sequence[Query], estimator: Estimator, days: Days, price_per_tib: float) -> None:
    """The whole run: a line per built table and one per other step, then what it comes to."""
    console = _console()
    touched = min(days.touched, days.history)
    console.print(
        f"What a daily run reads on BigQuery: {days.history:,} days of history, "
        f"{touched:,} of them loaded again",
        style="bold",
    )
    console.print(f"Sizes: {estimator.sizes.told_by}.\n")
    lines = list(_shown_lines(run, estimator, days))
    whole = line_of(run, "", estimator, days)
    grid = _grid(
        ("what", "left"),
        ("columns\nread", "right"),
        ("partitions", "left"),
        ("MiB\nread", "right"),
        ("KiB per day\nof history", "right"),
        ("KiB per day\ntouched", "right"),
        ("queries", "right"),
        ("MiB\nbilled", "right"),
    )
    for line in lines:
        grid.add_row(*_cells(f"{line.step} {line.subject}", line, days))
    grid.add_row(*_cells("total", whole, days), style="bold")
    console.print(grid)
    console.print()
    for sentence in _sentences(run, lines, whole, estimator, days, price_per_tib):
        console.print(sentence)


def print_reads(table: str, queries: Sequence[Query], estimator: Estimator, days: Days) -> None:
    """Every read of some queries: of which table, which columns, which partitions."""
    console = _console()
    console.print(f"What a daily run reads for or of {table}\n", style="bold")
    for row in reads_as_rows(queries, estimator, days):
        times = f", {row['times']} times" if row["times"] > 1 else ""
        console.print(
            f"{row['step']} {row['subject']}: {row['reads']}{times}, {row['partitions']}, "
            f"{row['columns_read']} of {row['columns_there']} columns, "
            f"{row['bytes'] / MIB:,.2f} MiB"
        )
        if row["columns"]:
            console.print(f"    {', '.join(row['columns'])}", style="dim")


def run_as_rows(lines: Sequence[Line], days: Days, price_per_tib: float) -> list[dict[str, Any]]:
    """Step and table → bytes as numbers."""
    return [
        {
            "step": str(line.step),
            "table": line.subject,
            "queries": line.queries,
            "columns_read": line.columns_read,
            "columns_there": line.columns_there,
            "partitions": line.partitions,
            "bytes": round(line.read.at(days.history, days.touched)),
            "bytes_if_columns_count_once": round(line.read_once.at(days.history, days.touched)),
            "bytes_constant": round(line.read.constant),
            "bytes_per_history_day": round(line.read.per_history_day, 1),
            "bytes_per_touched_day": round(line.read.per_touched_day, 1),
            "bytes_billed": line.billed,
            "usd": round(dollars(line.billed, price_per_tib), 6),
        }
        for line in lines
    ]


def reads_as_rows(
    queries: Sequence[Query], estimator: Estimator, days: Days
) -> list[dict[str, Any]]:
    """One row per different read."""
    counted: dict[tuple[Any, ...], dict[str, Any]] = {}
    for query in queries:
        for scan in query.scans:
            row = counted.setdefault(
                (query.step, query.subject, scan),
                {
                    "step": str(query.step),
                    "subject": query.subject,
                    "reads": scan.table,
                    "times": 0,
                    "partitions": scan.partitions,
                    "columns_read": len(scan.columns),
                    "columns_there": len(estimator.catalog[scan.table].columns),
                    "bytes": 0,
                    "columns": sorted(scan.columns),
                },
            )
            row["times"] += query.times
            read = estimator.scan(scan).times(query.times)
            row["bytes"] += round(read.at(days.history, days.touched))
    return list(counted.values())


def _shown_lines(run: Sequence[Query], estimator: Estimator, days: Days) -> Iterator[Line]:
    for step in Step:
        queries = [query for query in run if query.step is step]
        if step is Step.BUILD:
            yield from lines_by_table(queries, estimator, days)
        elif queries:
            subjects = len({query.subject for query in queries})
            counted = "1 table" if subjects == 1 else f"{subjects} tables"
            yield line_of(queries, counted, estimator, days)


def _cells(what: str, line: Line, days: Days) -> tuple[str, ...]:
    is_total = not line.subject
    return (
        what,
        "" if is_total else f"{line.columns_read} of {line.columns_there}",
        "" if is_total else str(line.partitions or Partitions.UNPARTITIONED),
        _counted(line.read.at(days.history, days.touched) / MIB),
        _counted(line.read.per_history_day / _KIB),
        _counted(line.read.per_touched_day / _KIB),
        f"{line.queries:,}",
        f"{line.billed / MIB:,.0f}",
    )


def _sentences(
    run: Sequence[Query],
    lines: Sequence[Line],
    whole: Line,
    estimator: Estimator,
    days: Days,
    price_per_tib: float,
) -> Iterator[str]:
    read = whole.read.at(days.history, days.touched)
    once = whole.read_once.at(days.history, days.touched)
    price = dollars(whole.billed, price_per_tib)
    yield (
        f"A run processes {read / _GIB:,.2f} GiB and is billed {whole.billed / _GIB:,.2f} GiB "
        f"(at least 10 MiB per table and query): {_usd(price)} a day, "
        f"{_usd(price * _RUNS_A_MONTH)} a month at {price_per_tib:g} USD per TiB on demand. "
        "The first TiB of each month is free; it is not taken off here."
    )
    yield f"What is billed most: {', '.join(_dominant(lines, whole.billed))}."
    longer = Days(days.history + _MORE_DAYS, days.touched)
    more = total([whole.read]).at(longer.history, longer.touched) - read
    billed_then = sum(estimator.billed(query, longer.history, longer.touched) for query in run)
    more_price = dollars(billed_then - whole.billed, price_per_tib)
    yield (
        "Today's build reads all history (docs/decisions/0004): cost grows with it. Every "
        f"{_MORE_DAYS} days more add {more / _GIB:,.2f} GiB"
        f"{f' ({more / read:+.0%})' if read else ''} and {_usd(more_price)} to each day's run."
    )
    yield (
        "Every mention of a table in a query's text is counted; if BigQuery counts a column once "
        f"per query, a run processes {once / _GIB:,.2f} GiB."
    )


def _dominant(lines: Sequence[Line], billed: int) -> Iterator[str]:
    for line in sorted(lines, key=lambda each: -each.billed)[:_DOMINANT]:
        share = line.billed / billed if billed else 0
        yield f"{line.step} ({line.subject}) {share:.0%}"


def _counted(amount: float) -> str:
    if not amount:
        return "–"
    return "< 0.1" if amount < 0.05 else f"{amount:,.1f}"


def _usd(amount: float) -> str:
    return f"{amount:,.2f} USD" if amount >= 1 else f"{amount:,.4f} USD"


def _grid(*columns: tuple[str, Any]) -> Grid:
    grid = Grid(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name, justify in columns:
        grid.add_column(name, justify=justify, no_wrap=True)
    return grid


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH)
