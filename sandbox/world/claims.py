"""What the platforms report: delivery, and the pixel conversions they claim.

Each platform credits itself by its own view of the same submissions, so both may claim one. Google
splits by a data-driven model, Meta also claims what it merely showed. Young days are still
incomplete: a claim becomes known to its platform some days after. What they told before and took
back or moved is in :mod:`sandbox.world.restated`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

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
        told_from: Day index from whose end on the platform tells it.
        told_until: Day index from whose end on it no longer does; None for ever.
        cause: Why it is told later than its own day, or taken back; empty where neither.
    """

    source: str
    action: str
    day: int
    click_day: int
    hundredths: int
    is_view: bool = False
    told_from: int = 0
    told_until: int | None = None
    cause: str = ""

    def is_told(self, today: int) -> bool:
        """Whether the platform tells it at the end of the day ``today``."""
        return self.told_from <= today and (self.told_until is None or today < self.told_until)


def _path(item: Submission) -> list[Touch]:
    """The visits that led to a submission, oldest first."""
    if item.person is None or item.kind != "person":
        return [item.touch]
    return [touch for touch in item.person.touches if touch.at <= item.at]


def paid_touches(item: Submission, platform: str, back: float) -> list[Touch]:
    return [
        touch
        for touch in _path(item)
        if SOURCES[touch.source].platform == platform and item.at - back <= touch.at
    ]


def _filed(rng: random.Random, at: float) -> int:
    """The platform's day: now and then a day late."""
    return int(at // DAY) + (1 if rng.random() < 0.03 else 0)


def google_claims(rng: random.Random, item: Submission) -> list[Claim]:
    """Google's parts of one submission: data-driven, so a third or a half is common."""
    refused = {"bot": 0.72, "staff": 0.8}.get(item.kind, 0.85 if item.is_double else 0.07)
    touches = paid_touches(item, "google", 30 * DAY)
    if not touches or rng.random() < refused:
        return []
    others = len(_path(item)) > len(touches)
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
    touches = paid_touches(item, "meta", 7 * DAY)
    if touches:
        return [Claim(touches[-1].source, action, day, int(touches[-1].at // DAY), 100)]
    # Everyone who knows the site is in the retargeting audience and is shown ads.
    came_before = len(_path(item)) > 1
    if item.kind == "person" and rng.random() < (0.12 if came_before else 0.03):
        return [Claim("retarget", action, day, day, 100, is_view=True)]
    return []


def final_claims(seed: int, item: Submission) -> list[Claim]:
    """Everything both platforms claim of a submission in the end.

    What a platform makes of a submission depends on that submission alone, so a later look at the
    same day shows the same claims and some more.
    """
    rng = random.Random(f"{seed}:claim:{item.event_id}")
    made: list[Claim] = []
    if item.is_observed:
        made = google_claims(rng, item) + meta_claims(rng, item)
    elif rng.random() < 0.25:
        # Modelled: the platform never saw it and says that it happened.
        made = google_claims(rng, item)
    return [known_later(rng, claim) for claim in made]


def form_claim(seed: int, person: Person) -> Claim:
    """Meta's claim of its own lead form."""
    rng = random.Random(f"{seed}:form:{person.number}")
    day = int(person.contacted_at // DAY)
    return known_later(rng, Claim(person.source, META_FORM, day, day, 100))


def known_later(rng: random.Random, claim: Claim) -> Claim:
    """The claim with the day from which on its platform knows it."""
    drawn = rng.random()
    age = next((age for age, share in enumerate(KNOWN_BY_AGE) if drawn < share), len(KNOWN_BY_AGE))
    return replace(claim, told_from=claim.day + age, cause="late" if age else "")


@dataclass(slots=True)
class Delivery:
    """One campaign on one day. ``cost_cents`` in the account's currency."""

    cost_cents: int
    clicks: int
    impressions: int
