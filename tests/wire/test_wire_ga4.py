"""GA4's export read where it lies: the same rows as from its files, and none through Python."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from google.cloud.bigquery import (  # noqa: TID253
    Dataset,
    LoadJobConfig,
    SchemaField,
    SourceFormat,
)

from sandbox.ga4_export import write_ga4_export
from tests.end_to_end.conftest import profile_in
from tests.wire.conftest import WireCompany, comparable
from trueline import pipeline
from trueline.errors import ConfigurationError
from trueline.model.catalog import load_catalog
from trueline.settings.profile import Profile
from trueline.sources.ga4.export import EXPORT_COLUMNS, Fields
from trueline.sources.settings import Ga4Settings
from trueline.warehouse import Work, open_warehouse

# What a load adds to a row by itself.
OWN = {"source", "load_id", "loaded_at", "row_hash"}


def with_ga4(profile: Profile, **settings: Any) -> Profile:
    ga4 = Ga4Settings.model_validate({"type": "ga4", "touches": True, **settings})
    return profile.model_copy(
        update={"settings": profile.settings.model_copy(update={"sources": {"ga4": ga4}})}
    )


def exported(company: WireCompany, folder: Path) -> str:
    """Play GA4: one table a day. Returns the dataset."""
    dataset = f"analytics_{company.settings.dataset_prefix.strip('t_')}"
    with open_warehouse(company.profile, Work("ga4", "export")) as warehouse:
        client = warehouse.jobs.access.client  # type: ignore[attr-defined]
        place = Dataset(f"{client.project}.{dataset}")
        place.location = company.settings.location
        client.create_dataset(place)
        config = LoadJobConfig(
            source_format=SourceFormat.NEWLINE_DELIMITED_JSON,
            schema=schema(EXPORT_COLUMNS),
            ignore_unknown_values=True,
        )
        for path in sorted(folder.glob("events_*.jsonl")):
            with path.open("rb") as file:
                client.load_table_from_file(
                    file, f"{dataset}.{path.stem}", job_config=config, location=place.location
                ).result()
    return dataset


def schema(fields: Fields) -> list[SchemaField]:
    def field(name: str, kind: str | Fields) -> SchemaField:
        if isinstance(kind, Mapping):
            return SchemaField(name, "RECORD", fields=schema(kind))
        if kind.startswith("ARRAY"):
            value = {"string_value": "STRING", "int_value": "INT64"}
            return SchemaField(
                name, "RECORD", "REPEATED", fields=schema({"key": "STRING", "value": value})
            )
        return SchemaField(name, kind)

    return [field(name, kind) for name, kind in fields.items()]


def columns(table: str) -> str:
    return ", ".join(c.name for c in load_catalog()[f"raw.{table}"].columns if c.name not in OWN)


@pytest.mark.soak
def test_in_place_and_from_files_give_the_same_rows(company: WireCompany, tmp_path: Path) -> None:
    files = tmp_path / "ga4"
    write_ga4_export(company.world, files)
    in_place = with_ga4(company.profile, export="bigquery", dataset=exported(company, files))
    from_files = with_ga4(profile_in(tmp_path / "data"), export="files", folder=str(files))
    summary = pipeline.ingest(in_place, "ga4", company.window)
    pipeline.ingest(from_files, "ga4", company.window)
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table in ("tag_events", "touches"):
            place = f'"{company.dataset("raw")}"."{table}"'
            there = company.bigquery.sql(f"select {columns(table)} from {place}")
            here = connection.execute(f"select {columns(table)} from raw.{table}").fetchall()
            assert len(here) > 10
            assert comparable(there) == comparable(here), table
            assert summary.as_dict()["rows_loaded"] >= len(there)
    loads = [job["configuration"] for job in company.jobs() if "load" in job["configuration"]]
    assert not [job for job in loads if "trueline" in str(job.get("labels"))]
    assert company.rows("raw.loads") == len(summary.loads)
    assert company.datasets("load") == []
    # The next morning the newest days are read again: a load more, not a row counted twice.
    before = company.rows("raw.tag_events")
    pipeline.ingest(in_place, "ga4", company.window)
    assert company.rows("raw.tag_events") == 2 * before
    pipeline.build(in_place)
    assert company.rows("staging.stg_web__tag_events") <= before


def test_a_missing_export_says_where_to_link_it(company: WireCompany) -> None:
    profile = with_ga4(company.profile, export="bigquery", dataset="analytics_4711")
    with pytest.raises(ConfigurationError, match="no such dataset") as caught:
        pipeline.ingest(profile, "ga4", company.window)
    assert "BigQuery links" in str(caught.value)


def test_a_day_that_is_not_there_yet_is_a_skipped_load(
    company: WireCompany, tmp_path: Path
) -> None:
    files = tmp_path / "ga4"
    write_ga4_export(company.world, files)
    last = company.window.end
    for path in files.glob(f"events*{last:%Y%m%d}.jsonl"):
        path.unlink()
    profile = with_ga4(company.profile, export="bigquery", dataset=exported(company, files))
    summary = pipeline.ingest(profile, "ga4", company.window)
    skipped = [load.file_name for load in summary.loads if load.status == "skipped"]
    assert f"events_{last:%Y%m%d}" in skipped
    assert f"events_{last - timedelta(days=1):%Y%m%d}" not in skipped
