"""From a received row to typed values of the raw tables that it feeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from trueline.errors import ConfigurationError, PermanentError, RowError
from trueline.redaction import redact_addresses
from trueline.sources.base import Record
from trueline.sources.files.cells import Cell, cell_reader
from trueline.sources.files.layout import day_pair
from trueline.sources.files.mapping import FileMapping, normalise
from trueline.sources.files.tables import RawRow
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

_GRAINS = {
    "ad_delivery": ("platform", "account_id", "campaign_id", "platform_date"),
    "pixel_claims": (
        "platform",
        "account_id",
        "campaign_id",
        "platform_date",
        "conversion_action",
    ),
}
_WITHOUT_QUERY = ("landing_page", "page_path")
_MAX_EXTRA_CHARACTERS = 2048


@dataclass(slots=True)
class TableRows:
    """Records and errors of one raw table, and how each of its fields is read."""

    table: str
    readers: dict[str, tuple[str, Cell]]
    constants: dict[str, Any]
    records: list[Record] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    seen: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)

    def read(self, row: RawRow) -> dict[str, Any]:
        """Typed values.

        Raises:
            BadValue: with column and reason.
        """
        values = dict(self.constants)
        cells = row.cells
        for name, (column, read) in self.readers.items():
            values[name] = read(cells.get(column))
        return values


class RowReader:
    """Reads rows under one mapping.

    Args:
        file: Name of the file, for messages.
        time_zone: Of times without offset.

    Raises:
        ConfigurationError: a constant does not fit its field.
    """

    def __init__(self, mapping: FileMapping, file: str, time_zone: str) -> None:
        self._mapping, self._file = mapping, file
        self.tables = [self._table(name, time_zone) for name in mapping.tables]
        self._by_name = {part.table: part for part in self.tables}
        self._known = {normalise(rule.column) for rule in mapping.fields.values()}
        self._known |= {normalise(column) for column in mapping.drop}
        self._day_pair = day_pair(mapping)
        self.received = self.bad = 0

    def _table(self, name: str, time_zone: str) -> TableRows:
        mapping = self._mapping
        fields = {*columns(name), *IDENTIFIERS.get(name, ())}
        if name in PAGE_COLUMN:
            fields |= {"page_url", "referrer"}
        readers = {
            field_name: (
                normalise(rule.column),
                cell_reader(mapping.target(field_name), rule, mapping, time_zone),
            )
            for field_name, rule in mapping.fields.items()
            if field_name in fields
        }
        constants = {
            field_name: self._constant(field_name, value, time_zone)
            for field_name, value in mapping.constants.items()
            if field_name in fields
        }
        return TableRows(name, readers, constants)

    def _constant(self, name: str, value: Any, time_zone: str) -> Any:
        read = cell_reader(self._mapping.target(name), None, self._mapping, time_zone)
        try:
            return read(str(value))
        except BadValue as bad:
            raise ConfigurationError(
                f"The constant {name} of the mapping is {value!r}: {bad.reason}.",
                where=self._file,
                fix="Give a value of the field's type.",
            ) from None

    def add(self, row: RawRow) -> None:
        """Read one row into every table that it feeds; a bad one becomes a row error."""
        self.received += 1
        is_good = True
        if row.reason:
            for part in self.tables[:1]:
                part.errors.append(RowError(row.line, None, row.reason, row.text))
            is_good = False
        elif self._mapping.kind == "ad_report":
            is_good = self._add_ad_report(row)
        else:
            is_good = self._add(self.tables[0], row)
        self.bad += not is_good

    def _add(self, part: TableRows, row: RawRow) -> bool:
        try:
            values = self._finish(part, part.read(row))
        except BadValue as bad:
            part.errors.append(RowError(row.line, bad.column, bad.reason, row.text))
            return False
        part.records.append(Record(row.line, values, self._extra(row), row.text))
        return True

    def _add_ad_report(self, row: RawRow) -> bool:
        """A row may carry delivery, a claim or both, depending on which measures it fills."""
        if self._is_period(row):
            first = self.tables[0]
            first.errors.append(RowError(row.line, "platform_date", "not_one_day", row.text))
            return False
        applicable = [part for part in self.tables if self._has_measure(part, row)]
        if not applicable:
            first = self.tables[0]
            first.errors.append(RowError(row.line, None, "no_measure", row.text))
            return False
        is_good = True
        for part in applicable:
            try:
                values = self._finish(part, part.read(row))
                repeats = self._repeats(part, values, row.line)
            except BadValue as bad:
                part.errors.append(RowError(row.line, bad.column, bad.reason, row.text))
                is_good = False
                continue
            if not repeats:
                part.records.append(Record(row.line, values, self._extra(row), row.text))
            # One row per action repeats the campaign's cost: told once, it is not received again.
            elif part.table == "pixel_claims" or len(applicable) == 1:
                part.errors.append(RowError(row.line, None, "duplicate_row", row.text))
                is_good = False
        return is_good

    def _is_period(self, row: RawRow) -> bool:
        """True for a row over more than the one day that it would be taken for."""
        if self._day_pair is None:
            return False
        first, last = self._day_pair
        return last in row.cells and row.cells.get(first) != row.cells[last]

    def _has_measure(self, part: TableRows, row: RawRow) -> bool:
        if part.table == "ad_delivery":
            names: tuple[str, ...] = DELIVERY_MEASURES
        else:
            names = (CLAIM_MEASURE, "conversion_action")
        nulls = {"", *self._mapping.null_tokens}
        found = (row.cells.get(part.readers[name][0]) for name in names if name in part.readers)
        return any(
            cell is not None and (not isinstance(cell, str) or cell.strip() not in nulls)
            for cell in found
        )

    def _repeats(self, part: TableRows, values: dict[str, Any], line: int) -> bool:
        """True for a second, equal row of a campaign and day.

        Raises:
            PermanentError: the second row differs: the report has a breakdown too many, and one
                of the two would be lost later.
        """
        grain = tuple(values[name] for name in _GRAINS[part.table])
        content = hash(tuple(sorted((key, str(value)) for key, value in values.items())))
        if grain not in part.seen:
            part.seen[grain] = (content, line)
            return False
        if part.seen[grain][0] == content:
            return True
        keys = ", ".join(_GRAINS[part.table])
        raise PermanentError(
            f"Lines {part.seen[grain][1]} and {line} give different figures for the same {keys}.",
            where=self._file,
            fix="Export one row per campaign and day (and action), without a further breakdown "
            "such as device, ad group or network.",
        )

    def _finish(self, part: TableRows, values: dict[str, Any]) -> dict[str, Any]:
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
        for name in _WITHOUT_QUERY:
            if values.get(name):
                values[name] = without_query(values[name])
        currency = values.get("currency_code")
        if currency is not None:
            if len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
                raise BadValue("bad_currency", "currency_code")
            values["currency_code"] = currency.upper()
        return values

    def _extra(self, row: RawRow) -> dict[str, str]:
        """Columns nobody asked for, without query strings and e-mail addresses."""
        if row.cells.keys() <= self._known:
            return {}
        return {key: text for key, text in self._unknown(row) if text}

    def _unknown(self, row: RawRow) -> Iterator[tuple[str, str]]:
        for key, cell in row.cells.items():
            if key in self._known or cell is None:
                continue
            text = str(cell).strip()[:_MAX_EXTRA_CHARACTERS]
            if looks_like_url(text):
                text = without_query(text) or ""
            yield key, redact_addresses(text)


def _fill(values: dict[str, Any], name: str, found: Any) -> None:
    """A field that has a column of its own goes before what the address says."""
    if not values.get(name):
        values[name] = found
