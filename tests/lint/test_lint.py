"""The lint refuses what it should, at the right line, and the repository passes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.repository import check_repository
from tests.lint.sql_rules import check_query
from tests.lint.words import check_python, check_yaml

# The expression stands on line 2 of a query.
REFUSED = {
    "division": ("clicks / impressions", "'/' fails on zero"),
    "division_of_whole_numbers": ("1 / 0", "'/' fails on zero"),
    "clock": ("current_timestamp()", "no query reads the clock"),
    "clock_without_parentheses": ("current_date", "no query reads the clock"),
    "day_of_the_clock": ("current_date('Europe/Berlin')", "no query reads the clock"),
    "dice": ("rand()", "a second run would give other rows"),
    "new_id": ("generate_uuid()", "a second run would give other rows"),
    "second_occurrence": ("instr(name, 'x', 1, 2)", "occurrence differs"),
    "substring_from_zero": ("substr(name, 0, 3)", "count from 1"),
    "offset": ("items[offset(0)]", "use safe_offset"),
    "ordinal": ("items[ordinal(1)]", "use safe_offset"),
    "sha512": ("to_hex(sha512(name))", "DuckDB silently returns SHA-256"),
    "format": ("format('%d', clicks)", "DuckDB returns the pattern itself"),
    "day_of_week": ("extract(dayofweek from day)", "BigQuery from 1"),
    "week": ("extract(week from day)", "DuckDB counts ISO weeks"),
    "parse_timestamp": ("parse_timestamp('%Y', name)", "naive on DuckDB"),
    "timestamp_micros": ("timestamp_micros(clicks)", "naive on DuckDB"),
    "fingerprint": ("farm_fingerprint(name)", "use to_hex(sha256"),
    "normalize": ("normalize(name)", "normalise when the row is read"),
    "approximation": ("approx_count_distinct(name)", "count exactly"),
    "host": ("net.host(name)", "take the host out when the row is read"),
    "ieee_divide": ("ieee_divide(1, 2)", "use safe_divide"),
    "array_limit": ("array_agg(name order by name limit 1)", "limit in an aggregate"),
    "array_order": ("array_agg(name ignore nulls)", "array_agg without order by"),
    "string_order": ("string_agg(name, ',')", "string_agg without order by"),
    "decimal_point": ("ctr > 0.5", "write numeric '…'"),
    "substring_from_behind": ("substr(name, -2, 1)", "count from 1"),
    "negative_left": ("left(name, -1)", "fail in BigQuery only"),
    "safe_prefix": ("safe.parse_date('%Y', name)", "parse when it is read"),
    "two_groups": ("regexp_extract(name, r'(a)(b)')", "write one group"),
    "unnamed_field": ("struct(1, name).name", "struct(x as name)"),
    "offset_as_zone": ("date(seen_at, '+02:00')", "name it, like"),
    "unknown_format": ("format_date('%e', day)", "format_date differs"),
    "bare_word": ("sum(conversions)", "says not whose"),
    "bare_alias": ("sum(clicks) as conversions", "says not whose"),
}
ACCEPTED = (
    "safe_divide(ctr, 2)",
    "div(clicks, 2)",
    "array_agg(name ignore nulls order by name)",
    "regexp_extract(name, r'a(b)')",
    "format_date('%G-W%V', day)",
    "left(name, 2)",
    "strpos(name, 'x')",
    "substr(name, 1, 3)",
    "items[safe_offset(0)]",
    "to_hex(sha256(name))",
    "extract(year from day)",
    "date_trunc(day, isoweek)",
    "timestamp_diff(@as_of, seen_at, minute)",
    "sum(pixel_conversions) as pixel_conversions",
)


@pytest.mark.parametrize(("expression", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_construct_with_two_meanings_is_refused_at_its_line(expression: str, words: str) -> None:
    (finding,) = check_query(f"select\n    {expression}\nfrom raw.things", "query.sql")
    assert words in finding.message
    assert (finding.path, finding.line) == ("query.sql", 2)
    assert finding.column >= 5


@pytest.mark.parametrize("expression", ACCEPTED)
def test_its_replacement_passes(expression: str) -> None:
    assert check_query(f"select\n    {expression}\nfrom raw.things", "query.sql") == []


def test_unnest_with_offset_is_refused() -> None:
    query = "select item\nfrom raw.things,\n    unnest(items) as item with offset as place"
    (finding,) = check_query(query, "query.sql")
    assert "counts from 1 on DuckDB" in finding.message
    assert finding.line == 3


STEPS = """with

imports as (
    select * from raw.things
    where loaded_at <= @as_of
),

{step}

things as (
    select name, clicks from widened
)

select * from things
"""


@pytest.mark.parametrize(
    "step",
    [
        "widened as (\n    select *, clicks + 1 as more from imports\n),",
        "widened as (\n    select imports.*, other.more from imports join raw.other using (a)\n),",
    ],
)
def test_a_star_may_pass_on_or_widen_one_relation(step: str) -> None:
    assert check_query(STEPS.format(step=step), "query.sql") == []


@pytest.mark.parametrize(
    "step",
    [
        "widened as (\n    select * from imports join raw.other using (a)\n),",
        "widened as (\n    select imports.*, other.* from imports join raw.other using (a)\n),",
    ],
)
def test_a_star_over_a_join_is_refused(step: str) -> None:
    (finding,) = check_query(STEPS.format(step=step), "query.sql")
    assert "hides whose columns" in finding.message
    assert finding.line in (8, 9)


def test_the_last_step_must_name_its_columns() -> None:
    query = "with\n\nthings as (\n    select * from raw.things\n)\n\nselect * from things"
    (finding,) = check_query(query, "query.sql")
    assert finding.message == "the last step, things, must name its columns"


def test_what_is_not_sql_is_refused_with_its_place() -> None:
    (finding,) = check_query("select\n  a,\nfrom from", "query.sql")
    assert finding.line == 3
    assert finding.message.startswith("not BigQuery SQL")


@pytest.mark.parametrize(
    "code",
    [
        "conversions = 1",
        "def conversions(): ...",
        "def count(conversions): ...",
        "row.conversions = 1",
        "for conversions in rows: ...",
        "import figures as conversions",
    ],
)
def test_the_bare_word_is_no_name_in_python(code: str) -> None:
    (finding,) = check_python(f"\n{code}\n", "include/trueline/x.py")
    assert (finding.line, "says not whose" in finding.message) == (2, True)


def test_a_platforms_own_field_is_a_string_and_free() -> None:
    code = 'pixel_conversions = row["metrics"]["conversions"]  # conversions, as Google names them'
    assert check_python(code, "include/trueline/x.py") == []


@pytest.mark.parametrize(
    "code", ["datetime.now(UTC)", "date.today()", "datetime.datetime.utcnow()", "time.time()"]
)
def test_only_one_place_reads_the_clock(code: str) -> None:
    (finding,) = check_python(code, "include/trueline/x.py")
    assert "take the time as a value" in finding.message
    assert check_python(code, "include/trueline/windows.py") == []


def test_the_bare_word_is_no_key_in_yaml() -> None:
    text = "purpose: Qualified conversions.\ncolumns:\n  conversions: {type: NUMERIC}\n"
    (finding,) = check_yaml(text, "table.yaml")
    assert (finding.line, finding.column) == (3, 3)


def test_the_repository_passes() -> None:
    files, findings = check_repository()
    assert files > 100
    assert [str(finding) for finding in findings] == []


def test_an_empty_folder_is_not_taken_for_a_clean_one(tmp_path: Path) -> None:
    assert check_repository(tmp_path) == (0, [])
