"""Misbehaviour on request: what a client must survive can be made to happen."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.bigquery import BigQueryServer

Run = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]
COUNT = "select count(*) as n from shop.orders where day >= '2000-01-01'"
INSERT = "insert into shop.orders (order_id, day) values ('new', date '2026-01-09')"
DELETE = "delete from shop.orders where day >= '2000-01-01'"


@pytest.fixture
def quick() -> Any:
    """Google's own retries without their waits."""
    from google.cloud.bigquery.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.01)


def statuses(bigquery: BigQueryServer, path: str) -> list[int]:
    lines = bigquery.record.lines("request")
    return [line["status"] for line in lines if line["path"].endswith(path)]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"reason": "backendError"}, 503),
        ({"reason": "rateLimitExceeded"}, 403),
        ({"reason": "rateLimitExceeded", "status": 429}, 429),
    ],
)
def test_a_passing_error_is_retried_by_the_client(
    bigquery: BigQueryServer,
    client: Any,
    shop: str,
    rows: Rows,
    quick: Any,
    fault: dict[str, Any],
    status: int,
) -> None:
    bigquery.record.clear()
    bigquery.faults.add(do="error", times=2, match={"path": "/jobs$"}, **fault)
    client.query(INSERT, job_id="i1", retry=quick, job_retry=None).result()
    assert statuses(bigquery, "/jobs") == [status, status, 200]
    assert rows(COUNT) == [{"n": 4}]


@pytest.mark.parametrize("fault", [{"do": "error", "reason": "backendError"}, {"do": "cut"}])
def test_an_answer_lost_after_the_work_makes_the_retry_meet_409(
    bigquery: BigQueryServer, client: Any, shop: str, rows: Rows, quick: Any, fault: dict[str, Any]
) -> None:
    from google.api_core.exceptions import Conflict

    bigquery.faults.add(when="after", match={"job_id_prefix": "trueline_"}, **fault)
    with pytest.raises(Conflict, match=r"Already Exists: Job a-project:EU\.trueline_1"):
        client.query(INSERT, job_id="trueline_1", retry=quick, job_retry=None)
    found = client.get_job("trueline_1")
    found.result()
    assert found.num_dml_affected_rows == 1
    assert rows(COUNT) == [{"n": 4}]


def test_a_query_without_an_id_of_ones_own_recovers_by_itself(
    bigquery: BigQueryServer, client: Any, shop: str, rows: Rows, quick: Any
) -> None:
    bigquery.faults.add(do="cut", when="after", match={"statement": "insert into"})
    client.query(INSERT, retry=quick).result()
    bigquery.faults.add(do="cut", when="after", match={"path": "/queries$"})
    client.query_and_wait(INSERT, retry=quick)
    assert rows(COUNT) == [{"n": 5}]


def test_a_quota_that_is_used_up_is_not_retried(
    bigquery: BigQueryServer, client: Any, shop: str
) -> None:
    from google.api_core.exceptions import Forbidden

    bigquery.faults.add(do="error", reason="quotaExceeded", times=None)
    with pytest.raises(Forbidden) as caught:
        client.query("select 1 as x", job_retry=None)
    assert caught.value.errors[0]["reason"] == "quotaExceeded"


def test_a_missing_role_is_told_in_bigquerys_words(bigquery: BigQueryServer, client: Any) -> None:
    from google.api_core.exceptions import Forbidden

    bigquery.faults.add(do="error", reason="accessDenied", match={"path": "/jobs$"})
    with pytest.raises(Forbidden) as caught:
        client.query("select 1 as x", job_retry=None)
    assert caught.value.errors[0]["reason"] == "accessDenied"
    assert (
        "Access Denied: Project a-project: User does not have bigquery.jobs.create permission "
        "in project a-project."
    ) in str(caught.value)


def test_a_slow_job_is_running_for_as_many_polls(
    bigquery: BigQueryServer, client: Any, shop: str
) -> None:
    bigquery.faults.add(do="slow", polls=2, match={"label": {"step": "build"}})
    job = start(client, "select 1 as x", "slow", labels={"step": "build"})
    states = [client.get_job("slow").state for _ in range(4)]
    assert job.state == "RUNNING"
    assert states == ["RUNNING", "RUNNING", "DONE", "DONE"]


def test_a_cancel_can_come_too_late(
    bigquery: BigQueryServer, client: Any, shop: str, rows: Rows
) -> None:
    bigquery.faults.add(do="slow", polls=1, match={"statement": "delete"})
    job = start(client, DELETE, "late")
    assert job.cancel()
    assert client.get_job("late").state == "RUNNING"
    done = client.get_job("late")
    assert (done.state, done.error_result) == ("DONE", None)
    assert rows(COUNT) == [{"n": 0}]


def test_a_script_that_is_cancelled_in_time_leaves_nothing(
    bigquery: BigQueryServer, client: Any, shop: str, rows: Rows
) -> None:
    bigquery.faults.add(do="hold", match={"statement": "commit"})
    job = start(client, f"begin transaction; {DELETE}; commit transaction", "stopped")
    job.cancel()
    wait_for(lambda: client.get_job("stopped").state == "DONE")
    assert client.get_job("stopped").error_result["reason"] == "stopped"
    assert rows(COUNT) == [{"n": 3}]


@pytest.mark.parametrize(("when", "left"), [("before", 3), ("after", 0)])
def test_a_job_can_end_in_an_internal_error_with_and_without_its_work(
    bigquery: BigQueryServer, client: Any, shop: str, rows: Rows, when: str, left: int
) -> None:
    from google.api_core.exceptions import InternalServerError

    bigquery.faults.add(do="fail", when=when, polls=1, match={"job_id_prefix": "broken"})
    job = start(client, DELETE, "broken")
    assert [job.state, client.get_job("broken").state] == ["RUNNING", "RUNNING"]
    # Not by result(): while it waits, the client takes this error for one of the request.
    ended = client.get_job("broken")
    assert ended.error_result["reason"] == "internalError"
    assert isinstance(ended.exception(), InternalServerError)
    assert rows(COUNT) == [{"n": left}]


def test_a_row_of_a_load_can_be_called_bad(
    bigquery: BigQueryServer, client: Any, shop: str, rows: Rows
) -> None:
    bigquery.faults.add(do="bad_row", row=2, message="Bad character", match={})
    lines = [{"order_id": "x", "day": "2026-01-09"}, {"order_id": "y", "day": "2026-01-09"}]
    job = client.load_table_from_json(lines, "shop.orders")
    with pytest.raises(Exception, match="errors: 1"):
        job.result()
    assert "Bad character; Row: 2" in job.errors[1]["message"]
    assert rows(COUNT) == [{"n": 3}]


def test_an_upload_that_is_cut_is_taken_up_again(
    bigquery: BigQueryServer, client: Any, shop: str, rows: Rows
) -> None:
    from google.cloud.bigquery import LoadJobConfig

    bigquery.faults.add(do="error", status=503, match={"method": "PUT", "path": "/upload/"})
    file = io.BytesIO(b'{"order_id": "x", "day": "2026-01-09"}\n')
    config = LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON")
    client.load_table_from_file(file, "shop.orders", job_config=config).result()
    assert statuses(bigquery, "/jobs").count(503) == 1
    assert rows(COUNT) == [{"n": 4}]


def test_skip_lets_requests_pass_first(bigquery: BigQueryServer, client: Any) -> None:
    from google.api_core.exceptions import NotFound

    where = {"method": "GET", "path": "/datasets"}
    bigquery.faults.add(do="error", reason="notFound", skip=1, match=where)
    assert list(client.list_datasets()) == []
    with pytest.raises(NotFound):
        list(client.list_datasets())
    assert list(client.list_datasets()) == []


def test_latency_is_felt(bigquery: BigQueryServer, client: Any) -> None:
    bigquery.faults.add(do="latency", seconds=0.3, match={"path": "/datasets"})
    began = time.monotonic()
    list(client.list_datasets())
    assert time.monotonic() - began >= 0.3


def test_a_revoked_token_is_renewed_and_a_revoked_grant_is_not(
    bigquery: BigQueryServer, client: Any
) -> None:
    from google.auth.exceptions import RefreshError

    list(client.list_datasets())
    bigquery.tokens.revoke()
    list(client.list_datasets())
    assert statuses(bigquery, "/datasets") == [200, 401, 200]
    bigquery.tokens.revoke()
    bigquery.tokens.refuse_grants("Token has been expired or revoked.")
    with pytest.raises(RefreshError, match="invalid_grant"):
        list(client.list_datasets())


def test_no_token_no_answer(bigquery: BigQueryServer) -> None:
    address = f"{bigquery.url}/bigquery/v2/projects/a-project/datasets"
    for headers in ({}, {"Authorization": "Bearer ya29.made-up"}):
        answer = requests.get(address, headers=headers, timeout=10)
        assert answer.status_code == 401
        assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


def test_a_key_that_nobody_knows_gets_no_token(
    bigquery: BigQueryServer, client: Any, shop: str
) -> None:
    from google.auth.exceptions import RefreshError

    bigquery.tokens.forget_accounts()
    bigquery.tokens.revoke()
    with pytest.raises(RefreshError, match="account not found"):
        list(client.list_datasets())


def test_two_transactions_on_one_table_the_later_is_aborted(
    bigquery: BigQueryServer, client: Any, shop: str, rows: Rows
) -> None:
    from google.api_core.exceptions import BadRequest

    script = f"begin transaction; {DELETE}; {INSERT}; commit transaction;"
    bigquery.faults.add(do="hold", match={"statement": "commit", "job_id_prefix": "first"})
    first = start(client, script, "first")
    with pytest.raises(BadRequest) as caught:
        start(client, script, "second").result()
    reason = client.get_job("second").error_result
    assert reason["reason"] == "invalidQuery"
    assert (
        "Query error: Transaction is aborted due to concurrent update against table "
        "a-project:shop.orders. Transaction ID: "
    ) in reason["message"]
    assert reason["message"].endswith("at [1:20]")
    assert "concurrent update" in str(caught.value)
    bigquery.faults.release()
    first.result()
    assert rows(COUNT) == [{"n": 1}]


def test_a_transaction_whose_table_was_changed_since_it_began_is_aborted(
    bigquery: BigQueryServer, client: Any, run: Run, shop: str, rows: Rows
) -> None:
    bigquery.faults.add(do="hold", match={"statement": "delete", "job_id_prefix": "first"})
    first = start(client, f"begin transaction; {DELETE}; commit transaction", "first")
    run("update shop.orders set amount = 7 where day = '2026-01-01'")
    bigquery.faults.release()
    with pytest.raises(Exception, match="concurrent update against table a-project:shop"):
        first.result()
    assert rows(COUNT) == [{"n": 3}]


def test_a_table_changed_by_hand_aborts_a_transaction_too(
    bigquery: BigQueryServer, client: Any, shop: str
) -> None:
    bigquery.faults.add(do="hold", match={"statement": "delete", "job_id_prefix": "first"})
    first = start(client, f"begin transaction; {DELETE}; commit transaction", "first")
    bigquery.sql("update shop.orders set amount = 1")
    bigquery.faults.release()
    with pytest.raises(Exception, match="concurrent update"):
        first.result()


def test_inserts_do_not_disturb_a_transaction_and_it_does_not_see_them(
    bigquery: BigQueryServer, client: Any, run: Run, shop: str, rows: Rows
) -> None:
    bigquery.faults.add(do="hold", match={"statement": "delete", "job_id_prefix": "first"})
    first = start(client, f"begin transaction; {DELETE}; commit transaction", "first")
    run(INSERT)
    bigquery.faults.release()
    first.result()
    assert rows("select order_id from shop.orders where day >= '2000-01-01'") == [
        {"order_id": "new"}
    ]


def test_a_statement_of_its_own_waits_for_the_transaction(
    bigquery: BigQueryServer, client: Any, shop: str, rows: Rows
) -> None:
    bigquery.faults.add(do="hold", match={"statement": "commit", "job_id_prefix": "first"})
    first = start(client, f"begin transaction; {DELETE}; {INSERT}; commit transaction", "first")
    waiting = start(client, "update shop.orders set amount = 7 where day >= '2000-01-01'", "w")
    assert client.get_job("w").state == "RUNNING"
    bigquery.faults.release()
    first.result()
    waiting.result()
    assert waiting.num_dml_affected_rows == 1
    assert rows("select amount from shop.orders where day >= '2000-01-01'") == [{"amount": 7}]


def test_readers_see_a_swap_whole_or_not_at_all(
    bigquery: BigQueryServer, client: Any, shop: str, rows: Rows
) -> None:
    bigquery.faults.add(do="hold", match={"statement": "commit", "job_id_prefix": "swap"})
    swap = start(client, f"begin transaction; {DELETE}; {INSERT}; commit transaction", "swap")
    assert rows(COUNT) == [{"n": 3}]
    bigquery.faults.release()
    swap.result()
    assert rows(COUNT) == [{"n": 1}]


def test_faults_and_hands_work_over_http(bigquery: BigQueryServer, client: Any, shop: str) -> None:
    def post(path: str, body: Any) -> requests.Response:
        return requests.post(f"{bigquery.url}{path}", json=body, timeout=10)

    fault = {"do": "error", "reason": "notFound", "match": {"path": "/datasets"}}
    assert post("/__faults", fault).status_code == 200
    with pytest.raises(Exception, match="notFound"):
        list(client.list_datasets())
    assert post("/__faults", {"do": "nothing"}).status_code == 400
    assert post("/__faults", {"do": "cut", "match": {"colour": "red"}}).status_code == 400
    sql = "select count(*) from shop.orders"
    assert post("/__sql", {"sql": sql}).json() == [["3"]]
    assert post("/__tokens", {"revoke": True}).status_code == 200
    lines = requests.get(f"{bigquery.url}/__requests?kind=request", timeout=10).json()
    assert lines[-1]["path"] == "/bigquery/v2/projects/a-project/datasets"
    requests.delete(f"{bigquery.url}/__requests", timeout=10)
    assert requests.get(f"{bigquery.url}/__requests", timeout=10).json() == []


def start(client: Any, sql: str, job_id: str, **settings: Any) -> Any:
    from google.cloud.bigquery import QueryJobConfig

    return client.query(sql, QueryJobConfig(**settings), job_id=job_id, job_retry=None)


def wait_for(happened: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    pause = threading.Event()
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        pause.wait(0.01)
