"""What no query may say: constructs that parse on both engines and mean two different things.

Each rule names what goes wrong and what to write instead. A construct that the translation in
``trueline.warehouse.dialect`` learns to correct leaves this list; differences that only show in
the types (a division of NUMERIC, JSON of a TIMESTAMP) are refused by ``python -m tests.googlesql``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlglot
from sqlglot import exp


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One violation, at a place an editor can jump to."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


# BigQuery's names of functions and what to write instead.
BANNED_FUNCTIONS = {
    **dict.fromkeys(
        ("current_timestamp", "current_date", "current_datetime", "current_time"),
        "no query reads the clock, or a rebuild would give other numbers: use @as_of",
    ),
    **dict.fromkeys(
        ("rand", "generate_uuid"),
        "a second run would give other rows: derive it from the row's key with sha256",
    ),
    "ieee_divide": "DuckDB does not know it: use safe_divide of FLOAT64",
    "to_json": "the engines write it differently: cast to STRING, one column per value",
    "sha512": "DuckDB silently returns SHA-256: use sha256",
    "format": "DuckDB returns the pattern itself: join with || and cast to STRING",
    "parse_timestamp": "naive on DuckDB: parse when the file is read",
    **dict.fromkeys(
        ("timestamp_micros", "timestamp_millis", "timestamp_seconds"),
        "naive on DuckDB: make it a timestamp when the file is read",
    ),
    "farm_fingerprint": "DuckDB does not know it: use to_hex(sha256(...))",
    **dict.fromkeys(
        ("normalize", "normalize_and_casefold"),
        "DuckDB does not know it: normalise when the row is read",
    ),
    **dict.fromkeys(
        ("approx_count_distinct", "approx_quantiles", "approx_top_count", "approx_top_sum"),
        "an approximation differs by engine and run: count exactly",
    ),
    **dict.fromkeys(
        ("contains_substr", "soundex", "session_user"),
        "the engines differ: use strpos or like",
    ),
    **dict.fromkeys(
        ("host", "reg_domain", "public_suffix"),
        "the engines differ on addresses: take the host out when the row is read",
    ),
}
BANNED_PARTS = {
    "DAYOFWEEK": "DuckDB counts from 0, BigQuery from 1: use date_diff from a known Monday",
    "WEEK": "DuckDB counts ISO weeks: use date_trunc(day, isoweek)",
    "ISOWEEK": "DuckDB does not know it: use date_trunc(day, isoweek)",
    "ISOYEAR": "DuckDB does not know it: use date_trunc(day, isoweek)",
}


def check_query(text: str, path: str) -> list[Finding]:
    """All violations in one BigQuery statement, in order."""
    try:
        tree = sqlglot.parse_one(text, read="bigquery")
    except sqlglot.ParseError as error:
        detail = error.errors[0] if error.errors else {}
        message = f"not BigQuery SQL: {detail.get('description', 'cannot be parsed')}"
        return [Finding(path, detail.get("line", 1), detail.get("col", 1), message)]
    found = set()
    for node in tree.walk():
        for rule in _RULES:
            message = rule(node)
            if message:
                line, column = _place(node, text)
                found.add(Finding(path, line, column, message))
    return sorted(found)


def _place(node: exp.Expression, text: str) -> tuple[int, int]:
    """1-based line and column of the node's first token that has a place."""
    starts = [each.meta["start"] for each in node.walk() if "start" in each.meta]
    if starts:
        start = min(starts)
    else:
        # current_date without parentheses is the one function that comes without a place.
        word = re.search(rf"\b{_name(node)}\b", text, re.IGNORECASE)
        start = word.start() if word else 0
    return text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1) + 1


def _name(node: exp.Expression) -> str:
    """A function's name as BigQuery knows it."""
    known = node.meta.get("bigquery_name")
    if known:
        return str(known).lower()
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower()
    return node.sql_name().lower() if isinstance(node, exp.Func) else ""


def _no_banned_function(node: exp.Expression) -> str | None:
    if not isinstance(node, exp.Func | exp.NetFunc):
        return None
    name = _name(node)
    return f"{name}: {BANNED_FUNCTIONS[name]}" if name in BANNED_FUNCTIONS else None


def _no_division_sign(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Div):
        return (
            "'/' fails on zero in BigQuery and not in DuckDB, and goes through DOUBLE: use div() "
            "of integers, safe_divide() of FLOAT64, or divide outside SQL"
        )
    return None


def _no_position_of_an_occurrence(node: exp.Expression) -> str | None:
    if isinstance(node, exp.StrPosition) and (
        node.args.get("position") or node.args.get("occurrence")
    ):
        return "instr with a position or occurrence differs on DuckDB: use strpos or split"
    return None


def _no_substring_from_zero(node: exp.Expression) -> str | None:
    start = node.args.get("start") if isinstance(node, exp.Substring) else None
    if isinstance(start, exp.Literal) and start.name == "0":
        return "substr from 0 gives one character less on DuckDB: count from 1"
    return None


def _no_unsafe_offset(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Bracket) and not node.args.get("safe"):
        return "an index past the end fails in BigQuery and is NULL in DuckDB: use safe_offset"
    return None


def _no_offset_of_unnest(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Unnest) and node.args.get("offset"):
        return "unnest with offset counts from 1 on DuckDB: number the rows with row_number()"
    return None


def _no_part_of_a_week(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Extract):
        part = node.this.name.upper()
        if part in BANNED_PARTS:
            return f"extract({part.lower()}): {BANNED_PARTS[part]}"
    return None


def _no_array_agg_with_limit(node: exp.Expression) -> str | None:
    if isinstance(node, exp.ArrayAgg) and (
        node.find(exp.Limit) or isinstance(node.parent, exp.IgnoreNulls)
    ):
        return "array_agg with limit or ignore nulls fails on DuckDB: filter with row_number()"
    return None


def _no_star_beside_joins(node: exp.Expression) -> str | None:
    """A star may pass on or widen one relation; over a join it hides whose columns they are."""
    if not isinstance(node, exp.Select):
        return None
    stars = [each for each in node.expressions if each.is_star]
    if len(stars) > 1 or (node.args.get("joins") and any(isinstance(s, exp.Star) for s in stars)):
        return "select * over a join hides whose columns they are: name them, or one relation's *"
    return None


def _last_step_names_its_columns(node: exp.Expression) -> str | None:
    """What a table holds is readable at the end of its query, in the order it is stored."""
    if not isinstance(node, exp.With) or node.find_ancestor(exp.With):
        return None
    last = node.expressions[-1].this
    selects = last.find_all(exp.Select) if isinstance(last, exp.SetOperation) else [last]
    if any(each.is_star for select in selects for each in select.expressions):
        return f"the last step, {node.expressions[-1].alias}, must name its columns"
    return None


def _no_bare_word(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Identifier) and node.name.lower() == "conversions":
        return BARE_WORD
    return None


BARE_WORD = "'conversions' says not whose: pixel_conversions, real_leads or qualified_leads"

_RULES: tuple[Callable[[exp.Expression], str | None], ...] = (
    _no_banned_function,
    _no_division_sign,
    _no_position_of_an_occurrence,
    _no_substring_from_zero,
    _no_unsafe_offset,
    _no_offset_of_unnest,
    _no_part_of_a_week,
    _no_array_agg_with_limit,
    _no_star_beside_joins,
    _last_step_names_its_columns,
    _no_bare_word,
)
