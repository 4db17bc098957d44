"""What sales does with a lead: stages, reasons, scores, deals."""

from __future__ import annotations

import random

from sandbox.world.company import REASONS, Source
from sandbox.world.model import DAY, HOUR, MINUTE, Change, CrmContact, Deal

CRITERIA = ("fit", "budget", "authority", "need", "timing", "interest", "intent")
VERDICT_OF_REASON = {"duplicate": "marked_duplicate", "other": "other_reason"}
#: The criterion that speaks against a lead, by the reason sales gives.
WEAK_CRITERION = {
    "not_fit": "fit",
    "no_budget": "budget",
    "no_authority": "authority",
    "no_need": "need",
    "no_timing": "timing",
    "no_intent": "intent",
}
FINAL_AFTER = 60 * DAY


def _say(contact: CrmContact, at: float, status: str, reason: str = "") -> None:
    """Record a stage; the reason is typed in a few seconds later, and cleared on reopening."""
    contact.status.append(Change(at, status))
    had = contact.reason[-1].value if contact.reason else ""
    if reason or had:
        contact.reason.append(Change(at + 4, reason))


def _disqualify(rng: random.Random, contact: CrmContact, at: float, reason: str) -> None:
    if reason == "no_timing" and rng.random() < 0.4:
        _say(contact, at, "BAD_TIMING")
    else:
        _say(contact, at, "UNQUALIFIED", reason)


def work_lead(rng: random.Random, contact: CrmContact, source: Source) -> str:
    """Write the whole stage history, future included, and return the final verdict."""
    at = contact.created_at
    _say(contact, at, "NEW")
    at += rng.uniform(0.2, 30) * HOUR
    _say(contact, at, "OPEN")
    contact.attempts = 1
    if rng.random() < 0.45:
        at += rng.uniform(3, 40) * HOUR
        _say(contact, at, "ATTEMPTED_TO_CONTACT")
        contact.attempts += 1 + int(rng.expovariate(0.7))
    if rng.random() < source.undecided:
        if rng.random() < 0.4:
            _say(contact, at + rng.uniform(1, 6) * DAY, "CONNECTED")
        return "undecided"
    is_qualified = rng.random() < source.qualified
    reason = "" if is_qualified else rng.choices(REASONS, source.reasons)[0]
    if reason == "spam":
        _disqualify(rng, contact, at + rng.uniform(1, 30) * HOUR, reason)
        return reason
    decided = at + (0.8 + rng.gammavariate(2.0, source.decision_days / 2)) * DAY
    if reason != "unreachable":
        _say(contact, at + (decided - at) * rng.uniform(0.2, 0.7), "CONNECTED")
        contact.attempts += 1
    else:
        contact.attempts += 2
    changes_mind = rng.random() < 0.08
    if is_qualified:
        if changes_mind:  # turned down, then asked again
            _say(contact, decided, "UNQUALIFIED", rng.choice(("no_timing", "no_budget")))
            _say(contact, decided + rng.uniform(2, 9) * DAY, "OPEN")
            decided += rng.uniform(10, 18) * DAY
        _say(contact, decided, "QUALIFIED")
        return "qualified"
    if changes_mind and reason != "unreachable":
        _say(contact, decided, "QUALIFIED")
        decided += rng.uniform(3, 15) * DAY
    _disqualify(rng, contact, decided, reason)
    return VERDICT_OF_REASON.get(reason, reason)


def verdict_at(contact: CrmContact, now: float) -> str:
    """The verdict that the rulebook's words give to the history up to ``now``."""
    if contact.deleted_at is not None and contact.deleted_at <= now:
        return "deleted_in_crm"
    status = [change.value for change in contact.status if change.at <= now]
    reason = [change.value for change in contact.reason if change.at <= now]
    last = status[-1] if status else "NEW"
    if last == "QUALIFIED":
        return "qualified"
    if last == "BAD_TIMING":
        return "no_timing"
    if last == "UNQUALIFIED":
        said = reason[-1] if reason and reason[-1] else "other"
        return VERDICT_OF_REASON.get(said, said)
    return "undecided" if now - contact.created_at >= FINAL_AFTER else "pending"


def score(rng: random.Random, contact: CrmContact, verdict: str) -> None:
    """Criterion scores for a part of the leads; few of them where sales has not decided.

    A lead without a verdict never gets enough scores to be judged by them: the truth of such a lead
    is what sales will say.
    """
    is_open = verdict in ("pending", "undecided", "deleted_in_crm")
    if rng.random() > (0.2 if is_open else 0.45):
        return
    chosen = ("interest",) if is_open else CRITERIA
    weak = WEAK_CRITERION.get(verdict, "")
    for name in chosen:
        if verdict == "qualified":
            value = rng.uniform(0.55, 1.0)
        elif name == weak:
            value = rng.uniform(0.0, 0.3)
        else:
            value = rng.uniform(0.15, 0.75)
        contact.properties[f"score_{name}"] = f"{value:.2f}"


def make_deal(
    rng: random.Random, contact: CrmContact, source: Source, verdict: str, deal_id: str
) -> Deal | None:
    """The deal of a lead, future included; sometimes sales sells without ever qualifying."""
    share = source.deal if verdict == "qualified" else (0.03 if verdict == "undecided" else 0.002)
    if rng.random() >= share:
        return None
    base = contact.status[-1].at
    created = base + rng.uniform(0.05, 6) * DAY
    roll = rng.random()
    won = source.won if verdict == "qualified" else 0.75
    outcome = "won" if roll < won else ("lost" if roll < won + 0.3 else "open")
    closed = created + (4 + rng.gammavariate(2.0, 9.0)) * DAY
    amount = max(900.0, rng.lognormvariate(0, 0.45) * source.deal_amount)
    return Deal(
        deal_id=deal_id,
        contact_id=contact.contact_id,
        name=f"Rooftop system {deal_id}",
        amount=f"{round(amount / 50) * 50:d}.00",
        created_at=created,
        closed_at=closed + MINUTE,
        outcome=outcome,
    )
