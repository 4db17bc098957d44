"""Which things of the data belong to one human being, and which of that the data can tell at all.

A *thing* is what some source delivers: a CRM record, a submission, a recorded visit. A true link
is a pair of a CRM record and another thing of the same human being. Whether a link *can* be found
is decided here from the identifiers that the things carry, never from what the pipeline found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, count, product

import phonenumbers

from sandbox.world import World
from sandbox.world.model import CrmContact, Person, Submission

Token = tuple[str, str]
#: Why a true link cannot be found, or that it can.
LINKABLE, SHARED_WITH_OTHERS, NOTHING_SHARED = "linkable", "shared with others", "nothing shared"


@dataclass(frozen=True, slots=True)
class Thing:
    """What a source delivers of somebody.

    Attributes:
        kind: ``record``, ``submission`` or ``visit``.
        key: The CRM record's id, the submission's event key or the visit's id.
        client: The browser's id, empty where none is told.
        human: The number of the human being; below 0 for machines and for visitors who never
            tell who they are, each of whom is a stranger to all others.
        tokens: The identifiers it carries, in the one form that all spellings share.
    """

    kind: str
    key: str
    client: str
    human: int
    tokens: tuple[Token, ...]


def email_token(text: str) -> list[Token]:
    """Capitals and blanks do not matter; dots and plus tags do, as only the provider knows."""
    return [("email", text.strip().lower())] if text.strip() else []


def phone_token(text: str) -> list[Token]:
    if not text:
        return []
    number = phonenumbers.parse(text, "DE")
    return [("phone", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))]


def _record(contact: CrmContact, human: int) -> Thing:
    tokens: list[Token] = []
    if contact.merged_into:
        # All that HubSpot still tells of a record that was merged away.
        tokens.append(("record", contact.merged_into))
    else:
        tokens += [*email_token(contact.email), *phone_token(contact.phone)]
        told = contact.properties
        tokens += [("client", told["client_id"])] if told.get("client_id") else []
        for name in ("hs_google_click_id", "hs_facebook_click_id"):
            tokens += [("click", told[name])] if told.get(name) else []
    return Thing("record", contact.contact_id, "", human, (*tokens, ("record", contact.contact_id)))


def _submission_tokens(item: Submission) -> tuple[Token, ...]:
    tokens = [*email_token(item.email), *phone_token(item.phone)]
    tokens += [("client", item.client_id)] if item.client_id else []
    if item.query and item.touch.click_id:
        tokens.append(("click", item.touch.click_id))
    return tuple(tokens)


def things_of(world: World, told_records: Iterable[str]) -> list[Thing]:
    """Everything that was delivered, each with the human being behind it.

    Args:
        told_records: The CRM records that the CRM told at all: of those from before the world only
            the ones that changed during it.
    """
    things: list[Thing] = []
    told = set(told_records)
    # The world draws a new member of staff for every trial: one address is one of them.
    by_address: dict[str, int] = {}

    def same(person: Person) -> int:
        return by_address.setdefault(person.email, person.number)

    for contact in world.contacts:
        if contact.contact_id in told and contact.person is not None:
            things.append(_record(contact, same(contact.person)))
    deliveries = Counter(
        event.event_id for event in world.tag_events if event.observer == "site_tag"
    )
    strangers = count(-1, -1)
    visitor = {touch.touch_id: same(person) for person in world.persons for touch in person.touches}
    for item in world.submissions:
        human = next(strangers) if item.person is None else same(item.person)
        visitor[item.touch.touch_id] = human
        tokens = _submission_tokens(item)
        for copy in range(1, deliveries[item.event_id] + 1):
            key = f"{item.event_id}#{copy}"
            things.append(Thing("submission", key, item.client_id, human, tokens))
    for touch in world.touches:
        if touch.is_recorded:
            tokens = (("client", touch.client_id),) if touch.client_id else ()
            tokens += (("click", touch.click_id),) if touch.click_id else ()
            known = visitor.get(touch.touch_id)
            human = next(strangers) if known is None else known
            things.append(Thing("visit", touch.touch_id, touch.client_id, human, tokens))
    return things


class Evidence:
    """What the delivered identifiers can tell about who is who.

    Two things of one human being are linkable if a chain of that human being's own things leads
    from one to the other, each step by an identifier that nobody else bears.
    """

    def __init__(self, things: Sequence[Thing]) -> None:
        bearers: dict[Token, set[int]] = defaultdict(set)
        for thing in things:
            for token in thing.tokens:
                bearers[token].add(thing.human)
        # An identifier of two people tells neither of them.
        alone = {token for token, humans in bearers.items() if len(humans) == 1}
        per_human: dict[int, list[Thing]] = defaultdict(list)
        for thing in things:
            per_human[thing.human].append(thing)
        self.per_human = {
            human: own
            for human, own in per_human.items()
            if any(thing.kind == "record" for thing in own)
        }
        self._certain: dict[tuple[str, str], int] = {}
        self._any: dict[tuple[str, str], int] = {}
        for own in self.per_human.values():
            self._certain |= _groups(own, alone)
            self._any |= _groups(own, bearers)

    def of(self, one: Thing, other: Thing) -> str:
        """Whether the data tells that two things of one human being belong together."""
        a, b = (one.kind, one.key), (other.kind, other.key)
        if self._certain[a] == self._certain[b]:
            return LINKABLE
        return SHARED_WITH_OTHERS if self._any[a] == self._any[b] else NOTHING_SHARED


def _groups(things: Sequence[Thing], counted: Container[Token]) -> dict[tuple[str, str], int]:
    """A number for each thing; things joined by chains of counted identifiers share it."""
    group = list(range(len(things)))

    def first(index: int) -> int:
        while group[index] != index:
            group[index] = index = group[group[index]]
        return index

    seen: dict[Token, int] = {}
    for index, thing in enumerate(things):
        for token in thing.tokens:
            if token in counted:
                group[first(index)] = first(seen.setdefault(token, index))
    return {(thing.kind, thing.key): first(index) for index, thing in enumerate(things)}


@dataclass(slots=True)
class LinkScore:
    """Pairs of a CRM record and a submission, a visit or another record.

    Attributes:
        said: Pairs that the pipeline calls one person.
        said_right: Those of them that are.
        linkable: True pairs that the data can tell.
        found: Those of them that the pipeline calls one person.
        not_linkable: True pairs that the data cannot tell, by the reason.
    """

    said: int = 0
    said_right: int = 0
    linkable: int = 0
    found: int = 0
    not_linkable: Counter[str] = field(default_factory=Counter)

    @property
    def precision(self) -> float:
        return self.said_right / self.said if self.said else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.linkable if self.linkable else 1.0


def score_links(
    things: Sequence[Thing], evidence: Evidence, person_of: Callable[[Thing], str | None]
) -> dict[str, LinkScore]:
    """The score of each kind of link, and of ``all``.

    Args:
        person_of: The pipeline's person of a thing; None where it has none.
    """
    scores: dict[str, LinkScore] = defaultdict(LinkScore)
    per_person: dict[str, list[Thing]] = defaultdict(list)
    for thing in things:
        person = person_of(thing)
        if person is not None:
            per_person[person].append(thing)
    for group in per_person.values():
        for record, other in _pairs(group):
            for name in (other.kind, "all"):
                scores[name].said += 1
                scores[name].said_right += record.human == other.human
    for own in evidence.per_human.values():
        for record, other in _pairs(own):
            told = evidence.of(record, other)
            is_found = person_of(record) == person_of(other) is not None
            for name in (other.kind, "all"):
                if told == LINKABLE:
                    scores[name].linkable += 1
                    scores[name].found += is_found
                else:
                    scores[name].not_linkable[told] += 1
    return dict(scores)


def _pairs(things: Sequence[Thing]) -> Iterator[tuple[Thing, Thing]]:
    """Each record with each other thing; two records once."""
    records = [thing for thing in things if thing.kind == "record"]
    others = [thing for thing in things if thing.kind != "record"]
    yield from combinations(records, 2)
    yield from product(records, others)
