"""Scripts: every statement is checked, and so is what BigQuery allows inside a transaction."""

from __future__ import annotations

from tests.googlesql.checks import Origin, TableShape
from tests.googlesql.partitions import Partitioning
from tests.googlesql.scripts import MAX_MUTATED_TABLES, check_script

COLUMNS = (("load_id", "STRING"), ("platform_date", "DATE"), ("cost", "NUMERIC"))
TABLES = {
    "raw.delivery": TableShape(COLUMNS, Partitioning("platform_date", "platform_date")),
    "raw.loads": TableShape((("load_id", "STRING"), ("rows_loaded", "INT64"))),
    "build_1.delivery": TableShape(COLUMNS),
}
PARAMETERS = {"history_start": "DATE", "load_id": "STRING"}
SWAP = """begin transaction;

delete from raw.delivery
where platform_date >= @history_start;

insert into raw.delivery (load_id, platform_date, cost)
select load_id, platform_date, cost from build_1.delivery;

insert into raw.loads (load_id, rows_loaded)
select load_id, rows_loaded from unnest(@rows);

commit transaction;
"""


def problems(sql: str) -> list[str]:
    return [str(each) for each in check_script(sql, PARAMETERS, TABLES).problems]


def test_tables_swapped_in_one_transaction_pass() -> None:
    report = check_script(SWAP, PARAMETERS, TABLES)
    assert report.problems == []
    assert report.checked == {"statements in scripts": 5}
    assert report.reads == 1


def test_a_wrong_statement_is_named_with_its_place_in_the_script() -> None:
    assert problems(SWAP.replace("cost from", "costs from")) == [
        "script:7:32: Unrecognized name: costs; Did you mean cost?"
    ]
    (found,) = problems(SWAP.replace("platform_date >= @history_start", "true"))
    assert found.startswith("script:3:13: raw.delivery is partitioned by platform_date")


def test_a_script_that_is_no_script_is_named_with_its_place() -> None:
    (found,) = problems(SWAP.replace("insert into raw.loads", "insert raw loads"))
    assert found.startswith("script:9:")
    assert "Syntax error" in found


def test_the_place_counts_from_where_the_script_stands() -> None:
    origin = Origin("loads.py", 40, 9)
    first = check_script("select 1 as one;\nselect x", {}, {}, origin=origin).problems
    assert [(each.line, each.column) for each in first] == [(41, 8)]
    second = check_script("select x", {}, {}, origin=origin).problems
    assert [(each.line, each.column) for each in second] == [(40, 16)]


def test_a_transaction_that_is_left_open_is_refused_where_it_begins() -> None:
    assert problems("select 1 as one;\nbegin transaction;\ndelete from raw.loads where true;") == [
        "script:2:1: the transaction is never committed"
    ]


def test_transactions_are_neither_nested_nor_ended_twice() -> None:
    assert problems("begin transaction; begin transaction; commit;") == [
        "script:1:20: transactions cannot be nested"
    ]
    assert problems("begin transaction; commit; rollback;") == [
        "script:1:28: there is no transaction to end"
    ]


def test_nothing_that_lasts_is_created_or_dropped_inside_a_transaction() -> None:
    for ddl in (
        "create table raw.more (a string)",
        "create or replace view raw.seen as select * from raw.loads",
        "create snapshot table raw.kept clone raw.delivery",
        "drop table build_1.delivery",
        "alter table raw.loads add column note string",
    ):
        assert problems(f"{ddl};") == []
        (found,) = problems(f"begin transaction; {ddl}; commit;")
        assert "a transaction cannot create, change or drop anything that lasts" in found


def test_temporary_tables_live_inside_a_transaction() -> None:
    script = """begin transaction;
    create temp table fresh as select load_id, rows_loaded from raw.loads;
    delete from raw.loads where true;
    insert into raw.loads (load_id, rows_loaded) select load_id, rows_loaded from fresh;
    drop table fresh;
    commit"""
    assert problems(script) == []


def test_a_transaction_changes_a_limited_number_of_tables() -> None:
    names = [f"raw.t{number}" for number in range(MAX_MUTATED_TABLES + 1)]
    tables = {name: TableShape((("a", "STRING"),)) for name in names}

    def changed(count: int) -> list[str]:
        deletes = "".join(f"delete from {name} where true;" for name in names[:count])
        script = f"begin transaction; {deletes} {deletes} commit;"
        return [each.message for each in check_script(script, {}, tables).problems]

    assert changed(MAX_MUTATED_TABLES) == []
    assert set(changed(MAX_MUTATED_TABLES + 1)) == {"a transaction changes at most 100 tables"}


def test_what_a_statement_creates_is_known_to_the_next() -> None:
    script = """
    create snapshot table kept.delivery__1 clone raw.delivery;
    create or replace view shown.delivery as select * from kept.delivery__1;
    select cost from shown.delivery where platform_date >= @history_start;
    """
    assert problems(script) == []
    (found,) = problems(script.replace(" where platform_date >= @history_start", ""))
    assert "shown.delivery is partitioned by platform_date" in found


def test_control_flow_is_left_to_python() -> None:
    for statement in (
        "if true then select 1; end if",
        "begin select 1; end",
        "declare n int64 default 1",
    ):
        (found,) = problems(f"{statement};")
        assert "a script is a plain list of statements" in found


def test_rows_in_a_parameter_have_the_columns_of_their_table() -> None:
    wrong = SWAP.replace(
        "select load_id, rows_loaded from unnest", "select load_id, 'a' from unnest"
    )
    (found,) = problems(wrong)
    assert (
        "Query column 2 has type STRING which cannot be inserted into column rows_loaded" in found
    )
