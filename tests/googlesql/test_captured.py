"""Recorded SQL of other programs is judged like the product's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.googlesql.captured import check_captured

GAP = {
    "columns": [["report_date", "DATE"], ["real_leads", "NUMERIC"], ["clicks", "INTEGER"]],
    "partition_by": "report_date",
    "require_partition_filter": True,
}
LOADS = {
    "columns": [["load_id", "STRING"], ["inserted_at", "TIMESTAMP"]],
    "partition_by": None,
    "require_partition_filter": False,
}
TABLES = {"trueline_marts.gap": GAP, "trueline_load_1._dlt_loads": LOADS}


def line(sql: str, origin: str = "gx", **parameters: str) -> dict[str, Any]:
    return {"sql": sql, "parameters": parameters, "tables": TABLES, "origin": origin}


def problems(tmp_path: Path, *lines: dict[str, Any]) -> list[str]:
    path = tmp_path / "captured.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in lines))
    return [str(each).removeprefix(f"{tmp_path}/") for each in check_captured(path).problems]


@pytest.mark.parametrize(
    "name",
    [
        "trueline_marts.gap",
        "`trueline_marts.gap`",
        "`trueline_marts`.`gap`",
        "`my-project`.`trueline_marts`.`gap`",
        "`my-project.trueline_marts.gap`",
        "my-project.trueline_marts.gap",
        "`my-project`.trueline_marts.gap",
    ],
)
def test_tables_are_found_under_every_way_to_write_them(name: str, tmp_path: Path) -> None:
    good = line(f"SELECT count(*) AS n FROM {name} WHERE report_date >= DATE '0001-01-01'")
    assert problems(tmp_path, good) == []
    (found,) = problems(tmp_path, line(f"SELECT count(*) AS n FROM {name}"))
    assert found.startswith("captured.jsonl:1:1: gx: trueline_marts.gap is partitioned by")


def test_a_problem_names_the_line_of_the_record_and_who_wrote_it(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        line("select sum(clicks) as n from trueline_marts.gap where report_date = @d", d="DATE"),
        line("delete from\n  trueline_load_1._dlt_loads where lod_id = 'a'", "dlt"),
    )
    assert len(found) == 1
    assert found[0].startswith("captured.jsonl:2:1: dlt: Unrecognized name: lod_id")


def test_what_dlt_asks_and_changes_is_understood(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        line(
            "SELECT table_name, column_name, data_type FROM "
            "`my-project`.`trueline_load_1`.INFORMATION_SCHEMA.COLUMNS WHERE table_name IN (@a)",
            "dlt",
            a="STRING",
        ),
        line(
            "INSERT INTO `my-project`.`trueline_load_1`.`_dlt_loads`(load_id, inserted_at) "
            "VALUES(@a, @b)",
            "dlt",
            a="STRING",
            b="TIMESTAMP",
        ),
        line("CREATE TABLE `my-project`.`trueline_load_1`.`t` (`a` STRING NOT NULL)", "dlt"),
        line("BEGIN TRANSACTION;\nCOMMIT TRANSACTION;", "dlt"),
    )
    assert found == []


def test_a_statement_recorded_twice_is_checked_once(tmp_path: Path) -> None:
    path = tmp_path / "captured.jsonl"
    path.write_text("\n".join([json.dumps(line("select 1 as one"))] * 3 + [""]))
    report = check_captured(path)
    assert report.checked == {"captured from gx": 1}


def test_a_table_that_needs_no_filter_is_read_without_one(tmp_path: Path) -> None:
    free = {"trueline_marts.gap": {**GAP, "require_partition_filter": False}}
    record = {**line("select clicks from trueline_marts.gap"), "tables": free}
    assert problems(tmp_path, record) == []
