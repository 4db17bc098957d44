"""One word per campaign: scale, keep, fix, burning or too early. Pure: counts in, word out.

The measure is the cost per qualified lead, beside that of all other paid campaigns of the profile
together, whatever their platform: money moves between platforms. Where that cannot tell them apart,
the cost per qualified opportunity may. Days ripen: a day whose verdicts are half in has shown what
half of its money bought, so costs divide *mature* spend by what is known so far. A word that moves
money is said only where the two 90% intervals do not even touch and the costs differ by at least
the rulebook's ``change_from``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from trueline.rulebook.judgement import JudgementRules
from trueline.statistics.intervals import Interval, cost_interval

Word = Literal["scale", "keep", "fix", "burning", "too_early"]
Measure = Literal[
    "cost_per_qualified_lead", "cost_per_qualified_opportunity", "cost_per_pixel_conversion"
]
Gap = Literal[
    "cost_per_pixel_conversion", "pixel_to_real", "real_to_qualified", "qualified_to_opportunity"
]
Reason = Literal[
    "spend_unknown",
    "no_history",
    "immature",
    "few_leads",
    "few_qualified_leads",
    "nothing_to_compare",
    "within_chance",
    "small_difference",
    "mixed",
    "cheaper",
    "cheaper_opportunities",
    "dearer",
    "dearer_opportunities",
    "cheap_claims_dear_leads",
]
_ZERO = Decimal(0)
# Waiting is no cause: it ends by itself.
_WAITING = frozenset({"awaiting_crm", "pending"})
# What each measure divides.
_PARTS: Mapping[Measure, tuple[str, str]] = {
    "cost_per_qualified_lead": ("mature_spend", "qualified_leads"),
    "cost_per_qualified_opportunity": ("opportunity_mature_spend", "qualified_opportunities"),
    "cost_per_pixel_conversion": ("spend_reported", "pixel_conversions"),
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Sums of one campaign's judging window, or of several campaigns together.

    Attributes:
        spend: None where any part of it has no known rate.
        mature_spend: Spend whose qualified leads are expected to be known; None: no history.
        opportunity_mature_spend: Spend whose qualified opportunities are expected to be known.
        spend_reported: Spend of the days that the platform claimed something for.
        mature_leads: Real leads whose verdict is expected to be in; None: no history.
        decided_leads: Real leads with a verdict.
        pixel_to_real: Cause of gap one to count, positive where it takes away.
        real_to_qualified: Reason of gap two to count.
    """

    spend: Decimal | None = _ZERO
    mature_spend: Decimal | None = _ZERO
    opportunity_mature_spend: Decimal | None = _ZERO
    spend_reported: Decimal | None = _ZERO
    pixel_conversions: Decimal = _ZERO
    real_leads: Decimal = _ZERO
    real_leads_reported: Decimal = _ZERO
    mature_leads: Decimal | None = _ZERO
    decided_leads: Decimal = _ZERO
    qualified_leads: Decimal = _ZERO
    qualified_opportunities: Decimal = _ZERO
    pixel_to_real: Mapping[str, Decimal] = field(default_factory=dict)
    real_to_qualified: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def maturity(self) -> Decimal | None:
        """Share of the verdicts that is expected to be in; None where nothing is known of it."""
        return _ratio(self.mature_leads, self.real_leads)

    def cost(self, measure: Measure) -> Decimal | None:
        amount, count = _PARTS[measure]
        return _ratio(getattr(self, amount), getattr(self, count))

    def interval(self, measure: Measure) -> Interval | None:
        """90% interval of the cost; None where it cannot be said."""
        amount, count = _PARTS[measure]
        return cost_interval(getattr(self, amount), getattr(self, count))


@dataclass(frozen=True, slots=True)
class Comparison:
    """One cost of a campaign and of the other paid campaigns together, with 90% intervals."""

    own: Decimal | None = None
    own_range: Interval | None = None
    others: Decimal | None = None
    others_range: Interval | None = None

    @property
    def side(self) -> Literal["cheaper", "dearer"] | None:
        """Where the intervals do not touch: on which side of the others the campaign is."""
        if self.own_range is None or self.others_range is None:
            return None
        if self.own_range.is_below(self.others_range):
            return "cheaper"
        return "dearer" if self.own_range.is_above(self.others_range) else None

    def side_from(self, change: Decimal) -> Literal["cheaper", "dearer"] | None:
        """``side``, where the costs also differ by at least ``change``."""
        if self.own is None or self.others is None:
            return self.side
        return self.side if abs(self.own / self.others - 1) >= change else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The word, and everything that made it.

    Attributes:
        threshold: The figure that the reason compares with: a setting, or the others' nearer bound.
        gap: Where a dear campaign loses most beside the others; None unless fix or burning.
        cause: The line of that gap that stands out most; None where none does.
    """

    word: Word
    reason: Reason
    threshold: Decimal | None = None
    costs: Mapping[Measure, Comparison] = field(default_factory=dict)
    gap: Gap | None = None
    cause: str | None = None


def together(evidence: Iterable[Evidence]) -> Evidence:
    """Sums over campaigns; those whose spend or maturity is unknown are left out."""
    known = [
        each for each in evidence if None not in (each.spend, each.mature_spend, each.mature_leads)
    ]
    return Evidence(
        **{
            name: sum((getattr(each, name) or _ZERO for each in known), _ZERO)
            for name in (
                "spend",
                "mature_spend",
                "opportunity_mature_spend",
                "spend_reported",
                "pixel_conversions",
                "real_leads",
                "real_leads_reported",
                "mature_leads",
                "decided_leads",
                "qualified_leads",
                "qualified_opportunities",
            )
        },
        pixel_to_real=_added(each.pixel_to_real for each in known),
        real_to_qualified=_added(each.real_to_qualified for each in known),
    )


def judge(campaign: Evidence, others: Evidence, rules: JudgementRules) -> Judgement:
    """The word on one paid campaign.

    Args:
        others: All other paid campaigns together.
    """
    if campaign.spend is None:
        return Judgement("too_early", "spend_unknown")
    if campaign.mature_spend is None:
        return Judgement("too_early", "no_history")
    costs = {
        measure: Comparison(
            campaign.cost(measure),
            campaign.interval(measure),
            others.cost(measure),
            others.interval(measure),
        )
        for measure in _PARTS
    }

    def said(word: Word, reason: Reason, threshold: Decimal | int | None = None) -> Judgement:
        limit = None if threshold is None else Decimal(threshold)
        return Judgement(word, reason, limit, costs)

    ripe = _ratio(campaign.mature_spend, campaign.spend) or _ZERO
    maturity = campaign.maturity
    if min(ripe, ripe if maturity is None else maturity) < rules.min_maturity:
        return said("too_early", "immature", rules.min_maturity)
    leads, opportunities = costs["cost_per_qualified_lead"], costs["cost_per_qualified_opportunity"]
    expected = campaign.mature_spend / leads.others if leads.others else _ZERO
    if campaign.decided_leads < rules.min_decided_leads and expected < rules.enough_expected:
        return said("too_early", "few_leads", rules.min_decided_leads)
    if others.qualified_leads < rules.min_qualified_leads:
        return said("keep", "nothing_to_compare", rules.min_qualified_leads)
    by_lead = leads.side_from(rules.change_from)
    by_opportunity = _opportunity_side(campaign, others, opportunities, rules)
    if by_lead and by_opportunity and by_lead != by_opportunity:
        return said("keep", "mixed")
    if by_lead == "cheaper":
        if campaign.qualified_leads < rules.min_qualified_leads:
            return said("too_early", "few_qualified_leads", rules.min_qualified_leads)
        return said("scale", "cheaper", leads.others_range.low if leads.others_range else None)
    if by_lead == "dearer":
        return _dear(campaign, others, costs)
    bounds = opportunities.others_range
    if by_opportunity == "cheaper":
        return said("scale", "cheaper_opportunities", bounds.low if bounds else None)
    if by_opportunity == "dearer":
        return Judgement(
            "fix",
            "dearer_opportunities",
            bounds.high if bounds else None,
            costs,
            gap="qualified_to_opportunity",
        )
    if leads.side:
        return said("keep", "small_difference", rules.change_from)
    return said("keep", "within_chance")


def _opportunity_side(
    campaign: Evidence, others: Evidence, costs: Comparison, rules: JudgementRules
) -> Literal["cheaper", "dearer"] | None:
    """As by qualified leads, where there are opportunities enough to measure by."""
    if others.qualified_opportunities < rules.min_qualified_leads:
        return None
    side = costs.side_from(rules.change_from)
    if side == "cheaper" and campaign.qualified_opportunities < rules.min_qualified_leads:
        return None
    return side


def _dear(campaign: Evidence, others: Evidence, costs: Mapping[Measure, Comparison]) -> Judgement:
    is_cheap = costs["cost_per_pixel_conversion"].side == "cheaper"
    bounds = costs["cost_per_qualified_lead"].others_range
    gap = _worst_gap(campaign, others)
    return Judgement(
        "burning" if is_cheap else "fix",
        "cheap_claims_dear_leads" if is_cheap else "dearer",
        bounds.high if bounds else None,
        costs,
        gap=gap,
        cause=_worst_cause(campaign, others, gap),
    )


def _worst_gap(campaign: Evidence, others: Evidence) -> Gap:
    """Cost per qualified lead is claim cost × claims per lead × leads per qualified lead."""
    own, rest = _losses(campaign), _losses(others)
    factors = {gap: factor for gap in own if (factor := _ratio(own[gap], rest[gap]))}
    return max(factors, key=lambda gap: factors[gap], default="real_to_qualified")


def _losses(evidence: Evidence) -> dict[Gap, Decimal | None]:
    return {
        "cost_per_pixel_conversion": evidence.cost("cost_per_pixel_conversion"),
        "pixel_to_real": _loss(evidence.pixel_conversions, evidence.real_leads_reported),
        "real_to_qualified": _loss(evidence.decided_leads, evidence.qualified_leads),
    }


def _loss(before: Decimal, after: Decimal) -> Decimal | None:
    """How many go in for one that comes out; as if one had come out where none did."""
    return _ratio(before, max(after, Decimal(1))) if before else None


def _worst_cause(campaign: Evidence, others: Evidence, gap: Gap) -> str | None:
    """The line that takes most beyond what it takes from the others, per unit that goes in."""
    if gap == "cost_per_pixel_conversion":
        return None
    name, base = (
        ("pixel_to_real", "pixel_conversions")
        if gap == "pixel_to_real"
        else ("real_to_qualified", "real_leads")
    )
    own, rest = getattr(campaign, base), getattr(others, base)
    if not own or not rest:
        return None
    excess = {
        cause: count / own - getattr(others, name).get(cause, _ZERO) / rest
        for cause, count in getattr(campaign, name).items()
        if cause not in _WAITING
    }
    cause = max(excess, key=lambda each: excess[each], default=None)
    return cause if cause is not None and excess[cause] > 0 else None


def _added(causes: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for each in causes:
        for cause, count in each.items():
            total[cause] = total.get(cause, _ZERO) + count
    return total


def _ratio(numerator: Decimal | None, denominator: Decimal | None) -> Decimal | None:
    return numerator / denominator if numerator is not None and denominator else None
