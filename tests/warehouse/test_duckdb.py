"""The embedded warehouse: writers queue, readers never wait, a killed writer changes nothing."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trueline.errors import ConfigurationError, PermanentError, RetriableError
from trueline.model.catalog import Column, Table, load_catalog
from trueline.pipeline.arrow import rows_to_arrow
from trueline.settings.profile import DuckDBSettings, Profile
from trueline.warehouse import Warehouse, Work, open_reader, open_warehouse
from trueline.warehouse.duckdb import DuckDBWarehouse
from trueline.warehouse.lock import writer_lock

LOADS = load_catalog()["raw.loads"]
RESTRICTED = [table for table in load_catalog().values() if table.layer == "raw_restricted"]
CLICKS = load_catalog()["raw.ad_clicks"]
MOMENT = datetime(2026, 11, 1, 6, tzinfo=UTC)
WORK = Work("test", "run-of-a-test")


def _load(load_id: str) -> dict[str, object]:
    return {
        "load_id": load_id,
        "source": "google_ads",
        "status": "loaded",
        "rows_received": 1,
        "rows_loaded": 1,
        "rows_quarantined": 0,
        "loaded_at": MOMENT,
    }


def _click(click_id: str) -> dict[str, object]:
    return {
        "platform": "google_ads",
        "account_id": "1",
        "campaign_id": "c",
        "click_id": click_id,
        "platform_date": MOMENT.date(),
        "source": "google_ads",
        "load_id": "l1",
        "loaded_at": MOMENT,
        "row_hash": "h",
    }


def _append(warehouse: Warehouse, profile: Profile, tables: dict[str, pa.Table]) -> None:
    folder = profile.data_folder / "waiting"
    folder.mkdir(exist_ok=True)
    for key, rows in tables.items():
        pq.write_table(rows, folder / key)
    with warehouse.staging(folder / "dlt") as staging:
        staging.files({key: folder / key for key in tables})
        with warehouse.transaction() as transaction:
            transaction.append(staging)
    shutil.rmtree(folder)


def test_four_writers_queue_and_nobody_fails(profile: Profile) -> None:
    script = (
        "import sys; from datetime import datetime, UTC;"
        "from trueline.settings.profile import load_profile;"
        "from trueline.warehouse import open_warehouse;"
        "from trueline.model.catalog import load_catalog;"
        "from tests.warehouse.test_duckdb import _load, LOADS, WORK\n"
        "with open_warehouse(load_profile(), WORK) as warehouse:\n"
        "    warehouse.ensure_tables([LOADS])\n"
        "    with warehouse.transaction() as transaction:\n"
        "        transaction.insert(LOADS, [_load(sys.argv[1])])\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, f"load-{number}"]) for number in range(4)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0, 0]
    with open_warehouse(profile, WORK) as warehouse:
        found = warehouse.query("select load_id from raw.loads order by load_id")
    assert [row["load_id"] for row in found] == [f"load-{number}" for number in range(4)]


def test_a_writer_that_waits_too_long_is_told_for_whom(tmp_path: Path) -> None:
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with writer_lock(tmp_path / "x.lock", purpose="build run 7", timeout_seconds=0):
            held.set()
            free.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    try:
        with (
            pytest.raises(RetriableError, match="publish waited 0 s for build run 7"),
            writer_lock(tmp_path / "x.lock", purpose="publish", timeout_seconds=0.3),
        ):
            pass
    finally:
        free.set()
        holder.join()


def test_the_lock_of_a_killed_writer_is_free(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path;"
        "from trueline.warehouse.lock import writer_lock\n"
        "with writer_lock(Path(sys.argv[1]), purpose='doomed', timeout_seconds=0):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    lock = tmp_path / "x.lock"
    killed = subprocess.run([sys.executable, "-c", script, str(lock)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with writer_lock(lock, purpose="next", timeout_seconds=0):
        pass


def test_a_failed_transaction_leaves_everything_as_it_was(profile: Profile) -> None:
    with open_warehouse(profile, WORK) as warehouse:
        warehouse.ensure_tables([LOADS])
        with warehouse.transaction() as transaction:
            transaction.insert(LOADS, [_load("kept")])
        with pytest.raises(RuntimeError):
            _replace_and_fail(warehouse)
        assert [row["load_id"] for row in warehouse.query("select load_id from raw.loads")] == [
            "kept"
        ]


def _replace_and_fail(warehouse: Warehouse) -> None:
    with warehouse.transaction() as transaction:
        transaction.execute("delete from raw.loads where true")
        transaction.insert(LOADS, [_load("lost")])
        raise RuntimeError


def test_readers_see_the_published_copy_while_a_writer_is_at_work(profile: Profile) -> None:
    with open_warehouse(profile, WORK) as warehouse:
        warehouse.ensure_tables([LOADS])
        with warehouse.transaction() as transaction:
            transaction.insert(LOADS, [_load("published")])
        warehouse.publish([LOADS], "run-1")
        with warehouse.transaction() as transaction:
            transaction.insert(LOADS, [_load("later")])
            with open_reader(profile) as reader:
                found = reader.query("select load_id from raw.loads")
    assert [row["load_id"] for row in found] == ["published"]


def test_a_reader_keeps_its_snapshot_when_another_is_published(profile: Profile) -> None:
    with open_warehouse(profile, WORK) as warehouse:
        warehouse.ensure_tables([LOADS])
        warehouse.publish([LOADS], "run-1")
        with open_reader(profile) as reader:
            with warehouse.transaction() as transaction:
                transaction.insert(LOADS, [_load("new")])
            for number in range(2, 6):
                warehouse.publish([LOADS], f"run-{number}")
            assert reader.query("select count(*) as n from raw.loads")[0]["n"] == 0
        with open_reader(profile) as reader:
            assert reader.query("select count(*) as n from raw.loads")[0]["n"] == 1


def test_before_anything_is_published_the_reader_says_so(profile: Profile) -> None:
    with (
        pytest.raises(ConfigurationError, match="Nothing has been published"),
        open_reader(profile),
    ):
        pass


def test_clear_identifiers_lie_in_a_file_of_their_own(profile: Profile) -> None:
    table = load_catalog()["raw_restricted.identifiers"]
    row = {"load_id": "l", "crm": "x", "crm_record_id": "1", "email": "canary@example.org"}
    with open_warehouse(profile, WORK) as warehouse:
        warehouse.ensure_tables(load_catalog().values())
        with warehouse.transaction() as transaction:
            transaction.insert(LOADS, [_load("l")])
        _append(
            warehouse,
            profile,
            {table.key: rows_to_arrow(table, [{**row, "loaded_at": MOMENT}])},
        )
        warehouse.publish([LOADS], "run-1")
    restricted = profile.data_folder / "restricted.duckdb"
    assert restricted.stat().st_mode & 0o077 == 0
    with duckdb.connect(str(restricted), read_only=True) as connection:
        assert connection.execute("select email from raw_restricted.identifiers").fetchall() == [
            ("canary@example.org",)
        ]
    for path in profile.data_folder.rglob("*"):
        if path.is_file() and path != restricted:
            assert b"canary@example.org" not in path.read_bytes(), path.name


def test_the_loader_appends_and_refuses_a_column_that_the_table_does_not_have(
    profile: Profile,
) -> None:
    rows = rows_to_arrow(CLICKS, [_click("a")])
    with open_warehouse(profile, WORK) as warehouse:
        warehouse.ensure_tables([CLICKS, LOADS, *RESTRICTED])
        for _ in range(2):
            _append(warehouse, profile, {CLICKS.key: rows})
        assert warehouse.query("select count(*) as n from raw.ad_clicks")[0]["n"] == 2
        wider = rows.append_column("surprise", pa.array(["x"]))
        with pytest.raises(PermanentError, match="do not fit the tables of raw"):
            _append(warehouse, profile, {CLICKS.key: wider})
        assert warehouse.query("select count(*) as n from raw.ad_clicks")[0]["n"] == 2


def test_a_new_nullable_column_is_added_and_a_changed_type_is_refused(profile: Profile) -> None:
    def with_columns(*columns: Column) -> Table:
        return Table(**{**_fields(LOADS), "columns": columns})

    added = Column("note", "STRING", "a new column", required=False, personal="none")
    changed = Column("rows_loaded", "STRING", "another type", required=False, personal="none")
    with open_warehouse(profile, WORK) as warehouse:
        warehouse.ensure_tables([LOADS])
        with warehouse.transaction() as transaction:
            transaction.insert(LOADS, [_load("old")])
        warehouse.ensure_tables([with_columns(*LOADS.columns, added)])
        assert warehouse.query("select load_id, note from raw.loads") == [
            {"load_id": "old", "note": None}
        ]
        with pytest.raises(ConfigurationError, match=r"rows_loaded of raw\.loads is BIGINT"):
            warehouse.ensure_tables([with_columns(changed)])


def _fields(table: Table) -> dict[str, object]:
    return {name: getattr(table, name) for name in Table.__slots__}


def test_a_damaged_file_is_named_with_a_fix(profile: Profile) -> None:
    profile.data_folder.mkdir(parents=True)
    (profile.data_folder / "warehouse.duckdb").write_bytes(b"this is not a database" * 100)
    with (
        pytest.raises(ConfigurationError, match=r"cannot open this file(.|\n)*What to do"),
        open_warehouse(profile, WORK),
    ):
        pass


def test_a_required_column_that_is_empty_is_named_without_its_row(profile: Profile) -> None:
    with open_warehouse(profile, WORK) as warehouse:
        warehouse.ensure_tables([LOADS])
        with pytest.raises(PermanentError, match=r"loads\.rows_received") as caught:
            warehouse.execute(  # type: ignore[attr-defined]
                "insert into raw.loads (load_id, source, status) values ('canary', 'x', 'loaded')"
            )
    assert "canary" not in str(caught.value)


def test_only_a_build_makes_a_computed_table_anew(tmp_path: Path) -> None:
    leads = load_catalog()["identity.leads"]
    with DuckDBWarehouse.open(
        tmp_path, DuckDBSettings(engine="duckdb", folder=tmp_path), "test"
    ) as warehouse:
        warehouse.raw.execute("create schema identity")
        warehouse.raw.execute("create table identity.leads as select 'maria' as lead_key, 1 as old")
        # Whoever only publishes keeps what is there, or readers would see nothing.
        warehouse.ensure_tables([leads])
        assert warehouse.query("select lead_key from identity.leads") == [{"lead_key": "maria"}]
        warehouse.ensure_tables([leads], remake=True)
        assert warehouse.query("select * from identity.leads") == []
