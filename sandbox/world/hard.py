"""What makes people hard to tell apart: switched on by ``World.make(..., hard=True)``.

The plain world gives everybody an address, a phone and browsers of their own. Here some have no
cookie, mistype, share a switchboard, a mailbox, a tablet or a forwarded link, and some records
come late or are merged in chains. One trouble per person at most, so that each can be told; the
truth (who did what) stays that of the persons.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sandbox.world.crm import Crm
from sandbox.world.identity import client_id
from sandbox.world.model import DAY, Change, CrmContact, Person, Submission

#: Share of the people with submissions or visits who meet each trouble.
NO_COOKIE, TYPO, PLUS_TAG = 0.08, 0.03, 0.02
SWITCHBOARD, ROLE_MAILBOX = 0.04, 0.02
FAMILY_DEVICE, RECYCLED_PHONE, FORWARDED_LINK = 0.01, 0.005, 0.01
#: Share of the records that the CRM gets days late, and of merged ones that had a third.
LATE_SYNC, THIRD_RECORD = 0.01, 0.5
#: The day of a trade fair, where everybody fills in the form on one tablet.
FAIR_DAY = 30
#: Numbers that Ofcom keeps for fiction in Cardiff; nobody of the plain world has one.
_SWITCHBOARDS = "+442920180"
#: This share of the shared phones and mailboxes is one big house's, the others are of firms with
#: so many callers.
_BIG_HOUSE, _CALLERS = 0.4, 4


@dataclass
class _Crowd:
    """People met so far, and the things that the next ones may share with them.

    Attributes:
        switchboards: Small firms' callers so far.
        mailboxes: The same for role addresses.
    """

    seed: int
    met: list[Person] = field(default_factory=list)
    switchboards: int = 0
    mailboxes: int = 0
    tablet: str = ""

    def earlier(self, fits: Callable[[Person], bool], back: int) -> Person | None:
        """The newest person met that fits, among the last ``back``."""
        return next((person for person in reversed(self.met[-back:]) if fits(person)), None)


def complicate_people(seed: int, persons: Sequence[Person]) -> None:
    """Change what people leave behind, in the order of their numbers."""
    crowd = _Crowd(seed, tablet=client_id(random.Random(f"{seed}:tablet")))
    for person in persons:
        if person.way == "known" or not (person.touches or person.submissions):
            continue
        rng = random.Random(f"{seed}:hard:{person.number}")
        if person.submissions and person.contacted_at // DAY == FAIR_DAY:
            _fill_in_at_the_fair(person, crowd)
            continue
        roll = rng.random()
        for share, trouble in _TROUBLES:
            if roll < share:
                trouble(rng, person, crowd)
                break
            roll -= share
        crowd.met.append(person)


def _use_clients(person: Person, clients: dict[str, str]) -> None:
    for touch in person.touches:
        touch.client_id = clients.get(touch.client_id, touch.client_id)
    for item in person.submissions:
        item.client_id = clients.get(item.client_id, item.client_id)
        item.touch.client_id = item.client_id
    person.clients = tuple(dict.fromkeys(clients.get(own, own) for own in person.clients))


def _refuse_cookies(rng: random.Random, person: Person, crowd: _Crowd) -> None:
    _use_clients(person, dict.fromkeys(person.clients, ""))


def _mistype(rng: random.Random, person: Person, crowd: _Crowd) -> None:
    """Two letters change places in one of the forms; sales mends the record."""
    for item in _with_email(person)[:1]:
        name, domain = item.email.split("@")
        at = rng.randrange(1, len(name) - 2)
        swapped = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        item.email = f"{swapped if swapped != name else name + name[-1]}@{domain}"


def _tag_the_address(rng: random.Random, person: Person, crowd: _Crowd) -> None:
    for item in _with_email(person):
        item.email = item.email.replace("@", "+solar@")


def _with_email(person: Person) -> list[Submission]:
    return [item for item in person.submissions if item.email]


def _use_phone(person: Person, phone: str) -> None:
    person.phone = phone
    for item in person.submissions:
        item.phone = phone if item.phone else ""


def _give_the_switchboard(rng: random.Random, person: Person, crowd: _Crowd) -> None:
    if not person.phone:
        return
    firm = 0
    if rng.random() >= _BIG_HOUSE:
        crowd.switchboards += 1
        firm = 1 + crowd.switchboards // _CALLERS
    _use_phone(person, f"{_SWITCHBOARDS}{firm % 1000:03d}")


def _give_the_role_mailbox(rng: random.Random, person: Person, crowd: _Crowd) -> None:
    """The form gets ``info@``; on the record sales puts the person's own address."""
    firm = 0
    if rng.random() >= _BIG_HOUSE:
        crowd.mailboxes += 1
        firm = 1 + crowd.mailboxes // _CALLERS
    for item in _with_email(person):
        item.email = f"info@house-{firm}.example"


def _borrow_a_device(rng: random.Random, person: Person, crowd: _Crowd) -> None:
    """At home one computer serves two who both ask."""
    other = crowd.earlier(lambda each: bool(each.submissions and each.clients[0]), 30)
    if other is not None:
        _use_clients(person, {person.clients[0]: other.clients[0]})


def _get_a_recycled_phone(rng: random.Random, person: Person, crowd: _Crowd) -> None:
    """The number was somebody else's some days ago."""
    other = crowd.earlier(lambda each: bool(each.phone), 400)
    if other is not None and person.phone:
        _use_phone(person, other.phone)


def _follow_a_forwarded_link(rng: random.Random, person: Person, crowd: _Crowd) -> None:
    """A colleague passes the ad's link on, click id and all."""
    other = crowd.earlier(
        lambda each: bool(
            each.source == person.source and each.touches and each.touches[0].click_id
        ),
        400,
    )
    if other is None or not person.touches or person.touches[0].source != other.touches[0].source:
        return
    passed_on, first = other.touches[0], person.touches[0]
    for item in person.submissions:
        if item.touch is first and item.query:
            item.query = passed_on.query
    first.query, first.referrer = passed_on.query, ""
    first.click_id, first.click_id_type = passed_on.click_id, passed_on.click_id_type


def _fill_in_at_the_fair(person: Person, crowd: _Crowd) -> None:
    for item in person.submissions:
        if item.at // DAY == FAIR_DAY:
            item.client_id = item.touch.client_id = crowd.tablet


_Trouble = Callable[[random.Random, Person, _Crowd], None]
_TROUBLES: tuple[tuple[float, _Trouble], ...] = (
    (NO_COOKIE, _refuse_cookies),
    (TYPO, _mistype),
    (PLUS_TAG, _tag_the_address),
    (SWITCHBOARD, _give_the_switchboard),
    (ROLE_MAILBOX, _give_the_role_mailbox),
    (FAMILY_DEVICE, _borrow_a_device),
    (RECYCLED_PHONE, _get_a_recycled_phone),
    (FORWARDED_LINK, _follow_a_forwarded_link),
)


def complicate_records(seed: int, book: Crm) -> None:
    """Records that come late, and chains of merges. Called before the future is forgotten."""
    deals = {deal.contact_id: deal for deal in book.deals}
    for lead in book.leads:
        person = lead.person
        if lead.is_before_world:
            continue
        rng = random.Random(f"{seed}:hard-crm:{person.number}")
        if rng.random() < LATE_SYNC and person.way == "form":
            late = rng.uniform(3.5, 7) * DAY
            for contact in person.contacts:
                _move(contact, late)
            if lead.crm_record_id in deals:
                deal = deals[lead.crm_record_id]
                deal.created_at, deal.closed_at = deal.created_at + late, deal.closed_at + late
            lead.created_at += late
        for twin in person.contacts[1:2]:
            if twin.merged_into and rng.random() < THIRD_RECORD:
                book.contacts.append(_third_record(rng, person, twin))


def _move(contact: CrmContact, seconds: float) -> None:
    contact.created_at += seconds
    contact.merged_at += seconds if contact.merged_into else 0
    contact.modified = [at + seconds for at in contact.modified]
    for change in (*contact.status, *contact.reason):
        change.at += seconds
    if contact.deleted_at is not None:
        contact.deleted_at += seconds


def _third_record(rng: random.Random, person: Person, twin: CrmContact) -> CrmContact:
    """Merged into the second record, before that one was merged into the first."""
    at = twin.created_at + rng.uniform(0.1, 0.4) * (twin.merged_at - twin.created_at)
    third = CrmContact(
        contact_id=str(int(twin.contact_id) + 1),
        person=person,
        created_at=at,
        email=f"{person.first_name}.{person.number}@example.net".lower(),
        phone="",
        properties={"hs_analytics_source": "DIRECT_TRAFFIC"},
        status=[Change(at, "NEW")],
        merged_into=twin.contact_id,
        merged_at=at + rng.uniform(0.1, 0.5) * (twin.merged_at - at),
    )
    person.contacts.append(third)
    return third
