"""Every figure of the demo leads to its rows, and every way to cut it gives the same totals."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from tests.end_to_end.conftest import Company
from trueline.cli.main import app
from trueline.errors import ConfigurationError
from trueline.model.catalog import load_catalog
from trueline.report.besides import read_besides, sections
from trueline.report.dimensions import NOT_TOLD, by_dimension
from trueline.report.headline import Report, headline
from trueline.report.rows import LINES, Place, figure_rows, lead_life
from trueline.rulebook.qualification import REASONS
from trueline.warehouse import open_reader
from trueline.warehouse.base import Reader

DIMENSIONS = ("segment", "landing_page", "form")
CAUSES = (
    "bot",
    "internal_or_test",
    "duplicate_submission",
    "same_person",
    "existing_lead",
    "awaiting_crm",
    "no_crm_record",
)


@pytest.fixture(scope="module")
def reader(company: Company) -> Iterator[Reader]:
    with open_reader(company.profile) as opened:
        yield opened


@pytest.fixture(scope="module")
def campaigns(reader: Reader) -> Report:
    return headline(reader, "campaign")


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_every_dimension_has_the_totals_of_the_campaigns(reader: Reader, dimension: Any) -> None:
    campaigns = headline(reader, "campaign").totals
    found = by_dimension(reader, dimension)
    assert len(found.rows) > 3
    columns = [name for name in LINES if name not in NOT_TOLD]
    assert len(columns) > 40
    assert {name: found.totals[name] for name in columns} == {
        name: campaigns[name] for name in columns
    }
    # Nothing is 0 that nobody can tell.
    assert {row[name] for row in [*found.rows, found.totals] for name in NOT_TOLD} == {None}


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_both_gaps_add_up_in_every_segment_page_and_form(reader: Reader, dimension: Any) -> None:
    found = by_dimension(reader, dimension)
    for row in [*found.rows, found.totals]:
        made = row["observed_tag_events"] - sum(row[cause] for cause in CAUSES)
        assert made == row["made_lead"]
        assert made + row["unobserved_leads"] + row["recovered_leads"] == row["real_leads"]
        lost = sum(row[reason] for reason in (*REASONS, "pending"))
        assert row["real_leads"] - lost == row["qualified_leads"]
        assert sum(row["gap_observed_to_real_causes"].values()) == row["gap_observed_to_real"]


@pytest.mark.parametrize("line", LINES)
def test_the_rows_behind_a_line_sum_to_it(reader: Reader, campaigns: Report, line: str) -> None:
    # Google's second campaign and all of them: credits leave the one and stay within the others.
    place = {"platform": "google_ads", "campaign_id": "20871100403"}
    (row,) = (row for row in campaigns.rows if place.items() <= row.items())
    for figure, found in (
        (row[line], figure_rows(reader, line, Place(**place))),
        (campaigns.totals[line], figure_rows(reader, line, Place())),
    ):
        assert sum((each["amount"] for each in found.rows), Decimal(0)) == (figure or 0)
        assert found.figure == (figure or 0)


def test_the_rows_of_a_landing_page_sum_to_it(reader: Reader) -> None:
    row = by_dimension(reader, "landing_page").rows[1]
    place = Place(dimension="landing_page", dimension_value=row["dimension_value"])
    for line in (
        "bot",
        "made_lead",
        "unobserved_leads",
        "not_fit",
        "qualified_leads",
        "won_amount",
    ):
        assert figure_rows(reader, line, place).figure == row[line] > 0


def test_a_repeat_names_the_submission_that_it_repeats(reader: Reader) -> None:
    rows = figure_rows(reader, "duplicate_submission", Place()).rows
    assert len(rows) > 100
    assert [row["row_key"] for row in rows if row["because_of"] in (None, row["row_key"])] == []


@pytest.mark.parametrize(
    ("line", "place", "says"),
    [
        ("conversions", Place(), "There is no line"),
        ("bot", Place(campaign_id="404"), "Nothing is published for this place"),
        ("bot", Place(platform="email", dimension="form", dimension_value="x"), "not of both"),
        (
            "pixel_conversions",
            Place(dimension="form", dimension_value="quote-form"),
            "No platform tells",
        ),
    ],
)
def test_a_figure_that_does_not_exist_is_refused(
    reader: Reader, line: str, place: Place, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        figure_rows(reader, line, place)


def test_the_life_of_a_lead_tells_its_whole_credit_and_its_verdict(reader: Reader) -> None:
    leads = reader.query(
        "select lead_key, coalesce(reason, verdict) as line from marts.lead_detail "
        "where report_date >= '2026-10-01' order by lead_key limit 25"
    )
    kinds = set()
    for lead in leads:
        life = lead_life(reader, lead["lead_key"])
        assert sum((row["credit"] or 0 for row in life), Decimal(0)) == 1
        verdicts = [row for row in life if row["kind"] == "verdict"]
        assert verdicts[0]["what"] == lead["line"]
        assert [row["happened_at"] for row in life] == sorted(row["happened_at"] for row in life)
        kinds |= {row["kind"] for row in life}
    assert kinds >= {"touch", "tag_event", "crm_record", "stage", "verdict"}
    with pytest.raises(ConfigurationError, match="There is no lead"):
        lead_life(reader, "hubspot:nobody")


def test_what_happened_by_day_has_the_totals_of_the_cohorts(reader: Reader) -> None:
    (by_day,) = reader.query(
        "select sum(qualified_that_day) as qualified, "
        "sum(opportunities_opened_that_day) as opened, "
        "sum(customers_won_that_day) as won, sum(won_that_day_amount) as amount "
        "from marts.events_by_date"
    )
    cohorts = headline(reader, "campaign").totals
    assert by_day == {
        "qualified": cohorts["qualified_leads"],
        "opened": cohorts["opportunities"],
        "won": cohorts["customers"],
        "amount": cohorts["won_amount"],
    }


def test_the_changes_of_a_day_sum_to_its_newest_figure(company: Company) -> None:
    path = company.profile.data_folder / "warehouse.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        drift = connection.execute(
            "select report_date, platform, account_id, conversion_action, sum(change) "
            "from marts.restatement_drift where measure = 'pixel_conversions' group by all"
        ).fetchall()
        claims = connection.execute(
            "select report_date, platform, account_id, conversion_action, sum(pixel_conversions) "
            "from staging.stg_ads__claims group by all"
        ).fetchall()
        spend, delivered = connection.execute(
            "select (select sum(change) from marts.restatement_drift where measure = 'spend'), "
            "(select sum(cost_micros) from staging.stg_ads__delivery)"
        ).fetchone() or (None, None)
    assert len(claims) > 300
    assert sorted(drift) == sorted(claims)
    assert spend * 1_000_000 == delivered > 0


def test_visits_are_all_that_was_recorded(reader: Reader) -> None:
    totals = headline(reader, "channel").totals
    (recorded,) = reader.query(
        "select count(*) as visits from identity.origins where entity_kind = 'touch'"
    )
    assert totals["visits"] == recorded["visits"] > 60_000
    assert 0 < totals["bounces"] < totals["measured_visits"] <= totals["visits"]


def test_explain_prints_the_rows_of_a_figure_for_programs(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUELINE_DATA", str(company.profile.data_folder))
    question = [
        "explain",
        "--line",
        "no_crm_record",
        "--channel",
        "meta_ads",
        "--from",
        "2026-10-01",
    ]

    def printed(*more: str) -> str:
        result = CliRunner().invoke(app, [*question, *more])
        assert result.exit_code == 0, result.output
        return result.output

    rows = json.loads(printed("--format", "json"))["rows"]
    cells = list(csv.DictReader(io.StringIO(printed("--format", "csv"))))
    assert len(rows) == len(cells) > 50
    assert {row["why"] for row in rows} == {"no_crm_record"}
    assert sum(row["amount"] for row in rows) == len(rows)
    assert f"(no_crm_record): {len(rows):,}" in printed()
    assert f"{len(rows) - 50:,} more rows" in printed()


def test_nothing_personal_is_printed(reader: Reader) -> None:
    catalog = load_catalog()
    personal = {
        column.name
        for table in catalog.values()
        for column in table.columns
        if column.personal != "none"
    }
    assert {"person_key", "email_key", "client_id"} <= personal
    life = lead_life(reader, figure_rows(reader, "qualified_leads", Place()).rows[0]["lead_key"])
    rows = figure_rows(reader, "made_lead", Place()).rows
    assert (set(life[0]) | set(rows[0])) & personal == set()


def test_the_page_has_a_table_for_each_thing_there_is(reader: Reader) -> None:
    found = sections(headline(reader, "channel"), read_besides(reader))
    titles = [section.title for section in found]
    # No GA4 and no second pull in this company: no empty tables.
    assert titles == [
        "From the ad to the form",
        "What sales made of the leads",
        "By segment",
        "By landing page",
        "By form",
        "Steps on the way",
    ]
    widths: dict[str, set[int]] = defaultdict(set)
    for section in found:
        widths[section.title] |= {len(cells) for _, cells in section.lines}
    assert widths == {section.title: {len(section.headers)} for section in found}
