"""Signs of a funnel driven for volume: what shows, and what chance or too little history hides."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from trueline.judgement.health import compare, revenue_sign
from trueline.rulebook.judgement import HealthRules

RULES = HealthRules()
SOUND: dict[str, Any] = {
    "pixel_conversions": Decimal(900),
    "real_leads_reported": Decimal(500),
    "real_leads": Decimal(800),
    "qualified_leads": Decimal(200),
    "customers": Decimal(120),
    "won_amount": Decimal(400_000),
    "leads": 800,
    "contacted": 780,
    "contacted_within_day": 600,
}


def _signs(**changes: Any) -> dict[str, bool | None]:
    recent = SOUND | {name: type(SOUND[name])(value) for name, value in changes.items()}
    signs = (*compare(SOUND, recent, RULES), revenue_sign(SOUND, recent, RULES))
    return {sign.name: sign.shows for sign in signs}


def test_two_periods_that_are_alike_show_nothing() -> None:
    assert set(_signs().values()) == {False}


@pytest.mark.parametrize(
    ("changes", "shows"),
    [
        ({"real_leads": 1200, "leads": 1200, "contacted": 1170, "contacted_within_day": 900,
          "customers": 180, "won_amount": 600_000}, "more_leads_no_more_qualified"),
        ({"real_leads": 1200, "leads": 1200, "contacted": 1170, "contacted_within_day": 900,
          "qualified_leads": 300}, "more_leads_no_more_revenue"),
        ({"contacted": 640, "contacted_within_day": 590}, "contact_rate_falls"),
        ({"contacted_within_day": 480}, "first_contact_slows"),
        ({"pixel_conversions": 1400}, "pixel_to_real_drifts"),
        ({"pixel_conversions": 600}, "pixel_to_real_drifts"),
    ],
)  # fmt: skip
def test_one_thing_that_goes_wrong_shows_as_its_own_sign(
    changes: dict[str, int], shows: str
) -> None:
    assert {name for name, shown in _signs(**changes).items() if shown} == {shows}


def test_more_leads_with_as_many_more_qualified_are_no_sign() -> None:
    grown = {name: value * 2 for name, value in SOUND.items()}
    assert set(_signs(**grown).values()) == {False}


def test_a_certain_change_that_is_small_is_no_sign() -> None:
    before = SOUND | {"leads": 10**7, "contacted": 9_000_000, "contacted_within_day": 9_000_000}
    recent = before | {"contacted": 8_900_000, "contacted_within_day": 8_900_000}
    signs = {sign.name: sign.shows for sign in compare(before, recent, RULES)}
    assert signs["contact_rate_falls"] is False
    assert signs["first_contact_slows"] is False


def test_without_claims_or_leads_nothing_is_said() -> None:
    empty = {name: type(value)(0) for name, value in SOUND.items()}
    signs = {sign.name: sign.shows for sign in compare(SOUND, empty, RULES)}
    assert signs["contact_rate_falls"] is None
    signs = {sign.name: sign.shows for sign in compare(empty, SOUND, RULES)}
    assert signs["pixel_to_real_drifts"] is None
    assert revenue_sign(None, SOUND, RULES).shows is None
