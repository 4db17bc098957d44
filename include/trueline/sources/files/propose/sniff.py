"""What a file is: packing, text encoding, delimiter, header row, and its first rows as cells."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from trueline.errors import PermanentError
from trueline.sources.files.content import opened
from trueline.sources.files.propose.shapes import Column, is_data
from trueline.sources.files.propose.words import TOTALS, is_known

LOOKED_AT_ROWS = 2_000
_LOOKED_AT_BYTES = 4 << 20
_HEADER_WITHIN = 100
_SURELY_KNOWN = 2
_DELIMITERS = (",", ";", "\t", "|")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What cp1252 has no letter for.
_NOT_IN_CP1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")
Format = Literal["csv", "jsonl", "parquet", "excel"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found of a file.

    Attributes:
        sheet: Of a spreadsheet, where it is not the first one.
        columns: Names as spelt; empty where no row names columns.
        rows: Row number (1-based, as a person counts) and cells of the looked-at rows below the
            header; sums and footers are left out.
        header_row: The row with the names, 1-based; None where no row names columns.
        titles: The lines above the header, to be searched and not to be shown.
        sums: Rows of sums and footers: the words they begin with, and their cells.
        doubts: What is not certain.
    """

    format: Format
    encoding: str = "utf-8"
    delimiter: str = ","
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[int, tuple[Any, ...]], ...] = ()
    header_row: int | None = 1
    sheet: str | None = None
    titles: str = ""
    sums: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    doubts: tuple[str, ...] = field(default=())

    def column_values(self) -> list[Column]:
        """The columns with their filled cells."""
        found = []
        for place, name in enumerate(self.columns):
            values = [
                (number, cells[place])
                for number, cells in self.rows
                if place < len(cells) and str(cells[place] or "").strip()
            ]
            found.append(Column(name, values, len(self.rows)))
        return found


def look_at(path: Path) -> Seen:
    """Look at the beginning of a file.

    Raises:
        PermanentError: it is not there, empty, or nothing that can be read.
    """
    with opened(path, path.name) as file:
        try:
            start = file.read(_LOOKED_AT_BYTES)
        except (EOFError, OSError):
            raise PermanentError(
                "The gzip stream is damaged.", where=path.name, fix="Copy the file again."
            ) from None
        is_whole = not file.read(1)
    if not start.strip():
        raise PermanentError("The file is empty.", where=path.name, fix="Look at the export.")
    if start.startswith(b"PAR1"):
        return _parquet(path)
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return _excel(path)
    text, encoding, doubts = _decoded(start, is_whole=is_whole)
    if text.lstrip().startswith(("<!DOCTYPE", "<!doctype", "<html", "<?xml")):
        raise PermanentError(
            "This is a web page, not a table.",
            where=path.name,
            fix="Open it in a browser to see what the exporting system wanted to say.",
        )
    if text.lstrip().startswith(("[{", "[\n", "[\r", "[ ")):
        raise PermanentError(
            "This is a JSON array, not one object a line.",
            where=path.name,
            fix="Export JSON lines, or write the array out line by line (jq -c '.[]').",
        )
    if text.lstrip().startswith("{"):
        return replace(_jsonl(text, path.name), encoding=encoding, doubts=doubts)
    found = _csv(text)
    return replace(found, encoding=encoding, doubts=(*doubts, *found.doubts))


def _decoded(start: bytes, *, is_whole: bool) -> tuple[str, str, tuple[str, ...]]:
    """Text without a cut last line, its encoding, doubts."""
    for bom, name in _BOMS:
        if start.startswith(bom):
            return _whole_lines(start.decode(name, errors="replace"), is_whole), name, ()
    if start.count(b"\0") > len(start) // 4:
        name = "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
        return _whole_lines(start.decode(name, errors="replace"), is_whole), name, ()
    try:
        text = start.decode("utf-8")
        return _whole_lines(text, is_whole), "utf-8", ()
    except UnicodeDecodeError as error:
        if not is_whole and error.start >= len(start) - 4:  # a letter cut in two
            return _whole_lines(start[: error.start].decode("utf-8"), is_whole), "utf-8", ()
    beyond = sum(byte > 127 for byte in start)
    name = "latin-1" if _NOT_IN_CP1252 & set(start) else "cp1252"
    doubt = (
        f"encoding: not UTF-8, read as {name} (Western Windows); {beyond} letters depend on it, so "
        "look at names with accents; else try mac_roman or cp1250"
    )
    return _whole_lines(start.decode(name), is_whole), name, (doubt,)


def _whole_lines(text: str, is_whole: bool) -> str:
    text = text.lstrip("\ufeff")
    return text if is_whole else text[: text.rfind("\n") + 1]


def _records(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Records with the line each begins on, as the reader of the source would cut them."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    found: list[tuple[int, list[str]]] = []
    while len(found) < LOOKED_AT_ROWS + _HEADER_WITHIN:
        begins = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            break
        if cells is None:
            break
        found.append((begins, [cell.replace("\0", "") for cell in cells]))
    return found


def _csv(text: str) -> Seen:
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = Counter(len(cells) for _, cells in _records(text, delimiter) if any(cells))
        wide = {width: count for width, count in widths.items() if width > 1}
        if wide:
            width = max(wide, key=lambda each: (wide[each], each))
            score = (wide[width] / widths.total(), width)
            if score > best_score:
                best, best_score = delimiter, score
    records = _records(text, best)
    return replace(_table(records, "csv"), delimiter=best)


def _table(records: Sequence[tuple[int, Sequence[Any]]], kind: Format) -> Seen:
    """Header, rows and what is neither, of records as they come."""
    place = _header_place(records)
    if place is None:
        return Seen(kind, header_row=None)
    columns = [str(cell or "").replace("\ufeff", "").strip() for cell in records[place][1]]
    while columns and not columns[-1]:
        columns.pop()
    rows: list[tuple[int, tuple[Any, ...]]] = []
    sums: list[tuple[str, tuple[Any, ...]]] = []
    for number, cells in records[place + 1 :]:
        if not any(str(cell or "").strip() for cell in cells):
            continue
        start = _total_start(cells)
        if start:
            sums.append((start, tuple(cells)))
        elif len(rows) < LOOKED_AT_ROWS:
            rows.append((number, tuple(cells)))
    # Which record of the file it is: title lines and empty lines count, as header_row counts.
    return Seen(
        kind,
        columns=tuple(columns),
        rows=tuple(rows),
        header_row=place + 1,
        titles=" ".join(str(cell or "") for _, cells in records[:place] for cell in cells),
        sums=tuple(sums),
    )


def _header_place(records: Sequence[tuple[int, Sequence[Any]]]) -> int | None:
    """The first row of names, of which at least one is a name we know; None where there is none.

    Without a known name, a first row of plain words may be somebody's name and town.
    """
    for place, (_, cells) in enumerate(records[:_HEADER_WITHIN]):
        names = [text for cell in cells if (text := str(cell or "").strip())]
        following = [len(each) for _, each in records[place + 1 : place + 6]]
        is_wide = len(names) > 1 or all(width <= 1 for width in following)
        if not is_wide or any(is_data(name) for name in names):
            continue
        known = sum(is_known(name) for name in names)
        if known >= _SURELY_KNOWN or known * 5 >= max(5, len(names)):
            return place
    return None


def _total_start(cells: Sequence[Any]) -> str | None:
    """The words that this row begins with, where it is a sum or a footer; never more of it."""
    filled = [text for cell in cells if (text := str(cell or "").strip())]
    first = filled[0].casefold() if filled else ""
    for start in sorted(TOTALS, key=len, reverse=True):
        if not first.startswith(start.casefold()):
            continue
        rest = first[len(start) :]
        if not rest or not start[0].isalpha():
            return start
        for sign in (":", " of", " ("):
            if rest.startswith(sign):
                return start + sign
        if len(filled) == 1:
            return start
    return None


def _jsonl(text: str, name: str) -> Seen:
    decoder = json.JSONDecoder(parse_float=str, parse_int=str)
    objects: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if len(objects) >= LOOKED_AT_ROWS:
            break
        try:
            found = decoder.decode(line.strip()) if line.strip() else None
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            objects.append((number, found))
    if not objects:
        raise PermanentError(
            "No line is a JSON object.",
            where=name,
            fix="One object a line is read; a JSON array has to be written out line by line.",
        )
    keys = list(dict.fromkeys(key for _, found in objects for key in found))
    rows = tuple(
        (number, tuple(_flat(found.get(key)) for key in keys)) for number, found in objects
    )
    return Seen("jsonl", columns=tuple(keys), rows=rows)


def _flat(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _parquet(path: Path) -> Seen:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        batch = next(file.iter_batches(batch_size=LOOKED_AT_ROWS), None)
    except (pa.ArrowException, OSError):
        raise PermanentError(
            "The Parquet file cannot be read.", where=path.name, fix="Export it again."
        ) from None
    columns = tuple(file.schema_arrow.names)
    found = batch.to_pylist() if batch is not None else []
    rows = tuple(
        (number, tuple(row[name] for name in columns)) for number, row in enumerate(found, start=1)
    )
    return Seen("parquet", columns=columns, rows=rows)


def _excel(path: Path) -> Seen:
    import pandas as pd

    try:
        sheets = pd.read_excel(path, sheet_name=None, header=None, dtype=object, engine="calamine")
    except Exception:
        raise PermanentError(
            "This is a zip archive or a spreadsheet that cannot be read.",
            where=path.name,
            fix="Unpack it, or save the spreadsheet as .xlsx again.",
        ) from None
    first = next(iter(sheets))
    name, frame = max(sheets.items(), key=lambda item: item[1].size)
    cells = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    records = [
        (number, [_sheet_cell(cell) for cell in row]) for number, row in enumerate(cells, start=1)
    ]
    doubts = (f"the largest of {len(sheets)} sheets is read",) if len(sheets) > 1 else ()
    return replace(
        _table(records, "excel"), sheet=None if name == first else str(name), doubts=doubts
    )


def _sheet_cell(cell: Any) -> Any:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else cell
