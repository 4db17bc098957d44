"""What the values of a column look like. Values stay here: only their shape is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trueline.redaction import redact
from trueline.sources.files.propose.words import MARKS, NULLS

# So large a part of the filled cells must have a shape; the rest may be dirt.
ENOUGH = 0.8
_NUMBER = re.compile(r"[+-]?\d[\d.,'\u00a0\u202f ]*\d|[+-]?\d")
_SHAPES: dict[str, Callable[[str], object]] = {
    "e-mail addresses": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+").fullmatch,
    "web addresses": re.compile(r"https?://\S+", re.IGNORECASE).fullmatch,
    "UUIDs": re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE).fullmatch,
    "IP addresses": re.compile(
        r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:]+:[0-9a-f:]*"
    ).fullmatch,
    "Google click ids": re.compile(r"(?:Cj|EAIaIQ)[A-Za-z0-9_-]{10,}").fullmatch,
    "Meta click ids": re.compile(r"(?:fb\.\d\.\d+\.)?IwAR[A-Za-z0-9_-]{10,}").fullmatch,
    "currency codes": re.compile(r"[A-Z]{3}").fullmatch,
    "phone numbers": lambda text: (
        re.fullmatch(r"(?:\+|00|0|\()[\d ()./-]{6,20}", text)
        and 7 <= sum(map(str.isdigit, text)) <= 15
        and not re.fullmatch(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}", text)
    ),
}
PERSONAL_SHAPES = frozenset({"e-mail addresses", "phone numbers", "IP addresses"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column as it stands in the file.

    Attributes:
        name: Its name as spelt.
        values: The filled cells of the looked-at rows with their row numbers; text as text,
            dates of Parquet and spreadsheets as such.
        rows: How many rows were looked at.
    """

    name: str
    values: Sequence[tuple[int, Any]]
    rows: int

    @property
    def texts(self) -> list[str]:
        """Filled cells as text, without those that say "nothing"."""
        return [text for _, value in self.values if (text := str(value).strip()) not in NULLS]

    @property
    def has_moments(self) -> bool:
        """Whether the cells are dates or times already, not text."""
        return bool(self.values) and all(isinstance(value, datetime) for _, value in self.values)


def shape_of(texts: Sequence[str]) -> str | None:
    """The shape that most of the values have, or None."""
    for name, fits in _SHAPES.items():
        if texts and sum(bool(fits(text)) for text in texts) >= ENOUGH * len(texts):
            return name
    return None


def is_data(cell: str) -> bool:
    """Whether a cell can be no column's name: a number, a date, an address."""
    text = cell.strip()
    if any(fits(text) for name, fits in _SHAPES.items() if name != "currency codes"):
        return True
    return bool(re.fullmatch(r"[\W\d_]*\d[\W\d_]*", text))


def looks_personal(texts: Sequence[str]) -> bool:
    """Whether even one value holds somebody's address or number, or a click id."""
    return any(redact(text) != text for text in texts)


def told_shape(column: Column) -> str:
    """What a column looks like, in a word."""
    texts = column.texts
    if not texts:
        return "nothing"
    numbers = sum(bool(_NUMBER.fullmatch(text)) for text in texts)
    return shape_of(texts) or ("numbers" if numbers >= ENOUGH * len(texts) else "text")


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How the numbers of a file are written; None where nothing tells."""

    decimal: str | None = None
    thousands: str | None = None
    marks: tuple[str, ...] = ()
    has_parentheses: bool = False
    doubts: tuple[str, ...] = ()


def number_style(columns: Iterable[Column]) -> NumberStyle:
    """Read the decimal sign, the thousands sign and what stands beside numbers."""
    points: dict[str, int] = {",": 0, ".": 0}
    groups: dict[str, int] = {}
    only_groups: dict[str, int] = {",": 0, ".": 0}
    marks: set[str] = set()
    has_parentheses = False
    for column in columns:
        for text in column.texts:
            if text.startswith("(") and text.endswith(")"):
                has_parentheses, text = True, text[1:-1]
            bare, found = _without_marks(text)
            if not _NUMBER.fullmatch(bare):
                continue
            marks |= found
            _count(bare.lstrip("+-"), points, groups, only_groups)
    decimal, doubts = _decimal(points, only_groups)
    thousands = _thousands(decimal, groups, only_groups)
    return NumberStyle(decimal, thousands, tuple(sorted(marks)), has_parentheses, tuple(doubts))


def _without_marks(text: str) -> tuple[str, set[str]]:
    found = set()
    for mark in sorted(MARKS, key=len, reverse=True):
        bare = text.removeprefix(mark).removesuffix(mark).strip(" \u00a0\u202f")
        if bare != text.strip(" \u00a0\u202f"):
            found.add(mark)
            text = bare
    return text, found


def _count(
    text: str, points: dict[str, int], groups: dict[str, int], only_groups: dict[str, int]
) -> None:
    signs = [char for char in text if not char.isdigit()]
    if not signs:
        return
    last, kinds = signs[-1], set(signs)
    is_grouped = re.fullmatch(r"\d{1,3}(?:\D\d{3})+", text) is not None
    if len(kinds) == 2 and last in points and signs.count(last) == 1:
        points[last] += 1
        other = (kinds - {last}).pop()
        groups[other] = groups.get(other, 0) + 1
    elif len(kinds) == 1 and is_grouped:
        if last in points and len(signs) == 1:
            only_groups[last] += 1  # 1,234 or 1.234: a thousand, or one and a bit
        else:
            groups[last] = groups.get(last, 0) + 1
    elif len(kinds) == 1 and last in points and len(signs) == 1:
        points[last] += 1


def _decimal(points: dict[str, int], only_groups: dict[str, int]) -> tuple[str | None, list[str]]:
    if points[","] and points["."]:
        best = max(points, key=lambda sign: points[sign])
        return best, [
            f"numbers are written in two ways: {points['.']} with a decimal point, "
            f"{points[',']} with a decimal comma"
        ]
    for sign, other in ((",", "."), (".", ",")):
        if points[sign]:
            return sign, []
        if only_groups[sign] and not points[other]:
            meant = "a comma" if sign == "," else "a point"
            return other, [
                f"every number with {meant} has three digits after it (like 1{sign}234): read as "
                "thousands; if it is a decimal sign, every such figure is a thousand times too big"
            ]
    return None, []


def _thousands(
    decimal: str | None, groups: dict[str, int], only_groups: dict[str, int]
) -> str | None:
    counted = {**groups}
    for sign, count in only_groups.items():
        if count and sign != decimal:
            counted[sign] = counted.get(sign, 0) + count
    usable = {sign: count for sign, count in counted.items() if sign != decimal}
    return max(usable, key=lambda sign: usable[sign]) if usable else None
