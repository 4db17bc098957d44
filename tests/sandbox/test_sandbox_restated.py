"""Past days are told differently for a month, each time for a cause that the world knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
import requests

from sandbox.server.app import SandboxServer
from sandbox.server.hubspot_records import Records
from sandbox.world import World
from sandbox.world.restated import delivery_at
from tests.sandbox.conftest import LAST_DAY, running

Figures = Counter[tuple[str, str, int]]


@pytest.fixture(scope="module")
def small() -> World:
    return World.make(7, last_day=LAST_DAY, days=60, size=0.3)


def figures(world: World) -> Figures:
    """What the platforms tell: claims in hundredths, cost in cents, clicks; by source and day."""
    found: Figures = Counter()
    for claim in world.claims:
        found[claim.source, claim.action, claim.day] += claim.hundredths
    for (key, day), given in world.delivery.items():
        found[key, "cost", day] += given.cost_cents
        found[key, "clicks", day] += given.clicks
    return found


def test_every_difference_between_two_looks_has_a_cause(small: World) -> None:
    final = figures(small)
    for today in range(0, small.clock.days, 6):
        told = figures(small.as_of(small.clock.day(today)))
        explained = Counter({key: amount for key, amount in final.items() if key[2] <= today})
        for each in small.restatements():
            if each.told_on > today and each.day <= today:
                explained[each.source, each.action, each.day] -= each.amount
        assert {key: amount for key, amount in explained.items() if amount} == told, today


def test_all_causes_happen_and_none_after_a_month(small: World) -> None:
    found = small.restatements()
    assert {each.cause for each in found} == {
        "late",
        "recredited",
        "retracted_bot",
        "retracted_consent",
        "retracted_duplicate",
        "invalid_clicks",
        "credit",
    }
    assert 20 < max(each.told_on - each.day for each in found) <= 28
    assert all(each.amount > 0 for each in found if each.cause == "late")
    assert all(each.amount < 0 for each in found if each.cause.startswith("retracted"))


def test_the_same_day_grows_and_falls(small: World) -> None:
    rose: set[int] = set()
    fell: set[int] = set()
    for day in range(10, 31):
        seen = [
            sum(
                claim.hundredths
                for claim in small.claim_history
                if claim.day == day and claim.is_told(day + age)
            )
            for age in (1, 3, 7, 28)
        ]
        steps = [later - earlier for earlier, later in pairwise(seen)]
        rose |= {place for place, step in enumerate(steps) if step > 0}
        fell |= {place for place, step in enumerate(steps) if step < 0}
    assert rose == {0, 1, 2}
    assert {1, 2} <= fell


def test_a_credit_leaves_a_day_below_zero_until_it_is_moved(small: World) -> None:
    credits = [each for each in small.adjustments if each.cause == "credit"]
    assert credits
    below = 0
    for each in credits:
        key = (each.source, each.day)
        before, after = (
            delivery_at(small.delivery, small.adjustments, today)[key].cost_cents
            for today in (each.told_until - 1, each.told_until)
        )
        assert before - after == each.cost_cents < 0
        assert after > 0
        below += before < 0
    assert below


def test_the_last_day_is_the_world_itself_and_other_days_are_refused(small: World) -> None:
    assert small.as_of(small.clock.last_day) is small
    with pytest.raises(ValueError, match="outside the world"):
        small.as_of(small.clock.last_day + timedelta(days=1))


def test_the_crm_of_a_day_holds_nothing_later(small: World) -> None:
    day = small.clock.day(40)
    then = small.as_of(day)
    later = {contact.contact_id: contact for contact in small.contacts}
    assert 100 < len(then.contacts) < len(small.contacts)
    for contact in then.contacts:
        assert later[contact.contact_id].created_at == contact.created_at < then.clock.now
    told = Records(then).live("contacts")
    assert max(record.updated_at for record in told) <= then.clock.zulu(then.clock.now)


@pytest.fixture(scope="module")
def server(small: World) -> Iterator[SandboxServer]:
    with running(small) as found:
        yield found


def spend(url: str, day: str) -> str:
    asked = {
        "level": "campaign",
        "time_increment": "1",
        "time_range": f'{{"since":"{day}","until":"{day}"}}',
        "fields": "spend",
        "access_token": "sandbox-token",
    }
    address = f"{url}/meta-ads/v26.0/act_100200300/insights"
    return str(requests.get(address, params=asked, timeout=20).json()["data"])


def test_now_moves_every_platform(server: SandboxServer, small: World) -> None:
    credit = next(
        each
        for each in small.adjustments
        if each.cause == "credit" and each.source in ("instant", "form", "retarget")
    )
    day = small.clock.day(credit.day).isoformat()
    now = f"{server.url}/__now"
    final = spend(server.url, day)
    moved = requests.put(now, json={"today": day}, timeout=20).json()
    assert moved["today"] == requests.get(now, timeout=20).json()["today"] == day
    assert requests.get(f"{server.url}/health", timeout=20).json()["last_day"] == day
    assert spend(server.url, day) != final
    tomorrow = (small.clock.day(credit.day) + timedelta(days=1)).isoformat()
    assert spend(server.url, tomorrow) == "[]"
    tag = f"{server.url}/site-tag/touches/{tomorrow}.jsonl"
    key = {"Authorization": "Bearer sandbox-token"}
    assert requests.get(tag, headers=key, timeout=20).status_code == 404
    requests.delete(now, timeout=20)
    assert spend(server.url, day) == final


@pytest.mark.parametrize("today", ["2026-13-01", "1999-01-01", None])
def test_a_day_that_cannot_be_now_is_refused(server: SandboxServer, today: str | None) -> None:
    answer = requests.put(f"{server.url}/__now", json={"today": today}, timeout=20)
    assert answer.status_code == 400
    assert server.world.clock.last_day == LAST_DAY
