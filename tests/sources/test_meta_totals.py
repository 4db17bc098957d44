"""Meta's own totals beside the rows: a page that is lost without a trace shows there alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sources.conftest import Answer
from tests.sources.meta_graph import Graph, Pulled, error, page, pull, row
from trueline.errors import ConfigurationError, PermanentError
from trueline.sources.http import ATTEMPTS

FORGOTTEN = (
    "(#100) Cannot include impressions, spend in summary param because they weren't there while "
    "creating the report run. All available values are: "
)


def _told(*rows: dict[str, Any], after: str | None = None, **totals: str) -> dict[str, Any]:
    """A page with Meta's totals of the whole report."""
    return {**page(list(rows), after), "summary": totals}


def _campaigns(found: Pulled) -> list[str]:
    return [campaign for (campaign,) in found.values("ad_delivery", "campaign_id")]


def test_the_totals_are_asked_for_at_the_start_and_with_the_first_page(platform) -> None:
    pages = {
        "": _told(row(), after="A", impressions="2000", spend="24.6"),
        "A": page([row(campaign="13")]),
    }
    server = platform(Graph(pages=pages))
    assert _campaigns(pull(server)) == ["12", "13"]
    (start,) = [asked for asked in server.asked if asked.method == "POST"]
    assert start.body["summary"] == "impressions,spend"
    first, second = [asked.path for asked in server.asked if "/insights?" in asked.path]
    assert "summary=impressions%2Cspend" in first
    assert "summary" not in second


def test_a_page_that_is_lost_on_a_first_pull_is_missed_and_a_new_report_run(
    platform, caplog
) -> None:
    lost = Answer(_told(row(), impressions="2000", spend="24.6"))
    whole = _told(row(), row(campaign="13"), impressions="2000", spend="24.6")
    server = platform(Graph(pages={"": whole}, reads=[lost]))
    assert _campaigns(pull(server)) == ["12", "13"]
    assert "impressions adds up to 1,000 of 2,000" in caplog.text
    assert sum(asked.method == "POST" for asked in server.asked) == 2


def _doubts(found: Pulled) -> dict[str, str | None]:
    return {batch.table: batch.doubt for batch in found.batches}


def test_rows_that_stay_fewer_than_the_total_wait_for_a_person(platform, caplog) -> None:
    lost = _told(row(), impressions="2000", spend="24.6")
    server = platform(Graph(pages={"": lost}))
    found = pull(server)
    assert sum(asked.method == "POST" for asked in server.asked) == 3
    assert "compare_totals" in caplog.text
    doubts = _doubts(found)
    assert doubts["ad_accounts"] is None
    for table in ("ad_delivery", "pixel_claims"):
        assert "impressions adds up to 1,000 of 2,000" in str(doubts[table])
    trusted = pull(platform(Graph(pages={"": lost})), compare_totals=False)
    assert set(_doubts(trusted).values()) == {None}
    assert _campaigns(found) == _campaigns(trusted) == ["12"]


def test_no_rows_where_meta_counts_some_are_a_lost_report(platform) -> None:
    found = pull(platform(Graph(pages={"": _told(impressions="2000", spend="24.6")})))
    assert "adds up to 0 of 2,000" in str(_doubts(found)["ad_delivery"])


@pytest.mark.parametrize(
    ("rows", "totals"),
    [
        ([row(), row(campaign="13")], {}),
        ([row(spend="0.33"), row(campaign="13", spend="0.33")], {"spend": "0.67"}),
        ([row(spend="7"), row(campaign="13", spend="7")], {"spend": "15"}),
        ([row(), row(campaign="13", impressions="300")], {"impressions": "1200"}),
        ([row(), row(campaign="13")], {"impressions": "n/a", "spend": ""}),
        ([{**row(), "spend": None}, row(campaign="13")], {"spend": "12.3"}),
    ],
    ids=["no totals", "cents", "no cents", "more than the total", "no numbers", "nothing spent"],
)
def test_what_loses_nothing_is_taken(platform, rows, totals) -> None:
    assert _campaigns(pull(platform(Graph(pages={"": _told(*rows, **totals)})))) == ["12", "13"]


def test_a_row_that_came_twice_hides_no_lost_one(platform) -> None:
    pages = {
        "": _told(row(), row(campaign="13"), after="A", impressions="3000"),
        "A": page([row(campaign="13")]),
    }
    found = pull(platform(Graph(pages=pages)))
    assert "adds up to 2,000 of 3,000" in str(_doubts(found)["ad_delivery"])


def test_a_value_that_is_no_number_is_no_lost_page(platform) -> None:
    told = _told(row(impressions="many"), row(campaign="13"), impressions="2000", spend="24.6")
    found = pull(platform(Graph(pages={"": told})))
    assert found.errors("ad_delivery") == [(1, "impressions", "bad_integer")]
    assert _campaigns(found) == ["13"]


def test_a_field_that_is_in_no_row_but_has_a_total_is_gone(platform) -> None:
    rows = [{name: value for name, value in row().items() if name != "spend"}]
    with pytest.raises(PermanentError, match="no longer has spend"):
        pull(platform(Graph(pages={"": _told(*rows, impressions="1000", spend="12.3")})))


def test_a_report_that_forgot_its_totals_is_run_again_without_them(platform, monkeypatch) -> None:
    monkeypatch.setattr("trueline.sources.http._backoff", lambda state: 0.0)
    forgotten = [error(100, message=FORGOTTEN)] * ATTEMPTS
    server = platform(Graph(pages={"": page([row()])}, reads=list(forgotten)))
    assert _campaigns(pull(server)) == ["12"]
    starts = [asked.body for asked in server.asked if asked.method == "POST"]
    assert ["summary" in body for body in starts] == [True, False]


def test_other_refusals_with_code_100_are_none_of_that(platform) -> None:
    refused = error(100, message="(#100) Missing permission")
    with pytest.raises(ConfigurationError):
        pull(platform(Graph(pages={"": page([row()])}, reads=[refused])))
