"""SQL as it went over the wire, as :mod:`sandbox.bigquery.record` keeps it.

What Great Expectations and dlt write themselves is seen nowhere else. Of the record's lines two
kinds matter, in this order:

    {"kind": "catalog", "catalog": 1, "filtered_by": {"dataset.table": "report_date"},
     "tables": {"dataset.table": [{"name": "report_date", "type": "DATE", "mode": "REQUIRED"}]}}
    {"kind": "statement", "catalog": 1, "job_id": "…", "sql": "select …",
     "parameters": {"day": "DATE"}}

A script's statements follow one another as the jobs ``script_job_0_…``, ``script_job_1_…``. Names
in the text may carry a project and back-quotes in any of BigQuery's ways.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.googlesql.checks import Origin, Report, TableShape
from tests.googlesql.partitions import Partitioning
from tests.googlesql.scripts import check_script

_INFORMATION_SCHEMA = {
    "SCHEMATA": ("catalog_name", "schema_name", "schema_owner", "location"),
    "TABLES": ("table_catalog", "table_schema", "table_name", "table_type", "ddl"),
    "COLUMNS": (
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "is_nullable",
        "data_type",
        "is_partitioning_column",
        "clustering_ordinal_position",
    ),
}
_CHILD = re.compile(r"script_job_(\d+)_")
_WITHOUT_TABLES = re.compile(r"(\w+)`?\.`?INFORMATION_SCHEMA\b", re.I)
_NUMBERED = {"ordinal_position", "clustering_ordinal_position"}


@dataclass(slots=True)
class _Job:
    """What one job said, and the line of its first statement."""

    job_id: str
    line: int
    catalog: int
    statements: list[str]
    parameters: dict[str, str]


def check_captured(path: Path) -> Report:
    """Check every job of a record, the same text once; a problem's line is the line of the record.

    Raises:
        ValueError: a line is not JSON, or nothing was recorded: then nothing was checked.
    """
    report = Report()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    catalogs = {line["catalog"]: _shapes(line) for line in lines if line["kind"] == "catalog"}
    seen = set()
    for job in _jobs(lines):
        sql = ";\n".join(job.statements)
        if (sql, job.catalog) in seen:
            continue
        seen.add((sql, job.catalog))
        # Registering every table of the warehouse for every job takes minutes.
        named = {
            key: shape
            for key, shape in catalogs[job.catalog].items()
            if key.rpartition(".")[2] in sql
        }
        datasets = {key.partition(".")[0] for key in named} | set(_WITHOUT_TABLES.findall(sql))
        report.checked["jobs"] += 1
        check_script(
            sql,
            job.parameters,
            named | _information_schema(datasets),
            origin=Origin(str(path), job.line, is_one_line=True, about=job.job_id),
            report=report,
            projects=_projects(sql, datasets),
            is_ours=False,
        )
    if not seen:
        raise ValueError(f"{path} holds no statement")
    return report


def _jobs(lines: list[dict[str, Any]]) -> Iterator[_Job]:
    jobs: dict[str, _Job] = {}
    job_id = ""
    for number, line in enumerate(lines, start=1):
        if line["kind"] == "statement":
            child = _CHILD.match(line["job_id"])
            # A child after the first belongs to the script that began last.
            if child is None or child[1] == "0":
                job_id = line["job_id"]
            job = jobs.setdefault(job_id, _Job(job_id, number, line["catalog"], [], {}))
            job.statements.append(line["sql"].rstrip().removesuffix(";"))
            job.parameters |= line["parameters"]
    yield from jobs.values()


def _shapes(line: Mapping[str, Any]) -> dict[str, TableShape]:
    shapes = {}
    for key, columns in line["tables"].items():
        column = line["filtered_by"].get(key)
        shapes[key] = TableShape(
            tuple((each["name"], each["type"]) for each in columns),
            Partitioning(column, column) if column else None,
        )
    return shapes


def _information_schema(datasets: set[str]) -> dict[str, TableShape]:
    return {
        f"{dataset}.INFORMATION_SCHEMA.{view}": TableShape(
            tuple((name, "INT64" if name in _NUMBERED else "STRING") for name in columns)
        )
        for dataset in datasets
        for view, columns in _INFORMATION_SCHEMA.items()
    }


def _projects(sql: str, datasets: set[str]) -> tuple[str, ...]:
    """What stands before a dataset, with or without back-quotes."""
    names = "|".join(map(re.escape, sorted(datasets)))
    return tuple(sorted(set(re.findall(rf"([A-Za-z][\w-]*)`?\.`?(?:{names})`?\.", sql))))
