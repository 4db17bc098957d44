"""Where a mapping meets one file: which of its names the file has, where the header is, what is
no data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from trueline.sources.files.mapping import (
    CURRENCY_PLACEHOLDER,
    FieldRule,
    FileMapping,
    normalise,
)

# An export with more title lines than this has not been seen.
SEARCHED_ROWS = 100


def resolved(mapping: FileMapping, found: Sequence[str]) -> FileMapping:
    """The mapping with one column for each field: the first of its names that the file has.

    A field of which the file has none keeps its first name.
    """
    present = {normalise(column): column for column in found}
    fields, constants = {}, dict(mapping.constants)
    for field, rule in mapping.fields.items():
        column, currency = _chosen(rule, present)
        fields[field] = rule.model_copy(update={"column": column, "or_columns": ()})
        if currency and "currency_code" not in mapping.fields:
            constants.setdefault("currency_code", currency)
    return mapping.model_copy(update={"fields": fields, "constants": constants})


def _chosen(rule: FieldRule, present: Mapping[str, str]) -> tuple[str, str | None]:
    for name in rule.names:
        if CURRENCY_PLACEHOLDER in name:
            for key, column in present.items():
                match = _with_currency(name).fullmatch(key)
                if match:
                    return column, match["currency"].upper()
        elif normalise(name) in present:
            return name, None
    return rule.column, None


def _with_currency(name: str) -> re.Pattern[str]:
    before, after = name.split(CURRENCY_PLACEHOLDER, 1)
    # Blanks at the edges belong to the name: "Spent (" and ")".
    pattern = re.escape(before.casefold()) + r"(?P<currency>[a-z]{3})" + re.escape(after.casefold())
    return re.compile(pattern)


def missing_columns(mapping: FileMapping, found: Sequence[str]) -> dict[str, FieldRule]:
    """Fields whose column is needed, and of whose names the file has none."""
    present = {normalise(column): column for column in found}
    return {
        field: rule
        for field, rule in mapping.fields.items()
        if rule.required is not False and normalise(_chosen(rule, present)[0]) not in present
    }


def told_columns(mapping: FileMapping, found: Sequence[str]) -> str:
    """The columns of a file for a message; a row that names none of the mapping's columns is
    perhaps no header but somebody's data, and is not told."""
    row = " | ".join(map(normalise, found))  # one cell, where the delimiter is wrong
    names = {normalise(name) for rule in mapping.fields.values() for name in rule.names}
    if not any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", row) for name in names):
        return "None of the mapping's columns is there, in the row taken for the header"
    return f"Columns found: {', '.join(map(repr, found)) or 'none'}"


def is_header(mapping: FileMapping, cells: Sequence[str]) -> bool:
    """Whether this row names every column that is needed."""
    return not missing_columns(mapping, cells)


class Ignored:
    """Tells rows that are no data, by their cells as they came.

    Args:
        keys: Normalised names of the file's columns, in order.

    Attributes:
        begins: What the first cell that is not blank of such a row begins with, without case.
        places: Columns of which such a row has an empty one.
    """

    def __init__(self, mapping: FileMapping, keys: Sequence[str]) -> None:
        rows = mapping.ignore_rows
        self.begins = tuple(text.casefold() for text in rows.begin_with)
        wanted = {normalise(column) for column in rows.empty}
        self.places = [place for place, key in enumerate(keys) if key in wanted]

    def __call__(self, cells: Sequence[str]) -> bool:
        if self.begins:
            first = next((text for cell in cells if (text := str(cell or "").strip())), "")
            if self.begins_so(first):
                return True
        return any(
            place < len(cells) and not str(cells[place] or "").strip() for place in self.places
        )

    def begins_so(self, cell: str) -> bool:
        return cell.strip().casefold().startswith(self.begins)


def day_pair(mapping: FileMapping) -> tuple[str, str] | None:
    """Two columns, as keys of a row, that must be equal for it to be one day; of a resolved
    mapping."""
    rule = mapping.fields.get("platform_date")
    if rule is None:
        return None
    for first, last in mapping.one_day.items():
        if normalise(first) == normalise(rule.column):
            return normalise(first), normalise(last)
    return None
