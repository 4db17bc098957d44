"""From an API's rows to records and row errors: a bad row is set aside, never lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from trueline.errors import RowError
from trueline.sources.base import Record
from trueline.sources.values import BadValue

Value = TypeVar("Value")


@dataclass(slots=True)
class Collected:
    """Records and errors of one raw table, numbered in the order they came.

    Attributes:
        handed_on: Lines of earlier parts of the same load; numbering goes on after them.
    """

    records: list[Record] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    handed_on: int = 0

    def add(
        self,
        raw: Any,
        build: Callable[[], Mapping[str, Any]],
        *,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Build one record's values; a :class:`BadValue` becomes a row error."""
        line = self.handed_on + len(self.records) + len(self.errors) + 1
        try:
            values = build()
        except BadValue as bad:
            self.errors.append(RowError(line, bad.column, bad.reason, as_text(raw)))
        else:
            self.records.append(Record(line, values, extra or {}, as_text(raw)))


def as_text(raw: Any) -> str:
    """A row as received, for the quarantine."""
    return json.dumps(raw, ensure_ascii=False, default=str, sort_keys=True)


def cell(column: str, read: Callable[[Any], Value], value: Any) -> Value:
    """``read(value)`` with the column's name on what goes wrong."""
    try:
        return read(value)
    except BadValue as bad:
        raise BadValue(bad.reason, column) from None


def needed(column: str, read: Callable[[Any], Value | None], value: Any) -> Value:
    """As :func:`cell`, but an empty value is ``missing_required``."""
    found = cell(column, read, value)
    if found is None:
        raise BadValue("missing_required", column)
    return found


def at(row: Any, path: str) -> Any:
    """``at(row, "metrics.clicks")``: a nested value, None where any part is missing."""
    for part in path.split("."):
        if not isinstance(row, Mapping):
            return None
        row = row.get(part)
    return row


def chunks(items: Iterable[Value], size: int) -> Iterable[list[Value]]:
    """Lists of at most ``size`` items."""
    found: list[Value] = []
    for item in items:
        found.append(item)
        if len(found) == size:
            yield found
            found = []
    if found:
        yield found
