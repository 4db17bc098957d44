"""Calls that both engines accept and answer differently, known by their types alone.

Each rule says what differs and what to write instead; an entry under ``refused`` in the corpus
differs without it. What shows in the text alone is the lint's (``tests/lint/sql_rules.py``).
"""

from __future__ import annotations

from collections.abc import Callable

from tests.googlesql.analyser import Call

_QUOTIENTS = {"$divide", "safe_divide", "ieee_divide", "avg", "div", "pow", "power", "sqrt"}
_DATE_ONLY = {"date_trunc", "date_add", "date_sub", "date_diff"}
_JSON_DIFFERS = {"FLOAT64", "NUMERIC", "TIMESTAMP"}
_COMPARISONS = {"$equal", "$not_equal", "$less", "$greater", "$in", "$is_distinct_from"}
_SUMS = {"sum", "avg"}
_WRITTEN_DIFFERENTLY = {
    "FLOAT64": "keep the number and let the reader format it",
    "NUMERIC": "keep the number and let the reader format it",
    "TIMESTAMP": "keep the timestamp and let the reader format it",
    "DATETIME": "keep the timestamp and let the reader format it",
}


def _numeric_through_double(call: Call) -> str | None:
    if call.name in _QUOTIENTS and call.result_type == "NUMERIC":
        return (
            f"{call.name.lstrip('$')} of NUMERIC goes through DOUBLE on DuckDB: divide outside "
            "SQL, or in integers with div()"
        )
    return None


def _date_function_of_a_timestamp(call: Call) -> str | None:
    if call.name in _DATE_ONLY and call.argument_types[:1] != ("DATE",):
        return (
            f"{call.name} of {call.argument_types[0]} becomes a DATE on DuckDB: use "
            f"{call.name.replace('date_', 'timestamp_')}"
        )
    return None


def _json_of_a_number_or_moment(call: Call) -> str | None:
    if call.name == "to_json_string" and _JSON_DIFFERS & set(call.argument_types):
        return (
            f"to_json_string of {', '.join(call.argument_types)} is written differently by the "
            "two engines: cast to STRING or INT64 first"
        )
    return None


def _span_between_two(call: Call) -> str | None:
    if call.name == "$subtract" and call.result_type == "INTERVAL":
        kind = call.argument_types[0].lower()
        return f"{kind} - {kind} is a span in BigQuery and a number on DuckDB: use {kind}_diff"
    return None


def _product_of_floats(call: Call) -> str | None:
    # The translation rounds products, since it cannot see types: see the dialect's corrections.
    if call.name == "$multiply" and call.result_type == "FLOAT64":
        return "a product of FLOAT64 is rounded to nine places on DuckDB: multiply NUMERIC"
    return None


def _sum_of_floats(call: Call) -> str | None:
    if call.name in _SUMS and call.argument_types == ("FLOAT64",):
        return f"{call.name} of FLOAT64 depends on the order of rows: add up NUMERIC or INT64"
    return None


def _rounded_float(call: Call) -> str | None:
    if call.name == "round" and call.result_type == "FLOAT64":
        return (
            "round of FLOAT64 differs at halves such as 0.0109375: round NUMERIC, or count in "
            "integers with div(2 * a + b, 2 * b)"
        )
    return None


def _sign_of_numeric(call: Call) -> str | None:
    if call.name == "sign" and call.result_type == "NUMERIC":
        return "sign of NUMERIC is a whole number on DuckDB: write case when x > 0 then …"
    return None


def _comparison_of_structs(call: Call) -> str | None:
    if call.name in _COMPARISONS and any(kind.startswith("STRUCT") for kind in call.argument_types):
        return "NULL within a STRUCT is compared differently: compare field by field"
    return None


def _inexact_cast(call: Call) -> str | None:
    if call.name != "$cast":
        return None
    source, target = call.argument_types[0], call.result_type
    if source == "FLOAT64" and target == "INT64":
        return "a cast of FLOAT64 to INT64 rounds 2.5 to 2 on DuckDB: use div() of integers"
    if source == "FLOAT64" and target == "NUMERIC":
        return (
            "a cast of FLOAT64 to NUMERIC differs in its last places: compute in NUMERIC, or "
            "count in integers with div()"
        )
    if target == "STRING" and source in _WRITTEN_DIFFERENTLY:
        return (
            f"{source} is written as text differently by the two engines: "
            f"{_WRITTEN_DIFFERENTLY[source]}"
        )
    if source == "STRING" and target != "STRING":
        return (
            f"the engines read {target} from odd texts (' 12 ', '1e3', 'inf') differently: parse "
            "when the row is read"
        )
    return None


RULES: tuple[Callable[[Call], str | None], ...] = (
    _numeric_through_double,
    _date_function_of_a_timestamp,
    _json_of_a_number_or_moment,
    _span_between_two,
    _product_of_floats,
    _sum_of_floats,
    _rounded_float,
    _sign_of_numeric,
    _comparison_of_structs,
    _inexact_cast,
)


def difference(call: Call) -> str | None:
    """What the engines would make of this call, in words; None where they agree."""
    return next((message for rule in RULES if (message := rule(call))), None)
