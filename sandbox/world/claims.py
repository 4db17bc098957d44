"""What the platforms report: delivery, and the pixel conversions they claim.

Each platform credits itself by its own view of the same submissions, so both may claim one. Google
splits by a data-driven model, Meta also claims what it merely showed. Young days are still
incomplete: a claim becomes known to its platform some days after, as a function of the world's last
day alone.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.world.company import GOOGLE_ACTIONS, SOURCES
from sandbox.world.model import DAY, Person, Submission, Touch

META_PIXEL = "offsite_conversion.fb_pixel_lead"
META_FORM = "onsite_conversion.lead_grouped"
META_CUSTOM = "offsite_conversion.fb_pixel_custom"
#: Share of the final figure a platform shows, by age of the day; complete after ten days.
KNOWN_BY_AGE = (0.78, 0.86, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99)


@dataclass(slots=True)
class Claim:
    """One claimed part of one submission, in hundredths so that sums are exact.

    Attributes:
        day: Day index under which the platform files it (conversion date).
        click_day: Day index of the ad interaction.
        is_view: True where Meta claims it for an ad that was seen, not clicked.
    """

    source: str
    action: str
    day: int
    click_day: int
    hundredths: int
    is_view: bool = False


def _paid_touches(person: Person | None, item: Submission, platform: str, back: float
                  ) -> list[Touch]:  # fmt: skip
    path = person.touches if person and item.kind == "person" else [item.touch]
    return [touch for touch in path
            if SOURCES[touch.source].platform == platform
            and item.at - back <= touch.at <= item.at]  # fmt: skip


def _filed(rng: random.Random, at: float) -> int:
    """The platform's day: now and then a day late."""
    return int(at // DAY) + (1 if rng.random() < 0.03 else 0)


def google_claims(rng: random.Random, item: Submission) -> list[Claim]:
    """Google's parts of one submission: data-driven, so a third or a half is common."""
    refused = {"bot": 0.72, "staff": 0.8}.get(item.kind, 0.85 if item.is_double else 0.07)
    touches = _paid_touches(item.person, item, "google", 30 * DAY)
    if not touches or rng.random() < refused:
        return []
    person = item.person
    others = bool(person) and len(person.touches) > len(touches)
    whole = 100 if not others else rng.choice((100, 100, 67, 50, 33))
    touches = touches[-3:]
    shares = {1: (100,), 2: (33, 67), 3: (25, 25, 50)}[len(touches)]
    day = _filed(rng, item.at)
    action = GOOGLE_ACTIONS[item.event_name][0]
    return [
        Claim(touch.source, action, day, int(touch.at // DAY), whole * share // 100)
        for touch, share in zip(touches, shares, strict=True)
    ]


def meta_claims(rng: random.Random, item: Submission) -> list[Claim]:
    """Meta's claim of one submission: a click within seven days, else a view within one."""
    refused = {"bot": 0.12, "staff": 0.7}.get(item.kind, 0.5 if item.is_double else 0.05)
    if rng.random() < refused:
        return []
    action = META_CUSTOM if item.event_name == "brochure" else META_PIXEL
    day = _filed(rng, item.at)
    touches = _paid_touches(item.person, item, "meta", 7 * DAY)
    if touches:
        return [Claim(touches[-1].source, action, day, int(touches[-1].at // DAY), 100)]
    # Everyone who knows the site is in the retargeting audience and is shown ads.
    came_before = item.person is not None and len(item.person.touches) > 1
    if item.kind == "person" and rng.random() < (0.22 if came_before else 0.05):
        return [Claim("retarget", action, day, day, 100, is_view=True)]
    return []


def all_claims(
    seed: int, submissions: Iterable[Submission], natives: Iterable[Person], days: int
) -> list[Claim]:
    """Everything both platforms claim and already know at the end of the last day."""
    rng = random.Random(f"{seed}:claims")
    made: list[Claim] = []
    for item in submissions:
        if item.is_observed:
            made += google_claims(rng, item)
            made += meta_claims(rng, item)
        elif rng.random() < 0.25:
            # Modelled: the platform never saw it and says that it happened.
            made += google_claims(rng, item)
    for person in natives:
        day = int(person.contacted_at // DAY)
        made.append(Claim(person.source, META_FORM, day, day, 100))
    known = []
    for claim in made:
        if claim.day >= days:
            continue
        age = days - 1 - claim.day
        share = KNOWN_BY_AGE[age] if age < len(KNOWN_BY_AGE) else 1.0
        if rng.random() < share and claim.hundredths:
            known.append(claim)
    return known


@dataclass(slots=True)
class Delivery:
    """One campaign on one day. ``cost_cents`` in the account's currency."""

    cost_cents: int
    clicks: int
    impressions: int


def deliveries(
    seed: int, clicks: dict[tuple[str, int], int], spend: dict[tuple[str, int], float]
) -> dict[tuple[str, int], Delivery]:
    """Delivery per (source, day index), with the clicks that really happened."""
    rng = random.Random(f"{seed}:delivery")
    made: dict[tuple[str, int], Delivery] = defaultdict(lambda: Delivery(0, 0, 0))
    for key in sorted(spend):
        source = SOURCES[key[0]]
        count = clicks.get(key, 0)
        rate = source.click_rate * rng.uniform(0.85, 1.15)
        made[key] = Delivery(round(spend[key] * 100), count, round(count / rate))
    return dict(made)
