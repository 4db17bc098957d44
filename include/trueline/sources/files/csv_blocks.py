"""Where records end, for a whole block of a CSV file at once.

Only where quotes, line ends and bytes follow the rules to the letter: then nothing is guessed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trueline.sources.files.bytes_feed import Feed
from trueline.sources.files.mapping import FileMapping

BLOCK_BYTES = 8 * 1024 * 1024
# Python's reader refuses longer cells; a record this long is left to it.
_CELL_LIMIT = csv.field_size_limit()
_NEWLINE, _RETURN = 10, 13
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Records:
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


def next_block(feed: Feed, mapping: FileMapping) -> Records | None:
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
    records = Records(block, ends + 1, breaks, feed.line + 1, is_terminated, len(quotes) > 0)
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
