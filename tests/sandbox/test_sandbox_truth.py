"""The truth is whole: every row has a cause, every lead a verdict, and the parts fit."""

from __future__ import annotations

from collections import Counter, defaultdict

from sandbox.world import World
from sandbox.world.company import SOURCES
from sandbox.world.model import DAY, HOUR, MINUTE

CAUSES = {
    "bot",
    "internal_or_test",
    "duplicate_submission",
    "made_lead",
    "same_person",
    "existing_lead",
    "awaiting_crm",
    "no_crm_record",
}
VERDICTS = {
    "qualified",
    "pending",
    "undecided",
    "spam",
    "marked_duplicate",
    "deleted_in_crm",
    "unreachable",
    "not_fit",
    "no_budget",
    "no_authority",
    "no_need",
    "no_timing",
    "no_intent",
    "other_reason",
}


def test_every_delivered_row_has_one_of_the_causes_and_all_causes_occur(world: World) -> None:
    macro = Counter(
        event.true_cause
        for event in world.tag_events
        if event.submission.event_name != "brochure" and not event.is_copy
    )
    assert set(macro) == CAUSES
    assert min(macro.values()) >= 15, macro


def test_every_observed_lead_has_exactly_one_making_event(world: World) -> None:
    made = Counter(item.event_id for item in world.submissions if item.true_cause == "made_lead")
    claimed = [lead.making_event_id for lead in world.leads if lead.making_event_id]
    assert Counter(claimed) == made
    assert set(made.values()) == {1}
    unobserved = [
        lead for lead in world.leads if not lead.making_event_id and not lead.is_before_world
    ]
    assert len(unobserved) > 300, "blockers, phone calls and platform forms leave no event"


def test_a_cause_says_what_happened(world: World) -> None:
    lead_of = {lead.person.number: lead for lead in world.leads}
    by_person = defaultdict(list)
    for item in world.submissions:
        if item.is_observed and item.person is not None and item.kind == "person":
            by_person[item.person.number].append(item)
    for number, items in by_person.items():
        for item in items:
            lead = lead_of.get(number)
            if item.true_cause == "existing_lead":
                assert lead is not None
                assert item.at - lead.created_at > 2 * DAY
            if item.true_cause == "no_crm_record":
                assert lead is None or item.at < lead.created_at
                assert item.at + 3 * DAY <= world.clock.now
            if item.true_cause == "awaiting_crm":
                assert item.at + 3 * DAY > world.clock.now
            if item.true_cause == "duplicate_submission":
                first = min(other.at for other in items if other.event_name == item.event_name)
                assert any(
                    0 < item.at - other.at <= 8 * MINUTE + 1
                    for other in items
                    if other.client_id == item.client_id and other.event_name == item.event_name
                ), first


def test_verdicts_and_origins_are_known_words(world: World) -> None:
    campaigns = {source.campaign_id for source in SOURCES.values()}
    leads = [lead for lead in world.leads if not lead.is_before_world]
    assert {lead.verdict_now for lead in leads} == VERDICTS
    assert all(lead.true_verdict in VERDICTS - {"pending"} for lead in leads)
    assert all(lead.true_campaign in campaigns for lead in leads)
    assert {lead.true_channel for lead in leads} == {s.channel for s in SOURCES.values()}
    misses = [lead for lead in leads if lead.is_customer and lead.verdict_now != "qualified"]
    assert misses, "a few customers were never marked qualified"


def test_nothing_in_the_crm_lies_in_the_future(world: World) -> None:
    now = world.clock.now
    for contact in world.contacts:
        assert contact.created_at <= now
        assert all(change.at <= now for change in (*contact.status, *contact.reason))
        assert [change.at for change in contact.status] == sorted(
            change.at for change in contact.status
        )
    assert all(deal.created_at <= now for deal in world.deals)
    assert any(contact.merged_into for contact in world.contacts)
    assert any(contact.deleted_at is not None for contact in world.contacts)
    changed_their_mind = [
        contact
        for contact in world.contacts
        if [change.value for change in contact.status].count("OPEN") > 1
    ]
    assert changed_their_mind


def test_the_crm_is_at_most_40_hours_behind(world: World) -> None:
    event_at = {item.event_id: item.at for item in world.submissions}
    lags = [
        lead.created_at - event_at[lead.making_event_id]
        for lead in world.leads
        if lead.making_event_id
    ]
    assert min(lags) < 0, "some browsers' clocks run ahead"
    assert min(lags) > -10 * MINUTE
    assert 12 * HOUR < max(lags) <= 40 * HOUR


def test_google_splits_and_meta_counts_views(world: World) -> None:
    google = [claim for claim in world.claims if SOURCES[claim.source].platform == "google"]
    meta = [claim for claim in world.claims if SOURCES[claim.source].platform == "meta"]
    assert any(claim.hundredths % 100 for claim in google)
    assert all(claim.hundredths == 100 for claim in meta)
    assert {claim.source for claim in meta if claim.is_view} == {"retarget"}


def test_most_leads_can_be_traced_but_not_all(world: World) -> None:
    items = {item.event_id: item for item in world.submissions}
    traced = total = 0
    for lead in world.leads:
        if not lead.making_event_id:
            continue
        item, contact = items[lead.making_event_id], lead.person.contacts[0]
        total += 1
        traced += bool(
            (item.email and item.email.lower() == contact.email)
            or item.client_id == contact.properties.get("client_id")
            or (item.phone and contact.phone)
        )
    assert 0.95 < traced / total < 1.0


def test_clicks_and_visits_fit_the_spend(world: World) -> None:
    seen = Counter((touch.source, int(touch.at // DAY)) for touch in world.touches)
    for (key, day), given in world.delivery.items():
        assert given.clicks >= seen[key, day] or key == "direct"
        assert given.impressions > given.clicks > 0
        assert given.cost_cents > 0
    kinds = {touch.click_id_type for touch in world.touches}
    assert kinds == {"", "gclid", "gbraid", "fbclid", "msclkid"}
