"""What to look at: the judgements that ask for something, each in a sentence with its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from trueline.report import figures
from trueline.report.headline import Report, Row
from trueline.report.judgement import ripe_cost
from trueline.report.words import (
    GAP_PIXEL_TO_REAL,
    GAP_REAL_TO_QUALIFIED,
    campaign_label,
    channel_label,
)

_CAUSES = {step.column: step.label for step in (*GAP_PIXEL_TO_REAL, *GAP_REAL_TO_QUALIFIED)}
_GAPS = {
    "cost_per_pixel_conversion": "the pixel conversions themselves are dear",
    "pixel_to_real": "most is lost between pixel conversions and real leads",
    "real_to_qualified": "most is lost between real leads and qualified leads",
    "qualified_to_opportunity": "its qualified leads seldom become opportunities",
}
_WAITING = {
    "spend_unknown": "some of the spend is in a currency without a known rate",
    "no_history": "no days are old enough to know how fast verdicts come in",
    "immature": "less than {threshold} of the verdicts can be in",
    "few_leads": "fewer than {threshold} real leads with a verdict",
    "few_qualified_leads": "cheap so far, on fewer than {threshold} qualified leads",
}
_ORDER = ("burning", "fix", "scale")


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence about one campaign, or about several.

    Attributes:
        kind: The judgement; ``nothing``: no campaign stands out.
        subject: The campaign or campaigns; empty for ``nothing``.
        text: The rest of the sentence.
    """

    kind: Literal["burning", "fix", "scale", "too_early", "nothing"]
    subject: str
    text: str


def look_at(report: Report) -> list[Remark]:
    """Remarks on a judged report by campaign; none for other reports.

    Burning campaigns first, then those to fix and to scale, each by spend; then who is too early.
    """
    rows = [row for row in report.rows if row.get("judgement")]
    currency = f"{report.provenance.currency} " if report.provenance.currency else ""
    remarks = [
        Remark(word, _subject(row), _sentence(row["judged"], currency))  # type: ignore[arg-type]
        for word in _ORDER
        for row in rows
        if row["judgement"] == word
    ]
    if not remarks and any(row["judgement"] == "keep" for row in rows):
        remarks.append(Remark("nothing", "", "No campaign stands out by more than chance."))
    return [*remarks, *_too_early([row for row in rows if row["judgement"] == "too_early"])]


def _subject(row: Row) -> str:
    return f"{campaign_label(row)} ({channel_label(row['platform'])})"


def _sentence(judged: Mapping[str, Any], currency: str) -> str:
    measure, unit = "cost_per_qualified_lead", "qualified lead"
    if judged["reason"] in ("cheaper_opportunities", "dearer_opportunities"):
        measure, unit = "cost_per_qualified_opportunity", "qualified opportunity"
    if judged[measure] is None:
        price = f"no {unit} so far ({currency}{figures.cost(judged[f'{measure}_low'])} or more each"
        price += f"; other paid campaigns {ripe_cost(judged, f'others_{measure}')})"
    else:
        price = (
            f"a {unit} costs {currency}{ripe_cost(judged, measure)}, at the other paid campaigns "
            f"{ripe_cost(judged, f'others_{measure}')}"
        )
    if judged["judgement"] == "scale":
        return f"scale: {price}."
    where = _GAPS[judged["gap"]]
    cause = f", above all: {_small(_CAUSES[judged['cause']])}" if judged["cause"] else ""
    if judged["judgement"] == "fix":
        return f"fix: {price}; {where}{cause}."
    claims = figures.cost(judged["cost_per_pixel_conversion"])
    usual = figures.cost(judged["others_cost_per_pixel_conversion"])
    return (
        f"burning: cheap pixel conversions ({currency}{claims} each, elsewhere {usual}), but "
        f"{price}; {where}{cause}."
    )


def _small(label: str) -> str:
    return label[:1].lower() + label[1:]


def _too_early(rows: Sequence[Row]) -> list[Remark]:
    remarks = []
    for reason in _WAITING:
        same = [row for row in rows if row["judged"]["reason"] == reason]
        if same:
            limit = same[0]["judged"]["threshold"]
            told = figures.rate(limit) if reason == "immature" else figures.count(limit)
            subject = ", ".join(map(campaign_label, same))
            text = f"too early: {_WAITING[reason].format(threshold=told)}."
            remarks.append(Remark("too_early", subject, text))
    return remarks
