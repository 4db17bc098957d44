"""Parquet: columns as they are stored, cells as text or, for days and times, as themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trueline.errors import PermanentError
from trueline.sources.files.chunks import Chunk
from trueline.sources.files.mapping import FileMapping, normalise
from trueline.sources.files.rows import RawRow
from trueline.sources.files.vectors import Cells, Distinct

ROWS_AT_ONCE = 40_000


class ParquetTable:
    """A Parquet file.

    Attributes:
        columns: Names of its columns.

    Raises:
        PermanentError: its footer cannot be read.
    """

    def __init__(self, path: Path, name: str, mapping: FileMapping) -> None:
        self._name = name
        try:
            self._file = pq.ParquetFile(path)
            self.columns = list(self._file.schema_arrow.names)
        except (pa.ArrowException, OSError):
            raise PermanentError(
                "The Parquet file cannot be read: its footer is damaged.",
                where=name,
                fix="Copy or export it again; nothing of it was loaded.",
            ) from None

    def pieces(self, wanted: Callable[[str], bool]) -> Iterator[Callable[[], Iterator[Chunk]]]:
        """As of ``CsvTable``.

        Raises:
            PermanentError: the file is damaged.
        """
        number = 0
        with self._file as file:
            try:
                for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
                    yield _piece(batch, number, self.columns, wanted, self._name)
                    number += batch.num_rows
            except (pa.ArrowException, OSError):
                raise self._damaged(number) from None

    def _damaged(self, number: int) -> PermanentError:
        return PermanentError(
            f"The Parquet file is damaged after row {number}.",
            where=self._name,
            fix="Copy or export it again; nothing of it was loaded.",
        )


def _piece(
    batch: Any, before: int, columns: Sequence[str], wanted: Callable[[str], bool], name: str
) -> Callable[[], Iterator[Chunk]]:
    keys = [normalise(column) for column in columns]

    def row(place: int) -> RawRow:
        series = [_microseconds(column.slice(place, 1)).to_pylist() for column in batch.columns]
        received = [parquet_cell(cell) for (cell,) in series]
        text = json.dumps(
            dict(zip(columns, received, strict=True)), ensure_ascii=False, default=str
        )
        return RawRow(before + place + 1, dict(zip(keys, received, strict=True)), text)

    def chunks() -> Iterator[Chunk]:
        try:
            cells = {
                key: _cells(column)
                for key, column in zip(keys, batch.columns, strict=True)
                if wanted(key)
            }
        except UnicodeDecodeError:
            raise PermanentError(
                f"A text of the Parquet file is not UTF-8 (rows {before + 1} and on).",
                where=name,
                fix="Export it again with UTF-8 texts; nothing of it was loaded.",
            ) from None
        lines = np.arange(before + 1, before + batch.num_rows + 1)
        yield Chunk(batch.num_rows, cells, lambda: lines, row)

    return chunks


def _cells(column: Any) -> Cells:
    """Text and whole numbers as text at once; anything else by its distinct values."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        text = column.cast(pa.string())
        text.validate(full=True) if text.nbytes else None
        return text
    if pa.types.is_integer(kind):
        return column.cast(pa.string())
    column = _microseconds(column)
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        return Distinct.of([parquet_cell(value) for value in column.to_pylist()])
    encoded = column.dictionary_encode(null_encoding="encode")
    values = [parquet_cell(value) for value in encoded.dictionary.to_pylist()]
    return Distinct(values, encoded.indices)


def _microseconds(column: Any) -> Any:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column


def parquet_cell(value: Any) -> Any:
    """A stored value as a cell."""
    if value is None or isinstance(value, str | bool | datetime | date | Decimal):
        return value
    if isinstance(value, float):
        return Decimal(repr(value))  # the shortest number that gives the same double
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, int):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str, sort_keys=True)
