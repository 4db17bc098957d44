"""Excel workbooks: the values of one sheet, with what a spreadsheet does to values told apart.

What the file declares is checked before it is read: a small workbook can unpack to anything.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.etree import ElementTree

from trueline.errors import PermanentError
from trueline.sources.files.cells import BadCell
from trueline.sources.files.layout import SEARCHED_ROWS, Ignored, is_header
from trueline.sources.files.mapping import FileMapping, normalise
from trueline.sources.files.rows import RawRow

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

MAX_UNPACKED_BYTES = 1024**3
# Cells of the rectangle around all that a sheet holds; the reader has it in memory as a whole.
MAX_CELLS = 20_000_000
# From here on a spreadsheet's numbers are not exact: an id that was typed as one is lost.
EXACT_UP_TO = 2**53
_PIECE = 1 << 20
_MAX_PART_BYTES = 16 * 1024**2
_ZIP = b"PK\x03\x04"
# The names of an encrypted workbook's parts, as the old container writes them.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_CELL = re.compile(rb"<(?:\w+:)?c\s[^>]*?\br=\"([A-Z]{1,3})([0-9]{1,7})\"")
_ERROR = re.compile(
    rb"<(?:\w+:)?c\s(?=[^>]*\bt=\"e\")[^>]*?\br=\"([A-Z]{1,3})([0-9]{1,7})\"[^>]*>"
    rb"(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v>([^<]{1,40})<",
    re.DOTALL,
)
_FORMULA_ALONE = re.compile(
    rb"<(?:\w+:)?c\s[^>]*?\br=\"([A-Z]{1,3})([0-9]{1,7})\"[^>]*>\s*"
    rb"<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
Place = tuple[int, int]


@dataclass(slots=True)
class Sheet:
    """One sheet whose header has been found.

    Attributes:
        columns: Its columns as they are spelt.
        first_row: 0-based row of the first data row.
        spoiled: Cells without a value of their own, by 0-based row and column, with the reason.
    """

    columns: Sequence[str]
    first_row: int
    cells: CalamineSheet
    spoiled: Mapping[Place, BadCell]

    def rows(self, mapping: FileMapping) -> Iterator[RawRow]:
        """Every row that is data under the mapping, which names the columns of this sheet."""
        keys = [normalise(column) for column in self.columns]
        is_ignored, shape = Ignored(mapping, keys), _Shape.of(mapping)
        for number, values in enumerate(self.cells.iter_rows()):
            if number < self.first_row:
                continue
            shown = [_shown(value) for value in values]
            spoiled = {
                place: self.spoiled[number, place]
                for place in range(len(keys))
                if (number, place) in self.spoiled
            }
            if not spoiled and not any(text.strip() for text in shown):
                continue
            if is_ignored(shown):
                continue
            cells = {
                key: spoiled.get(place, shape.cell(key, values[place]))
                for place, key in enumerate(keys)
                if place < len(values)
            }
            text = json.dumps(
                {key: str(cell) for key, cell in cells.items() if cell != ""},
                ensure_ascii=False,
            )
            beyond = any(part.strip() for part in shown[len(keys) :])
            yield RawRow(number + 1, cells, text, "too_many_columns" if beyond else None)


@dataclass(slots=True)
class _Shape:
    """Which columns want an id, a day or a moment: a sheet has one kind of number and of date."""

    ids: set[str] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    moments: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, mapping: FileMapping) -> _Shape:
        shape = cls()
        for name, rule in mapping.fields.items():
            target, key = mapping.target(name), normalise(rule.column)
            if target.is_id:
                shape.ids.add(key)
            elif target.type == "DATE":
                shape.days.add(key)
            elif target.type == "TIMESTAMP" and rule.format:
                shape.moments.add(key)  # the mapping says how a day is written: days are meant
        return shape

    def cell(self, key: str, value: Any) -> Any:
        """A value of the sheet as a cell."""
        if value is None:
            return ""  # as in a CSV: a mapping may say what an empty cell means
        if isinstance(value, float):
            if key in self.ids and abs(value) >= EXACT_UP_TO:
                return BadCell("excel_precision_lost", repr(value))
            return _shown(value) if value.is_integer() else Decimal(repr(value))
        if isinstance(value, datetime):
            is_day = key in self.days and value.time() == time()
            return value.date() if is_day else value
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day) if key in self.moments else value
        return value if isinstance(value, bool) else str(value)


def open_sheet(path: Path, name: str, mapping: FileMapping) -> Sheet:
    """Find the mapping's sheet and its header.

    Raises:
        PermanentError: the workbook is damaged, encrypted, too large, or lacks sheet or header.
    """
    import python_calamine as calamine

    with path.open("rb") as file:
        is_zip = file.read(len(_ZIP)) == _ZIP
    spoiled: dict[Place, BadCell] = {}
    try:
        if not is_zip and _ENCRYPTED in path.read_bytes():
            raise _encrypted(name)
        with path.open("rb") as file:
            package = _Package(path, name) if is_zip else None
            book = calamine.CalamineWorkbook.from_filelike(file)
            sheet = _chosen(book, name, mapping)
            if package:
                spoiled = package.spoiled(sheet)
            cells = book.get_sheet_by_name(sheet)
    except calamine.PasswordError:
        raise _encrypted(name) from None
    except (
        calamine.CalamineError,
        zipfile.BadZipFile,
        zlib.error,
        ElementTree.ParseError,
        KeyError,
    ):
        raise PermanentError(
            "The workbook is damaged, or no Excel file at all.",
            where=name,
            fix="Open it in a spreadsheet and save it again as .xlsx; nothing of it was loaded.",
        ) from None
    for (top, left), (bottom, right) in cells.merged_cell_ranges or ():
        covered = (
            (row, column) for row in range(top, bottom + 1) for column in range(left, right + 1)
        )
        for place in islice(covered, 1, MAX_CELLS):
            spoiled[place] = BadCell("excel_merged_cell", "")
    columns, header = _header(cells, name, mapping)
    return Sheet(columns, header + 1 + mapping.skip_rows, cells, spoiled)


def _chosen(book: Any, name: str, mapping: FileMapping) -> str:
    import python_calamine as calamine

    names = list(book.sheet_names)
    if isinstance(mapping.sheet, int) and mapping.sheet <= len(names):
        return str(names[mapping.sheet - 1])
    if mapping.sheet in names:
        return str(mapping.sheet)
    visible = [
        meta.name
        for meta in book.sheets_metadata
        if meta.visible == calamine.SheetVisibleEnum.Visible
    ]
    if mapping.sheet is None and visible:
        return str(visible[0])
    raise PermanentError(
        f"There is no sheet {mapping.sheet!r}. Sheets: {', '.join(map(repr, names)) or 'none'}.",
        where=name,
        fix="Correct sheet in the mapping: a name, or 1 for the first; without it the first "
        "visible one is read.",
    )


def _header(cells: CalamineSheet, name: str, mapping: FileMapping) -> tuple[list[str], int]:
    """The columns, and the 0-based row that names them."""
    rows = [[_shown(value) for value in row] for row in islice(cells.iter_rows(), SEARCHED_ROWS)]
    if mapping.header_row == "find":
        number = next((place for place, row in enumerate(rows) if is_header(mapping, row)), -1)
        if number < 0:
            number = max(range(len(rows)), key=lambda place: sum(map(bool, rows[place])), default=0)
    else:
        number = mapping.header_row - 1
    if number >= len(rows):
        raise PermanentError(
            f"There is no row {number + 1}, where the header should be.",
            where=name,
            fix="Check sheet and header_row in the mapping.",
        )
    columns = [column.replace("\ufeff", "").strip() for column in rows[number]]
    while columns and not columns[-1]:
        columns.pop()
    return columns, number


def _shown(value: Any) -> str:
    """A value as text; whole numbers without ``.0``."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


class _Package:
    """The parts of a workbook, checked as they are read: no part is larger than it says."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        with zipfile.ZipFile(path) as parts:
            sizes = {part.filename: part.file_size for part in parts.infolist()}
            if "xl/workbook.xml" not in sizes:
                raise PermanentError(
                    "This is a zip archive, but not an .xlsx workbook.",
                    where=name,
                    fix="Unpack it, or save the spreadsheet as .xlsx.",
                )
            if sum(sizes.values()) > MAX_UNPACKED_BYTES:
                raise PermanentError(
                    f"The workbook unpacks to {sum(sizes.values()) // 1024**2:,} MB; the limit is "
                    f"{MAX_UNPACKED_BYTES // 1024**2:,} MB.",
                    where=name,
                    fix="Export the table as CSV.",
                )
            for part in sizes:
                # Only then does no part turn out larger while it is unpacked.
                with parts.open(part) as content:
                    while content.read(_PIECE):
                        pass

    def spoiled(self, sheet: str) -> dict[Place, BadCell]:
        """Cells that hold an error, or a formula without the value that it gave.

        Raises:
            PermanentError: the sheet is spread over more cells than fit into memory.
        """
        found: dict[Place, BadCell] = {}
        columns: set[bytes] = set()
        last_row = 0
        with zipfile.ZipFile(self._path) as parts, parts.open(self._part(parts, sheet)) as content:
            for piece in _whole_rows(content):
                places = _CELL.findall(piece)
                columns.update(column for column, _ in places)
                last_row = max(last_row, max((int(row) for _, row in places), default=0))
                for column, row, value in _ERROR.findall(piece) if b't="e"' in piece else ():
                    found[_place(column, row)] = BadCell(
                        "excel_error", value.decode("utf-8", "replace")
                    )
                for column, row in _FORMULA_ALONE.findall(piece) if b"<f" in piece else ():
                    found[_place(column, row)] = BadCell("excel_formula_without_value", "")
        width = max((_column(column) + 1 for column in columns), default=0)
        if width * last_row > MAX_CELLS:
            raise PermanentError(
                f"The sheet spans {last_row:,} rows and {width:,} columns, more than "
                f"{MAX_CELLS:,} cells.",
                where=self._name,
                fix="Delete what stands far away from the table, or export the table as CSV.",
            )
        return found

    def _part(self, parts: zipfile.ZipFile, sheet: str) -> str:
        book = ElementTree.fromstring(_small(parts, "xl/workbook.xml"))
        links = ElementTree.fromstring(_small(parts, "xl/_rels/workbook.xml.rels"))
        targets = {link.get("Id"): str(link.get("Target")) for link in links}
        for element in book.iter():
            if element.tag.endswith("}sheet") and element.get("name") == sheet:
                target = targets[element.get(_RELATION)]
                return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        raise KeyError(sheet)


def _small(parts: zipfile.ZipFile, name: str) -> bytes:
    with parts.open(name) as part:
        content = part.read(_MAX_PART_BYTES)
    if b"<!DOCTYPE" in content:  # a workbook has no entities, but an attack has
        raise KeyError(name)
    return content


def _whole_rows(content: IO[bytes]) -> Iterator[bytes]:
    """Pieces of a sheet that end where a cell ends."""
    rest = b""
    while piece := content.read(_PIECE):
        rest += piece
        end = max(rest.rfind(b"</row>"), rest.rfind(b"<row "), rest.rfind(b"<c "))
        if end > 0:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > _MAX_PART_BYTES:
            raise zipfile.BadZipFile
    yield rest


def _place(column: bytes, row: bytes) -> Place:
    return int(row) - 1, _column(column)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _encrypted(name: str) -> PermanentError:
    return PermanentError(
        "The workbook is protected by a password.",
        where=name,
        fix="Save it without a password; nothing of it was loaded.",
    )
