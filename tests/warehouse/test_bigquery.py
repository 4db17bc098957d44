"""What can be said of BigQuery without BigQuery: names, labels, types. Nothing here talks to it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trueline.model.catalog import load_catalog
from trueline.settings.profile import BigQuerySettings
from trueline.warehouse.base import Work
from trueline.warehouse.bigquery.access import own_place
from trueline.warehouse.bigquery.jobs import job_labels
from trueline.warehouse.bigquery.parameters import type_of
from trueline.warehouse.ddl import create_table_sql, string_literal
from trueline.warehouse.places import with_places
from trueline.warehouse.statements import all_statements

SETTINGS = BigQuerySettings(engine="bigquery", project="a-project", location="EU")


def test_layers_become_datasets_everywhere() -> None:
    for name, sql in all_statements().items():
        mapped = with_places(sql, own_place(SETTINGS))
        for key in load_catalog():
            layer, table = key.split(".")
            unmapped = mapped.replace(f"trueline_{layer}.{table}", "")
            assert f" {key} " not in f"{unmapped} ".replace("\n", " "), (name, key)


def test_a_column_that_is_named_like_a_layer_stays() -> None:
    sql = "select raw.loads.load_id, events.rules from raw.loads as staging where @marts = 1"
    assert with_places(sql, own_place(SETTINGS)) == (
        "select trueline_raw.loads.load_id, events.rules "
        "from trueline_raw.loads as staging where @marts = 1"
    )


def test_every_table_has_partition_cluster_and_descriptions_in_its_ddl() -> None:
    for table in load_catalog().values():
        sql = create_table_sql(table, "bigquery", f"trueline_{table.layer}")
        assert sql.count("options (description =") == len(table.columns) + 1
        assert ("partition by" in sql) == (table.partition_by is not None)
        assert ("cluster by" in sql) == bool(table.cluster_by)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("as_of", None, "TIMESTAMP"),
        ("load_id", "x", "STRING"),
        ("row_limit", 5, "INT64"),
        ("is_on", True, "BOOL"),
        ("share", Decimal("0.5"), "NUMERIC"),
    ],
)
def test_parameters_are_typed_by_name_and_else_by_value(
    name: str, value: object, expected: str
) -> None:
    assert type_of(name, value) == expected


def test_labels_hold_only_what_bigquery_allows() -> None:
    work = Work(
        "build", "r1", "build_funnel/manual__2026-11-23T03:34:41+00:00", {"source": "x" * 100}
    )
    assert job_labels(work) == {
        "app": "trueline",
        "dag": "build_funnel",
        "task": "build",
        "run": "manual__2026-11-23t03-34-41-00-00",
        "source": "x" * 63,
    }


def test_a_description_cannot_end_its_literal() -> None:
    assert string_literal("the CRM's \\ own\nfield") == r"'the CRM\'s \\ own\nfield'"
