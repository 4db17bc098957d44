"""Verdicts and judgements against the truth."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

from sandbox.world import World
from sandbox.world.company import SOURCES
from sandbox.world.sales import verdict_at
from tests.bench.truth_said import Campaign, Said

#: The campaign that brings buyers and the one that only looks cheap.
GOOD, BURNING = SOURCES["fleet"], SOURCES["instant"]
#: A two-sided interval of 90%.
_Z = 1.645


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
    """What sales has said of each lead that the CRM told of, by the build's moment.

    Of a record marked as the duplicate of another one that the person has, the other one speaks:
    such a mark is a merge that nobody carried out.
    """
    now = (said.as_of - world.clock.utc(0)).total_seconds()
    verdicts = {}
    for lead in world.leads:
        if ("record", lead.crm_record_id) in said.persons:
            first, *others = lead.person.contacts
            verdict = verdict_at(first, now)
            standing = [each for each in others if not each.merged_into]
            if verdict == "marked_duplicate" and standing:
                verdict = verdict_at(standing[0], now)
            verdicts[lead.crm_record_id] = verdict
    return verdicts


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
        return (
            self.said[good].high < self.said[burning].low
            and self.words.get(good) in ("scale", "keep")
            and self.words.get(burning) == "burning"
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
