"""One cell to one typed value, strictly. What does not fit gets a reason code, never a guess."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from trueline.sources.files.mapping import EPOCHS, FieldRule, FileMapping
from trueline.sources.files.targets import Target
from trueline.sources.values import (
    INT64_LIMIT,
    BadValue,
    answer,
    currency,
    fit_numeric,
    plausible,
)

# Blanks that nobody sees around a value.
BLANKS = " \t\r\n\u00a0\u200b\u200c\u200d\u2060\ufeff"
# As spreadsheets print it, with a plus: a hexadecimal id may well be digits, an e and digits.
SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+\d{1,3}")
_POINT_ZERO = re.compile(r"\d+\.0+")
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)? ?(?:Z|z|[+-]\d\d(?::?\d\d)?)?"
)
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TRUE, _FALSE = frozenset({"true", "t", "yes", "y", "1"}), frozenset({"false", "f", "no", "n", "0"})
_MAX_NUMBER_LENGTH = 60
COUNTS = frozenset({"impressions", "clicks", "contact_attempts"})

Cell = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class BadCell:
    """A cell that is bad before it is read.

    Attributes:
        reason: The row error's code.
        shown: What a person sees there.
    """

    reason: str
    shown: str

    def __str__(self) -> str:
        return self.shown


def cell_reader(
    target: Target, rule: FieldRule | None, mapping: FileMapping, time_zone: str
) -> Cell:
    """A function from a received cell to the target's value; it raises :class:`BadValue`.

    Args:
        rule: The field's rule; None for a constant.
        time_zone: Of times without offset.
    """
    typed = _typed(target, rule, mapping, ZoneInfo(time_zone))
    nulls = frozenset({"", *mapping.null_tokens})
    values = {key.strip().casefold(): value for key, value in rule.values.items()} if rule else {}
    required = target.required or bool(rule and rule.required)
    first_of = rule.first_of if rule else None
    removed = str.maketrans("", "", rule.remove) if rule and rule.remove else None

    def read(cell: Any) -> Any:
        if isinstance(cell, BadCell):
            raise BadValue(cell.reason, target.name)
        if isinstance(cell, str):
            cell = cell.strip(BLANKS)
            if first_of:
                cell = cell.split(first_of, 1)[0].strip(BLANKS)
            if removed:
                cell = cell.translate(removed)
            if "\0" in cell:
                raise BadValue("nul_byte", target.name)
            if not cell.isascii() and any("\ud800" <= char <= "\udfff" for char in cell):
                raise BadValue("bad_encoding", target.name)
            if values and cell.casefold() in values:
                chosen = values[cell.casefold()]
                cell = ("true" if chosen else "false") if isinstance(chosen, bool) else chosen
            if cell in nulls:
                cell = None
        if cell is None:
            if required:
                raise BadValue("missing_required", target.name)
            return None
        try:
            return typed(cell)
        except BadValue as bad:
            raise BadValue(bad.reason, target.name) from None

    return read


def _typed(target: Target, rule: FieldRule | None, mapping: FileMapping, zone: ZoneInfo) -> Cell:
    layout = rule.format if rule else None
    multiply = rule.multiply if rule else None
    if target.type == "DATE":
        return lambda cell: _day(cell, layout)
    if target.type == "TIMESTAMP":
        return lambda cell: _moment(cell, layout, zone)
    if target.type == "BOOL":
        return _boolean
    if target.type in ("NUMERIC", "INT64"):
        pattern = _number_pattern(mapping.decimal, mapping.thousands)
        if target.type == "NUMERIC":
            return lambda cell: _numeric(cell, pattern, mapping, multiply)
        return lambda cell: _integer(cell, pattern, mapping, multiply, target.name in COUNTS)
    if target.type == "ANSWER":
        return answer
    if target.type == "CURRENCY":
        return currency
    return _identifier if target.is_id else str


def _identifier(cell: Any) -> str:
    """An id stays text; one that a spreadsheet or a float has touched is lost."""
    text = str(cell).removeprefix("'")  # a spreadsheet's sign for "this is text"
    if SCIENTIFIC.fullmatch(text):
        raise BadValue("excel_scientific_id")
    if _POINT_ZERO.fullmatch(text):
        raise BadValue("float_id")
    return text


def _number_pattern(decimal: str, thousands: str | None) -> re.Pattern[str]:
    point = re.escape(decimal)
    grouped = rf"\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+|" if thousands else ""
    exponent = r"(?:[eE][+-]?\d{1,3})?"
    return re.compile(
        rf"[+-]?(?:{grouped}\d+)(?:{point}\d+)?{exponent}|[+-]?{point}\d+{exponent}", re.ASCII
    )


def _number(cell: Any, pattern: re.Pattern[str], mapping: FileMapping) -> Decimal:
    if isinstance(cell, Decimal):  # out of a format that has numbers: its sign is no text
        return cell
    text = str(cell)
    if mapping.number_marks or mapping.negative_in_parentheses:
        text = _bare_number(text, mapping)
    if len(text) > _MAX_NUMBER_LENGTH or not pattern.fullmatch(text):
        raise BadValue("bad_number")
    if mapping.thousands:
        text = text.replace(mapping.thousands, "")
    # The pattern let through digits, one sign each and an exponent: nothing else is left.
    try:
        return Decimal(text.replace(mapping.decimal, "."))
    except ArithmeticError:
        raise BadValue("bad_number") from None


def _bare_number(text: str, mapping: FileMapping) -> str:
    """Without currency and the like; `(5)`, `-$5` and `$-5` are minus five."""
    sign = ""
    if mapping.negative_in_parentheses and text.startswith("(") and text.endswith(")"):
        sign, text = "-", text[1:-1].strip(BLANKS)
    elif text.startswith(("-", "\u2212")):
        sign, text = "-", text[1:].strip(BLANKS)
    for mark in mapping.number_marks:
        text = text.removeprefix(mark).removesuffix(mark).strip(BLANKS)
    return sign + text


def _numeric(
    cell: Any, pattern: re.Pattern[str], mapping: FileMapping, multiply: Decimal | None
) -> Decimal:
    number = _number(cell, pattern, mapping)
    return fit_numeric(fit_numeric(number) * multiply if multiply is not None else number)


def _integer(
    cell: Any,
    pattern: re.Pattern[str],
    mapping: FileMapping,
    multiply: Decimal | None,
    is_count: bool,
) -> int:
    try:
        number = fit_numeric(_number(cell, pattern, mapping))
    except BadValue:
        raise BadValue("bad_integer" if multiply is None else "bad_number") from None
    if multiply is not None:
        number = (number * multiply).to_integral_value(rounding=ROUND_HALF_EVEN)
    if number != number.to_integral_value() or not -INT64_LIMIT <= number < INT64_LIMIT:
        raise BadValue("bad_integer")
    if is_count and number < 0:  # a credit makes cost negative, nothing un-clicks
        raise BadValue("negative_count")
    return int(number)


def _boolean(cell: Any) -> bool:
    if isinstance(cell, bool):
        return cell
    text = str(cell).casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise BadValue("bad_boolean")


def _day(cell: Any, layout: str | None) -> date:
    if isinstance(cell, datetime):
        raise BadValue("bad_date")
    if isinstance(cell, date):
        return plausible(datetime(cell.year, cell.month, cell.day)).date()
    try:
        if layout is None:
            if not _ISO_DAY.fullmatch(cell):
                raise ValueError
            found = datetime.fromisoformat(cell)
        elif layout in EPOCHS:
            found = _epoch(cell, layout)
        else:
            found = datetime.strptime(cell, layout)
    except (ValueError, TypeError, OverflowError, OSError):
        raise BadValue("bad_date") from None
    return plausible(found).date()


def _moment(cell: Any, layout: str | None, zone: ZoneInfo) -> datetime:
    try:
        if isinstance(cell, datetime):
            found = cell
        elif layout is None:
            if not _ISO.fullmatch(cell):
                raise ValueError
            found = datetime.fromisoformat(cell.upper().replace(" +", "+").replace(" Z", "Z"))
        elif layout in EPOCHS:
            found = _epoch(cell, layout)
        else:
            found = datetime.strptime(cell, layout)
        plausible(found)
        if found.tzinfo is None:
            # fold=0: an hour that comes twice is taken as the earlier one, and an hour that the
            # clocks skip is shifted forward by the conversion to UTC.
            found = found.replace(tzinfo=zone, fold=0)
        return found.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        raise BadValue("bad_timestamp") from None


def _epoch(cell: Any, layout: str) -> datetime:
    text = str(cell)
    if not re.fullmatch(r"\d{1,17}", text, re.ASCII):
        raise ValueError
    seconds, rest = divmod(int(text), EPOCHS[layout])
    return datetime.fromtimestamp(seconds, UTC).replace(
        microsecond=rest * 1_000_000 // EPOCHS[layout]
    )
