"""Figures for people: thousand separators, few decimals, a dash where there is no figure."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

DASH = "–"
MINUS = "−"


def count(value: Decimal | int | None) -> str:
    """A count with at most one decimal: credits can share a lead."""
    if value is None:
        return DASH
    rounded = _round(Decimal(value), "0.1")
    return _signed(rounded, 0 if rounded == rounded.to_integral_value() else 1)


def change(value: Decimal | int | None) -> str:
    """A count with its sign, for one step of a ledger; a dash where nothing happened."""
    if not value:
        return DASH
    text = count(value)
    return text if text.startswith(MINUS) or text == "0" else f"+{text}"


def money(value: Decimal | int | None) -> str:
    """An amount without cents."""
    return DASH if value is None else _signed(_round(Decimal(value), "1"), 0)


def cost(value: Decimal | None) -> str:
    """A cost per unit: cents below 100."""
    if value is None:
        return DASH
    return _signed(_round(value, "0.01"), 2) if abs(value) < 100 else money(value)


def rate(value: Decimal | None) -> str:
    """A share as per cent with one decimal."""
    return DASH if value is None else f"{_signed(_round(value * 100, '0.1'), 1)}%"


def times(value: Decimal | None) -> str:
    """A return such as 2.4×."""
    return DASH if value is None else f"{_signed(_round(value, '0.1'), 1)}×"


def _round(value: Decimal, step: str) -> Decimal:
    rounded = value.quantize(Decimal(step), ROUND_HALF_UP)
    return abs(rounded) if rounded.is_zero() else rounded


def _signed(value: Decimal, places: int) -> str:
    return f"{value:,.{places}f}".replace("-", MINUS)
