"""A read of a partitioned table counts as filtered only where BigQuery cannot miss the filter."""

from __future__ import annotations

from functools import cache

import pytest

from tests.googlesql.checks import Checker, Origin, Report, TableShape
from tests.googlesql.listed import listed
from tests.googlesql.partitions import Partitioning

COLUMNS = (("event_id", "STRING"), ("report_date", "DATE"), ("occurred_at", "TIMESTAMP"))
BY_DAY = Partitioning("report_date", "report_date")
BY_TIME = Partitioning("occurred_at", "timestamp_trunc(occurred_at, day)")
TABLES = {
    "d.events": TableShape(COLUMNS, BY_DAY),
    "d.visits": TableShape(COLUMNS, BY_TIME),
    "d.names": TableShape((*COLUMNS, ("days", "ARRAY<DATE>"))),
}
PARAMETERS = {
    "history_start": "DATE",
    "first_date": "DATE",
    "day": "DATE",
    "days": "ARRAY<DATE>",
    "as_of": "TIMESTAMP",
}
FILTERED = """
select * from d.events where report_date = @day;
select * from d.events where @day <= report_date;
select * from d.events where report_date between @day and date '2026-11-20';
select * from d.events where report_date in (@day, date '2026-11-20');
select * from d.events where report_date in unnest(@days);
select * from d.events where report_date >= coalesce(@first_date, @history_start);
select * from d.events where report_date > date_sub(@day, interval 30 day);
select * from d.events where event_id = 'a' and (report_date < @day and true);
select * from d.visits where occurred_at >= timestamp(@history_start);
select * from d.visits where occurred_at >= timestamp_sub(@as_of, interval 1 day);
select event_id from (select * from d.events) where report_date >= @day;
select count(*) from (select * from d.events where report_date >= @day) as batch;
with e as (select * from d.events) select event_id from e where report_date >= @day;
with e as (select report_date as d1 from d.events), f as (select * from e) select * from f where
    d1 = @day;
with e as (select * from d.events where report_date >= @day) select * from e union all select *
    from e;
select e.event_id from d.events as e inner join d.names as n using (event_id)
    where e.report_date >= @day;
select e.event_id from d.events as e left join d.names as n using (event_id)
    where e.report_date >= @day;
select e.event_id from d.names as n right join d.events as e using (event_id)
    where e.report_date >= @day;
select e.event_id from d.events as e, d.visits as v
    where e.report_date = @day and v.occurred_at < @as_of;
select * from d.events as e cross join unnest([1, 2]) as one where e.report_date >= @day;
select event_id from d.names where event_id in (select event_id from d.events where report_date =
    @day);
select event_id, row_number() over (order by event_id) as n from d.events where report_date =
    @day;
select event_id, count(*) as n from d.events where report_date = @day group by event_id having n >
    1;
delete from d.events where report_date in unnest(@days) and event_id = 'a';
update d.events set event_id = 'b' where report_date >= @history_start;
insert into d.events (event_id, report_date) select event_id, report_date from d.names;
insert into d.events (event_id) select event_id from d.visits where occurred_at < @as_of;
merge d.events as e using d.names as n on e.event_id = n.event_id and e.report_date >= @day when
    matched then delete;
create snapshot table d.kept clone d.events;
create or replace view d.shown as select * from d.events;
select * from d.names;
"""
UNFILTERED = """
select * from d.events;
select * from d.events where event_id = 'a';
select * from d.events where report_date >= @day or event_id = 'a';
select * from d.events where report_date = @day or report_date = @first_date;
select * from d.events where not report_date < @day;
select * from d.events where report_date != @day;
select * from d.events where report_date is not null;
select * from d.events where report_date is not distinct from @day;
select * from d.events where date_trunc(report_date, month) = @day;
select * from d.events where cast(report_date as string) = '2026-11-20';
select * from d.events where report_date = (select max(report_date) from d.names);
select * from d.events where report_date in (select report_date from d.names);
select * from d.events where report_date >= current_date();
select * from d.events where report_date = date(occurred_at);
select * from d.events where occurred_at >= timestamp(@day);
select * from d.visits where report_date >= @day;
select * from d.visits where timestamp_trunc(occurred_at, day) = timestamp(@day);
select * from d.visits where date(occurred_at) >= @day;
select e.event_id from d.events as e inner join d.names as n on n.report_date = e.report_date
    where n.report_date = @day;
select e.event_id from d.events as e inner join d.names as n on e.event_id = n.event_id and
    e.report_date = @day;
select n.event_id from d.names as n left join d.events as e using (event_id) where e.report_date
    >= @day;
select e.event_id from d.names as n full join d.events as e using (event_id) where e.report_date
    >= @day;
select n.event_id from d.names as n inner join (select * from d.events) as e using (event_id)
    where e.report_date = @day;
with e as (select * from d.events) select * from e where report_date = @day union all select *
    from e;
with e as (select * from d.events) select n.event_id from e inner join d.names as n using
    (event_id) where e.report_date = @day;
with e as (select date_add(report_date, interval 1 day) as report_date from d.events) select *
    from e where report_date = @day;
select * from (select *, row_number() over (order by event_id) as n from d.events) where
    report_date >= @day;
select event_id from d.events qualify row_number() over (order by event_id) = 1 and
    max(report_date) over () >= @day;
select report_date, count(*) as n from d.events group by report_date having report_date >= @day;
select * from (select * from d.events limit 5) where report_date >= @day;
select * from (select * from d.events union all select * from d.events) where report_date >= @day;
select event_id from d.names where event_id in (select event_id from d.events) and report_date >=
    @day;
select event_id from d.names as n where exists (
    select 1 from d.events as e where e.event_id = n.event_id
) and n.report_date = @day;
select if(report_date >= @day, event_id, null) as event_id from d.events;
delete from d.events where true;
delete from d.events where event_id in (select event_id from d.names);
update d.events set event_id = 'b' where event_id = 'a';
update d.names as n set event_id = 'b' from d.events as e where n.event_id = e.event_id and
    n.report_date = @day;
insert into d.names (event_id) select event_id from d.events;
merge d.events as e using d.names as n on e.event_id = n.event_id when matched then delete;
create temp table kept as select * from d.events;
create or replace view d.shown as select event_id, count(*) as n from d.events group by event_id;
"""


@cache
def _checker() -> Checker:
    return Checker(TABLES, PARAMETERS, Report())


def problems(sql: str) -> list[str]:
    checker = _checker()
    checker.report = Report()
    checker.check(sql, Origin("here"))
    return [str(problem) for problem in checker.report.problems]


@pytest.mark.parametrize("sql", listed(FILTERED))
def test_a_read_that_names_its_partitions_passes(sql: str) -> None:
    assert problems(sql) == []


@pytest.mark.parametrize("sql", listed(UNFILTERED))
def test_a_read_that_bigquery_might_not_prune_is_refused(sql: str) -> None:
    found = problems(sql)
    assert found
    assert all("is partitioned by" in each for each in found), found


def test_the_message_names_table_column_place_and_what_to_write() -> None:
    (found,) = problems("select *\nfrom\n    d.visits where event_id = 'a'")
    assert found.startswith(
        "here:3:5: d.visits is partitioned by timestamp_trunc(occurred_at, day)"
    )
    assert found.endswith("says occurred_at >= timestamp(@history_start)")


def test_reads_are_counted_where_they_pass_and_where_they_do_not() -> None:
    problems("select 1 from d.events as e, d.visits as v, d.names as n where e.report_date = @day")
    assert _checker().report.reads == 2
    assert len(_checker().report.problems) == 1
