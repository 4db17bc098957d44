"""Which contact properties the portal has, compared with those that the profile names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trueline.errors import ConfigurationError
from trueline.sources.settings import HubSpotProperties

REQUIRED = ("email", "created", "modified", "lead_status")
# Columns that are read as more than text, and the property types that fit them.
_NUMBER = ("number",)
_TYPES = {
    "created": ("datetime",),
    "modified": ("datetime",),
    "contact_attempts": _NUMBER,
    "fit": _NUMBER,
    "budget": _NUMBER,
    "authority": _NUMBER,
    "need": _NUMBER,
    "timing": _NUMBER,
    "interest": _NUMBER,
    "intent": _NUMBER,
    # A single checkbox is an enumeration of true and false in older portals.
    "is_test": ("bool", "enumeration"),
}


@dataclass(frozen=True, slots=True)
class Known:
    """What of the profile's properties the portal has.

    Attributes:
        wanted: Properties to ask for.
        missing: Optional ones that the portal does not have; their columns stay empty.
        changed: ``score_fit is enumeration, not number``: their values may be quarantined.
    """

    wanted: tuple[str, ...]
    missing: tuple[str, ...]
    changed: tuple[str, ...]


def compare(source: str, names: HubSpotProperties, portal: Mapping[str, str]) -> Known:
    """Compare the profile's names with the portal's (name to type).

    A portal has hundreds of properties of its own: those nobody asked for are no news.

    Raises:
        ConfigurationError: a property is missing without which no lead can be told.
    """
    given = {str(field): str(name) for field, name in names.model_dump().items()}
    absent = {field: name for field, name in given.items() if name not in portal}
    needed = [field for field in REQUIRED if field in absent]
    if needed:
        told = ", ".join(f"{absent[field]!r} (properties.{field})" for field in needed)
        raise ConfigurationError(
            f"The HubSpot account has no contact property {told}.",
            where=f"sources.{source}",
            fix="Give the name that the account uses (HubSpot > Settings > Properties > Contact "
            f"properties, internal name) under sources.{source}.properties, or check that the "
            "key or app may read it.",
        )
    return Known(
        wanted=tuple(dict.fromkeys(name for name in given.values() if name in portal)),
        missing=tuple(sorted(set(absent.values()))),
        changed=tuple(
            f"{given[field]} is {portal[given[field]]}, not {types[0]}"
            for field, types in _TYPES.items()
            if given[field] in portal and portal[given[field]] not in types
        ),
    )
