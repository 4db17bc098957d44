"""JSON lines, row by row: numbers keep every digit that is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from trueline.sources.files.bytes_feed import Feed
from trueline.sources.files.content import cut_off, is_damaged
from trueline.sources.files.mapping import FileMapping, normalise
from trueline.sources.files.rows import RawRow


def json_rows(path: Path, name: str, mapping: FileMapping) -> Iterator[RawRow]:
    """Every line that is not blank.

    Raises:
        PermanentError: the last line is cut, or the file cannot be read.
    """
    keys: dict[str, str] = {}
    decoder = json.JSONDecoder(parse_float=Decimal, parse_int=str, parse_constant=_no_constant)
    with Feed(path, name, mapping.encoding) as feed:
        for line in iter(feed.next_line, ""):
            text = line.strip().lstrip("\ufeff")
            if not text:
                continue
            try:
                found = decoder.decode(text)
            except (ValueError, RecursionError):
                if not feed.last_is_terminated:
                    raise cut_off(
                        f"{name}:{feed.line}", "the last line is not whole JSON"
                    ) from None
                yield RawRow(feed.line, {}, text, "bad_json")
                continue
            if not isinstance(found, dict):
                yield RawRow(feed.line, {}, text, "bad_json")
                continue
            cells = {}
            for key, value in found.items():
                if key not in keys:
                    keys[key] = normalise(key)
                cells[keys[key]] = _cell(value)
            reason = "bad_encoding" if is_damaged(text) else None
            yield RawRow(feed.line, cells, text, reason)


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | Decimal):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
