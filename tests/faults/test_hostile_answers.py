"""Answers that are well-formed and yet a trap: each has one stated reading.

The numbers are those of the list of bad inputs that this table was made from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox.server.app import SandboxServer
from tests.faults.conftest import APIS, LAST_DAY, Rig, profile_in
from trueline.errors import RetriableError
from trueline.windows import Window

WINDOW = Window(LAST_DAY - timedelta(days=1), LAST_DAY)
META = {"platform": "meta-ads", "method": "GET", "path": "/insights$"}
# For figures that do not add up to what Meta tells as their total.
UNCOUNTED = {**META, "kind": "uncounted"}
GOOGLE = {"platform": "google-ads", "body": "metrics.cost_micros"}
CLAIMS = {"platform": "google-ads", "body": "conversions_by_conversion_date"}
HUBSPOT = {"platform": "hubspot", "path": "contacts/batch/read$"}
DEALS = {"platform": "hubspot", "path": "deals/search$"}
ACTIONS = {"platform": "google-ads", "body": "FROM conversion_action"}
CUSTOMER = {"platform": "google-ads", "body": "FROM customer"}
SALESFORCE = {"platform": "salesforce", "path": "/results$"}


@dataclass
class Pull:
    """What one pull brought, by questions to the warehouse."""

    rig: Rig
    ids: str

    def ask(self, table: str, what: str, more: str = "") -> list[tuple[Any, ...]]:
        return self.rig.query(
            f"select {what} from raw.{table} where load_id in ({self.ids}) {more}"
        )

    def one(self, table: str, what: str, more: str = "") -> Any:
        rows = self.ask(table, what, more)
        assert len(rows) == 1, rows
        return rows[0][0]

    @property
    def quarantined(self) -> set[tuple[str, str]]:
        return set(self.ask("quarantine", "distinct column_name, reason"))


@pytest.fixture(scope="module")
def rigs(server: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rig]:
    """A warehouse per source, with a good pull in it. Nothing is held: that is tried elsewhere."""
    return {
        source: Rig(
            server,
            profile_in(
                tmp_path_factory.mktemp(source) / "data",
                **({source: {"smallest_share": Decimal(0)}} if source.endswith("ads") else {}),
            ),
            [],
        )
        for source in APIS
    }


@pytest.fixture
def pull(rigs: dict[str, Rig], server: SandboxServer, waited: list[float]) -> Iterator[Any]:
    """``pull(source, *rules)``: what the pull brings while the platform misbehaves so."""

    def pulled(source: str, *rules: dict[str, Any]) -> Pull:
        rig = rigs[source]
        server.faults.clear()
        server.log.clear()
        server.faults.add([{"times": None, **rule} for rule in rules])
        summary = rig.ingest(source, WINDOW)
        struck = [each for each in server.log.as_dict()["latest"] if "faults" in each]
        assert bool(struck) == bool(rules), "the fault met no request"
        for load in summary.loads:
            assert load.rows_received == load.rows_loaded + load.rows_quarantined
        return Pull(rig, ", ".join(repr(load.load_id) for load in summary.loads))

    yield pulled
    server.faults.clear()


def put(where: dict[str, Any], name: str, value: Any, rows: int | None = None) -> dict[str, Any]:
    """The field of the first rows has this value."""
    return {
        **where,
        "kind": "drift",
        "change": "text",
        "field": name,
        "to": value,
        "rows": rows,
    }


def dropped(where: dict[str, Any], name: str, rows: int | None = None) -> dict[str, Any]:
    return {**where, "kind": "drift", "change": "removed", "field": name, "rows": rows}


@pytest.mark.parametrize("spend", ["12.50", "12.5", 12.5], ids=repr)
def test_61_a_number_as_text_or_as_a_number_is_the_same(pull: Any, spend: Any) -> None:
    found = pull("meta_ads", UNCOUNTED, put(META, "spend", spend), put(META, "clicks", "0"))
    assert found.ask("ad_delivery", "distinct cost_micros, clicks") == [(12_500_000, 0)]


def test_61_an_exact_decimal_never_becomes_a_binary_fraction(pull: Any) -> None:
    found = pull("google_ads", put(CLAIMS, "metrics.conversionsByConversionDate", 0.1))
    told = found.ask(
        "pixel_claims",
        "distinct pixel_conversions::varchar",
        "and claim_basis = 'conversion_date'",
    )
    assert told == [("0.100000000",)]


def test_62_a_count_that_google_leaves_out_is_zero(pull: Any) -> None:
    whole = pull("google_ads")
    found = pull("google_ads", dropped(GOOGLE, "metrics.clicks", rows=1))
    assert whole.one("ad_delivery", "count(*)") == found.one("ad_delivery", "count(*)")
    assert found.one("ad_delivery", "count(*)", "and clicks = 0") == 1


def test_63_no_actions_are_no_claims_and_a_day_all_the_same(pull: Any) -> None:
    whole, found = pull("meta_ads"), pull("meta_ads", dropped(META, "actions"))
    assert found.ask("pixel_claims", "*") == []
    assert found.ask("ad_delivery", "count(*)") == whole.ask("ad_delivery", "count(*)")


def test_63_an_action_that_is_told_twice_is_set_aside(pull: Any) -> None:
    twice = [{"action_type": "offsite_conversion.fb_pixel_lead", "value": n} for n in ("3", "4")]
    found = pull("meta_ads", put(META, "actions", twice))
    assert found.quarantined == {("conversion_action", "duplicate_action")}


def test_64_clicks_and_views_are_not_added_to_the_value_again(pull: Any) -> None:
    told = {"action_type": "offsite_conversion.fb_pixel_lead", "value": "3"}
    windows = {"7d_click": "2", "1d_view": "1"}
    found = pull("meta_ads", put(META, "actions", [told | windows]))
    assert found.ask("pixel_claims", "distinct pixel_conversions, view_through") == [(3, 1)]


def test_65_campaigns_are_told_apart_by_id_whatever_their_names(pull: Any) -> None:
    found = pull("google_ads", put(GOOGLE, "campaign.name", "The same name"))
    assert found.one("ad_delivery", "count(distinct campaign_id)") == 3
    assert found.one("ad_delivery", "count(distinct campaign_name)") == 1


UNKNOWN_WORDS: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("google_ads", ACTIONS, "conversionAction.status", "conversion_actions", "action_status"),
    ("google_ads", ACTIONS, "conversionAction.category", "conversion_actions", "category"),
    ("google_ads", CUSTOMER, "customer.status", "ad_accounts", "account_status"),
    ("hubspot", HUBSPOT, "properties.hs_analytics_source", "crm_leads", "crm_source"),
    ("hubspot", DEALS, "properties.dealstage", "crm_deals", "deal_stage"),
    ("salesforce", SALESFORCE, "Status", "crm_stages", "stage"),
    ("salesforce", SALESFORCE, "StageName", "crm_deals", "deal_stage"),
    ("salesforce", SALESFORCE, "LeadSource", "crm_leads", "crm_source"),
]


@pytest.mark.parametrize(
    ("source", "where", "name", "table", "column"),
    UNKNOWN_WORDS,
    ids=[f"{row[0]}-{row[2]}" for row in UNKNOWN_WORDS],
)
def test_70_an_unknown_word_is_kept_as_it_is(
    pull: Any, source: str, where: dict[str, Any], name: str, table: str, column: str
) -> None:
    rule = {**where, "kind": "unknown_enum", "field": name, "to": "SMOKE_SIGNALS"}
    found = pull(source, rule)
    assert found.one(table, "count(*)", f"and {column} = 'SMOKE_SIGNALS'") > 0
    assert found.quarantined == set()


def test_70_an_action_that_meta_has_just_invented_is_told_and_takes_nothing_away(
    pull: Any, caplog: pytest.LogCaptureFixture
) -> None:
    whole = pull("meta_ads")
    rule = {**META, "kind": "unknown_enum", "field": "actions.0.action_type", "rows": 3}
    with caplog.at_level("INFO"):
        found = pull("meta_ads", {**rule, "to": "smoke_signal"})
    assert "smoke_signal" in caplog.text
    for table in ("ad_delivery", "pixel_claims"):
        assert found.ask(table, "count(*)") == whole.ask(table, "count(*)")


def test_71_a_row_keeps_its_own_currency(pull: Any) -> None:
    found = pull("meta_ads", {**put(META, "account_currency", "USD", rows=4), "times": 1})
    assert dict(found.ask("ad_delivery", "currency_code, count(*)", "group by all"))["USD"] == 4


@pytest.mark.parametrize(
    ("source", "where", "name"),
    [("google_ads", GOOGLE, "segments.date"), ("meta_ads", META, "date_start")],
)
def test_72_a_day_that_nobody_asked_for_is_set_aside(
    pull: Any, source: str, where: dict[str, Any], name: str
) -> None:
    """No answer tells which time zone its days were cut by, so one that differs from the account's
    shows only where it reaches beyond the days that were asked for."""
    tomorrow = str(LAST_DAY + timedelta(days=1))
    changes = [put(where, name, tomorrow, rows=2)]
    if source == "meta_ads":
        changes.append(put(where, "date_stop", tomorrow, rows=2))
    found = pull(source, *({**each, "times": 1} for each in changes))
    assert found.quarantined == {("platform_date", "outside_window")}
    assert found.one("quarantine", "count(*)") == 2


def test_72_each_pull_keeps_the_time_zone_that_the_account_had_then(pull: Any) -> None:
    before = pull("google_ads")
    found = pull("google_ads", put(CUSTOMER, "customer.timeZone", "America/Los_Angeles"))
    zones = [each.ask("ad_delivery", "distinct account_time_zone") for each in (before, found)]
    assert zones == [[("Europe/Berlin",)], [("America/Los_Angeles",)]]


def test_73_a_day_told_twice_the_same_counts_once_and_in_parts_is_added_up(pull: Any) -> None:
    found = pull("google_ads", {**GOOGLE, "kind": "duplicate_page"})
    rows, distinct = found.ask(
        "ad_delivery", "count(*), count(distinct (campaign_id, platform_date))"
    )[0]
    assert rows in (distinct, 2 * distinct), "twice in raw at most: staging counts whole rows once"
    hashes = found.one("ad_delivery", "count(distinct row_hash)")
    assert hashes == distinct


@pytest.mark.parametrize("number", [9007199254740993, "9007199254740993"], ids=repr)
def test_74_a_long_id_keeps_its_last_digit(pull: Any, number: Any) -> None:
    found = pull("google_ads", put(GOOGLE, "campaign.id", number))
    assert found.ask("ad_delivery", "distinct campaign_id") == [("9007199254740993",)]


def test_75_a_proxys_page_that_asks_to_wait_is_obeyed(pull: Any, waited: list[float]) -> None:
    page = {"kind": "html", "header": "seconds"}
    found = pull("meta_ads", {**META, **page, "status": 429, "seconds": 7, "times": 1})
    assert found.ask("ad_delivery", "count(*)")[0][0] > 10
    assert sum(waited) >= 7
    with pytest.raises(RetriableError) as caught:
        pull("meta_ads", {**META, **page, "status": 503, "seconds": 1800})
    assert caught.value.retry_after_seconds == 1800
    assert "<" not in str(caught.value)


ONE_BAD_VALUE: list[tuple[str, dict[str, Any], str, Any, str, str]] = [
    ("google_ads", GOOGLE, "metrics.costMicros", "12.5", "cost_micros", "bad_integer"),
    ("google_ads", GOOGLE, "metrics.clicks", -3, "clicks", "negative_count"),
    ("google_ads", GOOGLE, "segments.date", "11/20/2026", "platform_date", "bad_date"),
    ("meta_ads", META, "spend", "1e400", "cost_micros", "bad_number"),
    ("meta_ads", META, "spend", "Infinity", "cost_micros", "bad_number"),
    ("meta_ads", META, "spend", {"value": 3}, "cost_micros", "bad_number"),
    ("meta_ads", META, "impressions", True, "impressions", "bad_integer"),
    ("hubspot", HUBSPOT, "properties.createdate", "then", "crm_created_at", "bad_timestamp"),
    ("hubspot", HUBSPOT, "properties.score_fit", "high", "fit", "bad_number"),
]


@pytest.mark.parametrize(
    ("source", "where", "name", "value", "column", "reason"),
    ONE_BAD_VALUE,
    ids=[f"{row[0]}-{row[2]}-{row[3]!r}" for row in ONE_BAD_VALUE],
)
def test_one_bad_value_sets_its_row_aside_and_no_other(
    pull: Any, source: str, where: dict[str, Any], name: str, value: Any, column: str, reason: str
) -> None:
    found = pull(source, {**put(where, name, value, rows=1), "times": 1})
    assert found.ask("quarantine", "column_name, reason") == [(column, reason)]
