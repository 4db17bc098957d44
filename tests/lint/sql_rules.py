"""What no query may say: constructs that parse on both engines and mean two different things.

Each rule names what goes wrong and what to write instead. A construct that the translation in
``trueline.warehouse.dialect`` learns to correct leaves this list; differences that only show in
the types (a division of NUMERIC, JSON of a TIMESTAMP) are refused by ``python -m tests.googlesql``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from tests.lint.banned import BANNED_FUNCTIONS, BANNED_PARTS


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One violation, at a place an editor can jump to."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


# What the two engines write alike of a date.
_FORMAT_PARTS = re.compile(r"(?:%[YymdHMSFjGVUWuwAaBbx]|[^%])*")
_SUB_DAY = {"HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND"}


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


def _substring_counts_from_one(node: exp.Expression) -> str | None:
    start = node.args.get("start") if isinstance(node, exp.Substring) else None
    if start is not None and not (isinstance(start, exp.Literal) and start.name != "0"):
        return "substr from 0 or from behind differs on DuckDB: count from 1, with a number"
    return None


def _left_and_right_take_a_number(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Left | exp.Right) and not isinstance(node.expression, exp.Literal):
        return "left and right of less than 0 fail in BigQuery only: take a number as written"
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
        part = "WEEK" if isinstance(node.this, exp.WeekStart) else node.this.name.upper()
        if part in BANNED_PARTS:
            return f"extract({part.lower()}): {BANNED_PARTS[part]}"
    return None


def _no_decimal_point(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Literal) and not node.is_string and not node.is_int:
        if node.find_ancestor(exp.Interval, exp.DataType):
            return None
        return f"{node.name} is FLOAT64 in BigQuery and DECIMAL on DuckDB: write numeric '…'"
    return None


def _no_cast_of_a_literal(node: exp.Expression) -> str | None:
    """What the static gate cannot see: the analyser computes casts of literals by itself."""
    if not isinstance(node, exp.Cast):
        return None
    inner = node.this
    if node.is_type(*exp.DataType.TEXT_TYPES) and (
        isinstance(inner, exp.Cast) and inner.is_type("DECIMAL", "DOUBLE", "TIMESTAMPTZ")
    ):
        return "the engines write numbers and moments as text differently: write the text"
    if node.is_type("DOUBLE") and node.this.is_string:
        return "FLOAT64 of a text may be nan or inf, which sort differently: write numeric '…'"
    if node.is_type("BINARY", "VARBINARY"):
        return "DuckDB cannot make BYTES of letters beyond ASCII: hash the text itself"
    if node.to.expressions and not node.to.is_type("ARRAY", "STRUCT"):
        return "a length or scale in a type is not kept by DuckDB: check length, or use round"
    return None


def _no_bignumeric(node: exp.Expression) -> str | None:
    if isinstance(node, exp.DataType) and node.is_type(exp.DataType.Type.BIGDECIMAL):
        return "BIGNUMERIC has no equal on DuckDB: use NUMERIC"
    return None


def _no_shift(node: exp.Expression) -> str | None:
    if isinstance(node, exp.BitwiseLeftShift | exp.BitwiseRightShift):
        return "a shift of a negative number or by 64 differs: multiply, or use div()"
    return None


def _no_safe_prefix(node: exp.Expression) -> str | None:
    if isinstance(node, exp.SafeFunc):
        return "safe. cannot be said on DuckDB: check the value first, or parse when it is read"
    return None


def _no_format_in_a_cast(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Cast) and node.args.get("format"):
        return "cast with format cannot be said on DuckDB: use format_date"
    return None


def _dates_are_written_alike(node: exp.Expression) -> str | None:
    if isinstance(node, exp.TimeToStr) and _name(node) != "format_timestamp":
        pattern = node.args["format"]
        if not (pattern.is_string and _FORMAT_PARTS.fullmatch(pattern.name)):
            return "format_date differs on DuckDB but for years, months, days, weeks and names"
    return None


def _no_offset_for_a_zone(node: exp.Expression) -> str | None:
    zone = node.args.get("zone")
    if isinstance(zone, exp.Literal) and re.match(r"[+-]", zone.name):
        return "DuckDB does not know an offset as a time zone: name it, like 'Asia/Kolkata'"
    return None


def _zones_are_for_days(node: exp.Expression) -> str | None:
    if (
        isinstance(node, exp.TimestampTrunc)
        and node.args.get("zone")
        and node.args["unit"].name.upper() in _SUB_DAY
    ):
        return "timestamp_trunc below a day ignores the zone on DuckDB: leave it out, or use day"
    return None


def _one_group_in_a_pattern(node: exp.Expression) -> str | None:
    if isinstance(node, exp.RegexpExtract | exp.RegexpExtractAll):
        pattern = node.expression
        parts = pattern.expressions if isinstance(pattern, exp.Concat) else [pattern]
        is_text = all(isinstance(part, exp.Literal | exp.RawString) for part in parts)
        if not is_text or _groups("".join(part.name for part in parts)) > 1:
            return "a pattern with two groups fails in BigQuery only: write one group, as a text"
    return None


def _groups(pattern: str) -> int:
    try:
        return re.compile(re.sub(r"\\[pP](?:\{\w+\}|\w)", ".", pattern)).groups
    except re.error:
        return 2


def _order_is_said(node: exp.Expression) -> str | None:
    """What depends on the order of rows must say it."""
    if isinstance(node, exp.GroupConcat | exp.ArrayAgg) and not node.find(exp.Order):
        name = "array_agg" if isinstance(node, exp.ArrayAgg) else "string_agg"
        return f"{name} without order by: a second run may give another order"
    query = node.parent if isinstance(node, exp.Limit | exp.Offset) else None
    if isinstance(query, exp.Query) and not query.args.get("order"):
        return "limit without order by: a second run may give other rows"
    return None


def _no_array_of_a_subquery(node: exp.Expression) -> str | None:
    query = node.expressions[0] if isinstance(node, exp.Array) and node.expressions else None
    if isinstance(query, exp.Query) and not query.args.get("order"):
        return "array(select ...) without order by: a second run may give another order"
    return None


def _no_limit_in_an_aggregate(node: exp.Expression) -> str | None:
    if isinstance(node, exp.GroupConcat | exp.ArrayAgg) and node.find(exp.Limit):
        return "limit in an aggregate cannot be said on DuckDB: filter with row_number()"
    return None


def _countif_is_not_distinct(node: exp.Expression) -> str | None:
    if isinstance(node, exp.CountIf) and isinstance(node.this, exp.Distinct):
        return "countif(distinct ...) cannot be said on DuckDB: use count(distinct if(...))"
    return None


def _no_alias_like_a_column(node: exp.Expression) -> str | None:
    """BigQuery takes such a name for the alias, DuckDB for the column."""
    if not isinstance(node, exp.Select):
        return None
    of_itself, renaming = _aliases_like_columns(node)
    # Only a whole expression of GROUP BY can be an alias.
    grouped = {
        each.name.lower()
        for each in getattr(node.args.get("group"), "expressions", ())
        if isinstance(each, exp.Column) and not each.table
    }
    hidden = {"group by": of_itself & grouped}
    for key, clause in (("qualify", "qualify"), ("order", "order by")):
        hidden[clause] = (of_itself | renaming) & set(_names_said(node.args.get(key)))
    for clause, names in hidden.items():
        if names:
            return (
                f"{min(names)} in {clause} means the alias in BigQuery and may mean a column on "
                "DuckDB: give the alias a name of its own, or repeat the expression"
            )
    return None


def _aliases_like_columns(select: exp.Select) -> tuple[set[str], set[str]]:
    """Aliases of an expression that reads a column of that name, and of another column."""
    of_itself, renaming = set(), set()
    for alias in select.expressions:
        if not isinstance(alias, exp.Alias):
            continue
        name, inner = alias.alias.lower(), alias.this
        if isinstance(inner, exp.Column):
            renaming |= {name} - {inner.name.lower()}
        elif name in {column.name.lower() for column in inner.find_all(exp.Column)}:
            of_itself.add(name)
    return of_itself, renaming


def _names_said(clause: exp.Expression | None) -> Iterator[str]:
    """Columns without a table, outside of windows; a bare name to order by is no expression."""
    for column in clause.find_all(exp.Column) if clause else ():
        bare = isinstance(column.parent, exp.Ordered)
        if not column.table and not bare and not column.find_ancestor(exp.Window):
            yield column.name.lower()


def _fields_have_names(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Struct) and not all(
        isinstance(each, exp.PropertyEQ | exp.Column) for each in node.expressions
    ):
        return "a field without a name gets another one on DuckDB: struct(x as name)"
    if isinstance(node, exp.In) and isinstance(node.this, exp.Tuple):
        return "(a, b) in (...) treats NULL differently: use exists, or a join"
    return None


def _rounding_takes_a_number(node: exp.Expression) -> str | None:
    places = node.args.get("decimals") if isinstance(node, exp.Round) else None
    if places is not None and not places.is_int:
        return "round to places out of a column fails on DuckDB: take a number as written"
    return None


def _no_turned_table(node: exp.Expression) -> str | None:
    if isinstance(node, exp.Pivot):
        return "pivot and unpivot name columns differently: write sum(if(...)) or union all"
    if isinstance(node, exp.TableSample):
        return "a sample differs by engine and run: filter by the row's key"
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
    _substring_counts_from_one,
    _left_and_right_take_a_number,
    _no_unsafe_offset,
    _no_offset_of_unnest,
    _no_part_of_a_week,
    _no_limit_in_an_aggregate,
    _no_decimal_point,
    _no_cast_of_a_literal,
    _no_bignumeric,
    _no_shift,
    _no_safe_prefix,
    _no_format_in_a_cast,
    _dates_are_written_alike,
    _no_offset_for_a_zone,
    _zones_are_for_days,
    _one_group_in_a_pattern,
    _order_is_said,
    _no_array_of_a_subquery,
    _countif_is_not_distinct,
    _no_alias_like_a_column,
    _rounding_takes_a_number,
    _fields_have_names,
    _no_turned_table,
    _no_star_beside_joins,
    _last_step_names_its_columns,
    _no_bare_word,
)
