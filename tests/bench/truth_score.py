"""What the pipeline says of a world against what really happened in it.

Every score separates an error from what nobody can know: the data of one half of the score is what
the sources delivered, never what the pipeline made of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sandbox.world import World
from sandbox.world.company import SOURCES
from sandbox.world.model import Lead, Submission, Touch
from tests.bench.truth_links import LINKABLE, Evidence, LinkScore, Thing, score_links, things_of
from tests.bench.truth_said import Campaign, Said
from tests.bench.truth_verdicts import (
    JudgementScore,
    VerdictScore,
    score_judgements,
    score_verdicts,
)

#: The aims.
PRECISION, RECALL = 0.99, 0.97
CAUSE_SHARE, CAUSE_EVENTS = 0.02, 2
#: Of a lead whose first contact the data can tell.
TOLD = "told"

Things = Mapping[tuple[str, str], Thing]


def tells_campaign(touch: Touch, query: str, said: Said) -> bool:
    """Whether a landing address says which campaign was clicked.

    A channel without campaigns is told by its referrer or by the lack of any. An ad's click is
    told by Google's click report, which goes back 90 days, by an ad id or by a tag; ``gbraid`` and
    ``fbclid`` alone are in no report.
    """
    if not SOURCES[touch.source].platform:
        return query == touch.query
    return "utm_campaign=" in query or (touch.click_id in said.clicks and touch.click_id in query)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cause of one campaign."""

    campaign: Campaign
    cause: str
    true: int
    said: int
    observed: int

    @property
    def allowed(self) -> float:
        """2% of the campaign's events, or 2."""
        return max(CAUSE_EVENTS, CAUSE_SHARE * self.observed)

    @property
    def is_met(self) -> bool:
        return abs(self.said - self.true) <= self.allowed

    @property
    def difference(self) -> str:
        """In words."""
        return f"{self.said} not {self.true} (±{self.allowed:.0f})"

    def __str__(self) -> str:
        return f"{name_of(self.campaign)}, {self.cause}: {self.difference}"


def beyond(cells: Iterable[Cell]) -> list[Cell]:
    """Those that do not meet the aim."""
    return [cell for cell in cells if not cell.is_met]


@dataclass(frozen=True)
class CauseScore:
    """Causes of the macro events, each delivery one.

    Attributes:
        confused: How often a true cause was said to be another one.
        untold: Events whose campaign no address tells, by their true campaign; their causes count
            in ``right`` and ``confused``, not in ``cells``.
        unlinkable: Events of leads that the data cannot link to the lead's record, in the same
            way: such an event looks like one of a stranger's.
        cells: Per campaign and cause, over all events but the untold ones.
        knowable: The same without the unlinkable ones.
    """

    events: int
    right: int
    confused: Counter[tuple[str, str]]
    cells: list[Cell]
    knowable: list[Cell]
    untold: Counter[Campaign]
    unlinkable: Counter[Campaign]


@dataclass
class _Counts:
    """Events per campaign and cause, by the truth and as said."""

    true: Counter[tuple[Campaign, str]] = field(default_factory=Counter)
    said: Counter[tuple[Campaign, str]] = field(default_factory=Counter)
    observed: Counter[Campaign] = field(default_factory=Counter)

    def add(self, origin: Campaign, true_cause: str, said: tuple[str, Campaign]) -> None:
        cause, campaign = said
        self.observed[origin] += 1
        self.true[origin, true_cause] += 1
        self.said[campaign, cause] += 1

    def cells(self) -> list[Cell]:
        return [
            Cell(campaign, cause, self.true[key], self.said[key], self.observed[campaign])
            for key in sorted({*self.true, *self.said})
            for campaign, cause in (key,)
        ]


def score_causes(world: World, said: Said, evidence: Evidence, things: Things) -> CauseScore:
    """Every delivered macro row against its true cause, and the counts per campaign and cause.

    Raises:
        KeyError: if the pipeline has no row for a delivered event.
    """
    told, knowable = _Counts(), _Counts()
    untold: Counter[Campaign] = Counter()
    unlinkable: Counter[Campaign] = Counter()
    confused: Counter[tuple[str, str]] = Counter()
    delivered: Counter[str] = Counter()
    record_of = {
        lead.person.number: things["record", lead.crm_record_id]
        for lead in world.leads
        if ("record", lead.crm_record_id) in things
    }
    for event in world.tag_events:
        item = event.submission
        if event.observer != "site_tag" or item.event_name == "brochure":
            continue
        delivered[item.event_id] += 1
        key = f"{item.event_id}#{delivered[item.event_id]}"
        found = said.causes[key]
        if found[0] != event.true_cause:
            confused[event.true_cause, found[0]] += 1
        origin = Campaign.of(SOURCES[item.touch.source])
        if not _is_campaign_told(item, said):
            untold[origin] += 1
            continue
        told.add(origin, event.true_cause, found)
        record = record_of.get(item.person.number) if item.person else None
        if record and evidence.of(record, things["submission", key]) != LINKABLE:
            unlinkable[origin] += 1
        else:
            knowable.add(origin, event.true_cause, found)
    events = delivered.total()
    return CauseScore(
        events=events,
        right=events - confused.total(),
        confused=confused,
        cells=told.cells(),
        knowable=knowable.cells(),
        untold=untold,
        unlinkable=unlinkable,
    )


def _is_campaign_told(item: Submission, said: Said) -> bool:
    """By the form's own address, or by the visit that the same browser began with."""
    if tells_campaign(item.touch, item.query, said):
        return True
    return bool(item.client_id) and tells_campaign(item.touch, item.touch.query, said)


@dataclass
class CreditScore:
    """First-touch credits of the world's own leads.

    Attributes:
        leads: By whether the first contact can be known: ``told``, or why not.
        right: Leads among them whose whole credit stands at the truly first campaign.
        true: Leads per campaign, by the truth; first of those told, then of all.
        said: Credits per campaign, in the same two.
    """

    leads: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    true: dict[str, Counter[Campaign]] = field(
        default_factory=lambda: {"all": Counter(), TOLD: Counter()}
    )
    said: dict[str, dict[Campaign, float]] = field(default_factory=lambda: {"all": {}, TOLD: {}})

    def error(self, which: str) -> float:
        """Share of the credits that would have to move: half the summed differences."""
        campaigns = {*self.true[which], *self.said[which]}
        moved = sum(
            abs(self.true[which][each] - self.said[which].get(each, 0.0)) for each in campaigns
        )
        return moved / 2 / max(1, self.true[which].total())


def score_credits(world: World, said: Said, evidence: Evidence, things: Things) -> CreditScore:
    score = CreditScore()
    for lead in world.leads:
        if lead.is_before_world:
            continue
        origin = Campaign(lead.true_channel, lead.true_campaign)
        given = said.credits.get(lead.crm_record_id, [])
        why = _why_untold(lead, said, evidence, things)
        score.leads[why] += 1
        score.right[why] += sum(credit for campaign, credit in given if campaign == origin) > 0.999
        for which in ("all", TOLD) if why == TOLD else ("all",):
            score.true[which][origin] += 1
            for campaign, credit in given:
                before = score.said[which].get(campaign, 0.0)
                score.said[which][campaign] = before + credit
    return score


def _why_untold(lead: Lead, said: Said, evidence: Evidence, things: Things) -> str:
    """``told``, or why the data cannot say where the lead's first contact came from."""
    visits = lead.person.touches
    if not visits:
        return TOLD  # a call or a platform's own form: the CRM itself says it
    if not visits[0].is_recorded:
        return "first visit not recorded"
    record, visit = things["record", lead.crm_record_id], things["visit", visits[0].touch_id]
    linked = evidence.of(record, visit)
    if linked != LINKABLE:
        return f"first visit not linkable: {linked}"
    if not tells_campaign(visits[0], visits[0].query, said):
        return "address tells no campaign"
    return TOLD


@dataclass(frozen=True)
class TruthScore:
    """Everything of one world."""

    seed: int
    is_hard: bool
    events: int
    links: dict[str, LinkScore]
    causes: CauseScore
    credits: CreditScore
    verdicts: VerdictScore
    judgements: JudgementScore

    def unmet(self) -> list[str]:
        """The aims that are not met, in words."""
        link = self.links["all"]
        told: list[str] = []
        if link.precision < PRECISION:
            told.append(f"link precision {link.precision:.4f}")
        if link.recall < RECALL:
            told.append(f"link recall {link.recall:.4f}")
        told += [str(cell) for cell in beyond(self.causes.knowable)]
        if not self.judgements.is_told_apart:
            told.append("the good and the burning campaign are not told apart")
        return told


def score(world: World, said: Said, final_after_days: int) -> TruthScore:
    """Score one build of one world."""
    records: Iterable[str] = (key for kind, key in said.persons if kind == "record")
    things = things_of(world, records)
    evidence = Evidence(things)
    by_key = {(thing.kind, thing.key): thing for thing in things}
    return TruthScore(
        seed=world.seed,
        is_hard=world.is_hard,
        events=len(world.tag_events),
        links=score_links(things, evidence, lambda each: said.persons.get((each.kind, each.key))),
        causes=score_causes(world, said, evidence, by_key),
        credits=score_credits(world, said, evidence, by_key),
        verdicts=score_verdicts(world, said),
        judgements=score_judgements(world, said, final_after_days),
    )


def name_of(campaign: Campaign) -> str:
    """The campaign's name where the world has one, else its channel."""
    for source in SOURCES.values():
        if Campaign.of(source) == campaign:
            return source.campaign_name or source.channel
    return f"{campaign.channel} {campaign.campaign_id}"
