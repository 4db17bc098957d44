"""Which loads move, together with which, and whose clear values stay behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trueline.settings.profile import BigQuerySettings, Profile
from trueline.warehouse.base import Rows

LOADS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Load:
    """One load: its ledger lines that are missing there, and whether its rows are too."""

    load_id: str
    table_name: str
    loaded_at: datetime
    lines: tuple[Mapping[str, Any], ...]
    is_new: bool
    rows: int


def missing(lines: Rows, known: set[tuple[str, str]]) -> Iterator[Load]:
    """Loads that are not there, or whose rejection is not, in the order of their ids."""
    ids_there = {load_id for load_id, _ in known}
    by_load: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_load.setdefault(line["load_id"], []).append(line)
    for load_id, own in sorted(by_load.items()):
        absent = tuple(line for line in own if (load_id, line["status"]) not in known)
        if absent:
            is_new, first = load_id not in ids_there, own[0]
            yield Load(
                load_id=load_id,
                table_name=first["table_name"] or "loads",
                loaded_at=first["loaded_at"],
                lines=absent,
                is_new=is_new,
                rows=first["rows_loaded"] + 2 * first["rows_quarantined"] if is_new else 0,
            )


def groups(loads: Sequence[Load], rows_at_once: int) -> Iterator[list[Load]]:
    """Loads that go together: as many as fit, one at least."""
    group: list[Load] = []
    size = 0
    for load in loads:
        if group and (size + load.rows > rows_at_once or len(group) == LOADS_AT_ONCE):
            yield group
            group, size = [], 0
        group.append(load)
        size += load.rows
    if group:
        yield group


def clear_since(target: Profile, now: datetime) -> datetime | None:
    """BigQuery would end older clear values the moment they arrive."""
    settings = target.warehouse
    days = settings.restricted_days if isinstance(settings, BigQuerySettings) else None
    return now - timedelta(days=days) if days else None


def is_expired(load: Load, keep_clear: datetime | None) -> bool:
    return keep_clear is not None and load.loaded_at < keep_clear
