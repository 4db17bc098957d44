"""The mapping: how the columns of one kind of file become fields. Frozen; unknown keys are refused.

The reader guesses nothing: encoding, delimiter, decimal sign, formats and time zone are what the
mapping says, or the defaults below.
"""

from __future__ import annotations

import difflib
import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from trueline.settings.yaml_lines import Strict, load_model
from trueline.sources.files.targets import (
    CLAIM_MEASURE,
    DELIVERY_MEASURES,
    TABLES,
    Kind,
    Target,
    columns,
    targets,
)

EPOCHS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
Scalar = str | bool | int | Decimal


class FieldRule(Strict):
    """Where one field comes from.

    Attributes:
        column: The file's column; blanks around it and case do not matter.
        format: Of a date or time, as in ``strptime`` (``%d.%m.%Y %H:%M``), or ``epoch_s``,
            ``epoch_ms``, ``epoch_us``. Without it: ISO 8601.
        values: Source value to target value; a value that is not listed stays as it is.
        required: True: every row must have it. False: the file may lack the column.
        multiply: Of a number: 1000000 turns a cost in units into micros (rounded half to even).
    """

    column: str = Field(min_length=1)
    format: str | None = None
    values: dict[str, str | bool | None] = Field(default_factory=dict)
    required: bool | None = None
    multiply: Decimal | None = None

    @field_validator("format")
    @classmethod
    def _usable(cls, value: str | None) -> str | None:
        if value is None or value in EPOCHS:
            return value
        probe = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
        try:
            datetime.strptime(probe.strftime(value), value)
        except ValueError:
            raise ValueError("not a strptime format") from None
        if "%" not in value:
            raise ValueError(f"not a strptime format, nor one of {', '.join(EPOCHS)}")
        return value


def _rule(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


def _known_target(name: str, info: ValidationInfo) -> str:
    kind = info.data.get("kind")
    if kind is None:  # the error about kind itself is told already
        return name
    known = targets(kind)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{kind} has no field {name!r}.{hint} Known: {', '.join(sorted(known))}")
    return name


FieldName = Annotated[str, AfterValidator(_known_target)]


class FileMapping(Strict):
    """One mapping file."""

    kind: Kind
    format: Literal["csv", "jsonl", "parquet"]
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    thousands: Literal[".", ",", " ", "'", "\u00a0", "\u202f"] | None = None
    null_tokens: tuple[str, ...] = ()
    time_zone: str | None = None
    header_row: int = Field(default=1, ge=1, le=100)
    skip_rows: int = Field(default=0, ge=0, le=1000)
    constants: dict[FieldName, Scalar] = Field(default_factory=dict)
    fields: dict[FieldName, Annotated[FieldRule, BeforeValidator(_rule)]] = Field(min_length=1)
    drop: tuple[str, ...] = ()

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError:
            raise ValueError("not an encoding; use for example utf-8, cp1252, utf-16") from None
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        try:
            ZoneInfo(value or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("not a known time zone; use an IANA name") from None
        return value

    @model_validator(mode="after")
    def _complete(self) -> FileMapping:
        if self.thousands == self.decimal:
            raise ValueError("decimal and thousands are the same sign")
        both = sorted(set(self.fields) & set(self.constants))
        if both:
            raise ValueError(f"{both[0]!r} is under fields and under constants; keep one of them")
        tables = self.tables
        if not tables:
            raise ValueError(
                "an ad_report needs at least one measure: pixel_conversions, or one of "
                + ", ".join(DELIVERY_MEASURES)
            )
        filled = {*self.fields, *self.constants}
        for table in tables:
            missing = [
                name
                for name, target in columns(table).items()
                if target.required and name not in filled
            ]
            if missing:
                raise ValueError(
                    f"raw.{table} needs {', '.join(missing)}; name a column under fields, or a "
                    "fixed value under constants"
                )
        return self

    @property
    def tables(self) -> tuple[str, ...]:
        """The raw tables that files under this mapping feed."""
        if self.kind != "ad_report":
            return TABLES[self.kind]
        found = []
        if any(name in self.fields for name in DELIVERY_MEASURES):
            found.append("ad_delivery")
        if CLAIM_MEASURE in self.fields:
            found.append("pixel_claims")
        return tuple(found)

    def target(self, field: str) -> Target:
        return targets(self.kind)[field]

    def fingerprint(self, default_time_zone: str) -> str:
        """Hash of everything that decides how a file is read."""
        text = self.model_dump_json() + (self.time_zone or default_time_zone)
        return hashlib.sha256(text.encode()).hexdigest()


def load_mapping(path: Path) -> FileMapping:
    """Read a mapping file.

    Raises:
        ConfigurationError: with file, line, value and fix.
    """
    return load_model(path, FileMapping, expand_env=False)
