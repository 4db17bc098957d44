"""The things a world is made of.

Every ``*_at`` here is *world time*: seconds of local wall clock since midnight of the world's first
day, as a float. :class:`sandbox.world.clock.WorldClock` turns it into real moments. So nothing in
the generator depends on the calendar.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@dataclass(slots=True)
class Touch:
    """One visit or ad click of a browser.

    Attributes:
        source: Key into ``company.SOURCES``: which campaign or channel really brought it.
        query: The landing URL's query string: click ids, UTM, as they arrived.
        is_recorded: False where a blocker or a refused consent kept our tag from seeing it.
    """

    touch_id: str
    at: float
    source: str
    client_id: str
    page_path: str
    query: str
    referrer: str
    click_id: str
    click_id_type: str
    is_recorded: bool
    is_bounce: bool


@dataclass(slots=True, eq=False)
class Person:
    """One human being, with the devices they used and the records sales keeps of them.

    Attributes:
        source: Where the first contact really came from, a key into ``company.SOURCES``.
        way: How they reach sales: ``form`` on the site, ``native`` (the platform's own form),
            ``phone``, ``known`` for those sales had before the world, ``none`` for people
            who never become known.
        contacted_at: When they first reached out.
        is_invented: True for fake entries.
    """

    number: int
    source: str
    first_name: str
    last_name: str
    email: str
    phone: str
    company: str
    clients: tuple[str, ...]
    ip: str
    user_agent: str
    touches: list[Touch] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)
    contacts: list[CrmContact] = field(default_factory=list)
    way: str = "none"
    contacted_at: float = 0.0
    is_invented: bool = False


@dataclass(slots=True, eq=False)
class Submission:
    """One real press of a submit button; observers may see it never, once or several times.

    Attributes:
        kind: ``person``, ``bot`` or ``staff``.
        is_double: True where the same person pressed again within minutes.
        is_observed: False where neither our tag nor the server log saw it.
        reaches_crm: False where the form was lost or thrown away on its way to the CRM.
        true_cause: Why it did or did not become a lead, as the rulebook's words say.
    """

    event_id: str
    at: float
    event_name: str
    kind: str
    person: Person | None = field(repr=False)
    touch: Touch
    client_id: str
    email: str
    phone: str
    ip: str
    user_agent: str
    page_path: str
    form_id: str
    query: str
    is_test: bool = False
    is_double: bool = False
    is_observed: bool = True
    reaches_crm: bool = True
    true_cause: str = ""


@dataclass(slots=True)
class TagEvent:
    """One delivered row of the tag's or the server log's files.

    Attributes:
        is_copy: True for the second observer's row of a submission that another row tells too.
        true_cause: The cause of this row; a copy carries the cause of its submission.
    """

    observer: str
    at: float
    submission: Submission
    is_copy: bool
    true_cause: str

    @property
    def event_id(self) -> str:
        """The submission's id, the same for every observer."""
        return self.submission.event_id


@dataclass(slots=True)
class Change:
    """One value of one CRM property from ``at`` on."""

    at: float
    value: str


@dataclass(slots=True, eq=False)
class CrmContact:
    """One CRM record with the histories the CRM keeps.

    Attributes:
        merged_into: The surviving record's id from ``merged_at`` on.
        modified: Moments at which the record changed, beside the two histories.
    """

    contact_id: str
    person: Person | None = field(repr=False)
    created_at: float
    email: str
    phone: str
    properties: dict[str, str]
    status: list[Change] = field(default_factory=list)
    reason: list[Change] = field(default_factory=list)
    attempts: int = 0
    is_test: bool = False
    merged_into: str = ""
    merged_at: float = 0.0
    deleted_at: float | None = None
    modified: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Deal:
    """One deal. ``outcome`` is ``open``, ``won`` or ``lost``; it holds from ``closed_at`` on."""

    deal_id: str
    contact_id: str
    name: str
    amount: str
    created_at: float
    closed_at: float
    outcome: str


@dataclass(slots=True)
class Lead:
    """The truth about one real lead.

    Attributes:
        true_channel: The channel of the person's first touch.
        true_campaign: Its campaign id, or ``(none)``.
        true_verdict: What sales says in the end: ``qualified``, a disqualifying reason, or
            ``undecided`` where they never say.
        verdict_now: The same at the world's clock: ``pending`` where they have not said it yet.
        making_event_id: The submission that made the lead, empty where no observer saw it.
    """

    crm_record_id: str
    person: Person
    created_at: float
    true_source: str
    true_channel: str
    true_campaign: str
    true_verdict: str
    verdict_now: str
    making_event_id: str = ""
    is_before_world: bool = False
    has_deal: bool = False
    is_customer: bool = False
