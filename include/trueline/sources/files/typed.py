"""Chunks of a file to typed columns of the raw tables that it feeds, and to row errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trueline.errors import RowError
from trueline.sources.files.addresses import (
    click_id_columns,
    extra_column,
    page_columns,
)
from trueline.sources.files.chunks import Chunk
from trueline.sources.files.rows import (
    WITHOUT_QUERY,
    Part,
    RawRow,
    RowRules,
    email_note,
    phone_note,
    storable,
)
from trueline.sources.files.targets import PAGE_COLUMN, URL_COLUMNS
from trueline.sources.files.targets import columns as table_columns
from trueline.sources.files.vectors import (
    ARROW_TYPES,
    Array,
    Cells,
    ColumnReader,
    Distinct,
    Mask,
    each_distinct,
    mask,
)
from trueline.sources.page_urls import referrer_host, without_query
from trueline.sources.values import BadValue

# An address that surely is one; anything else is looked at alone.
_PLAIN_EMAIL = (
    r"^[A-Za-z0-9._%+\-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,30}[A-Za-z0-9])?\.){1,4}"
    r"[A-Za-z]{2,20}$"
)
_PLAIN_PHONE = r"^[0-9+()/ \-]*$"
_PLAIN_PATH = r"^[A-Za-z0-9/_.\-]{1,1000}$"


@dataclass(slots=True)
class TypedRows:
    """Rows of one raw table out of one chunk.

    Attributes:
        columns: Typed columns and ``_extra``.
        lines: Line of each row.
        places: Place of each row in its chunk.
        alone: Whether the row tells of this table only, for each row.
    """

    part: Part
    columns: pa.Table
    lines: Any
    places: Any
    alone: Mask
    errors: list[RowError] = field(default_factory=list)


@dataclass(slots=True)
class TypedChunk:
    """What one chunk gave.

    Attributes:
        received: Rows of the file.
        bad_lines: Lines of rows that could not be used, or not for all of their tables.
        unknown: Columns nobody asked for.
    """

    tables: list[TypedRows]
    received: int
    bad_lines: set[int]
    unknown: frozenset[str]
    chunk: Chunk


class TypedReader:
    """Types chunks under the rules of one mapping."""

    def __init__(self, rules: RowRules, time_zone: str) -> None:
        self._rules = rules
        mapping = rules.mapping
        self._readers = {
            name: ColumnReader(mapping.target(name), rule, mapping, time_zone)
            for name, rule in mapping.fields.items()
        }

    def read(self, chunk: Chunk) -> TypedChunk:
        """Every row of the chunk: typed, refused with a reason, or no data at all."""
        unknown = {
            key: cells for key, cells in chunk.columns.items() if key not in self._rules.known
        }
        found = [self._typed(part, chunk) for part in self._rules.parts]
        applies = [self._applies(part, chunk) for part in self._rules.parts]
        period = self._periods(chunk)
        nowhere = ~np.logical_or.reduce(applies)
        doubtful = period | nowhere
        for (_, _, bad), here in zip(found, applies, strict=True):
            doubtful |= bad & here
        rows = {int(place): chunk.row(int(place)) for place in np.flatnonzero(doubtful)}
        no_data = np.zeros(chunk.count, np.bool_)
        no_data[[place for place, row in rows.items() if row is None]] = True
        bad_lines = {row.line for row in chunk.bad}
        typed = []
        for number, (part, (columns, notes, bad)) in enumerate(
            zip(self._rules.parts, found, strict=True)
        ):
            errors = []
            if number == 0:
                errors += [_error(row, None, row.reason or "") for row in chunk.bad]
            for place, row in rows.items():
                if row is None:
                    continue
                error = self._refused(
                    part,
                    row,
                    is_first=number == 0,
                    is_period=bool(period[place]),
                    is_nowhere=bool(nowhere[place]),
                    is_bad=bool((bad & applies[number])[place]),
                )
                if error:
                    errors.append(error)
                    bad_lines.add(row.line)
            good = applies[number] & ~bad & ~period & ~nowhere & ~no_data
            extra = extra_column(unknown, notes, chunk.count)
            table = pa.table({**columns, "_extra": extra})
            others = [flags for other, flags in enumerate(applies) if other != number]
            alone = ~np.logical_or.reduce(others) if others else np.ones(chunk.count, np.bool_)
            lines, places = chunk.lines(), np.arange(chunk.count)
            if not good.all():
                table, lines, alone = table.filter(pa.array(good)), lines[good], alone[good]
                places = places[good]
            typed.append(TypedRows(part, table, lines, places, alone, errors))
        return TypedChunk(
            typed,
            chunk.count - int(no_data.sum()) + len(chunk.bad),
            bad_lines,
            frozenset(unknown),
            chunk,
        )

    def _refused(
        self,
        part: Part,
        row: RawRow,
        *,
        is_first: bool,
        is_period: bool,
        is_nowhere: bool,
        is_bad: bool,
    ) -> RowError | None:
        if is_period:
            return _error(row, "platform_date", "not_one_day") if is_first else None
        if is_nowhere:
            return _error(row, None, "no_measure") if is_first else None
        if not is_bad:
            return None
        try:
            self._rules.read(part, row)
        except BadValue as bad:
            return _error(row, bad.column, bad.reason)
        raise AssertionError("a column says that a cell is bad, the row's own reader does not")

    def _typed(self, part: Part, chunk: Chunk) -> tuple[dict[str, Array], dict[str, Array], Mask]:
        columns: dict[str, Array] = {}
        bad = np.zeros(chunk.count, np.bool_)
        for name, value in part.constants.items():
            kind = ARROW_TYPES[self._rules.mapping.target(name).type]
            columns[name] = pa.repeat(pa.scalar(value, kind), chunk.count)
        for name, (column, _) in part.readers.items():
            cells = chunk.columns.get(column)
            if cells is None:
                cells = Distinct([None], pa.repeat(pa.scalar(0, pa.int32()), chunk.count))
            columns[name], refused = self._readers[name](cells)
            if refused is not None:
                bad |= refused
        notes = _finish(part, columns)
        kept = table_columns(part.table).keys() | {"email", "phone", "ip_address"}
        return {name: values for name, values in columns.items() if name in kept}, notes, bad

    def _periods(self, chunk: Chunk) -> Mask:
        pair = self._rules.day_pair
        if pair is None or pair[1] not in chunk.columns:
            return np.zeros(chunk.count, np.bool_)
        first, last = chunk.columns.get(pair[0]), chunk.columns[pair[1]]
        if isinstance(first, pa.StringArray) and isinstance(last, pa.StringArray):
            differ: Mask = pc.fill_null(pc.not_equal(first, last), True).to_numpy(
                zero_copy_only=False
            )
            return differ & ~(mask(pc.is_null(first)) & mask(pc.is_null(last)))
        first, last = (_values(cells, chunk.count) for cells in (first, last))
        return np.array([one != other for one, other in zip(first, last, strict=True)], np.bool_)

    def _applies(self, part: Part, chunk: Chunk) -> Mask:
        if not part.measures:
            return np.ones(chunk.count, np.bool_)
        flags = np.zeros(chunk.count, np.bool_)
        for column in part.measures:
            if column in chunk.columns:
                filled = each_distinct(chunk.columns[column], self._rules.is_filled, pa.bool_())
                flags |= mask(filled)
        return flags


def _values(cells: Cells | None, count: int) -> list[Any]:
    if cells is None:
        return [None] * count
    if isinstance(cells, Distinct):
        return [cells.values[place] for place in cells.indices.to_pylist()]
    found: list[Any] = cells.to_pylist()
    return found


def _error(row: RawRow, column: str | None, reason: str) -> RowError:
    return RowError(row.line, column, reason, storable(row.text))


def _finish(part: Part, columns: dict[str, Array]) -> dict[str, Array]:
    """As ``rows.finish``, for all rows at once: the same fields and notes."""
    notes: dict[str, Array] = {}
    if "click_id" in columns:
        columns["click_id"], kinds, notes["click_id_note"] = click_id_columns(columns["click_id"])
        _fill(columns, "click_id_type", kinds)
    if "email" in columns:
        notes["email_note"] = _noted(columns["email"], _PLAIN_EMAIL, email_note)
    if "phone" in columns:
        notes["phone_note"] = _noted(columns["phone"], _PLAIN_PHONE, phone_note)
    if "click_id_type" in part.constants:
        no_id = pc.is_null(columns["click_id"]) if "click_id" in columns else True
        nothing = pa.scalar(None, pa.string())
        columns["click_id_type"] = pc.if_else(no_id, nothing, columns["click_id_type"])
    if "is_closed" in columns and "deal_closed_at" in columns:
        is_open = pc.fill_null(pc.invert(columns["is_closed"]), False)
        nothing = pa.scalar(None, columns["deal_closed_at"].type)
        columns["deal_closed_at"] = pc.if_else(is_open, nothing, columns["deal_closed_at"])
    if "page_url" in columns:
        _take_apart(part, columns)
    if "referrer" in columns:
        hosts = each_distinct(columns.pop("referrer"), referrer_host, pa.string())
        _fill(columns, "referrer_host", hosts)
    for name in WITHOUT_QUERY:
        if name in columns:
            columns[name] = _noted(columns[name], _PLAIN_PATH, without_query, keep=True)
    return notes


def _take_apart(part: Part, columns: dict[str, Array]) -> None:
    page: Mapping[str, Array] = page_columns(columns.pop("page_url"))
    _fill(columns, PAGE_COLUMN[part.table], page["page_path"])
    if "click_id" in columns:
        no_id = pc.is_null(columns["click_id"])
        of_column = columns.get("click_id_type", pa.nulls(len(no_id), pa.string()))
        columns["click_id_type"] = pc.if_else(no_id, page["click_id_type"], of_column)
        columns["click_id"] = pc.coalesce(columns["click_id"], page["click_id"])
    else:
        columns["click_id"], columns["click_id_type"] = page["click_id"], page["click_id_type"]
    for name in URL_COLUMNS[2:]:
        _fill(columns, name, page[name])


def _noted(cells: Array, plain: str, function: Any, *, keep: bool = False) -> Array:
    """``function`` of each cell that is not plain; of a plain one nothing, or the cell itself."""
    is_plain = pc.fill_null(pc.match_substring_regex(cells, plain), True)
    nothing = pa.scalar(None, pa.string())
    of_plain = cells if keep else pa.nulls(len(cells), pa.string())
    if is_plain.true_count == len(cells):
        return of_plain
    others = pc.if_else(is_plain, nothing, cells)

    def asked(cell: str | None) -> str | None:
        return function(cell) if cell else None

    return pc.if_else(is_plain, of_plain, each_distinct(others, asked, pa.string()))


def _fill(columns: dict[str, Array], name: str, found: Array) -> None:
    """A field that has a column of its own goes before what the address says."""
    columns[name] = pc.coalesce(columns[name], found) if name in columns else found
