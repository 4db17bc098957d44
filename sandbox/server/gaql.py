"""A small reader of Google Ads' query language: SELECT, FROM, WHERE, ORDER BY, LIMIT."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

TOKENS = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<word>[A-Za-z_][\w.]*)"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<mark><=|>=|!=|[=<>(),]))"
)
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class QueryError(Exception):
    """A query that Google refuses; ``code`` is a value of the error enumeration ``family``."""

    def __init__(self, code: str, message: str, *, family: str = "queryError") -> None:
        super().__init__(message)
        self.code, self.message, self.family = code, message, family


def camel(name: str) -> str:
    """``cost_micros`` as JSON spells it; what is in camel case already stays so."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


@dataclass
class Condition:
    """One part of WHERE; BETWEEN is kept as two comparisons."""

    name: str
    mark: str
    value: Any

    def holds(self, found: Any) -> bool:
        """Compare as numbers where both sides are, else as text."""
        if isinstance(found, bool):
            return COMPARISONS[self.mark](str(found).upper(), str(self.value).upper())
        if self.mark == "IN":
            return str(found) in self.value
        left, right = str(found), str(self.value)
        if isinstance(found, int | float) and _is_number(right):
            return COMPARISONS[self.mark](float(left), float(right))
        return COMPARISONS[self.mark](left, right)


@dataclass
class Query:
    """A parsed query."""

    fields: list[str]
    resource: str
    where: list[Condition] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)
    limit: int | None = None

    def dates(self) -> tuple[date | None, date | None]:
        """First and last day that the conditions on ``segments.date`` allow."""
        low: date | None = None
        high: date | None = None
        for part in self.where:
            if part.name != "segments.date":
                continue
            if part.mark not in ("=", ">=", "<="):
                raise QueryError(
                    "OPERATOR_FIELD_MISMATCH", "segments.date takes =, >=, <=, BETWEEN"
                )
            try:
                day = date.fromisoformat(str(part.value))
            except ValueError:
                raise QueryError(
                    "INVALID_DATE_FORMAT", f"'{part.value}' is no date (YYYY-MM-DD)"
                ) from None
            low = day if part.mark in ("=", ">=") else low
            high = day if part.mark in ("=", "<=") else high
        return low, high


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        text = text.strip()
        while place < len(text):
            found = TOKENS.match(text, place)
            if not found:
                raise QueryError("UNEXPECTED_INPUT", f"unexpected input near '{text[place]}'")
            kind = found.lastgroup or ""
            self.tokens.append((kind, found[kind]))
            place = found.end()
        self.place = 0

    def peek(self) -> str:
        return self.tokens[self.place][1].upper() if self.place < len(self.tokens) else ""

    def take(self) -> tuple[str, str]:
        if self.place >= len(self.tokens):
            raise QueryError("UNEXPECTED_END_OF_QUERY", "the query ends too early")
        self.place += 1
        return self.tokens[self.place - 1]

    def word(self, expected: str, code: str) -> None:
        if self.peek() != expected:
            raise QueryError(code, f"expected {expected}")
        self.take()

    def name(self) -> str:
        kind, text = self.take()
        if kind != "word":
            raise QueryError("BAD_FIELD_NAME", f"'{text}' is no field name")
        return text

    def value(self) -> str:
        kind, text = self.take()
        return text[1:-1] if kind == "text" else text


def _conditions(reader: _Reader) -> list[Condition]:
    found = []
    while True:
        name, mark = reader.name(), reader.take()[1].upper()
        if mark == "BETWEEN":
            found.append(Condition(name, ">=", reader.value()))
            reader.word("AND", "BAD_OPERATOR")
            found.append(Condition(name, "<=", reader.value()))
        elif mark == "IN":
            reader.word("(", "EXPECTED_LIST")
            values = [reader.value()]
            while reader.peek() == ",":
                reader.take()
                values.append(reader.value())
            reader.word(")", "EXPECTED_LIST")
            found.append(Condition(name, "IN", values))
        elif mark in COMPARISONS:
            found.append(Condition(name, mark, reader.value()))
        else:
            raise QueryError("BAD_OPERATOR", f"operator {mark} is not known")
        if reader.peek() != "AND":
            return found
        reader.take()


def parse(text: str) -> Query:
    """Parse a query.

    Raises:
        QueryError: with Google's code where the text is none.
    """
    reader = _Reader(text)
    reader.word("SELECT", "EXPECTED_SELECT")
    fields = [reader.name()]
    while reader.peek() == ",":
        reader.take()
        fields.append(reader.name())
    reader.word("FROM", "EXPECTED_FROM")
    query = Query(fields, reader.name())
    if reader.peek() == "WHERE":
        reader.take()
        query.where = _conditions(reader)
    if reader.peek() == "ORDER":
        reader.take()
        reader.word("BY", "EXPECTED_BY")
        while True:
            name = reader.name()
            down = reader.peek() == "DESC"
            if reader.peek() in ("ASC", "DESC"):
                reader.take()
            query.order.append((name, down))
            if reader.peek() != ",":
                break
            reader.take()
    if reader.peek() == "LIMIT":
        reader.take()
        limit = reader.value()
        if not limit.isdigit() or int(limit) < 1:
            raise QueryError("BAD_LIMIT_VALUE", "LIMIT takes a positive whole number")
        query.limit = int(limit)
    if reader.peek():
        raise QueryError("UNEXPECTED_INPUT", f"unexpected input '{reader.peek()}'")
    if len(set(fields)) != len(fields):
        raise QueryError("BAD_FIELD_NAME", "a field is selected twice")
    return query
