"""The fast reader gives exactly what reading row by row gives, however dirty the table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.sources.careful_reader import Read, Refused, plain, read_carefully
from tests.sources.conftest import Folder, as_records
from trueline.errors import PermanentError
from trueline.sources.files import bytes_feed, csv_blocks, source
from trueline.sources.files.local_time import to_utc
from trueline.sources.files.mapping import FileMapping, load_mapping
from trueline.sources.files.rows import extra_json
from trueline.windows import Window

LEADS = """
kind: crm_leads
format: csv
constants: {crm: paper}
null_tokens: ["-", "k. A."]
fields:
  crm_record_id: Id
  crm_created_at: Created
  updated_at: {column: Changed, format: "%d.%m.%Y %H:%M"}
  email: Mail
  phone: Phone
  page_url: Page
  click_id: Click
  lead_score: Score
  consent_ad_user_data: Consent
  is_test: {column: Test, values: {Ja: true, Nein: false}}
drop: [Secret]
"""
LEAD_COLUMNS = [
    "Id",
    "Created",
    "Changed",
    "Mail",
    "Phone",
    "Page",
    "Click",
    "Score",
    "Consent",
    "Test",
    "Note",
    "Secret",
]
REPORT = """
kind: ad_report
format: csv
decimal: ","
thousands: "."
null_tokens: ["--"]
constants: {platform: linkedin_ads, claim_basis: conversion_date}
ignore_rows: {begin_with: ["Total"]}
fields:
  account_id: Konto
  campaign_id: Kampagne
  platform_date: {column: Tag, format: "%d.%m.%Y"}
  cost_micros: {column: Kosten, multiply: 1000000}
  clicks: Klicks
  currency_code: Geld
  conversion_action: {column: Aktion, required: false}
  pixel_conversions: {column: Anzahl, required: false}
"""
REPORT_COLUMNS = ["Konto", "Kampagne", "Tag", "Kosten", "Klicks", "Geld", "Aktion", "Anzahl"]

BERLIN = "Europe/Berlin"
CLEAN: dict[str, list[str]] = {
    "Created": ["2026-10-01T08:00:00Z", "2026-10-25 02:30", "2026-10-01T08:00:00.5+02:00"],
    "Changed": ["01.10.2026 08:00", "29.03.2026 02:30", "31.12.2026 23:59"],
    "Mail": ["anna@example.org", "BEN+x@Example.ORG", ""],
    "Phone": ["+49 30 1234567", "", "030/123"],
    "Page": [
        "https://a.example/x?utm_source=g&gclid=Cj0KCQabc_-9&utm_campaign=c%201#top",
        "/p?fbclid=IwAR1&gclid=Cj1&email=a@b.de",
        "/plain",
    ],
    "Click": ["Cj0KCQabcDEF_-1", "", "EAIaIQobChMI"],
    "Score": ["1", "-0.5", "12345678.123456789"],
    "Test": ["Ja", "nein", "true"],
    "Konto": ["77", "88"],
    "Kampagne": ["c1", "c2", "c3"],
    "Tag": ["01.10.2026", "02.10.2026"],
    "Kosten": ["1.234,56", "0,1", "-5"],
    "Klicks": ["1.000", "7"],
    "Geld": ["EUR", "usd"],
    "Aktion": ["lead", "--", ""],
    "Anzahl": ["2,33", "1", "--"],
}
DIRTY = [
    "",
    " ",
    "-",
    "k. A.",
    "\u00a0",
    "\u200bx\ufeff",
    "\x1c",
    "NaN",
    "inf",
    "1e5",
    "1.0",
    "+7",
    "-0",
    "1,5",
    "1.234,567891",
    "1.20210E+17",
    "8.0",
    "00123",
    "'00123",
    "0x1F",
    "١٢",
    "²",
    "12%",
    "(5)",
    "2026-02-30",
    "2026-10-01",
    "2026-10-01T24:00:00Z",
    "1900-01-01 00:00",
    "2101-01-01T00:00:00Z",
    "2026-03-29 02:30",
    "2026-10-25T02:30:00",
    "2026-10-01T08:00:00+0200",
    "2026-10-01 08:00:00 Z",
    "29.02.2026 10:00",
    "1.1.2026 8:00",
    "31.12.1989 10:00",
    "01.01.1991 00:00",
    "32.01.2026",
    "a@b",
    "a@b.de; c@d.de",
    "mailto:x@y.de",
    "n/a",
    "test@test.com",
    '"quoted"',
    "line\nbreak",
    "crlf\r\nbreak",
    "tab\tbed",
    "back\\slash",
    "Möbel",
    "😀",
    "\u202egnp.exe",
    "=HYPERLINK(1)",
    "<script>",
    "gclid=Cj0abc&gad_source=1",
    "cj0kcqabc",
    "Cj0%2Babc",
    "Cj0a, Cj0b",
    "A" * 100,
    "https://x.example/?gclid=a%20b&gclid=c",
    "/p?GCLID=Q&gclid=R",
    "//[bad",
    "/a&gclid=x?gclid=y",
    "?gclid=Cj0a@b",
    "/p?fbclid=&gclid=z&utm_campaign=anna%40b.de",
    "fb.1.1790000000123.IwARabcdefg",
    "/p?wbraid=a+b",
    "/p?gclid=Cj+x&utm_id=5",
    "/p?gclid=Cj&gbraid=0A&utm_id=gclid=1",
    "1234567890" * 3,
    "0.1234567891",
    "12345678901,5",
    "9223372036854.775807",
    "9223372036854775808",
    "-1",
    "1.000.000",
    "Total 5",
    "total",
    "NULL",
    "True",
    "yes",
    "x" * 3000,
    "EURO",
    "Eur",
    "1e+400",
]


def clean(name: str) -> list[str]:
    return CLEAN.get(name, ["a", "b c", "ü"])


def column(name: str) -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(clean(name)), st.sampled_from(DIRTY), st.text(max_size=6))


def table(columns: list[str]) -> st.SearchStrategy[list[list[str]]]:
    """Rows of clean cells, most with one that is not; some with cells too few or too many."""

    def soiled(row: list[str], place: int, cell: str) -> list[str]:
        return [*row[:place], cell, *row[place + 1 :]]

    pure = st.tuples(*(st.sampled_from(clean(name)) for name in columns)).map(list)
    cell = st.one_of(st.sampled_from(DIRTY), st.text(max_size=8))
    dirty = st.builds(soiled, pure, st.integers(0, len(columns) - 1), cell)
    ragged = st.builds(lambda row, size: (row * 2)[:size], dirty, st.integers(0, len(columns) + 2))
    return st.lists(st.one_of(pure, dirty, dirty, dirty, ragged), max_size=12)


def text_of(columns: list[str], rows: list[list[str]], *, quoting: Any, end: str) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=quoting, lineterminator=end)
    writer.writerow(columns)
    for number, row in enumerate(rows):
        named = [
            f"{number}" if name == "Id" and cell == "a" else cell
            for name, cell in zip(columns, row, strict=False)
        ]
        writer.writerow([*named, *row[len(columns) :]])
    return out.getvalue()


@contextmanager
def in_small_blocks(size: int) -> Iterator[None]:
    with (
        patch.object(csv_blocks, "BLOCK_BYTES", size),
        patch.object(bytes_feed, "PIECE_BYTES", max(64, size // 3)),
        patch.object(source, "JUDGED_FROM_ROWS", 10**9),
    ):
        yield


def read_fast(folder: Folder, name: str) -> Read:
    read = Read()
    try:
        batches = as_records(
            folder.source(name).pull(Window(date(2026, 10, 1), date(2026, 10, 31)))
        )
    except PermanentError as error:
        raise Refused(str(error)) from None
    for batch in batches:
        for row in sorted(batch.records, key=lambda row: row.line):
            values = {key: plain(value) for key, value in row.values.items() if value is not None}
            kept = (row.line, values, extra_json(dict(row.extra)))
            read.rows.setdefault(batch.table, []).append(kept)
        for error in batch.errors:
            told = (error.line, error.column, error.reason, error.raw_row)
            read.errors.setdefault(batch.table, []).append(told)
    return read


def assert_equal(folder: Folder, name: str) -> Read | None:
    mapping = load_mapping(folder.path / "mapping.yaml")
    try:
        expected = read_carefully(folder.path / name, mapping, "Europe/Berlin")
    except Refused:
        with pytest.raises(Refused):
            read_fast(folder, name)
        return None
    except PermanentError as error:
        with pytest.raises(Refused, match=error.what[:20]):
            read_fast(folder, name)
        return None
    found = read_fast(folder, name)
    assert found == expected
    return found


SETTINGS = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ends = st.sampled_from(["\n", "\r\n"])
quotings = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
blocks = st.sampled_from([200, 1_000, 1 << 20])


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize(("mapping", "columns"), [(LEADS, LEAD_COLUMNS), (REPORT, REPORT_COLUMNS)])
def test_every_dirty_cell_in_every_column(folder, mapping, columns, quoting) -> None:
    folder.mapping(mapping)
    rows = []
    for place in range(len(columns)):
        for cell in DIRTY:
            rows.append([clean(name)[0] for name in columns])
            rows[-1][1] = f"c{len(rows)}" if mapping is REPORT else rows[-1][1]
            if columns[place] == "Page":  # else a click id of its own goes first
                rows[-1][columns.index("Click")] = ""
            rows[-1][place] = cell
    folder.file("t.csv", text_of(columns, rows, quoting=quoting, end="\n"))
    with in_small_blocks(1 << 20):
        found = assert_equal(folder, "t.csv")
    assert found is not None
    assert sum(map(len, found.errors.values())) > 100
    assert sum(map(len, found.rows.values())) > 100


@SETTINGS
@given(table(LEAD_COLUMNS), quotings, ends, blocks)
def test_dirty_leads(folder, rows, quoting, end, block) -> None:
    folder.mapping(LEADS)
    text = text_of(LEAD_COLUMNS, rows, quoting=quoting, end=end)
    folder.file("t.csv", text.encode("utf-8", "surrogatepass"))
    with in_small_blocks(block):
        assert_equal(folder, "t.csv")


@SETTINGS
@given(table(REPORT_COLUMNS), quotings, ends, blocks)
def test_dirty_ad_reports(folder, rows, quoting, end, block) -> None:
    folder.mapping(REPORT)
    text = text_of(REPORT_COLUMNS, rows, quoting=quoting, end=end)
    folder.file("t.csv", text.encode("utf-8", "surrogatepass"))
    with in_small_blocks(block):
        assert_equal(folder, "t.csv")


@SETTINGS
@given(st.binary(max_size=300), blocks)
@example(b'1,"2026-10-01T08:00:00Z"x\n', 200)
@example(b'1,2026-10-01T08:00:00Z,"a\nb', 200)
@example(b"1\r2\r3\r", 200)
@example(b'1,2026-10-01T08:00:00Z,say "hi",b\n', 200)
def test_any_bytes_behind_a_header(folder, tail, block) -> None:
    folder.mapping(LEADS)
    alphabet = b'1,"\n\rab;2026-10-01T08:00Z\xc3\xbc\xff\0 '
    data = bytes(alphabet[byte % len(alphabet)] for byte in tail)
    folder.file("t.csv", (",".join(LEAD_COLUMNS) + "\n").encode() + data)
    with in_small_blocks(block):
        assert_equal(folder, "t.csv")


def test_the_plain_rows_of_a_large_table_do_not_go_row_by_row(folder) -> None:
    folder.mapping(LEADS)
    row = (
        "{n},2026-10-01T08:00:00Z,01.10.2026 08:00,p{n}@x.de,+49 30 {n},/p?gclid=Cj0{n},"
        'Cj{n},{n},y,Ja,"a ""b""\nc",s\n'
    )
    text = ",".join(LEAD_COLUMNS) + "\n" + "".join(row.format(n=n) for n in range(5_000))
    folder.file("t.csv", text)
    with patch("trueline.sources.files.csv_table.csv.reader", wraps=csv.reader) as reader:
        found = read_fast(folder, "t.csv")
    assert len(found.rows["crm_leads"]) == 5_000
    assert reader.call_count < 10
    assert assert_equal(folder, "t.csv") is not None


PARQUET = LEADS.replace("format: csv", "format: parquet").replace(
    '{column: Changed, format: "%d.%m.%Y %H:%M"}', "Changed"
)


@settings(SETTINGS, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(-(2**63), 2**63 - 1), st.none()),
            st.datetimes(datetime(1985, 1, 1), datetime(2110, 1, 1)),
            st.one_of(st.none(), st.datetimes(datetime(1985, 1, 1), datetime(2110, 1, 1))),
            column("Mail"),
            st.one_of(st.none(), st.floats()),
            st.one_of(st.none(), st.decimals(-(10**9), 10**9, places=3)),
            st.one_of(st.none(), st.booleans()),
            st.lists(st.integers(0, 99), max_size=2),
        ),
        max_size=8,
    )
)
def test_any_parquet_file(folder, rows) -> None:
    folder.mapping(PARQUET)
    columns = list(zip(*rows, strict=True)) or [[]] * 8
    text = [cell.encode("utf-8", "replace").decode() for cell in columns[3]]
    names = ["Id", "Created", "Changed", "Mail", "Score", "Note", "Test", "Tags"]
    types = [
        pa.int64(),
        pa.timestamp("us", "Europe/Berlin"),
        pa.timestamp("us"),
        pa.string(),
        pa.float64(),
        pa.decimal128(20, 3),
        pa.bool_(),
        pa.list_(pa.int64()),
    ]
    series = [columns[0], columns[1], columns[2], text, *columns[4:]]
    arrays = [pa.array(list(each), kind) for each, kind in zip(series, types, strict=True)]
    others = {
        name: pa.array([None] * len(rows), pa.string())
        for name in ("Phone", "Page", "Click", "Consent")
    }
    pq.write_table(
        pa.table({**dict(zip(names, arrays, strict=True)), **others}), folder.path / "t.parquet"
    )
    with patch.object(source, "JUDGED_FROM_ROWS", 10**9):
        assert_equal(folder, "t.parquet")


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.datetimes(datetime(1991, 1, 1), datetime(2099, 12, 31)), min_size=1, max_size=5),
    st.sampled_from(
        [
            "Europe/Berlin",
            "America/St_Johns",
            "Australia/Lord_Howe",
            "Africa/Casablanca",
            "Asia/Kolkata",
        ]
    ),
)
@example([datetime(2026, 3, 29, hour, minute) for hour in (1, 2, 3) for minute in (0, 30)], BERLIN)
@example([datetime(2026, 10, 25, hour, minute) for hour in (1, 2, 3) for minute in (0, 30)], BERLIN)
def test_local_times_are_those_of_python(moments, zone) -> None:
    found = to_utc(pa.array(moments, pa.timestamp("us")), zone).to_pylist()
    assert found == [moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for moment in moments]


def test_no_mapping_field_is_read_by_a_shortcut_that_does_not_know_it() -> None:
    """A rule with more than a column, a format and a factor is read cell by cell."""
    from trueline.sources.files.mapping import FieldRule
    from trueline.sources.files.vectors import _PLAIN_RULE

    assert FieldRule.model_fields.keys() - _PLAIN_RULE == {"values", "first_of", "remove"}
    assert Decimal(FileMapping.model_fields["skip_rows"].default) == 0
