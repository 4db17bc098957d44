"""What people do: visit several times, download a brochure, submit, submit again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sandbox.world import company
from sandbox.world.company import FOLLOW_UP, SOURCES, Source
from sandbox.world.identity import BROWSERS, People, client_id, spoken_phone
from sandbox.world.model import DAY, HOUR, MINUTE, Person, Submission, Touch
from sandbox.world.touches import make_touch

LATEST = 23.5 * HOUR
#: Days from the first visit to the submission, at most.
LONGEST_PATH = 28
FORMS = {"lead_form": "quote-form", "call_booking": "call-slot", "brochure": "brochure-gate"}
#: Bots say who they are, most of the time.
BOT_AGENTS = (
    "Mozilla/5.0 (compatible; LeadProbeBot/2.1; +https://bots.example/about)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "HeadlessChrome/140.0.0.0 Safari/537.36",
    "python-requests/2.32.3",
    "SiteSpider/1.4 (form crawler)",
)


@dataclass
class Traffic:
    """Everything that happened, before anyone looked at it."""

    persons: list[Person] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)


def times(rng: random.Random, mean: float) -> int:
    """A count around a daily mean: the mean itself with ±20 %, fractions drawn."""
    return int(mean * (0.8 + 0.4 * rng.random()) + rng.random())


def office_hour(rng: random.Random) -> float:
    """Seconds into a day at which people fill in forms: 08:00 to 22:30, mostly by day."""
    return rng.triangular(8 * HOUR, 22.5 * HOUR, 13 * HOUR)


def is_same_evening(first: float, later: float) -> bool:
    """True if a moment is still on the day of the first, before 23:30."""
    return first // DAY == later // DAY and later % DAY < LATEST


def submit(
    rng: random.Random,
    person: Person | None,
    touch: Touch,
    at: float,
    event_name: str,
    *,
    kind: str = "person",
) -> Submission:
    """One press of a button in the session of ``touch``."""
    keeps_query = rng.random() < 0.88  # some pages drop the landing URL's tags
    with_email = person is not None and rng.random() < (0.45 if event_name == "brochure" else 0.93)
    with_phone = person is not None and event_name != "brochure" and rng.random() < 0.6
    email = person.email if person and with_email else ""
    if email and rng.random() < 0.06:
        email = email.title()
    return Submission(
        event_id=f"e{rng.getrandbits(80):020x}",
        at=at,
        event_name=event_name,
        kind=kind,
        person=person,
        touch=touch,
        client_id=touch.client_id,
        email=email,
        phone=spoken_phone(rng, person.phone) if person and with_phone else "",
        ip=person.ip if person else "",
        user_agent=person.user_agent if person else "",
        page_path="/brochure" if event_name == "brochure" else "/thank-you",
        form_id=FORMS[event_name],
        query=touch.query if keeps_query else "",
        is_observed=touch.is_recorded,
    )


def earlier_touches(
    rng: random.Random, person: Person, source: Source, at: float, observed: bool
) -> list[Touch]:
    """The visits up to and with the session of the submission at ``at``, oldest first."""
    moments = [at - rng.uniform(1.5, 14) * MINUTE]
    if rng.random() < 0.46:
        day = int(at // DAY)
        for _ in range(1 + (rng.random() < 0.42) + (rng.random() < 0.15)):
            gap = min(LONGEST_PATH, 1 + int(rng.expovariate(1 / 5)))
            if day - gap < 0:
                break
            moments.append((day - gap) * DAY + office_hour(rng))
        moments.sort()
    touches = []
    for number, moment in enumerate(moments):
        key = source.key
        if number:
            key = rng.choices(list(FOLLOW_UP), list(FOLLOW_UP.values()))[0]
            key = source.key if key == "same" else key
        client = rng.choice(person.clients)
        last = number == len(moments) - 1
        recorded = observed if last else observed and rng.random() < 0.93
        touches.append(make_touch(rng, key, moment, client, recorded=recorded))
    return touches


def _press_again(rng: random.Random, person: Person, first: Submission) -> list[Submission]:
    """Impatient second presses within minutes, on the same page and browser."""
    again = []
    for _ in range(1 + (rng.random() < 0.2)):
        at = first.at + rng.uniform(5, 480)
        if is_same_evening(first.at, at):
            double = submit(rng, person, first.touch, at, first.event_name)
            double.is_double, double.query = True, first.query
            again.append(double)
    return again


def _come_again(
    rng: random.Random, person: Person, source: Source, first: Submission
) -> list[Submission]:
    """Later submissions of a person sales already has: the same day, or weeks later."""
    moments = []
    if rng.random() < 0.16:
        soon = first.at + rng.uniform(1.5, 9) * HOUR
        if is_same_evening(first.at, soon):
            moments.append(soon)
    if rng.random() < 0.1:
        moments.append((first.at // DAY + rng.randint(4, 60)) * DAY + office_hour(rng))
    again = []
    for at in moments:
        key = rng.choice((source.key, "direct", "direct", "brand", "email"))
        touch = make_touch(rng, key, at - 4 * MINUTE, rng.choice(person.clients))
        person.touches.append(touch)
        name = "call_booking" if rng.random() < 0.5 else "lead_form"
        again.append(submit(rng, person, touch, at, name))
    return again


def person_journey(rng: random.Random, people: People, source: Source, day: int) -> Person:
    """One person who becomes known to sales, or tries to."""
    is_lost = rng.random() < source.lost
    person = people.make(rng, source.key, invented=is_lost and rng.random() < 0.8)
    at = day * DAY + office_hour(rng)
    person.contacted_at = at
    if source.key == "offline":
        person.way = "phone"
        return person
    observed = rng.random() >= source.blocked
    person.touches = earlier_touches(rng, person, source, at, observed)
    if source.key == "form":
        # The platform's own form: nothing happens on the site, except for a few who look first.
        if rng.random() < 0.9:
            person.touches = []
        person.way = "none" if is_lost else "native"
        return person
    if not is_lost and rng.random() < 0.025:
        person.way = "phone"  # reads the site, then calls: only the CRM knows
        return person
    person.way = "none" if is_lost else "form"
    name = "call_booking" if rng.random() < source.calls else "lead_form"
    first = submit(rng, person, person.touches[-1], at, name)
    first.reaches_crm = not is_lost
    person.submissions.append(first)
    if rng.random() < 0.3 and not is_lost and len(person.touches) > 1:
        early = person.touches[0]
        person.submissions.append(submit(rng, person, early, early.at + 3 * MINUTE, "brochure"))
    if rng.random() < 0.09:
        person.submissions += _press_again(rng, person, first)
    if not is_lost:
        person.submissions += _come_again(rng, person, source, first)
    elif rng.random() < 0.12:
        again = first.at + rng.uniform(1, 3) * HOUR
        if is_same_evening(first.at, again):
            person.submissions.append(submit(rng, person, first.touch, again, name))
    for later in person.submissions[1:]:
        later.reaches_crm = not is_lost
    return person


def brochure_visitor(rng: random.Random, people: People, source: Source, day: int) -> Person:
    """Someone who takes the brochure and is never heard of again."""
    person = people.make(rng, source.key)
    at = day * DAY + office_hour(rng)
    touch = make_touch(
        rng, source.key, at - 2 * MINUTE, person.clients[0], recorded=rng.random() >= source.blocked
    )
    person.touches.append(touch)
    taken = submit(rng, person, touch, at, "brochure")
    taken.reaches_crm = False
    person.submissions.append(taken)
    if rng.random() < 0.05:
        person.submissions += _press_again(rng, person, taken)
    for again in person.submissions:
        again.reaches_crm = False
    return person


def bot_submission(rng: random.Random, source: Source, at: float, agent: str = "") -> Submission:
    """A machine presses the button; its browser name mostly gives it away."""
    touch = make_touch(rng, source.key, at - rng.uniform(1, 20), client_id(rng))
    name = "brochure" if rng.random() < 0.3 else "lead_form"
    bot = submit(rng, None, touch, at, name, kind="bot")
    bot.user_agent = agent or rng.choice(BOT_AGENTS)
    if not agent and rng.random() < 0.06:
        bot.user_agent = BROWSERS[0]  # one that lies about itself
    bot.ip = f"198.51.100.{rng.randint(1, 254)}"
    if rng.random() < 0.7:
        bot.email = f"{rng.getrandbits(40):x}@example.{rng.choice(('com', 'org', 'net'))}"
    bot.reaches_crm = False
    return bot


def staff_submission(rng: random.Random, people: People, at: float) -> Submission:
    """Staff try the forms: own address, test flag, or from the office."""
    person = people.make(rng, "direct")
    person.email = f"{person.first_name}.{person.last_name}@{company.STAFF_DOMAIN}".lower()
    person.phone = ""
    touch = make_touch(rng, "direct", at - MINUTE, person.clients[0])
    name = rng.choice(("lead_form", "lead_form", "call_booking", "brochure"))
    test = submit(rng, person, touch, at, name, kind="staff")
    roll = rng.random()
    test.email = person.email if roll < 0.6 else ""
    test.is_test = roll > 0.4
    test.ip = company.OFFICE_IP if roll < 0.8 else person.ip
    test.reaches_crm = rng.random() < 0.4
    return test


def returning_person(rng: random.Random, people: People, day: int) -> Person:
    """Someone sales has known since before the world submits a form again."""
    person = people.make(rng, rng.choice(("brand", "generic", "organic_search", "email")))
    person.way, person.contacted_at = "known", -rng.uniform(25, 300) * DAY
    at = day * DAY + office_hour(rng)
    key = rng.choice(("brand", "brand", "generic", "instant", "retarget", "email", "direct"))
    person.touches.append(make_touch(rng, key, at - 5 * MINUTE, person.clients[0]))
    again = submit(rng, person, person.touches[-1], at, "lead_form")
    person.submissions.append(again)
    if rng.random() < 0.09:
        person.submissions += _press_again(rng, person, again)
    return person


def day_of(seed: int, day: int, size: float, people: People, traffic: Traffic) -> None:
    """Everything that begins on one day, appended to ``traffic``; parts of it lie days around.

    Depends on seed, size and day index alone, so a longer world tells the same past.
    """
    rng = random.Random(f"{seed}:day:{day}")
    busy = company.rhythm(day) * size
    for source in SOURCES.values():
        for _ in range(times(rng, source.people * busy)):
            person = person_journey(rng, people, source, day)
            person.submissions.sort(key=lambda item: item.at)
            traffic.persons.append(person)
        for _ in range(times(rng, source.brochures * busy)):
            traffic.persons.append(brochure_visitor(rng, people, source, day))
        for _ in range(times(rng, source.bots * size)):
            at = day * DAY + rng.uniform(4.5, 23) * HOUR
            traffic.submissions.append(bot_submission(rng, source, at))
    for _ in range(times(rng, 2.2 * size)):
        traffic.persons.append(returning_person(rng, people, day))
    for _ in range(times(rng, 1.8 * size)):
        at = day * DAY + rng.uniform(9, 18) * HOUR
        traffic.submissions.append(staff_submission(rng, people, at))
    if day % company.ATTACK_EVERY == company.ATTACK_DAY:
        start = day * DAY + 10.3 * HOUR
        for _ in range(int(260 * size)):
            at = start + rng.uniform(0, 1.6) * HOUR
            traffic.submissions.append(bot_submission(rng, SOURCES["instant"], at, BOT_AGENTS[1]))


def forget_the_future(traffic: Traffic, now: float) -> None:
    """Drop visits and submissions that have not happened yet."""
    for person in traffic.persons:
        person.touches = [touch for touch in person.touches if touch.at < now]
        person.submissions = [item for item in person.submissions if item.at < now]
    traffic.submissions = [item for item in traffic.submissions if item.at < now]
