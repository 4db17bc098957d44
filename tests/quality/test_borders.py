"""Each border lets good data pass, and stops or warns at each kind of bad data, without quoting it."""

from __future__ import annotations

import json
import logging
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from _pytest.mark.structures import ParameterSet

from tests.quality.small_warehouse import GOOD_ROWS, MARKER, build, spoil
from trueline.errors import ConfigurationError
from trueline.paths import suites_dir
from trueline.quality.duckdb_dialect import connection_string
from trueline.quality.gates import GateFailed, judge
from trueline.quality.runner import ExpectationResult, run_border
from trueline.quality.suites import load_suites

BORDERS = ("raw", "marts", "activation")


@pytest.fixture(scope="module")
def good_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("good") / "warehouse.duckdb")


@pytest.fixture()
def warehouse(good_warehouse: Path, tmp_path: Path) -> Path:
    """A good warehouse of the test's own, to be spoiled."""
    return Path(shutil.copy(good_warehouse, tmp_path / "warehouse.duckdb"))


def check(warehouse: Path, suite: str, folder: Path) -> list[ExpectationResult]:
    """Run one table's suite alone, to be quick."""
    layer, table = suite.split(".")
    (folder / "suites" / layer).mkdir(parents=True)
    shutil.copy(suites_dir() / layer / f"{table}.json", folder / "suites" / layer)
    return run_border(
        load_suites(folder / "suites")[0].meta.border,
        connection_string=connection_string(warehouse),
        suites_dir=folder / "suites",
    )


def unkept(results: list[ExpectationResult], severity: str) -> set[str]:
    return {
        result.expectation
        for result in results
        if not result.success and result.severity == severity
    }


@pytest.mark.parametrize("border", BORDERS)
def test_good_data_passes_every_check(border: str, good_warehouse: Path) -> None:
    results = run_border(
        border, connection_string=connection_string(good_warehouse), suites_dir=suites_dir()
    )

    assert [result for result in results if not result.success] == []
    assert judge(border, results) == []
    checked = {result.suite for result in results if result.checked_rows}
    assert checked == {suite.name for suite in load_suites(suites_dir(), border)}


def test_every_suite_is_spoiled_below() -> None:
    suites = {suite.name for suite in load_suites(suites_dir())}
    assert suites == set(GOOD_ROWS)
    assert suites == {case.values[0] for case in CRITICAL}


def bad(suite: str, name: str, statement: str, *broken: str) -> ParameterSet:
    return pytest.param(suite, statement, set(broken), id=f"{suite}-{name}")


CRITICAL = [
    bad("raw.ad_delivery", "no_campaign", "update raw.ad_delivery set campaign_id = null",
        "campaign_id is filled"),
    bad("raw.ad_delivery", "unknown_platform", "update raw.ad_delivery set platform = 'Facebook'",
        "platform is a known word"),
    bad("raw.ad_delivery", "finer_grain",
        "insert into raw.ad_delivery from raw.ad_delivery limit 1",
        "one row per campaign and day in a load"),
    bad("raw.ad_delivery", "year_1970",
        "update raw.ad_delivery set platform_date = date '1970-01-01'",
        "platform_date is a plausible day"),
    bad("raw.ad_delivery", "no_currency", "update raw.ad_delivery set currency_code = null",
        "cost has a currency", "cost is not absurd"),
    bad("raw.ad_delivery", "currency_sign", "update raw.ad_delivery set currency_code = '€' "
        "where currency_code = 'EUR'", "cost has a currency"),
    bad("raw.ad_delivery", "micros_of_micros",
        "update raw.ad_delivery set cost_micros = cost_micros * 1000000 "
        "where currency_code = 'EUR'", "cost is not absurd"),
    bad("raw.ad_delivery", "negative_clicks", "update raw.ad_delivery set clicks = -1",
        "clicks are not negative"),
    bad("raw.pixel_claims", "no_action", "update raw.pixel_claims set conversion_action = null",
        "conversion_action is filled"),
    bad("raw.pixel_claims", "unknown_basis",
        "update raw.pixel_claims set claim_basis = 'view_date'", "claim_basis is a known word"),
    bad("raw.pixel_claims", "negative", "update raw.pixel_claims set pixel_conversions = -0.5",
        "pixel_conversions is a plausible count"),
    bad("raw.tag_events", "no_id", "update raw.tag_events set event_id = null",
        "event_id is filled"),
    bad("raw.tag_events", "milliseconds_as_seconds",
        "update raw.tag_events set occurred_at = timestamptz '9999-01-01 00:00:00+00'",
        "occurred_at is a plausible time"),
    bad("raw.touches", "no_time", "update raw.touches set occurred_at = null",
        "occurred_at is filled"),
    bad("raw.crm_leads", "unknown_consent",
        "update raw.crm_leads set consent_ad_user_data = 'yes'",
        "consent_ad_user_data is a known word"),
    bad("raw.crm_stages", "no_stage", "update raw.crm_stages set stage = null", "stage is filled"),
    bad("raw.crm_deals", "no_currency", "update raw.crm_deals set currency_code = null",
        "a deal's value has a currency"),
    bad("raw.loads", "row_lost", "update raw.loads set rows_loaded = 1 where rows_loaded = 2",
        "received = loaded + quarantined"),
    bad("raw.loads", "twice", "insert into raw.loads from raw.loads limit 1",
        "one record per load"),
    bad("marts.pixel_to_real_gap", "claim_too_many",
        "update marts.pixel_to_real_gap set pixel_conversions = pixel_conversions + 0.000000001 "
        "where goal_kind = 'micro'",
        "observed_tag_events is explained in every row",
        "observed_tag_events is explained on every day",
        "observed_tag_events is explained in total"),
    bad("marts.pixel_to_real_gap", "event_without_cause",
        "update marts.pixel_to_real_gap set bot = 0 where goal_kind = 'macro'",
        "made_lead is explained in every row", "made_lead is explained on every day",
        "made_lead is explained in total"),
    bad("marts.pixel_to_real_gap", "errors_that_cancel_out",
        "update marts.pixel_to_real_gap set bot = bot + "
        f"case when campaign_id = '{MARKER}-3' then 1 else -1 end where goal_kind = 'macro'",
        "made_lead is explained in every row"),
    bad("marts.pixel_to_real_gap", "empty_cause",
        "update marts.pixel_to_real_gap set same_person = null where goal_kind = 'macro'",
        "made_lead is explained in every row", "made_lead is explained on every day",
        "made_lead is explained in total", "no line of the gap is negative or empty"),
    bad("marts.pixel_to_real_gap", "lead_invented",
        "update marts.pixel_to_real_gap set credited_from_elsewhere = 1.5, real_leads = 7.5 "
        f"where campaign_id = '{MARKER}-3'",
        "credit that leaves a campaign arrives at another"),
    bad("marts.pixel_to_real_gap", "negative_cause",
        "update marts.pixel_to_real_gap set bot = -1, no_crm_record = 4 where goal_kind = 'macro'",
        "no line of the gap is negative or empty"),
    bad("marts.pixel_to_real_gap", "parts_do_not_add_up",
        "update marts.pixel_to_real_gap set view_through = 1 where goal_kind = 'macro'",
        "claimed_not_observed is the sum of its parts"),
    bad("marts.pixel_to_real_gap", "row_twice",
        "insert into marts.pixel_to_real_gap from marts.pixel_to_real_gap "
        "where goal_kind = 'micro'", "one row per key"),
    bad("marts.pixel_to_real_gap", "two_rulebooks",
        "update marts.pixel_to_real_gap set rules_version = 'v2' where goal_kind = 'micro'",
        "one rulebook version"),
    bad("marts.pixel_to_real_gap", "no_key",
        "update marts.pixel_to_real_gap set campaign_id = null where goal_kind = 'micro'",
        "campaign_id is filled"),
    bad("marts.real_to_qualified_gap", "reason_missing",
        "update marts.real_to_qualified_gap set spam = 0",
        "qualified_leads is explained in every row", "qualified_leads is explained on every day",
        "qualified_leads is explained in total"),
    bad("marts.real_to_qualified_gap", "sides_disagree",
        "update marts.real_to_qualified_gap set real_leads = real_leads + 1, "
        "qualified_leads = qualified_leads + 1",
        "the second gap starts where the first one ends"),
    bad("marts.funnel_daily", "page_and_gap_disagree",
        "update marts.funnel_daily set unobserved_leads = unobserved_leads + 1, "
        "real_leads = real_leads + 1, qualified_leads = qualified_leads + 1",
        "real_leads agrees with pixel_to_real_gap",
        "qualified_leads agrees with real_to_qualified_gap"),
    bad("marts.funnel_daily", "more_customers_than_deals",
        "update marts.funnel_daily set customers = 4",
        "each step of the funnel is a part of the step before"),
    bad("activation.qualified_conversions", "id_of_digits",
        "update activation.qualified_conversions set conversion_id = '1' || conversion_id",
        "conversion_id starts with a letter"),
    bad("activation.qualified_conversions", "id_is_an_address",
        "update activation.qualified_conversions set conversion_id = 'a@example.com' "
        "where state = 'ready'", "conversion_id is opaque"),
    bad("activation.qualified_conversions", "sent_twice",
        "insert into activation.qualified_conversions from activation.qualified_conversions "
        "where state = 'withheld'",
        "conversion_id is unique per destination",
        "one conversion per lead, goal and destination"),
    bad("activation.qualified_conversions", "nobody_to_match",
        "update activation.qualified_conversions set has_email = null where state = 'ready'",
        "ready rows have an identifier"),
    bad("activation.qualified_conversions", "never_qualified",
        "update activation.qualified_conversions set qualified_at = null where state = 'ready'",
        "ready rows are qualified already"),
    bad("activation.qualified_conversions", "reason_ignored",
        "update activation.qualified_conversions set state = 'ready', has_phone = true, "
        "qualified_at = as_of where state = 'withheld'",
        "withheld rows, and only they, have a reason"),
    bad("activation.qualified_conversions", "consent_denied",
        "update raw.crm_leads set consent_ad_user_data = 'denied'",
        "nobody who denied consent is ready"),
]

WARNING = [
    bad("raw.ad_delivery", "tomorrow",
        "update raw.ad_delivery set platform_date = date '2026-11-25'",
        "platform_date is not in the future"),
    bad("raw.pixel_claims", "more_views_than_claims",
        "update raw.pixel_claims set view_through = 99",
        "view_through is a part of pixel_conversions"),
    bad("raw.tag_events", "clock_ahead",
        "update raw.tag_events set occurred_at = loaded_at + interval 3 day",
        "occurred_at is not in the future"),
    bad("raw.tag_events", "no_evidence",
        "insert into raw.tag_events select e.* from raw.tag_events as e, range(150)",
        "one row in ten carries a click id or utm tag"),
    bad("raw.touches", "no_evidence",
        "insert into raw.touches select t.* replace (range::varchar as touch_id) "
        "from raw.touches as t, range(150)",
        "one row in ten carries a click id or utm tag"),
    bad("raw.crm_leads", "percent_as_share", "update raw.crm_leads set fit = 50",
        "criterion scores lie between 0 and 1"),
    bad("raw.crm_stages", "negative_attempts", "update raw.crm_stages set contact_attempts = -1",
        "contact_attempts is not negative"),
    bad("raw.crm_deals", "won_yet_open",
        "update raw.crm_deals set is_won = true, is_closed = false", "a won deal is closed"),
    bad("raw.loads", "quarantine",
        "update raw.loads set rows_quarantined = 10, rows_loaded = 87 where rows_loaded = 97",
        "no source loses more than one row in twenty to quarantine"),
    bad("marts.pixel_to_real_gap", "unmapped",
        "update marts.pixel_to_real_gap set conversion_goal = 'unmapped', goal_kind = 'unmapped' "
        "where goal_kind = 'micro'", "every conversion action has a goal"),
    bad("marts.pixel_to_real_gap", "missing",
        "update marts.pixel_to_real_gap set claim_state = 'missing' where goal_kind = 'micro'",
        "no claim is missing"),
    bad("marts.funnel_daily", "two_currencies",
        f"update marts.funnel_daily set currency_code = 'USD' where campaign_id = '{MARKER}-3'",
        "one currency"),
    bad("activation.qualified_conversions", "most_withheld",
        "insert into activation.qualified_conversions select w.* replace ("
        "range::varchar as lead_key, 't' || range as conversion_id) "
        "from activation.qualified_conversions as w, range(30) where state = 'withheld'",
        "at least half of the qualified leads can be sent"),
]


@pytest.mark.parametrize(("suite", "statement", "broken"), CRITICAL)
def test_bad_data_closes_the_gate(
    suite: str,
    statement: str,
    broken: set[str],
    warehouse: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    spoil(warehouse, statement)

    results = check(warehouse, suite, tmp_path)

    assert unkept(results, "critical") == broken
    with pytest.raises(GateFailed) as closed:
        judge(results[0].layer, results)
    message = str(closed.value)
    assert suite in message
    assert all(promise in message for promise in broken)
    assert "What to do:" in message
    for text in (message, repr(results), caplog.text):
        assert MARKER not in text


@pytest.mark.parametrize(("suite", "statement", "broken"), WARNING)
def test_odd_data_is_warned_of_and_passes(
    suite: str,
    statement: str,
    broken: set[str],
    warehouse: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spoil(warehouse, statement)

    results = check(warehouse, suite, tmp_path)
    warnings = judge(results[0].layer, results)

    assert {warning.expectation for warning in warnings} == broken
    assert all(promise in caplog.text for promise in broken)
    assert MARKER not in caplog.text


def suite_with(folder: Path, suite: str, *expectations: dict[str, Any], **meta: Any) -> Path:
    """A folder with one suite of the test's own."""
    layer, table = suite.split(".")
    (folder / layer).mkdir(parents=True)
    content = {
        "name": suite,
        "meta": {"border": layer, **meta},
        "expectations": [
            {
                "severity": "critical",
                "meta": {"check": "a promise", "why": "Something breaks downstream."},
                **expectation,
            }
            for expectation in expectations
        ],
    }
    (folder / layer / f"{table}.json").write_text(json.dumps(content))
    return folder


def rows(query: str) -> dict[str, Any]:
    return {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": query}}


NO_COLUMN = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "no_such"}}
QUOTES_A_ROW = rows("select 1 as unexpected from {batch} where cast(email_key as int64) > 1")


@pytest.mark.parametrize(
    ("expectation", "words"),
    [
        pytest.param(NO_COLUMN, 'The column "no_such"', id="unknown_column"),
        pytest.param(
            rows("select 1 as unexpected from {batch} where no_such = 1"),
            'Referenced column "no_such" not found',
            id="unknown_column_in_a_query",
        ),
        pytest.param(
            rows("select 1 as unexpected from {batch} where exists (select 1 from {marts}.gone)"),
            "Table with name gone does not exist",
            id="unknown_table_in_a_query",
        ),
        pytest.param(QUOTES_A_ROW, "ConversionException (its message is withheld", id="bad_cast"),
    ],
)
def test_a_broken_check_is_not_taken_for_bad_data(
    expectation: dict[str, Any],
    words: str,
    good_warehouse: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    healthy = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}}
    suites = suite_with(tmp_path, "raw.tag_events", expectation, healthy)

    broken, kept = run_border(
        "raw", connection_string=connection_string(good_warehouse), suites_dir=suites
    )

    assert kept.success
    assert not broken.success
    assert (broken.checked_rows, broken.unexpected_rows) == (None, None)
    with pytest.raises(GateFailed, match="1 check could not run") as closed:
        judge("raw", [broken, kept])
    assert words in str(closed.value)
    assert "The data was not judged" in str(closed.value)
    assert (closed.value.failed, closed.value.broken) == ((), (broken,))
    for text in (str(closed.value), repr(broken), caplog.text):
        assert MARKER not in text


def test_a_broken_warning_is_told_and_does_not_stop(
    good_warehouse: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    suites = suite_with(tmp_path, "raw.tag_events", {**NO_COLUMN, "severity": "warning"})

    results = run_border(
        "raw", connection_string=connection_string(good_warehouse), suites_dir=suites
    )

    assert judge("raw", results) == results
    assert "the check itself is broken" in caplog.text


def test_a_table_that_no_source_fills_may_be_missing_but_no_other(
    warehouse: Path, tmp_path: Path
) -> None:
    spoil(warehouse, "drop table raw.touches; drop table raw.loads")
    fine = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 0}}
    optional = suite_with(tmp_path / "a", "raw.touches", fine, optional=True)
    required = suite_with(tmp_path / "b", "raw.loads", fine)

    def run(folder: Path) -> list[ExpectationResult]:
        return run_border(
            "raw",
            connection_string=connection_string(warehouse),
            suites_dir=folder,
            table_exists=lambda layer, table: f"{layer}.{table}" not in ("raw.touches", "raw.loads"),
        )

    assert run(optional) == []
    with pytest.raises(GateFailed, match="could not run"):
        judge("raw", run(required))


def test_a_bad_load_of_the_past_does_not_stop_todays_run(warehouse: Path) -> None:
    today = datetime(2026, 11, 21, 6, tzinfo=UTC)
    spoil(
        warehouse,
        "update raw.ad_delivery set campaign_id = null;"
        "insert into raw.loads select * replace ('today' as load_id, "
        "timestamptz '2026-11-21 06:00:00+00' as loaded_at) from raw.loads limit 1;"
        "insert into raw.ad_delivery select * replace ('today' as load_id, 'c' as campaign_id) "
        "from raw.ad_delivery limit 1",
    )

    def broken(since: datetime | None) -> set[str]:
        results = run_border(
            "raw",
            connection_string=connection_string(warehouse),
            suites_dir=suites_dir(),
            loaded_since=since,
        )
        rows_checked = {r.checked_rows for r in results if r.table == "ad_delivery"}
        assert rows_checked == ({3} if since is None else {1})
        return unkept(results, "critical")

    assert broken(None) == {"campaign_id is filled"}
    assert broken(today) == set()


def test_rows_of_a_load_that_was_never_recorded_are_not_judged(warehouse: Path) -> None:
    spoil(
        warehouse,
        "insert into raw.tag_events select * replace ('killed half way' as load_id, "
        "cast(null as varchar) as event_id) from raw.tag_events",
    )
    results = run_border(
        "raw", connection_string=connection_string(warehouse), suites_dir=suites_dir()
    )
    assert unkept(results, "critical") == set()


def test_layers_may_live_in_datasets_of_another_name(tmp_path: Path) -> None:
    datasets = {layer: f"prefix_{layer}" for layer in BORDERS}
    path = build(tmp_path / "warehouse.duckdb", datasets)
    for border in BORDERS:
        results = run_border(
            border,
            connection_string=connection_string(path),
            suites_dir=suites_dir(),
            datasets=datasets,
        )
        assert [result for result in results if not result.success] == []


def test_the_file_can_be_written_again_after_a_gate(warehouse: Path, tmp_path: Path) -> None:
    check(warehouse, "raw.loads", tmp_path)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create table raw.written_after (id bigint)")


def test_the_checks_cannot_write(warehouse: Path) -> None:
    import sqlalchemy

    from trueline.quality import duckdb_dialect

    duckdb_dialect.register()
    engine = sqlalchemy.create_engine(connection_string(warehouse))
    with engine.connect() as connection, pytest.raises(sqlalchemy.exc.DBAPIError, match="read-only"):
        connection.execute(sqlalchemy.text("delete from raw.loads"))
    engine.dispose()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{", "not JSON", id="not_json"),
        pytest.param('{"name": "raw.loads", "meta": {"border": "raw"}}', "expectations", id="half"),
        pytest.param(
            '{"name": "raw.loads", "meta": {"border": "mart"}, "expectations": []}',
            "meta → border",
            id="unknown_border",
        ),
    ],
)
def test_a_suite_that_cannot_be_read_names_its_file(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "loads.json").write_text(text)
    with pytest.raises(ConfigurationError, match=words) as refused:
        load_suites(tmp_path)
    assert "loads.json" in str(refused.value)


@pytest.mark.parametrize("kind", ["expect_miracles", "expect_column_values_to_be_unique"])
def test_an_expectation_that_cannot_be_built_is_not_left_out_silently(
    kind: str, good_warehouse: Path, tmp_path: Path
) -> None:
    suites = suite_with(tmp_path, "raw.loads", {"type": kind, "kwargs": {}})
    with pytest.raises(ConfigurationError, match=kind) as refused:
        run_border("raw", connection_string=connection_string(good_warehouse), suites_dir=suites)
    assert "loads.json" in str(refused.value)


def test_a_gate_that_checks_nothing_is_no_gate(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no suite for the marts border"):
        load_suites(tmp_path, "marts")


def test_row_queries_hand_out_counts_and_constants_only() -> None:
    for suite in load_suites(suites_dir()):
        for expectation in suite.expectations:
            if expectation.query is not None:
                selected = expectation.query.split(" from ")[0]
                assert selected in ("select 1 as unexpected", "select count(*) as unexpected")
                assert "{batch}" in expectation.query
