"""Phone numbers that are plainly written and plainly valid, ten times faster than the library.

``phonenumbers`` decides what a number is. For text that is nothing but a country's own digits its
answer follows from two of its patterns; everything else is left to it. A test compares the two for
every country.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

_INTERNATIONAL = re.compile(r"\+[1-9][0-9 \-]{5,24}[0-9]", re.ASCII)
_NATIONAL = re.compile(r"0[1-9][0-9 \-]{4,22}[0-9]", re.ASCII)
_KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Lengths and pattern of some numbers of a country."""

    lengths: frozenset[int]
    pattern: re.Pattern[str]

    def hold(self, digits: str) -> bool:
        return len(digits) in self.lengths and self.pattern.fullmatch(digits) is not None


@dataclass(frozen=True, slots=True)
class _Country:
    """The main country of a calling code.

    Attributes:
        prefix: What is dialled before a number within it, as a pattern; None where nothing is.
        has_zero: Whether that is 0 and nothing else.
    """

    code: str
    general: _Numbers
    kinds: tuple[_Numbers, ...]
    prefix: re.Pattern[str] | None
    has_zero: bool

    def holds(self, digits: str) -> bool:
        """Whether these digits behind the code are a number, exactly as they are."""
        if digits[0] == "0" or (self.prefix and self.prefix.match(digits)):
            return False
        return self.general.hold(digits) and any(kind.hold(digits) for kind in self.kinds)


def plain_e164(text: str, region: str | None) -> str | None:
    """E.164 of a plain number; None where the library has to look at it.

    Args:
        region: Country (``DE``) of a number that begins with 0.
    """
    if _INTERNATIONAL.fullmatch(text):
        digits = text[1:].replace(" ", "").replace("-", "")
        for length in (1, 2, 3):
            country = _of_code(digits[:length])
            if country:
                return f"+{digits}" if country.holds(digits[length:]) else None
        return None
    if region is None or not _NATIONAL.fullmatch(text):
        return None
    country = _of_region(region)
    if country is None or not country.has_zero:
        return None
    digits = text.replace(" ", "").replace("-", "")
    # With its 0 it must be no number, or the library would keep the 0.
    if country.general.pattern.fullmatch(digits) or not country.holds(digits[1:]):
        return None
    return f"+{country.code}{digits[1:]}"


@cache
def _of_region(region: str) -> _Country | None:
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        if regions[0] == region:
            return _of_code(str(code))
    return None


@cache
def _of_code(code: str) -> _Country | None:
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code)) if code else None
    metadata = PhoneMetadata.metadata_for_region(regions[0]) if regions else None
    # The main country of a shared code is asked first, unless it tells its numbers by their start.
    if metadata is None or metadata.leading_digits:
        return None
    kinds = (getattr(metadata, kind) for kind in _KINDS)
    prefix = metadata.national_prefix_for_parsing
    return _Country(
        code,
        _numbers(metadata.general_desc),
        tuple(_numbers(kind) for kind in kinds if kind and kind.national_number_pattern),
        re.compile(prefix) if prefix else None,
        prefix == "0" and not metadata.national_prefix_transform_rule,
    )


def _numbers(description: object) -> _Numbers:
    lengths = getattr(description, "possible_length", ())
    pattern = getattr(description, "national_number_pattern", None)
    return _Numbers(frozenset(lengths), re.compile(pattern or "(?!)"))
