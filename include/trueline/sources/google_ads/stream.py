"""searchStream's answer is one JSON array, maybe gigabytes long: it is taken apart as it comes.

Every element of the array is a batch of rows, and is whole JSON by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# Everything up to the next bracket outside of a text, however long: backtracking is ruled out.
_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]])', re.DOTALL)
_BOM = b"\xef\xbb\xbf"
MAX_ELEMENT_BYTES = 256 * 1024 * 1024


class BrokenStreamError(Exception):
    """The text ends too early or is no such array; the message says which, without any content."""


def elements(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The objects of a JSON array, each as soon as its last byte is there.

    A single object in place of the array counts as its only element.

    Raises:
        BrokenStreamError: after the last whole element.
    """
    text = bytearray()
    place = depth = begun = 0
    floor: int | None = None  # the depth that elements stand on, known from the first bracket
    is_over = False
    for piece in pieces:
        text += piece
        if floor is None:
            _must_begin(text)
        while bracket := _BRACKET.match(text, place):
            if is_over:
                raise BrokenStreamError("it goes on after its end")
            place, mark = bracket.end(), bracket[1]
            if mark in b"{[":
                if floor is None:
                    floor = 1 if mark == b"[" else 0
                if depth == floor:
                    begun = place - 1
                depth += 1
                continue
            depth -= 1
            if depth == floor and mark == b"}":
                yield bytes(text[begun:place])
                del text[:place]
                place = 0
            is_over = depth <= 0
            if is_over and (depth < 0 or mark != (b"]" if floor else b"}")):
                raise BrokenStreamError("its brackets do not match")
        if len(text) > MAX_ELEMENT_BYTES:
            raise BrokenStreamError(f"one element is larger than {MAX_ELEMENT_BYTES >> 20} MB")
    if not is_over:
        raise BrokenStreamError("it is empty" if floor is None else "it was cut off")


def _must_begin(text: bytearray) -> None:
    """A page of a proxy or a login has brackets too, but begins otherwise."""
    head = bytes(text[:64]).removeprefix(_BOM).lstrip()
    if head and head[:1] not in (b"[", b"{"):
        raise BrokenStreamError("it is a web page" if head[:1] == b"<" else "it is no JSON")
