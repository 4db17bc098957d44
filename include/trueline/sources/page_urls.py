"""What a page's address tells of its visitor's origin; everything else of it is dropped.

A query string may hold an address or a name (``?email=...``), so nothing of it is kept but click
ids, campaign ids and UTM tags, and those only where they hold no e-mail address.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, unquote_plus, urlsplit

from trueline.redaction import redact, redact_addresses

# In order of what they prove: a paid click's own id before Meta's, which unpaid links carry too.
CLICK_ID_TYPES = ("gclid", "gbraid", "wbraid", "msclkid", "ttclid", "li_fat_id", "fbclid")
CAMPAIGN_ID_KEYS = ("utm_id", "gad_campaignid", "campaign_id", "campaignid", "hsa_cam")
UTM_KEYS = ("utm_source", "utm_medium", "utm_campaign")
MAX_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class PageUrl:
    """The parts of an address that may be kept."""

    page_path: str | None = None
    click_id: str | None = None
    click_id_type: str | None = None
    ad_campaign_id: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None


def read_page_url(address: str | None) -> PageUrl:
    """Take a full address, or one without host, apart. An unreadable one gives nothing."""
    if not address:
        return PageUrl()
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return PageUrl()
    if not parts.query:
        return PageUrl(page_path=_path(parts.path))
    query = dict(_pairs(parts.query))
    kind = next((name for name in CLICK_ID_TYPES if _plain(query.get(name))), None)
    campaigns = (_plain(query.get(name)) for name in CAMPAIGN_ID_KEYS)
    campaign = next((found for found in campaigns if found), None)
    tags = {key: _tag(query.get(key)) for key in UTM_KEYS}
    return PageUrl(
        page_path=_path(parts.path),
        click_id=_plain(query[kind]) if kind else None,
        click_id_type=kind,
        ad_campaign_id=campaign,
        **tags,
    )


def without_query(address: str | None) -> str | None:
    """An address up to its query, personal values in the path replaced."""
    if not address or not address.strip():
        return None
    cut = address.strip().partition("?")[0].partition("#")[0]
    return redact_addresses(unquote(cut))[:MAX_LENGTH] or None


def referrer_host(address: str | None) -> str | None:
    """The host of an address in lower case, without port and user."""
    if not address:
        return None
    text = address.strip()
    try:
        return urlsplit(text if "//" in text else f"//{text}").hostname or None
    except ValueError:
        return None


def looks_like_url(text: str) -> bool:
    """True for a value whose query must not be kept."""
    return "://" in text[:32] or (text.startswith("/") and "?" in text)


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    """The first value of each key; keys in lower case, values still quoted."""
    seen: set[str] = set()
    for part in query.split("&"):
        key, _, value = part.partition("=")
        name = unquote_plus(key).strip().lower()
        if value and name not in seen:
            seen.add(name)
            yield name, value


def _plain(value: str | None) -> str | None:
    """An id: only its percent signs are decoded, because ``+`` and case belong to it."""
    text = unquote(value).strip() if value else ""
    return text if text and "@" not in text and len(text) <= MAX_LENGTH else None


@lru_cache(maxsize=4096)
def _tag(value: str | None) -> str | None:
    """A tag as tagged; dropped whole where it holds a personal value."""
    text = unquote_plus(value).strip() if value else ""
    if not text or len(text) > MAX_LENGTH or redact(text) != text:
        return None
    return text


@lru_cache(maxsize=4096)
def _path(path: str) -> str:
    return redact_addresses(unquote(path))[:MAX_LENGTH] or "/"
