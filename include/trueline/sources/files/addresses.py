"""Page addresses, click ids and unasked columns of many rows at once, by the rules for one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trueline.sources.files.click_ids import ClickId, read_click_id
from trueline.sources.files.rows import MAX_EXTRA_CHARACTERS, extra_text
from trueline.sources.files.vectors import (
    Array,
    Cells,
    Distinct,
    distinct,
    each_distinct,
    holds,
)
from trueline.sources.page_urls import CLICK_ID_TYPES, PageUrl, read_page_url

PAGE_FIELDS = (
    "page_path",
    "click_id",
    "click_id_type",
    "ad_campaign_id",
    "utm_source",
    "utm_medium",
    "utm_campaign",
)
# Stands for the click ids, which differ in every address, while the rest of it is taken apart.
_SIGN = "\ue001"
_ID = r"[A-Za-z0-9_.\-]+"
_CLICK_IDS = rf"([?&](?:{'|'.join(CLICK_ID_TYPES)})=){_ID}"
_MASKED_UP_TO = 2000
# A click id that is one beyond doubt, and not of a length at which text fields cut.
_PLAIN_CLICK_ID = r"^[A-Z][A-Za-z0-9_\-]{0,98}$"
# Sites have far fewer pages and campaigns than visits.
_page = lru_cache(maxsize=50_000)(read_page_url)
_BLANK = r"[\s\x0b\x1c-\x1f\x85\p{Z}]"
_NEEDS_CARE = (
    r"(?s)[\x00-\x09\x0b-\x1f@]|%40|://|^/|"  # escapes, addresses of people and of pages
    rf"^{_BLANK}|{_BLANK}$"
)


def page_columns(cells: Cells) -> dict[str, Array]:
    """What :func:`read_page_url` finds in each address, by field."""
    if isinstance(cells, Distinct):
        return _pages(cells)[0]
    masked = pc.replace_substring_regex(cells, _CLICK_IDS, rf"\1{_SIGN}")
    is_long = pc.greater(pc.binary_length(cells), _MASKED_UP_TO)
    if holds(cells, _SIGN[0].encode()[0]) or pc.any(is_long).as_py():
        as_it_is = pc.or_(is_long, pc.match_substring(cells, _SIGN))
        masked = pc.if_else(as_it_is, cells, masked)
    columns, unclear = _pages(distinct(masked))
    if unclear.true_count:
        alone, _ = _pages(distinct(pc.if_else(unclear, cells, pa.scalar(None, pa.string()))))
        columns = {
            name: pc.if_else(unclear, alone[name], column) for name, column in columns.items()
        }
    stands = pc.fill_null(pc.and_not(pc.equal(columns["click_id"], _SIGN), unclear), False)
    for kind in CLICK_ID_TYPES:
        of_kind = pc.and_(stands, pc.fill_null(pc.equal(columns["click_id_type"], kind), False))
        if of_kind.true_count:
            found = pc.extract_regex(
                pc.if_else(of_kind, cells, pa.scalar(None, pa.string())),
                rf"[?&]{kind}=(?P<id>{_ID})",
            )
            columns["click_id"] = pc.if_else(
                of_kind, pc.struct_field(found, "id"), columns["click_id"]
            )
    return columns


def _pages(cells: Distinct) -> tuple[dict[str, Array], Array]:
    """The fields, and for which rows the sign is part of one: they have to be read as they are."""
    pages: list[PageUrl] = [_page(value) for value in cells.values]
    columns = {
        name: pa.array([getattr(page, name) for page in pages], pa.string()).take(cells.indices)
        for name in PAGE_FIELDS
    }
    unclear = pa.array([_is_unclear(page) for page in pages], pa.bool_())
    return columns, unclear.take(cells.indices)


def _is_unclear(page: PageUrl) -> bool:
    found = (getattr(page, name) for name in PAGE_FIELDS if name != "click_id")
    held = page.click_id is not None and _SIGN in page.click_id and page.click_id != _SIGN
    return held or any(_SIGN in value for value in found if value)


def click_id_columns(cells: Array) -> tuple[Array, Array, Array]:
    """Click id, its type where it is told with it, and a note, of each cell."""
    plain = pc.fill_null(pc.match_substring_regex(cells, _PLAIN_CLICK_ID), False)
    none = pa.nulls(len(cells), pa.string())
    if plain.true_count == len(cells):
        return cells, none, none
    others = distinct(pc.if_else(plain, pa.scalar(None, pa.string()), cells))
    found = [read_click_id(cell) if cell else ClickId(None) for cell in others.values]
    ids, kinds, notes = (
        pa.array([getattr(each, name) for each in found], pa.string()).take(others.indices)
        for name in ("click_id", "click_id_type", "note")
    )
    return pc.if_else(plain, cells, ids), kinds, notes


def extra_column(columns: Mapping[str, Cells], notes: Mapping[str, Array], count: int) -> Array:
    """``_extra`` of each row: JSON with sorted keys, without empty cells; null where all are.

    Args:
        columns: Cells of the columns that nobody asked for.
        notes: Texts that take the place of a column of the same name where they are not null.
    """
    texts: dict[str, Array] = {key: _escaped(cells) for key, cells in columns.items()}
    for key, note in notes.items():
        if note.null_count < len(note):
            texts[key] = pc.coalesce(note, texts[key]) if key in texts else note
    parts = [_pair(key, texts[key]) for key in sorted(texts)]
    if not parts:
        return pa.nulls(count, pa.string())
    # Each pair brings its comma along; the first one's is cut off.
    pairs = pc.binary_join_element_wise(*parts, "", null_handling="replace")
    is_empty = pc.equal(pc.binary_length(pairs), 0)
    pairs = pc.ascii_ltrim(pairs, ", ")
    whole = pc.binary_join_element_wise("{", pairs, "}", "")
    return pc.if_else(is_empty, pa.scalar(None, pa.string()), whole)


def _pair(key: str, text: Array) -> Array:
    is_empty = pc.fill_null(pc.equal(pc.binary_length(text), 0), True)
    text = pc.if_else(is_empty, pa.scalar(None, pa.string()), text)
    named = f', {json.dumps(key, ensure_ascii=False)}: "'
    return pc.binary_join_element_wise(named, text, '"', "")


def _escaped(cells: Cells) -> Array:
    """The text that is kept of each cell, as it stands between JSON's quotes."""
    if isinstance(cells, Distinct) or cells.type != pa.string():
        return each_distinct(cells, _escaped_text, pa.string())
    care = pc.match_substring_regex(cells, _NEEDS_CARE)
    care = pc.or_(care, pc.greater(pc.binary_length(cells), MAX_EXTRA_CHARACTERS))
    care = pc.fill_null(care, True)
    plain = cells
    for sign, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        if holds(plain, ord(sign)):
            plain = pc.replace_substring(plain, sign, escape)
    if not care.true_count:
        return plain
    few = pc.if_else(care, cells, pa.scalar(None, pa.string()))
    return pc.if_else(care, each_distinct(few, _escaped_text, pa.string()), plain)


def _escaped_text(cell: Any) -> str:
    return json.dumps(extra_text(cell), ensure_ascii=False)[1:-1]
