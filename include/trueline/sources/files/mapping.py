"""The mapping: how the columns of one kind of file become fields. Frozen; unknown keys are refused.

The reader guesses nothing: encoding, delimiter, decimal sign, formats and time zone are what the
mapping says, or the defaults below. ``layout`` says how a mapping meets the columns of one file,
``library`` where the ready-made mappings are.
"""

from __future__ import annotations

import difflib
import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from trueline.errors import ConfigurationError
from trueline.settings.yaml_lines import SettingError, Strict, load_model
from trueline.sources.files import library
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
# In a column's name: stands for the currency that the platform writes there, `Spent (EUR)`.
CURRENCY_PLACEHOLDER = "{currency_code}"
Scalar = str | bool | int | Decimal


def normalise(column: str) -> str:
    """How column names are compared: blanks, BOM and case do not matter."""
    return " ".join(column.replace("\ufeff", "").replace("\u00a0", " ").split()).casefold()


class FieldRule(Strict):
    """Where one field comes from.

    Attributes:
        column: The file's column; blanks around it and case do not matter. ``column: [A, B]`` is
            A, or B where the file has no A: what a platform renamed or each user may leave out.
            ``{currency_code}`` in it stands for three letters that become the currency.
        or_columns: The other names of such a list.
        format: Of a date or time, as in ``strptime`` (``%d.%m.%Y %H:%M``), or ``epoch_s``,
            ``epoch_ms``, ``epoch_us``. Without it: ISO 8601.
        values: Source value to target value; a value that is not listed stays as it is.
        required: True: every row must have it. False: the file may lack the column.
        multiply: Of a number: 1000000 turns a cost in units into micros (rounded half to even).
        first_of: Sign between several values in one cell, of which the first is taken.
        remove: Signs that are taken out of the cell: ``-`` of an account 123-456-7890.
    """

    column: str = Field(min_length=1)
    or_columns: tuple[str, ...] = ()
    format: str | None = None
    values: dict[str, str | bool | None] = Field(default_factory=dict)
    required: bool | None = None
    multiply: Decimal | None = None
    first_of: str | None = Field(default=None, min_length=1)
    remove: str | None = Field(default=None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _list_of_names(cls, value: Any) -> Any:
        names = value.get("column") if isinstance(value, dict) else None
        if not isinstance(names, list | tuple):
            return value
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError("column is a name, or a list of names")
        return {**value, "column": names[0], "or_columns": tuple(names[1:])}

    @property
    def names(self) -> tuple[str, ...]:
        """The column's names, the preferred one first."""
        return (self.column, *self.or_columns)

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
    return {"column": value} if isinstance(value, str | list) else value


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


class IgnoredRows(Strict):
    """Rows that are no data: sums, footers. They are neither received nor bad.

    Attributes:
        begin_with: The row's first cell that is not empty begins so; case does not matter.
        empty: A row is a sum where one of these columns is empty.
    """

    begin_with: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    empty: tuple[str, ...] = ()


class FileMapping(Strict):
    """One mapping file.

    Attributes:
        extends: Name of a ready-made mapping that this one changes and completes.
        number_marks: Texts that may stand at either end of a number: a currency, a percent sign.
        negative_in_parentheses: Whether ``(5)`` is minus five.
        sheet: Of a workbook: its name, or its number from 1; without it the first visible one.
        header_row: The row (1-based) that names the columns, or ``find``: the first of the first
            100 that names every needed column, for exports whose title lines come and go.
        skip_rows: Rows after the header that are no data.
        ignore_rows: Rows that are no data, told by their content.
        one_day: From column to column of an ad report. Where the day is taken from the first,
            the second must be equal: a row over a week is not a day.
    """

    extends: str | None = None
    kind: Kind
    format: Literal["csv", "jsonl", "parquet", "excel"]
    sheet: Annotated[str, Field(min_length=1)] | Annotated[int, Field(ge=1)] | None = None
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    thousands: Literal[".", ",", " ", "'", "\u00a0", "\u202f"] | None = None
    number_marks: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    negative_in_parentheses: bool = False
    null_tokens: tuple[str, ...] = ()
    time_zone: str | None = None
    header_row: Annotated[int, Field(ge=1, le=100)] | Literal["find"] = 1
    skip_rows: int = Field(default=0, ge=0, le=1000)
    ignore_rows: IgnoredRows = IgnoredRows()
    one_day: dict[str, str] = Field(default_factory=dict)
    constants: dict[FieldName, Scalar] = Field(default_factory=dict)
    fields: dict[FieldName, Annotated[FieldRule, BeforeValidator(_rule)]] = Field(min_length=1)
    drop: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _on_its_base(cls, value: Any) -> Any:
        """What the mapping says goes before what the one it extends says, key by key."""
        if not isinstance(value, dict) or not isinstance(value.get("extends"), str):
            return value
        try:
            ready_made = library.content(value["extends"])
        except ConfigurationError as error:
            raise SettingError(error.what.rstrip("."), "extends") from None
        merged = {**ready_made, **value}
        for part in ("constants", "fields"):
            own, base = value.get(part, {}), ready_made.get(part, {})
            if isinstance(own, dict):
                merged[part] = {**base, **own}
        # A fixed value takes the place of a column, and the other way round.
        for part, other in (("constants", "fields"), ("fields", "constants")):
            own = value.get(part)
            for name in own if isinstance(own, dict) else ():
                if name not in (value.get(other) or {}) and isinstance(merged.get(other), dict):
                    merged[other].pop(name, None)
        return merged

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
        text = self.model_dump_json(exclude_defaults=True) + (self.time_zone or default_time_zone)
        return hashlib.sha256(text.encode()).hexdigest()


def load_mapping(path: Path) -> FileMapping:
    """Read a mapping file; ``library/NAME.yaml`` that is not there is the ready-made one.

    Raises:
        ConfigurationError: with file, line, value and fix.
    """
    if path.parent.name == library.FOLDER and not path.exists():
        path = library.path_of(path.stem)
    return load_model(path, FileMapping, expand_env=False)
