"""What BigQuery can answer: a clear error naming the fix, nothing half written, a retry is safe."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.bigquery import BigQueryServer
from sandbox.world import World
from tests.wire.conftest import WireCompany, profile_on, until, with_settings
from trueline import pipeline
from trueline.errors import ConfigurationError, PermanentError, RetriableError, TruelineError
from trueline.warehouse import Work, open_warehouse

COMMIT = {"statement": "begin transaction;\ninsert into"}
RAW = ["raw.ad_delivery", "raw.pixel_claims", "raw.loads", "raw.load_coverage", "raw.quarantine"]


@pytest.fixture(scope="module")
def shared(bigquery_environment: BigQueryServer, tiny_world: World, tiny_url: str) -> WireCompany:
    """One source is in, so that there is something to spoil; for all tests that undo nothing."""
    profile = profile_on(bigquery_environment, f"t{secrets.token_hex(4)}_")
    company = WireCompany(tiny_world, tiny_url, profile, bigquery_environment)
    company.load("meta_ads")
    return company


@pytest.fixture
def loaded(bigquery: BigQueryServer, shared: WireCompany) -> WireCompany:
    """The shared company; ``bigquery`` forgets what the test before asked and broke."""
    return shared


@pytest.fixture
def own(company: WireCompany) -> WireCompany:
    """A company that the test may break for good."""
    company.load("meta_ads")
    company.bigquery.record.clear()
    return company


def raw(company: WireCompany) -> dict[str, int]:
    return {table: company.rows(table) for table in RAW}


def commits(company: WireCompany) -> list[str]:
    """Ids of the commit jobs that were sent, each as often as it was."""
    return [
        job["jobReference"]["jobId"] for job in company.jobs() if "begin transaction" in str(job)
    ]


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "error", "reason": "backendError", "when": "before", "times": 2},
        {"do": "error", "reason": "backendError", "when": "after"},
        {"do": "cut", "when": "before"},
        {"do": "cut", "when": "after"},
        {"do": "error", "reason": "rateLimitExceeded", "when": "before", "times": 2},
        {"do": "slow", "polls": 3},
    ],
    ids=lambda fault: " ".join(str(fault.get(key, "")) for key in ("do", "reason", "when")).strip(),
)
def test_the_commit_meets_trouble_on_the_wire_and_is_done_once(
    loaded: WireCompany, fault: dict[str, Any]
) -> None:
    before = raw(loaded)
    loaded.bigquery.faults.add(match={"method": "POST", "path": "/jobs$", **COMMIT}, **fault)
    summary = loaded.load("google_ads")
    after = raw(loaded)
    rows = {load.table_name: load.rows_loaded for load in summary.loads}
    assert after["raw.ad_delivery"] - before["raw.ad_delivery"] == rows["ad_delivery"]
    assert after["raw.loads"] - before["raw.loads"] == len(summary.loads)
    # However often it was sent, it was one job.
    assert len(set(commits(loaded))) == 1
    assert loaded.datasets("load") == []


def test_an_internal_error_after_a_while_is_tried_again_under_the_next_number(
    loaded: WireCompany,
) -> None:
    before = raw(loaded)
    loaded.bigquery.faults.add(do="fail", polls=2, match=COMMIT)
    summary = loaded.load("google_ads")
    after = raw(loaded)
    assert after["raw.loads"] - before["raw.loads"] == len(summary.loads)
    first, second = commits(loaded)
    assert first.endswith("_commit_1_a1")
    assert second == first.removesuffix("1") + "2"


def test_an_internal_error_that_stays_ends_the_run_and_leaves_nothing(loaded: WireCompany) -> None:
    before = raw(loaded)
    loaded.bigquery.faults.add(do="fail", times=None, match=COMMIT)
    with pytest.raises(RetriableError, match="failed by itself") as caught:
        loaded.load("google_ads")
    assert "_commit_1_a3" in str(caught.value)
    assert raw(loaded) == before
    assert loaded.datasets("load") == []
    loaded.bigquery.faults.clear()
    loaded.load("google_ads")
    assert raw(loaded)["raw.ad_delivery"] > before["raw.ad_delivery"]


def test_a_used_up_quota_waits_long_instead_of_hammering(loaded: WireCompany) -> None:
    before = raw(loaded)
    loaded.bigquery.faults.add(do="fail", reason="quotaExceeded", match=COMMIT)
    with pytest.raises(RetriableError, match="quota is used up") as caught:
        loaded.load("google_ads")
    assert caught.value.retry_after_seconds == 900
    assert len(commits(loaded)) == 1
    assert raw(loaded) == before


def test_a_row_that_bigquery_refuses_is_no_half_load(loaded: WireCompany) -> None:
    before = raw(loaded)
    loaded.bigquery.faults.add(do="bad_row", times=None, row=3, message="Bad value: canary-4711")
    with pytest.raises(TruelineError, match=r"raw\.ad_delivery") as caught:
        loaded.load("google_ads")
    assert "canary-4711" not in str(caught.value)
    assert raw(loaded) == before
    assert loaded.datasets("load") == []


def refused(company: WireCompany, told: str, fix: str) -> None:
    before = raw(company)
    with pytest.raises(ConfigurationError, match=told) as caught:
        company.load("google_ads")
    assert fix in str(caught.value)
    company.bigquery.faults.clear()
    assert raw(company) == before


def test_a_wrong_location_is_named_with_both_places(loaded: WireCompany) -> None:
    before = raw(loaded)
    elsewhere = with_settings(loaded, location="US")
    with pytest.raises(ConfigurationError, match=r"in EU, but warehouse\.location says US") as e:
        elsewhere.load("google_ads")
    assert "Set warehouse.location to EU" in str(e.value)
    assert raw(loaded) == before


def test_a_missing_role_is_named_with_the_role_to_grant(loaded: WireCompany) -> None:
    loaded.bigquery.faults.add(
        do="error", reason="accessDenied", times=None, match={"path": "/jobs|/queries"}
    )
    refused(loaded, r"bigquery\.jobs\.create permission", "Grant roles/bigquery.jobUser")


def test_revoked_credentials_say_how_to_get_new_ones(loaded: WireCompany) -> None:
    loaded.bigquery.tokens.revoke()
    loaded.bigquery.tokens.refuse_grants("Token has been expired or revoked.")
    try:
        refused(loaded, "no longer accepts the credentials", "google_cloud_default")
    finally:
        loaded.bigquery.tokens.refuse_grants(None)


def by_hand(company: WireCompany, sql: str) -> None:
    """Somebody does something in the console."""
    with open_warehouse(company.profile, Work("by-hand", sql[:12])) as warehouse:
        client = warehouse.jobs.access.client  # type: ignore[attr-defined]
        client.query(sql, location=company.settings.location).result()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "create or replace table {raw}.loads as select * replace (cast(rows_loaded as string) "
            "as rows_loaded) from {raw}.loads",
            "has rows_loaded as NULLABLE STRING",
        ),
        (
            "create or replace table {raw}.loads as select * except (status) from {raw}.loads",
            "has no column status, which must be filled",
        ),
        (
            "create or replace table {raw}.ad_delivery as select * from {raw}.ad_delivery "
            "where platform_date >= '2000-01-01'",
            "is partitioned by nothing, table.yaml says platform_date",
        ),
    ],
    ids=["another type", "a column gone", "partitions gone"],
)
def test_a_table_changed_by_hand_is_refused_before_anything_is_written(
    own: WireCompany, change: str, told: str
) -> None:
    by_hand(own, change.format(raw=own.dataset("raw")))
    before = raw(own)
    with pytest.raises(ConfigurationError, match=told) as caught:
        own.load("google_ads")
    assert "changed the table by hand" in str(caught.value)
    assert raw(own) == before


@pytest.mark.soak
def test_a_dataset_deleted_by_hand_is_made_anew_and_told(own: WireCompany) -> None:
    pipeline.build(own.profile)
    with open_warehouse(own.profile, Work("by-hand", "delete")) as warehouse:
        client = warehouse.jobs.access.client  # type: ignore[attr-defined]
        client.delete_dataset(own.dataset("marts"), delete_contents=True)
    pipeline.build(own.profile)
    assert own.rows("marts.funnel_daily") > 0


@pytest.mark.soak
def test_a_table_that_goes_while_a_build_runs_is_named(own: WireCompany) -> None:
    pipeline.build(own.profile)
    before = own.rows("marts.funnel_daily")

    def vanish(table: str) -> None:
        if table == "staging.stg_loads":
            by_hand(own, f"drop table {own.dataset('rules')}.channels")

    with pytest.raises(ConfigurationError, match=r"Not found: Table .*rules\.channels") as caught:
        pipeline.build(own.profile, progress=vanish)
    assert "time travel" in str(caught.value)
    assert own.rows("marts.funnel_daily") == before
    assert own.datasets("build") == []


@pytest.mark.soak
def test_of_two_builds_at_once_the_second_to_commit_is_undone(loaded: WireCompany) -> None:
    pipeline.build(loaded.profile)
    runs = loaded.rows("ops.runs")
    loaded.bigquery.record.clear()
    rival = "delete from {marts}.funnel_daily where report_date >= '0001-01-01'"
    loaded.bigquery.faults.add(
        do="hold",
        match={"statement": r"delete from \w+marts\.funnel", "label": {"task": "build"}},
    )
    held = _in_background(lambda: pipeline.build(loaded.profile))
    until(lambda: _has_begun(loaded, "_commit_2_a1"))
    by_hand(loaded, rival.format(marts=loaded.dataset("marts")))
    loaded.bigquery.faults.clear()
    error = held()
    assert isinstance(error, RetriableError), error
    assert "Another run changed the same table" in str(error)
    assert loaded.rows("ops.runs") == runs
    pipeline.build(loaded.profile)
    assert loaded.rows("ops.runs") == runs + 1
    assert loaded.rows("marts.funnel_daily") > 0


def test_a_query_over_the_cap_is_refused_unbilled(loaded: WireCompany) -> None:
    capped = with_settings(loaded, maximum_bytes_billed=10)
    before, runs = raw(loaded), loaded.rows("ops.runs")
    with pytest.raises(ConfigurationError, match="maximum_bytes_billed") as caught:
        pipeline.build(capped.profile)
    assert "trueline cost" in str(caught.value)
    assert raw(loaded) == before
    assert loaded.rows("ops.runs") == runs


def test_a_build_over_its_budget_does_not_start(
    loaded: WireCompany, caplog: pytest.LogCaptureFixture
) -> None:
    thrifty = with_settings(loaded, maximum_bytes_per_build=10)
    with (
        caplog.at_level("INFO"),
        pytest.raises(ConfigurationError, match="maximum_bytes_per_build") as caught,
    ):
        pipeline.build(thrifty.profile)
    assert "Nothing was read" in str(caught.value)
    assert "by BigQuery's dry run" in caplog.text
    started = [job for job in loaded.jobs() if "destinationTable" in str(job)]
    assert started == []
    assert loaded.datasets("build") == []


def test_clear_values_of_a_row_never_reach_an_error(loaded: WireCompany) -> None:
    loaded.bigquery.faults.add(
        do="fail", reason="invalidQuery", message="Bad int64 value: jane@example.org", match=COMMIT
    )
    with pytest.raises(PermanentError) as caught:
        loaded.load("google_ads")
    assert "jane@example.org" not in str(caught.value)
    assert "BigQuery console" in str(caught.value)


def _has_begun(company: WireCompany, ending: str) -> bool:
    """Whether a script has run at least one of its statements: its transaction is open."""
    ids = [job["jobReference"]["jobId"] for job in company.jobs()]
    (script,) = [job_id for job_id in ids if job_id.endswith(ending)] or [None]
    if script is None:
        return False
    with open_warehouse(company.profile, Work("test", "look")) as warehouse:
        client = warehouse.jobs.access.client  # type: ignore[attr-defined]
        return any(client.list_jobs(parent_job=script))


def _in_background(work: Callable[[], object]) -> Callable[[], BaseException | None]:
    """Start work; the returned function waits for it and gives what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except TruelineError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def end() -> BaseException | None:
        thread.join(120)
        return raised[0] if raised else None

    return end
