"""GA4's export as far as it is read: its columns, its day tables, and the queries over it.

The columns are stated once. The same statement types the files on DuckDB, fills up what an older
table or an intraday table lacks on BigQuery, and is the catalog that the queries are checked with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from trueline.warehouse.ddl import DUCKDB_TYPES
from trueline.windows import Window

Fields = Mapping[str, "str | Fields"]

# Column → BigQuery type, or the fields of a record. Not read: everything else, above all
# traffic_source (how the browser came the very first time) and user_id.
EXPORT_COLUMNS: Fields = {
    "event_date": "STRING",
    "event_timestamp": "INT64",
    "event_name": "STRING",
    "event_params": "ARRAY<STRUCT<key STRING, value STRUCT<string_value STRING, int_value INT64>>>",
    "user_pseudo_id": "STRING",
    "privacy_info": {"uses_transient_token": "STRING"},
    "collected_traffic_source": {
        "manual_campaign_id": "STRING",
        "manual_campaign_name": "STRING",
        "manual_source": "STRING",
        "manual_medium": "STRING",
        "gclid": "STRING",
    },
    "session_traffic_source_last_click": {"google_ads_campaign": {"campaign_id": "STRING"}},
    "batch_event_index": "INT64",
    "batch_page_id": "INT64",
    "batch_ordering_id": "INT64",
}
NEEDED_COLUMNS = ("event_date", "event_timestamp", "event_name", "event_params")
# What else the export is known to hold (2026-11); anything beyond is new and told.
OTHER_COLUMNS = frozenset(
    {
        "app_info",
        "device",
        "ecommerce",
        "event_bundle_sequence_id",
        "event_dimensions",
        "event_previous_timestamp",
        "event_server_timestamp_offset",
        "event_value_in_usd",
        "geo",
        "is_active_user",
        "items",
        "platform",
        "publisher",
        "stream_id",
        "traffic_source",
        "user_first_touch_timestamp",
        "user_id",
        "user_ltv",
        "user_properties",
    }
)
DAILY, INTRADAY = "events_", "events_intraday_"


def day_table(prefix: str, day: date) -> str:
    """``events_20261120``."""
    return f"{prefix}{day:%Y%m%d}"


def property_days(window: Window, *, reporting: ZoneInfo, property_zone: ZoneInfo) -> list[date]:
    """The property's own days that hold the window's reporting days, oldest first."""
    if reporting.key == property_zone.key:
        return list(window.days())
    start = datetime.combine(window.start, time(), reporting).astimezone(UTC)
    over = datetime.combine(window.end + timedelta(days=1), time(), reporting).astimezone(UTC)
    first = start.astimezone(property_zone).date()
    last = (over - timedelta(microseconds=1)).astimezone(property_zone).date()
    return list(Window(first, last).days())


@dataclass(frozen=True, slots=True)
class Queries:
    """The three texts, in BigQuery's dialect.

    Attributes:
        evidence: ``export_events`` → ``flat_events``.
        by_table: Raw table → the query over ``flat_events`` that gives its columns.
    """

    evidence: str
    by_table: Mapping[str, str]


@cache
def queries() -> Queries:
    folder = Path(__file__).parent
    texts = {name: (folder / f"{name}.sql").read_text(encoding="utf-8") for name in _TEXTS}
    return Queries(texts["evidence"], {name: texts[name] for name in _TEXTS[1:]})


_TEXTS = ("evidence", "tag_events", "touches")


def bigquery_type(kind: str | Fields) -> str:
    if isinstance(kind, str):
        return kind
    fields = (f"{name} {bigquery_type(each)}" for name, each in kind.items())
    return f"STRUCT<{', '.join(fields)}>"


def duckdb_type(kind: str | Fields) -> str:
    if isinstance(kind, str):
        return _DUCKDB_PARAMS if kind.startswith("ARRAY") else DUCKDB_TYPES[kind]
    fields = (f"{name} {duckdb_type(each)}" for name, each in kind.items())
    return f"STRUCT({', '.join(fields)})"


_DUCKDB_PARAMS = "STRUCT(key VARCHAR, value STRUCT(string_value VARCHAR, int_value BIGINT))[]"


def bigquery_columns(present: frozenset[str]) -> Iterator[str]:
    """Select items over an export table; what the table lacks is NULL of the right type.

    Args:
        present: Paths of the table's fields, for example ``collected_traffic_source.gclid``.
    """
    for name, kind in EXPORT_COLUMNS.items():
        if name == "event_params":
            # All fields of a value are read as they are: their types never changed.
            yield name
        else:
            yield f"{_item(name, kind, present)} as {name}"


def _item(path: str, kind: str | Fields, present: frozenset[str]) -> str:
    if path not in present:
        return f"cast(null as {bigquery_type(kind).lower()})"
    if isinstance(kind, str):
        return path
    fields = (f"{_item(f'{path}.{name}', each, present)} as {name}" for name, each in kind.items())
    return f"struct({', '.join(fields)})"
