"""Recorded SQL of other programs is judged like the product's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.googlesql.captured import check_captured


def columns(**types: str) -> list[dict[str, str]]:
    return [{"name": name, "type": type_, "mode": "NULLABLE"} for name, type_ in types.items()]


CATALOG = {
    "kind": "catalog",
    "catalog": 1,
    "tables": {
        "trueline_marts.gap": columns(report_date="DATE", real_leads="NUMERIC", clicks="INT64"),
        "trueline_load_1._dlt_loads": columns(load_id="STRING", inserted_at="TIMESTAMP"),
    },
    "filtered_by": {"trueline_marts.gap": "report_date"},
}
REQUEST = {"kind": "request", "method": "GET", "path": "/", "status": 200}


def said(sql: str, job_id: str = "gx", **parameters: str) -> dict[str, Any]:
    return {
        "kind": "statement",
        "job_id": job_id,
        "sql": sql,
        "parameters": parameters,
        "temporary": {},
        "catalog": 1,
    }


def record(tmp_path: Path, *lines: dict[str, Any], catalog: dict[str, Any] = CATALOG) -> Path:
    path = tmp_path / "record.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in (catalog, REQUEST, *lines)))
    return path


def problems(tmp_path: Path, *lines: dict[str, Any]) -> list[str]:
    found = check_captured(record(tmp_path, *lines)).problems
    return [str(each).removeprefix(f"{tmp_path}/") for each in found]


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
    good = said(f"SELECT count(*) AS n FROM {name} WHERE report_date >= DATE '0001-01-01'")
    assert problems(tmp_path, good) == []
    (found,) = problems(tmp_path, said(f"SELECT count(*) AS n FROM {name}"))
    assert found.startswith("record.jsonl:3:1: gx: trueline_marts.gap is partitioned by")


def test_a_problem_names_the_line_of_the_record_and_the_job(tmp_path: Path) -> None:
    (found,) = problems(
        tmp_path,
        said("select sum(clicks) as n from trueline_marts.gap where report_date = @d", d="DATE"),
        said("delete from\n  trueline_load_1._dlt_loads where lod_id = 'a'", "dlt"),
    )
    assert found.startswith("record.jsonl:4:1: dlt: Unrecognized name: lod_id")


def test_what_dlt_asks_and_changes_is_understood(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        said(
            "SELECT table_name, column_name, data_type FROM "
            "`my-project`.`trueline_load_1`.INFORMATION_SCHEMA.COLUMNS WHERE table_name IN (@a)",
            "dlt-1",
            a="STRING",
        ),
        said(
            "INSERT INTO `my-project`.`trueline_load_1`.`_dlt_loads`(load_id, inserted_at) "
            "VALUES(?, ?)",
            "dlt-2",
            _1="STRING",
            _2="TIMESTAMP",
        ),
        said("CREATE TABLE `my-project`.`trueline_load_1`.`t` (`a` STRING NOT NULL)", "dlt-3"),
    )
    assert found == []


def test_statements_of_one_job_are_one_script(tmp_path: Path) -> None:
    swap = [
        said("begin transaction;", "script_job_0_a"),
        said("delete from trueline_marts.gap where report_date >= @d;", "script_job_1_b", d="DATE"),
        said("commit transaction;", "script_job_2_c"),
    ]
    assert problems(tmp_path, *swap) == []
    (found,) = problems(tmp_path, *swap[:2])
    assert "script_job_0_a: the transaction is never committed" in found


def test_what_is_not_judged_is_counted(tmp_path: Path) -> None:
    path = record(
        tmp_path,
        said("declare table_exists bool", "dlt-1"),
        said(
            "select version from `p`.`trueline_load_2`.`_dlt_version` where v = ?", "2", _1="INT64"
        ),
    )
    report = check_captured(path)
    assert report.problems == []
    assert report.checked["not judged"] == 2


def test_a_statement_recorded_twice_is_checked_once(tmp_path: Path) -> None:
    path = record(tmp_path, *(said("select 1 as one", f"job-{number}") for number in range(3)))
    assert check_captured(path).checked["jobs"] == 1


def test_a_record_without_statements_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no statement"):
        check_captured(record(tmp_path))


def test_a_table_that_needs_no_filter_is_read_without_one(tmp_path: Path) -> None:
    free = {**CATALOG, "filtered_by": {}}
    path = record(tmp_path, said("select clicks from trueline_marts.gap"), catalog=free)
    assert check_captured(path).problems == []
