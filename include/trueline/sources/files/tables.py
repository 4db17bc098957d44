"""Rows of a file as received: CSV, JSON lines or Parquet, each cell as text, none of it guessed."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from trueline.errors import PermanentError
from trueline.sources.files.content import Lines, cut_off, is_damaged
from trueline.sources.files.layout import (
    SEARCHED_ROWS,
    Ignored,
    is_header,
    missing_columns,
    resolved,
    told_columns,
)
from trueline.sources.files.mapping import FileMapping, normalise

_PARQUET_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class RawRow:
    """One received row.

    Attributes:
        line: 1-based line where it begins (Parquet: number of the row).
        cells: Normalised column name to cell; text, None, or a Parquet date, time or truth value.
        text: The row as received, for the quarantine.
        reason: Why the row as a whole is bad, or None.
    """

    line: int
    cells: dict[str, Any]
    text: str
    reason: str | None = None


@dataclass(slots=True)
class RawTable:
    """The columns of a file as they are spelt (None where rows name their own), and its rows.

    Attributes:
        mapping: The mapping with the one column of each field that this file has.
    """

    columns: Sequence[str] | None
    rows: Iterator[RawRow]
    mapping: FileMapping


def open_table(path: Path, name: str, mapping: FileMapping) -> RawTable:
    """Open a file and check its columns; rows are read as they are asked for.

    Raises:
        PermanentError: a needed column is missing or twice there, or the file is damaged.
    """
    reader = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[mapping.format]
    table = reader(path, name, mapping)
    if table.columns is not None:
        _check_columns(table.columns, name, mapping)
        table.mapping = resolved(mapping, table.columns)
    return table


def _check_columns(found: Sequence[str], name: str, mapping: FileMapping) -> None:
    present = [normalise(column) for column in found]
    for rule in resolved(mapping, found).fields.values():
        times = present.count(normalise(rule.column))
        if times > 1:
            raise PermanentError(
                f"The column {rule.column!r} is there {times} times.",
                where=name,
                fix="Give the export's columns different names.",
            )
    for field, rule in missing_columns(mapping, found).items():
        if rule.required is not False:
            raise PermanentError(
                f"The column {' or '.join(map(repr, rule.names))} (for {field}) is missing. "
                f"{told_columns(mapping, found)}.",
                where=name,
                fix="Correct the export, or the column's name in the mapping; `required: false` "
                "marks a column that may be missing. Delimiter and header_row decide what is "
                "taken for a column.",
            )


def _csv(path: Path, name: str, mapping: FileMapping) -> RawTable:
    lines = Lines(path, name, mapping.encoding)
    reader = csv.reader(
        lines,
        delimiter=mapping.delimiter,
        quotechar=mapping.quote,
        doublequote=True,
        strict=True,
    )
    header: list[str] = []
    try:
        if mapping.header_row == "find":
            header = _found_header(reader, mapping)
        else:
            for _ in range(mapping.header_row):
                header = next(reader)
        after_header = reader.line_num
        for _ in range(mapping.skip_rows):
            next(reader, None)
    except StopIteration:
        raise PermanentError(
            f"There is no line {mapping.header_row}, where the header should be.",
            where=name,
            fix="Check header_row in the mapping; the file may be cut off.",
        ) from None
    except csv.Error as error:
        raise _csv_error(name, reader.line_num, error) from None
    if any(is_damaged(column) for column in header):
        raise PermanentError(
            f"The header is not {mapping.encoding}.",
            where=f"{name}:{after_header}",
            fix="Set encoding in the mapping to what the export writes.",
        )
    header = [column.replace("\ufeff", "").strip() for column in header]
    while header and not header[-1]:  # a delimiter at the end of each line
        header.pop()
    return RawTable(header, _csv_rows(reader, lines, name, header, mapping), mapping)


def _found_header(reader: Any, mapping: FileMapping) -> list[str]:
    """The first row that names every needed column; else the one with the most cells, so that
    the message about the missing column shows what was taken for the header."""
    widest: list[str] = []
    for _ in range(SEARCHED_ROWS):
        cells = next(reader, None)
        if cells is None:
            break
        if is_header(mapping, cells):
            return list(cells)
        if sum(map(bool, cells)) > sum(map(bool, widest)):
            widest = cells
    return widest


def _csv_rows(
    reader: Any, lines: Lines, name: str, header: Sequence[str], mapping: FileMapping
) -> Iterator[RawRow]:
    keys = [normalise(column) for column in header]
    width = len(keys)
    delimiter, is_ignored = mapping.delimiter, Ignored(mapping, keys)
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _csv_error(name, begins, error) from None
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue  # spreadsheets leave empty rows behind
        if is_ignored(cells):
            continue
        text = delimiter.join(cells)
        reason = None
        if len(cells) < width:
            reason = "too_few_columns"
            if not lines.last_is_terminated:
                raise cut_off(
                    f"{name}:{begins}",
                    f"the last line has {len(cells)} of {width} columns and no line end",
                )
        elif len(cells) > width and any(cell.strip() for cell in cells[width:]):
            reason = "too_many_columns"
        elif "\0" in text:
            reason = "nul_byte"
        elif is_damaged(text):
            reason = "bad_encoding"
        yield RawRow(begins, dict(zip(keys, cells, strict=False)), text, reason)


def _csv_error(name: str, line: int, error: csv.Error) -> PermanentError:
    told = str(error)
    if "unexpected end of data" in told:
        return cut_off(f"{name}:{line}", "a quoted cell that begins here is never closed")
    if "field limit" in told:
        what = "A cell is longer than 128 KB, probably because a quote is never closed."
    else:
        what = "Text stands outside the quotes of a cell, so cells cannot be told apart."
    return PermanentError(
        what,
        where=f"{name}:{line}",
        fix="Correct the export's quoting (a quote inside a cell is written twice), or quote and "
        "delimiter in the mapping.",
    )


def _jsonl(path: Path, name: str, mapping: FileMapping) -> RawTable:
    rows = _jsonl_rows(path, name, mapping)
    first = next(rows, None)
    if first is None:
        return RawTable(None, rows, mapping)
    # Rows name their own columns; which of a field's names is used, the first row says.
    return RawTable(None, chain([first], rows), resolved(mapping, list(first.cells)))


def _jsonl_rows(path: Path, name: str, mapping: FileMapping) -> Iterator[RawRow]:
    lines = Lines(path, name, mapping.encoding)
    keys: dict[str, str] = {}
    # Whole numbers and fractions stay the text they are: ids keep every digit.
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant)
    for number, line in enumerate(lines, start=1):
        text = line.strip().lstrip("\ufeff")
        if not text:
            continue
        try:
            found = decoder.decode(text)
        except (ValueError, RecursionError):
            if not lines.last_is_terminated:
                raise cut_off(f"{name}:{number}", "the last line is not whole JSON") from None
            yield RawRow(number, {}, text, "bad_json")
            continue
        if not isinstance(found, dict):
            yield RawRow(number, {}, text, "bad_json")
            continue
        cells = {}
        for key, value in found.items():
            if key not in keys:
                keys[key] = normalise(key)
            cells[keys[key]] = _json_cell(value)
        yield RawRow(number, cells, text, "bad_encoding" if is_damaged(text) else None)


def _json_cell(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _parquet(path: Path, name: str, mapping: FileMapping) -> RawTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        columns = list(file.schema_arrow.names)
    except (pa.ArrowException, OSError):
        raise PermanentError(
            "The Parquet file cannot be read: its footer is damaged.",
            where=name,
            fix="Copy or export it again; nothing of it was loaded.",
        ) from None
    return RawTable(columns, _parquet_rows(file, name, columns), mapping)


def _parquet_rows(file: Any, name: str, columns: Sequence[str]) -> Iterator[RawRow]:
    import pyarrow as pa

    keys, number = [normalise(column) for column in columns], 0
    try:
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
            series = [_microseconds(column).to_pylist() for column in batch.columns]
            for cells in zip(*series, strict=True):
                number += 1
                received = [_parquet_cell(cell) for cell in cells]
                text = json.dumps(
                    dict(zip(columns, received, strict=True)), ensure_ascii=False, default=str
                )
                yield RawRow(number, dict(zip(keys, received, strict=True)), text)
    except (pa.ArrowException, OSError):
        raise PermanentError(
            f"The Parquet file is damaged after row {number}.",
            where=name,
            fix="Copy or export it again; nothing of it was loaded.",
        ) from None


def _microseconds(column: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column


def _parquet_cell(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | datetime | date):
        return value
    if isinstance(value, float):
        return repr(value)  # the shortest text that gives the same double
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, int | Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str, sort_keys=True)
