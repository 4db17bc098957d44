"""The terminal table: readable, complete at any width, inert whatever a campaign is called."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from trueline.report import figures
from trueline.report.headline import headline
from trueline.report.table import print_report
from trueline.report.words import campaign_label


def _printed(report, width: int) -> str:
    text = io.StringIO()
    print_report(report, Console(file=text, width=width, highlight=False))
    return text.getvalue()


@pytest.mark.parametrize("by", ["channel", "campaign", "week", "month"])
@pytest.mark.parametrize("width", [140, 80])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_cut(demo_reader, by, width):
    report = headline(demo_reader, by)
    text = _printed(report, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for row in (*report.rows, report.totals):
        for value in (row["real_leads"], row["qualified_leads"]):
            assert re.search(rf"(?<![\d,.]){re.escape(figures.count(value))}(?![\d,])", text)
        spend = row["spend_amount"]
        assert figures.money(spend) in text


def test_a_wide_terminal_shows_the_funnel_in_one_table(demo_reader):
    text = _printed(headline(demo_reader, "campaign"), 140)
    (line,) = [line for line in text.splitlines() if "69,639" in line]
    figures_read = " ".join(line.split()[-14:])
    assert figures_read == (
        "399.7 310.8 145.5 80.7 174 224 479 863 (717–1,047) 77.8% 46.8% 55.4% 7.1× –"
    )


def test_a_pipe_gets_plain_text_of_full_width(demo_reader, capsys):
    print_report(headline(demo_reader, "channel"))
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert any("Google Ads" in line and "8.4×" in line for line in text.splitlines())


def test_what_no_platform_claims_and_what_nothing_was_spent_on_is_a_dash(demo_reader):
    text = _printed(headline(demo_reader, "channel"), 140)
    cells = next(line for line in text.splitlines() if line.startswith("Organic search")).split()
    assert cells[2:4] == ["0", figures.DASH]
    assert cells[7:12] == [figures.DASH] * 5


def test_a_campaign_name_cannot_speak_to_the_terminal(demo_reader):
    report = headline(demo_reader, "campaign")
    evil = "[red]x[/red] \x1b[2J\u202e\r\nend"
    first = report.rows[0] | {"campaign_name": evil}
    text = _printed(replace(report, rows=[first, *report.rows[1:]]), 140)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]x[/red]" in text


@pytest.mark.parametrize(
    ("platform", "campaign_id", "name", "label"),
    [
        ("google_ads", "1", "Spring", "Spring"),
        ("google_ads", "1", None, "1"),
        ("google_ads", "unknown", None, "Google Ads, unknown"),
        ("unknown", "unknown", None, "Unknown"),
        ("email", "(none)", None, "E-mail"),
        ("carrier_pigeon", "(none)", None, "carrier_pigeon"),
    ],
)
def test_every_row_has_a_name_for_people(platform, campaign_id, name, label):
    row = {"platform": platform, "campaign_id": campaign_id, "campaign_name": name}
    assert campaign_label(row) == label


@pytest.mark.parametrize(
    ("value", "count", "change", "money", "cost", "rate"),
    [
        (None, "–", "–", "–", "–", "–"),
        ("0", "0", "–", "0", "0.00", "0.0%"),
        ("1234567.25", "1,234,567.3", "+1,234,567.3", "1,234,567", "1,234,567", "123,456,725.0%"),
        ("-4", "−4", "−4", "−4", "−4.00", "−400.0%"),
        ("0.04", "0", "0", "0", "0.04", "4.0%"),
        ("99.999", "100", "+100", "100", "100.00", "9,999.9%"),
    ],
)
def test_figures_are_rounded_for_people(value, count, change, money, cost, rate):
    figure = None if value is None else Decimal(value)
    assert figures.count(figure) == count
    assert figures.change(figure) == change
    assert figures.money(figure) == money
    assert figures.cost(figure) == cost
    assert figures.rate(figure) == rate
