"""The rebuild, the daily run and two peers on a world of ten million submissions, or a share of it.

Every step runs in a process of its own (``tests.bench.scale_steps``). The floor is measured in the
same run, on the same file: the needed columns read once and the touches sorted once. Wall time says
little on a machine with other work, so processor time of all threads stands beside it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from tests.bench.scale_world import DAY, FULL, Size, profile_for
from trueline.model.catalog import load_catalog

LAST_DAY = date(2026, 11, 20)
SHARE = 0.1
# The most that DuckDB may use; the process has its own needs beside it.
MEMORY_LIMIT = "6GB"
_KEY = "a-key-for-the-benchmark-" * 2
_MARKOV = """
import json, resource, sys, time
import pandas as pd
from ChannelAttribution import markov_model
paths = pd.read_csv(sys.argv[1])
started = time.perf_counter()
markov_model(paths, "path", "conversions", flg_pro=False)
print(json.dumps({"seconds": time.perf_counter() - started,
    "cpu": time.process_time(),
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""
Tell = Callable[[str, str], None]


def bench(tell: Tell, share: float = SHARE, one_day_runs: int = 3, history: float = 0.02) -> None:
    """Print the figures.

    Args:
        share: Of ten million submissions, twelve million visits, two million leads.
        one_day_runs: How many single days to play; their median stands for a year of them.
        history: Share of the daily volume with which 90 and 730 days of history are compared.
    """
    size = FULL.share(share)
    tell(
        "scale",
        f"{size.events:,} tag events, {size.touches:,} touches, {size.leads:,} leads, "
        f"{size.days} days",
    )
    with tempfile.TemporaryDirectory(prefix="trueline-scale-") as name:
        folder = Path(name)
        _fill(tell, folder, size)
        (days, _), morning = _one_day_runs(tell, folder, one_day_runs)
        year = _rebuild(tell, folder)
        tell("  days and rebuild: tables whose row counts differ", _differing(morning, year))
        tell(f"  365 one-day runs, from {one_day_runs}", f"{365 * days:,.0f} s")
        tell("    times the year as one run (aim: 15)", f"{365 * days / year['seconds']:,.1f}")
        _peers(tell, folder)
    _history(tell, FULL.share(history), one_day_runs)


def _fill(tell: Tell, folder: Path, size: Size) -> None:
    profile_for(folder, MEMORY_LIMIT)
    made = _alone(
        "fill", folder, size.days, size.events, size.touches, size.leads, LAST_DAY.isoformat()
    )
    tell("  raw rows made", f"{_times(made)}, file {made['file_mb']:,.0f} MB")


def _one_day_runs(
    tell: Tell, folder: Path, number: int
) -> tuple[tuple[float, float], dict[str, Any]]:
    """A build some days ago, then morning after morning.

    Returns:
        The medians of wall and processor seconds, and the last run.
    """
    before = _alone("build", folder, (LAST_DAY - number * DAY).isoformat(), "full")
    tell("  all but the last days, as one run", _times(before))
    runs = [
        _alone("build", folder, (LAST_DAY - back * DAY).isoformat(), "incremental")
        for back in reversed(range(number))
    ]
    full = [run["full_because"] for run in runs if run["mode"] == "full"]
    median = statistics.median(run["seconds"] for run in runs)
    cpu = statistics.median(run["cpu"] for run in runs)
    tell(f"  one day, median of {number}", f"{median:,.2f} s, cpu {cpu:,.2f} s")
    tell("    of them full rebuilds", f"{len(full)} {full[0] if full else ''}".strip())
    tell("    peak memory", f"{max(run['peak_mb'] for run in runs):,.0f} MB")
    _slowest(tell, runs[-1], 5)
    return (median, cpu), runs[-1]


def _rebuild(tell: Tell, folder: Path) -> dict[str, Any]:
    """Everything in one run, against the floor."""
    floor = _alone("floor", folder)
    year = _alone("build", folder, LAST_DAY.isoformat(), "full")
    by_part: dict[bool, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for table, figures in year["tables"].items():
        for place in (0, 1):
            by_part[table.startswith("staging.")][place] += figures[place]
    (seconds, cpu), (staged, staged_cpu) = by_part[False], by_part[True]
    tell("  full rebuild, staging", f"{staged:,.1f} s, cpu {staged_cpu:,.1f} s")
    tell("  full rebuild, identity to marts", f"{seconds:,.1f} s, cpu {cpu:,.1f} s")
    tell(
        f"  floor: {floor['columns']} columns read, touches sorted",
        f"{floor['seconds']:,.1f} s, cpu {floor['cpu']:,.1f} s",
    )
    tell(
        "    identity to marts, times the floor (aim: 3)",
        f"{seconds / floor['seconds']:,.1f}, cpu {cpu / floor['cpu']:,.1f}",
    )
    tell("  peak memory of the rebuild (aim: 8,000 MB)", f"{year['peak_mb']:,.0f} MB")
    tell("    spilled at most", f"{year['spilled_mb']:,.0f} MB")
    tell("    file of the warehouse", f"{year['file_mb']:,.0f} MB")
    _slowest(tell, year, 10)
    return year


def _slowest(tell: Tell, run: dict[str, Any], number: int) -> None:
    tables = sorted(run["tables"].items(), key=lambda item: -item[1][1])
    for table, (seconds, cpu) in tables[:number]:
        tell(f"    {table}", f"{seconds:,.2f} s, cpu {cpu:,.2f} s")


def _differing(days: dict[str, Any], year: dict[str, Any]) -> str:
    # Snapshots of other days stay beside the newest.
    catalog = load_catalog()
    tables = [
        name
        for name, rows in year["rows"].items()
        if days["rows"].get(name) != rows and catalog[name].rebuilt_by != "snapshot"
    ]
    return ", ".join(tables) or "none"


def _peers(tell: Tell, folder: Path) -> None:
    pandas, ours = _alone("pandas", folder), _alone("ours", folder)
    tell("  touches before leads, credits by two models, ours", _times(ours))
    tell("    the same and a third model in plain pandas", _times(pandas))
    tell("      of that reading", f"{pandas['read_seconds']:,.1f} s")
    tell("      campaigns whose credits differ", f"{pandas['differing']}")
    target = folder / "paths.csv"
    _alone("paths", folder, target)
    tell("    ChannelAttribution, Markov on the same paths", _channel_attribution(folder, target))


def _channel_attribution(folder: Path, target: Path) -> str:
    """In an environment of its own: it is no part of this project."""
    place = folder / "peer"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    got = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "ChannelAttribution", "matplotlib"],
        capture_output=True,
        text=True,
        timeout=900,
    )
    if got.returncode:
        errors = [line for line in got.stderr.splitlines() if "error" in line.lower()]
        return f"not built here: {(errors or ['pip gave up'])[-1].strip()[:80]}"
    done = subprocess.run([python, "-c", _MARKOV, target], capture_output=True, text=True)
    if done.returncode:
        return f"does not run here: {done.stderr.strip().splitlines()[-1][:80]}"
    return _times(json.loads(done.stdout.splitlines()[-1]))


def _history(tell: Tell, size: Size, number: int) -> None:
    """A one-day run after 90 days of history and after 730."""
    medians = []
    for days in (90, 730):
        grown = size.over(days)
        tell(f"  {days} days of history", f"{grown.events:,} tag events")
        with tempfile.TemporaryDirectory(prefix="trueline-scale-") as name:
            _fill(tell, Path(name), grown)
            medians.append(_one_day_runs(tell, Path(name), number)[0])
    (short, short_cpu), (long, long_cpu) = medians
    tell(
        "  one day, 730 days against 90 (aim: 1.2)",
        f"{long / short:,.2f} times, cpu {long_cpu / short_cpu:,.2f}",
    )


def _times(figures: dict[str, Any]) -> str:
    return (
        f"{figures['seconds']:,.1f} s, cpu {figures['cpu']:,.1f} s, "
        f"peak {figures['peak_mb']:,.0f} MB"
    )


def _alone(step: str, folder: Path, *arguments: object) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.scale_steps", step, folder, *map(str, arguments)],
        env={**os.environ, "TRUELINE_IDENTITY_KEY": _KEY},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    # Full size by default; other numbers for a look at a smaller one.
    asked = [float(word) for word in sys.argv[1:]]
    bench(
        lambda what, value: print(f"{what:<58}{value:>40}", flush=True),
        share=asked[0] if asked else 1,
        one_day_runs=int(asked[1]) if len(asked) > 1 else 30,
        history=asked[2] if len(asked) > 2 else 0.1,
    )
