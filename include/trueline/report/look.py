"""What to look at: campaigns whose price per claim and price per qualified lead disagree.

A hint, not a verdict: it speaks only where chance is an unlikely reason, and says so where there
are too few leads to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from trueline.report import figures
from trueline.report.headline import Report, Row, has_claims
from trueline.report.words import campaign_label, channel_label

# Below this many real leads with a verdict nothing is said of a campaign.
MIN_DECIDED_LEADS = 20
# Two-sided 90 % interval.
_Z = Decimal("1.645")


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence about one campaign, or about all of them.

    Attributes:
        kind: ``burning``: cheap claims, dear qualified leads; ``better_than_it_looks``: the
            opposite; ``too_early``: too few leads; ``nothing``: no campaign stands out.
        subject: The campaign or campaigns; empty for ``nothing``.
        text: The rest of the sentence.
    """

    kind: Literal["burning", "better_than_it_looks", "too_early", "nothing"]
    subject: str
    text: str


def look_at(report: Report) -> list[Remark]:
    """Remarks on a report by campaign, the largest spend first; none for other reports."""
    if report.by != "campaign":
        return []
    paid = [row for row in report.rows if has_claims(row) and row["spend_amount"]]
    judged = [row for row in paid if _decided(row) >= MIN_DECIDED_LEADS]
    early = [row for row in paid if _decided(row) < MIN_DECIDED_LEADS]
    remarks = [remark for row in judged if (remark := _remark(row, paid, report)) is not None]
    if not remarks and judged:
        remarks.append(Remark("nothing", "", "No campaign stands out by more than chance."))
    if early:
        subject = ", ".join(map(campaign_label, early))
        text = f"too early: fewer than {MIN_DECIDED_LEADS} real leads with a verdict."
        remarks.append(Remark("too_early", subject, text))
    return remarks


def _remark(row: Row, paid: Sequence[Row], report: Report) -> Remark | None:
    claim_cost = row["cost_per_pixel_conversion"]
    usual_claim_cost = _cost(paid, "spend_reported", "pixel_conversions")
    usual_cost = _cost(paid, "spend_amount", "qualified_leads")
    if claim_cost is None or usual_claim_cost is None or usual_cost is None:
        return None
    low, high = _qualified_cost_interval(row)
    if claim_cost < usual_claim_cost and low > usual_cost:
        kind, claims, leads = "burning", "cheap", "dear"
    elif claim_cost > usual_claim_cost and high is not None and high < usual_cost:
        kind, claims, leads = "better_than_it_looks", "dear", "cheap"
    else:
        return None
    currency = f"{report.provenance.currency} " if report.provenance.currency else ""
    qualified_cost = row["cost_per_qualified_lead"]
    price = "none so far" if qualified_cost is None else figures.cost(qualified_cost)
    text = (
        f"{claims} pixel conversions ({currency}{figures.cost(claim_cost)} each; paid campaigns "
        f"together {figures.cost(usual_claim_cost)}) but {leads} qualified leads ({price}; "
        f"together {figures.cost(usual_cost)}): {figures.count(row['qualified_leads'])} of "
        f"{figures.count(_decided(row))} leads with a verdict qualified."
    )
    subject = f"{campaign_label(row)} ({channel_label(row['platform'])})"
    return Remark(kind, subject, text)  # type: ignore[arg-type]


def _decided(row: Row) -> Decimal:
    """Real leads with a verdict: those still open say nothing yet about a campaign."""
    return Decimal(row["real_leads"] - row["pending"])


def _cost(rows: Sequence[Row], amount: str, units: str) -> Decimal | None:
    count = sum((row[units] for row in rows), Decimal(0))
    return sum((row[amount] for row in rows), Decimal(0)) / count if count else None


def _qualified_cost_interval(row: Row) -> tuple[Decimal, Decimal | None]:
    """Lowest and highest plausible cost per qualified lead once the open verdicts are in.

    The Wilson interval of the qualified share among decided leads, applied to all real leads of
    the row. The upper cost is None where none of them may qualify.
    """
    n = _decided(row)
    share = row["qualified_leads"] / n
    middle = share + _Z**2 / (2 * n)
    spread = _Z * (share * (1 - share) / n + _Z**2 / (4 * n**2)).sqrt()
    lower, upper = ((middle + sign * spread) / (1 + _Z**2 / n) for sign in (-1, 1))
    spend, leads = row["spend_amount"], row["real_leads"]
    return spend / (upper * leads), spend / (lower * leads) if lower > 0 else None
