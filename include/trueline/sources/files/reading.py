"""One file being read: pieces typed by two threads, handed out in order, and what they covered."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from trueline.errors import RowError
from trueline.sources.base import Batch
from trueline.sources.files.mapping import FileMapping
from trueline.sources.files.repeats import Repeats
from trueline.sources.files.rows import GRAINS, RowRules, storable
from trueline.sources.files.tables import Piece, open_table
from trueline.sources.files.typed import TypedChunk, TypedReader, TypedRows

# Typing lets go of Python's lock most of the time; more threads than this only need more memory.
_THREADS = 2


class Reading:
    """Reads one file; the figures are complete when ``batches`` has ended.

    Attributes:
        received: Rows of the file.
        bad: Rows that could not be used, or not for all of their tables.
        reasons: Why, counted.
        spans: First and last day by table, platform and account of an ad report.
        crms: CRMs whose leads the file holds.
        unknown: Columns nobody asked for.

    Raises:
        PermanentError: a needed column is missing, or the file is damaged.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        digest: str,
        mapping: FileMapping,
        time_zone: str,
        workdir: Path,
    ) -> None:
        self.name, self._digest = name, digest
        self.received = self.bad = 0
        self.reasons: Counter[str] = Counter()
        self.spans: dict[tuple[str, str, str], tuple[date, date]] = {}
        self.crms: set[str] = set()
        self.unknown: set[str] = set()
        table = open_table(path, name, mapping)
        self._pieces = table.pieces
        self._reader = TypedReader(RowRules(table.mapping, name, time_zone), time_zone)
        self._resources = ExitStack()
        self._repeats = {
            table: Repeats(table, name, workdir) for table in mapping.tables if table in GRAINS
        }
        for repeats in self._repeats.values():
            self._resources.callback(repeats.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def batches(self) -> Iterator[Batch]:
        """Rows and row errors of each piece and table.

        Raises:
            PermanentError: the file is damaged, or gives two figures for the same.
        """
        for typed in self._typed():
            self.unknown |= typed.unknown
            self.received += typed.received
            bad_lines = set(typed.bad_lines)
            for rows in typed.tables:
                columns, errors = self._once(rows, typed)
                bad_lines.update(error.line for error in errors)
                self.reasons.update(
                    f"{error.reason} in {error.column}" if error.column else error.reason
                    for error in errors
                )
                self._note(rows.part.table, columns)
                if columns.num_rows or errors:
                    yield Batch(
                        rows.part.table,
                        (),
                        sorted(errors, key=lambda error: error.line),
                        file_name=self.name,
                        content_hash=self._digest,
                        columns=columns,
                    )
            self.bad += len(bad_lines)

    def _typed(self) -> Iterator[TypedChunk]:
        """Chunks in the order of the file, at most a few at once in memory."""
        waiting: deque[Future[list[TypedChunk]]] = deque()
        with ThreadPoolExecutor(_THREADS) as pool:
            try:
                for piece in self._pieces:
                    waiting.append(pool.submit(self._work, piece))
                    if len(waiting) > _THREADS:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _work(self, piece: Piece) -> list[TypedChunk]:
        return [self._reader.read(chunk) for chunk in piece()]

    def _once(self, rows: TypedRows, typed: TypedChunk) -> tuple[pa.Table, list[RowError]]:
        """The rows without those that tell again what one before them told."""
        columns = rows.columns.append_column("line", pa.array(rows.lines, pa.int64()))
        repeats = self._repeats.get(rows.part.table)
        if repeats is None or not columns.num_rows:
            return columns, rows.errors
        again = repeats.among(rows.columns, rows.lines)
        if not again.any():
            return columns, rows.errors
        # One row per action repeats the campaign's cost: told once, it is not received again.
        told = again & (rows.alone | (rows.part.table == "pixel_claims"))
        errors = [*rows.errors]
        for place in rows.places[told]:
            row = typed.chunk.row(int(place))
            assert row is not None
            errors.append(RowError(row.line, None, "duplicate_row", storable(row.text)))
        return columns.filter(pa.array(~again)), errors

    def _note(self, table: str, columns: Any) -> None:
        """What the rows cover."""
        if table == "crm_leads":
            self.crms.update(pc.unique(columns.column("crm")).to_pylist())
        if table not in GRAINS or not columns.num_rows:
            return
        spans = columns.group_by(["platform", "account_id"]).aggregate(
            [("platform_date", "min"), ("platform_date", "max")]
        )
        for span in spans.to_pylist():
            key = (table, span["platform"], span["account_id"])
            first, last = span["platform_date_min"], span["platform_date_max"]
            known = self.spans.get(key, (first, last))
            self.spans[key] = (min(known[0], first), max(known[1], last))
