"""Events as GA4 exports them, for the tests: as dicts, as JSON rows, as GoogleSQL literals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from trueline.sources.ga4.export import EXPORT_COLUMNS, Fields, bigquery_type

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 20)
MARIA = "1846502841.1795150000"
Event = dict[str, Any]


def micros(text: str) -> int:
    """``2026-11-20 10:00:00.000001+00`` as GA4 writes it."""
    moment = datetime.fromisoformat(text)
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)


def event(
    name: str = "generate_lead",
    at: str = "2026-11-20 10:00:00+00:00",
    *,
    user: str | None = MARIA,
    params: Mapping[str, str | int] | None = None,
    **columns: Any,
) -> Event:
    """One row; a text parameter goes into string_value, a number into int_value."""
    moment = micros(at)
    day = datetime.fromtimestamp(moment / 1_000_000, BERLIN)
    return {
        "event_date": f"{day:%Y%m%d}",
        "event_timestamp": moment,
        "event_name": name,
        "event_params": [
            {
                "key": key,
                "value": {
                    "string_value": value if isinstance(value, str) else None,
                    "int_value": None if isinstance(value, str) else value,
                },
            }
            for key, value in (params or {}).items()
        ],
        "user_pseudo_id": user,
        **columns,
    }


def write_day(
    folder: Path,
    events: Iterable[Event],
    day: date = DAY,
    *,
    prefix: str = "events_",
    suffix: str = ".jsonl",
) -> Path:
    """As ``bq extract`` writes JSON: no nulls, whole numbers in quotes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{prefix}{day:%Y%m%d}{suffix}"
    text = "".join(f"{json.dumps(_plain(each), ensure_ascii=False)}\n" for each in events)
    path.write_text(text, encoding="utf-8")
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_select(events: Iterable[Event]) -> str:
    """The same rows as a GoogleSQL query that reads no table."""
    return "\nunion all\n".join(
        "select "
        + ", ".join(f"{_literal(kind, each.get(name))} as {name}" for name, kind in _KINDS.items())
        for each in events
    )


_PARAM_VALUE = {"string_value": "STRING", "int_value": "INT64"}
_KINDS: dict[str, str | Fields] = dict(EXPORT_COLUMNS)


def _literal(kind: str | Fields, value: Any) -> str:
    if isinstance(kind, Mapping):
        if value is None:
            return f"cast(null as {bigquery_type(kind)})"
        fields = (_literal(each, value.get(name)) for name, each in kind.items())
        return f"{bigquery_type(kind)}({', '.join(fields)})"
    if kind.startswith("ARRAY"):
        item = {"key": "STRING", "value": _PARAM_VALUE}
        return f"{kind}[{', '.join(_literal(item, each) for each in value or [])}]"
    if value is None:
        return f"cast(null as {kind})"
    return json.dumps(value, ensure_ascii=False) if kind == "STRING" else str(value)
