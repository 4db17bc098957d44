"""The word on a campaign: what it takes, and that noise is never enough."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueline.judgement.judge import Evidence, judge, together
from trueline.rulebook.judgement import JudgementRules

RULES = JudgementRules()


def campaign(
    spend: float,
    *,
    leads: float,
    qualified: float,
    pixel: float = 200,
    opportunities: float | None = None,
    ripe: str = "0.9",
    **more: object,
) -> Evidence:
    """A campaign whose every day is as ripe as the others."""
    amount, share = Decimal(str(spend)), Decimal(ripe)
    real = Decimal(str(leads))
    return replace(
        Evidence(
            spend=amount,
            mature_spend=amount * share,
            opportunity_mature_spend=amount * share,
            spend_reported=amount,
            pixel_conversions=Decimal(str(pixel)),
            real_leads=real,
            real_leads_reported=real,
            mature_leads=real * share,
            decided_leads=real * share,
            qualified_leads=Decimal(str(qualified)),
            qualified_opportunities=Decimal(
                str(qualified / 2 if opportunities is None else opportunities)
            ),
            pixel_to_real={"bot": Decimal(20), "no_crm_record": Decimal(10)},
            real_to_qualified={"spam": Decimal(5), "not_fit": Decimal(10), "pending": Decimal(9)},
        ),
        **more,
    )


# EUR 450 of mature spend per qualified lead.
OTHERS = campaign(100_000, leads=800, qualified=200, pixel=1500)


def test_cheap_claims_and_dear_qualified_leads_are_burning() -> None:
    burning = campaign(
        30_000,
        leads=300,
        qualified=8,
        pixel=1500,
        real_to_qualified={"spam": Decimal(120), "not_fit": Decimal(40)},
    )
    said = judge(burning, OTHERS, RULES)
    assert (said.word, said.reason) == ("burning", "cheap_claims_dear_leads")
    assert (said.gap, said.cause) == ("real_to_qualified", "spam")
    assert said.threshold == said.costs["cost_per_qualified_lead"].others_range.high


def test_dear_leads_behind_dear_claims_are_to_fix() -> None:
    said = judge(campaign(30_000, leads=80, qualified=20, pixel=90), OTHERS, RULES)
    assert (said.word, said.gap, said.cause) == ("fix", "cost_per_pixel_conversion", None)


def test_a_form_that_bots_fill_loses_before_the_real_lead() -> None:
    bots = campaign(30_000, leads=90, qualified=20, pixel=450, pixel_to_real={"bot": Decimal(250)})
    said = judge(bots, OTHERS, RULES)
    assert (said.word, said.gap, said.cause) == ("fix", "pixel_to_real", "bot")


def test_a_clearly_cheaper_campaign_is_scaled() -> None:
    said = judge(campaign(30_000, leads=240, qualified=110), OTHERS, RULES)
    assert (said.word, said.reason) == ("scale", "cheaper")


def test_what_chance_may_explain_is_kept() -> None:
    said = judge(campaign(30_000, leads=240, qualified=68), OTHERS, RULES)
    assert (said.word, said.reason) == ("keep", "within_chance")


def test_a_certain_difference_that_is_too_small_to_act_on_is_kept() -> None:
    large = campaign(10_000_000, leads=80_000, qualified=23_000, opportunities=10_000)
    others = campaign(10_000_000, leads=80_000, qualified=20_000)
    assert judge(large, others, RULES).reason == "small_difference"


def test_opportunities_tell_apart_what_qualified_leads_cannot() -> None:
    good = campaign(30_000, leads=240, qualified=70, opportunities=62)
    assert judge(good, OTHERS, RULES).reason == "cheaper_opportunities"
    bad = campaign(30_000, leads=240, qualified=70, opportunities=8)
    said = judge(bad, OTHERS, RULES)
    assert (said.word, said.reason) == ("fix", "dearer_opportunities")
    assert said.gap == "qualified_to_opportunity"


def test_cheap_leads_that_never_become_opportunities_are_not_scaled() -> None:
    said = judge(campaign(30_000, leads=300, qualified=120, opportunities=8), OTHERS, RULES)
    assert (said.word, said.reason) == ("keep", "mixed")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"spend": None, "mature_spend": None}, "spend_unknown"),
        ({"mature_spend": None, "mature_leads": None}, "no_history"),
    ],
)
def test_what_is_not_known_is_too_early(change: dict[str, None], reason: str) -> None:
    said = judge(replace(campaign(30_000, leads=240, qualified=110), **change), OTHERS, RULES)
    assert (said.word, said.reason) == ("too_early", reason)


def test_an_unripe_campaign_is_too_early_however_cheap_it_looks() -> None:
    said = judge(campaign(30_000, leads=240, qualified=110, ripe="0.4"), OTHERS, RULES)
    assert (said.word, said.reason) == ("too_early", "immature")


def test_few_leads_are_too_early_unless_the_money_would_have_brought_many() -> None:
    small = campaign(1_500, leads=8, qualified=0)
    assert judge(small, OTHERS, RULES).reason == "few_leads"
    # EUR 27,000 of mature spend bring 60 qualified leads elsewhere.
    large = campaign(30_000, leads=8, qualified=0, pixel=1500)
    assert judge(large, OTHERS, RULES).word == "burning"


def test_nobody_is_scaled_on_four_qualified_leads() -> None:
    said = judge(campaign(300, leads=40, qualified=4), OTHERS, RULES)
    assert (said.word, said.reason) == ("too_early", "few_qualified_leads")


def test_the_only_campaign_has_nothing_to_be_compared_with() -> None:
    said = judge(campaign(30_000, leads=240, qualified=110), together([]), RULES)
    assert (said.word, said.reason) == ("keep", "nothing_to_compare")


def test_campaigns_with_unknown_money_are_no_measure() -> None:
    unknown = replace(OTHERS, spend=None)
    assert together([OTHERS, unknown]) == together([OTHERS])
    assert together([OTHERS, OTHERS]).qualified_leads == 400


@settings(max_examples=200, deadline=None)
@given(
    spend=st.floats(1, 4_000),
    leads=st.integers(0, 19),
    share=st.floats(0, 1),
    pixel=st.integers(0, 4_000),
)
def test_tiny_counts_never_move_money(spend: float, leads: int, share: float, pixel: int) -> None:
    qualified = round(leads * share)
    said = judge(campaign(spend, leads=leads, qualified=qualified, pixel=pixel), OTHERS, RULES)
    assert (said.word, said.reason) == ("too_early", "few_leads")


@settings(max_examples=100, deadline=None)
@given(
    ripe=st.sampled_from(["0.5", "0.7", "1"]),
    qualified=st.integers(0, 400),
    opportunities=st.integers(0, 400),
)
def test_more_qualified_leads_never_make_the_word_worse(
    ripe: str, qualified: int, opportunities: int
) -> None:
    order = ["burning", "fix", "keep", "scale"]
    words = [
        judge(
            campaign(30_000, leads=600, qualified=each, opportunities=0, ripe=ripe),
            replace(OTHERS, qualified_opportunities=Decimal(0)),
            RULES,
        ).word
        for each in (qualified, qualified + opportunities)
    ]
    assert order.index(words[0]) <= order.index(words[1])


def test_campaigns_that_are_truly_alike_are_hardly_ever_told_apart() -> None:
    """Of equal campaigns, at every size, fewer than one in twenty gets a word that moves money."""
    dice, moved, judged = np.random.default_rng(6), 0, 0
    for spend in (5_000, 20_000, 60_000):
        for _ in range(250):
            mean = spend * 0.9 / 450
            qualified, others = int(dice.poisson(mean)), int(dice.poisson(200))
            said = judge(
                campaign(
                    spend,
                    leads=mean * 4,
                    qualified=qualified,
                    opportunities=int(dice.binomial(qualified, 0.5)),
                ),
                campaign(
                    100_000,
                    leads=800,
                    qualified=others,
                    opportunities=int(dice.binomial(others, 0.5)),
                    pixel=1500,
                ),
                RULES,
            )
            judged += 1
            moved += said.word in ("scale", "fix", "burning")
    assert judged == 750
    assert moved / judged < 0.05
