"""What the product relies on when a job is sent twice, costs too much or meets another one."""

from __future__ import annotations

import secrets
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest

from tests.live.findings import FINDINGS
from tests.live.target import Target
from trueline.errors import ConfigurationError, PermanentError, RetriableError
from trueline.model.catalog import load_catalog
from trueline.warehouse import Work, open_warehouse
from trueline.warehouse.bigquery.access import own_place
from trueline.warehouse.bigquery.transaction import read
from trueline.warehouse.places import with_places

# Long enough on BigQuery that two transactions meet; the fake holds the first one instead.
PAIRS = 20_000
PATIENCE_SECONDS = 600


@pytest.fixture(scope="package")
def numbers(target: Target) -> str:
    """A table of a thousand numbers."""
    name = f"{target.dataset('jobs')}.numbers"
    sql = "select number from unnest(generate_array(1, 1000)) as number"
    target.jobs("numbers").run(sql, {}, step="make", destination=name)
    return name


def test_a_job_that_was_sent_before_is_not_sent_again(target: Target, numbers: str) -> None:
    from google.api_core.exceptions import Conflict

    jobs = target.jobs("twice")
    sql = f"insert into {numbers} (number) values (0)"
    first = jobs.run(sql, {}, step="insert")
    second = jobs.run(sql, {}, step="insert")
    assert first.job_id == second.job_id
    found = read(jobs, f"select count(*) as n from {numbers} where number = 0", {})
    assert found == [{"n": 1}]
    with pytest.raises(Conflict):
        target.access.client.query(
            sql, job_id=first.job_id, location=target.settings.location, job_retry=None
        )
    # Another statement under the same step is another job.
    third = jobs.run(f"select max(number) as n from {numbers}", {}, step="insert")
    assert third.job_id != first.job_id


def test_a_query_over_the_cap_is_refused_and_billed_nothing(target: Target, numbers: str) -> None:
    jobs = target.jobs("cap", maximum_bytes_billed=1)
    with pytest.raises(ConfigurationError, match=r"more than warehouse\.maximum_bytes_billed"):
        jobs.run(f"select sum(number) as n from {numbers}", {}, step="sum")
    with pytest.raises(ConfigurationError, match=r"more than warehouse\.maximum_bytes_billed"):
        read(jobs, f"select max(number) as n from {numbers}", {})


def test_a_read_without_its_days_is_refused(target: Target, tables: None) -> None:
    sql = with_places("select touch_id from raw.touches", own_place(target.settings))
    with pytest.raises(PermanentError, match="Cannot query over table"):
        read(target.jobs("days"), sql, {})


def test_what_is_not_there_and_what_is_elsewhere_say_what_to_do(
    target: Target, tables: None
) -> None:
    prefix = target.settings.dataset_prefix
    with pytest.raises(ConfigurationError, match="Not found: Table") as caught:
        read(target.jobs("missing"), f"select 1 as n from {prefix}raw.nothing", {})
    assert "somebody deleted the table" in str(caught.value.fix)
    with pytest.raises(ConfigurationError, match="Not found: Dataset") as caught:
        read(target.jobs("missing"), f"select 1 as n from {prefix}nowhere.nothing", {})
    assert "warehouse.location says" in str(caught.value.fix)
    elsewhere = "US" if target.settings.location.lower() != "us" else "EU"
    moved = target.profile.warehouse.model_copy(update={"location": elsewhere})
    settings = target.profile.settings.model_copy(update={"warehouse": moved})
    profile = target.profile.model_copy(update={"settings": settings})
    with (
        pytest.raises(ConfigurationError, match=rf"but warehouse\.location says {elsewhere}"),
        open_warehouse(profile, Work("ensure", "ensure-elsewhere")) as warehouse,
    ):
        warehouse.ensure_tables([load_catalog()["raw.loads"]])


@pytest.mark.soak
def test_of_two_transactions_that_meet_one_is_undone(target: Target) -> None:
    table = f"{target.dataset('jobs')}.met"
    jobs = target.jobs("meet")
    jobs.run("select 0 as number, 0 as pairs", {}, step="make", destination=table)
    run = secrets.token_hex(4)
    pairs = PAIRS if target.is_real else 10
    if target.server:
        target.server.faults.add(do="hold", match={"statement": f"insert into {table} "})

    def replace(number: int) -> None:
        work = Work("build", f"meet-{run}-{number}")
        with open_warehouse(target.profile, work) as warehouse, warehouse.transaction() as change:
            change.execute(f"delete from {table} where true")
            change.execute(
                f"insert into {table} (number, pairs) select {number}, countif(mod(a * b, 7) = 3) "
                f"from unnest(generate_array(1, {pairs})) as a "
                f"cross join unnest(generate_array(1, {pairs})) as b"
            )

    with ThreadPoolExecutor(2) as pool:
        both = {number: pool.submit(replace, number) for number in (1, 2)}
        wait(both.values(), timeout=PATIENCE_SECONDS, return_when=FIRST_COMPLETED)
        if target.server:
            target.server.faults.release()
        undone = {number: future.exception() for number, future in both.items()}
    kept = [number for number, error in undone.items() if error is None]
    found = _wrongly_undone(undone)
    rows = read(jobs, f"select number from {table}", {})
    if len(kept) == 1 and rows != [{"number": kept[0]}]:
        found.append(("two transactions", f"{kept[0]} was kept, but there is {rows}"))
    FINDINGS.refuse("two transactions", found, looked_at="one undone, its error told")


def _wrongly_undone(undone: dict[int, BaseException | None]) -> list[tuple[str, str]]:
    errors = [error for error in undone.values() if error is not None]
    if not errors:
        return [("two transactions", "both were kept: they did not meet, or they may meet")]
    return [
        ("two transactions", f"{type(error).__name__}: {error}")
        for error in errors
        if not isinstance(error, RetriableError)
        or "Another run changed the same table" not in str(error)
    ]
