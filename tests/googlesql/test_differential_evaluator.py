"""The evaluator gives back what it was given, and tells what it cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.googlesql.differential import bigquery_type, differences
from tests.googlesql.evaluator import EvaluationError, Evaluator, Result

COLUMNS = {
    "s": "STRING",
    "i": "INT64",
    "n": "NUMERIC",
    "f": "FLOAT64",
    "b": "BOOL",
    "d": "DATE",
    "t": "TIMESTAMP",
}
SMALLEST = ("", -(2**63), Decimal("-99999999999999999999999999999.999999999"), -1e308, False)
LARGEST = (
    "日本👍🏽\n",
    2**63 - 1,
    Decimal("99999999999999999999999999999.999999999"),
    5e-324,
    True,
)
BEFORE_1970 = datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC)
ROWS: list[tuple[Any, ...]] = [
    (*SMALLEST, date(1, 1, 1), datetime(1, 1, 1, tzinfo=UTC)),
    (*LARGEST, date(9999, 12, 31), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    (None,) * len(COLUMNS),
    ("a", 128, Decimal("-0.000000128"), -0.0, True, date(1969, 12, 31), BEFORE_1970),
]


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    evaluator = Evaluator(
        {"raw.things": list(COLUMNS.items()), "raw.others": [("i", "INT64")]},
        {"limit_": "INT64", "names": "ARRAY<STRING>"},
    )
    evaluator.set_rows("raw.things", [dict(zip(COLUMNS, row, strict=True)) for row in ROWS])
    return evaluator


def test_every_value_comes_back_as_it_went_in(evaluator: Evaluator) -> None:
    result = evaluator.query("select * from raw.things")
    assert result.columns == tuple(COLUMNS.items())
    assert differences(result, Result(result.columns, ROWS), ordered=False) == []


def test_a_table_answers_to_its_bare_name_and_without_rows_is_empty(evaluator: Evaluator) -> None:
    sql = "select things.i from raw.things where things.i = 128 or i in (select i from raw.others)"
    assert evaluator.query(sql).rows == [(128,)]


def test_parameters_may_be_lists_null_or_unused(evaluator: Evaluator) -> None:
    sql = "select s from raw.things where s in unnest(@names)"
    assert evaluator.query(sql, {"names": ["a", None], "limit_": 1}).rows == [("a",)]
    assert evaluator.query("select @limit_ as v", {"limit_": None}).rows == [(None,)]


def test_a_recursive_query_whose_steps_a_subquery_reads(evaluator: Evaluator) -> None:
    sql = """with recursive
    steps as (select 1 as i union all select i + 1 from steps where i < 4),
    -- A part of it, and not of a comment's ( either.
    odd as (select i from steps where mod(i, 2) = 1)
    select i, i in (select i from odd) as is_odd from steps order by i"""
    assert evaluator.query(sql).rows == [(1, True), (2, False), (3, True), (4, False)]


def test_new_rows_replace_the_old_ones(evaluator: Evaluator) -> None:
    for rows in ([1, 2], [3]):
        evaluator.set_rows("raw.others", [{"i": i} for i in rows])
        assert evaluator.query("select sum(i) as v from raw.others").rows == [(sum(rows),)]
    evaluator.set_rows("raw.others", [])


def test_googles_words_on_a_wrong_query(evaluator: Evaluator) -> None:
    with pytest.raises(EvaluationError, match="Unrecognized name: nobody"):
        evaluator.query("select nobody from raw.things")
    with pytest.raises(EvaluationError, match="division by zero"):
        evaluator.query("select div(1, i - i) as v from raw.things where i = 128")


def test_a_crash_of_the_engine_is_survived(evaluator: Evaluator) -> None:
    with pytest.raises(EvaluationError, match="crashed"):
        evaluator.query("select net.reg_domain('www.example.co.uk') as v")
    assert evaluator.query("select count(*) as v from raw.things").rows == [(len(ROWS),)]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (1, True),
        (Decimal("1"), 1),
        (1.0, Decimal("1")),
        (0.0, -0.0),
        ("a", "a "),
        (None, ""),
        ([1, 2], [2, 1]),
    ],
)
def test_what_is_nearly_the_same_differs(ours: Any, theirs: Any) -> None:
    columns = (("v", "STRING"),)
    assert differences(Result(columns, [(ours,)]), Result(columns, [(theirs,)]), ordered=False)


def test_order_names_types_and_numbers_of_rows_count() -> None:
    columns = (("v", "INT64"),)
    one, other = Result(columns, [(1,), (2,)]), Result(columns, [(2,), (1,)])
    assert differences(one, other, ordered=False) == []
    assert differences(one, other, ordered=True)
    assert differences(one, Result(columns, [(1,), (2,), (2,)]), ordered=False)
    assert differences(one, Result(columns, [(1,)]), ordered=True)
    assert differences(one, Result((("v", "NUMERIC"),), one.rows), ordered=False)
    assert differences(one, Result((("w", "INT64"),), one.rows), ordered=False)


@pytest.mark.parametrize(
    ("duckdb_type", "name"),
    [
        ("DECIMAL(38,9)", "NUMERIC"),
        ("DECIMAL(38,18)", "DECIMAL(38,18)"),
        ("BIGINT[]", "ARRAY<INT64>"),
        ("STRUCT(a BIGINT, b DECIMAL(38,9))", "STRUCT<a INT64, b NUMERIC>"),
        ("TIMESTAMP", "DATETIME"),
        ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP"),
    ],
)
def test_types_as_bigquery_calls_them(duckdb_type: str, name: str) -> None:
    assert bigquery_type(duckdb_type) == name
