"""Functions and parts of dates that no query may use, and what to write instead."""

from __future__ import annotations

_UNKNOWN = "DuckDB does not know it"
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
    "ieee_divide": f"{_UNKNOWN}: use safe_divide of FLOAT64",
    **dict.fromkeys(
        ("safe_add", "safe_subtract", "safe_multiply", "safe_negate"),
        f"{_UNKNOWN}: use the plain sign, which fails instead of going wrong",
    ),
    "range_bucket": f"{_UNKNOWN}: use case",
    "array_includes": f"{_UNKNOWN}: use in unnest(...)",
    **dict.fromkeys(
        ("to_json", "parse_json", "json_query", "json_query_array", "json_extract", "json_value"),
        "the engines differ in types, numbers and errors: take it apart when the row is read",
    ),
    **dict.fromkeys(
        ("json_extract_scalar", "json_value_array", "json_extract_array"),
        "the engines differ in types, numbers and errors: take it apart when the row is read",
    ),
    "sha512": "DuckDB silently returns SHA-256: use sha256",
    "format": "DuckDB returns the pattern itself: join with || and cast to STRING",
    "parse_timestamp": "naive on DuckDB: parse when the file is read",
    "parse_numeric": f"{_UNKNOWN}: parse when the row is read",
    **dict.fromkeys(
        ("timestamp_micros", "timestamp_millis"),
        "naive on DuckDB: make it a timestamp when the file is read",
    ),
    "date_from_unix_date": "a DATETIME on DuckDB: use date_add of date '1970-01-01'",
    **dict.fromkeys(
        ("unix_millis", "unix_seconds"),
        "DuckDB keeps the fraction or rounds it: use div(unix_micros(...), 1000)",
    ),
    "time": "DuckDB cannot take the time of a timestamp: use timestamp_diff from its day",
    "format_timestamp": "zones and fractions differ: keep the timestamp, the reader formats it",
    "farm_fingerprint": f"{_UNKNOWN}: use to_hex(sha256(...))",
    **dict.fromkeys(
        ("normalize", "normalize_and_casefold"),
        f"{_UNKNOWN}: normalise when the row is read",
    ),
    **dict.fromkeys(
        ("byte_length", "octet_length"), f"{_UNKNOWN} for STRING: use length, in characters"
    ),
    **dict.fromkeys(
        ("to_code_points", "code_points_to_string", "unicode", "ascii"),
        "the engines differ: compare with the letters themselves",
    ),
    "reverse": "DuckDB keeps marks with their letters, BigQuery does not: use substr",
    "repeat": "fails below zero in BigQuery only: write the text out",
    **dict.fromkeys(
        ("approx_count_distinct", "approx_quantiles", "approx_top_count", "approx_top_sum"),
        "an approximation differs by engine and run: count exactly",
    ),
    "any_value": "which value is not said, and a second run may take another: use min or max",
    **dict.fromkeys(
        ("corr", "covar_pop", "covar_samp", "stddev", "stddev_pop", "stddev_samp"),
        "its last digits differ by engine: compute it outside SQL",
    ),
    **dict.fromkeys(
        ("variance", "var_pop", "var_samp", "percentile_cont", "exp", "ln", "log", "log10"),
        "its last digits differ by engine: compute it outside SQL",
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
    "MILLISECOND": "DuckDB counts the seconds in: use timestamp_diff from the second",
    "MICROSECOND": "DuckDB counts the seconds in: use timestamp_diff from the second",
    "DATE": "DuckDB does not know it: use date(moment, zone)",
}
