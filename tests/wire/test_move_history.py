"""Months of history move from DuckDB to BigQuery: complete, once, and never half."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sandbox.bigquery import BigQueryServer
from sandbox.world import World
from tests.end_to_end.conftest import IDENTITY_KEY, Company, profile_in, served
from tests.live.rows import first_differences, rows_of
from tests.wire import one_move
from trueline import pipeline
from trueline.errors import ConfigurationError, PermanentError, RetriableError
from trueline.model.catalog import build_order, load_catalog
from trueline.paths import home
from trueline.pipeline import move
from trueline.settings.profile import BigQuerySettings, Profile, load_profile
from trueline.sources.settings import FilesSettings
from trueline.warehouse import Work, open_warehouse
from trueline.warehouse.duckdb import DuckDBConnection, DuckDBWarehouse
from trueline.warehouse.lock import writer_lock
from trueline.windows import Window, utc_now

TARGET = home() / "docs" / "examples" / "bigquery.yaml"
HISTORY = [
    table.key for table in load_catalog().values() if table.layer in ("raw", "raw_restricted")
]
BUILT = [table.key for table in build_order(load_catalog())]
MAPPING = """
kind: crm_leads
format: csv
constants: {crm: paper}
fields: {crm_record_id: Id, crm_created_at: Created, email: Mail}
"""
PAPER = """Id,Created,Mail
1,2026-03-27T08:00:00Z,anna@example.org
2,2026-02-31T08:00:00Z,ben@example.org
3,2026-03-28T08:00:00Z,carla@example.org
,2026-03-28T09:00:00Z,dora@example.org
"""


@dataclass(frozen=True)
class History:
    """An old warehouse, what its tables hold and what a build makes of them at ``as_of``."""

    profile: Profile
    as_of: datetime
    rows: dict[str, list[Any]]
    first_as_of: datetime


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Six days, pulled two at a time; a paper list with two bad rows; one load taken back."""
    folder = tmp_path_factory.mktemp("old")
    world = World.make(11, last_day=date(2026, 3, 31), days=6, size=0.3)
    with served(world) as url:
        company = Company(world, url, profile_in(folder / "data"))
        days = list(company.window.days())
        company.ingest(Window(days[0], days[1]))
        first = pipeline.build(company.profile)
        for start, end in ((2, 3), (4, 5)):
            company.ingest(Window(days[start], days[end]))
    pipeline.ingest(_with_paper(company.profile, folder), "paper", company.window)
    _reject_newest_claims(company.profile)
    as_of = utc_now()
    with open_warehouse(company.profile, Work("look", "look")) as warehouse:
        rows = _tables(warehouse, HISTORY)
    assert sum(row[-3][1] for row in rows["raw.loads"]) > 1000
    assert len(rows["raw.quarantine"]) == len(rows["raw_restricted.quarantined_rows"]) == 2
    assert len(rows["raw_restricted.identifiers"]) > 20
    copy = profile_in(folder / "built")
    shutil.copytree(company.profile.data_folder, copy.data_folder)
    pipeline.build(copy, as_of=as_of)
    with open_warehouse(copy, Work("look", "look")) as warehouse:
        rows |= _tables(warehouse, BUILT)
    assert len(rows["identity.leads"]) > 10
    return History(company.profile, as_of, rows, first.as_of)


def _with_paper(profile: Profile, folder: Path) -> Profile:
    (folder / "paper.yaml").write_text(MAPPING)
    (folder / "paper.csv").write_text(PAPER)
    paper = FilesSettings.model_validate(
        {
            "type": "files",
            "folder": folder,
            "files": [{"path": "paper.csv", "mapping": folder / "paper.yaml"}],
        }
    )
    settings = profile.settings
    sources = {**settings.sources, "paper": paper}
    return profile.model_copy(update={"settings": settings.model_copy(update={"sources": sources})})


def _reject_newest_claims(profile: Profile) -> None:
    with open_warehouse(profile, Work("look", "look")) as warehouse:
        newest = warehouse.query(
            "select max(load_id) as load_id from raw.loads where table_name = 'pixel_claims'"
        )
    pipeline.decide_load(profile, newest[0]["load_id"], "rejected", "wrong account")


def _tables(warehouse: Any, keys: list[str]) -> dict[str, list[Any]]:
    catalog = load_catalog()
    found = {}
    for key in keys:
        reader = warehouse
        if isinstance(warehouse, DuckDBWarehouse):
            reader = DuckDBConnection(warehouse.home_of(catalog[key].layer))
        found[key] = rows_of(reader, catalog[key])
    return found


@pytest.fixture
def target(bigquery: BigQueryServer, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """The example profile with datasets of its own; other processes read it the same way."""
    monkeypatch.setenv("TRUELINE_BIGQUERY_PROJECT", bigquery.project)
    monkeypatch.setenv("TRUELINE_BIGQUERY_PREFIX", f"m{secrets.token_hex(4)}_")
    return load_profile(TARGET)


def _prefix(target: Profile) -> str:
    assert isinstance(target.warehouse, BigQuerySettings)
    return target.warehouse.dataset_prefix


def _there(target: Profile, keys: list[str]) -> dict[str, list[Any]]:
    with open_warehouse(target, Work("look", "look")) as warehouse:
        return _tables(warehouse, keys)


def _refuse_differences(history: History, target: Profile, keys: list[str]) -> None:
    catalog, found = load_catalog(), _there(target, keys)
    for key in keys:
        names = [column.name for column in catalog[key].columns]
        assert first_differences(history.rows[key], found[key], names) == [], key


@pytest.mark.soak
def test_everything_arrives_and_builds_to_the_same_tables(
    history: History, target: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = pipeline.move_history(history.profile, target, dry_run=True)
    told: list[str] = []
    monkeypatch.setattr(move, "ROWS_AT_ONCE", one_move.ROWS_AT_ONCE)
    moved = pipeline.move_history(history.profile, target, progress=told.append)
    assert moved.loads == planned.loads == len({row[0] for row in history.rows["raw.loads"]})
    assert moved.loads_there == 0
    assert moved.needs_build
    assert len(told) > 3
    assert told[-1].startswith(f"load {moved.loads} of {moved.loads}, ")
    _refuse_differences(history, target, HISTORY)

    # The old runs came along, but nothing can be published before a build.
    with pytest.raises(PermanentError, match="Nothing was built yet"):
        pipeline.publish(target)
    with pytest.raises(ConfigurationError, match="taken back in time"):
        pipeline.build(target, as_of=history.first_as_of - timedelta(seconds=1))
    built = pipeline.build(target, as_of=history.as_of)
    assert built.new_loads > 10
    _refuse_differences(history, target, BUILT)

    again = pipeline.move_history(history.profile, target)
    assert (again.loads, again.loads_there) == (0, moved.loads)
    assert not again.needs_build
    _refuse_differences(history, target, HISTORY)


@pytest.mark.soak
def test_what_happens_to_the_old_warehouse_meanwhile_moves_later(
    history: History, target: Profile, tmp_path: Path
) -> None:
    old = _copy(history, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        # One load alone is larger than this, so it goes in parts.
        patch.setattr(move, "ROWS_AT_ONCE", 60)
        pipeline.move_history(old, target, sources=("hubspot",))
    with open_warehouse(target, Work("look", "look")) as warehouse:
        sources = warehouse.query("select distinct source from raw.loads")
        loads = warehouse.query(
            "select load_id from raw.loads where status = 'loaded' order by load_id"
        )
    assert sources == [{"source": "hubspot"}]
    pipeline.decide_load(old, loads[0]["load_id"], "rejected", "a test list")
    moved = pipeline.move_history(old, target, sources=("hubspot",))
    # The rejection's line alone.
    assert (moved.loads, sum(moved.rows.values())) == (1, 0)
    pipeline.move_history(old, target)
    with open_warehouse(old, Work("look", "look")) as warehouse:
        expected = _tables(warehouse, HISTORY)
    assert _there(target, HISTORY) == expected


def _copy(history: History, tmp_path: Path) -> Profile:
    copy = profile_in(tmp_path / "copy")
    shutil.copytree(history.profile.data_folder, copy.data_folder)
    return copy


def _start(history: History) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.wire.one_move",
            str(history.profile.data_folder),
            str(TARGET),
        ],
        cwd=home(),
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.soak
def test_killed_between_two_groups_and_run_again(history: History, target: Profile) -> None:
    with _start(history) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline().startswith("load ")
        os.kill(killed.pid, signal.SIGKILL)
    some = {row[0] for row in _there(target, ["raw.loads"])["raw.loads"]}
    assert 0 < len(some) < len({row[0] for row in history.rows["raw.loads"]})
    for key in HISTORY:
        if key != "raw.loads":
            place = [column.name for column in load_catalog()[key].columns].index("load_id")
            orphans = {row[place] for row in _there(target, [key])[key]} - some
            assert orphans == set(), key
    pipeline.move_history(history.profile, target)
    _refuse_differences(history, target, HISTORY)


@pytest.mark.soak
def test_killed_while_bigquery_goes_on_with_its_last_transaction(
    history: History, target: Profile, bigquery: BigQueryServer
) -> None:
    bigquery.faults.add(do="hold", match={"statement": f"insert into {_prefix(target)}raw.loads "})
    with _start(history) as killed:
        _wait_for(lambda: any(_is_held(job) for job in bigquery.jobs.newest_first()))
        os.kill(killed.pid, signal.SIGKILL)
    asked = threading.Event()
    list_jobs = bigquery._api._job_list

    def heard(*arguments: Any) -> Any:
        asked.set()
        return list_jobs(*arguments)

    bigquery._api._job_list = heard  # type: ignore[method-assign]
    again = threading.Thread(target=pipeline.move_history, args=(history.profile, target))
    again.start()
    assert asked.wait(60)
    bigquery.faults.release()
    again.join()
    _refuse_differences(history, target, HISTORY)


def _is_held(job: Any) -> bool:
    return "commit_1" in job.job_id and job.state() == "RUNNING"


def _wait_for(happens: Any, seconds: float = 120) -> None:
    turn = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if happens():
            return
        turn.wait(0.05)
    raise AssertionError("it never happened")


def test_another_identity_key_is_refused(
    history: History, target: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUELINE_IDENTITY_KEY", "not the one of the history " * 3)
    with pytest.raises(ConfigurationError, match="made with another identity key") as caught:
        pipeline.move_history(history.profile, target)
    assert "not the one" not in str(caught.value)


def test_two_key_files_that_differ_are_refused(
    history: History, target: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRUELINE_IDENTITY_KEY")
    profiles = []
    for profile, key in ((history.profile, IDENTITY_KEY), (target, "another " * 8)):
        path = tmp_path / key[:5]
        path.write_text(key)
        settings = profile.settings.model_copy(update={"identity_key_file": path})
        profiles.append(profile.model_copy(update={"settings": settings}))
    with pytest.raises(ConfigurationError, match="different identity keys"):
        pipeline.move_history(*profiles)


def test_bigquery_already_holds_people_under_another_key(
    history: History, target: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loads of the same source were made there under a key that is not the history's."""
    monkeypatch.setenv("TRUELINE_IDENTITY_KEY", "the new house has its own key " * 2)
    stranger = _with_paper(target, tmp_path)
    pipeline.ingest(stranger, "paper", Window(date(2026, 3, 30), date(2026, 3, 31)))
    monkeypatch.setenv("TRUELINE_IDENTITY_KEY", IDENTITY_KEY)
    with pytest.raises(ConfigurationError, match="what BigQuery already holds"):
        pipeline.move_history(history.profile, target)


@pytest.mark.parametrize(
    ("name", "value"), [("time_zone", "America/New_York"), ("currency", "USD")]
)
def test_profiles_that_mean_something_else_are_refused(
    history: History, target: Profile, name: str, value: str
) -> None:
    settings = target.settings.model_copy(update={name: value})
    with pytest.raises(ConfigurationError, match=f"differ in {name}"):
        pipeline.move_history(history.profile, target.model_copy(update={"settings": settings}))


def test_there_is_no_way_back_and_none_from_nothing(
    history: History, target: Profile, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="not from bigquery to duckdb"):
        pipeline.move_history(target, history.profile)
    nothing = profile_in(tmp_path / "nothing")
    with pytest.raises(ConfigurationError, match="no warehouse was made here yet"):
        pipeline.move_history(nothing, target)
    assert not nothing.data_folder.exists()
    with pytest.raises(ConfigurationError, match="Nothing was loaded from a source 'fax'"):
        pipeline.move_history(history.profile, target, sources=("fax",))


def test_a_move_waits_for_the_writer(history: History, target: Profile) -> None:
    settings = history.profile.settings
    warehouse = settings.warehouse.model_copy(update={"lock_timeout_seconds": 0})
    hurried = history.profile.model_copy(
        update={"settings": settings.model_copy(update={"warehouse": warehouse})}
    )
    lock = history.profile.data_folder / "warehouse.lock"
    with (
        writer_lock(lock, purpose="ingest by hand", timeout_seconds=0),
        pytest.raises(RetriableError, match=r"move .* waited 0 s for ingest by hand"),
    ):
        pipeline.move_history(hurried, target)


@pytest.mark.soak
def test_clear_values_that_should_be_gone_stay_behind(
    history: History, target: Profile, tmp_path: Path
) -> None:
    old = _copy(history, tmp_path)
    with duckdb.connect(str(old.data_folder / "restricted.duckdb")) as connection:
        load_id = connection.execute(
            "select min(load_id) from raw_restricted.identifiers"
        ).fetchone()[0]  # type: ignore[index]
        connection.execute(
            "update raw_restricted.identifiers set loaded_at = loaded_at - interval 91 day "
            "where load_id = ?",
            [load_id],
        )
    with duckdb.connect(str(old.data_folder / "warehouse.duckdb")) as connection:
        for table in ("loads", "crm_leads"):
            connection.execute(
                f"update raw.{table} set loaded_at = loaded_at - interval 91 day where load_id = ?",
                [load_id],
            )
    assert pipeline.move_history(old, target).expired_loads == 1
    keys = ["raw_restricted.identifiers", "raw.crm_leads"]
    catalog, found = load_catalog(), _there(target, keys)
    loads = {}
    for key in keys:
        place = [column.name for column in catalog[key].columns].index("load_id")
        loads[key] = {row[place][1] for row in found[key]}
    assert load_id in loads["raw.crm_leads"]
    assert load_id not in loads["raw_restricted.identifiers"]
    assert loads["raw_restricted.identifiers"]


def test_a_row_that_gets_lost_on_its_way_is_noticed(
    history: History, target: Profile, bigquery: BigQueryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_one(mover: Any) -> None:
        touches = f'"{_prefix(target)}raw"."touches"'
        bigquery.sql(
            f"delete from {touches} where touch_id = (select min(touch_id) from {touches})"
        )

    monkeypatch.setattr(move._Mover, "move_runs", lose_one)
    with pytest.raises(PermanentError, match=r"the same rows of raw\.touches on both sides"):
        pipeline.move_history(history.profile, target)


@pytest.mark.soak
def test_the_verb_moves_and_builds(
    history: History, target: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUELINE_DATA", str(history.profile.data_folder))
    command = [
        sys.executable,
        "-m",
        "trueline",
        "move-history",
        "--from",
        str(history.profile.path),
        "--to",
        str(TARGET),
    ]
    planned = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=True)
    loads = len({row[0] for row in history.rows["raw.loads"]})
    assert f"{loads} loads to move, 0 are there already" in planned.stdout
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{loads} loads moved, 0 are there already" in done.stdout
    assert f"built {len(BUILT)} tables as of " in done.stdout
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"0 loads moved, {loads} are there already" in again.stdout
    assert "built" not in again.stdout
