"""The true cause of every tag event: the rulebook's order of causes, with perfect knowledge.

Where the pipeline has to guess who a visitor is, the truth knows. The limits are the default
rulebook's; the world keeps clear of them (nobody comes back between 9 hours and 3 days after), so
a rulebook that moves them a little still has the same truth.
"""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.world.model import DAY, MINUTE, Lead, Person, Submission

REPEAT = 1 * DAY
SYNC_LAG = 3 * DAY
CLOCK_SLACK = 10 * MINUTE


def _obvious(item: Submission) -> str:
    if item.kind == "bot":
        return "bot"
    if item.kind == "staff":
        return "internal_or_test"
    return "duplicate_submission" if item.is_double else ""


def _cause_person(person: Person, lead: Lead | None, now: float) -> None:
    seen = [item for item in person.submissions if item.is_observed]
    seen.sort(key=lambda item: (item.at, item.event_id))
    surviving = [item for item in seen if not _obvious(item)]
    lead_at = None
    if lead is not None:
        low, high = lead.created_at - SYNC_LAG, lead.created_at + CLOCK_SLACK
        making = [
            item for item in surviving if item.event_name != "brochure" and low <= item.at <= high
        ]
        lead_at = making[0].at if making else lead.created_at
        if making:
            making[0].true_cause = "made_lead"
            lead.making_event_id = making[0].event_id
    previous = None
    for item in seen:
        if _obvious(item):
            item.true_cause = _obvious(item)
            continue
        if not item.true_cause:
            if lead_at is not None and item.at > lead_at:
                item.true_cause = "same_person" if item.at - lead_at <= REPEAT else "existing_lead"
            elif previous is not None and item.at - previous <= REPEAT:
                item.true_cause = "same_person"
            elif item.at + SYNC_LAG > now:
                item.true_cause = "awaiting_crm"
            else:
                item.true_cause = "no_crm_record"
        previous = item.at


def find_causes(
    persons: Iterable[Person], others: Iterable[Submission], leads: Iterable[Lead], now: float
) -> None:
    """Set ``true_cause`` on every observed submission and ``making_event_id`` on every lead."""
    by_person = {lead.person.number: lead for lead in leads}
    for person in persons:
        _cause_person(person, by_person.get(person.number), now)
    for item in others:
        item.true_cause = _obvious(item)
