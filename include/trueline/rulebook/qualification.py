"""config/rulebook/qualification.yaml: when a real lead is qualified, and why it is not."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

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
REASONS: tuple[str, ...] = Reason.__args__  # type: ignore[attr-defined]
Share = Annotated[Decimal, Field(ge=0, le=1)]


class StageVerdict(Strict):
    """What a CRM stage says of a lead. Absent crm or stage_reason = any."""

    crm: str | None = None
    stage: str
    stage_reason: str | None = None
    verdict: Literal["qualified", "disqualified", "pending"]
    reason: Reason | None = None

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


class Score(Strict):
    """The lead-level score: weighted mean of the declared criteria."""

    weights: dict[Criterion, Annotated[Decimal, Field(gt=0, le=100)]]
    min_coverage: Share
    qualified_from: Share
    hot_from: Share
    warm_from: Share
    intent_overrides_budget_from: Share

    @model_validator(mode="after")
    def _bands_in_order(self) -> Score:
        if self.warm_from > self.hot_from:
            raise SettingError("it must not be above hot_from", "warm_from")
        if sum(self.weights.values(), Decimal()) != 1:
            raise SettingError(
                f"they sum to {sum(self.weights.values(), Decimal())}; make it exactly 1", "weights"
            )
        return self


class Upload(Strict):
    """When a qualified lead may be sent back."""

    click_window_days: int = Field(default=90, ge=1, le=90)
    unknown_consent: Literal["withhold", "send"] = "withhold"


class QualificationRules(Strict):
    """The whole file."""

    label: str = Field(min_length=1, max_length=80)
    stage_verdicts: tuple[StageVerdict, ...] = Field(min_length=1)
    hard_disqualifiers: tuple[HardDisqualifier, ...] = ()
    score: Score
    reason_order: tuple[Reason, ...] = REASONS  # type: ignore[assignment]
    final_after_days: int = Field(default=60, ge=1, le=730)
    upload: Upload = Upload()
    judgement: JudgementRules = JudgementRules()

    @model_validator(mode="after")
    def _every_reason_has_a_place(self) -> QualificationRules:
        if sorted(self.reason_order) != sorted(REASONS):
            raise SettingError(f"it must hold each of {', '.join(REASONS)} once", "reason_order")
        return self
