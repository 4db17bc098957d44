"""CSV: records are found by their quotes and line ends at once, cells by Arrow, strictly.

A block in which quotes, line ends or bytes do not follow the rules is read record by record
instead, by Python's strict reader, which says what is wrong and where.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from trueline.errors import PermanentError
from trueline.sources.files import csv_blocks
from trueline.sources.files.bytes_feed import Feed
from trueline.sources.files.cells import BLANKS
from trueline.sources.files.chunks import Chunk, Lines, cells_of, in_chunks
from trueline.sources.files.content import cut_off, is_damaged
from trueline.sources.files.csv_blocks import Records, next_block
from trueline.sources.files.layout import SEARCHED_ROWS, Ignored, is_header
from trueline.sources.files.mapping import FileMapping, normalise
from trueline.sources.files.rows import RawRow
from trueline.sources.files.vectors import Cells, each_distinct, joined, mask, taken


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of one file are made.

    Attributes:
        name: The file's name, for messages.
        keys: Normalised names of its columns.
        is_ignored: Tells rows that are no data.
    """

    name: str
    mapping: FileMapping
    keys: Sequence[str]
    is_ignored: Ignored

    def reader(self, lines: Iterator[str]) -> Any:
        return strict_reader(lines, self.mapping)

    def row(self, cells: Sequence[str], line: int, *, is_terminated: bool) -> RawRow | None:
        """One record's cells as a row; None for one that is no data.

        Raises:
            PermanentError: it is the last one and was cut.
        """
        if not any(cell.strip(BLANKS) for cell in cells):
            return None  # spreadsheets leave empty rows behind
        if self.is_ignored(cells):
            return None
        text, width, reason = self.mapping.delimiter.join(cells), len(self.keys), None
        if len(cells) < width:
            reason = "too_few_columns"
            if not is_terminated:
                raise cut_off(
                    f"{self.name}:{line}",
                    f"the last line has {len(cells)} of {width} columns and no line end",
                )
        elif len(cells) > width and any(cell.strip(BLANKS) for cell in cells[width:]):
            reason = "too_many_columns"
        elif "\0" in text:
            reason = "nul_byte"
        elif is_damaged(text):
            reason = "bad_encoding"
        return RawRow(line, dict(zip(self.keys, cells, strict=False)), text, reason)


class CsvTable:
    """A CSV file whose header has been read.

    Attributes:
        columns: Its columns as they are spelt.

    Raises:
        PermanentError: there is no header, or the file cannot be read.
    """

    def __init__(self, path: Path, name: str, mapping: FileMapping) -> None:
        self._name, self._mapping = name, mapping
        self._feed = Feed(path, name, mapping.encoding)
        try:
            self.columns = self._header()
        except BaseException:
            self._feed.__exit__()
            raise

    def _header(self) -> list[str]:
        mapping, feed = self._mapping, self._feed
        reader = strict_reader(iter(feed.next_line, ""), mapping)
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
                where=self._name,
                fix="Check header_row in the mapping; the file may be cut off.",
            ) from None
        except csv.Error as error:
            raise csv_error(self._name, reader.line_num, error) from None
        if any(is_damaged(column) for column in header):
            raise PermanentError(
                f"The header is not {mapping.encoding}.",
                where=f"{self._name}:{after_header}",
                fix="Set encoding in the mapping to what the export writes.",
            )
        header = [column.replace("\ufeff", "").strip() for column in header]
        while header and not header[-1]:  # a delimiter at the end of each line
            header.pop()
        return header

    def pieces(self, wanted: Callable[[str], bool]) -> Iterator[Callable[[], Iterator[Chunk]]]:
        """The rest of the file as pieces of work; each gives its chunks when it is called.

        Args:
            wanted: Whether the cells of a column, by its normalised name, are needed.
        """
        keys = [normalise(column) for column in self.columns]
        layout = Layout(self._name, self._mapping, keys, Ignored(self._mapping, keys))
        with self._feed as feed:
            while not feed.is_over:
                if not feed.peek(csv_blocks.BLOCK_BYTES):
                    return
                block = next_block(feed, self._mapping)
                if block is None:
                    yield _carefully(feed, layout)
                else:
                    yield _Block(block, layout, wanted).chunks


def strict_reader(lines: Iterator[str], mapping: FileMapping) -> Any:
    return csv.reader(
        lines, delimiter=mapping.delimiter, quotechar=mapping.quote, doublequote=True, strict=True
    )


def csv_error(name: str, line: int, error: csv.Error) -> PermanentError:
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


def _carefully(feed: Feed, layout: Layout) -> Callable[[], Iterator[Chunk]]:
    """About a block of records, one by one; read at once, because the next block begins after."""
    size = len(feed.peek(csv_blocks.BLOCK_BYTES))
    taken_before, rows = feed.taken, []
    lines = iter(feed.next_line, "")
    reader = layout.reader(lines)
    while feed.taken - taken_before < size:
        begins = feed.line + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise csv_error(layout.name, begins, error) from None
        if cells is None:
            break
        row = layout.row(cells, begins, is_terminated=feed.last_is_terminated)
        if row is not None:
            rows.append(row)
    return lambda: in_chunks(rows)


class _Block:
    """Plain records: cells by Arrow; single records, where they are needed, by Python."""

    def __init__(self, records: Records, layout: Layout, wanted: Callable[[str], bool]) -> None:
        self._records, self._layout, self._wanted = records, layout, wanted

    def chunks(self) -> Iterator[Chunk]:
        records, layout = self._records, self._layout
        width = max(len(layout.keys), len(self._cells(0)))
        ragged: list[int] = []

        def note(row: Any) -> str:
            ragged.append(row.number - 1)
            return "skip"

        names = [f"c{place}" for place in range(width)]
        # A column named twice is what the last of the two says, as in a dict.
        places = {key: place for place, key in enumerate(layout.keys)}
        needed = {place for key, place in places.items() if self._wanted(key)}
        needed |= {0, *range(len(layout.keys), width), *layout.is_ignored.places}
        table = pa_csv.read_csv(
            pa.BufferReader(records.data),
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=len(records.data) + 1, column_names=names
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=layout.mapping.delimiter,
                quote_char=layout.mapping.quote if records.has_quotes else False,
                newlines_in_values=records.has_quotes,
                ignore_empty_lines=False,
                invalid_row_handler=note,
            ),
            convert_options=pa_csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=[names[place] for place in sorted(needed)],
                strings_can_be_null=False,
            ),
        ).combine_chunks()
        numbers = np.delete(np.arange(len(records.ends)), ragged)
        if len(numbers) != table.num_rows:
            raise AssertionError("Arrow and the records' ends disagree")
        columns = {place: _array(table, names[place]) for place in needed}
        alone = self._to_read_alone(columns, numbers, width)
        rows = [
            row
            for number in sorted({*ragged, *numbers[alone].tolist()})
            if (row := self._row(number)) is not None
        ]
        cells: dict[str, Cells] = {
            key: columns[place] for key, place in places.items() if self._wanted(key)
        }
        yield self._joined(cells, numbers, ~alone, rows)

    def _joined(
        self,
        cells: dict[str, Cells],
        numbers: npt.NDArray[np.int64],
        plain: npt.NDArray[np.bool_],
        rows: Sequence[RawRow],
    ) -> Chunk:
        """Rows of Arrow's, and those that were read alone, in one chunk."""
        if not plain.all():
            kept = pa.array(np.flatnonzero(plain))
            cells = {key: taken(column, kept) for key, column in cells.items()}
            numbers = numbers[plain]
        good = [row for row in rows if row.reason is None]
        for key in cells if good else ():
            cells[key] = joined(cells[key], cells_of([row.cells.get(key) for row in good]))

        def lines() -> Lines:
            return np.append(self._lines(numbers), [row.line for row in good]).astype(np.int64)

        def row(place: int) -> RawRow | None:
            if place >= len(numbers):
                return good[place - len(numbers)]
            return self._row(int(numbers[place]))

        bad = [row for row in rows if row.reason is not None]
        return Chunk(len(numbers) + len(good), cells, lines, row, bad)

    def _to_read_alone(
        self, columns: dict[int, Any], numbers: npt.NDArray[np.int64], width: int
    ) -> npt.NDArray[np.bool_]:
        """Rows that may be no data, may have cells too many or may be cut."""
        alone = np.zeros(len(numbers), np.bool_)
        if not self._records.is_terminated and len(numbers):
            alone[-1] = numbers[-1] == len(self._records.ends) - 1
        for place in range(len(self._layout.keys), width):
            alone |= mask(pc.greater(pc.binary_length(columns[place]), 0))
        ignored = self._layout.is_ignored
        for place in ignored.places:
            alone |= mask(each_distinct(columns[place], _is_empty, pa.bool_()))
        if ignored.begins:
            alone |= mask(each_distinct(columns[0], ignored.begins_so, pa.bool_()))
            alone |= mask(each_distinct(columns[0], _is_empty, pa.bool_()))
        empty = _blank(columns[0])
        for place in sorted(columns):
            if not empty.any():
                break
            empty &= _blank(columns[place])
        return alone | empty

    def _lines(self, numbers: npt.NDArray[np.int64]) -> Lines:
        records = self._records
        starts = np.append(0, records.ends[:-1])[numbers]
        if len(records.breaks) == len(records.ends) - (not records.is_terminated):
            # No record over several lines.
            return records.first_line + numbers
        return records.first_line + np.searchsorted(records.breaks, starts)

    def _cells(self, number: int) -> list[str]:
        records = self._records
        start = int(records.ends[number - 1]) if number else 0
        text = records.data[start : int(records.ends[number])].decode("utf-8")
        return next(self._layout.reader(iter(io.StringIO(text, newline=""))), [])

    def _row(self, number: int) -> RawRow | None:
        line = int(self._lines(np.array([number]))[0])
        is_last = number == len(self._records.ends) - 1
        is_terminated = self._records.is_terminated or not is_last
        return self._layout.row(self._cells(number), line, is_terminated=is_terminated)


def _array(table: Any, name: str) -> Any:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else pa.array([], pa.string())


def _blank(cells: Any) -> npt.NDArray[np.bool_]:
    return mask(pc.equal(pc.binary_length(pc.utf8_trim(cells, BLANKS)), 0))


def _is_empty(cell: str) -> bool:
    return not cell.strip()
