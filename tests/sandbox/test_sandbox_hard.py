"""The hard world: people are harder to tell apart, and the truth about them stays whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

import pytest

from sandbox.server.hubspot_records import Records
from sandbox.world import World
from sandbox.world.hard import FAIR_DAY
from sandbox.world.model import DAY, Person

LAST_DAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def plain() -> World:
    return World.make(7, last_day=LAST_DAY)


@pytest.fixture(scope="module")
def hard() -> World:
    return World.make(7, last_day=LAST_DAY, hard=True)


def _bearers(world: World, name: str) -> dict[str, set[int]]:
    bearers: dict[str, set[int]] = defaultdict(set)
    for item in world.submissions:
        if item.person is not None and item.kind == "person" and getattr(item, name):
            bearers[getattr(item, name)].add(item.person.number)
    return bearers


@pytest.mark.parametrize("name", ["client_id", "phone", "email"])
def test_strangers_share_what_is_ones_own_in_the_plain_world(
    plain: World, hard: World, name: str
) -> None:
    shared = [len(people) for people in _bearers(hard, name).values() if len(people) > 1]
    assert len(shared) >= 5
    assert max(shared) > 10 if name != "email" else max(shared) > 3
    assert max(len(people) for people in _bearers(plain, name).values()) == 1


def test_at_the_fair_everybody_uses_one_tablet(hard: World) -> None:
    of_the_day = [
        item
        for item in hard.submissions
        if item.person is not None
        and item.kind == "person"
        and item.at // DAY == FAIR_DAY
        and item.person.contacted_at // DAY == FAIR_DAY
        and item.person.way != "known"
    ]
    (tablet,) = {item.client_id for item in of_the_day}
    assert len({item.person.number for item in of_the_day if item.person}) > 20
    assert all(item.client_id != tablet for item in hard.submissions if item.at // DAY != FAIR_DAY)


def test_who_refuses_cookies_leaves_no_browser_id_anywhere(hard: World) -> None:
    refused = [person for person in hard.persons if person.touches and person.clients == ("",)]
    assert len(refused) > 200
    for person in refused:
        assert {touch.client_id for touch in person.touches} == {""}
        assert all(item.client_id == "" for item in person.submissions)
        assert not any(contact.properties.get("client_id") for contact in person.contacts)


def test_a_click_id_of_two_people_came_by_a_forwarded_link(plain: World, hard: World) -> None:
    def clicked(world: World) -> list[set[int]]:
        bearers: dict[str, set[int]] = defaultdict(set)
        for person in world.persons:
            for touch in person.touches:
                if touch.click_id:
                    bearers[touch.click_id].add(person.number)
        return [people for people in bearers.values() if len(people) > 1]

    assert clicked(plain) == []
    assert len(clicked(hard)) > 10


def test_the_last_survivor_of_a_chain_of_merges_tells_all_that_went_into_it(hard: World) -> None:
    into = {each.contact_id: each.merged_into for each in hard.contacts if each.merged_into}
    chains = [record_id for record_id in into if into[record_id] in into]
    assert len(chains) > 5
    live = {each.record_id: each for each in Records(hard).live("contacts")}
    told = 0
    for record_id in chains:
        survivor = live.get(into[into[record_id]])
        if survivor:
            told += 1
            ids = (survivor.properties["hs_merged_object_ids"] or "").split(";")
            assert {record_id, into[record_id]} <= set(ids)
    assert told > 5


def test_some_records_come_later_than_the_rulebook_waits(hard: World) -> None:
    def lag(person: Person) -> float:
        return person.contacts[0].created_at - person.contacted_at

    late = [each for each in hard.leads if each.person.way == "form" and lag(each.person) > 3 * DAY]
    assert len(late) > 5
    assert {each.making_event_id for each in late if each.person.way == "form"} == {""}


def test_the_hard_world_is_the_same_people_with_the_same_verdicts(
    plain: World, hard: World
) -> None:
    assert len(hard.tag_events) == len(plain.tag_events)
    assert [touch.touch_id for touch in hard.touches] == [each.touch_id for each in plain.touches]
    verdicts = [Counter(each.true_verdict for each in world.leads) for world in (plain, hard)]
    assert (verdicts[0] - verdicts[1]).total() <= 0.01 * len(plain.leads)


def test_the_same_seed_tells_the_same_hard_world_twice(hard: World) -> None:
    again = World.make(7, last_day=LAST_DAY, hard=True)
    assert again.touches == hard.touches
    assert Records(again).live("contacts") == Records(hard).live("contacts")
    assert again.as_of(LAST_DAY).is_hard
