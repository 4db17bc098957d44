"""A column of cells to typed values at once, exactly as ``cells`` reads them one by one.

Plain cells (most of any file) are accepted by whole-column operations; each other distinct cell is
read by the cell reader itself, which alone knows what is bad.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trueline.sources.files.cells import BLANKS, COUNTS, cell_reader
from trueline.sources.files.local_time import to_utc
from trueline.sources.files.mapping import EPOCHS, FieldRule, FileMapping
from trueline.sources.files.targets import Target
from trueline.sources.values import BadValue

Mask = npt.NDArray[np.bool_]
# pyarrow's own type for an array of any type.
Array = Any
ARROW_TYPES: dict[str, Any] = {
    "STRING": pa.string(),
    "URL": pa.string(),
    "REFERRER": pa.string(),
    "ANSWER": pa.string(),
    "CURRENCY": pa.string(),
    "INT64": pa.int64(),
    "NUMERIC": pa.decimal128(38, 9),
    "BOOL": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
}
# What the shortcuts below know of a rule; a rule that says more is read cell by cell.
_PLAIN_RULE = frozenset({"column", "or_columns", "format", "required", "multiply"})
_REMEMBERED = 100_000
_MICROS_PER_SECOND = 1_000_000
# Years that are plausible whichever time zone they are seen from, and real days only:
# what is left out here (29 February, the first and the last year) is read cell by cell.
_DAY = (
    r"(?:199[1-9]|20[0-9][0-9])-(?:(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31"
    r"|(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_LOCAL = rf"^{_DAY}[T ]{_TIME}(?::[0-5][0-9](?:\.[0-9]{{1,6}})?)?$"
_ZULU = rf"^{_DAY}[T ]{_TIME}(?::[0-5][0-9](?:\.[0-9]{{1,6}})?)?Z$"
_OFFSET = rf"^{_DAY}[T ]{_TIME}:[0-5][0-9](?:\.[0-9]{{1,6}})?[+-](?:0[0-9]|1[0-3]):[0-5][0-9]$"
# Where each part of a time stands in text of the format, and how wide it is.
_WIDTHS = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2}
_EARLIEST, _LATEST = (
    int(np.datetime64(f"{year}-01-01", "us").astype(np.int64)) for year in (1991, 2100)
)

# Cells to (value, whether it was accepted); both as long as the cells, values null where not.
Accept = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True, slots=True)
class Distinct:
    """Cells of any kind as their distinct values and, for each row, which of them."""

    values: Sequence[Any]
    indices: Array

    @classmethod
    def of(cls, cells: Sequence[Any]) -> Distinct:
        """Of Python values; True is not 1."""
        places: dict[Any, int] = {}
        values: list[Any] = []
        indices: list[int] = []
        for cell in cells:
            place = places.setdefault(_identity(cell), len(values))
            if place == len(values):
                values.append(cell)
            indices.append(place)
        return cls(values, pa.array(indices, pa.int32()))


Cells = Array | Distinct


def _identity(cell: Any) -> Any:
    """What makes two cells the same: True is not 1, and 1.0 is not 1."""
    return type(cell), str(cell) if isinstance(cell, Decimal) else cell


def distinct(cells: Cells) -> Distinct:
    if isinstance(cells, Distinct):
        return cells
    encoded = cells.dictionary_encode(null_encoding="encode")
    return Distinct(encoded.dictionary.to_pylist(), encoded.indices)


def taken(cells: Cells, indices: Array) -> Cells:
    if isinstance(cells, Distinct):
        return Distinct(cells.values, cells.indices.take(indices))
    return cells.take(indices)


def joined(first: Cells, second: Cells) -> Cells:
    """The cells of two columns, one after the other."""
    if isinstance(first, Distinct) or isinstance(second, Distinct):
        a, b = distinct(first), distinct(second)
        moved = pc.add(b.indices, pa.scalar(len(a.values), b.indices.type))
        return Distinct([*a.values, *b.values], pa.concat_arrays([a.indices, moved]))
    return pa.concat_arrays([first, second])


def each_distinct(cells: Cells, function: Callable[[Any], Any], kind: Any) -> Array:
    """``function`` of each cell, asked once for each distinct one."""
    found = distinct(cells)
    return pa.array([function(value) for value in found.values], kind).take(found.indices)


def mask(flags: Array) -> Mask:
    """An Arrow column of truth values as numpy; null is false."""
    plain: Mask = pc.fill_null(flags, False).to_numpy(zero_copy_only=False)
    return plain


def holds(cells: Array, byte: int) -> bool:
    """Whether a column of text may hold a byte; much faster than a search in each cell."""
    data = cells.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) == byte).any())


class ColumnReader:
    """Reads one field's cells.

    Args:
        time_zone: Of times without offset.
    """

    def __init__(self, target: Target, rule: FieldRule, mapping: FileMapping, time_zone: str):
        self.type = ARROW_TYPES[target.type]
        self._read = cell_reader(target, rule, mapping, time_zone)
        self._accept = _shortcut(target, rule, mapping, time_zone)
        self._nulls = pa.array(["", *mapping.null_tokens], pa.string())
        self._required = target.required or bool(rule.required)
        self._seen: dict[Any, Any] = {}

    def __call__(self, cells: Cells) -> tuple[Array, Mask | None]:
        """Typed values, null where bad; and which are bad, or None if none is."""
        if self._accept is None or isinstance(cells, Distinct) or cells.type != pa.string():
            return self._one_by_one(cells)
        values, good = self._accepted(cells)
        if good.true_count == len(good):
            return values, None
        others = np.flatnonzero(~mask(good))
        read, bad = self._one_by_one(cells.take(pa.array(others)))
        is_other = np.zeros(len(cells), np.bool_)
        is_other[others] = True
        values = pc.replace_with_mask(values, pa.array(is_other), read)
        if bad is None:
            return values, None
        is_other[others] = bad
        return values, is_other

    def _accepted(self, cells: Array) -> tuple[Array, Array]:
        assert self._accept is not None
        trimmed = pc.utf8_trim(cells, BLANKS)
        values, good = self._accept(trimmed)
        is_null = pc.is_in(trimmed, value_set=self._nulls)
        if trimmed.null_count:
            is_null = pc.or_(is_null, pc.is_null(trimmed))
            good = pc.fill_null(good, False)
        if not is_null.true_count:
            return values, good
        values = pc.if_else(is_null, pa.scalar(None, self.type), values)
        if self._required:
            return values, pc.and_not(good, is_null)
        return values, pc.or_(good, is_null)

    def _one_by_one(self, cells: Cells) -> tuple[Array, Mask | None]:
        found = distinct(cells)
        if len(self._seen) > _REMEMBERED:
            self._seen.clear()
        values, bad = [], np.zeros(len(found.values), np.bool_)
        for place, cell in enumerate(found.values):
            key = _identity(cell)
            if key not in self._seen:
                self._seen[key] = self._tried(cell)
            value = self._seen[key]
            bad[place] = value is BadValue
            values.append(None if value is BadValue else value)
        column = pa.array(values, self.type).take(found.indices)
        return column, bad[found.indices.to_numpy()] if bad.any() else None

    def _tried(self, cell: Any) -> Any:
        try:
            return self._read(cell)
        except BadValue:
            return BadValue


def _shortcut(
    target: Target, rule: FieldRule, mapping: FileMapping, time_zone: str
) -> Accept | None:
    if rule.model_fields_set - _PLAIN_RULE:
        return None
    if target.type == "TIMESTAMP":
        return _time_shortcut(rule.format, time_zone)
    if target.type in ("INT64", "NUMERIC"):
        return _number_shortcut(target, rule, mapping)
    if target.type in ("STRING", "URL", "REFERRER"):
        return _id if target.is_id else _text
    return None  # days and truth values: few distinct ones


def _text(cells: Array) -> tuple[Array, Array]:
    return cells, _without_nul(cells)


def _id(cells: Array) -> tuple[Array, Array]:
    touched = pc.match_substring_regex(cells, r"^'|[eE]\+|\.0+$")
    return cells, pc.and_not(_without_nul(cells), touched)


def _without_nul(cells: Array) -> Array:
    if not holds(cells, 0):
        return pa.repeat(pa.scalar(True), len(cells))
    return pc.invert(pc.match_substring(cells, "\0"))


def _number_shortcut(target: Target, rule: FieldRule, mapping: FileMapping) -> Accept | None:
    """Plain digits with the mapping's own signs."""
    point = f"[{mapping.decimal}]"
    whole = r"[0-9]{1,12}"
    if mapping.thousands:
        whole = rf"(?:{whole}|[0-9]{{1,3}}(?:[{mapping.thousands}][0-9]{{3}}){{1,3}})"
    sign = "" if target.name in COUNTS else "-?"
    power = 0
    if rule.multiply is not None:
        power = rule.multiply.adjusted()
        if rule.multiply != 10**power or not 0 <= power <= 6 or target.type != "INT64":
            return None
    if target.type == "INT64" and power == 0:
        pattern, kind = rf"^{sign}{whole}$", pa.int64()
    else:
        # After the multiplication nothing is left behind the point, so nothing is rounded.
        places = power if target.type == "INT64" else 9
        pattern, kind = rf"^{sign}{whole}(?:{point}[0-9]{{1,{places}}})?$", pa.decimal128(38, 9)

    def accept(cells: Array) -> tuple[Array, Array]:
        good = pc.match_substring_regex(cells, pattern)
        if good.true_count < len(good):
            cells = pc.if_else(good, cells, pa.scalar(None, pa.string()))
        if mapping.thousands:
            cells = pc.replace_substring(cells, mapping.thousands, "")
        if mapping.decimal != ".":
            cells = pc.replace_substring(cells, mapping.decimal, ".")
        values = cells.cast(kind)
        if target.type == "INT64" and power:
            factor = pa.scalar(Decimal(10**power), pa.decimal128(7, 0))
            values = pc.multiply(values.cast(pa.decimal128(28, 9)), factor).cast(pa.int64())
        return values, good

    return accept


def _time_shortcut(layout: str | None, time_zone: str) -> Accept | None:
    if layout in EPOCHS:
        return _epoch_shortcut(EPOCHS[layout])
    if layout is not None:
        return _layout_shortcut(layout, time_zone)

    def accept(cells: Array) -> tuple[Array, Array]:
        kind = pa.timestamp("us", "UTC")
        values, good = None, None
        for pattern in (_ZULU, _LOCAL, _OFFSET):
            match = pc.match_substring_regex(cells, pattern)
            if not match.true_count:
                continue
            whole = match.true_count == len(match)
            text = cells if whole else pc.if_else(match, cells, pa.scalar(None, pa.string()))
            if pattern is _LOCAL:
                found = to_utc(text.cast(pa.timestamp("us")), time_zone)
            else:
                found = text.cast(kind)
            values = found if values is None else pc.coalesce(values, found)
            good = match if good is None else pc.or_(good, match)
            if whole:
                break
        if values is None:
            return pa.nulls(len(cells), kind), pa.repeat(pa.scalar(False), len(cells))
        return values, good

    return accept


def _layout_shortcut(layout: str, time_zone: str) -> Accept | None:
    """``%d.%m.%Y %H:%M`` and the like, written with all their zeros: put into ISO's order."""
    places: dict[str, int] = {}
    signs: list[tuple[int, str]] = []
    width, rest = 0, layout
    while rest:
        directive = rest[:2]
        if directive in _WIDTHS and directive not in places:
            places[directive] = width
            width, rest = width + _WIDTHS[directive], rest[2:]
        elif rest[0] == "%" or not rest[0].isascii() or rest[0].isalnum():
            return None
        else:
            signs.append((width, rest[0]))
            width, rest = width + 1, rest[1:]
    if not {"%Y", "%m", "%d", "%H", "%M"} <= places.keys():
        return None
    order = [("%Y", ""), ("%m", "-"), ("%d", "-"), ("%H", " "), ("%M", ":")]
    if "%S" in places:
        order.append(("%S", ":"))

    def accept(cells: Array) -> tuple[Array, Array]:
        good = pc.and_(pc.equal(pc.binary_length(cells), width), pc.string_is_ascii(cells))
        for place, sign in signs:
            good = pc.and_(good, pc.equal(pc.utf8_slice_codeunits(cells, place, place + 1), sign))
        parts: list[Any] = []
        for directive, before in order:
            start = places[directive]
            parts += [before, pc.utf8_slice_codeunits(cells, start, start + _WIDTHS[directive])]
        text = pc.binary_join_element_wise(*parts, "")
        good = pc.and_(good, pc.match_substring_regex(text, _LOCAL))
        text = pc.if_else(good, text, pa.scalar(None, pa.string()))
        return to_utc(text.cast(pa.timestamp("us")), time_zone), good

    return accept


def _epoch_shortcut(per_second: int) -> Accept:
    factor = _MICROS_PER_SECOND // per_second

    def accept(cells: Array) -> tuple[Array, Array]:
        good = pc.match_substring_regex(cells, r"^[0-9]{1,17}$")
        number = pc.if_else(good, cells, pa.scalar(None, pa.string())).cast(pa.int64())
        good = pc.and_(good, pc.less(number, _LATEST // factor))
        good = pc.and_(good, pc.greater_equal(number, _EARLIEST // factor))
        good = pc.fill_null(good, False)
        number = pc.if_else(good, number, pa.scalar(None, pa.int64()))
        micros = pc.multiply(number, factor)
        return micros.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")), good

    return accept
