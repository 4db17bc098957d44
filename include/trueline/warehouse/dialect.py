"""BigQuery SQL into DuckDB's, and back to the few things SQLGlot silently gets wrong.

Each correction names the wrong result it prevents and an entry of the corpus under
``tests/googlesql`` that fails without it. Constructs that cannot be made equal are refused by
``make lint`` instead of corrected here. ``docs/reference/two-engines.md`` has both lists.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import sqlglot
from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Correction:
    """One rewriting of a node; it does not look at types, for none are known here."""

    name: str
    prevents: str
    example: str
    apply: Callable[[exp.Expr], exp.Expr]


_NUMERIC = exp.DataType.build("DECIMAL(38,9)", dialect="duckdb")
_NUMERIC_PLACES = 9
# All that Unicode calls white space: what BigQuery's TRIM takes away.
_WHITE_SPACE = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)
# A capital sigma after a letter and before none ends a word; marks and points in between are
# looked through.
_CASED = r"\p{Lu}\p{Ll}\p{Lt}"
_IGNORED = r"\p{Mn}\p{Me}\p{Cf}\p{Lm}\p{Sk}'.:\x{00B7}\x{2018}\x{2019}\x{2024}\x{2027}"
_SIGMA_AT_THE_END = rf"([{_CASED}][{_IGNORED}]*)Σ([{_IGNORED}]*(?:$|[^{_CASED}{_IGNORED}]))"


def _numeric_keeps_nine_decimals(node: exp.Expr) -> exp.Expr:
    if (
        isinstance(node, exp.DataType)
        and node.is_type(exp.DataType.Type.DECIMAL)
        and not node.expressions
    ):
        return _NUMERIC.copy()
    return node


def _product_is_rounded(node: exp.Expr) -> exp.Expr:
    # A whole number adds no decimals; rounding one is harmless, and no query multiplies FLOAT64.
    if isinstance(node, exp.Mul) and not (node.this.is_int or node.expression.is_int):
        return _function("round", node.copy(), exp.Literal.number(_NUMERIC_PLACES))
    return node


def _chr_takes_32_bits(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Chr) and not isinstance(node.expressions[0], exp.Cast):
        return exp.Chr(expressions=[exp.cast(node.expressions[0].copy(), "INT")])
    return node


def _factor_has_64_bits(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal) and node.is_int and isinstance(node.parent, exp.Mul):
        return exp.cast(node.copy(), "BIGINT")
    return node


def _timestamp_diff_counts_whole_units(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.TimestampDiff):
        unit = exp.Literal.string(str(node.args["unit"].name).lower())
        return _function("date_sub", unit, node.expression, node.this)
    return node


def _date_arithmetic_stays_date(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.DateAdd | exp.DateSub):
        return _as_date(node)
    return node


def _date_trunc_stays_date(node: exp.Expr) -> exp.Expr:
    # The static gate keeps timestamps to TIMESTAMP_TRUNC.
    if isinstance(node, exp.DateTrunc):
        return _as_date(node)
    return node


def _like_knows_its_escape(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Like) and not isinstance(node.parent, exp.Escape):
        return exp.Escape(this=node.copy(), expression=exp.Literal.string("\\"))
    return node


def _div_keeps_its_operands(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.IntDiv):
        for side in ("this", "expression"):
            if isinstance(node.args[side], exp.Binary | exp.Unary):
                node.set(side, exp.Paren(this=node.args[side].copy()))
    return node


def _div_stays_together(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.IntDiv) and isinstance(node.parent, exp.Binary | exp.Unary):
        return exp.Paren(this=node.copy())
    return node


def _trim_takes_all_white_space(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Trim) and not node.expression:
        if node.args.get("position"):
            node.set("expression", exp.Literal.string(_WHITE_SPACE))
            return node
        trimmed = exp.Trim(this=node.this.copy(), expression=exp.Literal.string(_WHITE_SPACE))
        # DuckDB makes a set of these characters for every row; nearly all texts begin and end with
        # something visible, which leaves nothing to take.
        return exp.Case(
            ifs=[exp.If(this=_begins_and_ends_visibly(node.this), true=node.this.copy())],
            default=trimmed,
        )
    return node


def _begins_and_ends_visibly(text: exp.Expr) -> exp.Expr:
    sides = [
        exp.Between(
            this=_function(side, text.copy(), exp.Literal.number(1)),
            low=exp.Literal.string("!"),
            high=exp.Literal.string("~"),
        )
        for side in ("left", "right")
    ]
    return exp.and_(*sides)


def _lower_knows_two_letters(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Lower):
        return node
    text = _function(
        "replace", node.this.copy(), exp.Literal.string("İ"), exp.Literal.string("i\u0307")
    )
    careful = exp.Lower(
        this=_function(
            "regexp_replace",
            text,
            exp.Literal.string(_SIGMA_AT_THE_END),
            exp.Literal.string(r"\1ς\2"),
            exp.Literal.string("g"),
        )
    )
    # A text of single bytes has neither letter, and the expression takes eight times as long.
    single_bytes = exp.EQ(
        this=_function("strlen", node.this.copy()), expression=_function("length", node.this.copy())
    )
    return exp.Case(
        ifs=[exp.If(this=single_bytes, true=exp.Lower(this=node.this.copy()))],
        default=careful,
    )


def _upper_may_be_longer(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Upper):
        return node
    letter = exp.column("letter")
    letters = _function("string_split", node.this, exp.Literal.string(""))
    longer = exp.Case(
        ifs=[
            # Most letters come before the first of these, and need not be looked for.
            exp.If(
                this=exp.LT(this=letter, expression=exp.Literal.string(min(_longer_uppers()))),
                true=_function("upper", letter),
            ),
            *(
                exp.If(
                    this=exp.EQ(this=letter.copy(), expression=exp.Literal.string(lower)),
                    true=exp.Literal.string(upper),
                )
                for lower, upper in _longer_uppers().items()
            ),
        ],
        default=_function("upper", letter.copy()),
    )
    each = exp.Lambda(this=longer, expressions=[exp.to_identifier("letter")])
    return _function(
        "array_to_string", _function("list_transform", letters, each), exp.Literal.string("")
    )


def _countif_of_nothing_is_zero(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.CountIf):
        one = exp.Case(ifs=[exp.If(this=node.this, true=exp.Literal.number(1))])
        return exp.Count(this=one)
    return node


def _membership_is_a_join(node: exp.Expr) -> exp.Expr:
    """``x in unnest(@list)``: SQLGlot writes a CASE, which DuckDB asks for every row of the table.

    As a join the list's values reach the scan, which leaves out what cannot match.
    """
    if isinstance(node, exp.In) and isinstance(node.args.get("unnest"), exp.Unnest):
        listed = node.args["unnest"].expressions[0]
        values = exp.select(exp.Unnest(expressions=[listed.copy()]))
        return exp.In(this=node.this.copy(), query=exp.Subquery(this=values))
    return node


@cache
def _longer_uppers() -> dict[str, str]:
    """Letters whose upper case is more than one letter, like ß."""
    letters = (chr(code) for code in range(0x10000))
    return {letter: letter.upper() for letter in letters if len(letter.upper()) > 1}


def _as_date(node: exp.Expr) -> exp.Expr:
    parent = node.parent
    if isinstance(parent, exp.Cast) and parent.is_type("DATE"):
        return node
    return exp.cast(node.copy(), "DATE")


def _function(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


CORRECTIONS: tuple[Correction, ...] = (
    Correction(
        "NUMERIC has nine decimals",
        "A bare DECIMAL is DECIMAL(18,3): 0.123456789 became 0.123.",
        "integer_union_numeric",
        _numeric_keeps_nine_decimals,
    ),
    Correction(
        "A product of NUMERIC is rounded to nine decimals",
        "DuckDB keeps eighteen, so sums and comparisons of products came out differently.",
        "numeric_product_summed",
        _product_is_rounded,
    ),
    Correction(
        "A whole factor has 64 bits",
        "A small number is an INTEGER of 32 bits: @days * 86400000 failed by overflow.",
        "integer_product_of_parameter",
        _factor_has_64_bits,
    ),
    Correction(
        "TIMESTAMP_DIFF counts whole units",
        "date_diff counts boundaries: from 23:59 to 00:01 was a day.",
        "timestamp_diff_days",
        _timestamp_diff_counts_whole_units,
    ),
    Correction(
        "DATE_ADD and DATE_SUB give a DATE",
        "DATE + INTERVAL is a TIMESTAMP: as text, a day got a time.",
        "date_add_cast",
        _date_arithmetic_stays_date,
    ),
    Correction(
        "DATE_TRUNC gives a DATE",
        "It was a TIMESTAMP: a month as text, or beside days in a union, got a time.",
        "date_trunc_month",
        _date_trunc_stays_date,
    ),
    Correction(
        "A backslash escapes in LIKE",
        "DuckDB takes it as itself: '100\\%' was not found.",
        "like_escaped_percent",
        _like_knows_its_escape,
    ),
    Correction(
        "DIV keeps its operands",
        "DIV(a + b, 2 * c) was written as a + b // 2 * c.",
        "div_of_sums",
        _div_keeps_its_operands,
    ),
    Correction(
        "DIV stays together",
        "2 * DIV(7, 2) was written as 2 * 7 // 2, which is 7 instead of 6.",
        "div_in_a_product",
        _div_stays_together,
    ),
    Correction(
        "TRIM takes all white space",
        "DuckDB takes blanks only: tabs and line ends stayed, so a blank field was not NULL.",
        "nullif_of_trimmed",
        _trim_takes_all_white_space,
    ),
    Correction(
        "LOWER knows two letters",
        "İ became i without its point, and Σ at the end of a word σ instead of ς.",
        "lower_of_words",
        _lower_knows_two_letters,
    ),
    Correction(
        "UPPER may be longer",
        "ß became ẞ instead of SS, and ligatures stayed.",
        "upper_of_words",
        _upper_may_be_longer,
    ),
    Correction(
        "CHR of a whole number",
        "DuckDB's CHR refuses 64 bits.",
        "chr_of_a_code",
        _chr_takes_32_bits,
    ),
    Correction(
        "COUNTIF of nothing is zero",
        "COUNT_IF over no rows was NULL.",
        "countif_of_nothing",
        _countif_of_nothing_is_zero,
    ),
)


def to_duckdb(sql: str) -> str:
    """One BigQuery statement as DuckDB SQL; ``@name`` parameters become ``$name``."""
    found = _translated.get(sql)
    if found is None:
        found = _translated[sql] = translate(sql, CORRECTIONS, (_membership_is_a_join,))
    return found


# What this process has translated, or read of what another one had.
_translated: dict[str, str] = {}


@contextmanager
def translations_in(path: Path) -> Iterator[None]:
    """Use and keep translations in a file: a build has hundreds, which take seconds to make anew.

    The file is another's as soon as SQLGlot or this module is; whoever cannot read or write it
    translates as before.
    """
    maker = _maker()
    known: dict[str, str] = {}
    with suppress(OSError, ValueError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.get("maker") == maker:
            known = kept["translations"]
            _translated.update(known)
    before = set(_translated)
    try:
        yield
    finally:
        fresh = {sql: _translated[sql] for sql in _translated.keys() - before}
        if fresh:
            with suppress(OSError):
                part = path.with_suffix(f".{os.getpid()}.part")
                told = {"maker": maker, "translations": known | fresh}
                part.write_text(json.dumps(told), encoding="utf-8")
                part.replace(path)


@cache
def _maker() -> str:
    text = Path(__file__).read_bytes() + version("sqlglot").encode()
    return hashlib.sha256(text).hexdigest()[:16]


def translate(
    sql: str,
    corrections: Sequence[Correction],
    for_speed: Sequence[Callable[[exp.Expr], exp.Expr]] = (),
) -> str:
    """As :func:`to_duckdb`, with these corrections only."""
    tree = sqlglot.parse_one(sql, read="bigquery")
    for apply in (*(correction.apply for correction in corrections), *for_speed):
        tree = _rewritten(tree, apply)
    # After an apostrophe in a comment, DuckDB takes blanks of Unicode inside texts for plain ones.
    return tree.sql(dialect="duckdb", comments=False)


def _rewritten(tree: exp.Expr, apply: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Every node rewritten, the inner ones first; ``transform`` would stop at the outermost."""
    for node in reversed(list(tree.walk())):
        new = apply(node)
        if node is tree:
            tree = new
        elif new is not node:
            node.replace(new)
    return tree
