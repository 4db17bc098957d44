"""Statements that the analyser takes and BigQuery would not, beside their right twins."""

from __future__ import annotations

from functools import cache

import pytest

from tests.googlesql.checks import Checker, Origin, Report, TableShape
from tests.googlesql.engine_rules import MAX_QUERY_BYTES
from tests.googlesql.listed import listed

TABLES = {
    "d.leads": TableShape(
        (("lead_key", "STRING"), ("day", "DATE"), ("at", "TIMESTAMP"), ("tags", "ARRAY<STRING>"))
    ),
    "d.deals": TableShape((("lead_key", "STRING"), ("day", "DATE"), ("note", "JSON"))),
}
RIGHT = """
select l.day from d.leads as l left join d.deals as d on l.lead_key = d.lead_key and d.day >
    l.day;
select l.day from d.leads as l full join d.deals as d using (lead_key);
select l.day from d.leads as l left join d.deals as d on concat(l.lead_key, 'x') =
    lower(d.lead_key);
select l.day from d.leads as l inner join d.deals as d on l.day < d.day;
select l.day from d.leads as l left join unnest(l.tags) as tag;
select l.day, (select max(d.day) from d.deals as d where d.lead_key = l.lead_key) as last from
    d.leads as l;
select l.day from d.leads as l where exists (select 1 from d.deals as d where l.lead_key =
    d.lead_key);
select l.day, (select tag from unnest(l.tags) as tag order by tag limit 1) as tag from d.leads as
    l;
select lead_key from d.leads where day in (select day from d.deals order by day limit 3);
create table d.x (k string, primary key (k) not enforced);
create table d.x (t timestamp not null) partition by timestamp_trunc(t, hour);
create table d.x (t timestamp not null) partition by date(t);
create table d.x (t datetime not null) partition by datetime_trunc(t, month);
create table d.x (t date not null) partition by date_trunc(t, year);
create table d.x (n int64 not null) partition by range_bucket(n, generate_array(0, 100, 10));
create table d.x (t date not null, k string, n int64) partition by t cluster by k, n;
create view d.v (k options (description = 'The lead.')) as select lead_key from d.leads;
"""
WRONG = {
    "result has two columns": """
select lead_key, lead_key from d.leads;
select l.*, d.* from d.leads as l inner join d.deals as d using (lead_key);
select lead_key, day as Lead_Key from d.leads;
""",
    "join needs an equality": """
select l.day from d.leads as l left join d.deals as d on l.day < d.day;
select l.day from d.leads as l right join d.deals as d on l.lead_key = d.lead_key or l.day =
    d.day;
select l.day from d.leads as l full join d.deals as d on l.lead_key = 'a' and d.lead_key = 'a';
select l.day from d.leads as l left join d.deals as d on true;
select l.day from d.leads as l left join d.deals as d on l.lead_key = concat(d.lead_key,
    l.lead_key);
""",
    "join condition cannot look into a table": """
select l.day from d.leads as l
    inner join d.deals as e on l.lead_key = e.lead_key and l.day in (select day from d.deals);
""",
    "cannot limit its rows for each row": """
select (select d.day from d.deals as d where d.lead_key = l.lead_key order by d.day limit 1) as
    first from d.leads as l;
""",
    "may look at the row around it in an equality": """
select (select max(d.day) from d.deals as d where d.day < l.day) as before from d.leads as l;
select l.day from d.leads as l where exists (select 1 from d.deals as d where d.lead_key =
    l.lead_key and d.day > l.day);
select (select max(concat(d.lead_key, l.lead_key)) from d.deals as d) as k from d.leads as l;
""",
    "must be not enforced": """
create table d.x (k string, primary key (k));
create table d.x (k string, foreign key (k) references d.leads (lead_key));
""",
    "cannot partition a table": """
create table d.x (k string not null) partition by k;
create table d.x (n int64 not null) partition by n;
create table d.x (t timestamp not null) partition by t;
create table d.x (t timestamp not null) partition by timestamp_trunc(t, week);
create table d.x (t timestamp not null) partition by timestamp_trunc(t, minute);
create table d.x (t timestamp not null) partition by timestamp_trunc(t, day, 'Europe/Berlin');
create table d.x (t date not null) partition by date_trunc(t, day);
create table d.x (s struct<t date>) partition by s.t;
""",
    "partitions by one column": """
create table d.x (t date not null, u date not null) partition by t, u;
""",
    "must be not null": """
create table d.x (t date) partition by t;
create table d.x partition by day as select day from d.leads;
""",
    "clusters by at most 4": """
create table d.x (a string, b string, c string, d string, e string) cluster by a, b, c, d, e;
""",
    "clustered by twice": """
create table d.x (a string) cluster by a, a;
""",
    "cannot cluster by": """
create table d.x (a bytes) cluster by a;
create table d.x (a time) cluster by a;
""",
    "clusters by columns of the table only": """
create table d.x (a struct<b string>) cluster by a.b;
""",
    "no name for": """
create table d.`daily cost` (a string);
create table d.x (`daily cost` string);
create table d.x (`3a` string);
""",
    "keeps column names": """
create table d.x (_table_a string);
create table d.x (_File_a string);
create table d.x (_partitiondate date);
create table d.x (__root__a string);
create table d.x (_colidentifier_a string);
create table d.x (_row_timestamp string);
""",
}
# What the analyser itself knows: the gate leans on it.
KNOWN = {
    "DELETE must have a WHERE clause": "delete from d.leads",
    "UPDATE must have a WHERE clause": "update d.leads set day = null",
    "of type JSON cannot be used in SELECT DISTINCT": "select distinct note from d.deals",
    "FLOAT64 is not allowed": """
        select count(*) over (partition by 1.5 * length(lead_key)) as n from d.leads
    """,
    "exactly one ORDER BY key": """
        select count(*) over (
            order by length(lead_key), day range between 1 preceding and current row
        ) as n from d.leads
    """,
    "must not use DISTINCT, GROUP BY": """
        with recursive r as (select 1 as n union all select max(n) from r) select * from r
    """,
    "right operand of a LEFT JOIN": """
        with recursive r as (
            select day from d.leads
            union all
            select l.day from d.leads as l left join r using (day)
        ) select * from r
    """,
    "operand of a FULL OUTER JOIN": """
        with recursive r as (
            select day from d.leads
            union all
            select l.day from d.leads as l full join r using (day)
        ) select * from r
    """,
    "may not use ORDER BY": """
        with recursive r as (select 1 as n union all select n + 1 from r order by n)
        select * from r
    """,
    "parameters cannot be used inside SQL view": """
        create view d.v as select * from d.leads where day = @day
    """,
    "Duplicate column name": "create table d.x (Day date, day date)",
    "floating point": "create table d.x (a float64) cluster by a",
}


@cache
def _checker() -> Checker:
    return Checker(TABLES, {"day": "DATE"}, Report())


def problems(sql: str) -> list[str]:
    checker = _checker()
    checker.report = Report()
    checker.check(sql, Origin("here"))
    return [problem.message for problem in checker.report.problems]


@pytest.mark.parametrize("sql", listed(RIGHT))
def test_what_bigquery_takes_passes(sql: str) -> None:
    assert problems(sql) == []


@pytest.mark.parametrize(
    ("words", "sql"),
    [(words, sql) for words, group in WRONG.items() for sql in listed(group)],
)
def test_what_looks_right_and_is_refused_by_bigquery_is_refused(words: str, sql: str) -> None:
    found = problems(sql)
    assert found
    assert all(words in each for each in found), found


@pytest.mark.parametrize(("words", "sql"), KNOWN.items())
def test_the_analyser_knows_these_rules_itself(words: str, sql: str) -> None:
    (found,) = problems(sql)
    assert words in found


def test_a_text_longer_than_bigquery_takes_is_refused() -> None:
    comment = "-" * MAX_QUERY_BYTES
    assert problems(f"select 1 as one --{comment}") == [
        "the text is longer than the 1 MB that BigQuery takes"
    ]


def test_descriptions_have_a_length() -> None:
    column = f"create table d.x (a string options (description = '{'a' * 1025}'))"
    table = f"create table d.x (a string) options (description = '{'a' * 16385}')"
    assert problems(column) == ["the description of a is 1025 characters long: BigQuery takes 1024"]
    assert problems(table) == [
        "the description of the table is 16385 characters long: BigQuery takes 16384"
    ]


def test_names_have_a_length_and_tables_a_number_of_columns() -> None:
    assert problems(f"create table d.x ({'a' * 300} string)") == []
    assert "no name for a column" in problems(f"create table d.x ({'a' * 301} string)")[0]
    columns = ", ".join(f"c{number} string" for number in range(10_001))
    assert problems(f"create table d.x ({columns})") == ["10001 columns: BigQuery takes 10000"]
