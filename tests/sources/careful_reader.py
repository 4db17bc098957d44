"""Files read one row after the other in plain Python: slow, and what the fast reader must equal."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from trueline.sources.files.csv_table import Layout
from trueline.sources.files.layout import Ignored
from trueline.sources.files.mapping import FileMapping, normalise
from trueline.sources.files.parquet_table import parquet_cell
from trueline.sources.files.rows import GRAINS, Part, RawRow, RowRules, extra_json, storable
from trueline.sources.files.tables import check_columns
from trueline.sources.values import BadValue


class Refused(Exception):  # noqa: N818 - an outcome of a file, no fault of ours
    """The file as a whole is no good."""


@dataclass
class Read:
    """What a file gave: rows as (line, values without nulls, extra), errors with raw rows."""

    rows: dict[str, list[tuple[int, dict[str, Any], str | None]]] = field(default_factory=dict)
    errors: dict[str, list[tuple[int, str | None, str, str]]] = field(default_factory=dict)


def read_carefully(path: Path, mapping: FileMapping, time_zone: str) -> Read:
    """Every row on its own.

    Raises:
        Refused: two rows differ where they must not, or the file is damaged.
    """
    mapping, rows = (_parquet if mapping.format == "parquet" else _csv)(path, mapping)
    rules = RowRules(mapping, path.name, time_zone)
    read, seen = Read(), {part.table: {} for part in rules.parts}
    for row in rows:
        _take(row, rules, read, seen)
    return read


def _take(row: RawRow, rules: RowRules, read: Read, seen: dict[str, dict[Any, Any]]) -> None:
    first = rules.parts[0]

    def refuse(part: Part, column: str | None, reason: str) -> None:
        error = (row.line, column, reason, storable(row.text))
        read.errors.setdefault(part.table, []).append(error)

    if row.reason:
        return refuse(first, None, row.reason)
    if rules.is_period(row):
        return refuse(first, "platform_date", "not_one_day")
    parts = [part for part in rules.parts if rules.applies(part, row)]
    if not parts:
        return refuse(first, None, "no_measure")
    for part in parts:
        try:
            values, notes = rules.read(part, row)
        except BadValue as bad:
            refuse(part, bad.column, bad.reason)
            continue
        if part.table in GRAINS:
            grain = tuple(values[name] for name in GRAINS[part.table])
            content = {name: value for name, value in values.items() if value is not None}
            if seen[part.table].setdefault(grain, content) != content:
                raise Refused("different figures")
            if seen[part.table][grain] is not content:
                if part.table == "pixel_claims" or len(parts) == 1:
                    refuse(part, None, "duplicate_row")
                continue
        known = {name: plain(value) for name, value in values.items() if value is not None}
        extra = extra_json({**rules.extra(row), **notes})
        read.rows.setdefault(part.table, []).append((row.line, known, extra))
    return None


def plain(value: Any) -> Any:
    """Numbers are compared as numbers: 1 is 1.000."""
    return value.normalize() if isinstance(value, Decimal) else value


def _csv(path: Path, mapping: FileMapping) -> tuple[FileMapping, Iterator[RawRow]]:
    data = path.read_bytes()
    data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    encoding, errors = mapping.encoding, "strict"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif data.startswith(codecs.BOM_UTF8) or encoding == "utf-8":
        encoding, errors = "utf-8-sig", "surrogateescape"
    text = io.TextIOWrapper(io.BytesIO(data), encoding=encoding, errors=errors, newline="")
    last = [""]

    def lines() -> Iterator[str]:
        while line := text.readline():
            last[0] = line
            yield line

    reader = csv.reader(lines(), delimiter=mapping.delimiter, quotechar=mapping.quote, strict=True)
    assert isinstance(mapping.header_row, int)
    header = [next(reader) for _ in range(mapping.header_row)][-1]
    header = [column.strip() for column in header]
    while header and not header[-1]:
        header.pop()
    found = check_columns(header, path.name, mapping)
    keys = [normalise(column) for column in header]
    layout = Layout(path.name, found, keys, Ignored(found, keys))

    def rows() -> Iterator[RawRow]:
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise Refused(str(error)) from None
            if cells is None:
                return
            row = layout.row(cells, line, is_terminated=last[0].endswith(("\n", "\r")))
            if row is not None:
                yield row

    return found, rows()


def _parquet(path: Path, mapping: FileMapping) -> tuple[FileMapping, Iterator[RawRow]]:
    table = pq.read_table(path)
    found = check_columns(table.column_names, path.name, mapping)
    keys = [normalise(column) for column in table.column_names]
    series = [column.to_pylist() for column in table.columns]

    def rows() -> Iterator[RawRow]:
        for line, cells in enumerate(zip(*series, strict=True), start=1):
            received = [parquet_cell(cell) for cell in cells]
            named = dict(zip(table.column_names, received, strict=True))
            text = json.dumps(named, ensure_ascii=False, default=str)
            yield RawRow(line, dict(zip(keys, received, strict=True)), text)

    return found, rows()
