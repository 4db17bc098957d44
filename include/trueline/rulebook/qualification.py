"""config/rulebook/qualification.yaml: when a real lead is qualified, and why it is not."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from trueline.rulebook.attribution import LowerText
from trueline.rulebook.judgement import JudgementRules
from trueline.settings.yaml_lines import SettingError, Strict

Criterion = Literal["fit", "budget", "authority", "need", "timing", "interest", "intent"]
Reason = Literal[
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
    "undecided",
    "other_reason",
]
LeadType = Literal["mql", "sql", "pql", "service_qualified"]
CRITERIA: tuple[str, ...] = Criterion.__args__  # type: ignore[attr-defined]
REASONS: tuple[str, ...] = Reason.__args__  # type: ignore[attr-defined]
# NUMERIC has nine decimals: a rule with more would be another rule in the warehouse.
Share = Annotated[Decimal, Field(ge=0, le=1, decimal_places=9)]


class StageVerdict(Strict):
    """What a CRM stage says of a lead. Absent crm or stage_reason = any.

    ``contact``: whether somebody spoke, or tried to speak, with the person by setting it.
    """

    crm: str | None = None
    stage: str
    stage_reason: LowerText | None = None
    verdict: Literal["qualified", "disqualified", "pending"]
    reason: Reason | None = None
    contact: bool = True

    @model_validator(mode="after")
    def _disqualified_needs_a_reason(self) -> StageVerdict:
        if (self.verdict == "disqualified") != (self.reason is not None):
            raise SettingError("reason belongs to verdict: disqualified, and only to it", "verdict")
        return self


class HardDisqualifier(Strict):
    """A criterion score below this disqualifies, whatever else is high."""

    criterion: Criterion
    below: Share
    reason: Reason


class Override(Strict):
    """A criterion that is high enough lets another one be missing or low."""

    criterion: Criterion
    at_least: Share
    outweighs: Criterion


class Score(Strict):
    """The lead-level score: weighted mean of the declared criteria.

    ``disqualified_below``: absent = a score only qualifies and never disqualifies.
    """

    weights: dict[Criterion, Annotated[Decimal, Field(gt=0, le=1, decimal_places=9)]]
    min_coverage: Share
    qualified_from: Share
    disqualified_below: Share | None = None
    hot_from: Share
    warm_from: Share

    @model_validator(mode="after")
    def _bands_in_order(self) -> Score:
        if self.warm_from > self.hot_from:
            raise SettingError("it must not be above hot_from", "warm_from")
        if (self.disqualified_below or 0) > self.qualified_from:
            raise SettingError("it must not be above qualified_from", "disqualified_below")
        if sum(self.weights.values(), Decimal()) != 1:
            raise SettingError(
                f"they sum to {sum(self.weights.values(), Decimal())}; make it exactly 1", "weights"
            )
        return self


class LeadTypeRule(Strict):
    """What makes a lead an MQL, SQL, PQL or service-qualified: a stage it ever had, or a word that
    the CRM declares. Absent crm = any."""

    crm: str | None = None
    stage: str | None = None
    declared: LowerText | None = None
    lead_type: LeadType

    @model_validator(mode="after")
    def _one_condition(self) -> LeadTypeRule:
        if (self.stage is None) == (self.declared is None):
            raise SettingError("name either a stage or a declared word", "lead_type")
        return self


DECLARED_LEAD_TYPES = tuple(
    LeadTypeRule(declared=word, lead_type=word)
    for word in ("sql", "service_qualified", "pql", "mql")
)
REASON_OF_CRITERION: dict[str, str] = {
    "fit": "not_fit",
    "budget": "no_budget",
    "authority": "no_authority",
    "need": "no_need",
    "timing": "no_timing",
    "interest": "no_intent",
    "intent": "no_intent",
}


class Upload(Strict):
    """When a qualified lead may be sent back."""

    click_window_days: int = Field(default=90, ge=1, le=90)
    unknown_consent: Literal["withhold", "send"] = "withhold"


class QualificationRules(Strict):
    """The whole file."""

    label: str = Field(min_length=1, max_length=80)
    stage_verdicts: tuple[StageVerdict, ...] = Field(min_length=1)
    hard_disqualifiers: tuple[HardDisqualifier, ...] = ()
    overrides: tuple[Override, ...] = ()
    score: Score
    criterion_reasons: dict[Criterion, Reason] = Field(
        default_factory=lambda: dict(REASON_OF_CRITERION)  # type: ignore[arg-type]
    )
    reason_order: tuple[Reason, ...] = REASONS  # type: ignore[assignment]
    lead_types: tuple[LeadTypeRule, ...] = DECLARED_LEAD_TYPES
    final_after_days: int = Field(default=60, ge=1, le=730)
    upload: Upload = Upload()
    judgement: JudgementRules = JudgementRules()

    @model_validator(mode="after")
    def _every_reason_has_a_place(self) -> QualificationRules:
        if sorted(self.reason_order) != sorted(REASONS):
            raise SettingError(f"it must hold each of {', '.join(REASONS)} once", "reason_order")
        if sorted(self.criterion_reasons) != sorted(CRITERIA):
            raise SettingError(
                f"it must name a reason for each of {', '.join(CRITERIA)}", "criterion_reasons"
            )
        return self

    @model_validator(mode="after")
    def _no_rule_stands_twice(self) -> QualificationRules:
        _refuse_twice(
            "stage_verdicts",
            ((rule.crm, rule.stage, rule.stage_reason) for rule in self.stage_verdicts),
            "crm, stage and stage_reason",
        )
        _refuse_twice(
            "hard_disqualifiers",
            (rule.criterion for rule in self.hard_disqualifiers),
            "criterion",
        )
        _refuse_twice(
            "overrides",
            ((rule.criterion, rule.outweighs) for rule in self.overrides),
            "criterion and outweighs",
        )
        _refuse_twice(
            "lead_types",
            ((rule.crm, rule.stage, rule.declared) for rule in self.lead_types),
            "crm and condition",
        )
        return self

    @model_validator(mode="after")
    def _overrides_fit_the_score(self) -> QualificationRules:
        for index, rule in enumerate(self.overrides):
            if rule.outweighs == rule.criterion:
                raise SettingError(
                    "a criterion cannot outweigh itself", "overrides", index, "outweighs"
                )
            if rule.outweighs not in self.score.weights:
                raise SettingError(
                    f"{rule.outweighs} has no weight in the score, so nothing is to be outweighed",
                    "overrides",
                    index,
                    "outweighs",
                )
            # What is high is then never low itself, so overrides cannot go round in circles, and
            # a higher score of any criterion never takes a qualification away.
            if rule.at_least < self.score.qualified_from:
                raise SettingError(
                    f"it must not be below qualified_from ({self.score.qualified_from})",
                    "overrides",
                    index,
                    "at_least",
                )
        return self


def _refuse_twice(setting: str, keys: Iterable[Hashable], what: str) -> None:
    seen: set[Hashable] = set()
    for index, key in enumerate(keys):
        if key in seen:
            raise SettingError(
                f"an entry above has the same {what}; keep one of the two", setting, index
            )
        seen.add(key)
