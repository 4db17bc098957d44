"""The part of SOQL that readers need, parsed and answered strictly.

``SELECT fields FROM object [WHERE ...] [ORDER BY ...] [LIMIT n]`` with fields of the object or of a
parent (``Lead.CreatedDate``). AND and OR are not mixed without brackets, a time is not quoted,
and what cannot be filtered is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sandbox.server.salesforce_records import FIELDS, PARENTS, Org, Row

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')"
    r"|(?P<time>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2}))"
    r"|(?P<day>\d{4}-\d{2}-\d{2})|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_][\w.]*)|(?P<mark><=|>=|!=|<>|[=<>(),]))"
)
UNFILTERABLE = {"anyType", "address", "textarea"}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left is not None and right is not None and left < right,
    ">": lambda left, right: left is not None and right is not None and left > right,
    "<=": lambda left, right: left is not None and right is not None and left <= right,
    ">=": lambda left, right: left is not None and right is not None and left >= right,
}
Test = Callable[[Row], bool]


class SoqlError(Exception):
    """A query that Salesforce would refuse, with its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Select:
    """One parsed query. ``columns`` are in the org's spelling, parents with their dot."""

    sobject: str
    columns: list[str]
    test: Test
    order: list[tuple[str, bool]]
    limit: int | None
    has_aggregate: bool = False


def typed(sobject: str, column: str) -> str:
    """The type of a column, of a parent too."""
    relationship, _, field = column.rpartition(".")
    target = PARENTS[sobject][relationship][1] if relationship else sobject
    return FIELDS[target][field]


class Soql:
    """Parses and answers queries over one org."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def value(self, sobject: str, row: Row, column: str) -> Any:
        """A column of a row; of a missing parent None."""
        relationship, _, field = column.rpartition(".")
        if not relationship:
            return row[field]
        parent = self._org.parent(sobject, row, relationship)
        return parent[field] if parent else None

    def rows(self, query: Select, *, deleted: bool) -> list[Row]:
        """The rows of a query; ``deleted`` for queryAll."""
        found = [
            row
            for row in self._org.tables[query.sobject]
            if (deleted or not row.get("IsDeleted")) and query.test(row)
        ]
        for column, down in reversed(query.order):
            found.sort(
                key=lambda row, column=column: _sortable(self.value(query.sobject, row, column)),  # type: ignore[misc]
                reverse=down,
            )
        return found[: query.limit]

    def parse(self, text: str) -> Select:
        """Parse a query.

        Raises:
            SoqlError: with Salesforce's code.
        """
        return _Parser(text, self).select()


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)


class _Parser:
    def __init__(self, text: str, soql: Soql) -> None:
        self._text, self._soql = text, soql
        self._tokens: list[tuple[str, str, int]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            found = TOKEN.match(text, position)
            if found is None:
                raise self._malformed(f"unexpected token: '{text[position:].strip()[:1]}'")
            kind = str(found.lastgroup)
            self._tokens.append((kind, found[kind], found.start(kind)))
            position = found.end()
        self._at, self._sobject = 0, ""

    def select(self) -> Select:
        self._word("SELECT")
        names = self._names()
        self._word("FROM")
        self._sobject = self._object()
        columns = [self._column(name, place) for name, place in names]
        repeated = next((each for each in columns if columns.count(each) > 1), None)
        if repeated:
            raise self._malformed(f"duplicate field selected: {repeated}")
        test: Test = lambda row: True  # noqa: E731
        if self._is("WHERE"):
            test = self._either()
        order: list[tuple[str, bool]] = []
        if self._is("ORDER"):
            self._word("BY")
            order = self._order()
        limit = None
        if self._is("LIMIT"):
            limit = int(self._take("number"))
        if self._at < len(self._tokens):
            raise self._malformed(f"unexpected token: '{self._tokens[self._at][1]}'")
        return Select(self._sobject, columns, test, order, limit)

    def _names(self) -> list[tuple[str, int]]:
        found = []
        while True:
            place = self._place()
            name = self._take("name")
            if self._peek() == "(":
                raise SoqlError("MALFORMED_QUERY", "aggregate functions are not known here")
            found.append((name, place))
            if not self._is(","):
                return found

    def _object(self) -> str:
        name = self._take("name")
        known = {each.lower(): each for each in FIELDS}
        if name.lower() not in known:
            raise SoqlError(
                "INVALID_TYPE",
                f"\n{self._text}\nERROR at Row:1:Column:1\nsObject type '{name}' is not supported. "
                "If you are attempting to use a custom object, be sure to append the '__c' after "
                "the entity name.",
            )
        return known[name.lower()]

    def _column(self, name: str, place: int) -> str:
        relationship, _, field = name.rpartition(".")
        target, prefix = self._sobject, ""
        if relationship:
            if relationship.lower() == self._sobject.lower():
                return self._column(field, place)
            known = {each.lower(): each for each in PARENTS.get(self._sobject, {})}
            if relationship.lower() not in known:
                raise SoqlError(
                    "INVALID_FIELD",
                    self._pointed(
                        place,
                        f"Didn't understand relationship '{relationship}' in field path.",
                    ),
                )
            prefix = known[relationship.lower()]
            target = PARENTS[self._sobject][prefix][1]
        fields = {each.lower(): each for each in FIELDS[target]}
        if field.lower() not in fields:
            raise SoqlError(
                "INVALID_FIELD",
                self._pointed(
                    place,
                    f"No such column '{field}' on entity '{target}'. If you are attempting to use "
                    "a custom field, be sure to append the '__c' after the custom field name. "
                    "Please reference your WSDL or the describe call for the appropriate names.",
                ),
            )
        spelled = fields[field.lower()]
        return f"{prefix}.{spelled}" if prefix else spelled

    def _either(self) -> Test:
        first = self._one()
        word = self._peek().upper()
        if word not in ("AND", "OR"):
            return first
        tests = [first]
        while self._is(word):
            tests.append(self._one())
        if self._peek().upper() in ("AND", "OR"):
            raise self._malformed(f"unexpected token: '{self._peek()}'")
        join = all if word == "AND" else any
        return lambda row: join(test(row) for test in tests)

    def _one(self) -> Test:
        if self._is("NOT"):
            inner = self._one()
            return lambda row: not inner(row)
        if self._is("("):
            inner = self._either()
            self._word(")")
            return inner
        place = self._place()
        column = self._column(self._take("name"), place)
        kind = typed(self._sobject, column)
        if kind in UNFILTERABLE:
            raise SoqlError(
                "INVALID_FIELD",
                self._pointed(place, f"field '{column}' can not be filtered in a query call"),
            )
        negated = self._peek().upper() == "NOT"
        if negated or self._peek().upper() == "IN":
            self._at += negated
            self._word("IN")
            return self._in(column, kind, negated=negated)
        mark = self._take("mark").replace("<>", "!=")
        if mark not in COMPARE:
            raise self._malformed(f"unexpected token: '{mark}'")
        wanted = self._literal(column, kind)
        compare, sobject, soql = COMPARE[mark], self._sobject, self._soql
        return lambda row: compare(_folded(soql.value(sobject, row, column), kind), wanted)

    def _in(self, column: str, kind: str, *, negated: bool) -> Test:
        self._word("(")
        wanted = [self._literal(column, kind)]
        while self._is(","):
            wanted.append(self._literal(column, kind))
        self._word(")")
        sobject, soql = self._sobject, self._soql
        return lambda row: (_folded(soql.value(sobject, row, column), kind) in wanted) != negated

    def _literal(self, column: str, kind: str) -> Any:
        if self._at >= len(self._tokens):
            raise self._malformed("unexpected token: '<EOF>'")
        given, text, _ = self._tokens[self._at]
        self._at += 1
        if given == "name" and text.lower() == "null":
            return None
        quoted = given == "text"
        readers: dict[str, tuple[str, Callable[[str], Any]]] = {
            "datetime": ("time", lambda value: datetime.fromisoformat(value).astimezone(UTC)),
            "date": ("day", date.fromisoformat),
            "boolean": ("name", lambda value: {"true": True, "false": False}[value.lower()]),
            "double": ("number", float),
            "currency": ("number", float),
        }
        wanted, read = readers.get(kind, ("text", _unquoted))
        if given != wanted:
            raise SoqlError(
                "INVALID_FIELD",
                f"\n{self._text}\nvalue of filter criterion for field '{column}' must be of type "
                f"{kind} and should {'not ' if quoted else ''}be enclosed in quotes",
            )
        try:
            return _folded(read(text), kind)
        except (ValueError, KeyError):
            raise self._malformed(f"line 1: no viable alternative at '{text}'") from None

    def _order(self) -> list[tuple[str, bool]]:
        found = []
        while True:
            place = self._place()
            column = self._column(self._take("name"), place)
            down = self._peek().upper() == "DESC"
            if self._peek().upper() in ("ASC", "DESC"):
                self._at += 1
            if self._is("NULLS"):
                self._take("name")
            found.append((column, down))
            if not self._is(","):
                return found

    def _place(self) -> int:
        return self._tokens[self._at][2] if self._at < len(self._tokens) else len(self._text)

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _is(self, word: str) -> bool:
        if self._peek().upper() != word:
            return False
        self._at += 1
        return True

    def _word(self, word: str) -> None:
        if not self._is(word):
            raise self._malformed(f"expecting '{word}', found '{self._peek() or '<EOF>'}'")

    def _take(self, kind: str) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] != kind:
            raise self._malformed(f"unexpected token: '{self._peek() or '<EOF>'}'")
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _malformed(self, why: str) -> SoqlError:
        return SoqlError("MALFORMED_QUERY", why)

    def _pointed(self, place: int, why: str) -> str:
        return f"\n{self._text}\n{' ' * place}^\nERROR at Row:1:Column:{place + 1}\n{why}"


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _folded(value: Any, kind: str) -> Any:
    """Text compares without regard to case, ids with."""
    return value.lower() if isinstance(value, str) and kind not in ("id", "reference") else value


def columns_of_bulk(query: Select) -> Sequence[str]:
    """The columns as a query job gives them.

    Raises:
        SoqlError: for compound fields.
    """
    if any(typed(query.sobject, column) == "address" for column in query.columns):
        raise SoqlError(
            "FUNCTIONALITY_NOT_ENABLED", "Selecting compound data not supported in Bulk Query"
        )
    return query.columns
