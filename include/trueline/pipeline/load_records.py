"""The lines that make a load count, and what is known of the loads before."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trueline.model.catalog import load_catalog
from trueline.sources.base import Coverage
from trueline.warehouse import Transaction, Warehouse
from trueline.windows import Window


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """One line of ``raw.loads``."""

    load_id: str
    source: str
    table_name: str
    status: str
    reason: str | None
    file_name: str | None
    content_hash: str | None
    rows_received: int
    rows_loaded: int
    rows_quarantined: int
    account_id: str | None = None
    drift: str | None = None


def write_records(
    transaction: Transaction, records: Sequence[LoadRecord], window: Window, loaded_at: datetime
) -> None:
    """Write the loads' lines: from now on their rows count."""
    transaction.insert(
        load_catalog()["raw.loads"],
        [
            {
                **{name: getattr(record, name) for name in LoadRecord.__slots__},
                "window_start": window.start,
                "window_end": window.end,
                "loaded_at": loaded_at,
            }
            for record in records
        ],
    )


def coverage_rows(
    coverage: Iterable[Coverage], context: Mapping[str, Any], *, is_exhaustive: bool
) -> list[dict[str, Any]]:
    """Rows of ``raw.load_coverage``; ``context`` holds source, load_id and loaded_at."""
    return [
        {
            **context,
            "report": covered.report,
            "subject": covered.subject,
            "account_id": covered.account_id,
            "first_date": covered.first_date,
            "last_date": covered.last_date,
            "is_exhaustive": is_exhaustive,
            "complete_until": covered.complete_until,
        }
        for covered in dict.fromkeys(coverage)
    ]


def known_hashes(warehouse: Warehouse) -> frozenset[str]:
    rows = warehouse.query(
        """
        select content_hash from raw.loads
        where content_hash is not null
        qualify row_number() over (partition by load_id order by loaded_at desc) = 1
            and status in ('loaded', 'held', 'accepted')
        """
    )
    return frozenset(row["content_hash"] for row in rows)


def new_load_id(loaded_at: datetime, number: int) -> str:
    # Sortable by time, then by place in the pull: ties of loaded_at are broken by it.
    return f"{loaded_at:%Y%m%dT%H%M%S%f}-{number:04d}-{secrets.token_hex(3)}"
