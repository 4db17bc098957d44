"""Workbooks: what a spreadsheet does to ids, days and formulas is told, never taken for a value."""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.sources.conftest import Folder
from trueline.errors import PermanentError
from trueline.sources.files import excel_table

MAPPING = """
kind: ad_report
format: excel
decimal: ","
thousands: "."
constants: {platform: linkedin_ads, account_id: "77"}
fields:
  campaign_id: Campaign
  campaign_name: {column: Name, required: false}
  platform_date: Day
  cost_micros: {column: Cost, multiply: 1000000}
  clicks: {column: Clicks, required: false}
"""
HEADER = ["Campaign", "Name", "Day", "Cost", "Clicks"]
DAY = date(2026, 10, 1)


def book(path: Path, *rows: list[Any], **sheets: list[list[Any]]) -> openpyxl.Workbook:
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    for name, content in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in content:
            sheet.append(row)
    workbook.save(path)
    return workbook


def test_numbers_and_days_arrive_exactly_whatever_the_mappings_decimal_sign(folder: Folder) -> None:
    folder.mapping(MAPPING)
    book(
        folder.path / "r.xlsx",
        HEADER,
        [2**53 - 1, "A", DAY, 1.234, 1000],
        ["00123", "B", datetime(2026, 10, 2), "1.234,5", None],
        [5.0, None, DAY, 0.1, 0],
        [None] * 5,
    )
    (batch,) = folder.pull("r.xlsx")
    values = [
        (row.values["campaign_id"], row.values["platform_date"], row.values["cost_micros"])
        for row in batch.records
    ]
    assert values == [
        ("9007199254740991", DAY, 1_234_000),
        ("00123", date(2026, 10, 2), 1_234_500_000),
        ("5", DAY, 100_000),
    ]
    assert [row.values["clicks"] for row in batch.records] == [1000, None, 0]
    assert [row.line for row in batch.records] == [2, 3, 4]


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ([2**53, "A", DAY, 1, 1], "campaign_id", "excel_precision_lost"),
        ([120210000000000017, "A", DAY, 1, 1], "campaign_id", "excel_precision_lost"),
        (["c", "A", DAY, "#REF!", 1], "cost_micros", "excel_error"),
        (["#N/A", "A", DAY, 1, 1], "campaign_id", "excel_error"),
        (["c", "A", DAY, "=1+1", 1], "cost_micros", "excel_formula_without_value"),
        (["c", "A", datetime(2026, 10, 1, 8), 1, 1], "platform_date", "bad_date"),
        (["c", "A", 46023, 1, 1], "platform_date", "bad_date"),
        (["c", "A", timedelta(hours=30), 1, 1], "platform_date", "bad_date"),
        (["c", "A", date(1900, 1, 1), 1, 1], "platform_date", "implausible_date"),
        (["c", "A", DAY, 1, 1.5], "clicks", "bad_integer"),
        (["c", "A", DAY, 1, 1, "x"], None, "too_many_columns"),
        (["c", "A", DAY, None, None], None, "no_measure"),
    ],
)
def test_a_spoiled_cell_sets_its_row_aside(folder, cells, column, reason) -> None:
    folder.mapping(MAPPING)
    book(folder.path / "r.xlsx", HEADER, ["good", "A", DAY, 1, 1], cells)
    (batch,) = folder.pull("r.xlsx")
    assert [row.values["campaign_id"] for row in batch.records] == ["good"]
    assert [(error.line, error.column, error.reason) for error in batch.errors] == [
        (3, column, reason)
    ]


def test_a_command_of_a_spreadsheet_is_no_value(folder) -> None:
    folder.mapping(MAPPING)
    book(folder.path / "r.xlsx", HEADER, ["c", '=HYPERLINK("http://x")', DAY, 1, 1])
    (batch,) = folder.pull("r.xlsx")
    assert [(error.column, error.reason) for error in batch.errors] == [
        ("campaign_name", "excel_formula_without_value")
    ]


def test_a_cell_merged_over_rows_counts_once_and_is_told(folder) -> None:
    folder.mapping(MAPPING)
    workbook = book(folder.path / "r.xlsx", HEADER, ["a", "A", DAY, 5, 1], ["b", "B", DAY, None, 1])
    workbook.active.merge_cells("D2:D3")
    workbook.save(folder.path / "r.xlsx")
    (batch,) = folder.pull("r.xlsx")
    assert [row.values["cost_micros"] for row in batch.records] == [5_000_000]
    assert [(error.line, error.reason) for error in batch.errors] == [(3, "excel_merged_cell")]


def test_the_sheet_is_named_or_the_first_one_that_is_seen(folder) -> None:
    path = folder.path / "r.xlsx"
    workbook = book(
        path, ["nothing"], Data=[HEADER, ["d", "A", DAY, 1, 1]], Old=[HEADER, ["o", "A", DAY, 1, 1]]
    )
    workbook.worksheets[0].sheet_state = "hidden"
    workbook.active = 1
    workbook.save(path)
    for sheet, found in (
        ("", "d"),
        ("sheet: Old\n", "o"),
        ("sheet: 3\n", "o"),
        ("sheet: 2\n", "d"),
    ):
        folder.mapping(MAPPING + sheet)
        (batch,) = folder.pull("r.xlsx")
        assert batch.records[0].values["campaign_id"] == found
    folder.mapping(MAPPING + "sheet: New\n")
    with pytest.raises(PermanentError, match=r"no sheet 'New'\. Sheets: 'Sheet', 'Data', 'Old'"):
        folder.pull("r.xlsx")


def test_titles_above_and_sums_below_are_no_data(folder) -> None:
    folder.mapping(MAPPING + "header_row: find\nignore_rows: {begin_with: [total]}\n")
    book(
        folder.path / "r.xlsx",
        ["Report of October"],
        [],
        HEADER,
        ["c", "A", DAY, 1, 1],
        ["Total", None, None, 1],
    )
    (batch,) = folder.pull("r.xlsx")
    assert [row.line for row in batch.records] == [4]
    assert not batch.errors


def test_a_missing_column_is_named(folder) -> None:
    folder.mapping(MAPPING)
    book(folder.path / "r.xlsx", HEADER[:3])
    with pytest.raises(PermanentError, match=r"'Cost' .for cost_micros. is missing"):
        folder.pull("r.xlsx")


def test_a_day_alone_is_a_moment_only_where_the_mapping_has_a_format(folder) -> None:
    mapping = (
        "kind: crm_leads\nformat: excel\nconstants: {crm: p}\n"
        "fields: {crm_record_id: Id, crm_created_at: %s}\n"
    )
    book(folder.path / "l.xlsx", ["Id", "At"], [7, DAY], [8, datetime(2026, 10, 1, 8)])
    folder.mapping(mapping % "At")
    (batch,) = folder.pull("l.xlsx")
    assert [row.values["crm_created_at"] for row in batch.records] == [
        datetime(2026, 10, 1, 6, tzinfo=UTC)
    ]
    assert [error.reason for error in batch.errors] == ["bad_timestamp"]
    folder.mapping(mapping % '{column: At, format: "%d.%m.%Y"}')
    (batch,) = folder.pull("l.xlsx")
    assert batch.records[0].values["crm_created_at"] == datetime(2026, 9, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "file is empty"),
        (b"Campaign,Day\n", "not an Excel workbook"),
        (b"<html>", "not an Excel workbook"),
        (b"PK\x03\x04 and nothing more", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "damaged"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le") * 40,
            "protected by a password",
        ),
    ],
)
def test_what_is_no_workbook_is_refused(folder, content, told) -> None:
    folder.mapping(MAPPING)
    folder.file("r.xlsx", content)
    with pytest.raises(PermanentError, match=told):
        folder.pull("r.xlsx")


def test_a_workbook_cut_while_it_was_copied_is_refused(folder) -> None:
    folder.mapping(MAPPING)
    book(folder.path / "r.xlsx", HEADER, *(["c", "A", DAY, 1, 1] for _ in range(500)))
    content = (folder.path / "r.xlsx").read_bytes()
    folder.file("r.xlsx", content[: len(content) // 2])
    with pytest.raises(PermanentError, match="damaged"):
        folder.pull("r.xlsx")


def test_bombs_are_refused_before_they_are_unpacked(folder, monkeypatch) -> None:
    folder.mapping(MAPPING)
    path = folder.path / "r.xlsx"
    book(path, HEADER, ["c", "A", DAY, 1, 1])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/media/big.bin", bytes(3_000_000))
    monkeypatch.setattr(excel_table, "MAX_UNPACKED_BYTES", 2_000_000)
    with pytest.raises(PermanentError, match="unpacks to 2 MB"):
        folder.pull("r.xlsx")


def test_a_cell_at_the_end_of_the_sheet_does_not_fill_the_memory(folder) -> None:
    folder.mapping(MAPPING)
    workbook = book(folder.path / "r.xlsx", HEADER, ["c", "A", DAY, 1, 1])
    workbook.active["XFD1048576"] = 1
    workbook.save(folder.path / "r.xlsx")
    with pytest.raises(PermanentError, match="spans 1,048,576 rows and 16,384 columns"):
        folder.pull("r.xlsx")


def test_another_zip_archive_is_not_unpacked(folder) -> None:
    folder.mapping(MAPPING)
    with zipfile.ZipFile(folder.path / "r.xlsx", "w") as parts:
        parts.writestr("export.csv", "Campaign,Day\n")
    with pytest.raises(PermanentError, match=r"not an \.xlsx workbook"):
        folder.pull("r.xlsx")


def test_the_quarantine_keeps_what_was_shown(folder) -> None:
    folder.mapping(MAPPING)
    book(folder.path / "r.xlsx", HEADER, ["c", "A", DAY, "#DIV/0!", 1.5])
    (batch,) = folder.pull("r.xlsx")
    assert "#DIV/0!" in batch.errors[0].raw_row
    assert Decimal("1.5") == Decimal(batch.errors[0].raw_row.split('"clicks": "')[1][:3])
