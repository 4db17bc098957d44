"""A corpus of BigQuery constructs: each is equal on both engines, or refused by name.

``corpus/*.yaml`` maps a name to SQL; a text that is no query is one expression. Under ``refused``
and ``fails_on_one`` the SQL stands beside what is told, or the engine that fails. The tables below
are made of values at which engines part: NULLs, ties, halves, letters of more than one byte, days
on which clocks change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import yaml

from tests.googlesql.analyser import Analyser, InvalidSqlError
from tests.googlesql.differential import differences, on_duckdb, states_an_order
from tests.googlesql.engine import Engine
from tests.googlesql.evaluator import EvaluationError, Evaluator, Result
from tests.googlesql.type_rules import difference
from tests.lint.sql_rules import check_query
from trueline.model.parameters import PARAMETERS
from trueline.warehouse.ddl import DUCKDB_TYPES
from trueline.warehouse.dialect import CORRECTIONS, Correction, translate
from trueline.warehouse.duckdb import in_memory

CORPUS_DIR = Path(__file__).with_name("corpus")
KINDS = ("equal", "refused", "fails_on_both", "fails_on_one")

TABLES: dict[str, list[tuple[str, str]]] = {
    "corpus.words": [("id", "INT64"), ("s", "STRING")],
    "corpus.oddities": [("id", "INT64"), ("s", "STRING")],
    "corpus.numbers": [("id", "INT64"), ("i", "INT64"), ("n", "NUMERIC"), ("f", "FLOAT64")],
    "corpus.moments": [("id", "INT64"), ("d", "DATE"), ("t", "TIMESTAMP")],
}
_WORDS = (
    "Maria",
    "Müller",
    "müller ",
    "  both ends ",
    "\ttab and line\n",
    "\u00a0no-break\u2003space\u3000",
    "",
    " ",
    None,
    "İstanbul",
    "Straße",
    "STRASSE",
    "Cafe\u0301",
    "Café",
    "👍🏽 ok",
    "👩‍👩‍👧",
    "Ünal",
    "ünal",
    "日本語",
    "100%",
    "a_b",
    "a\\b",
    "Zoë",
    "zebra",
    "Z",
    "ÉCOLE",
    "'quoted'",
    "a,b,,c",
    "\ufeffmark",
)
_ODDITIES = (
    " 12 ",
    "12",
    "+5",
    "-7",
    "007",
    "1e3",
    "1.5",
    ".5",
    "5.",
    "0x1F",
    "1_000",
    "1,000",
    "9223372036854775808",
    "0.0000000015",
    "inf",
    "NaN",
    "true",
    "TRUE",
    "t",
    "yes",
    "1",
    "0",
    "2026-1-5",
    "2026-01-05",
    " 2026-01-05",
    "20260105",
    "2026/01/05",
    "2026-01-05 10:00:00",
    "2026-01-05T10:00:00Z",
    "2026-01-05 10:00:00.123456+02:00",
    "2026-01-05 10:00:00 Europe/Berlin",
    "2026-02-30",
    "12026-01-01",
    "",
    None,
    "twelve",
    "1２",
)
_NUMBERS: tuple[tuple[int | None, str | None, float | None], ...] = (
    (1, "1.5", 1.5),
    (2, "2.5", 2.5),
    (2, "-2.5", -2.5),
    (None, None, None),
    (5, "0.123456789", 0.1),
    (-7, "-0.005", -0.005),
    (0, "0", 0.0),
    (9223372036854775807, "99999999999999999999999999999.999999999", 1e20),
    (-9223372036854775807, "-99999999999999999999999999999.999999999", -1e-7),
    (3, "1.100", 123456789.123456789),
    (7, "1.5", 1e15),
    (None, "0.000000001", 2.675),
)
_MOMENTS = (
    ("2026-03-29", "2026-03-29T00:59:59.999999+00:00"),
    ("2026-03-29", "2026-03-29T01:00:00+00:00"),
    ("2026-03-28", "2026-03-28T23:00:00+00:00"),
    ("2026-03-28", "2026-03-28T22:59:59.999999+00:00"),
    ("2026-10-25", "2026-10-24T22:00:00+00:00"),
    ("2026-10-25", "2026-10-25T00:30:00+00:00"),
    ("2026-10-25", "2026-10-25T01:30:00.500000+00:00"),
    ("2026-10-26", "2026-10-25T23:00:00+00:00"),
    ("2026-01-01", "2025-12-31T23:00:00.000001+00:00"),
    ("2024-02-29", "2024-02-29T12:34:56.789000+00:00"),
    ("2025-12-29", "2025-12-29T00:00:00+00:00"),
    ("2027-01-03", "2027-01-03T23:59:59+00:00"),
    ("1969-12-31", "1969-12-31T23:59:59.999999+00:00"),
    (None, None),
    ("2026-01-31", None),
)
ROWS: dict[str, list[dict[str, Any]]] = {
    "corpus.words": [{"id": n, "s": s} for n, s in enumerate(_WORDS, 1)],
    "corpus.oddities": [{"id": n, "s": s} for n, s in enumerate(_ODDITIES, 1)],
    "corpus.numbers": [
        {"id": n, "i": i, "n": None if d is None else Decimal(d), "f": f}
        for n, (i, d, f) in enumerate(_NUMBERS, 1)
    ],
    "corpus.moments": [
        {
            "id": n,
            "d": None if d is None else date.fromisoformat(d),
            "t": None if t is None else datetime.fromisoformat(t),
        }
        for n, (d, t) in enumerate(_MOMENTS, 1)
    ],
}
VALUES: Mapping[str, Any] = {
    **dict.fromkeys(PARAMETERS, None),
    "as_of": datetime(2026, 11, 20, 6, tzinfo=UTC),
    "rules_version": "v1",
    "reporting_time_zone": "Europe/Berlin",
    "first_date": date(2026, 3, 27),
    "last_date": date(2026, 3, 30),
    "no_duplicate_after_microseconds": 1_800_000_001,
    "repeat_days": 30,
    "sync_lag_minutes": 360,
    "attribution_model": "first_touch",
    "min_coverage": Decimal("0.333333333"),
    "qualified_score": Decimal("0.123456789"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One construct: its kind, and what is ``told`` where refused, or the engine that fails."""

    name: str
    kind: str
    shown: str
    told: str = ""
    failing_engine: str = ""

    @property
    def sql(self) -> str:
        is_query = re.match(r"\(?(select|with|from)\b", self.shown, re.IGNORECASE)
        return self.shown if is_query else f"select {self.shown} as v"


@cache
def entries(kind: str) -> tuple[Entry, ...]:
    return tuple(_read(kind))


def _read(kind: str) -> Iterable[Entry]:
    names: set[str] = set()
    for path in sorted(CORPUS_DIR.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert set(content) <= set(KINDS), f"{path.name} has other sections than {KINDS}"
        for name, given in content.get(kind, {}).items():
            assert name not in names, f"{name} stands twice"
            names.add(name)
            parts = given if isinstance(given, dict) else {"sql": str(given)}
            yield Entry(name, kind, parts["sql"], parts.get("told", ""), parts.get("engine", ""))


class BothEngines:
    """The corpus's tables on GoogleSQL's evaluator and on DuckDB, and the refusals before them."""

    def __init__(self) -> None:
        self._evaluator = Evaluator(TABLES, PARAMETERS)
        self._analyser = Analyser(Engine(), TABLES, PARAMETERS)
        self._duckdb = in_memory().raw
        self._duckdb.execute("create schema corpus")
        for key, columns in TABLES.items():
            self._evaluator.set_rows(key, ROWS[key])
            typed = ", ".join(f"{name} {DUCKDB_TYPES[kind]}" for name, kind in columns)
            self._duckdb.execute(f"create table {key} ({typed})")
            self._duckdb.executemany(
                f"insert into {key} values ({', '.join('?' for _ in columns)})",
                [[row[name] for name, _ in columns] for row in ROWS[key]],
            )
        self._told: dict[str, Result | EvaluationError] = {}

    def refusals(self, sql: str) -> list[str]:
        """What ``make lint`` says of it: the house's lint and the static gate."""
        found = [finding.message for finding in check_query(sql, "")]
        try:
            calls = self._analyser.analyse(sql).calls
        except InvalidSqlError as error:
            return [*found, error.message]
        return found + [message for call in calls if (message := difference(call))]

    def calls(self, sql: str) -> set[tuple[str, frozenset[str], str]]:
        return {
            (call.name, frozenset(call.argument_types), call.result_type)
            for call in self._analyser.analyse(sql).calls
        }

    def by_googlesql(self, sql: str) -> Result | EvaluationError:
        if sql not in self._told:
            try:
                self._told[sql] = self._evaluator.query(sql, VALUES)
            except EvaluationError as error:
                self._told[sql] = error
        return self._told[sql]

    def by_duckdb(
        self, sql: str, corrections: Iterable[Correction] = CORRECTIONS
    ) -> Result | Exception:
        try:
            return on_duckdb(
                self._duckdb, sql, VALUES, lambda text: translate(text, tuple(corrections))
            )
        except (duckdb.Error, ValueError) as error:
            return error

    def duckdb_rows(self, text: str) -> list[tuple[Any, ...]]:
        """Rows of a text in DuckDB's own dialect."""
        return self._duckdb.execute(text).fetchall()

    def differences(self, sql: str, corrections: Iterable[Correction] = CORRECTIONS) -> list[str]:
        """What differs, an error on one of the two included; two errors are alike."""
        theirs, ours = self.by_googlesql(sql), self.by_duckdb(sql, corrections)
        if isinstance(theirs, Result) and isinstance(ours, Result):
            return differences(theirs, ours, ordered=states_an_order(sql))
        if isinstance(theirs, Result):
            return [f"DuckDB fails: {ours}"]
        if isinstance(ours, Result):
            return [f"GoogleSQL fails: {theirs}"]
        return []
