"""What has to come of each fault on each platform: the contract of the adapters, as a table.

- What passes by itself is waited out inside the task: the same rows, nothing twice.
- A pause that is too long for a task is left to the orchestrator, with the server's own delay.
- A credential, a permission, a version: one clear message, no retries.
- A page that leads astray never ends in silent loss: the pull fails, or brings the same rows.
- A column more is kept and reported; one that is needed and missing stops the pull before anything
  is loaded; a value of another type sets its row aside with a reason.
- A report that is suddenly small is held: the figures before it stand.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import pytest

from trueline.errors import ConfigurationError, PermanentError, RetriableError, TruelineError

Rule = dict[str, Any]


@dataclass(frozen=True)
class Loads:
    """The pull succeeds.

    Attributes:
        same: The rows are those of the undisturbed pull.
        held: Suspiciously small: it waits for a person's word.
        quarantined: (column, reason) of every row that is set aside.
        new_columns: What is reported as new.
        waited: Seconds that were waited at least.
    """

    same: bool = True
    held: bool = False
    quarantined: tuple[tuple[str | None, str], ...] = ()
    new_columns: tuple[str, ...] = ()
    waited: float = 0.0


@dataclass(frozen=True)
class Raises:
    """The pull fails, and nothing of it is loaded.

    Attributes:
        told: Regular expression found in the message.
        delay: Seconds that the server asked for, handed on to the orchestrator.
        most_strikes: How often the fault may have been met: retries are few.
    """

    family: type[TruelineError] | tuple[type[TruelineError], ...]
    told: str = ""
    delay: float | None = None
    most_strikes: int = 8


@dataclass(frozen=True)
class Case:
    """One fault on one platform."""

    source: str
    name: str
    rules: tuple[Rule, ...]
    outcome: Loads | Raises

    def __str__(self) -> str:
        return f"{self.source}-{self.name}"

    def small_pages(self, patch: pytest.MonkeyPatch) -> None:
        """Make the adapter ask for small pages, so that a small world has several."""
        for name in [
            name for name in sys.modules if name.startswith(f"trueline.sources.{self.source}")
        ]:
            for constant, size in PAGES.items():
                if hasattr(sys.modules[name], constant):
                    patch.setattr(sys.modules[name], constant, size)


#: Sizes of pages, by the constants' names.
PAGES = {"PAGE_SIZE": 25, "SEARCH_PAGE": 40, "LIST_PAGE": 40}
#: The requests that bring rows, by source.
ROWS: dict[str, Rule] = {
    "google_ads": {"platform": "google-ads", "body": "FROM campaign"},
    "meta_ads": {"platform": "meta-ads", "method": "GET", "path": "/insights$"},
    "hubspot": {"platform": "hubspot", "path": "contacts/search$"},
}
SAME = Loads()
EVER = {"times": None}
ANY = (RetriableError, PermanentError, ConfigurationError)


def _both(source: str) -> list[Case]:
    """What every platform has in common."""
    rows = ROWS[source]

    def case(name: str, outcome: Loads | Raises, **rule: Any) -> Case:
        return Case(source, name, ({**rows, "kind": name.split(" ")[0], **rule},), outcome)

    return [
        case("500", SAME),
        case("500 three times", Loads(waited=3), times=3),
        case("500 for ever", Raises(RetriableError, "out of order|pause"), **EVER),
        case("500_after_commit", SAME),
        case("cut", SAME),
        case("reset", SAME),
        case("json_cut", SAME),
        case("nan", SAME),
        case("html", SAME),
        case("slow", SAME, seconds=0.5),
        case("bom", SAME, **EVER),
        case("html for ever", Raises(RetriableError, "web page"), **EVER),
        case("nan for ever", Raises(RetriableError, "JSON"), **EVER),
        case(
            "throttle for long", Raises(RetriableError, "pause", delay=7200), seconds=7200, **EVER
        ),
        case("revoked", Raises(ConfigurationError, f"trueline_{source}", most_strikes=3), **EVER),
        case("sunset", Raises(ConfigurationError, "api_version", most_strikes=3), **EVER),
        case("error_in_200", SAME),
        case("drift added", Loads(same=False, new_columns=("brand_new_field",)), **EVER),
        case("drift removed", Raises(PermanentError), change="removed", **EVER),
        case("drift renamed", Raises(PermanentError), change="renamed", **EVER),
    ]


CASES = [case for source in ROWS for case in _both(source)]
