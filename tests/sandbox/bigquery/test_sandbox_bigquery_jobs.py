"""Jobs of the sandbox's BigQuery through Google's own client."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from sandbox.bigquery import BigQueryServer

Rows = Callable[..., list[dict[str, Any]]]
ALL = "select order_id, day from shop.orders where day >= date '2000-01-01' order by order_id"


def test_every_type_comes_back_as_what_it_was(rows: Rows) -> None:
    (found,) = rows(
        """
        select
            1 as i, 1.5e0 as f, cast('1.123456789' as numeric) as n, true as b, 'é' as s,
            b'abc' as y, date '2026-01-02' as d, datetime '2026-01-02 03:04:05.6' as dt,
            time '03:04:05' as t, timestamp '2026-01-02 03:04:05.123456+00' as ts,
            [1, 2] as a, struct(1 as x, 'z' as y) as st, cast(null as string) as missing
        """
    )
    assert found == {
        "i": 1,
        "f": 1.5,
        "n": Decimal("1.123456789"),
        "b": True,
        "s": "é",
        "y": b"abc",
        "d": date(2026, 1, 2),
        "dt": datetime(2026, 1, 2, 3, 4, 5, 600000),
        "t": time(3, 4, 5),
        "ts": datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC),
        "a": [1, 2],
        "st": {"x": 1, "y": "z"},
        "missing": None,
    }


def test_a_null_array_is_shown_empty_and_a_nameless_column_gets_a_name(rows: Rows) -> None:
    assert rows("select cast(null as array<string>), 1 + 1") == [{"f0_": [], "f1_": 2}]


def test_the_wire_has_bigquerys_text_forms(bigquery: BigQueryServer, rows: Rows) -> None:
    rows("select true as b, timestamp '2026-01-01' as t, cast('2.50' as numeric) as n, [3] as a")
    answers = bigquery.record.lines("request")
    answer = next(line["response"] for line in reversed(answers) if "rows" in line["response"])
    assert answer["kind"] == "bigquery#getQueryResultsResponse"
    assert answer["totalRows"] == "1"
    assert answer["rows"] == [
        {"f": [{"v": "true"}, {"v": "1767225600000000"}, {"v": "2.5"}, {"v": [{"v": "3"}]}]}
    ]
    assert answer["schema"]["fields"][0] == {"name": "b", "type": "BOOLEAN", "mode": "NULLABLE"}


def test_results_come_in_pages(client: Any) -> None:
    job = client.query("select x from unnest(generate_array(1, 25)) as x order by x")
    found = job.result(page_size=10)
    assert [len(list(page)) for page in found.pages] == [10, 10, 5]


def test_a_table_keeps_what_its_ddl_says(client: Any, shop: str) -> None:
    table = client.get_table("shop.orders")
    assert [(field.name, field.field_type, field.mode) for field in table.schema] == [
        ("order_id", "STRING", "REQUIRED"),
        ("amount", "NUMERIC", "NULLABLE"),
        ("day", "DATE", "NULLABLE"),
    ]
    assert table.schema[0].description == "The shop's own number."
    assert table.time_partitioning.field == "day"
    assert table.clustering_fields == ["order_id"]
    assert table.require_partition_filter is True
    assert (table.description, table.num_rows) == ("Orders.", 3)


def test_a_query_writes_its_destination_and_replaces_it(
    client: Any, shop: str, run: Callable[..., Any]
) -> None:
    from google.cloud.bigquery import TimePartitioning

    settings = {
        "destination": "a-project.shop.copy",
        "write_disposition": "WRITE_TRUNCATE",
        "time_partitioning": TimePartitioning(field="day"),
        "clustering_fields": ["order_id"],
    }
    for _ in range(2):
        run(ALL, **settings)
    table = client.get_table("shop.copy")
    assert (table.num_rows, table.time_partitioning.field) == (3, "day")
    run(ALL, destination="a-project.shop.copy", write_disposition="WRITE_APPEND")
    assert client.get_table("shop.copy").num_rows == 6
    with pytest.raises(Exception, match=r"Already Exists: Table a-project:shop\.copy"):
        run(ALL, destination="a-project.shop.copy", write_disposition="WRITE_EMPTY")
    with pytest.raises(Exception, match=r"Not found: Table a-project:shop\.other"):
        run(ALL, destination="a-project.shop.other", create_disposition="CREATE_NEVER")


def test_a_destination_of_another_schema_is_replaced_but_not_appended_to(
    client: Any, shop: str, run: Callable[..., Any]
) -> None:
    run("select 1 as x", destination="a-project.shop.copy")
    to_copy = {"destination": "a-project.shop.copy"}
    with pytest.raises(Exception, match="Field x has changed type from INT64 to STRING"):
        run("select 'a' as x", **to_copy, write_disposition="WRITE_APPEND")
    with pytest.raises(Exception, match=r"Cannot add fields \(field: y\)"):
        run("select 1 as x, 1 as y", **to_copy, write_disposition="WRITE_APPEND")
    run("select 'a' as y", **to_copy, write_disposition="WRITE_TRUNCATE")
    assert [field.name for field in client.get_table("shop.copy").schema] == ["y"]


def test_parameters_of_every_shape_arrive(rows: Rows) -> None:
    from google.cloud.bigquery import (
        ArrayQueryParameter,
        ScalarQueryParameter,
        StructQueryParameter,
    )

    def line(name: str, amount: Decimal | None, at: datetime | None) -> StructQueryParameter:
        return StructQueryParameter(
            None,
            ScalarQueryParameter("name", "STRING", name),
            ScalarQueryParameter("amount", "NUMERIC", amount),
            ScalarQueryParameter("at", "TIMESTAMP", at),
        )

    at = datetime(2026, 1, 1, 2, 3, 4, 5, tzinfo=UTC)
    lines = [line("a", Decimal("0.1"), at), line("b", None, None)]
    found = rows(
        "select name, amount, at, @day as day, @missing as missing, "
        "3 in unnest(@numbers) as has_three from unnest(@lines) where name != @unlike",
        query_parameters=[
            ScalarQueryParameter("day", "DATE", date(2026, 1, 1)),
            ScalarQueryParameter("missing", "STRING", None),
            ScalarQueryParameter("unlike", "STRING", "it's $x @y"),
            ScalarQueryParameter("not_used", "INT64", 1),
            ArrayQueryParameter("numbers", "INT64", [1, 3]),
            ArrayQueryParameter("lines", "STRUCT", lines),
        ],
    )
    known = {"day": date(2026, 1, 1), "missing": None, "has_three": True}
    assert found == [
        {"name": "a", "amount": Decimal("0.1"), "at": at, **known},
        {"name": "b", "amount": None, "at": None, **known},
    ]


def test_a_script_is_a_parent_with_a_child_for_each_statement(
    client: Any, shop: str, run: Callable[..., Any], rows: Rows
) -> None:
    job = run(
        """
        begin transaction;
        delete from shop.orders where day = date '2026-01-01';
        insert into shop.orders (order_id, day) select 'new;', date '2026-01-09';
        commit transaction;
        """
    )
    assert job.statement_type == "SCRIPT"
    assert job.num_child_jobs == 4
    children = list(client.list_jobs(parent_job=job))[::-1]
    assert [child.statement_type for child in children] == [
        "BEGIN_TRANSACTION",
        "DELETE",
        "INSERT",
        "COMMIT_TRANSACTION",
    ]
    assert [child.num_dml_affected_rows for child in children] == [None, 1, 1, None]
    assert len({child.transaction_info.transaction_id for child in children}) == 1
    assert {child.parent_job_id for child in children} == {job.job_id}
    assert [row["order_id"] for row in rows(ALL)] == ["bb", "ccc", "new;"]


def test_a_script_that_fails_rolls_back_and_names_the_statement(
    run: Callable[..., Any], shop: str, rows: Rows
) -> None:
    before = rows(ALL)
    script = (
        "begin transaction;\n"
        "delete from shop.orders where day >= date '2000-01-01';\n"
        "  insert into shop.orders (order_id, day) values (null, date '2026-01-01');\n"
        "commit transaction;"
    )
    with pytest.raises(Exception, match=r"Required field order_id cannot be null at \[3:3\]"):
        run(script)
    assert rows(ALL) == before


def test_an_explicit_rollback_leaves_nothing(
    run: Callable[..., Any], shop: str, rows: Rows
) -> None:
    before = rows(ALL)
    run("begin; delete from shop.orders where day >= date '2000-01-01'; rollback transaction")
    assert rows(ALL) == before


def test_merge_update_and_truncate_count_their_rows(
    run: Callable[..., Any], shop: str, rows: Rows
) -> None:
    merged = run(
        """
        merge shop.orders as orders
        using (select 'a' as order_id union all select 'd') as given
        on orders.order_id = given.order_id and orders.day >= date '2000-01-01'
        when matched then update set amount = 9
        when not matched then insert (order_id, day) values (order_id, date '2026-01-04')
        """
    )
    assert merged.dml_stats.inserted_row_count == 1
    assert merged.dml_stats.updated_row_count == 1
    updated = run("update shop.orders set amount = 1 where day = date '2026-01-04'")
    assert updated.num_dml_affected_rows == 1
    assert run("truncate table shop.orders").num_dml_affected_rows == 4
    assert rows(ALL) == []


def test_snapshots_keep_the_past_and_views_show_it(
    client: Any, run: Callable[..., Any], shop: str, rows: Rows
) -> None:
    run(
        """
        create snapshot table shop.orders_then clone shop.orders
        options (expiration_timestamp = timestamp_add(current_timestamp(), interval 1 day));
        create or replace view shop.orders_published as select * from shop.orders_then;
        """
    )
    run("delete from shop.orders where day >= date '2000-01-01'")
    published = "select order_id from shop.orders_published where day = date '2026-01-01'"
    assert rows(published) == [{"order_id": "a"}]
    snapshot = client.get_table("shop.orders_then")
    assert snapshot.snapshot_definition.base_table_reference.table_id == "orders"
    assert client.get_table("shop.orders_published").view_query.startswith("SELECT * FROM")
    kinds = {table.table_id: table.table_type for table in client.list_tables("shop")}
    assert kinds == {"orders": "TABLE", "orders_then": "SNAPSHOT", "orders_published": "VIEW"}
    with pytest.raises(Exception, match="currently a SNAPSHOT"):
        run("delete from shop.orders_then where day >= date '2000-01-01'")
    run("drop view shop.orders_published; drop snapshot table shop.orders_then")
    assert [table.table_id for table in client.list_tables("shop")] == ["orders"]


def test_an_expired_snapshot_is_gone(run: Callable[..., Any], shop: str) -> None:
    run(
        "create snapshot table shop.old clone shop.orders "
        "options (expiration_timestamp = timestamp '2020-01-01')"
    )
    with pytest.raises(Exception, match=r"Not found: Table a-project:shop\.old"):
        run("select count(*) from shop.old where day = date '2026-01-01'")


def test_ddl_skips_replaces_and_adds(client: Any, run: Callable[..., Any], shop: str) -> None:
    assert run("create table if not exists shop.orders (x INT64)").ddl_operation_performed == "SKIP"
    run("alter table shop.orders add column note STRING options (description = 'Free text.')")
    assert client.get_table("shop.orders").schema[-1].description == "Free text."
    replaced = run("create or replace table shop.orders as select 1 as x")
    assert replaced.ddl_operation_performed == "REPLACE"
    assert [field.name for field in client.get_table("shop.orders").schema] == ["x"]
    run("drop table shop.orders")
    assert run("drop table if exists shop.orders").ddl_operation_performed == "SKIP"


def parquet(**columns: Any) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    file.seek(0)
    return file


@pytest.mark.parametrize("is_resumable", [False, True])
def test_parquet_is_loaded(client: Any, shop: str, rows: Rows, *, is_resumable: bool) -> None:
    from google.cloud.bigquery import LoadJobConfig

    amounts = pa.array([Decimal("1.000000001")], pa.decimal128(38, 9))
    file = parquet(order_id=["z"], amount=amounts, day=[date(2026, 2, 1)])
    job = client.load_table_from_file(
        file,
        "shop.orders",
        size=None if is_resumable else len(file.getvalue()),
        job_config=LoadJobConfig(
            source_format="PARQUET",
            write_disposition="WRITE_APPEND",
            create_disposition="CREATE_NEVER",
            decimal_target_types=["NUMERIC"],
        ),
    )
    assert job.result().output_rows == 1
    found = rows("select amount from shop.orders where day = date '2026-02-01'")
    assert found == [{"amount": Decimal("1.000000001")}]


def test_json_and_csv_are_loaded(client: Any, shop: str, rows: Rows) -> None:
    from google.cloud.bigquery import LoadJobConfig, SchemaField

    schema = [SchemaField("n", "INT64"), SchemaField("tags", "STRING", "REPEATED")]
    config = LoadJobConfig(schema=schema)
    lines = [{"n": 1, "tags": ["a"]}, {"n": None}]
    client.load_table_from_json(lines, "shop.numbers", job_config=config).result()
    assert rows("select * from shop.numbers order by n") == [
        {"n": None, "tags": []},
        {"n": 1, "tags": ["a"]},
    ]
    config = LoadJobConfig(schema=[SchemaField("n", "INT64")], skip_leading_rows=1)
    file = io.BytesIO(b'n\n7\n""\n')
    client.load_table_from_file(file, "shop.more", size=7, job_config=config).result()
    assert rows("select n from shop.more order by n") == [{"n": None}, {"n": 7}]


def test_datasets_are_found_by_label_and_deleted_with_their_contents(client: Any) -> None:
    from google.api_core.exceptions import BadRequest, Conflict, NotFound
    from google.cloud.bigquery import Dataset

    for name, run_id in (("build_1", "1"), ("build_2", "2")):
        dataset = Dataset(f"a-project.{name}")
        dataset.labels = {"run": run_id, "kind": "scratch"}
        dataset.default_table_expiration_ms = 3_600_000
        client.create_dataset(dataset)
    found = client.list_datasets(filter="labels.kind:scratch labels.run:2")
    assert [dataset.dataset_id for dataset in found] == ["build_2"]
    with pytest.raises(Conflict, match="Already Exists: Dataset a-project:build_1"):
        client.create_dataset("build_1")
    client.query("create table build_1.t as select 1 as x").result()
    assert client.get_table("build_1.t").expires is not None
    with pytest.raises(BadRequest, match="still in use"):
        client.delete_dataset("build_1")
    client.delete_dataset("build_1", delete_contents=True)
    with pytest.raises(NotFound, match="Not found: Dataset a-project:build_1"):
        client.get_dataset("build_1")


def test_a_table_changes_only_for_who_saw_it_last(client: Any, shop: str) -> None:
    from google.api_core.exceptions import PreconditionFailed

    mine, theirs = client.get_table("shop.orders"), client.get_table("shop.orders")
    theirs.description = "Theirs."
    client.update_table(theirs, ["description"])
    mine.description = "Mine."
    with pytest.raises(PreconditionFailed):
        client.update_table(mine, ["description"])
    assert client.get_table("shop.orders").description == "Theirs."


def test_everything_but_loose_results_survives_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.api_core.exceptions import Conflict, NotFound
    from google.cloud.bigquery import Client, QueryJobConfig

    def client_of(server: BigQueryServer, name: str) -> Client:
        folder = tmp_path / name
        folder.mkdir()
        for variable, value in server.environment(folder).items():
            monkeypatch.setenv(variable, value)
        return Client(project="a-project", location="EU")

    data = tmp_path / "data.duckdb"
    with BigQueryServer(project="a-project", data=data) as server:
        client = client_of(server, "first")
        client.create_dataset("shop")
        client.query("create table shop.t (x INT64 not null) cluster by x").result()
        config = QueryJobConfig(destination="a-project.shop.copy")
        client.query("select 1 as x", config, job_id="kept", job_retry=None).result()
        client.query("select 1 as x", job_id="loose", job_retry=None).result()
    with BigQueryServer(project="a-project", data=data) as server:
        client = client_of(server, "second")
        assert client.get_table("shop.t").clustering_fields == ["x"]
        assert [tuple(row) for row in client.get_job("kept").result()] == [(1,)]
        with pytest.raises(Conflict, match=r"Already Exists: Job a-project:EU\.kept"):
            client.query("select 2 as x", job_id="kept", job_retry=None)
        with pytest.raises(NotFound):
            client.get_job("loose").result()


def test_every_statement_is_recorded_with_what_there_was(
    bigquery: BigQueryServer, shop: str, run: Callable[..., Any], tmp_path: Path
) -> None:
    from google.cloud.bigquery import ScalarQueryParameter

    run(
        "create temp table t as select 1 as x; "
        "select order_id from shop.orders where day = @day and 1 in (select x from t)",
        query_parameters=[ScalarQueryParameter("day", "DATE", date(2026, 1, 1))],
    )
    line = bigquery.record.lines("statement")[-1]
    assert line["sql"].startswith("select order_id")
    assert line["parameters"] == {"day": "DATE"}
    assert line["temporary"] == {"t": [{"name": "x", "type": "INT64", "mode": "NULLABLE"}]}
    catalog = {each["catalog"]: each["tables"] for each in bigquery.record.lines("catalog")}
    assert catalog[line["catalog"]]["shop.orders"][1] == {
        "name": "amount",
        "type": "NUMERIC",
        "mode": "NULLABLE",
    }


def test_the_record_is_enough_for_googles_own_analyser(
    bigquery: BigQueryServer, client: Any, shop: str, run: Callable[..., Any]
) -> None:
    from tests.googlesql.analyser import Analyser, InvalidSqlError
    from tests.googlesql.engine import Engine

    run(
        "begin transaction; insert into shop.orders (order_id, day) select 'x', @day; "
        "delete from `a-project`.shop.orders where day = @day; commit transaction",
        query_parameters=[scalar("day", "DATE", date(2026, 1, 1))],
    )
    # DuckDB compares dates with moments; BigQuery does not.
    run("select day from shop.orders where day = '2026-01-01' and day < timestamp '2026-02-01'")
    engine, refused = Engine(), []
    catalogs = {each["catalog"]: each["tables"] for each in bigquery.record.lines("catalog")}
    for line in bigquery.record.lines("statement"):
        tables = {
            name: [(column["name"], column["type"]) for column in columns]
            for name, columns in (catalogs[line["catalog"]] | line["temporary"]).items()
        }
        try:
            Analyser(engine, tables, line["parameters"]).analyse(
                line["sql"].replace("`a-project`.", "")
            )
        except InvalidSqlError as error:
            refused.append((line["sql"][:30], error.message))
    assert len(refused) == 1
    assert refused[0][0].startswith("select day from shop.orders")
    assert "No matching signature for operator <" in refused[0][1]


def test_jobs_are_listed_by_state_and_time(client: Any, run: Callable[..., Any]) -> None:
    run("select 1 as x", job_id="one")
    assert [job.job_id for job in client.list_jobs(state_filter="done")] == ["one"]
    assert list(client.list_jobs(state_filter="running")) == []
    assert list(client.list_jobs(min_creation_time=datetime(2100, 1, 1, tzinfo=UTC))) == []


def scalar(name: str, kind: str, value: Any) -> Any:
    from google.cloud.bigquery import ScalarQueryParameter

    return ScalarQueryParameter(name, kind, value)


def test_no_token_and_no_key_is_ever_recorded(
    shop: str, bigquery: BigQueryServer, tmp_path: Path
) -> None:
    text = json.dumps(requests.get(f"{bigquery.url}/__requests", timeout=10).json())
    assert "/token" in text
    assert "ya29." not in text
    assert "assertion" not in text
    assert "PRIVATE" not in text


def test_a_file_gets_the_record_as_it_happens(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    with BigQueryServer(project="a-project", record=record) as server:
        requests.get(f"{server.url}/bigquery/v2/projects/a-project/datasets", timeout=10)
        (line,) = record.read_text().splitlines()
    assert json.loads(line)["status"] == 401
