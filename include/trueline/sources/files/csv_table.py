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
from trueline.sources.files.bytes_feed import Feed
from trueline.sources.files.cells import BLANKS
from trueline.sources.files.chunks import Chunk, Lines, cells_of, in_chunks
from trueline.sources.files.content import cut_off, is_damaged
from trueline.sources.files.layout import SEARCHED_ROWS, Ignored, is_header
from trueline.sources.files.mapping import FileMapping, normalise
from trueline.sources.files.rows import RawRow
from trueline.sources.files.vectors import Cells, each_distinct, joined, mask, taken

BLOCK_BYTES = 8 * 1024 * 1024
# Python's reader refuses longer cells; a record this long is left to it.
_CELL_LIMIT = csv.field_size_limit()
_NEWLINE, _RETURN = 10, 13
Bytes = npt.NDArray[np.uint8]


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
                if not feed.peek(BLOCK_BYTES):
                    return
                block = _next_block(feed, self._mapping)
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
    size = len(feed.peek(BLOCK_BYTES))
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


@dataclass(frozen=True, slots=True)
class _Records:
    """Whole records as bytes.

    Attributes:
        ends: Where each record ends, its line end included.
        breaks: Where the lines end, those inside quotes too.
        first_line: Line of the first record.
        is_terminated: Whether the last record has a line end.
    """

    data: bytes
    ends: npt.NDArray[np.int64]
    breaks: npt.NDArray[np.int64]
    first_line: int
    is_terminated: bool
    has_quotes: bool


def _next_block(feed: Feed, mapping: FileMapping) -> _Records | None:
    """The next whole records of the file; None where they have to be read one by one."""
    delimiter, quote = mapping.delimiter, mapping.quote
    data = feed.peek(BLOCK_BYTES)
    if not (delimiter.isascii() and quote.isascii()) or b"\0" in data:
        return None
    view = np.frombuffer(data, np.uint8)
    if not _has_plain_returns(view, data) or (feed.holds_the_rest and data.endswith(b"\r")):
        return None
    quotes = np.flatnonzero(view == ord(quote)) if quote.encode() in data else np.array([], int)
    breaks = np.flatnonzero(view == _NEWLINE)
    if len(quotes):
        inside = np.searchsorted(quotes, breaks) & 1
        ends = breaks[inside == 0]
    else:
        ends = breaks
    is_last = feed.holds_the_rest
    if is_last and len(data) and (not len(ends) or ends[-1] != len(data) - 1):
        if len(quotes) & 1:
            return None  # a quote that is never closed
        ends = np.append(ends, len(data) - 1)
    if not len(ends):
        return None
    size = int(ends[-1]) + 1
    breaks, quotes = breaks[breaks < size], quotes[quotes < size]
    if len(quotes) and not _follow_the_rules(view[:size], quotes, ord(delimiter)):
        return None
    if int(np.diff(ends, prepend=-1).max()) > _CELL_LIMIT:
        return None
    block = data[:size]
    if not block.isascii():
        try:
            block.decode("utf-8")
        except UnicodeDecodeError:
            return None
    is_terminated = block.endswith(b"\n")
    records = _Records(block, ends + 1, breaks, feed.line + 1, is_terminated, len(quotes) > 0)
    feed.take(size, len(breaks) + (not is_terminated), is_terminated=is_terminated)
    return records


def _has_plain_returns(view: Bytes, data: bytes) -> bool:
    """Whether every carriage return is the first half of a line end."""
    if b"\r" not in data:
        return True
    returns = np.flatnonzero(view == _RETURN)
    if returns[-1] == len(view) - 1:
        returns = returns[:-1]
    return bool((view[returns + 1] == _NEWLINE).all())


def _follow_the_rules(view: Bytes, quotes: npt.NDArray[np.int64], delimiter: int) -> bool:
    """Whether quotes open at the start of a cell, close at its end, and are doubled in between.

    Then, and only then, the number of quotes before a place tells whether it is inside a cell.
    """
    opening, closing = quotes[0::2], quotes[1::2]
    before = view[np.maximum(opening - 1, 0)]
    starts = (before == delimiter) | (before == _NEWLINE) | (opening == 0)
    starts[1:] |= opening[1:] - 1 == closing[: len(opening) - 1]
    if not starts.all():
        return False
    after = view[np.minimum(closing + 1, len(view) - 1)]
    stops = (after == delimiter) | (after == _NEWLINE) | (after == _RETURN)
    stops |= closing == len(view) - 1
    follows = opening[1 : len(closing) + 1]
    stops[: len(follows)] |= closing[: len(follows)] + 1 == follows
    return bool(stops.all())


class _Block:
    """Plain records: cells by Arrow; single records, where they are needed, by Python."""

    def __init__(self, records: _Records, layout: Layout, wanted: Callable[[str], bool]) -> None:
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
