"""One generated world."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from sandbox.world import company, crm, journeys, restated
from sandbox.world import hard as hard_parts
from sandbox.world.causes import find_causes
from sandbox.world.claims import Claim, Delivery
from sandbox.world.clock import WorldClock
from sandbox.world.company import PAID, UNCLAIMED
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


@dataclass(repr=False, eq=False)
class World:
    """Everything that happened, what observers and sales wrote down, and the truth of it.

    Attributes:
        touches: Every visit, recorded or not, by time.
        submissions: Every press of a button, by time.
        tag_events: The delivered rows, by time, each with ``true_cause``.
        leads: Real leads at the world's clock, those from before the world included.
        claims: Pixel conversions known to the platforms at the world's clock.
        delivery: By (source key, day index), as told at the world's clock.
        claim_history: Every claim that was told at the end of any of the world's days.
        adjustments: What was told beside the final delivery, and until when.
        is_hard: True where people are hard to tell apart; see :mod:`sandbox.world.hard`.
    """

    seed: int
    size: float
    clock: WorldClock
    is_hard: bool = False
    touches: list[Touch] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)
    tag_events: list[TagEvent] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)
    leads: list[Lead] = field(default_factory=list)
    contacts: list[CrmContact] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    delivery: dict[tuple[str, int], Delivery] = field(default_factory=dict)
    claim_history: list[Claim] = field(default_factory=list)
    adjustments: list[restated.Adjustment] = field(default_factory=list)

    @classmethod
    def make(
        cls,
        seed: int = 7,
        *,
        last_day: date,
        days: int = 90,
        size: float = 1.0,
        time_zone: str = company.TIME_ZONE,
        hard: bool = False,
    ) -> World:
        """Generate a world.

        The same seed, days and size give the same world whatever ``last_day`` is; only the dates
        differ.

        Args:
            last_day: The last whole day of the world, in its time zone.
            size: 1.0 is about 20,000 tag events in 90 days.
            hard: Whether people share browsers, phones, mailboxes and links, refuse cookies and
                mistype: the plain world is kinder than any real one.

        Raises:
            ValueError: for fewer than one day or a size that is not positive.
        """
        if days < 1 or size <= 0:
            raise ValueError("a world needs at least one day and a size above 0")
        world = cls(seed=seed, size=size, clock=WorldClock(last_day, days, time_zone), is_hard=hard)
        people, traffic = People(), journeys.Traffic()
        # Those who submit after the end may have visited before it.
        for day in range(days + journeys.LONGEST_PATH):
            journeys.day_of(seed, day, size, people, traffic)
        journeys.forget_the_future(traffic, world.clock.now)
        world.persons = [
            person
            for person in traffic.persons
            if person.touches or person.contacted_at < world.clock.now
        ]
        traffic.persons = world.persons
        if hard:
            hard_parts.complicate_people(seed, world.persons)
        _sell(world, traffic)
        _gather(world, traffic)
        _visit(world)
        _observe(world)
        natives = [
            person
            for person in world.persons
            if person.way == "native" and person.contacted_at < world.clock.now
        ]
        last = days - 1
        world.claim_history = restated.claim_history(seed, world.submissions, natives, last)
        world.claims = [claim for claim in world.claim_history if claim.is_told(last)]
        world.adjustments = restated.adjustments(seed, world.delivery, last)
        return world

    def as_of(self, day: date) -> World:
        """The world at the end of one of its days: nothing later has happened yet.

        The platforms tell past days as they told them then, this world's later restatements not
        yet made.

        Raises:
            ValueError: for a day outside the world.
        """
        today = self.clock.day_index(day)
        if today is None:
            raise ValueError(
                f"{day} is outside the world ({self.clock.first_day} to {self.clock.last_day})"
            )
        if day == self.clock.last_day:
            return self
        then = World.make(
            self.seed,
            last_day=day,
            days=today + 1,
            size=self.size,
            time_zone=self.clock.zone.key,
            hard=self.is_hard,
        )
        then.claim_history = [each for each in self.claim_history if each.told_from <= today]
        then.claims = [each for each in then.claim_history if each.is_told(today)]
        then.adjustments = [each for each in self.adjustments if each.told_from <= today]
        then.delivery = restated.delivery_at(then.delivery, then.adjustments, today)
        return then

    def restatements(self) -> list[restated.Restatement]:
        """Every change of a past day's figure up to the world's clock, each with its true cause."""
        last = self.clock.days - 1
        return [
            each
            for each in restated.restatements(self.claim_history, self.adjustments)
            if each.told_on <= last
        ]


def _sell(world: World, traffic: journeys.Traffic) -> None:
    """Fill the CRM and settle every event's true cause."""
    now, book = world.clock.now, crm.Crm()
    for person in traffic.persons:
        if person.way != "none" and person.contacted_at < now:
            rng = random.Random(f"{world.seed}:crm:{person.number}")
            add = crm.add_known_lead if person.way == "known" else crm.add_lead
            add(book, rng, person, now)
    crm.add_test_records(book, world.seed, traffic)
    if world.is_hard:
        hard_parts.complicate_records(world.seed, book)
    crm.forget_the_future(book, now)
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
    for day in range(world.clock.days):
        rng = random.Random(f"{world.seed}:visits:{day}")
        busy = company.rhythm(day) * world.size
        for source in (*PAID, *UNCLAIMED):
            key = (source.key, day)
            if source.platform:
                spend = source.daily_spend * busy * rng.uniform(0.9, 1.1)
                rate = source.click_rate * rng.uniform(0.85, 1.15)
                wanted = max(clicks[key], int(spend / source.cost_per_click))
                world.delivery[key] = Delivery(round(spend * 100), wanted, round(wanted / rate))
            else:
                wanted = int(source.daily_visits * busy)
            missing = max(0, wanted - clicks[key])
            if source.key == "form":
                continue  # the form opens on the platform: no visit of the site
            for _ in range(missing):
                at = day * DAY + rng.uniform(5, 23.5) * HOUR
                world.touches.append(
                    make_touch(
                        rng,
                        source.key,
                        at,
                        client_id(rng),
                        recorded=rng.random() >= source.blocked + 0.08,
                        bounce=rng.random() < 0.58,
                    )
                )
        for _ in range(journeys.times(rng, 4 * world.size)):
            at = day * DAY + rng.uniform(5, 23.5) * HOUR
            world.touches.append(pilot_touch(rng, at, client_id(rng)))
    world.touches.sort(key=lambda touch: (touch.at, touch.touch_id))


def _observe(world: World) -> None:
    """Write down what the site tag and the server log saw, copies included."""
    rng = random.Random(f"{world.seed}:observers")
    rows = []
    for item in world.submissions:
        if not item.is_observed:
            continue
        cause = item.true_cause
        # The causes' order: what is no person's is never a repeat.
        again = cause if cause in ("bot", "internal_or_test") else "duplicate_submission"
        rows.append(TagEvent("site_tag", item.at, item, False, cause))
        if rng.random() < 0.04:
            # Delivered twice with the same id: the tag's queue retried.
            late = item.at + rng.uniform(1, 25)
            rows.append(TagEvent("site_tag", late, item, False, again))
        if rng.random() < 0.3:
            rows.append(TagEvent("server_log", item.at + rng.uniform(0.05, 1.5), item, True, cause))
    rows.sort(key=lambda row: (row.at, row.event_id, row.observer))
    world.tag_events = rows
