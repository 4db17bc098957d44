"""Typed values out of what APIs send, exactly: never through a binary float."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from trueline.redaction import redact

MICROS = Decimal(1_000_000)
# The warehouse's NUMERIC: 38 digits, 9 of them after the point.
NUMERIC_STEP = Decimal("1e-9")
NUMERIC_LIMIT = Decimal(10) ** 29
INT64_LIMIT = 2**63
EARLIEST_YEAR, LATEST_YEAR = 1990, 2100
# A longer answer is a letter, and no rule names it.
MAX_ANSWER = 200


class BadValue(Exception):  # noqa: N818 - becomes a RowError, never reaches a person
    """A value that does not fit its column; ``reason`` is the row error's code."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.column = reason, column


def numeric(value: Any) -> Decimal | None:
    """A Decimal with at most nine places; further places of an API's double are noise.

    Raises:
        BadValue: ``bad_number`` for text, NaN, infinity and numbers too large to store.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool | float):
        raise BadValue("bad_number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise BadValue("bad_number") from None
    return fit_numeric(number)


def fit_numeric(number: Decimal) -> Decimal:
    """Round half to even at nine places.

    Raises:
        BadValue: ``bad_number`` where it is not finite or too large.
    """
    if not number.is_finite() or abs(number) >= NUMERIC_LIMIT:
        raise BadValue("bad_number")
    if number.as_tuple().exponent < -9:  # type: ignore[operator]
        number = number.quantize(NUMERIC_STEP, rounding=ROUND_HALF_EVEN)
    return number + 0  # turns -0 into 0


def integer(value: Any) -> int | None:
    """A whole number that fits 64 bits; ``"12"`` and ``12`` alike.

    Raises:
        BadValue: ``bad_integer``.
    """
    try:
        number = numeric(value)
    except BadValue:
        raise BadValue("bad_integer") from None
    if number is None:
        return None
    if number != number.to_integral_value() or not -INT64_LIMIT <= number < INT64_LIMIT:
        raise BadValue("bad_integer")
    return int(number)


def micros(value: Any) -> int | None:
    """Units of a currency to millionths, rounded half to even.

    Raises:
        BadValue: ``bad_number``.
    """
    number = numeric(value)
    if number is None:
        return None
    return int((number * MICROS).to_integral_value(rounding=ROUND_HALF_EVEN))


def day(value: Any) -> date:
    """A date written YYYY-MM-DD.

    Raises:
        BadValue: ``bad_date``.
    """
    try:
        return plausible(datetime.strptime(str(value), "%Y-%m-%d")).date()
    except ValueError:
        raise BadValue("bad_date") from None


def moment(value: Any) -> datetime | None:
    """An ISO time with offset, or epoch milliseconds, as aware UTC.

    Raises:
        BadValue: ``bad_timestamp`` or ``implausible_date``.
    """
    if value is None or value == "":
        return None
    text = str(value)
    try:
        if text.isdigit():
            return plausible(datetime.fromtimestamp(int(text) / 1000, UTC))
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise BadValue("bad_timestamp") from None
    if found.tzinfo is None:
        raise BadValue("bad_timestamp")
    return plausible(found.astimezone(UTC))


def plausible(found: datetime) -> datetime:
    """The moment itself, unless it lies outside 1990..2100: such dates mean "empty" somewhere.

    Raises:
        BadValue: ``implausible_date``.
    """
    if not EARLIEST_YEAR <= found.year <= LATEST_YEAR:
        raise BadValue("implausible_date")
    return found


def boolean(value: Any) -> bool | None:
    """``true`` or ``false``, as text or as such.

    Raises:
        BadValue: ``bad_boolean``.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise BadValue("bad_boolean")
    return text == "true"


def text(value: Any) -> str | None:
    """Trimmed text; None where nothing is left."""
    if value is None:
        return None
    return str(value).strip() or None


def answer(value: Any) -> str | None:
    """What somebody wrote freely; dropped whole where it holds an address or a number to call."""
    found = text(value)
    if found is None or len(found) > MAX_ANSWER or redact(found) != found:
        return None
    return found


def currency(code: str) -> str:
    """Three letters, upper case.

    Raises:
        BadValue: ``bad_currency``.
    """
    if len(code) != 3 or not (code.isascii() and code.isalpha()):
        raise BadValue("bad_currency")
    return code.upper()
