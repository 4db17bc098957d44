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
from collections.abc import Iterator
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
        is_repeated: Whole rows may stand twice: staging counts them once.
        held: Suspiciously small: it waits for a person's word.
        quarantined: (column, reason) of every row that is set aside.
        drift: What is reported as changed in the shape of the rows.
        waited: Seconds that were waited at least.
    """

    same: bool = True
    is_repeated: bool = False
    held: bool = False
    quarantined: tuple[tuple[str | None, str], ...] = ()
    drift: tuple[str, ...] = ()
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


#: Sizes of pages and first pauses between polls, by the constants' names.
PAGES = {
    "PAGE_SIZE": 10,
    "SEARCH_PAGE": 8,
    "LIST_PAGE": 40,
    "PAGE_RECORDS": 20,
    "FIRST_POLL_SECONDS": 0.01,
}
#: The requests that bring rows, by source.
ROWS: dict[str, Rule] = {
    "google_ads": {"platform": "google-ads", "body": "FROM campaign"},
    "meta_ads": {"platform": "meta-ads", "method": "GET", "path": "/insights$"},
    "hubspot": {"platform": "hubspot", "path": "contacts/search$"},
    "salesforce": {"platform": "salesforce", "path": "/results$"},
}
SAME = Loads()
HELD = Loads(same=False, held=True)
EVER: Rule = {"times": None}
OTHER_ROWS = Loads(same=False)
#: Strikes at most where every page of every report is struck.
LONG = 60
BROKEN = Raises((RetriableError, PermanentError))


def _set_aside(*quarantined: tuple[str, str]) -> Loads:
    return Loads(same=False, quarantined=quarantined)


def _all(source: str) -> Iterator[Case]:
    """What every platform has in common."""
    key = "id" if source == "hubspot" else ""
    gone = Raises(
        (PermanentError, ConfigurationError), "no longer|No row|any more|without a number"
    )
    told: tuple[tuple[str, Loads | Raises, Rule], ...] = (
        ("500", SAME, {}),
        ("500 three times", Loads(waited=1.5), {"times": 3}),
        ("500 for ever", Raises(RetriableError, "out of order|pause|cannot answer now"), EVER),
        ("500_after_commit", SAME, {}),
        ("cut", SAME, {}),
        ("reset", SAME, {}),
        ("json_cut", SAME, {}),
        ("html", SAME, {}),
        ("html for ever", Raises(RetriableError, "web page|no CSV"), EVER),
        ("slow", SAME, {"seconds": 0.5}),
        ("bom", SAME, EVER),
        ("error_in_200", SAME, {}),
        ("expired_token", Raises(ConfigurationError, f"trueline_{source}", most_strikes=3), EVER),
        ("revoked", Raises(ConfigurationError, f"trueline_{source}", most_strikes=3), EVER),
        ("sunset", Raises(ConfigurationError, "api_version", most_strikes=3), EVER),
        ("drift added", Loads(same=False, drift=("brand_new_field",)), EVER),
        ("drift removed", gone, {**EVER, "change": "removed", "field": key}),
        ("drift renamed", gone, {**EVER, "change": "renamed", "field": key}),
    )
    for name, outcome, more in told:
        if (source, name) not in OWN:
            yield _case(source, name, outcome, more)


def _case(source: str, name: str, outcome: Loads | Raises, more: Rule) -> Case:
    rule = {**ROWS[source], "kind": name.split(" ")[0], **more}
    rules: list[Rule] = [{key: each for key, each in rule.items() if each != ""}]
    if name.endswith(" without a total"):
        rules.insert(0, {**ROWS[source], **EVER, "kind": "uncounted"})
    return Case(source, name, tuple(rules), outcome)


#: What one platform alone has, or answers otherwise.
OWN: dict[tuple[str, str], tuple[Loads | Raises, Rule]] = {
    # Google tells the delay in its answer; a stream is read row by row, so NaN costs one row.
    ("google_ads", "throttle"): (
        Loads(waited=2),
        {"code": "RESOURCE_TEMPORARILY_EXHAUSTED"},
    ),
    ("google_ads", "throttle with a time for the day"): (
        Raises(RetriableError, "pause", delay=900),
        {**EVER, "seconds": 900},
    ),
    ("google_ads", "throttle for long"): (
        Raises(RetriableError, "pause", delay=7200),
        {**EVER, "seconds": 7200},
    ),
    ("google_ads", "nan"): (_set_aside(("cost_micros", "bad_integer")), {}),
    ("google_ads", "drift text"): (
        _set_aside(("cost_micros", "bad_integer")),
        {"change": "text", "rows": 1},
    ),
    ("google_ads", "duplicate_page"): (Loads(is_repeated=True), {}),
    ("google_ads", "partial"): (HELD, {**EVER, "body": "metrics.cost_micros"}),
    ("google_ads", "empty"): (HELD, {**EVER, "body": "metrics.cost_micros"}),
    # Meta counts in minutes.
    ("meta_ads", "throttle"): (Loads(waited=60), {"code": 80004}),
    ("meta_ads", "throttle 17"): (Loads(waited=60), {"code": 17}),
    ("meta_ads", "throttle 613"): (Loads(waited=60), {"code": 613}),
    ("meta_ads", "throttle for long"): (
        Raises(RetriableError, "pause", delay=7200),
        {**EVER, "seconds": 7200},
    ),
    ("meta_ads", "nan"): (SAME, {}),
    ("meta_ads", "nan for ever"): (Raises(RetriableError, "JSON"), EVER),
    ("meta_ads", "500_after_commit of a run"): (SAME, {"method": "POST"}),
    ("meta_ads", "drift text"): (
        _set_aside(("cost_micros", "bad_number")),
        {"change": "text", "rows": 1},
    ),
    # A page may stand for another one, and rows be fewer than Meta's total: a new report is run.
    ("meta_ads", "duplicate_page"): (SAME, {}),
    ("meta_ads", "duplicate_page with its own cursor"): (SAME, {"keep_cursor": True}),
    ("meta_ads", "duplicate_page with its own cursor for ever"): (
        Raises(RetriableError, "second time", most_strikes=LONG),
        {**EVER, "keep_cursor": True},
    ),
    ("meta_ads", "repeat_cursor"): (Raises(RetriableError, "repeats a cursor"), EVER),
    ("meta_ads", "missing_last_page"): (SAME, {"after": 2}),
    # Whether the total or the rows are right, a person has to say.
    ("meta_ads", "missing_last_page for ever"): (HELD, EVER),
    ("meta_ads", "partial"): (HELD, EVER),
    ("meta_ads", "empty"): (HELD, EVER),
    # Where Meta tells no total, only the pull before tells that something is missing.
    ("meta_ads", "missing_last_page without a total"): (HELD, {"after": 2}),
    ("meta_ads", "partial without a total"): (HELD, EVER),
    ("meta_ads", "empty without a total"): (HELD, EVER),
    ("meta_ads", "uncounted"): (SAME, EVER),
    ("hubspot", "throttle"): (Loads(waited=2), {}),
    ("hubspot", "throttle without a time"): (Loads(waited=10), {"seconds": None}),
    ("hubspot", "throttle for long"): (
        Raises(RetriableError, "pause", delay=7200),
        {**EVER, "seconds": 7200},
    ),
    ("hubspot", "nan"): (SAME, {}),
    ("hubspot", "nan for ever"): (Raises(RetriableError, "JSON"), EVER),
    ("hubspot", "drift text"): (
        _set_aside(("fit", "bad_number")),
        {
            "path": "contacts/batch/read$",
            "change": "text",
            "field": "properties.score_fit",
            "rows": 1,
        },
    ),
    ("hubspot", "duplicate_page"): (BROKEN, {}),
    # The search counts what it found: a page that is too short is not the last.
    ("hubspot", "missing_last_page"): (SAME, {}),
    ("hubspot", "partial"): (SAME, {}),
    ("hubspot", "empty"): (SAME, {}),
    ("hubspot", "empty for ever"): (Raises(RetriableError, "sends none of them"), EVER),
    ("hubspot", "error_in_200 for ever"): (Raises(RetriableError, "though it says OK"), EVER),
    ("hubspot", "uncounted"): (SAME, EVER),
    # Salesforce tells no delay: the limit counts over a day.
    ("salesforce", "throttle"): (Raises(RetriableError, "24 hours", delay=3600), EVER),
    ("salesforce", "500_after_commit of a job"): (SAME, {"method": "POST", "path": "/query$"}),
    ("salesforce", "drift text"): (
        _set_aside(("deal_amount", "bad_number")),
        {"change": "text", "field": "Amount", "rows": 1},
    ),
    ("salesforce", "duplicate_page"): (SAME, {}),
    ("salesforce", "duplicate_page with its own cursor"): (SAME, {"keep_cursor": True}),
    ("salesforce", "duplicate_page with its own cursor for ever"): (
        Raises(RetriableError, "twice"),
        {**EVER, "keep_cursor": True},
    ),
    ("salesforce", "repeat_cursor"): (Raises(RetriableError, "repeats|twice"), EVER),
    # A query job counts its rows, and every page its own.
    ("salesforce", "missing_last_page"): (Raises(RetriableError, "counted"), {}),
    ("salesforce", "json_cut for ever"): (
        Raises(RetriableError, "no whole CSV|different lengths"),
        EVER,
    ),
    ("salesforce", "partial"): (SAME, {}),
    ("salesforce", "partial for ever"): (Raises(RetriableError, "instead of"), EVER),
    ("salesforce", "empty"): (SAME, {}),
    ("salesforce", "empty for ever"): (Raises(RetriableError, "instead of"), EVER),
    ("salesforce", "uncounted"): (SAME, EVER),
}
#: What the one client of all sources does the same way for each: tried on one of them every time,
#: on the others in long runs.
SHARED = frozenset(
    {"500", "500 three times", "500 for ever", "cut", "reset", "json_cut", "html", "slow", "bom"}
)
CASES = [
    *(case for source in ROWS for case in _all(source)),
    *(_case(*key, *told) for key, told in OWN.items()),
]


def parameters() -> Iterator[Any]:
    """The cases for pytest."""
    for case in CASES:
        is_long = case.name in SHARED and case.source != "meta_ads"
        yield pytest.param(case, id=str(case), marks=pytest.mark.soak if is_long else ())
