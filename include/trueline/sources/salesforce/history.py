"""What LeadHistory says, kept on disk until the leads come: a first pull has millions of rows."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from trueline.sources.collect import chunks, needed
from trueline.sources.salesforce.results import Row
from trueline.sources.salesforce.values import record_id
from trueline.sources.values import moment, text

_IDS_AT_ONCE = 500


class Change(NamedTuple):
    """One change of one field of one lead."""

    changed_at: datetime
    field: str
    old: str | None
    new: str | None


class StatusHistory:
    """Changes of the status and of the disqualification reason, by lead.

    They lie in a file of SQLite's own that has no name and is gone with the process; ids, field
    values and times are in it, no personal value.
    """

    def __init__(self) -> None:
        self._file = sqlite3.connect("")
        self._file.execute(
            "create table change (lead_id text, changed_at text, history_id text, field text,"
            " old text, new text)"
        )
        self._file.execute("create index by_lead on change (lead_id)")

    def add(self, row: Row) -> None:
        """Keep one row of LeadHistory.

        Raises:
            BadValue: it has no lead or no time.
        """
        changed_at = needed("changed_at", moment, row.get("CreatedDate"))
        self._file.execute(
            "insert into change values (?, ?, ?, ?, ?, ?)",
            (
                needed("crm_record_id", record_id, row.get("LeadId")),
                changed_at.isoformat(),
                row.get("Id") or "",
                row.get("Field") or "",
                text(row.get("OldValue")),
                text(row.get("NewValue")),
            ),
        )

    def of(self, lead_ids: Iterable[str]) -> dict[str, list[Change]]:
        """The changes of these leads, oldest first; those of one second in the order of ids."""
        found: dict[str, list[Change]] = defaultdict(list)
        for ids in chunks(lead_ids, _IDS_AT_ONCE):
            for lead_id, changed_at, field, old, new in self._rows(ids):
                found[lead_id].append(Change(datetime.fromisoformat(changed_at), field, old, new))
        return found

    def _rows(self, ids: Sequence[str]) -> Iterable[tuple[str, str, str, str | None, str | None]]:
        marks = ", ".join("?" * len(ids))
        return self._file.execute(
            "select lead_id, changed_at, field, old, new from change"
            f" where lead_id in ({marks}) order by lead_id, changed_at, history_id",
            list(ids),
        )

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
