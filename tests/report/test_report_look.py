"""What to look at: only where chance is an unlikely reason."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trueline.report.headline import headline, with_figures
from trueline.report.look import look_at


def _with(report, campaign_id: str, **changes):
    rows = [
        with_figures(row | {name: Decimal(value) for name, value in changes.items()})
        if row["campaign_id"] == campaign_id
        else row
        for row in report.rows
    ]
    return replace(report, rows=rows)


def test_cheap_claims_and_dear_qualified_leads_are_named_first(demo_reader):
    remarks = look_at(headline(demo_reader, "campaign"))
    burning = [remark for remark in remarks if remark.kind == "burning"]
    assert burning[0].subject == "Savings calculator – broad (Meta Ads)"
    assert "cheap pixel conversions (EUR 27.95 each" in burning[0].text
    better = [remark for remark in remarks if remark.kind == "better_than_it_looks"]
    assert [remark.subject for remark in better] == ["Lead form – plant managers (Meta Ads)"]


def test_a_campaign_with_few_verdicts_is_too_early_whatever_it_costs(demo_reader):
    report = headline(demo_reader, "campaign")
    row = next(row for row in report.rows if row["campaign_id"] == "3001")
    # All but 19.5 verdicts are still open: the same prices say nothing now.
    reasons = dict.fromkeys(row["gap_real_to_qualified_causes"], 0)
    young = _with(
        report,
        "3001",
        **reasons
        | {
            "pending": row["real_leads"] - Decimal("19.5"),
            "not_fit": Decimal("18.5"),
            "qualified_leads": 1,
        },
    )
    remarks = look_at(young)
    assert not any("Savings" in remark.subject for remark in remarks if remark.kind == "burning")
    (early,) = [remark for remark in remarks if remark.kind == "too_early"]
    assert "Savings calculator – broad" in early.subject
    assert "fewer than 20 real leads" in early.text


def test_channels_nobody_claims_are_never_judged(demo_reader):
    remarks = look_at(headline(demo_reader, "campaign"))
    assert not any("Organic" in remark.subject for remark in remarks)


def test_campaigns_that_are_alike_are_left_alone(demo_reader):
    report = headline(demo_reader, "campaign")
    alike = [report.rows[0], report.rows[0] | {"campaign_id": "2009"}]
    (remark,) = look_at(replace(report, rows=alike))
    assert remark.kind == "nothing"


def test_other_roll_ups_are_not_judged(demo_reader):
    assert look_at(headline(demo_reader, "week")) == []
