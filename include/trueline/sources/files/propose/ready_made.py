"""Is there a ready-made mapping for this file, and what of it differs here?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from trueline.sources.files import library
from trueline.sources.files.layout import missing_columns, resolved
from trueline.sources.files.mapping import FileMapping, load_mapping, normalise
from trueline.sources.files.propose.dates import fitting_cells, order_of, read_dates
from trueline.sources.files.propose.shapes import Column, number_style
from trueline.sources.files.propose.sniff import Seen
from trueline.sources.files.targets import Kind

# Fewer columns in common, or a smaller part of the mapping or of the file, are chance.
_LEAST_COLUMNS = 4
_LEAST_SHARE = 0.6
_MOST_LACKING = 3


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """A ready-made mapping that fits a file.

    Attributes:
        changes: What a mapping that extends it has to say of this file.
        notes: Field to what the rows tell of it.
        doubts: Field to what they leave open.
        missing: Fields without a column here, that a fixed value can fill.
        also: Further mappings for other readings of the same file.
    """

    name: str
    mapping: FileMapping
    changes: dict[str, Any]
    notes: dict[str, str]
    doubts: dict[str, str]
    missing: dict[str, str]
    also: tuple[str, ...]


def find(seen: Seen, kind: Kind | None) -> ReadyMade | None:
    """The ready-made mapping that fits best, if one does."""
    present = {normalise(column) for column in seen.columns}
    fitting: list[tuple[int, str, FileMapping]] = []
    for name in library.names():
        mapping = _mapping(name)
        if mapping.format != seen.format or (kind and mapping.kind != kind):
            continue
        columns = _columns_of(mapping, seen)
        known = columns | {normalise(column) for column in mapping.drop} & present
        share = max(len(columns) / len(mapping.fields), len(known) / max(1, len(present)))
        lacking = missing_columns(mapping, seen.columns).keys()
        if lacking <= {"account_id"} and (
            len(columns) >= min(_LEAST_COLUMNS, len(mapping.fields)) and share >= _LEAST_SHARE
        ):
            fitting.append((len(columns) - len(lacking), name, mapping))
    if not fitting:
        return None
    fitting.sort(key=lambda each: (-each[0], each[1]))
    _, name, mapping = fitting[0]
    return _with_changes(seen, name, mapping, tuple(_others(seen, mapping)))


def _columns_of(mapping: FileMapping, seen: Seen) -> set[str]:
    """The columns of the file that the mapping's fields take."""
    chosen = resolved(mapping, seen.columns)
    return {normalise(rule.column) for rule in chosen.fields.values()} & set(
        map(normalise, seen.columns)
    )


def nearly(seen: Seen, kind: Kind) -> str | None:
    """Which ready-made mapping would fit if the export had a few more columns, as a sentence."""
    best: tuple[int, str] | None = None
    for name in library.names():
        mapping = _mapping(name)
        lacking = missing_columns(mapping, seen.columns)
        columns_there = _columns_of(mapping, seen)
        is_near = mapping.format == seen.format and mapping.kind == kind
        if not is_near or len(columns_there) < _LEAST_COLUMNS or len(lacking) > _MOST_LACKING:
            continue
        columns = ", ".join(repr(rule.column) for rule in lacking.values())
        sentence = f"the ready-made mapping {name} fits once the export has {columns} too"
        if best is None or len(lacking) < best[0]:
            best = len(lacking), sentence
    return best[1] if best else None


@cache
def _mapping(name: str) -> FileMapping:
    return load_mapping(library.path_of(name))


def _others(seen: Seen, mapping: FileMapping) -> list[str]:
    """Mappings that read something else from the same file."""
    found = []
    for name in library.names():
        other = _mapping(name)
        is_same_system = other.constants.get("crm") == mapping.constants.get("crm", object())
        is_its_pair = {other.kind, mapping.kind} == {"crm_leads", "crm_stages"}
        if is_same_system and is_its_pair and not missing_columns(other, seen.columns):
            found.append(name)
    return found


def _with_changes(seen: Seen, name: str, mapping: FileMapping, also: tuple[str, ...]) -> ReadyMade:
    changes: dict[str, Any] = {}
    notes: dict[str, str] = {}
    doubts: dict[str, str] = {}
    if seen.sheet:
        changes["sheet"] = seen.sheet
    if seen.format == "csv":
        if seen.delimiter != mapping.delimiter:
            changes["delimiter"] = seen.delimiter
        # A byte order mark goes before what a mapping says, and only UTF-16 with one is told so.
        if seen.encoding not in (mapping.encoding, "utf-16"):
            changes["encoding"] = seen.encoding
    by_name = {normalise(column.name): column for column in seen.column_values()}
    chosen = resolved(mapping, seen.columns)
    columns = {
        field: by_name[normalise(rule.column)]
        for field, rule in chosen.fields.items()
        if normalise(rule.column) in by_name
    }
    _number_changes(chosen, columns, changes)
    fields: dict[str, Any] = {}
    _date_changes(chosen, columns, fields, notes, doubts)
    if fields:
        changes["fields"] = fields
    missing = dict.fromkeys(
        missing_columns(mapping, seen.columns),
        "a fixed value under constants, or that column in the export",
    )
    return ReadyMade(name, mapping, changes, notes, doubts, missing, also)


def _number_changes(
    mapping: FileMapping, columns: dict[str, Column], changes: dict[str, Any]
) -> None:
    numbers = [
        column
        for field, column in columns.items()
        if mapping.target(field).type in ("NUMERIC", "INT64")
    ]
    style = number_style(numbers)
    if style.decimal and style.decimal != mapping.decimal and not style.doubts:
        changes["decimal"] = style.decimal
        changes["thousands"] = style.thousands
    unknown = [mark for mark in style.marks if mark not in mapping.number_marks]
    if unknown:
        changes["number_marks"] = [*mapping.number_marks, *unknown]


def _date_changes(
    mapping: FileMapping,
    columns: dict[str, Column],
    fields: dict[str, Any],
    notes: dict[str, str],
    doubts: dict[str, str],
) -> None:
    """Where the file writes dates otherwise than the ready-made mapping says."""
    dated = {
        field: column
        for field, column in columns.items()
        if mapping.target(field).type in ("DATE", "TIMESTAMP")
    }
    formats = [mapping.fields[field].format or "" for field in dated]
    order = order_of(
        (column.values for column in dated.values()),
        day_first=not any(each.startswith("%m") for each in formats),
    )
    for field, column in dated.items():
        rule, is_day = mapping.fields[field], mapping.target(field).type == "DATE"
        dates = read_dates(column.values, is_day=is_day, order=order)
        if dates is None:
            continue
        if dates.note:
            (notes if dates.is_certain else doubts)[field] = dates.note
        is_swapped = (rule.format or "")[:2] != (dates.format or "")[:2] and not order.is_assumed
        as_it_is = fitting_cells(column.values, rule.format, is_day=is_day)
        if dates.fitting > as_it_is or (dates.note and is_swapped):
            own = rule.model_dump(exclude_defaults=True, mode="json")
            own.update(column=column.name, format=dates.format)
            fields[field] = {key: value for key, value in own.items() if value is not None}
