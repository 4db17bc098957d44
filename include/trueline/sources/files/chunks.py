"""A piece of a file, column by column, as every reader of a format hands it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trueline.sources.files.rows import RawRow
from trueline.sources.files.vectors import Cells, Distinct

Lines = npt.NDArray[np.int64]
# Rows of formats that are read row by row, which are put side by side at once.
ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a file.

    Attributes:
        count: Rows in ``columns``.
        columns: Normalised column name to its cells as received.
        lines: Gives the 1-based line where each row begins.
        row: Gives the row at a place as a whole; None where it turns out to be no data.
        bad: Rows that are bad as a whole; they are not among the others.
    """

    count: int
    columns: dict[str, Cells]
    lines: Callable[[], Lines]
    row: Callable[[int], RawRow | None]
    bad: Sequence[RawRow] = ()


def of_rows(rows: Sequence[RawRow]) -> Chunk:
    """Rows that came one by one."""
    good = [row for row in rows if row.reason is None]
    bad = [row for row in rows if row.reason is not None]
    keys = dict.fromkeys(key for row in good for key in row.cells)
    return Chunk(
        len(good),
        {key: cells_of([row.cells.get(key) for row in good]) for key in keys},
        lambda: np.array([row.line for row in good], np.int64),
        lambda place: good[place],
        bad,
    )


def in_chunks(rows: Iterable[RawRow]) -> Iterator[Chunk]:
    """Rows one by one into chunks that fit into memory."""
    waiting: list[RawRow] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == ROWS_AT_ONCE:
            yield of_rows(waiting)
            waiting = []
    if waiting:
        yield of_rows(waiting)


def cells_of(cells: Sequence[Any]) -> Cells:
    """Text as a column of text; a column with anything else by its distinct cells."""
    if all(cell is None or type(cell) is str for cell in cells):
        try:
            return pa.array(cells, pa.string())
        except UnicodeEncodeError:  # half of a surrogate pair, out of a JSON escape
            pass
    return Distinct.of(cells)
