"""SQL that other programs write for the product, as the fake BigQuery server recorded it.

One JSON object a line:

    {"sql": "select …", "parameters": {"name": "DATE"}, "origin": "gx",
     "tables": {"dataset.table": {"columns": [["name", "STRING"], …],
                                  "partition_by": "report_date", "require_partition_filter": true}}}

``origin`` is ``gx``, ``dlt`` or ``trueline``; ``tables`` are those of the datasets that the text
names, as they were when it was sent; ``partition_by`` is a column or null. Names in the text may
carry a project and back-quotes in any of BigQuery's ways.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
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
_NUMBERED = {"ordinal_position", "clustering_ordinal_position"}


def check_captured(path: Path) -> Report:
    """Check every recorded statement once; a problem's line is the line of the record.

    Raises:
        ValueError: a line is not a record.
    """
    report = Report()
    seen = set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line in seen:
            continue
        seen.add(line)
        record = json.loads(line)
        report.checked[f"captured from {record['origin']}"] += 1
        shapes = {key: _shape(table) for key, table in record["tables"].items()}
        datasets = {key.partition(".")[0] for key in shapes}
        check_script(
            record["sql"],
            record["parameters"],
            shapes | _information_schema(datasets),
            origin=Origin(str(path), number, is_one_line=True, about=record["origin"]),
            report=report,
            projects=_projects(record["sql"], datasets),
        )
    del report.checked["statements in scripts"]
    return report


def _shape(table: Mapping[str, Any]) -> TableShape:
    column = table["partition_by"]
    needs_filter = column is not None and table["require_partition_filter"]
    return TableShape(
        tuple((name, type_) for name, type_ in table["columns"]),
        Partitioning(column, column) if needs_filter else None,
    )


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
