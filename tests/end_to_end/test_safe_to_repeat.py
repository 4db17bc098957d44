"""Run it twice, day by day, in any order, or kill it: the tables are the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sandbox.world import World
from tests.end_to_end.conftest import IDENTITY_KEY, Company, profile_in, served
from trueline import pipeline
from trueline.errors import ConfigurationError
from trueline.model.catalog import build_order, load_catalog
from trueline.paths import home
from trueline.pipeline.loads import newest_loads
from trueline.windows import Window, utc_now

# When and by which load a row came differs between two runs; what it says must not.
PROVENANCE = {"load_id", "loaded_at", "as_of"}


def tables(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every built table's rows without provenance, sorted; what tells of loads grows with them."""
    found = {}
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table in build_order(load_catalog()):
            if "load_id" in table.grain:
                continue
            names = [column.name for column in table.columns if column.name not in PROVENANCE]
            rows = connection.execute(f"select {', '.join(names)} from {table.key}").fetchall()
            found[table.key] = sorted(rows, key=repr)
    return found


@pytest.fixture(scope="module")
def url(small_world: World) -> Iterator[str]:
    with served(small_world) as address:
        yield address


@pytest.fixture
def twin(small_world: World, url: str, tmp_path: Path) -> Company:
    """The small company with an empty warehouse of its own."""
    return Company(small_world, url, profile_in(tmp_path / "data"))


@pytest.fixture(scope="module")
def expected(
    small_world: World, url: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[tuple[Any, ...]]]:
    """The tables of one undisturbed run over all days."""
    folder = tmp_path_factory.mktemp("undisturbed")
    company = Company(small_world, url, profile_in(folder))
    company.ingest(company.window)
    pipeline.build(company.profile, company.window)
    result = tables(folder)
    assert len(result["identity.leads"]) > 20
    assert len(result["marts.funnel_daily"]) > 50
    return result


def test_running_twice_changes_nothing(twin: Company, expected: dict[str, Any]) -> None:
    for _ in range(2):
        twin.ingest(twin.window)
        pipeline.build(twin.profile, twin.window)
    assert tables(twin.profile.data_folder) == expected


def test_days_in_any_order_give_the_same_tables(twin: Company, expected: dict[str, Any]) -> None:
    days = list(twin.window.days())
    # A CRM hands out what it knows today, whichever day is asked for: order must not matter.
    random.Random(3).shuffle(days)
    for day in days:
        twin.ingest(Window(day, day))
    pipeline.build(twin.profile, twin.window)
    assert tables(twin.profile.data_folder) == expected


def _killed_runs(twin: Company, expected: dict[str, Any], kills: int, seed: int) -> None:
    chance = random.Random(seed)
    folder = twin.profile.data_folder
    command = [
        sys.executable,
        "-m",
        "tests.end_to_end.one_run",
        twin.url,
        str(folder),
        str(twin.window.start),
        str(twin.window.end),
    ]
    environment = {**os.environ, "TRUELINE_IDENTITY_KEY": IDENTITY_KEY}
    started = time.monotonic()
    subprocess.run(command, check=True, env=environment, cwd=home())
    whole = time.monotonic() - started
    for number in range(kills):
        moment = chance.uniform(0.15, 1.0) * whole
        run = subprocess.Popen(command, env=environment, cwd=home(), stderr=subprocess.DEVNULL)
        try:
            run.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
        print(f"kill {number} of seed {seed} after {moment:.2f} s of {whole:.2f} s")
    subprocess.run(command, check=True, env=environment, cwd=home())
    assert tables(folder) == expected
    # Downloads hold clear personal values: those of killed runs are gone.
    assert list((folder / "runs").iterdir()) == []
    assert list((folder / "published").glob("*.part*")) == []
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        loads = {row[0] for row in connection.execute("select load_id from raw.loads").fetchall()}
        for table in ("ad_delivery", "pixel_claims", "tag_events", "touches", "crm_leads"):
            orphans = connection.execute(
                f"select count(*) from raw.{table} "
                "where load_id not in (select load_id from raw.loads)"
            ).fetchone()
            assert orphans == (0,), table
    with duckdb.connect(str(folder / "restricted.duckdb"), read_only=True) as connection:
        restricted = connection.execute(
            "select distinct load_id from raw_restricted.identifiers"
        ).fetchall()
    assert {row[0] for row in restricted} <= loads


def test_a_run_killed_at_random_points_and_restarted(
    twin: Company, expected: dict[str, Any]
) -> None:
    _killed_runs(twin, expected, kills=4, seed=20261123)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_many_kills(twin: Company, expected: dict[str, Any], seed: int) -> None:
    _killed_runs(twin, expected, kills=12, seed=seed)


def test_a_published_moment_never_goes_back(twin: Company) -> None:
    twin.ingest(Window(twin.window.end, twin.window.end), "meta_ads")
    before = utc_now()
    pipeline.build(twin.profile)
    with pytest.raises(ConfigurationError, match="taken back in time"):
        pipeline.build(twin.profile, as_of=before)


@pytest.mark.parametrize(
    ("as_of", "told"),
    [
        (utc_now() + timedelta(days=1), "lies in the future"),
        (utc_now() - timedelta(days=1), "before the first load"),
        (utc_now().replace(tzinfo=None), "has no time zone"),
    ],
)
def test_a_moment_that_cannot_be_meant_is_refused(
    twin: Company, as_of: datetime, told: str
) -> None:
    twin.ingest(Window(twin.window.end, twin.window.end), "meta_ads")
    with pytest.raises(ConfigurationError, match=told):
        pipeline.build(twin.profile, as_of=as_of)


def test_a_future_window_is_refused_before_any_request(small_world: World, tmp_path: Path) -> None:
    tomorrow = utc_now().date() + timedelta(days=2)
    nobody_listens_here = "http://127.0.0.1:9"
    company = Company(small_world, nobody_listens_here, profile_in(tmp_path / "data"))
    with pytest.raises(ConfigurationError, match="do not exist yet"):
        company.ingest(Window(tomorrow, tomorrow), "google_ads")
    assert not (tmp_path / "data").exists()


def test_a_rejected_load_no_longer_counts(twin: Company) -> None:
    twin.ingest(twin.window)
    pipeline.build(twin.profile)
    loads = {
        row["table_name"]: row["load_id"]
        for row in newest_loads(twin.profile, 100)
        if row["source"] == "google_ads"
    }
    assert tables(twin.profile.data_folder)["staging.stg_ads__claims"]
    pipeline.decide_load(twin.profile, loads["pixel_claims"], "rejected", "wrong account")
    pipeline.build(twin.profile)
    platforms = {row[1] for row in tables(twin.profile.data_folder)["staging.stg_ads__claims"]}
    assert platforms == {"meta_ads"}
