"""The text of a file as UTF-8 bytes: unpacked, decoded, in pieces, with its lines counted."""

from __future__ import annotations

import codecs
import re
import zlib
from pathlib import Path
from typing import BinaryIO, Self

from trueline.sources.files.content import (
    MAX_LINE_CHARACTERS,
    cut_off,
    declared_encoding,
    opened,
    too_long,
    wrong_encoding,
)

_LINE_END = re.compile(rb"\r\n|\r|\n")
PIECE_BYTES = 1 << 20


class Feed:
    """Bytes of a text file in UTF-8, without byte order mark, to be taken in pieces or lines.

    Bytes that are not valid in a file said to be UTF-8 stay as they are.

    Attributes:
        taken: Bytes taken so far.
        line: Lines taken so far; ``\\n``, ``\\r`` and ``\\r\\n`` end one.
        last_is_terminated: Whether the last line taken had an end.
    """

    def __init__(self, path: Path, name: str, encoding: str) -> None:
        self._file: BinaryIO = opened(path, name)
        self._name = name
        self._held, self._at = b"", 0
        self._is_over = False
        self.taken, self.line, self.last_is_terminated = 0, 0, True
        self._decoder: codecs.IncrementalDecoder | None = None
        start = self._read(4)
        bom, self._encoding = declared_encoding(start, encoding)
        if self._encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(self._encoding)()
        self._held = self._decoded(start[len(bom) :] if self._decoder is None else start)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def is_over(self) -> bool:
        """Whether it is known that nothing is left."""
        return self._is_over and self._at >= len(self._held)

    @property
    def holds_the_rest(self) -> bool:
        """Whether what was peeked at is all that is left."""
        return self._is_over

    def peek(self, size: int) -> bytes:
        """The next bytes, at least ``size`` of them unless the file ends before."""
        self._fill(size)
        if self._at:
            self._held, self._at = self._held[self._at :], 0
        return self._held

    def take(self, size: int, lines: int, *, is_terminated: bool) -> None:
        """Leave behind the first bytes of what was peeked at."""
        self._at += size
        self.taken += size
        self.line += lines
        self.last_is_terminated = is_terminated

    def next_line(self) -> str:
        """The next line with its end; bytes that are not UTF-8 as lone surrogates; "" at the end.

        Raises:
            PermanentError: it is longer than any line of a table.
        """
        where = f"{self._name}:{self.line + 1}"
        searched = 0
        while True:
            found = _LINE_END.search(self._held, self._at + searched)
            # A carriage return at the very end may be half of a line end.
            if found and (found.end() < len(self._held) or self._is_over):
                end = found.end()
                break
            if self._is_over:
                end = len(self._held)
                break
            searched = max(0, len(self._held) - self._at - 1)
            if searched > 4 * MAX_LINE_CHARACTERS:
                raise too_long(where)
            self._fill(searched + 1 + PIECE_BYTES)
        line = self._held[self._at : end].decode("utf-8", "surrogateescape")
        if len(line) > MAX_LINE_CHARACTERS:
            raise too_long(where)
        if line:
            self.take(end - self._at, 1, is_terminated=line.endswith(("\n", "\r")))
        return line

    def _fill(self, size: int) -> None:
        if len(self._held) - self._at >= size or self._is_over:
            return
        pieces = [self._held[self._at :]]
        there = len(pieces[0])
        while there < size and not self._is_over:
            pieces.append(self._decoded(self._read(max(PIECE_BYTES, size - there))))
            there += len(pieces[-1])
        self._held, self._at = b"".join(pieces), 0

    def _read(self, size: int) -> bytes:
        try:
            found = self._file.read(size)
        except (EOFError, OSError, zlib.error):
            raise cut_off(
                f"{self._name}:{self.line + 1}", "the gzip stream ends early or is damaged"
            ) from None
        self._is_over = not found
        return found

    def _decoded(self, data: bytes) -> bytes:
        if self._decoder is None:
            return data
        try:
            return self._decoder.decode(data, final=self._is_over).encode("utf-8")
        except UnicodeError as error:
            if isinstance(error, UnicodeDecodeError) and self._is_over:
                raise cut_off(self._name, "it ends within a character") from None
            raise wrong_encoding(self._name, self._encoding) from None
