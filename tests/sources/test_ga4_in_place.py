"""The export read in place: statements that BigQuery would take, and what a dataset refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials  # noqa: TID253
from google.cloud.bigquery import Client  # noqa: TID253

from tests.sources import googlesql_nested
from tests.sources.conftest import Answer, Asked, Platform
from tests.sources.ga4_events import MARIA, as_select, event
from trueline.errors import ConfigurationError, RetriableError
from trueline.model.catalog import load_catalog
from trueline.sources.base import Coverage
from trueline.sources.ga4.bigquery import BigQueryExport
from trueline.sources.ga4.export import EXPORT_COLUMNS, Fields, bigquery_type
from trueline.sources.ga4.in_place import Ga4InPlaceSource, InPlaceLoad
from trueline.sources.registry import build_source
from trueline.sources.settings import Ga4Settings
from trueline.windows import Window

DAY = date(2026, 11, 20)
DATASET = "analytics_123456"
COLUMNS = [(name, bigquery_type(kind)) for name, kind in EXPORT_COLUMNS.items()]


def _paths(fields: Fields, above: str = "") -> set[str]:
    found = set()
    for name, kind in fields.items():
        found.add(above + name)
        if not isinstance(kind, str):
            found |= _paths(kind, f"{above}{name}.")
    return found


class Dataset:
    """A dataset with the given tables; intraday ones lack what GA4 adds at the day's end."""

    project, dataset = "my-project", DATASET

    def __init__(self, *tables: str, lacks: Sequence[str] = ()) -> None:
        self._tables, self._lacks = tables, tuple(lacks)

    def table_names(self) -> Sequence[str]:
        return self._tables

    def fields(self, table: str) -> frozenset[str]:
        assert table in self._tables
        lacks = (*self._lacks, *(("session_", "batch_") if "intraday" in table else ()))
        return frozenset(path for path in _paths(EXPORT_COLUMNS) if not path.startswith(lacks))


def source(**changed: Any) -> Ga4InPlaceSource:
    settings = Ga4Settings.model_validate(
        {
            "type": "ga4",
            "export": "bigquery",
            "dataset": f"my-project.{DATASET}",
            "touches": True,
            **changed,
        }
    )
    built = build_source(
        "ga4",
        settings,
        connection=None,
        time_zone="Europe/Berlin",
        root=Path(),
        workdir=Path(),
        known_hashes=frozenset(),
        now=datetime(2026, 11, 21, 5, tzinfo=UTC),
    )
    assert isinstance(built, Ga4InPlaceSource)
    return built


def _checked(load: InPlaceLoad, lacks: Sequence[str] = ()) -> None:
    """The analyser takes both forms, and the columns are the raw table's."""
    raw = [(each.name, each.type) for each in load_catalog()[f"raw.{load.table}"].columns]
    suffix = [("_table_suffix", "STRING")]
    daily = [each for each in COLUMNS if not each[0].startswith(tuple(lacks) or "-")]
    intraday = [each for each in COLUMNS if not each[0].startswith(("session_", "batch_"))]
    tables = {
        f"{DATASET}.events_2*": daily + suffix,
        f"{DATASET}.events_intraday_2*": intraday + suffix,
        f"raw.{load.table}": raw,
    }
    types = dict.fromkeys((*load.parameters, "source", "load_id"), "STRING")
    types["loaded_at"] = "TIMESTAMP"
    assert googlesql_nested.check(load.select, tables, types) == tuple(raw)
    googlesql_nested.check(load.insert, tables, types)


def test_every_day_is_read_from_one_table_only() -> None:
    dataset = Dataset(
        "events_20261115",
        "events_20261117",
        "events_20261118",
        "events_intraday_20261118",
        "events_intraday_20261120",
        "events_fresh_20261120",
        "pseudonymous_users_20261117",
    )
    loads = source().in_place(Window(DAY, DAY), dataset)
    assert [load.table for load in loads] == ["tag_events", "touches"]
    for load in loads:
        _checked(load)
        asked = load.parameters
        assert (asked["first_day"], asked["last_day"]) == ("0261117", "0261118")
        assert [asked[name] for name in asked if name.startswith("intraday")] == ["0261120"]
        assert load.missing == ("events_20261119",)
        assert load.coverage == (
            Coverage(load.table, "ga4", "123456", date(2026, 11, 17), date(2026, 11, 18)),
            Coverage(load.table, "ga4", "123456", DAY, DAY),
        )
        # Every parameter is used and every used one is given.
        used = set(re.findall(r"(?<![\w'])@(\w+)", load.select))
        given = {*load.parameters, "source", "load_id", "loaded_at"}
        assert used <= given
        assert given - used <= {"submission_events"}


def test_the_wildcard_meets_daily_tables_only() -> None:
    """A wildcard has the columns of its newest table: an intraday one would hide half of them."""
    (load, *_) = source().in_place(
        Window(DAY, DAY), Dataset("events_20261120", "events_intraday_20261121")
    )
    assert f"`my-project`.`{DATASET}`.`events_2*`" in load.select
    assert "events_intraday" not in load.select
    assert "_table_suffix between @first_day and @last_day" in load.select


def test_a_record_that_the_tables_lack_is_null() -> None:
    lacks = ("collected_traffic_source", "batch_", "privacy_info")
    (load, *_) = source().in_place(Window(DAY, DAY), Dataset("events_20261120", lacks=lacks))
    assert "cast(null as struct<manual_campaign_id string" in load.select
    _checked(load, lacks)


def test_only_intraday_tables_are_enough_for_a_first_look() -> None:
    (load, *_) = source().in_place(Window(DAY, DAY), Dataset("events_intraday_20261120"))
    assert "events_2*" not in load.select
    _checked(load)


def test_touches_only_where_they_are_asked_for() -> None:
    loads = source(touches=False).in_place(Window(DAY, DAY), Dataset("events_20261120"))
    assert [load.table for load in loads] == ["tag_events"]


def _evaluated(load: InPlaceLoad, events: list[Any], load_id: str) -> list[dict[str, Any]]:
    """The statement over literal rows instead of the wildcard table."""
    rows = f"(select *, '0261120' as _table_suffix from (\n{as_select(events)}\n))"
    sql = load.select.replace(f"`my-project`.`{DATASET}`.`events_2*`", rows)
    sql = sql.replace("@loaded_at", "timestamp '2026-11-21 05:00:00+00'")
    asked = {**load.parameters, "source": "ga4", "load_id": load_id}
    return googlesql_nested.evaluate(
        sql, {name: value for name, value in asked.items() if f"@{name}" in sql}
    )


def test_rows_carry_their_load_and_a_hash_of_their_content() -> None:
    (load, *_) = source().in_place(Window(DAY, DAY), Dataset("events_20261120"))
    events = [event(params={"event_id": "e1"}), event(params={"event_id": "e2"}, user=None)]
    first = {row["event_id"]: row for row in _evaluated(load, events, "load-1")}
    again = {row["event_id"]: row for row in _evaluated(load, events[::-1], "load-2")}
    assert list(first["e1"]) == [each.name for each in load_catalog()["raw.tag_events"].columns]
    assert (first["e1"]["source"], first["e1"]["load_id"]) == ("ga4", "load-1")
    assert first["e1"]["loaded_at"] == datetime(2026, 11, 21, 5, tzinfo=UTC)
    assert first["e1"]["client_id"] == MARIA
    assert re.fullmatch(r"[0-9a-f]{32}", first["e1"]["row_hash"])
    hashes = {key: row["row_hash"] for key, row in first.items()}
    assert hashes == {key: row["row_hash"] for key, row in again.items()}
    assert hashes["e1"] != hashes["e2"]
    changed = _evaluated(load, [event(params={"event_id": "e1", "form_id": "x"})], "load-3")
    assert changed[0]["row_hash"] != hashes["e1"]


def test_days_outside_the_window_are_not_read() -> None:
    (load, *_) = source().in_place(Window(DAY, DAY), Dataset("events_20261119"))
    assert _evaluated(load, [event()], "load-1") == []


def test_a_late_export_is_tried_again_and_a_missing_link_is_not() -> None:
    with pytest.raises(RetriableError, match="BigQuery links"):
        source().in_place(Window(DAY, DAY), Dataset("events_20261001"))
    with pytest.raises(ConfigurationError, match="BigQuery links") as caught:
        source().in_place(Window(DAY, DAY), Dataset("pseudonymous_users_20261120"))
    assert caught.value.where == f"my-project.{DATASET}"


def test_duckdb_cannot_read_it_in_place() -> None:
    with pytest.raises(ConfigurationError, match="export: files"):
        next(source().pull(Window(DAY, DAY)))


# --- the dataset through BigQuery's API ---------------------------------------------------------

Answers = Callable[[Asked], Answer]
Servers = Callable[[Answers], Platform]


def _api(location: str = "EU", *, status: int = 200) -> Answers:
    base = f"/bigquery/v2/projects/my-project/datasets/{DATASET}"
    reference = {"projectId": "my-project", "datasetId": DATASET}

    def table(name: str) -> dict[str, Any]:
        return {"tableReference": {**reference, "tableId": name}, "type": "TABLE"}

    def answer(asked: Asked) -> Answer:
        path, _, query = asked.path.partition("?")
        if status != 200:
            return Answer({"error": {"code": status, "message": "no", "errors": []}}, status)
        if path == base:
            return Answer({"datasetReference": reference, "location": location})
        if path == f"{base}/tables":
            if "pageToken" in query:
                return Answer({"tables": [table("events_intraday_20261120")]})
            return Answer({"tables": [table("events_20261119")], "nextPageToken": "more"})
        assert path == f"{base}/tables/events_20261119", path
        fields = [
            {"name": "event_name", "type": "STRING", "mode": "NULLABLE"},
            {
                "name": "collected_traffic_source",
                "type": "RECORD",
                "mode": "NULLABLE",
                "fields": [{"name": "gclid", "type": "STRING", "mode": "NULLABLE"}],
            },
        ]
        return Answer({**table("events_20261119"), "schema": {"fields": fields}})

    return answer


def _export(server: Platform, dataset: str = f"my-project.{DATASET}") -> BigQueryExport:
    client = Client(
        project="my-project",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": server.url},
    )
    settings = Ga4Settings(type="ga4", export="bigquery", dataset=dataset)
    return BigQueryExport(client, settings, location="eu")


@pytest.mark.parametrize("dataset", [f"my-project.{DATASET}", DATASET])
def test_tables_and_columns_are_asked_of_bigquery(dataset: str, platform: Servers) -> None:
    export = _export(platform(_api()), dataset)
    assert (export.project, export.dataset) == ("my-project", DATASET)
    assert export.table_names() == ["events_20261119", "events_intraday_20261120"]
    assert export.fields("events_20261119") == {
        "event_name",
        "collected_traffic_source",
        "collected_traffic_source.gclid",
    }


def test_an_export_in_another_location_is_named(platform: Servers) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _export(platform(_api("US"))).table_names()
    assert "lies in US, the warehouse in eu" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "family", "said"),
    [
        (404, ConfigurationError, "BigQuery links"),
        (403, ConfigurationError, "roles/bigquery.dataViewer"),
        (400, RetriableError, "did not answer"),
    ],
)
def test_what_bigquery_refuses_is_said_with_the_dataset(
    status: int, family: type[Exception], said: str, platform: Servers
) -> None:
    with pytest.raises(family) as caught:
        _export(platform(_api(status=status))).table_names()
    assert said in str(caught.value)
    assert f"my-project.{DATASET}" in str(caught.value)
