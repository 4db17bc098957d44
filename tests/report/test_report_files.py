"""JSON and CSV: every digit as computed, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from trueline.report.files import to_csv, to_json
from trueline.report.headline import headline


@pytest.fixture(scope="module")
def report(demo_reader):
    return headline(demo_reader, "campaign")


def test_json_keeps_every_digit(report):
    read = json.loads(to_json(report), parse_float=Decimal, parse_int=Decimal)
    assert len(read["rows"]) == len(report.rows)
    for told, row in zip(
        (*read["rows"], read["totals"]), (*report.rows, report.totals), strict=True
    ):
        assert list(told) == list(row)
        for name, value in row.items():
            assert told[name] == value, name
    assert read["by"] == "campaign"
    assert read["provenance"]["as_of"] == "2026-11-23T06:00:00+00:00"
    assert read["provenance"]["published_at"] is None


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        ("0.333333333", "0.333333333"),
        ("12.500000000", "12.5"),
        ("1200", "1200"),
        ("0E-9", "0"),
        ("-0.000000000", "0"),
        ("1E+3", "1000"),
        ("99999999999999999999999999999.999999999", "99999999999999999999999999999.999999999"),
        ("-0.000000001", "-0.000000001"),
    ],
)
def test_a_figure_is_written_as_plain_digits(report, figure, text):
    changed = replace(report, rows=[report.rows[0] | {"spend_amount": Decimal(figure)}])
    assert f'"spend_amount": {text},' in to_json(changed)
    cell = next(csv.DictReader(io.StringIO(to_csv(changed))))["spend_amount"]
    assert cell == text


def test_a_figure_that_is_none_is_null_and_an_empty_cell(report):
    organic = next(row for row in report.rows if row["platform"] == "organic_search")
    only = replace(report, rows=[organic])
    assert '"cost_per_pixel_conversion": null' in to_json(only)
    cells = next(csv.DictReader(io.StringIO(to_csv(only))))
    assert cells["cost_per_pixel_conversion"] == ""


def test_not_a_number_is_never_written(report):
    broken = replace(report, rows=[report.rows[0] | {"roas": Decimal("NaN")}])
    with pytest.raises(ValueError, match="not finite"):
        to_json(broken)


@pytest.mark.parametrize(
    "name", ["=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]
)
def test_a_campaign_name_cannot_become_a_formula(report, name):
    renamed = replace(report, rows=[report.rows[0] | {"campaign_name": name}])
    cells = next(csv.DictReader(io.StringIO(to_csv(renamed), newline="")))
    assert cells["campaign_name"] == f"'{name}"


def test_negative_figures_stay_numbers(report):
    negative = replace(report, rows=[report.rows[0] | {"day_shift": Decimal("-3")}])
    assert next(csv.DictReader(io.StringIO(to_csv(negative))))["day_shift"] == "-3"


def test_names_with_commas_quotes_and_line_breaks_survive(report):
    name = 'Spring, "big"\nnext'
    renamed = replace(report, rows=[report.rows[0] | {"campaign_name": name}])
    assert next(csv.DictReader(io.StringIO(to_csv(renamed), newline="")))["campaign_name"] == name
    assert json.loads(to_json(renamed))["rows"][0]["campaign_name"] == name
