"""Names of columns in seven languages (``column_names.yaml``), and other words of exports."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, get_args

import yaml

from trueline.sources.files.targets import Kind, targets

_NAMES = Path(__file__).with_name("column_names.yaml")

_CURRENCY_AT_END = re.compile(r"\s*\(([A-Z]{3})\)\s*$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def plain(name: str) -> str:
    """A name without accents, case, punctuation and a currency at its end."""
    text = _CAMEL.sub(" ", _CURRENCY_AT_END.sub("", name.replace("\ufeff", "")))
    text = unicodedata.normalize("NFKD", text.replace("ß", "ss")).casefold()
    text = "".join(char for char in text if not unicodedata.combining(char))
    return " ".join(re.sub(r"[^a-z0-9]+", " ", text).split())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split("|"))


def currency_in(name: str) -> str | None:
    """``EUR`` of ``Amount spent (EUR)``."""
    match = _CURRENCY_AT_END.search(name)
    return match[1] if match else None


# How rows of sums and footers begin.
TOTALS = (
    "Total",
    "Totals",
    "Grand Total",
    "Grand Totals",
    "Gesamt",
    "Gesamtsumme",
    "Summe",
    "Total général",
    "Total general",
    "Totale",
    "Totaal",
    "Somme",
    "Suma",
    "Soma",
    "Somma",
    "Overall total",
    "©",
    "Copyright",
    "Confidential Information",
)
NULLS = (
    "-",
    "--",
    "—",
    "–",
    "n/a",
    "N/A",
    "#N/A",
    "NULL",
    "null",
    "(null)",
    "None",
    "none",
    "nan",
    "NaN",
    "(none)",
    "(not set)",
    "k. A.",
    "k.A.",
    "s/o",
    "n.d.",
    "\\N",
)
TRUE = _words("true|t|yes|y|1|ja|j|wahr|oui|vrai|si|verdadero|sim|verdadeiro|vero|waar|won")
FALSE = _words("false|f|no|n|0|nein|falsch|non|faux|falso|nao|onwaar|nee|lost|open")
MARKS = ("€", "$", "£", "¥", "R$", "US$", "CHF", "EUR", "USD", "GBP", "BRL", "%", "kr", "zł")
PLATFORMS = {
    "google_ads": ("google ads", "google", "adwords", "campaign report", "impr"),
    "meta_ads": ("meta", "facebook", "fb ads", "instagram", "reporting starts", "berichtsstart"),
    "microsoft_ads": ("microsoft", "bing", "gregorian date"),
    "linkedin_ads": ("linkedin", "campaign performance report", "start date in utc"),
    "tiktok_ads": ("tiktok", "by day", "clicks destination"),
}


@cache
def _column_names() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(_NAMES.read_text(encoding="utf-8"))
    return found


@cache
def dictionary(kind: Kind) -> dict[str, tuple[str, int]]:
    """Plain name of a column to its field and the name's place in the field's list."""
    names = _column_names()
    common = {field: each for field, each in names["common"].items() if field in targets(kind)}
    found: dict[str, tuple[str, int]] = {}
    for field, listed in {**names[kind], **common}.items():
        for place, name in enumerate(listed):
            found.setdefault(name, (field, place))
    return found


def is_personal(name: str) -> bool:
    """Whether a column of this name describes a person."""
    return plain(name) in _column_names()["personal"]


def is_period_start(name: str) -> bool:
    """Whether a column holds the first day that a row tells of."""
    return plain(name) in _column_names()["period_start"]


def is_period_end(name: str) -> bool:
    """Whether a column holds the last day that a row tells of."""
    return plain(name) in _column_names()["period_end"]


@cache
def _known() -> frozenset[str]:
    names = {name for kind in get_args(Kind) for name in dictionary(kind)}
    return frozenset(names | set(_column_names()["personal"]))


def is_known(name: str) -> bool:
    """Whether a cell is a column's name in some export that we know of."""
    return plain(name) in _known()
