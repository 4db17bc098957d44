"""The section ``judgement`` of qualification.yaml: how much must be known before a word is said."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from trueline.settings.yaml_lines import Strict

Share = Annotated[Decimal, Field(ge=0, le=1)]


class HealthRules(Strict):
    """When a sign of a volume-optimised funnel shows.

    Attributes:
        period_days: Two periods of this length are compared.
        mature_from: Both lie where at least this share of verdicts is expected to be in.
        change_from: A smaller relative change is never a sign, however certain it is.
    """

    period_days: int = Field(default=28, ge=7, le=92)
    mature_from: Share = Decimal("0.9")
    change_from: Share = Decimal("0.1")
    silent_days: int = Field(default=14, ge=3, le=92)
    undeclared_from: Share = Decimal("0.8")


class JudgementRules(Strict):
    """How campaigns are judged.

    Attributes:
        window_days: Reporting days before ``as_of`` that a judgement looks at.
        history_days: Days of final leads that the curves are made of.
        curve_from_leads: A channel with fewer final leads takes the curve of all channels.
        curve_from_qualified: The same for curves of qualified leads.
        close_after_days: How long after its verdict a qualified lead may still become a customer.
        min_maturity: Below it a campaign is too early.
        min_decided_leads: Below it a campaign is too early, unless its spend says enough.
        enough_expected: Spend says enough if it brings this many qualified leads elsewhere.
        min_qualified_leads: Below it no campaign is scaled, and none is a measure for others.
        change_from: Costs that differ by less are alike, however certain the difference is.
        prior_weight: Customers (and qualified leads) that the account's rate counts for beside a
            campaign's own.
    """

    window_days: int = Field(default=90, ge=14, le=730)
    history_days: int = Field(default=180, ge=28, le=1095)
    curve_from_leads: int = Field(default=50, ge=10, le=10_000)
    curve_from_qualified: int = Field(default=20, ge=5, le=10_000)
    close_after_days: int = Field(default=60, ge=1, le=730)
    min_maturity: Share = Decimal("0.5")
    min_decided_leads: int = Field(default=20, ge=1, le=10_000)
    enough_expected: int = Field(default=10, ge=5, le=10_000)
    min_qualified_leads: int = Field(default=5, ge=1, le=10_000)
    change_from: Share = Decimal("0.2")
    prior_weight: int = Field(default=10, ge=1, le=1000)
    health: HealthRules = HealthRules()
