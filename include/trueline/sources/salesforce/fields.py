"""From the profile's field names to the fields that the org really has."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trueline.errors import ConfigurationError
from trueline.sources.salesforce.constants import (
    COMPOUND_TYPES,
    CURRENCY_FIELD,
    DEAL_NEEDED,
    DEAL_USEFUL,
    LEAD_NEEDED,
    LEAD_USEFUL,
)
from trueline.sources.settings import SalesforceFields

log = logging.getLogger(__name__)
NEEDED_SETTINGS = ("email", "status")


@dataclass(frozen=True, slots=True)
class Columns:
    """What to select of one object.

    Attributes:
        selected: Field names in the org's own spelling, each once.
        needed: Those without which nothing can be loaded.
        of_setting: The setting's name to the field, for Lead; without what the org lacks.
    """

    selected: Sequence[str]
    needed: Sequence[str]
    of_setting: Mapping[str, str]


def lead_columns(described: Sequence[Mapping[str, Any]], wanted: SalesforceFields) -> Columns:
    """Lead's columns.

    Raises:
        ConfigurationError: a needed field is not there or not visible, or one is compound.
    """
    known = _Known("Lead", described)
    needed = [known.needed(name) for name in LEAD_NEEDED]
    useful = [known.useful(name) for name in LEAD_USEFUL]
    of_setting: dict[str, str] = {}
    for setting, name in wanted.model_dump().items():
        if name is None:
            continue
        label = f"setting fields.{setting}"
        required = setting in NEEDED_SETTINGS
        found = known.needed(name, label) if required else known.useful(name, label)
        if found is not None:
            of_setting[setting] = found
        if required and found is not None:
            needed.append(found)
    known.tell()
    return _columns(needed, [*useful, *of_setting.values()], of_setting)


def deal_columns(described: Sequence[Mapping[str, Any]]) -> Columns:
    """Opportunity's columns; the currency's field where the org has several currencies.

    Raises:
        ConfigurationError: a needed field is not there or not visible.
    """
    known = _Known("Opportunity", described)
    needed = [known.needed(name) for name in DEAL_NEEDED]
    useful = [known.useful(name) for name in DEAL_USEFUL]
    known.tell()
    return _columns(needed, [*useful, known.find(CURRENCY_FIELD)], {})


def _columns(
    needed: Sequence[str], others: Sequence[str | None], of_setting: Mapping[str, str]
) -> Columns:
    # Two settings may name one field, and a field may be selected only once.
    selected = tuple(dict.fromkeys(name for name in (*needed, *others) if name is not None))
    return Columns(selected, tuple(dict.fromkeys(needed)), of_setting)


class _Known:
    """The fields of one object, whatever the case of their letters."""

    def __init__(self, sobject: str, described: Sequence[Mapping[str, Any]]) -> None:
        self._sobject = sobject
        self._types = {str(field.get("name")): str(field.get("type")) for field in described}
        self._names = {name.lower(): name for name in self._types}
        self._absent: list[str] = []

    def find(self, name: str) -> str | None:
        """The org's own spelling."""
        return self._names.get(name.lower())

    def needed(self, name: str, setting: str = "") -> str:
        found = self.useful(name, setting)
        if found is None:
            told = f" ({setting})" if setting else ""
            raise ConfigurationError(
                f"The integration user sees no field {name!r} of {self._sobject}{told}.",
                where=f"Salesforce {self._sobject}",
                fix="Correct the name in the profile, or let the user read the field "
                "(field-level security in its permission set).",
            )
        return found

    def useful(self, name: str, setting: str = "") -> str | None:
        """The field, or None, which :meth:`tell` will say."""
        found = self.find(name)
        if found is None:
            self._absent.append(f"{name} ({setting})" if setting else name)
        elif self._types[found] in COMPOUND_TYPES:
            raise ConfigurationError(
                f"{self._sobject}.{found} is made of other fields ({setting}).",
                where=f"Salesforce {self._sobject}",
                fix="Name one of its parts, for example City instead of Address.",
            )
        return found

    def tell(self) -> None:
        if self._absent:
            log.warning(
                "%s has no field, or shows none: %s. Pulled as empty.",
                self._sobject,
                ", ".join(self._absent),
            )
