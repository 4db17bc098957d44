"""A file under its mapping: its columns checked, its rows in pieces, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from trueline.errors import PermanentError
from trueline.sources.files.chunks import Chunk, in_chunks
from trueline.sources.files.layout import (
    day_pair,
    missing_columns,
    resolved,
    told_columns,
)
from trueline.sources.files.mapping import FileMapping, normalise
from trueline.sources.files.rows import RawRow

# A piece of work: gives its chunks when it is called, in any thread.
Piece = Callable[[], Iterator[Chunk]]


@dataclass(frozen=True, slots=True)
class Table:
    """A file that was opened.

    Attributes:
        columns: Its columns as they are spelt; None where rows name their own.
        mapping: With the one column of each field that this file has.
        pieces: Its rows, to be asked for once.
    """

    columns: Sequence[str] | None
    mapping: FileMapping
    pieces: Iterator[Piece]


def open_table(path: Path, name: str, mapping: FileMapping) -> Table:
    """Open a file and check its columns; rows are read as they are asked for.

    Raises:
        PermanentError: a needed column is missing or twice there, or the file is damaged.
    """
    if mapping.format == "jsonl":
        return _jsonl(path, name, mapping)
    if mapping.format == "excel":
        return _excel(path, name, mapping)
    return _by_columns(path, name, mapping)


def _jsonl(path: Path, name: str, mapping: FileMapping) -> Table:
    from trueline.sources.files.json_table import json_rows

    rows = json_rows(path, name, mapping)
    # Rows name their own columns; which of a field's names is used, the first row says.
    first = next(rows, None)
    if first is None:
        return Table(None, mapping, iter(()))
    return Table(None, resolved(mapping, list(first.cells)), _one_by_one(chain([first], rows)))


def _excel(path: Path, name: str, mapping: FileMapping) -> Table:
    from trueline.sources.files.excel_table import open_sheet

    sheet = open_sheet(path, name, mapping)
    found = check_columns(sheet.columns, name, mapping)
    return Table(sheet.columns, found, _one_by_one(sheet.rows(found)))


def _by_columns(path: Path, name: str, mapping: FileMapping) -> Table:
    from trueline.sources.files.csv_table import CsvTable
    from trueline.sources.files.parquet_table import ParquetTable

    reader = ParquetTable if mapping.format == "parquet" else CsvTable
    table = reader(path, name, mapping)
    found = check_columns(table.columns, name, mapping)
    needed = {normalise(rule.column) for rule in found.fields.values()} | {*(day_pair(found) or ())}
    unread = {normalise(column) for column in mapping.drop} - needed
    return Table(table.columns, found, table.pieces(lambda key: key not in unread))


def _one_by_one(rows: Iterator[RawRow]) -> Iterator[Piece]:
    """Pieces of a format that is read row by row."""
    return (partial(iter, (chunk,)) for chunk in in_chunks(rows))


def check_columns(found: Sequence[str], name: str, mapping: FileMapping) -> FileMapping:
    """The mapping with the columns that the file has.

    Raises:
        PermanentError: a needed column is missing or twice there.
    """
    present = [normalise(column) for column in found]
    chosen = resolved(mapping, found)
    for rule in chosen.fields.values():
        times = present.count(normalise(rule.column))
        if times > 1:
            raise PermanentError(
                f"The column {rule.column!r} is there {times} times.",
                where=name,
                fix="Give the export's columns different names.",
            )
    for field, rule in missing_columns(mapping, found).items():
        raise PermanentError(
            f"The column {' or '.join(map(repr, rule.names))} (for {field}) is missing. "
            f"{told_columns(mapping, found)}.",
            where=name,
            fix="Correct the export, or the column's name in the mapping; `required: false` "
            "marks a column that may be missing. Delimiter and header_row decide what is "
            "taken for a column.",
        )
    return chosen
