"""One cell at a time: exact numbers, times in their zone, and properties that must always hold."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueline.sources.files.cells import cell_reader
from trueline.sources.files.mapping import FieldRule, FileMapping
from trueline.sources.files.targets import Target
from trueline.sources.values import BadValue, numeric


def _reader(kind: str, *, decimal: str = ".", thousands: str | None = None, **rule: object):
    mapping = FileMapping.model_validate(
        {
            "kind": "touches",
            "format": "csv",
            "decimal": decimal,
            "thousands": thousands,
            "fields": {"touch_id": "a", "occurred_at": "b"},
        }
    )
    field = FieldRule.model_validate({"column": "a", **rule})
    return cell_reader(Target("x", kind, False), field, mapping, "Europe/Berlin")


@settings(deadline=None)
@given(st.decimals(min_value="-1e12", max_value="1e12", places=9))
def test_a_number_survives_german_writing_to_the_last_digit(number: Decimal) -> None:
    written = f"{number:,.9f}".translate(str.maketrans({",": ".", ".": ","}))
    assert _reader("NUMERIC", decimal=",", thousands=".")(written) == number


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_value_or_a_reason_never_a_crash(cell: str) -> None:
    for kind in ("NUMERIC", "INT64", "BOOL", "DATE", "TIMESTAMP", "STRING"):
        with contextlib.suppress(BadValue):
            _reader(kind)(cell)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9))
def test_an_api_fraction_keeps_nine_places(value: float) -> None:
    found = numeric(repr(value))
    assert found is not None
    assert abs(found - Decimal(repr(value))) <= Decimal("0.5e-9")


@pytest.mark.parametrize(
    ("cell", "utc"),
    [
        ("2026-10-01T08:00:00+02:00", "2026-10-01 06:00:00"),
        ("2026-10-01 08:00", "2026-10-01 06:00:00"),
        ("2026-10-01T06:00:00.123456789Z", "2026-10-01 06:00:00.123456"),
        ("2026-03-29 02:30", "2026-03-29 01:30:00"),  # skipped by the clocks: 03:30 there
        ("2026-10-25 02:30", "2026-10-25 00:30:00"),  # comes twice: the earlier
    ],
)
def test_times_are_utc_and_naive_ones_are_local(cell: str, utc: str) -> None:
    assert str(_reader("TIMESTAMP")(cell)) == f"{utc}+00:00"


@pytest.mark.parametrize(
    ("layout", "cell", "utc"),
    [
        ("epoch_s", "1790000000", "2026-09-21 14:13:20"),
        ("epoch_ms", "1790000000123", "2026-09-21 14:13:20.123000"),
        ("epoch_us", "1790000000123456", "2026-09-21 14:13:20.123456"),
        ("%d/%m/%Y %H:%M %z", "01/10/2026 08:00 +0000", "2026-10-01 08:00:00"),
    ],
)
def test_a_declared_format_is_obeyed(layout: str, cell: str, utc: str) -> None:
    assert str(_reader("TIMESTAMP", format=layout)(cell)) == f"{utc}+00:00"


@pytest.mark.parametrize(
    ("kind", "cell", "reason"),
    [
        ("TIMESTAMP", "2026-10-01", "bad_timestamp"),
        ("TIMESTAMP", "46023", "bad_timestamp"),
        ("TIMESTAMP", "2026-10-01T24:00:00Z", "bad_timestamp"),
        ("TIMESTAMP", "0001-01-01T00:00:00Z", "implausible_date"),
        ("DATE", "01/02/2026", "bad_date"),
        ("DATE", "2026-02-29", "bad_date"),
        ("DATE", "2026-W40-1", "bad_date"),
        ("DATE", "1900-01-01", "implausible_date"),
        ("INT64", "12.5", "bad_integer"),
        ("INT64", "9223372036854775808", "bad_integer"),
        ("NUMERIC", "1e400", "bad_number"),
        ("BOOL", "ja", "bad_boolean"),
    ],
)
def test_what_does_not_fit_has_a_reason(kind: str, cell: str, reason: str) -> None:
    with pytest.raises(BadValue) as caught:
        _reader(kind)(cell)
    assert (caught.value.reason, caught.value.column) == (reason, "x")


def test_values_are_translated_and_blanks_nobody_sees_do_not_matter() -> None:
    read = _reader("BOOL", values={"Ja": True, "Nein": False, "k. A.": None})
    assert [read("\u200bja\u00a0"), read("NEIN"), read("k. a.")] == [True, False, None]


def test_units_become_micros_without_a_float() -> None:
    read = _reader("INT64", multiply=1_000_000)
    assert [read("0.1"), read("1234567.891234"), read("-0.0000005")] == [
        100_000,
        1_234_567_891_234,
        0,
    ]


def test_a_hexadecimal_id_is_not_taken_for_a_rounded_number() -> None:
    mapping = FileMapping.model_validate(
        {"kind": "touches", "format": "csv", "fields": {"touch_id": "a", "occurred_at": "b"}}
    )
    read = cell_reader(mapping.target("touch_id"), mapping.fields["touch_id"], mapping, "UTC")
    assert read("12345678901234567890123e12345678") == "12345678901234567890123e12345678"
    with pytest.raises(BadValue):
        read("1.20210E+17")
