"""Judgements in the report: each word with the figures that made it, and nothing where none is."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console

from trueline.judgement.health import Health, Sign
from trueline.model.catalog import load_catalog
from trueline.report.files import to_csv, to_json
from trueline.report.headline import headline
from trueline.report.health import health_lines
from trueline.report.html import to_html
from trueline.report.judgement import headline_cost, intervals, judged
from trueline.report.look import look_at
from trueline.report.table import print_report
from trueline.warehouse.ddl import DUCKDB_TYPES
from trueline.warehouse.duckdb import DuckDBReader

TABLE = load_catalog()["marts.campaign_judgements"]
ACCOUNT = "111-222-3333"
COSTS = {
    "cost_per_qualified_lead": 900,
    "cost_per_qualified_lead_low": 610,
    "cost_per_qualified_lead_high": 1400,
    "others_cost_per_qualified_lead": 300,
    "others_cost_per_qualified_lead_low": 280,
    "others_cost_per_qualified_lead_high": 320,
    "cost_per_pixel_conversion": 28,
    "others_cost_per_pixel_conversion": 160,
    "cost_per_qualified_opportunity": 700,
    "cost_per_qualified_opportunity_low": 600,
    "cost_per_qualified_opportunity_high": 800,
    "others_cost_per_qualified_opportunity": 900,
    "others_cost_per_qualified_opportunity_low": 850,
    "others_cost_per_qualified_opportunity_high": 950,
}
EXPECTED = {
    "expected_customers": Decimal("12.4"),
    "expected_customers_low": 9,
    "expected_customers_high": 17,
    "expected_revenue": 240000,
    "expected_revenue_low": 180000,
    "expected_revenue_high": 310000,
}
ROWS: tuple[dict[str, Any], ...] = (
    {"platform": "google_ads", "campaign_id": "2001", "judgement": "scale", "reason": "cheaper"}
    | COSTS
    | EXPECTED,
    {
        "platform": "google_ads",
        "campaign_id": "2002",
        "judgement": "scale",
        "reason": "cheaper_opportunities",
    }
    | COSTS,
    {
        "platform": "google_ads",
        "campaign_id": "2003",
        "judgement": "fix",
        "reason": "dearer",
        "gap": "pixel_to_real",
        "cause": "no_crm_record",
    }
    | COSTS,
    {
        "platform": "meta_ads",
        "campaign_id": "3001",
        "judgement": "burning",
        "reason": "cheap_claims_dear_leads",
        "gap": "real_to_qualified",
        "cause": "spam",
    }
    | COSTS
    | {"cost_per_qualified_lead": None, "cost_per_qualified_lead_high": None},
    {
        "platform": "meta_ads",
        "campaign_id": "3002",
        "judgement": "too_early",
        "reason": "few_leads",
        "threshold": 20,
    }
    | COSTS,
    {
        "platform": "meta_ads",
        "campaign_id": "3003",
        "judgement": "too_early",
        "reason": "immature",
        "threshold": Decimal("0.5"),
    }
    | COSTS,
    # Nothing is spent there: nothing is judged, and something expected all the same.
    {"platform": "email", "campaign_id": "(none)", "account_id": "(none)"} | EXPECTED,
)
HEALTH = Health(
    (
        Sign(
            "contact_rate_falls",
            True,
            "share of leads contacted",
            Decimal("0.9"),
            Decimal("0.7"),
            "Fewer of the leads are contacted at all: sales may have given up on them.",
        ),
        Sign("first_contact_slows", False, "share", Decimal("0.9"), Decimal("0.9"), "No."),
        Sign("more_leads_no_more_revenue", None, "won per real lead", None, None, "Too young."),
    ),
    (date(2026, 9, 1), date(2026, 9, 28)),
    (date(2026, 9, 29), date(2026, 10, 26)),
)


def _reader(path: Path, rows: tuple[Mapping[str, Any], ...]) -> DuckDBReader:
    columns = ", ".join(f"{column.name} {DUCKDB_TYPES[column.type]}" for column in TABLE.columns)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create schema marts; create table {TABLE.key} ({columns})")
        for row in rows:
            full = {"account_id": ACCOUNT, "as_of_date": date(2026, 11, 22), **row}
            connection.execute(
                f"insert into {TABLE.key} ({', '.join(full)}) "
                f"values ({', '.join('?' for _ in full)})",
                list(full.values()),
            )
    return DuckDBReader(path)


@pytest.fixture(scope="module")
def judgements(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBReader]:
    """The newest snapshot, and one of the day before that says something else."""
    old = {"platform": "google_ads", "campaign_id": "2001", "judgement": "burning"}
    reader = _reader(
        tmp_path_factory.mktemp("judged") / "judged.duckdb",
        (*ROWS, {**old, "as_of_date": date(2026, 11, 21)}),
    )
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def report(demo_reader, judgements):
    return judged(judgements, headline(demo_reader, "campaign"))


def _kinds(report) -> list[str]:
    return [remark.kind for remark in look_at(report)]


def test_what_burns_comes_first_and_who_is_too_early_last(report):
    assert _kinds(report) == ["burning", "fix", "scale", "scale", "too_early", "too_early"]


def test_a_burning_campaign_is_told_with_both_prices_and_the_cause(report):
    remark = look_at(report)[0]
    assert remark.subject == "Savings calculator – broad (Meta Ads)"
    assert remark.text == (
        "burning: cheap pixel conversions (EUR 28.00 each, elsewhere 160), but no qualified lead "
        "so far (EUR 610 or more each; other paid campaigns 300 (280–320)); most is lost between "
        "real leads and qualified leads, above all: spam."
    )


def test_a_campaign_to_fix_is_told_where_it_loses(report):
    remark = look_at(report)[1]
    assert "a qualified lead costs EUR 900 (610–1,400)" in remark.text
    assert remark.text.endswith(
        "most is lost between pixel conversions and real leads, above all: never reached the CRM."
    )


def test_a_campaign_scaled_for_its_opportunities_is_told_by_their_price(report):
    texts = [remark.text for remark in look_at(report) if remark.kind == "scale"]
    assert [text.split(" costs")[0] for text in texts] == [
        "scale: a qualified lead",
        "scale: a qualified opportunity",
    ]


def test_who_is_too_early_is_told_what_is_missing(report):
    texts = [remark.text for remark in look_at(report) if remark.kind == "too_early"]
    assert texts == [
        "too early: less than 50.0% of the verdicts can be in.",
        "too early: fewer than 20 real leads with a verdict.",
    ]


def test_campaigns_that_are_alike_are_left_alone(report):
    alike = [row | {"judgement": "keep"} for row in report.rows[:2]]
    (remark,) = look_at(replace(report, rows=alike))
    assert remark.kind == "nothing"


def test_without_a_judgement_nothing_is_said(demo_reader, judgements):
    assert look_at(headline(demo_reader, "campaign")) == []
    assert look_at(judged(judgements, headline(demo_reader, "week"))) == []


def test_a_snapshot_without_judgements_still_gives_a_report(demo_reader, tmp_path):
    empty = _reader(tmp_path / "empty.duckdb", ())
    found = judged(empty, headline(demo_reader, "campaign"))
    empty.close()
    assert {row["judgement"] for row in found.rows} == {None}


def test_the_table_shows_the_word_and_the_range_of_the_headline_cost(report):
    text = io.StringIO()
    print_report(report, Console(file=text, width=140, highlight=False), health=HEALTH)
    lines = text.getvalue().splitlines()
    (line,) = [line for line in lines if "69,639" in line]
    assert line.split()[-6:] == ["(717–1,047)", "77.8%", "46.8%", "55.4%", "7.1×", "scale"]
    assert any("too early" in line for line in lines)
    assert any("90.0% → 70.0%" in line for line in lines)


def test_the_page_has_a_line_for_every_judgement(demo_reader, judgements, report):
    channels = judged(judgements, headline(demo_reader, "channel"))
    page = to_html(channels, report, health=HEALTH)
    section = page.split("<h2>Judgements</h2>")[1].split("</section>")[0]
    assert section.count("<tr>") == 1 + len(ROWS)
    assert "<td>12.4 (9–17)</td>" in section
    assert "<td>240,000 (180,000–310,000)</td>" in section
    assert "none so far, 610 or more" in section
    assert "90.0% → 70.0%" in page.split("<h2>The funnel as a whole</h2>")[1]


def test_files_have_every_bound(report):
    assert '"cost_per_qualified_opportunity_low": 717.' in to_json(report)
    header, *lines = to_csv(report).splitlines()
    names = header.split(",")
    first = dict(
        zip(names, next(line for line in lines if ",2001," in line).split(","), strict=True)
    )
    assert first["judgement"] == "scale"
    assert first["expected_customers"] == "12.4"
    assert float(first["real_to_qualified_rate_low"]) < float(first["real_to_qualified_rate"])


def test_where_nothing_bounds_a_figure_none_is_given(report):
    row = report.rows[0] | {
        "qualified_opportunities": Decimal(0),
        "cost_per_qualified_opportunity": None,
        "real_leads": Decimal(0),
        "qualified_leads": Decimal(0),
    }
    bounds = intervals(row)
    assert bounds["cost_per_qualified_opportunity_low"] > 0
    assert bounds["cost_per_qualified_opportunity_high"] is None
    assert bounds["real_to_qualified_rate_low"] is None
    assert headline_cost(row).startswith("– (23,2")
    assert headline_cost(row | {"spend_amount": Decimal(0)}) == "–"


def test_signs_that_do_not_show_are_counted_and_not_told():
    shown, rest = health_lines(HEALTH)
    assert shown.endswith("Share of leads contacted: 90.0% → 70.0%.")
    assert rest == "1 other sign was looked for and does not show; 1 cannot be told."
    young = health_lines(replace(HEALTH, signs=HEALTH.signs[1:2], before=None))
    assert young == [
        "1 sign was looked for and does not show; the rest needs two periods of mature days, which "
        "are not there yet."
    ]
