"""The report as JSON for programs and CSV for spreadsheets, with every digit it has."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any

from trueline.report.headline import Report

# A spreadsheet runs a cell that starts with one of these; the full-width forms count in some.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def to_json(report: Report) -> str:
    """``{"rows": [...], "totals": {...}, "by": ..., "provenance": {...}}``, one row a line."""
    rows = ",\n  ".join(json_text(row) for row in report.rows)
    return (
        f'{{"rows": [\n  {rows}\n ],\n "totals": {json_text(report.totals)},\n'
        f' "by": {json_text(report.by)},\n "provenance": {json_text(asdict(report.provenance))}}}\n'
    )


def to_csv(report: Report) -> str:
    """Header and rows, without the totals; text that a spreadsheet would run gets a leading quote.

    Write it as ``utf-8-sig`` for people: spreadsheets read plain UTF-8 as something else.
    """
    columns = [name for name, value in report.totals.items() if not isinstance(value, Mapping)]
    return csv_text(columns, report.rows)


def csv_text(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Header and rows; text that a spreadsheet would run gets a leading quote."""
    text = io.StringIO(newline="")
    # With both characters in the line end, a cell that holds either is quoted: a name cannot start
    # a line of its own.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return _digits(value)
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA_STARTS) else text


def json_text(value: Any) -> str:
    """JSON text with Decimal as a number of exactly its digits, which ``json`` cannot write."""
    if isinstance(value, Decimal):
        return _digits(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)}: {json_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(json_text, value)) + "]"
    if isinstance(value, date):
        return json.dumps(value.isoformat())
    return json.dumps(value, ensure_ascii=False)


def _digits(value: Decimal) -> str:
    """Plain digits, no exponent, no trailing zeros: 12.500000000 becomes 12.5."""
    if not value.is_finite():
        raise ValueError("a figure is not finite")
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text
