"""The world is the same for everyone who asks for it, and of a believable size."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta

import phonenumbers
import pytest

from sandbox.server.hubspot_records import Records
from sandbox.server.site_tag import event_row
from sandbox.world import World
from sandbox.world.company import SOURCES
from sandbox.world.identity import PHONES, phone_number
from sandbox.world.model import DAY

MICRO = {"7003", "offsite_conversion.fb_pixel_custom"}


def figures(world: World) -> dict[str, object]:
    """Counts per day and cause, and every money figure: what two equal worlds share."""
    return {
        "events": Counter((int(event.at // DAY), event.true_cause) for event in world.tag_events),
        "touches": Counter((int(touch.at // DAY), touch.source) for touch in world.touches),
        "leads": Counter((lead.true_source, lead.verdict_now) for lead in world.leads),
        "claims": Counter((claim.source, claim.day, claim.hundredths) for claim in world.claims),
        "delivery": world.delivery,
        "deals": [(deal.deal_id, deal.amount, deal.outcome) for deal in world.deals],
    }


def test_the_same_seed_tells_the_same_world_twice(world: World) -> None:
    again = World.make(7, last_day=world.clock.last_day)
    for mine, theirs in zip(again.tag_events, world.tag_events, strict=True):
        assert event_row(again, mine) == event_row(world, theirs)
    assert again.touches == world.touches
    assert Records(again).live("contacts") == Records(world).live("contacts")
    assert again.claims == world.claims


@pytest.mark.parametrize("last_day", [date(2026, 4, 20), date(2024, 2, 29)])
def test_the_figures_do_not_depend_on_the_calendar(world: World, last_day: date) -> None:
    # 2026-04-20 has the spring clock change inside its 90 days, 2026-11-22 the autumn one.
    assert figures(World.make(7, last_day=last_day)) == figures(world)


def test_every_event_keeps_its_day_over_the_clock_changes() -> None:
    for last_day in (date(2026, 3, 30), date(2026, 10, 26)):
        world = World.make(3, last_day=last_day, days=6)
        for event in world.tag_events:
            day = date.fromisoformat(event_row(world, event)["occurred_at"][:10])
            assert world.clock.day_index(day) == event.at // DAY


def test_another_seed_is_another_world(world: World) -> None:
    assert figures(World.make(8, last_day=world.clock.last_day)) != figures(world)


def test_a_day_later_the_past_is_told_again_and_claims_only_grew(world: World) -> None:
    later = World.make(7, last_day=world.clock.last_day + timedelta(days=1), days=91)
    end = world.clock.now
    assert [event.event_id for event in later.tag_events if event.at < end] == [
        event.event_id for event in world.tag_events if event.at < end
    ]
    assert [touch for touch in later.touches if touch.at < end] == world.touches
    before: Counter[tuple[str, str, int]] = Counter()
    after: Counter[tuple[str, str, int]] = Counter()
    for claims, sums in ((world.claims, before), (later.claims, after)):
        for claim in claims:
            sums[claim.source, claim.action, claim.day] += claim.hundredths
    assert all(after[key] >= amount for key, amount in before.items())
    grown = {key[2] for key, amount in before.items() if after[key] > amount}
    assert grown, "young days must be restated upward"
    assert min(grown) >= 89 - 10, "days older than ten days are final"


def test_the_size_is_as_promised(world: World) -> None:
    leads = [lead for lead in world.leads if not lead.is_before_world]
    qualified = [lead for lead in leads if lead.verdict_now == "qualified"]
    spend = sum(given.cost_cents for given in world.delivery.values()) / 100
    assert 18_000 <= len(world.tag_events) <= 22_000
    assert 2_200 <= len(leads) <= 3_000
    assert 500 <= len(qualified) <= 800
    assert 150_000 <= spend <= 250_000
    half = World.make(7, last_day=world.clock.last_day, size=0.5)
    assert 0.4 < len(half.tag_events) / len(world.tag_events) < 0.6


def test_one_campaign_burns_and_the_dear_one_pays(world: World) -> None:
    spend: Counter[str] = Counter()
    pixel: Counter[str] = Counter()
    qualified: Counter[str] = Counter()
    opportunities: Counter[str] = Counter()
    for (key, _), given in world.delivery.items():
        spend[key] += given.cost_cents
    for claim in world.claims:
        pixel[claim.source] += 0 if claim.action in MICRO else claim.hundredths
    for lead in world.leads:
        if not lead.is_before_world and lead.verdict_now == "qualified":
            qualified[lead.true_source] += 1
            opportunities[lead.true_source] += lead.has_deal
    paid = [source.key for source in SOURCES.values() if source.platform]
    per_pixel = {key: spend[key] / pixel[key] for key in paid}
    per_qualified = {key: spend[key] / max(qualified[key], 1) for key in paid}
    per_opportunity = {key: spend[key] / max(opportunities[key], 1) for key in paid}
    assert min(per_pixel, key=per_pixel.__getitem__) == "instant"
    assert max(per_qualified, key=per_qualified.__getitem__) == "instant"
    assert max(per_pixel, key=per_pixel.__getitem__) == "fleet"
    assert min(per_opportunity, key=per_opportunity.__getitem__) == "fleet"


def test_nobody_in_the_world_can_be_a_real_person(world: World) -> None:
    reserved = re.compile(r"@(example\.(com|org|net)|[\w.-]+\.example)$", re.IGNORECASE)
    people = [contact for contact in world.contacts if contact.email]
    assert people
    assert all(reserved.search(contact.email) for contact in people)
    emails = [person.email for person in world.persons]
    assert len(set(emails)) == len(emails)
    for event in world.tag_events:
        assert not event.submission.email or reserved.search(event.submission.email)


def test_the_fictional_phones_are_valid_and_never_shared() -> None:
    numbers = [phone_number(index) for index in range(PHONES)]
    assert len(set(numbers)) == PHONES
    assert phone_number(PHONES) == ""
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(text)) for text in numbers[::37])


@pytest.mark.parametrize(("days", "size"), [(0, 1.0), (5, 0.0)])
def test_an_impossible_world_is_refused(days: int, size: float) -> None:
    with pytest.raises(ValueError, match="at least one day"):
        World.make(7, last_day=date(2026, 1, 1), days=days, size=size)


def test_a_lead_of_metas_own_form_carries_its_leadgen_id() -> None:
    world = World.make(7, last_day=date(2026, 11, 20), days=30)
    carried = {
        contact.properties.get("platform_lead_id", "")
        for contact in world.contacts
        if contact.person is not None and contact.person.way == "native"
    } - {""}
    first_records = [
        contact
        for contact in world.contacts
        if contact.properties.get("form_id") == "meta-lead-form"
    ]
    assert len(carried) == len(first_records) > 5
    assert all(leadgen.isdigit() for leadgen in carried)
