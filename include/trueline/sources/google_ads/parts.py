"""Rows to batches of a size that memory holds, bad ones set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trueline.errors import PermanentError, RowError
from trueline.sources.base import Record
from trueline.sources.collect import as_text
from trueline.sources.google_ads.constants import PART_ROWS
from trueline.sources.values import BadValue

Row = Mapping[str, Any]


@dataclass(slots=True)
class Part:
    """Some records of one answer; ``drift`` names fields that nobody asked for."""

    records: list[Record] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    drift: dict[str, None] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether it is time to hand it on."""
        return len(self.records) + len(self.errors) >= PART_ROWS


def parts(
    rows: Iterable[Row],
    build: Callable[[Row], Sequence[Mapping[str, Any]]],
    asked: frozenset[tuple[str, str]],
    *,
    where: str,
) -> Iterator[Part]:
    """Build the records of an answer; at least one part comes, and only the last is not full.

    Args:
        build: One row's records; what it raises as ``BadValue`` sets the row aside.
        asked: From ``asked_fields``; what else a row has goes to ``_extra``.

    Raises:
        PermanentError: no row of the first part has a field that every row needs.
    """
    part, is_first = Part(), True
    for line, row in enumerate(rows, start=1):
        try:
            extra = _unasked(row, asked)
            built = build(row)
        except BadValue as bad:
            part.errors.append(RowError(line, bad.column, bad.reason, as_text(row)))
        else:
            part.drift.update(dict.fromkeys(extra))
            # Nothing that is built here lacks a required column: no row is needed to be kept.
            part.records += [Record(line, values, extra) for values in built]
        if part.is_full:
            if is_first:
                _refuse_lost_field(part, where)
            yield part
            part, is_first = Part(), False
    if is_first:
        _refuse_lost_field(part, where)
    yield part


def _unasked(row: Row, asked: frozenset[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for resource, told in row.items():
        if not isinstance(told, dict):
            found[resource] = told
            continue
        for name, value in told.items():
            if (resource, name) not in asked:
                found[f"{resource}.{name}"] = value
    return found


def _refuse_lost_field(part: Part, where: str) -> None:
    lost = {error.column for error in part.errors if error.reason == "missing_required"}
    if part.records or len(lost) != 1 or len(part.errors) < 2:
        return
    if all(error.reason == "missing_required" for error in part.errors):
        raise PermanentError(
            f"No row of Google's answer has a {lost.pop()}, which every row needs.",
            where=where,
            fix="Read the release notes of the API version; nothing of the account was loaded.",
        )
