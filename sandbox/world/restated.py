"""How the platforms restate past days for a month: what they told first, and why they changed it.

The figures they end with are those of :mod:`sandbox.world.claims` and of the world's delivery.
Only what is settled by the world's last day was ever told otherwise, so that day's view is the
final one; views of earlier days (:meth:`sandbox.world.World.as_of`) differ from it, each for a
cause:

- ``late``: the click came long before, or the browser told late;
- ``recredited``: the data-driven model shares out what its last click was first given whole;
- ``retracted_bot``, ``retracted_duplicate``, ``retracted_staff``, ``retracted_consent``: counted
  first, then seen for what it was;
- ``invalid_clicks``: clicks that were charged and later found to be none;
- ``credit``: their price given back in one sum, on one day, before it is moved to the days of the
  clicks; it may leave that day a negative cost.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sandbox.world.claims import (
    META_CUSTOM,
    META_PIXEL,
    Claim,
    Delivery,
    final_claims,
    form_claim,
    known_later,
    paid_touches,
)
from sandbox.world.company import GOOGLE_ACTIONS, PAID, SOURCES
from sandbox.world.model import DAY, Person, Submission

#: No day is restated when it is older.
LONGEST = 28


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What is told beside the final delivery of one day, from ``told_from`` to ``told_until``."""

    source: str
    day: int
    cost_cents: int
    clicks: int
    told_from: int
    told_until: int
    cause: str

    def is_told(self, today: int) -> bool:
        """Whether it stands at the end of the day ``today``."""
        return self.told_from <= today < self.told_until


@dataclass(frozen=True, slots=True)
class Restatement:
    """One change of one past day's figure.

    Attributes:
        action: The conversion action, or ``cost`` and ``clicks`` for delivery.
        day: The day whose figure changes.
        told_on: From this day's end on.
        amount: Hundredths of a claim, cents or clicks; below zero where the figure falls.
    """

    source: str
    action: str
    day: int
    told_on: int
    amount: int
    cause: str


def claim_history(
    seed: int, submissions: Iterable[Submission], natives: Iterable[Person], last: int
) -> list[Claim]:
    """Every claim that is told at the end of any day up to ``last``, with the days it is told."""
    told: list[Claim] = []
    for item in submissions:
        rng = random.Random(f"{seed}:restated:{item.event_id}")
        final = [claim for claim in final_claims(seed, item) if claim.hundredths]
        for platform in ("google", "meta"):
            mine = [claim for claim in final if SOURCES[claim.source].platform == platform]
            if mine:
                told += _settled(rng, mine, last)
            elif item.is_observed:
                told += _counted_first(rng, item, platform, last)
    told += [form_claim(seed, person) for person in natives]
    return [claim for claim in told if claim.told_from <= last]


def _settled(rng: random.Random, final: list[Claim], last: int) -> list[Claim]:
    """What stands in the end, and what stood before it."""
    day, roll = final[0].day, rng.random()
    if roll < 0.06:
        settled = day + rng.randint(11, LONGEST)
        if settled <= last:
            return [replace(claim, told_from=settled, cause="late") for claim in final]
    elif roll < 0.6 and min(claim.hundredths for claim in final) < 100:
        known = final[-1].told_from
        settled = min(max(claim.told_from for claim in final) + rng.randint(2, 18), day + LONGEST)
        if known < settled <= last:
            whole = replace(
                final[-1], hundredths=100, told_until=settled, cause=final[-1].cause or "recredited"
            )
            parts = [replace(claim, told_from=settled, cause="recredited") for claim in final]
            return [whole, *parts]
    return final


def _counted_first(rng: random.Random, item: Submission, platform: str, last: int) -> list[Claim]:
    """What a platform counted and took back."""
    touches = paid_touches(item, platform, (30 if platform == "google" else 7) * DAY)
    if not touches or rng.random() < 0.5:
        return []
    if platform == "google":
        action = GOOGLE_ACTIONS[item.event_name][0]
    else:
        action = META_CUSTOM if item.event_name == "brochure" else META_PIXEL
    day = int(item.at // DAY)
    claim = known_later(
        rng, Claim(touches[-1].source, action, day, int(touches[-1].at // DAY), 100)
    )
    until = min(claim.told_from + rng.randint(1, 25), day + LONGEST)
    if not claim.told_from < until <= last:
        return []
    why = "duplicate" if item.is_double else {"person": "consent"}.get(item.kind, item.kind)
    return [replace(claim, told_until=until, cause=f"retracted_{why}")]


def adjustments(
    seed: int, delivery: Mapping[tuple[str, int], Delivery], last: int
) -> list[Adjustment]:
    """Charged clicks that were none, and the credits for them, settled by ``last``."""
    found = []
    for source in PAID:
        rng = random.Random(f"{seed}:credits:{source.key}")
        credited = 9 + rng.randint(0, 6)
        while credited <= last:
            settled = credited + rng.randint(3, 8)
            refund = 0
            for day in range(credited - 8, credited):
                given = delivery[source.key, day]
                clicks = round(given.clicks * rng.uniform(0.1, 0.3))
                cents = given.cost_cents * clicks // max(given.clicks, 1)
                if settled <= last and clicks:
                    refund += cents
                    found.append(
                        Adjustment(source.key, day, cents, clicks, day, settled, "invalid_clicks")
                    )
            if refund:
                found.append(
                    Adjustment(source.key, credited, -refund, 0, credited, settled, "credit")
                )
            credited += rng.randint(14, 22)
    return found


def delivery_at(
    delivery: Mapping[tuple[str, int], Delivery], adjusted: Iterable[Adjustment], today: int
) -> dict[tuple[str, int], Delivery]:
    """The days' delivery as the platforms tell it at the end of the day ``today``."""
    extra: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for item in adjusted:
        if item.is_told(today):
            extra[item.source, item.day][0] += item.cost_cents
            extra[item.source, item.day][1] += item.clicks
    return {
        key: replace(
            given,
            cost_cents=given.cost_cents + extra[key][0],
            clicks=given.clicks + extra[key][1],
        )
        if key in extra
        else given
        for key, given in delivery.items()
    }


def restatements(claims: Iterable[Claim], adjusted: Iterable[Adjustment]) -> list[Restatement]:
    """Every change of a figure after its day's end, by the day on which it is told."""
    found = []
    for claim in claims:
        key = (claim.source, claim.action, claim.day)
        is_retracted = claim.cause.startswith("retracted")
        if claim.told_from > claim.day:
            why = "late" if is_retracted else claim.cause
            found.append(Restatement(*key, claim.told_from, claim.hundredths, why))
        if claim.told_until is not None:
            why = claim.cause if is_retracted else "recredited"
            found.append(Restatement(*key, claim.told_until, -claim.hundredths, why))
    for item in adjusted:
        for told_on, sign in ((item.told_from, 1), (item.told_until, -1)):
            if told_on <= item.day:
                continue
            for action, amount in (("cost", item.cost_cents), ("clicks", item.clicks)):
                if amount:
                    key = (item.source, action, item.day)
                    found.append(Restatement(*key, told_on, sign * amount, item.cause))
    return sorted(found, key=lambda each: (each.told_on, each.source, each.action, each.day))
