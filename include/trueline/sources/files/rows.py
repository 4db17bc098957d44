"""What one received row means under a mapping, row by row.

The files are read column by column (``typed``); this is what decides where that finds a row that it
cannot use, and what the tests compare it with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trueline.errors import ConfigurationError
from trueline.identity_keys import normalise_email
from trueline.redaction import redact_addresses
from trueline.sources.files.cells import BLANKS, SCIENTIFIC, Cell, cell_reader
from trueline.sources.files.click_ids import read_click_id
from trueline.sources.files.layout import day_pair
from trueline.sources.files.mapping import FileMapping, normalise
from trueline.sources.files.targets import (
    CLAIM_MEASURE,
    DELIVERY_MEASURES,
    IDENTIFIERS,
    PAGE_COLUMN,
    URL_COLUMNS,
    columns,
)
from trueline.sources.page_urls import looks_like_url, read_page_url, referrer_host, without_query
from trueline.sources.values import BadValue

GRAINS = {
    "ad_delivery": ("platform", "account_id", "campaign_id", "platform_date"),
    "pixel_claims": (
        "platform",
        "account_id",
        "campaign_id",
        "platform_date",
        "conversion_action",
    ),
}
WITHOUT_QUERY = ("landing_page", "page_path")
MAX_EXTRA_CHARACTERS = 2048


@dataclass(frozen=True, slots=True)
class RawRow:
    """One received row.

    Attributes:
        line: 1-based line where it begins (Parquet and Excel: number of the row).
        cells: Normalised column name to cell; text, None, or a date, time or truth value.
        text: The row as received, for the quarantine.
        reason: Why the row as a whole is bad, or None.
    """

    line: int
    cells: Mapping[str, Any]
    text: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One raw table that a row feeds, and how each of its fields is read.

    Attributes:
        readers: Field to the column that it comes from and the reader of its cells.
        constants: Field to typed value.
        measures: Columns of which one must be filled for a row to tell of this table; empty where
            every row does.
    """

    table: str
    readers: dict[str, tuple[str, Cell]]
    constants: dict[str, Any]
    measures: tuple[str, ...]


class RowRules:
    """The rules of one mapping for one row.

    Args:
        mapping: With the columns that the file has (``layout.resolved``).
        file: Name of the file, for messages.
        time_zone: Of times without offset.

    Raises:
        ConfigurationError: a constant does not fit its field.
    """

    def __init__(self, mapping: FileMapping, file: str, time_zone: str) -> None:
        self.mapping, self.file = mapping, file
        self.parts = [self._part(name, time_zone) for name in mapping.tables]
        self.nulls = frozenset({"", *mapping.null_tokens})
        self.day_pair = day_pair(mapping)
        self.known = {normalise(rule.column) for rule in mapping.fields.values()}
        self.known |= {normalise(column) for column in mapping.drop}

    def _part(self, name: str, time_zone: str) -> Part:
        mapping = self.mapping
        fields = {*columns(name), *IDENTIFIERS.get(name, ())}
        if name in PAGE_COLUMN:
            fields |= {"page_url", "referrer"}
        readers = {
            field: (
                normalise(rule.column),
                cell_reader(mapping.target(field), rule, mapping, time_zone),
            )
            for field, rule in mapping.fields.items()
            if field in fields
        }
        constants = {
            field: self._constant(field, value, time_zone)
            for field, value in mapping.constants.items()
            if field in fields
        }
        measures = {
            "ad_delivery": DELIVERY_MEASURES,
            "pixel_claims": (CLAIM_MEASURE, "conversion_action"),
        }.get(name, ())
        filled_by = tuple(readers[field][0] for field in measures if field in readers)
        return Part(name, readers, constants, filled_by)

    def _constant(self, name: str, value: Any, time_zone: str) -> Any:
        read = cell_reader(self.mapping.target(name), None, self.mapping, time_zone)
        try:
            return read(str(value))
        except BadValue as bad:
            raise ConfigurationError(
                f"The constant {name} of the mapping is {value!r}: {bad.reason}.",
                where=self.file,
                fix="Give a value of the field's type.",
            ) from None

    def is_period(self, row: RawRow) -> bool:
        """True for a row over more than the one day that it would be taken for."""
        if self.day_pair is None:
            return False
        first, last = self.day_pair
        return last in row.cells and row.cells.get(first) != row.cells[last]

    def applies(self, part: Part, row: RawRow) -> bool:
        """Whether the row tells of this table at all."""
        return not part.measures or any(
            self.is_filled(row.cells.get(column)) for column in part.measures
        )

    def is_filled(self, cell: Any) -> bool:
        if isinstance(cell, str):
            return cell.strip(BLANKS) not in self.nulls
        return cell is not None

    def read(self, part: Part, row: RawRow) -> tuple[dict[str, Any], dict[str, str]]:
        """Typed values of the part's table, and notes for its extra columns.

        Raises:
            BadValue: with column and reason.
        """
        values = dict(part.constants)
        for name, (column, read) in part.readers.items():
            values[name] = read(row.cells.get(column))
        return values, finish(part, values)

    def extra(self, row: RawRow) -> dict[str, str]:
        """Columns nobody asked for, without query strings and e-mail addresses."""
        return {key: text for key, text in self._unknown(row) if text}

    def _unknown(self, row: RawRow) -> Iterator[tuple[str, str]]:
        for key, cell in row.cells.items():
            if key not in self.known:
                yield key, extra_text(cell)


def finish(part: Part, values: dict[str, Any]) -> dict[str, str]:
    """Fill what follows from other fields; returns notes about values that were not usable."""
    notes = {}
    if values.get("click_id"):
        found = read_click_id(values["click_id"])
        values["click_id"] = found.click_id
        if found.click_id_type and not values.get("click_id_type"):
            values["click_id_type"] = found.click_id_type
        if found.note:
            notes["click_id_note"] = found.note
    if values.get("email") and (note := email_note(values["email"])):
        notes["email_note"] = note
    if values.get("phone") and (note := phone_note(values["phone"])):
        notes["phone_note"] = note
    if "click_id_type" in part.constants and not values.get("click_id"):
        values["click_id_type"] = None  # a fixed type is that of the column's ids alone
    if values.get("is_closed") is False:
        values["deal_closed_at"] = None  # the close date of an open deal is a hope
    if "page_url" in values:
        page = read_page_url(values.pop("page_url"))
        _fill(values, PAGE_COLUMN[part.table], page.page_path)
        if not values.get("click_id"):
            values["click_id"], values["click_id_type"] = page.click_id, page.click_id_type
        for name in URL_COLUMNS[2:]:
            _fill(values, name, getattr(page, name))
    if "referrer" in values:
        _fill(values, "referrer_host", referrer_host(values.pop("referrer")))
    for name in WITHOUT_QUERY:
        if values.get(name):
            values[name] = without_query(values[name])
    return notes


def email_note(text: str) -> str | None:
    """Why a cell gives no e-mail key; the lead counts all the same."""
    if normalise_email(text) is not None:
        return None
    return "several_emails" if text.count("@") > 1 else "bad_email"


def phone_note(text: str) -> str | None:
    """Told for digits that a spreadsheet has rounded away; whether others exist, ingest knows."""
    return "excel_scientific_phone" if SCIENTIFIC.fullmatch(text) else None


def extra_text(cell: Any) -> str:
    """What is kept of a cell that nobody asked for; empty for nothing."""
    if cell is None:
        return ""
    text = storable(str(cell).strip()[:MAX_EXTRA_CHARACTERS])
    if looks_like_url(text):
        text = without_query(text) or ""
    return redact_addresses(text)


def extra_json(extra: Mapping[str, str]) -> str | None:
    """As ``_extra`` holds it."""
    return json.dumps(extra, sort_keys=True, ensure_ascii=False) if extra else None


def storable(text: str) -> str:
    """Text that can be written as UTF-8: a byte that was not valid shows as ``\\udcXX``."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _fill(values: dict[str, Any], name: str, found: Any) -> None:
    """A field that has a column of its own goes before what the address says."""
    if not values.get(name):
        values[name] = found
