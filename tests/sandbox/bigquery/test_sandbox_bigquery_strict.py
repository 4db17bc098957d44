"""What the sandbox's BigQuery refuses, as the original does."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox.bigquery import BigQueryServer

Run = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def insert(bigquery: BigQueryServer, client: Any) -> Callable[[dict[str, Any]], requests.Response]:
    """``jobs.insert`` with a body of one's own."""
    client.list_datasets().pages.__next__()
    token = client._credentials.token

    def insert(body: dict[str, Any]) -> requests.Response:
        return requests.post(
            f"{bigquery.url}/bigquery/v2/projects/a-project/jobs",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )

    return insert


def a_query(**more: Any) -> dict[str, Any]:
    return {"configuration": {"query": {"query": "select 1 as x", "useLegacySql": False} | more}}


def error_of(response: requests.Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    assert error["code"] == response.status_code
    assert error["errors"][0]["message"] == error["message"]
    return response.status_code, error["errors"][0]["reason"], error["message"]


def test_a_job_id_is_used_up_whatever_became_of_the_job(client: Any, run: Run) -> None:
    from google.api_core.exceptions import Conflict

    run("select 1 as x", job_id="good")
    with pytest.raises(Exception, match="Division"):
        run("select error('Division')", job_id="bad")
    with pytest.raises(Exception, match="Unrecognized name: y"):
        run("select y from (select 1 as x)", job_id="refused")
    for used in ("good", "bad", "refused"):
        with pytest.raises(Conflict) as caught:
            client.query("select 2 as x", job_id=used, job_retry=None)
        assert caught.value.errors[0]["reason"] == "duplicate"
        assert f"Already Exists: Job a-project:EU.{used}" in str(caught.value)
    assert client.get_job("bad").error_result["reason"] == "invalidQuery"
    assert client.get_job("refused").state == "DONE"


@pytest.mark.parametrize("job_id", ["with space", "ümlaut", "a.b", "x" * 1025])
def test_a_job_id_of_other_characters_is_refused(client: Any, job_id: str) -> None:
    with pytest.raises(Exception, match="Invalid job ID"):
        client.query("select 1 as x", job_id=job_id, job_retry=None)


@pytest.mark.parametrize(
    "labels",
    [
        {"Upper": "x"},
        {"key": "Upper"},
        {"1st": "x"},
        {"key": "a.b"},
        {"key": "x" * 64},
        {"k" * 64: "x"},
        {f"key{number}": "x" for number in range(65)},
    ],
)
def test_labels_keep_to_bigquerys_rules(run: Run, labels: dict[str, str]) -> None:
    with pytest.raises(Exception, match=r"[Ll]abel"):
        run("select 1 as x", labels=labels)


def test_labels_within_the_rules_are_kept(client: Any, run: Run) -> None:
    labels = {"step": "swap_marts-2", "run": "", "größe": "xl"}
    job = run("select 1 as x", labels=labels)
    assert client.get_job(job.job_id).labels == labels


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (a_query(maximumBytesBiled="1"), "maximumBytesBiled"),
        ({**a_query(), "configuratoin": {}}, "configuratoin"),
        ({"configuration": {**a_query()["configuration"], "dry_run": True}}, "dry_run"),
        ({**a_query(), "jobReference": {"jobID": "x"}}, "jobID"),
        (a_query(destinationTable={"dataset": "x"}), "dataset"),
    ],
)
def test_an_unknown_field_is_named(
    insert: Callable[[dict[str, Any]], requests.Response], body: dict[str, Any], name: str
) -> None:
    status, _, message = error_of(insert(body))
    assert status == 400
    assert message.startswith(f'Invalid JSON payload received. Unknown name "{name}"')


@pytest.mark.parametrize(
    "query",
    [
        {"useLegacySql": True},
        {"createSession": True},
        {"connectionProperties": [{"key": "session_id", "value": "x"}]},
    ],
)
def test_what_is_not_covered_says_so(
    insert: Callable[[dict[str, Any]], requests.Response], query: dict[str, Any]
) -> None:
    status, reason, message = error_of(insert(a_query(**query)))
    assert (status, reason) == (501, "notImplemented")
    assert "does not cover" in message


def test_jobs_and_datasets_have_a_place(client: Any, run: Run, shop: str) -> None:
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import Client

    run("select 1 as x", job_id="here")
    with pytest.raises(NotFound, match=r"Not found: Job a-project:US\.here"):
        client.get_job("here", location="US")
    with (
        Client(project="a-project", location="US") as elsewhere,
        pytest.raises(NotFound, match="Dataset a-project:shop was not found in location US"),
    ):
        elsewhere.query("select count(*) from shop.orders where day = '2026-01-01'").result()


def test_a_job_outside_the_multi_regions_is_found_with_its_place_only(client: Any) -> None:
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import Client

    client.query("select 1 as x", location="europe-west3", job_id="far", job_retry=None).result()
    with Client(project="a-project") as nowhere:
        with pytest.raises(NotFound):
            nowhere.get_job("far")
        assert nowhere.get_job("far", location="EUROPE-WEST3").state == "DONE"


def test_a_query_that_would_cost_more_than_allowed_does_not_run(
    client: Any, run: Run, shop: str
) -> None:
    from google.cloud.bigquery import QueryJobConfig

    sql = "select order_id from shop.orders where day >= date '2000-01-01'"
    job = client.query(sql, QueryJobConfig(maximum_bytes_billed=10_485_759), job_retry=None)
    with pytest.raises(Exception, match="Query exceeded limit for bytes billed: 10485759"):
        job.result(job_retry=None)
    assert client.get_job(job.job_id).error_result == {
        "reason": "bytesBilledLimitExceeded",
        "message": "Query exceeded limit for bytes billed: 10485759. 10485760 or higher required.",
    }
    allowed = run(sql, maximum_bytes_billed=10_485_760)
    assert (allowed.total_bytes_processed, allowed.total_bytes_billed) == (36, 10_485_760)


@pytest.mark.parametrize(
    "sql",
    [
        "select order_id from shop.orders",
        "select order_id from shop.orders where order_id = 'a'",
        "select order_id from shop.orders where day >= (select max(day) from shop.days)",
        "select order_id from shop.orders where day in (select day from shop.days)",
        "select order_id from shop.orders where date_add(day, interval 1 day) = '2026-01-01'",
        "select order_id from shop.orders where day = '2026-01-01' or order_id = 'a'",
        "select o.order_id from shop.days left join shop.orders as o on o.order_id = 'a'",
        "select a.order_id from shop.orders as a join shop.orders as b using (order_id) "
        "where a.day = '2026-01-01'",
        "with o as (select *, row_number() over (order by day) as n from shop.orders) "
        "select n from o where day = '2026-01-01'",
        "select day from shop.days where exists (select 1 from shop.orders)",
        "delete from shop.orders where true",
        "update shop.orders set amount = 1 where order_id = 'a'",
        "insert into shop.days (day) select day from shop.orders",
        "merge shop.orders as o using shop.days as d on o.day = d.day when matched then delete",
        "create table shop.copy as select * from shop.orders",
    ],
)
def test_a_table_that_asks_for_a_partition_filter_is_not_read_without(
    run: Run, shop: str, sql: str
) -> None:
    run("create table shop.days (day DATE)")
    with pytest.raises(Exception, match="Cannot query over table") as caught:
        run(sql)
    assert (
        "Cannot query over table 'a-project.shop.orders' without a filter over column(s) 'day' "
        "that can be used for partition elimination"
    ) in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "select order_id from shop.orders where day between @from and '2026-01-31'",
        "select order_id from shop.orders where @from <= day and order_id != ''",
        "select order_id from shop.orders where day in unnest(@days)",
        "select order_id from shop.orders where day = @from or day = '2026-01-03'",
        "with o as (select * from shop.orders) select order_id from o where day >= @from",
        "with o as (select order_id, day as d from shop.orders) select d from o where d >= @from",
        "select order_id from (select * except (amount) from shop.orders) where day >= @from",
        "with o as (select order_id, day from shop.orders union all select 'x', @from) "
        "select order_id from o where day >= @from",
        "with o as (select day, count(*) as n from shop.orders group by day) "
        "select n from o where day >= @from",
        "select d.day from shop.days as d left join shop.orders as o "
        "on o.order_id = 'a' and o.day = @from",
        "select order_id from shop.view where day >= @from",
        "delete from shop.orders as o where o.day >= @from",
        "merge shop.orders as o using shop.days as d on o.day = d.day and o.day >= @from "
        "when matched then delete",
        "insert into shop.days (day) with o as (select * from shop.orders where day = @from) "
        "select day from o",
    ],
)
def test_a_filter_by_literal_or_parameter_is_enough(run: Run, shop: str, sql: str) -> None:
    from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

    run("create table shop.days (day DATE); create view shop.view as select * from shop.orders")
    run(
        sql,
        query_parameters=[
            ScalarQueryParameter("from", "DATE", date(2026, 1, 1)),
            ArrayQueryParameter("days", "DATE", [date(2026, 1, 1)]),
        ],
    )


def test_a_dry_run_counts_columns_and_partitions(client: Any, run: Run, shop: str) -> None:
    from google.cloud.bigquery import ArrayQueryParameter, QueryJobConfig, ScalarQueryParameter

    parameters = [
        ScalarQueryParameter("from", "DATE", date(2026, 1, 2)),
        ArrayQueryParameter("days", "DATE", [date(2026, 1, 1), date(2026, 1, 3)]),
    ]

    def bytes_of(sql: str) -> int:
        config = QueryJobConfig(dry_run=True, query_parameters=parameters)
        return int(client.query(sql, config).total_bytes_processed)

    # Strings take 2 bytes and their UTF-8; DATE 8; NUMERIC 16; NULL nothing.
    assert bytes_of("select order_id from shop.orders where day = '2026-01-01'") == 3 + 8
    assert bytes_of("select day from shop.orders where day >= @from") == 16
    assert bytes_of("select amount from shop.orders where day >= @from") == 16 + 16
    assert bytes_of("select count(*) from shop.orders where day in unnest(@days)") == 16
    assert bytes_of("select order_id from shop.orders where day in unnest(@days)") == 3 + 5 + 16
    assert bytes_of("select order_id from shop.orders where day < '2026-01-02'") == 3 + 8
    assert (
        bytes_of(
            "with o as (select * from shop.orders), mine as (select * from o where day >= @from) "
            "select a.order_id from mine as a join mine as b using (order_id)"
        )
        == 4 + 5 + 16
    )
    assert bytes_of("delete from shop.orders where day = '2026-01-01'") == 3 + 16 + 8
    assert client.get_table("shop.orders").num_bytes == 3 + 4 + 5 + 32 + 24


def test_a_timestamp_partition_is_chosen_by_timestamp_of_a_date(
    client: Any, run: Run, shop: str
) -> None:
    from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

    run(
        "create table shop.seen (id INT64, at TIMESTAMP) "
        "partition by timestamp_trunc(at, day) options (require_partition_filter = true)"
    )
    run(
        "insert into shop.seen (id, at) values (1, timestamp '2026-01-01 23:59:59+00'), "
        "(2, timestamp '2026-01-02 00:00:00+00'), (3, null)"
    )
    config = QueryJobConfig(
        dry_run=True,
        query_parameters=[ScalarQueryParameter("from", "DATE", date(2026, 1, 2))],
    )
    sql = "select id from shop.seen where at >= timestamp(@from)"
    assert client.query(sql, config).total_bytes_processed == 16


def test_a_dry_run_leaves_no_job_and_no_row(client: Any, shop: str, rows: Rows) -> None:
    from google.cloud.bigquery import QueryJobConfig

    config = QueryJobConfig(dry_run=True)
    job = client.query("select order_id, 1 as n from shop.orders where day = '2026-01-01'", config)
    assert [(field.name, field.field_type) for field in job.schema] == [
        ("order_id", "STRING"),
        ("n", "INTEGER"),
    ]
    before = len(list(client.list_jobs()))
    client.query("delete from shop.orders where day >= '2000-01-01'", config)
    assert len(list(client.list_jobs())) == before
    assert rows("select count(*) as n from shop.orders where day >= '2000-01-01'") == [{"n": 3}]
    with pytest.raises(Exception, match="Unrecognized name: nothing"):
        client.query("select nothing from shop.orders where day = '2026-01-01'", config)


@pytest.mark.parametrize(
    ("ddl", "complaint"),
    [
        ("(x STRING) partition by x", "can only be of type TIMESTAMP, DATE or DATETIME"),
        ("(x DATE) partition by timestamp_trunc(x, hour)", "can only be of type"),
        ("(x STRING) partition by range_bucket(x, generate_array(0, 9))", "type INTEGER"),
        ("(x DATE) partition by y", "cannot be found in the schema. Field: y"),
        ("(x DATE) partition by date_add(x, interval 1 day)", "PARTITION BY expression must be"),
        ("(a INT64, b INT64, c INT64, d INT64, e INT64) cluster by a, b, c, d, e", "at most 4"),
        ("(x FLOAT64) cluster by x", "Clustering is not supported on FLOAT64"),
        ("(x INT64) options (no_such_option = 1)", "Unknown option: no_such_option"),
        ("(x INT64) options (require_partition_filter = true)", "needs a partitioned table"),
    ],
)
def test_a_layout_that_bigquery_does_not_have_is_refused(
    client: Any, run: Run, ddl: str, complaint: str
) -> None:
    client.create_dataset("shop")
    with pytest.raises(Exception, match=complaint):
        run(f"create table shop.t {ddl}")


@pytest.mark.parametrize(
    "write",
    [
        "create table shop.many partition by day as select * from shop.days",
        "insert into shop.many (day) select day from shop.days",
    ],
)
def test_more_than_4000_partitions_in_one_job_are_refused(
    client: Any, run: Run, rows: Rows, write: str
) -> None:
    client.create_dataset("shop")
    run(
        "create table shop.days as "
        "select day from unnest(generate_date_array('2000-01-01', '2010-12-14')) as day"
    )
    if write.startswith("insert"):
        run("create table shop.many (day DATE) partition by day")
    with pytest.raises(Exception, match="allowed 4000, query produces at least 4001 partitions"):
        run(write)
    if write.startswith("insert"):
        assert rows("select count(*) as n from shop.many") == [{"n": 0}]
    run("delete from shop.days where day = '2000-01-01'")
    run(write)


def test_a_required_column_takes_no_null(client: Any, run: Run, shop: str) -> None:
    from google.cloud.bigquery import LoadJobConfig

    for sql in (
        "insert into shop.orders (day) values (date '2026-01-01')",
        "update shop.orders set order_id = null where day = '2026-01-01'",
    ):
        with pytest.raises(Exception, match="Required field order_id cannot be null"):
            run(sql)
    job = client.load_table_from_json(
        [{"day": "2026-01-01"}], "shop.orders", job_config=LoadJobConfig(max_bad_records=0)
    )
    with pytest.raises(Exception, match="too many errors"):
        job.result()
    assert "Required field order_id cannot be null" in job.errors[1]["message"]


def test_a_bad_row_fails_a_load_unless_it_is_allowed(client: Any, shop: str, rows: Rows) -> None:
    from google.cloud.bigquery import LoadJobConfig, SchemaField

    schema = [SchemaField("day", "DATE"), SchemaField("n", "INT64")]
    text = b"2026-01-01,1\nnot a day,2\n2026-01-03,3\n"

    def load(**settings: Any) -> Any:
        config = LoadJobConfig(schema=schema, source_format="CSV", **settings)
        file = io.BytesIO(text)
        return client.load_table_from_file(file, "shop.loaded", size=len(text), job_config=config)

    job = load()
    with pytest.raises(Exception, match=r"giving up\. Rows: 2; errors: 1"):
        job.result()
    assert job.error_result["reason"] == "invalid"
    assert "Could not parse value as DATE for field day; Row: 2" in job.errors[1]["message"]
    tolerant = load(max_bad_records=1)
    assert tolerant.result().output_rows == 2
    assert len(tolerant.errors) == 1
    assert rows("select count(*) as n from shop.loaded") == [{"n": 2}]


def test_a_load_whose_schema_does_not_fit_is_refused(client: Any, shop: str) -> None:
    from google.cloud.bigquery import LoadJobConfig, SchemaField

    for schema, complaint in (
        ([SchemaField("order_id", "INT64")], "changed type from STRING to INT64"),
        ([SchemaField("day", "DATE")], "Field order_id is missing in new schema"),
        ([SchemaField("order_id", "STRING"), SchemaField("new", "STRING")], "Cannot add fields"),
    ):
        job = client.load_table_from_json(
            [{"order_id": "1", "day": "2026-01-01", "new": "x"}],
            "shop.orders",
            job_config=LoadJobConfig(schema=schema),
        )
        with pytest.raises(Exception, match=complaint):
            job.result()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("DATE", "2026-02-30"),
        ("INT64", "1.5"),
        ("INT64", "9223372036854775808"),
        ("TIMESTAMP", "yesterday"),
        ("NUMERIC", "many"),
        ("BOOL", "yes"),
    ],
)
def test_a_parameter_of_the_wrong_type_is_refused(
    insert: Callable[[dict[str, Any]], requests.Response], kind: str, text: str
) -> None:
    parameter = {
        "name": "p",
        "parameterType": {"type": kind},
        "parameterValue": {"value": text},
    }
    body = a_query(queryParameters=[parameter], parameterMode="NAMED", query="select @p as p")
    status, _, message = error_of(insert(body))
    assert status == 400
    assert "Invalid value for query parameter p" in message


def test_a_missing_parameter_is_named(run: Run, shop: str) -> None:
    with pytest.raises(Exception, match="Query parameter 'day' not found"):
        run("select order_id from shop.orders where day = @day")


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("select 1 from shop.nothing", "Not found: Table a-project:shop.nothing"),
        ("select 1 from nowhere.t", "Not found: Dataset a-project:nowhere"),
        ("select 1 from orders", 'Table "orders" must be qualified with a dataset'),
        ("select 1 from `other-project`.shop.orders", "Access Denied: Table other-project:shop"),
        ("select nothing from shop.orders where day = '2026-01-01'", "Unrecognized name: nothing"),
        ("selekt 1", "Syntax error"),
        ("select 1 as x, 2 as x", "Duplicate column names"),
        ("drop view shop.orders", "currently a TABLE"),
        ("create table shop.orders (x INT64)", "Already Exists: Table a-project:shop.orders"),
        ("commit transaction", "No transaction in progress"),
    ],
)
def test_a_statement_that_makes_no_sense_is_refused(
    run: Run, shop: str, sql: str, complaint: str
) -> None:
    with pytest.raises(Exception, match=complaint.replace(".", r"\.")):
        run(sql)


@pytest.mark.parametrize(
    "ddl",
    [
        "create table shop.new (x INT64)",
        "drop table shop.orders",
        "alter table shop.orders add column x INT64",
        "create snapshot table shop.then clone shop.orders",
        "create or replace view shop.v as select 1 as x",
    ],
)
def test_permanent_definitions_are_refused_in_a_transaction(
    client: Any, run: Run, shop: str, ddl: str
) -> None:
    with pytest.raises(Exception, match="DDL statements are not supported in a transaction"):
        run(f"begin transaction; {ddl}; commit transaction")
    assert [table.table_id for table in client.list_tables("shop")] == ["orders"]


def test_a_temporary_table_may_be_made_in_a_transaction(run: Run, shop: str, rows: Rows) -> None:
    run(
        "begin transaction; create temp table t as select 'new' as order_id; "
        "insert into shop.orders (order_id, day) select order_id, date '2026-01-05' from t; "
        "commit transaction"
    )
    found = rows("select order_id from shop.orders where day = '2026-01-05'")
    assert found == [{"order_id": "new"}]


def test_an_assertion_stops_a_script(run: Run, shop: str, rows: Rows) -> None:
    with pytest.raises(Exception, match=r"Orders are missing at \[2:1\]"):
        run(
            "begin transaction; delete from shop.orders where day >= '2000-01-01';\n"
            "assert (select count(*) from shop.orders where day >= '2000-01-01') > 0 "
            "as 'Orders are missing'; commit transaction"
        )
    assert rows("select count(*) as n from shop.orders where day >= '2000-01-01'") == [{"n": 3}]


def test_numbers_keep_bigquerys_precision(client: Any, run: Run, rows: Rows) -> None:
    client.create_dataset("shop")
    run("create table shop.n (n NUMERIC, at TIMESTAMP)")
    run("insert into shop.n (n, at) values (0.123456789, timestamp '2026-01-01 00:00:00.000001')")
    assert rows("select n, at from shop.n") == [
        {"n": Decimal("0.123456789"), "at": datetime(2026, 1, 1, microsecond=1, tzinfo=UTC)}
    ]
