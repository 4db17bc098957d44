"""Click ids as people's CRMs keep them: often damaged, and a damaged one matches nothing.

A lead is not lost for a bad click id: the id is left out, and a note in ``_extra`` says why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from trueline.sources.page_urls import CLICK_ID_TYPES, read_page_url

_NAMES = "|".join(CLICK_ID_TYPES)
_NAMED = re.compile(rf"(?:^|[?&;\s])({_NAMES})\s*=", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;|]+")
# How Google begins its click ids; in lower case they were "normalised" by someone.
_GOOGLE = ("Cj0KCQ", "CjwKC", "EAIaIQob")
_GOOGLE_LOWERED = tuple(start.lower() for start in _GOOGLE)
# fb.<subdomain index>.<creation time>.<fbclid>: the cookie around Meta's click id.
_FBC = re.compile(r"fb\.[0-2]\.\d{10,13}\.(?P<fbclid>[A-Za-z0-9_\-.]{10,})")
# A common length of text fields in CRMs.
_CUT_AT = frozenset({100, 255})
_MAX_CHARACTERS = 2048


@dataclass(frozen=True, slots=True)
class ClickId:
    """A click id, what it is if that is told with it, and what was wrong."""

    click_id: str | None
    click_id_type: str | None = None
    note: str | None = None


def read_click_id(cell: str) -> ClickId:
    """Take a cell that should hold one click id apart.

    Returns:
        The id without the rest of a query string and without percent signs. Without an id where it
        cannot be the one that the platform gave.
    """
    text = cell.strip()
    if _NAMED.search(text):
        return _named(text)
    found, note = unquote(text).partition("&")[0].strip(), None
    if found != text:
        note = "click_id_mended"
    kind = None
    cookie = _FBC.fullmatch(found)
    if cookie:
        found, kind = cookie["fbclid"], "fbclid"
    if len([each for each in _BETWEEN.split(found) if each]) > 1:
        return ClickId(None, note="several_click_ids")
    return _judged(found, kind, note)


def _named(text: str) -> ClickId:
    """``gclid=…&gad_source=1``, or a whole address."""
    kinds = {name.lower() for name in _NAMED.findall(text)}
    if len(_NAMED.findall(text)) > len(kinds):
        return ClickId(None, note="several_click_ids")
    query = text.partition("?")[2] or text
    page = read_page_url(f"/?{_BETWEEN.sub('&', query)}")
    if page.click_id is None:
        return ClickId(None, note="bad_click_id")
    return _judged(page.click_id, page.click_id_type, "click_id_mended")


def _judged(found: str, kind: str | None, note: str | None) -> ClickId:
    if not found or len(found) > _MAX_CHARACTERS or "@" in found:
        return ClickId(None, note="bad_click_id")
    if found.startswith(_GOOGLE_LOWERED) and found == found.lower():
        return ClickId(None, note="click_id_lower_cased")
    if len(found) in _CUT_AT:
        note = "click_id_perhaps_cut"
    return ClickId(found, kind, note)
