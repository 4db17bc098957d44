"""Files as they really come: each kind of damage is named, and nothing is guessed or lost."""

from __future__ import annotations

import gzip
import os
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sources.conftest import NOW, WINDOW
from trueline.errors import ConfigurationError, PermanentError, RetriableError

LEADS = """
kind: crm_leads
format: csv
constants: {crm: paper}
fields:
  crm_record_id: Id
  crm_created_at: {column: Created, format: "%d.%m.%Y %H:%M"}
  email: E-Mail
  segment: Segment
"""
HEADER = "Id,Created,E-Mail,Segment\n"
GOOD = "007,01.10.2026 08:00,anna@example.org,retail\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "file is empty"),
        ("   \n \n", "file is empty"),
        ("<!DOCTYPE html><html><title>Sign in</title>", "web page"),
        (b"\xef\xbb\xbf\n  <HTML><body>503", "web page"),
        (b"PK\x03\x04workbook", "spreadsheet or a zip"),
        (HEADER + GOOD + "008,02.10.2026", "cut off: the last line has 2 of 4 columns"),
        (HEADER + GOOD + '008,02.10.2026 08:00,"anna', "cut off: a quoted cell"),
        (HEADER + '008,02.10.2026 08:00,"anna"x,retail\n', "outside the quotes"),
        ("Id,Created,Segment\n" + GOOD, "'E-Mail' (for email) is missing"),
        (HEADER.replace("Segment", "e-mail ") + GOOD, "'E-Mail' is there 2 times"),
        (HEADER.replace(",", ";") + GOOD, "Columns found: 'Id;Created;E-Mail;Segment'"),
        (gzip.compress((HEADER + GOOD * 500).encode(), mtime=0)[:60], "cut off: the gzip stream"),
        ("Id,Created,E-Mail,Segm\xe9nt\n".encode("cp1252"), "header is not utf-8"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(folder, content, told) -> None:
    folder.mapping(LEADS)
    folder.file("leads.csv", content)
    with pytest.raises(PermanentError) as caught:
        folder.pull("leads.csv")
    assert told in str(caught.value)
    assert "leads.csv" in caught.value.where
    assert caught.value.fix
    assert "anna" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (",01.10.2026 08:00,,x", "crm_record_id", "missing_required"),
        ("8,2026-10-01 08:00,,x", "crm_created_at", "bad_timestamp"),
        ("8,31.02.2026 08:00,,x", "crm_created_at", "bad_timestamp"),
        ("8,01.01.1900 00:00,,x", "crm_created_at", "implausible_date"),
        ("8,31.12.9999 00:00,,x", "crm_created_at", "implausible_date"),
        ("1.20210E+17,01.10.2026 08:00,,x", "crm_record_id", "excel_scientific_id"),
        ("8.0,01.10.2026 08:00,,x", "crm_record_id", "float_id"),
        ("8,01.10.2026 08:00", None, "too_few_columns"),
        ("8,01.10.2026 08:00,,x,y", None, "too_many_columns"),
        ("8,01.10.2026 08:00,,x\0y", None, "nul_byte"),
        (b"8,01.10.2026 08:00,,Jos\xe9", None, "bad_encoding"),
        ("Total,,,12", "crm_created_at", "missing_required"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_reason(folder, row, column, reason) -> None:
    folder.mapping(LEADS)
    content = row if isinstance(row, bytes) else row.encode()
    folder.file("leads.csv", HEADER.encode() + GOOD.encode() + content + b"\n" + GOOD.encode())
    (batch,) = folder.pull("leads.csv")
    assert [(error.line, error.column, error.reason) for error in batch.errors] == [
        (3, column, reason)
    ]
    assert len(batch.records) == 2


@pytest.mark.parametrize(
    ("encoding", "in_mapping"), [("utf-8-sig", "utf-8"), ("utf-16", "utf-8"), ("cp1252", "cp1252")]
)
def test_byte_order_marks_are_obeyed_and_other_encodings_must_be_said(
    folder, encoding, in_mapping
) -> None:
    folder.mapping(LEADS + f"encoding: {in_mapping}\n")
    folder.file("leads.csv", (HEADER + GOOD.replace("retail", "Möbel")).encode(encoding))
    (batch,) = folder.pull("leads.csv")
    assert batch.records[0].values["segment"] == "Möbel"


def test_the_usual_oddities_of_good_files_are_read(folder) -> None:
    folder.mapping(LEADS)
    folder.file(
        "leads.csv",
        " ID ,created,E-MAIL,Segment,\r\n"
        '00123,01.10.2026 08:00,\u00a0anna@example.org ,"two\nlines",\r\n'
        ",,,,\r\n"
        "9,25.10.2026 02:30,,NA,",
    )
    (batch,) = folder.pull("leads.csv")
    first, second = (record.values for record in batch.records)
    assert first["crm_record_id"] == "00123"
    assert first["email"] == "anna@example.org"
    assert first["segment"] == "two\nlines"
    assert batch.records[1].line == 5
    assert second["segment"] == "NA"
    assert str(second["crm_created_at"]) == "2026-10-25 00:30:00+00:00"  # the earlier 02:30


def test_a_header_alone_is_a_file_without_rows(folder) -> None:
    folder.mapping(LEADS)
    folder.file("leads.csv", HEADER)
    (batch,) = folder.pull("leads.csv")
    assert (list(batch.records), list(batch.errors), batch.skipped_reason) == ([], [], None)
    assert [found.subject for found in batch.coverage] == ["paper"]


def test_a_mapping_that_does_not_fit_stops_the_file_and_says_why(folder) -> None:
    folder.mapping(LEADS)
    folder.file("leads.csv", HEADER + GOOD * 9 + GOOD.replace("01.10", "10/01") * 11)
    with pytest.raises(PermanentError, match=r"11 of 20 rows.*bad_timestamp in crm_created_at"):
        folder.pull("leads.csv")


def test_the_same_content_is_read_once_and_another_mapping_reads_it_again(folder) -> None:
    folder.mapping(LEADS)
    folder.file("a.csv", HEADER + GOOD)
    folder.file("b.csv", HEADER + GOOD)
    first, second = folder.pull("*.csv")
    assert (first.skipped_reason, second.skipped_reason) == (None, "already_loaded")
    assert first.content_hash == second.content_hash
    known = frozenset({first.content_hash})
    assert [each.skipped_reason for each in folder.pull("a.csv", known=known)] == ["already_loaded"]
    folder.mapping(LEADS + "time_zone: UTC\n")
    assert [each.skipped_reason for each in folder.pull("a.csv", known=known)] == [None]


def test_links_and_paths_out_of_the_folder_are_refused(folder, tmp_path_factory) -> None:
    folder.mapping(LEADS)
    outside = tmp_path_factory.mktemp("outside") / "secret.csv"
    outside.write_text(HEADER + GOOD)
    (folder.path / "link.csv").symlink_to(outside)
    with pytest.raises(ConfigurationError, match="leads out of"):
        folder.pull("link.csv")
    for path in ("../x.csv", "/etc/passwd", "a/../../b"):
        with pytest.raises(ValueError, match="leaves its folder"):
            folder.pull(path)


def test_a_file_that_may_still_be_written_waits_for_the_next_run(folder) -> None:
    folder.mapping(LEADS)
    folder.file("leads.csv", HEADER + GOOD)
    for age, reason in ((30, "not_ready"), (61, None)):
        os.utime(folder.path / "leads.csv", (NOW.timestamp() - age,) * 2)
        (batch,) = folder.pull("leads.csv", settle_seconds=60)
        assert batch.skipped_reason == reason


def test_a_file_is_read_once_its_marker_is_there(folder) -> None:
    folder.mapping(LEADS)
    folder.file("leads.csv", HEADER + GOOD)
    (batch,) = folder.pull("*", required=False, done_marker=".done")[:1]
    assert (batch.file_name, batch.skipped_reason) == ("leads.csv", "not_ready")
    folder.file("leads.csv.done", "")
    (batch,) = folder.pull("leads*", done_marker=".done")
    assert (batch.file_name, batch.skipped_reason, len(batch.records)) == ("leads.csv", None, 1)


def test_a_file_that_grows_while_it_is_read_is_not_loaded(folder) -> None:
    folder.mapping(LEADS)
    folder.file("leads.csv", HEADER + GOOD)
    batches = folder.source("leads.csv").pull(WINDOW)
    next(batches)
    with (folder.path / "leads.csv").open("a") as file:
        file.write(GOOD)
    with pytest.raises(RetriableError, match="changed while it was read"):
        list(batches)


def test_a_new_column_is_kept_and_told_and_a_dropped_one_is_not(folder) -> None:
    folder.mapping(LEADS + "drop: [Secret]\n")
    folder.file("leads.csv", HEADER.strip() + ",Secret,Industry\n" + GOOD.strip() + ",s,energy\n")
    (batch,) = folder.pull("leads.csv")
    assert batch.drift == ("industry",)
    assert batch.records[0].extra == {"industry": "energy"}


def test_a_column_that_changed_its_type_sets_rows_aside_and_then_the_file(folder) -> None:
    folder.mapping(LEADS)
    changed = GOOD.replace("01.10.2026 08:00", "1790000000")
    folder.file("leads.csv", HEADER + GOOD * 19 + changed)
    (batch,) = folder.pull("leads.csv")
    assert (len(batch.records), len(batch.errors)) == (19, 1)
    folder.file("leads.csv", HEADER + GOOD * 8 + changed * 12)
    with pytest.raises(PermanentError, match="12 of 20 rows cannot be read"):
        folder.pull("leads.csv")


def test_a_missing_file_is_an_error_unless_it_may_be_missing(folder) -> None:
    folder.mapping(LEADS)
    with pytest.raises(PermanentError, match="No file matches"):
        folder.pull("leads.csv")
    (batch,) = folder.pull("leads.csv", required=False)
    assert (batch.skipped_reason, batch.file_name) == ("not_there", "leads.csv")


JSONL = """
kind: touches
format: jsonl
fields: {touch_id: id, occurred_at: at, page_url: url, referrer: ref, is_bounce: bounce}
"""


def test_json_lines_keep_every_digit_of_an_id(folder) -> None:
    folder.mapping(JSONL)
    folder.file(
        "t.jsonl",
        '{"id": 120210000000000017, "at": "2026-10-01T00:30:00+02:00", "bounce": true, "n": 1.10}\n'
        '{"id": NaN, "at": "2026-10-01T00:30:00Z"}\n'
        "[1]\n"
        '{"id": "x", "at": "2026-10-01", "bounce": "perhaps"}\n',
    )
    (batch,) = folder.pull("t.jsonl")
    assert batch.records[0].values["touch_id"] == "120210000000000017"
    assert batch.records[0].extra == {"n": "1.10"}
    assert [error.reason for error in batch.errors] == ["bad_json", "bad_json", "bad_timestamp"]


def test_json_lines_cut_in_the_last_line_are_refused(folder) -> None:
    folder.mapping(JSONL)
    folder.file("t.jsonl", '{"id": "1", "at": "2026-10-01T00:30:00Z"}\n{"id": "2", "at"')
    with pytest.raises(PermanentError, match="last line is not whole JSON"):
        folder.pull("t.jsonl")


PARQUET = """
kind: crm_deals
format: parquet
constants: {crm: paper}
fields: {deal_id: deal, crm_record_id: person, deal_amount: amount, deal_created_at: opened}
"""


def _parquet(path: Path) -> None:
    pq.write_table(
        pa.table(
            {
                "deal": pa.array([120210000000000017, 2], pa.int64()),
                "person": ["a", "b"],
                "amount": pa.array([0.1, float("nan")], pa.float64()),
                "opened": pa.array([1_790_000_000_000_000_001] * 2, pa.timestamp("ns", "UTC")),
            }
        ),
        path,
    )


def test_parquet_numbers_and_times_arrive_exactly(folder) -> None:
    folder.mapping(PARQUET)
    _parquet(folder.path / "deals.parquet")
    (batch,) = folder.pull("deals.parquet")
    values = batch.records[0].values
    assert (values["deal_id"], values["deal_amount"]) == ("120210000000000017", Decimal("0.1"))
    assert [(error.column, error.reason) for error in batch.errors] == [
        ("deal_amount", "bad_number")
    ]


def test_a_parquet_file_without_footer_is_refused(folder) -> None:
    folder.mapping(PARQUET)
    _parquet(folder.path / "deals.parquet")
    content = (folder.path / "deals.parquet").read_bytes()
    folder.file("deals.parquet", content[:-20])
    with pytest.raises(PermanentError, match="footer is missing"):
        folder.pull("deals.parquet")


def test_a_gzip_file_is_unpacked_whatever_it_is_called(folder) -> None:
    folder.mapping(LEADS)
    folder.file("leads.csv", gzip.compress((HEADER + GOOD).encode()))
    (batch,) = folder.pull("leads.csv")
    assert len(batch.records) == 1
