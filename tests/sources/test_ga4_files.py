"""GA4's export as files: days that change, days that are late, files that are no export."""

from __future__ import annotations

import gzip
import json
import logging
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from tests.sources.conftest import as_records
from tests.sources.ga4_events import DAY, event, write_day
from trueline.errors import ConfigurationError, PermanentError, RetriableError
from trueline.sources.base import Batch, Coverage
from trueline.sources.ga4 import files
from trueline.sources.registry import build_source
from trueline.sources.settings import Ga4Settings
from trueline.windows import Window

WINDOW = Window(DAY, DAY)
SITE = "https://www.sunmoor.example"


def pull(
    folder: Path,
    window: Window = WINDOW,
    *,
    known: frozenset[str] = frozenset(),
    time_zone: str = "Europe/Berlin",
    **changed: Any,
) -> list[Batch]:
    settings = Ga4Settings.model_validate(
        {"type": "ga4", "export": "files", "folder": "exports", "reload_days": 1, **changed}
    )
    source = build_source(
        "ga4",
        settings,
        connection=None,
        time_zone=time_zone,
        root=folder,
        workdir=folder / "work",
        known_hashes=known,
        now=datetime(2026, 11, 21, 5, tzinfo=UTC),
    )
    return list(source.pull(window))


def rows(batches: list[Batch], table: str = "tag_events") -> list[dict[str, Any]]:
    return [
        dict(record.values)
        for batch in as_records(batches)
        if batch.table == table
        for record in batch.records
    ]


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    (tmp_path / "exports").mkdir()
    return tmp_path / "exports"


def test_a_day_is_loaded_once_and_again_when_it_has_changed(exports: Path) -> None:
    write_day(exports, [event(params={"event_id": "e1"})])
    first = pull(exports.parent)
    assert [row["event_id"] for row in rows(first)] == ["e1"]
    covered = [each for batch in first for each in batch.coverage]
    assert covered == [Coverage("tag_events", "ga4", "(none)", DAY, DAY)]
    known = frozenset(batch.content_hash for batch in first if batch.content_hash)
    assert len(known) == 1

    again = pull(exports.parent, known=known)
    assert [batch.skipped_reason for batch in again] == ["already_loaded"]

    write_day(exports, [event(params={"event_id": "e1"}), event(params={"event_id": "late"})])
    changed = pull(exports.parent, known=known)
    assert {row["event_id"] for row in rows(changed)} == {"e1", "late"}


def test_other_settings_read_the_same_file_anew(exports: Path) -> None:
    write_day(exports, [event(), event("chat_start")])
    known = frozenset(batch.content_hash or "" for batch in pull(exports.parent))
    found = pull(exports.parent, known=known, submission_events=["chat_start"])
    assert [row["event_name"] for row in rows(found)] == ["chat_start"]


def test_the_four_newest_days_are_looked_at(exports: Path) -> None:
    for number in range(15, 21):
        day = date(2026, 11, number)
        write_day(exports, [event(at=f"{day} 10:00:00+00:00")], day)
    found = pull(exports.parent, reload_days=4)
    assert [row["occurred_at"].day for row in rows(found)] == [17, 18, 19, 20]


def test_intraday_files_count_until_the_daily_one_is_there(exports: Path) -> None:
    write_day(exports, [event(params={"event_id": "early"})], prefix="events_intraday_")
    assert [row["event_id"] for row in rows(pull(exports.parent))] == ["early"]
    write_day(exports, [event(params={"event_id": "whole"})])
    assert [row["event_id"] for row in rows(pull(exports.parent))] == ["whole"]


def test_a_late_day_is_skipped_and_all_days_missing_is_an_error(exports: Path) -> None:
    earlier = date(2026, 11, 18)
    write_day(exports, [event(at="2026-11-18 10:00:00+00:00")], earlier)
    batches = pull(exports.parent, reload_days=4)
    skipped = {batch.file_name: batch.skipped_reason for batch in batches if batch.skipped_reason}
    assert skipped == dict.fromkeys(
        ("events_20261117", "events_20261119", "events_20261120"), "not_there"
    )
    with pytest.raises(RetriableError, match=r"events_20261120.jsonl"):
        pull(exports.parent)
    (exports / "events_20261118.jsonl").unlink()
    with pytest.raises(ConfigurationError, match="BigQuery links"):
        pull(exports.parent)


def test_without_a_folder_the_profile_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        pull(tmp_path)


def test_a_link_out_of_the_folder_is_refused(exports: Path) -> None:
    write_day(exports.parent / "elsewhere", [event()])
    (exports / "events_20261120.jsonl").symlink_to(
        exports.parent / "elsewhere" / "events_20261120.jsonl"
    )
    with pytest.raises(ConfigurationError, match="leads out"):
        pull(exports.parent)


def test_another_time_zone_of_the_property_asks_for_the_days_that_overlap(exports: Path) -> None:
    """A Berlin day lies in two days of Los Angeles."""
    for day in (date(2026, 11, 19), DAY):
        write_day(exports, [], day)
    batches = pull(exports.parent, property_time_zone="America/Los_Angeles")
    days = [each.first_date for batch in batches for each in batch.coverage]
    assert days == [date(2026, 11, 19), DAY]


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_a_day_of_23_or_25_hours_is_one_day(day: date, exports: Path) -> None:
    write_day(exports, [event(at=f"{day} 22:30:00+00:00")] if day.month == 10 else [], day)
    for zone in ("Europe/Berlin", "Europe/Paris"):
        batches = pull(exports.parent, Window(day, day), property_time_zone=zone)
        assert [each.first_date for batch in batches for each in batch.coverage] == [day]
        assert [row["occurred_at"] for row in rows(batches)] == (
            [datetime(2026, 10, 25, 22, 30, tzinfo=UTC)] if day.month == 10 else []
        )


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".jsonl.gz", ".json.gz", ".parquet"])
def test_every_form_gives_the_same_rows(suffix: str, exports: Path) -> None:
    events = [
        event(
            params={"event_id": "e1", "page_location": f"{SITE}/%C3%BC?gclid=Cj0", "debug_mode": 1},
            collected_traffic_source={"manual_source": "google"},
        ),
        event("page_view", params={"page_location": SITE}),
    ]
    plain = write_day(exports, events)
    wanted = rows(pull(exports.parent))
    assert (wanted[0]["page_path"], wanted[0]["utm_source"]) == ("/ü", "google")
    assert wanted[0]["is_test"] is True
    data = plain.read_bytes()
    plain.unlink()
    target = exports / f"events_20261120{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(events), target)
    else:
        target.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)
    assert rows(pull(exports.parent)) == wanted


def test_a_table_in_several_files_is_one_day(exports: Path) -> None:
    write_day(exports, [event(params={"event_id": "a"})], suffix="_000000000000.jsonl")
    write_day(exports, [event(params={"event_id": "b"})], suffix="_000000000001.jsonl")
    batches = pull(exports.parent)
    assert {row["event_id"] for row in rows(batches)} == {"a", "b"}
    assert {batch.file_name for batch in batches} == {
        "events_20261120_000000000000.jsonl and 1 more"
    }
    assert len({batch.content_hash for batch in batches}) == 1


def test_a_day_without_events_is_covered(exports: Path) -> None:
    write_day(exports, [])
    (batch,) = pull(exports.parent)
    assert (list(batch.records), len(batch.coverage)) == ([], 1)


def test_a_record_that_an_older_table_lacks_is_null_and_a_new_column_is_told(
    exports: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = event(params={"event_id": "e1"}, geo={"country": "Germany"}, mood="blue")
    write_day(exports, [old])
    with caplog.at_level(logging.WARNING):
        (row,) = rows(pull(exports.parent))
    assert row["utm_source"] is None
    assert "nobody reads: mood" in caplog.text
    assert "geo" not in caplog.text


def test_touches_only_where_they_are_asked_for(exports: Path) -> None:
    given = {"ga_session_id": 1795165200, "page_location": f"{SITE}/?gclid=Cj0"}
    write_day(exports, [event("session_start", params=given), event("page_view", params=given)])
    assert rows(pull(exports.parent), "touches") == []
    (touch,) = rows(pull(exports.parent, touches=True), "touches")
    assert (touch["click_id"], touch["is_bounce"]) == ("Cj0", True)


def test_an_event_without_a_time_is_handed_on_to_be_set_aside(exports: Path) -> None:
    timeless = {**event(params={"event_id": "e1"}), "event_timestamp": None}
    write_day(exports, [timeless, event(params={"event_id": "e2"})])
    found = rows(pull(exports.parent))
    assert {row["event_id"]: row["occurred_at"] is None for row in found} == {
        "e1": True,
        "e2": False,
    }


def _damaged(kind: str) -> tuple[str, bytes]:
    good = (json.dumps({**event(), "event_timestamp": "1"}) + "\n").encode() * 200
    return {
        "cut_json": ("events_20261120.jsonl", good[:-40]),
        "cut_gzip": ("events_20261120.jsonl.gz", gzip.compress(good)[:-20]),
        "cut_parquet": ("events_20261120.parquet", b"PAR1" + b"x" * 40),
        "web_page": ("events_20261120.json", b"<html>please sign in maria@example.com</html>"),
        "csv": ("events_20261120.jsonl", b"event_name,event_date\ngenerate_lead,20261120\n"),
        "text_for_a_number": (
            "events_20261120.jsonl",
            good + good.splitlines()[0].replace(b'"1"', b'"maria@example.com"') + b"\n",
        ),
        "another_table": ("events_20261120.jsonl", b'{"user_pseudo_id": "1", "lifetime": "2"}\n'),
        "another_day": ("events_20261120.jsonl", good.replace(b"20261120", b"20261119")),
        "not_utf_8": ("events_20261120.jsonl", good.replace(b"generate_lead", b"\xff\xfe")),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("cut_json", "cannot be read"),
        ("cut_gzip", "cut off"),
        ("cut_parquet", "cut off"),
        ("web_page", "cannot be read"),
        ("csv", "cannot be read"),
        ("text_for_a_number", "not what GA4 writes"),
        ("another_table", "no GA4 export"),
        ("another_day", "another day"),
        ("not_utf_8", "cannot be read"),
    ],
)
def test_a_damaged_file_is_refused_whole_and_without_its_content(
    kind: str, said: str, exports: Path
) -> None:
    name, data = _damaged(kind)
    (exports / name).write_bytes(data)
    with pytest.raises(PermanentError) as caught:
        pull(exports.parent, submission_events=["generate_lead"])
    assert said in str(caught.value)
    assert "maria" not in str(caught.value)
    assert name in caught.value.where


def test_a_file_that_changes_under_the_reader_is_not_loaded(
    exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_day(exports, [event()])
    really = files.read_day

    def read_while_it_grows(*args: Any, **options: Any) -> None:
        really(*args, **options)
        with path.open("a") as file:
            file.write("{}\n")

    monkeypatch.setattr(files, "read_day", read_while_it_grows)
    with pytest.raises(RetriableError, match="changed while it was read"):
        pull(exports.parent)


def test_many_rows_come_in_pieces(exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of a big property does not fit into memory: rows are handed out as they come."""
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select '20261120' as event_date, cast(1795165200000000 + i as varchar) as "
            "event_timestamp, 'generate_lead' as event_name, [{'key': 'event_id', 'value': "
            "{'string_value': 'e' || i}}] as event_params from range(120000) as t(i)) "
            f"to '{exports / 'events_20261120.jsonl'}' (format json)"
        )
    batches = pull(exports.parent)
    sizes = [batch.columns.num_rows for batch in batches if batch.columns is not None]
    assert sum(sizes) == 120_000
    assert max(sizes) <= files.BATCH_RECORDS
    assert len(sizes) > 2
    assert len({row["event_id"] for row in rows(batches)}) == 120_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"export": "files"},
        {"export": "files", "folder": "x", "dataset": "analytics_1"},
        {"export": "bigquery", "folder": "x"},
        {"export": "bigquery"},
        {"export": "bigquery", "dataset": "a`b.c"},
        {"export": "files", "folder": "x", "property_time_zone": "Berlin"},
        {"export": "files", "folder": "x", "reload_days": 0},
        {"export": "files", "folder": "x", "submission_events": []},
        {"export": "files", "folder": "x", "submission_events": ["a,b"]},
        {"export": "files", "folder": "x", "user_id": True},
    ],
)
def test_settings_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Ga4Settings.model_validate({"type": "ga4", **wrong})
