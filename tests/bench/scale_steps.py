"""The measured steps of ``tests.bench.scale``, each in a process of its own.

``python -m tests.bench.scale_steps <step> <folder> ...`` prints its figures as JSON in the last
line: a process of its own has a peak of memory of its own.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from tests.bench.files import peak_mb
from tests.bench.scale_world import Size, fill, morning_after
from trueline.model.catalog import Table, build_order, load_catalog
from trueline.pipeline.build import Mode, build
from trueline.settings.profile import Profile, load_profile

# Not of the rebuild that the floor stands for: staging comes before it, ops are records.
_BEFORE = frozenset({"raw", "staging", "rules", "ops"})
_WAREHOUSE = "warehouse.duckdb"


class Meter:
    """Wall time, processor time of all threads, and the most that was spilled."""

    def __init__(self, folder: Path) -> None:
        self._spill = folder / "spill"
        self._most_spilled = 0
        self._ended = threading.Event()

    def __enter__(self) -> Meter:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._wall
        self.cpu = time.process_time() - self._cpu
        self._ended.set()
        self._watcher.join()

    def figures(self) -> dict[str, float]:
        return {
            "seconds": self.seconds,
            "cpu": self.cpu,
            "peak_mb": peak_mb(),
            "spilled_mb": self._most_spilled / 1024**2,
        }

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            size = 0
            for path in self._spill.glob("*"):
                # A file may go while we look.
                if path.exists():
                    size += path.stat().st_size
            self._most_spilled = max(self._most_spilled, size)


def filled(profile: Profile, days: str, events: str, touches: str, leads: str, last: str) -> Any:
    """Fill an empty warehouse."""
    with Meter(profile.data_folder) as meter:
        size = Size(int(days), int(events), int(touches), int(leads))
        fill(profile, size.days, size.events, size.touches, size.leads, date.fromisoformat(last))
    size_mb = (profile.data_folder / _WAREHOUSE).stat().st_size / 1024**2
    return {**meter.figures(), "file_mb": size_mb}


def built(profile: Profile, day: str, mode: Mode) -> Any:
    """One build, as of the morning after ``day``."""
    tables: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    last = [time.perf_counter(), time.process_time()]

    def done(table: str) -> None:
        now = [time.perf_counter(), time.process_time()]
        for place in (0, 1):
            tables[table][place] += now[place] - last[place]
            last[place] = now[place]

    with Meter(profile.data_folder) as meter:
        summary = build(
            profile,
            as_of=morning_after(date.fromisoformat(day)),
            mode=mode,
            progress=done,
        )
    told = summary.as_dict()
    return {
        **meter.figures(),
        "mode": told["mode"],
        "full_because": told.get("full_because"),
        "rows": told["rows"],
        "tables": tables,
        "file_mb": (profile.data_folder / _WAREHOUSE).stat().st_size / 1024**2,
    }


def floor(profile: Profile) -> Any:
    """Read every needed column once, and sort the touches once."""
    columns = needed_columns()
    with _reading(profile) as connection, Meter(profile.data_folder) as meter:
        for table, names in sorted(columns.items()):
            connection.execute(
                f"select bit_xor(hash({', '.join(sorted(names))})), count(*) from {table}"
            ).fetchall()
        read, read_cpu = time.perf_counter(), time.process_time()
        touches = ", ".join(sorted(columns["staging.stg_web__touches"]))
        connection.execute(
            f"create temp table sorted as select {touches} from staging.stg_web__touches "
            "order by client_id, occurred_at, touch_id"
        )
        sort = time.perf_counter() - read
        sort_cpu = time.process_time() - read_cpu
    return {
        **meter.figures(),
        "sort_seconds": sort,
        "sort_cpu": sort_cpu,
        "columns": sum(map(len, columns.values())),
    }


def needed_columns() -> dict[str, set[str]]:
    """Columns of raw and staging that the queries from identity on read, by table."""
    catalog = load_catalog()
    schema: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for table in catalog.values():
        schema[table.layer][table.name] = {column.name: column.type for column in table.columns}
    found: dict[str, set[str]] = defaultdict(set)
    for table in build_order(catalog):
        if table.layer not in _BEFORE:
            for key, column in _columns_read(table, schema):
                if key.split(".")[0] in ("raw", "staging"):
                    found[key].add(column)
    return dict(found)


def _columns_read(table: Table, schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    assert table.query is not None
    tree = qualify(
        sqlglot.parse_one(table.query, read="bigquery"),
        schema=schema,
        dialect="bigquery",
        validate_qualify_columns=False,
        quote_identifiers=False,
    )
    for scope in traverse_scope(pushdown_projections(tree)):
        for name, source in scope.sources.items():
            if isinstance(source, exp.Table) and source.db:
                for column in scope.source_columns(name):
                    yield f"{source.db}.{source.name}", column.name


def in_pandas(profile: Profile) -> Any:
    """Touches before each lead and their credits, first touch, linear and by position."""
    import pandas as pd

    with _reading(profile) as connection, Meter(profile.data_folder) as meter:
        touches = (
            connection.sql(
                "select entity_key as touch_id, person_key, occurred_at, platform, campaign_id "
                "from identity.origins where entity_kind = 'touch' and platform != 'unknown'"
            )
            .to_arrow_table()
            .to_pandas()
        )
        leads = (
            connection.sql("select lead_key, person_key, lead_at from identity.leads")
            .to_arrow_table()
            .to_pandas()
        )
        look_back = (
            connection.sql(
                "select channel as platform, max(look_back_days) as days from rules.channels "
                "group by channel"
            )
            .to_arrow_table()
            .to_pandas()
        )
        read = time.perf_counter() - meter._wall
        read_cpu = time.process_time() - meter._cpu
        found = touches.merge(leads, on="person_key").merge(look_back, on="platform")
        age = found["lead_at"] - found["occurred_at"]
        found = found[
            (age >= pd.Timedelta(0)) & (age <= pd.to_timedelta(found["days"], unit="D"))
        ].sort_values(["lead_key", "occurred_at", "touch_id"])
        by_lead = found.groupby("lead_key", sort=False)
        position, count = by_lead.cumcount(), by_lead["touch_id"].transform("size")
        ends = (position == 0) | (position == count - 1)
        middle = 0.2 / (count - 2).clip(lower=1)
        credits = {
            "first_touch": (position == 0).astype(float),
            "linear": 1 / count,
            "position_based": middle.mask(ends, 0.4).mask(count == 2, 0.5).mask(count == 1, 1.0),
        }
        by_campaign = {
            name: credit.groupby([found["platform"], found["campaign_id"]]).sum()
            for name, credit in credits.items()
        }
        ours = dict(
            connection.execute(
                "select platform || '/' || campaign_id, cast(sum(credit) as double) "
                "from attribution.lead_credits where touch_id is not null group by all"
            ).fetchall()
        )
    first = {"/".join(key): value for key, value in by_campaign["first_touch"].items() if value}
    return {
        **meter.figures(),
        "read_seconds": read,
        "read_cpu": read_cpu,
        "rows": len(found),
        # The rulebook's model is first touch.
        "differing": sum(
            abs(first.get(key, 0) - ours.get(key, 0)) > 1e-6 for key in first.keys() | ours.keys()
        ),
    }


def our_attribution(profile: Profile) -> Any:
    """What ``in_pandas`` does, by our own queries."""
    from trueline.pipeline.build import run_parameters
    from trueline.rulebook import load_rulebook
    from trueline.warehouse.dialect import to_duckdb

    catalog = load_catalog()
    rulebook = load_rulebook(profile.rulebook, profile.time_zone)
    with _reading(profile) as connection, Meter(profile.data_folder) as meter:
        ((as_of,),) = connection.execute("select max(as_of) from ops.runs").fetchall()
        parameters = run_parameters(profile, rulebook, as_of)

        def keep(name: str, table: str, **other: Any) -> None:
            text = to_duckdb(catalog[table].query or "")
            values = {
                key: value for key, value in (parameters | other).items() if f"${key}" in text
            }
            connection.execute(f"create temp table {name} as {text}", values)

        keep("our_touches", "attribution.lead_touches")
        for model in ("first_touch", "last_touch"):
            keep(f"our_{model}", "attribution.lead_credits", attribution_model=model)
    return meter.figures()


def paths(profile: Profile, target: str) -> Any:
    """Write the converting paths, one line each with its count, for another package."""
    with _reading(profile) as connection, Meter(profile.data_folder) as meter:
        connection.execute(
            f"""
            copy (
                select path, count(*) as conversions from (
                    select string_agg(platform, ' > ' order by touch_position) as path
                    from attribution.lead_touches group by lead_key
                ) group by path
            ) to '{target}' (header)
            """
        )
    return meter.figures()


@contextmanager
def _reading(profile: Profile) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse's own settings, read-only."""
    settings = profile.warehouse
    path = profile.data_folder / _WAREHOUSE
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"set memory_limit = '{settings.memory_limit}'")  # type: ignore[union-attr]
        connection.execute("set disabled_optimizers = 'join_order,build_side_probe_side'")
        connection.execute(f"set temp_directory = '{profile.data_folder / 'spill'}'")
        connection.execute("set enable_progress_bar = false")
        yield connection


STEPS: dict[str, Callable[..., Any]] = {
    "fill": filled,
    "build": built,
    "floor": floor,
    "pandas": in_pandas,
    "ours": our_attribution,
    "paths": paths,
}


if __name__ == "__main__":
    figures = STEPS[sys.argv[1]](load_profile(Path(sys.argv[2]) / "profile.yaml"), *sys.argv[3:])
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({**figures, "process_cpu": usage.ru_utime + usage.ru_stime}))
