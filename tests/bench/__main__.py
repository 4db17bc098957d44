"""``make bench``: how long things take on a world as large as the demo's, as medians."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from tests.bench import cost, files, scale, truth
from tests.end_to_end.conftest import IDENTITY_KEY, PREFIXES, Company, profile_in, served

RUNS = 5
EMPTY_DAG = "from airflow.sdk import DAG\nwith DAG('empty', schedule=None):\n    pass\n"


def main() -> None:
    os.environ["TRUELINE_IDENTITY_KEY"] = IDENTITY_KEY
    from sandbox.world import World

    world = World.make(7, last_day=date(2026, 11, 20))
    with tempfile.TemporaryDirectory() as folder, served(world) as url:
        company = Company(world, url, profile_in(Path(folder) / "data"))
        _print("the demo's world", f"{len(world.tag_events):,} tag events, 90 days")
        _ingest(company)
        _build(company)
        cost.bench(company.profile)
    files.bench(_print)
    truth.bench()
    scale.bench(_print)
    _dag_import()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _print("peak memory of this process (world and pipeline)", f"{peak:,.0f} MB")


def _ingest(company: Company) -> None:
    for source in PREFIXES:
        started = time.perf_counter()
        company.ingest(company.window, source)
        _print(f"ingest {source}, 90 days over HTTP, once", _seconds(time.perf_counter() - started))


def _build(company: Company) -> None:
    from trueline import pipeline

    per_table: dict[str, list[float]] = {}

    def build() -> None:
        last = time.perf_counter()

        def done(table: str) -> None:
            nonlocal last
            now = time.perf_counter()
            per_table.setdefault(table, []).append(now - last)
            last = now

        pipeline.build(company.profile, company.window, progress=done)

    seconds = _median(build)
    # The same statements over nothing: what a table costs before its first row.
    with tempfile.TemporaryDirectory() as folder:
        empty = profile_in(Path(folder))
        nothing = _median(lambda: pipeline.build(empty))
    tables = len(per_table)
    _print(f"build_funnel in process, {tables} tables, median of {RUNS}", _seconds(seconds))
    _print("  the same over empty tables", _seconds(nothing))
    _print("  overhead per table", f"{nothing / tables * 1000:,.0f} ms")
    slowest = sorted(per_table, key=lambda name: -statistics.median(per_table[name]))[:5]
    for table in slowest:
        _print(f"  {table}", _seconds(statistics.median(per_table[table])))
    _print("publish", _seconds(_median(lambda: pipeline.publish(company.profile))))
    size = sum(path.stat().st_size for path in company.profile.data_folder.rglob("*.duckdb"))
    _print("files of the warehouse", f"{size / 1024**2:,.1f} MB")


def _dag_import() -> None:
    """Import time of the DAG files against a file with one empty DAG, in fresh processes."""
    from trueline.paths import home

    dags = sorted((home() / "dags").glob("*.py"))
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.py"
        empty.write_text(EMPTY_DAG)
        floor = _median(lambda: _import([empty], folder))
        ours = _median(lambda: _import(dags, folder))
    _print("import of a file with one empty DAG", _seconds(floor))
    _print(f"import of our {len(dags)} DAG files", _seconds(ours))
    _print("  more than the empty one (aim: 0.5 s)", _seconds(ours - floor))


def _import(files: list[Path], airflow_home: str) -> None:
    from trueline.paths import home

    code = "import runpy, sys\nfor path in sys.argv[1:]: runpy.run_path(path)"
    subprocess.run(
        [sys.executable, "-c", code, *map(str, files)],
        env={
            **os.environ,
            "AIRFLOW_HOME": airflow_home,
            "PYTHONPATH": str(home() / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        },
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _median(function: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _seconds(value: float) -> str:
    return f"{value:,.2f} s"


def _print(what: str, value: str) -> None:
    print(f"{what:<58}{value:>24}", flush=True)


if __name__ == "__main__":
    main()
