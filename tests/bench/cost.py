"""What each table's query reads on BigQuery, by the cost model, against the least it could read.

The least is told by others than the model: the columns by the GoogleSQL analyser's resolved tree,
the bytes value by value in Python. It holds each needed column of each table once. So the ratio
rises where a query mentions a table twice, where the model sees a column that nothing needs, or
where sizes are wrong; and against the days a run touches, where partitions are not pruned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tests.cost.resolved import resolved_scans
from tests.googlesql.analyser import Analyser
from tests.googlesql.engine import Engine
from trueline.cost.estimate import Estimator
from trueline.cost.partitions import partition_column
from trueline.cost.queries import Query, Step, daily_run
from trueline.cost.reads import scans
from trueline.cost.sizes import Sizes, history_days, measure
from trueline.model.catalog import Table, build_order, load_catalog
from trueline.model.parameters import PARAMETERS
from trueline.paths import home
from trueline.quality.suites import load_suites
from trueline.settings.profile import Profile
from trueline.warehouse import Reader, Work, open_warehouse

AIM = 1.2
TOUCHED_DAYS = 31
SHORT_HISTORY, LONG_HISTORY = 90, 730
_WORST = 5
_MIB = 1024**2
_FIXED = {"INT64": 8, "FLOAT64": 8, "NUMERIC": 16, "BOOL": 1, "DATE": 8, "TIMESTAMP": 8}

# A dry run: SQL and parameters to the bytes that BigQuery, or who plays it, says it would process.
DryRun = Callable[[str, Mapping[str, Any]], int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One table's query, in bytes.

    Attributes:
        estimate: What it reads, by the model (every mention counts) or by the dry run.
        estimate_once: By the model, if a column counts once a query.
        least: Needed columns of all rows.
        least_of_days: The same, of partitioned tables only the days touched.
    """

    table: str
    estimate: float
    estimate_once: float
    least: float
    least_of_days: float

    @property
    def ratio(self) -> float:
        return self.estimate / self.least if self.least else 1


@dataclass
class CountedBytes:
    """Bytes per table, column and day (None where there are no partitions), value by value."""

    by_day: dict[str, dict[str, dict[date | None, int]]] = field(default_factory=dict)

    def add(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        column = partition_column(table.partition_by) if table.partition_by else None
        counted = {each.name: defaultdict[date | None, int](int) for each in table.columns}
        for row in rows:
            day = date.fromisoformat(str(row[column])[:10]) if column else None
            for each in table.columns:
                counted[each.name][day] += _logical_bytes(each.type, row[each.name])
        self.by_day[table.key] = {name: dict(days) for name, days in counted.items()}

    def of(self, table: str, columns: Iterable[str], since: date | None = None) -> int:
        return sum(
            count
            for name in columns
            for day, count in self.by_day[table][name].items()
            if since is None or day is None or day >= since
        )


def compare(
    tables: Iterable[Table],
    catalog: Mapping[str, Table],
    analyser: Analyser,
    estimator: Estimator,
    counted: CountedBytes,
    *,
    first_touched: date,
    dry_run: DryRun | None = None,
    params: Mapping[str, Any] | None = None,
) -> list[Comparison]:
    """The queries of ``tables``, each against its least.

    Args:
        first_touched: First of the days that a run touches.
        dry_run: Asked instead of the model.
        params: What the dry run's queries are given.
    """
    found = []
    for table in tables:
        assert table.query is not None
        needed: dict[str, frozenset[str]] = {}
        for scan in resolved_scans(analyser, table.query):
            needed[scan.table] = needed.get(scan.table, frozenset()) | scan.columns
        query = Query(Step.BUILD, table.key, scans(table.query, catalog, what=table.key))
        days = estimator.sizes.history_days
        estimate = estimator.query(query).at(days, TOUCHED_DAYS)
        found.append(
            Comparison(
                table.key,
                dry_run(table.query, params or {}) if dry_run else estimate,
                estimator.once(query).at(days, TOUCHED_DAYS),
                sum(counted.of(key, columns) for key, columns in needed.items()),
                sum(counted.of(key, columns, first_touched) for key, columns in needed.items()),
            )
        )
    return found


def growth(run: Iterable[Query], estimator: Estimator) -> float:
    """How many times as much a run reads with two years of history as with a quarter."""
    run = list(run)
    long, short = (
        sum(estimator.query(query).at(days, TOUCHED_DAYS) for query in run)
        for days in (LONG_HISTORY, SHORT_HISTORY)
    )
    return long / short


def bench(profile: Profile, dry_run: DryRun | None = None) -> None:
    """Print the comparison for a built warehouse."""
    catalog = load_catalog()
    read = sorted({key for table in catalog.values() if table.is_built for key in table.reads})
    with open_warehouse(profile, Work("bench", "the-cost")) as warehouse:
        sizes = measure(warehouse, [catalog[key] for key in read])
        counted = _counted(warehouse, [catalog[key] for key in read])
    days = history_days(sizes)
    last = max(size.last_day for size in sizes.values() if size.last_day)
    estimator = Estimator(catalog, Sizes(sizes, days, "measured"))
    columns = {
        key: [(column.name, column.type) for column in table.columns]
        for key, table in catalog.items()
    }
    compared = compare(
        build_order(catalog),
        catalog,
        Analyser(Engine(), columns, PARAMETERS),
        estimator,
        counted,
        first_touched=last - timedelta(days=TOUCHED_DAYS - 1),
        dry_run=dry_run,
    )
    _print_comparison(compared, days)
    run = daily_run(catalog, load_suites(home() / "great_expectations"))
    build = [query for query in run if query.step is Step.BUILD]
    for what, queries in (("the build's queries", build), ("the whole run", run)):
        grown = growth(queries, estimator)
        verdict = "flat" if grown < AIM else "not flat"
        _print(
            f"{what}, {SHORT_HISTORY} → {LONG_HISTORY} days of history", f"× {grown:.2f}, {verdict}"
        )


def _print_comparison(compared: list[Comparison], days: int) -> None:
    estimate = sum(each.estimate for each in compared)
    least = sum(each.least for each in compared)
    least_of_days = sum(each.least_of_days for each in compared)
    over = [each for each in compared if each.ratio > AIM]
    _print(f"bytes of {len(compared)} queries on BigQuery, {days} days", _mib(estimate))
    _print("  the least that holds columns and rows needed", _mib(least))
    _print(f"  ratio (aim: at most {AIM} for each)", f"{estimate / least:.2f}")
    once = sum(each.estimate_once for each in compared)
    _print("  ratio if BigQuery counts a column once per query", f"{once / least:.2f}")
    _print("  queries over the aim", f"{len(over)} of {len(compared)}")
    for each in sorted(compared, key=lambda each: -each.ratio)[:_WORST]:
        _print(f"  {each.table}", f"{_mib(each.estimate)}, ratio {each.ratio:.2f}")
    _print(f"  the least of {TOUCHED_DAYS} days of partitioned tables", _mib(least_of_days))
    _print("  ratio to that: all history is read", f"{estimate / least_of_days:.2f}")


def _counted(reader: Reader, tables: Iterable[Table]) -> CountedBytes:
    counted = CountedBytes()
    for table in tables:
        sql = f"select {', '.join(column.name for column in table.columns)} from {table.key}"
        if table.partition_by:
            column = next(
                each for each in table.columns if each.name == partition_column(table.partition_by)
            )
            kind = column.type.lower()
            sql += f" where {column.name} >= {kind} '0001-01-01'"
        counted.add(table, reader.query(sql))
    return counted


def _logical_bytes(kind: str, value: Any) -> int:
    if value is None:
        return 0
    return 2 + len(str(value).encode("utf-8")) if kind == "STRING" else _FIXED[kind]


def _mib(count: float) -> str:
    return f"{count / _MIB:,.1f} MiB"


def _print(what: str, value: str) -> None:
    print(f"{what:<58}{value:>24}", flush=True)
