"""What the pipeline says of a world against what really happened in it.

Every score separates an error from what nobody can know: the data of one half of the score is what
the sources delivered, never what the pipeline made of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sandbox.world import World
from sandbox.world.company import SOURCES
from sandbox.world.model import Lead, Submission, Touch
from sandbox.world.sales import verdict_at
from tests.bench.truth_links import LINKABLE, Evidence, LinkScore, Thing, score_links, things_of
from tests.bench.truth_said import Campaign, Said

#: The aims.
PRECISION, RECALL = 0.99, 0.97
CAUSE_SHARE, CAUSE_EVENTS = 0.02, 2
#: The campaign that brings buyers and the one that only looks cheap.
GOOD, BURNING = SOURCES["fleet"], SOURCES["instant"]
#: Of a lead whose first contact the data can tell.
TOLD = "told"
#: A two-sided interval of 90%.
_Z = 1.645


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

    def __str__(self) -> str:
        name = name_of(self.campaign)
        return f"{name} {self.cause}: said {self.said}, true {self.true}, ±{self.allowed:.0f}"


@dataclass(frozen=True)
class CauseScore:
    """Causes of the macro events, each delivery one.

    Attributes:
        confused: How often a true cause was said to be another one.
        untold: Events whose campaign no address tells, by their true campaign; their causes count
            in ``right`` and ``confused``, not in ``cells``.
    """

    events: int
    right: int
    confused: Counter[tuple[str, str]]
    cells: list[Cell]
    untold: Counter[Campaign]

    @property
    def beyond(self) -> list[Cell]:
        return [cell for cell in self.cells if not cell.is_met]


def score_causes(world: World, said: Said) -> CauseScore:
    """Every delivered macro row against its true cause, and the counts per campaign and cause.

    Raises:
        KeyError: if the pipeline has no row for a delivered event.
    """
    true_cells: Counter[tuple[Campaign, str]] = Counter()
    said_cells: Counter[tuple[Campaign, str]] = Counter()
    observed: Counter[Campaign] = Counter()
    untold: Counter[Campaign] = Counter()
    confused: Counter[tuple[str, str]] = Counter()
    delivered: Counter[str] = Counter()
    right = 0
    for event in world.tag_events:
        item = event.submission
        if event.observer != "site_tag" or item.event_name == "brochure":
            continue
        delivered[item.event_id] += 1
        cause, campaign = said.causes[f"{item.event_id}#{delivered[item.event_id]}"]
        right += cause == event.true_cause
        if cause != event.true_cause:
            confused[event.true_cause, cause] += 1
        origin = Campaign.of(SOURCES[item.touch.source])
        if _is_campaign_told(item, said):
            observed[origin] += 1
            true_cells[origin, event.true_cause] += 1
            said_cells[campaign, cause] += 1
        else:
            untold[origin] += 1
    cells = [
        Cell(campaign, cause, true_cells[key], said_cells[key], observed[campaign])
        for key in sorted({*true_cells, *said_cells})
        for campaign, cause in (key,)
    ]
    return CauseScore(delivered.total(), right, confused, cells, untold)


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


def score_credits(
    world: World, said: Said, evidence: Evidence, things: Mapping[tuple[str, str], Thing]
) -> CreditScore:
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


def _why_untold(
    lead: Lead, said: Said, evidence: Evidence, things: Mapping[tuple[str, str], Thing]
) -> str:
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


@dataclass
class VerdictScore:
    """Verdicts at the build's moment, leads from before the world included.

    Attributes:
        missing: Leads that the pipeline does not have, being glued to another's.
        confused: True verdict and the one said.
    """

    leads: int = 0
    right: int = 0
    missing: int = 0
    extra: int = 0
    confused: Counter[tuple[str, str]] = field(default_factory=Counter)


def score_verdicts(world: World, said: Said) -> VerdictScore:
    score = VerdictScore()
    true = true_verdicts(world, said)
    for record_id, verdict in true.items():
        score.leads += 1
        found = said.verdicts.get(record_id)
        score.missing += found is None
        score.right += found == verdict
        if found not in (None, verdict):
            score.confused[verdict, found] += 1
    score.extra = len(said.verdicts.keys() - true.keys())
    return score


def true_verdicts(world: World, said: Said) -> dict[str, str]:
    """What sales has said of each lead that the CRM told of, by the build's moment."""
    now = (said.as_of - world.clock.utc(0)).total_seconds()
    contacts = {contact.contact_id: contact for contact in world.contacts}
    return {
        lead.crm_record_id: verdict_at(contacts[lead.crm_record_id], now)
        for lead in world.leads
        if ("record", lead.crm_record_id) in said.persons
    }


@dataclass(frozen=True)
class CostOfQualified:
    """Cost per qualified lead of a campaign's mature cohorts, with its 90% interval."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, spend: float, leads: float, qualified: float) -> CostOfQualified:
        """By the Wilson interval of the qualified share.

        Raises:
            ZeroDivisionError: without leads or qualified ones, of which a world of mature cohorts
                has some.
        """
        share = qualified / leads
        middle = share + _Z**2 / (2 * leads)
        spread = _Z * (share * (1 - share) / leads + _Z**2 / (4 * leads**2)) ** 0.5
        low, high = ((middle + sign * spread) / (1 + _Z**2 / leads) for sign in (-1, 1))
        return cls(spend / (high * leads), spend / qualified, spend / (low * leads))


@dataclass(frozen=True)
class JudgementScore:
    """Whether the good and the burning campaign are told apart, as said and in truth."""

    said: dict[Campaign, CostOfQualified]
    true: dict[Campaign, CostOfQualified]
    words: dict[Campaign, str]

    @property
    def is_told_apart(self) -> bool:
        good, burning = Campaign.of(GOOD), Campaign.of(BURNING)
        apart = self.said[good].high < self.said[burning].low
        words = (self.words.get(good), self.words.get(burning))
        return apart and (
            not self.words or (words[0] in ("scale", "keep") and words[1] == "burning")
        )


def score_judgements(world: World, said: Said, final_after_days: int) -> JudgementScore:
    """From the cohorts old enough that every lead of theirs has its last verdict."""
    last = said.as_of.date() - timedelta(days=final_after_days + 1)
    campaigns = [Campaign.of(GOOD), Campaign.of(BURNING)]
    spend: dict[Campaign, float] = defaultdict(float)
    for (campaign, day), amount in said.costs.items():
        spend[campaign] += amount if day <= last else 0
    said_counts = {each: [0.0, 0.0] for each in campaigns}
    for record_id, credits in said.credits.items():
        for campaign, credit in credits:
            if campaign in said_counts and said.lead_days[record_id] <= last:
                said_counts[campaign][0] += credit
                said_counts[campaign][1] += credit * (said.verdicts[record_id] == "qualified")
    true_counts = {each: [0.0, 0.0] for each in campaigns}
    verdicts = true_verdicts(world, said)
    for lead in world.leads:
        origin = Campaign(lead.true_channel, lead.true_campaign)
        is_mature = world.clock.local(lead.created_at).date() <= last
        if origin in true_counts and is_mature and not lead.is_before_world:
            true_counts[origin][0] += 1
            true_counts[origin][1] += verdicts[lead.crm_record_id] == "qualified"
    return JudgementScore(
        {each: CostOfQualified.of(spend[each], *said_counts[each]) for each in campaigns},
        {each: CostOfQualified.of(spend[each], *true_counts[each]) for each in campaigns},
        {each: said.judgements[each] for each in campaigns if each in said.judgements},
    )


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
        told += [str(cell) for cell in self.causes.beyond]
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
        causes=score_causes(world, said),
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
