"""One generated world."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date

from sandbox.world import company, crm, journeys
from sandbox.world.causes import find_causes
from sandbox.world.claims import Claim, Delivery, all_claims, deliveries
from sandbox.world.clock import WorldClock
from sandbox.world.company import PAID, SOURCES, UNCLAIMED
from sandbox.world.identity import People, client_id
from sandbox.world.model import (
    DAY,
    HOUR,
    CrmContact,
    Deal,
    Lead,
    Person,
    Submission,
    TagEvent,
    Touch,
)
from sandbox.world.touches import make_touch, pilot_touch


@dataclass
class World:
    """Everything that happened, what observers and sales wrote down, and the truth of it.

    Attributes:
        touches: Every visit, recorded or not, by time.
        submissions: Every press of a button, by time.
        tag_events: The delivered rows, by time, each with ``true_cause``.
        leads: Real leads at the world's clock, those from before the world included.
        claims: Pixel conversions known to the platforms at the world's clock.
        delivery: By (source key, day index).
    """

    seed: int
    size: float
    clock: WorldClock
    touches: list[Touch] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)
    tag_events: list[TagEvent] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)
    leads: list[Lead] = field(default_factory=list)
    contacts: list[CrmContact] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    delivery: dict[tuple[str, int], Delivery] = field(default_factory=dict)

    @classmethod
    def make(
        cls,
        seed: int = 7,
        *,
        last_day: date,
        days: int = 90,
        size: float = 1.0,
        time_zone: str = company.TIME_ZONE,
    ) -> World:
        """Generate a world.

        The same seed, days and size give the same world whatever ``last_day`` is; only the dates
        differ.

        Args:
            last_day: The last whole day of the world, in its time zone.
            size: 1.0 is about 20,000 tag events in 90 days.

        Raises:
            ValueError: for fewer than one day or a size that is not positive.
        """
        if days < 1 or size <= 0:
            raise ValueError("a world needs at least one day and a size above 0")
        world = cls(seed=seed, size=size, clock=WorldClock(last_day, days, time_zone))
        people, traffic = People(), journeys.Traffic()
        for day in range(days):
            journeys.day_of(seed, day, days, size, people, traffic)
        _sell(world, people, traffic)
        _gather(world, traffic)
        _visit(world)
        _observe(world)
        natives = (person for person in world.persons if person.way == "native")
        world.claims = all_claims(seed, world.submissions, natives, days)
        return world


def _sell(world: World, people: People, traffic: journeys.Traffic) -> None:
    """Fill the CRM and settle every event's true cause."""
    now = world.clock.now
    book = crm.Crm()
    crm.add_earlier_leads(book, world.seed, people, traffic, world.clock.days, world.size)
    for person in traffic.persons:
        if person.way != "none" and not person.contacts:
            crm.add_lead(book, random.Random(f"{world.seed}:crm:{person.number}"), person, now)
    crm.add_test_records(book, random.Random(f"{world.seed}:tests"), traffic)
    crm.forget_the_future(book, now)
    world.persons = traffic.persons
    world.contacts, world.deals, world.leads = book.contacts, book.deals, book.leads
    find_causes(traffic.persons, traffic.submissions, world.leads, now)


def _gather(world: World, traffic: journeys.Traffic) -> None:
    for item in traffic.submissions:
        world.touches.append(item.touch)
    world.submissions = traffic.submissions
    for person in traffic.persons:
        world.touches += person.touches
        world.submissions += person.submissions
    world.submissions.sort(key=lambda item: (item.at, item.event_id))


def _visit(world: World) -> None:
    """Add the visitors who never submit, so that clicks and spend fit each other."""
    clicks = Counter((touch.source, int(touch.at // DAY)) for touch in world.touches)
    spend: dict[tuple[str, int], float] = defaultdict(float)
    for day in range(world.clock.days):
        rng = random.Random(f"{world.seed}:visits:{day}")
        busy = company.rhythm(day, world.clock.days) * world.size
        for source in (*PAID, *UNCLAIMED):
            key = (source.key, day)
            if source.platform:
                spend[key] = source.daily_spend * busy * rng.uniform(0.9, 1.1)
                wanted = int(spend[key] / source.cost_per_click)
            else:
                wanted = int(source.daily_visits * busy)
            missing = max(0, wanted - clicks[key])
            clicks[key] += missing
            if source.key == "form":
                continue  # the form opens on the platform: no visit of the site
            for _ in range(missing):
                at = day * DAY + rng.uniform(5, 23.5) * HOUR
                world.touches.append(
                    make_touch(rng, source.key, at, client_id(rng),
                               recorded=rng.random() >= source.blocked + 0.08,
                               bounce=rng.random() < 0.58)
                )  # fmt: skip
        for _ in range(journeys.times(rng, 4 * world.size)):
            at = day * DAY + rng.uniform(5, 23.5) * HOUR
            world.touches.append(pilot_touch(rng, at, client_id(rng)))
    world.touches.sort(key=lambda touch: (touch.at, touch.touch_id))
    world.delivery = deliveries(world.seed, clicks, spend)


def _observe(world: World) -> None:
    """Write down what the site tag and the server log saw, copies included."""
    rng = random.Random(f"{world.seed}:observers")
    rows = []
    for item in world.submissions:
        if not item.is_observed:
            continue
        cause = item.true_cause
        rows.append(TagEvent("site_tag", item.at, item, False, cause))
        if rng.random() < 0.04:
            # Delivered twice with the same id: the tag's queue retried.
            late = item.at + rng.uniform(1, 25)
            rows.append(TagEvent("site_tag", late, item, False, "duplicate_submission"))
        if rng.random() < 0.3:
            rows.append(TagEvent("server_log", item.at + rng.uniform(0.05, 1.5), item, True, cause))
    rows.sort(key=lambda row: (row.at, row.event_id, row.observer))
    world.tag_events = rows


def source_of_campaign(campaign_id: str) -> company.Source:
    """The campaign with this id; KeyError where there is none."""
    for source in SOURCES.values():
        if source.campaign_id == campaign_id and campaign_id != company.NONE:
            return source
    raise KeyError(campaign_id)
