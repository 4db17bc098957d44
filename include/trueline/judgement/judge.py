"""One word per campaign: scale, keep, fix, burning or too early. Pure: counts in, word out.

The measure is the cost per qualified lead, beside that of all other paid campaigns of the profile
together, whatever their platform: money moves between platforms. Days ripen: a day whose verdicts
are half in has shown what half of its money bought, so both costs divide *mature* spend by the
qualified leads known so far. A word that moves money is said only where the two 90% intervals do
not even touch and the costs differ by more than the rulebook's ``change_from``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from trueline.rulebook.judgement import JudgementRules
from trueline.statistics.intervals import Interval, cost_interval

Word = Literal["scale", "keep", "fix", "burning", "too_early"]
Gap = Literal["cost_per_pixel_conversion", "pixel_to_real", "real_to_qualified"]
Reason = Literal[
    "spend_unknown",
    "no_history",
    "immature",
    "few_leads",
    "few_qualified_leads",
    "nothing_to_compare",
    "within_chance",
    "small_difference",
    "cheaper",
    "dearer",
    "cheap_claims_dear_leads",
]
_ZERO = Decimal(0)
# Waiting is no cause: it ends by itself.
_WAITING = frozenset({"awaiting_crm", "pending"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Sums of one campaign's judging window, or of several campaigns together.

    Attributes:
        spend: None where any part of it has no known rate.
        mature_spend: Spend whose qualified leads are expected to be known; None: no history.
        mature_leads: Real leads whose verdict is expected to be in; None: no history.
        spend_reported: Spend of the days that the platform claimed something for.
        decided_leads: Real leads with a verdict.
        pixel_to_real: Cause of gap one to count, positive where it takes away.
        real_to_qualified: Reason of gap two to count.
    """

    spend: Decimal | None = _ZERO
    mature_spend: Decimal | None = _ZERO
    spend_reported: Decimal | None = _ZERO
    pixel_conversions: Decimal = _ZERO
    real_leads: Decimal = _ZERO
    real_leads_reported: Decimal = _ZERO
    mature_leads: Decimal | None = _ZERO
    decided_leads: Decimal = _ZERO
    qualified_leads: Decimal = _ZERO
    pixel_to_real: Mapping[str, Decimal] = field(default_factory=dict)
    real_to_qualified: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def maturity(self) -> Decimal | None:
        """Share of the verdicts that is expected to be in; None where nothing is known of it."""
        return _ratio(self.mature_leads, self.real_leads)

    @property
    def cost_per_qualified_lead(self) -> Decimal | None:
        return _ratio(self.mature_spend, self.qualified_leads)

    @property
    def cost_per_pixel_conversion(self) -> Decimal | None:
        return _ratio(self.spend_reported, self.pixel_conversions)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The word, and everything that made it.

    Attributes:
        threshold: The figure that the reason compares with: a setting, or the others' nearer bound.
        cost, others_cost: Intervals of the cost per qualified lead.
        claim_cost, others_claim_cost: Intervals of the cost per pixel conversion.
        gap: Where a dear campaign loses most beside the others; None unless fix or burning.
        cause: The line of that gap that stands out most; None where none does.
    """

    word: Word
    reason: Reason
    threshold: Decimal | None = None
    cost: Interval | None = None
    others_cost: Interval | None = None
    claim_cost: Interval | None = None
    others_claim_cost: Interval | None = None
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
                "spend_reported",
                "pixel_conversions",
                "real_leads",
                "real_leads_reported",
                "mature_leads",
                "decided_leads",
                "qualified_leads",
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
        "cost": cost_interval(campaign.mature_spend, campaign.qualified_leads),
        "others_cost": cost_interval(others.mature_spend, others.qualified_leads),
        "claim_cost": cost_interval(campaign.spend_reported, campaign.pixel_conversions),
        "others_claim_cost": cost_interval(others.spend_reported, others.pixel_conversions),
    }

    def said(word: Word, reason: Reason, threshold: Decimal | int | None = None) -> Judgement:
        limit = None if threshold is None else Decimal(threshold)
        return Judgement(word, reason, limit, **costs)

    ripe = _ratio(campaign.mature_spend, campaign.spend)
    maturity = campaign.maturity if campaign.real_leads else ripe
    if maturity is None:
        return said("too_early", "no_history")
    if min(maturity, ripe or _ZERO) < rules.min_maturity:
        return said("too_early", "immature", rules.min_maturity)
    usual = others.cost_per_qualified_lead
    expected = campaign.mature_spend / usual if usual else _ZERO
    if campaign.decided_leads < rules.min_decided_leads and expected < rules.enough_expected:
        return said("too_early", "few_leads", rules.min_decided_leads)
    own, rest = costs["cost"], costs["others_cost"]
    if usual is None or own is None or rest is None:
        return said("keep", "nothing_to_compare")
    if others.qualified_leads < rules.min_qualified_leads:
        return said("keep", "nothing_to_compare", rules.min_qualified_leads)
    cost = campaign.cost_per_qualified_lead
    if own.is_below(rest):
        if campaign.qualified_leads < rules.min_qualified_leads:
            return said("too_early", "few_qualified_leads", rules.min_qualified_leads)
        if cost is None or cost > usual * (1 - rules.change_from):
            return said("keep", "small_difference", rules.change_from)
        return said("scale", "cheaper", rest.low)
    if own.is_above(rest):
        if cost is not None and cost < usual * (1 + rules.change_from):
            return said("keep", "small_difference", rules.change_from)
        return _dear(campaign, others, costs, rest.high)
    return said("keep", "within_chance")


def _dear(
    campaign: Evidence,
    others: Evidence,
    costs: Mapping[str, Interval | None],
    threshold: Decimal | None,
) -> Judgement:
    claim, others_claim = costs["claim_cost"], costs["others_claim_cost"]
    is_cheap = claim is not None and others_claim is not None and claim.is_below(others_claim)
    gap = _worst_gap(campaign, others)
    return Judgement(
        "burning" if is_cheap else "fix",
        "cheap_claims_dear_leads" if is_cheap else "dearer",
        threshold,
        **costs,
        gap=gap,
        cause=_worst_cause(campaign, others, gap),
    )


def _worst_gap(campaign: Evidence, others: Evidence) -> Gap:
    """Cost per qualified lead is claim cost × claims per lead × leads per qualified lead."""
    factors: dict[Gap, Decimal] = {}
    for gap, own, rest in (
        (
            "cost_per_pixel_conversion",
            campaign.cost_per_pixel_conversion,
            others.cost_per_pixel_conversion,
        ),
        ("pixel_to_real", *(_loss(*_first_step(each)) for each in (campaign, others))),
        ("real_to_qualified", *(_loss(*_second_step(each)) for each in (campaign, others))),
    ):
        factor = _ratio(own, rest)
        if factor is not None:
            factors[gap] = factor  # type: ignore[index]
    return max(factors, key=lambda gap: factors[gap], default="real_to_qualified")


def _first_step(evidence: Evidence) -> tuple[Decimal, Decimal]:
    return evidence.pixel_conversions, evidence.real_leads_reported


def _second_step(evidence: Evidence) -> tuple[Decimal, Decimal]:
    return evidence.decided_leads, evidence.qualified_leads


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
