"""Pictures of the report as SVG text, drawn offline; floats are for drawing only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trueline.report import figures
from trueline.report.headline import Row, effect
from trueline.report.words import (
    GAP_PIXEL_TO_REAL,
    GAP_REAL_TO_QUALIFIED,
    Step,
    campaign_label,
)

if TYPE_CHECKING:
    import altair as alt

# Told apart by lightness too, for print and for colour-blind readers.
COLOURS = {
    "pixel": "#64748b",
    "real": "#2563a8",
    "qualified": "#1b7f5c",
    "lost": "#e0a08f",
    "gained": "#9ccbb0",
}
_INK = "#334155"
_QUIET = "#cbd5e1"
_FONT = "Helvetica, Arial, sans-serif"
# Wider than the labels are here: the reader's own font may be a fifth wider than ours.
_LABELS_WIDTH = 208
_BARS_WIDTH = 235


def waterfall(row: Row, *, part: str = "both") -> str:
    """The way from pixel conversions over real leads to qualified leads, one bar per cause.

    Args:
        row: A row or the totals of a report.
        part: ``pixel_to_real``, ``real_to_qualified`` or ``both``.
    """
    bars: list[dict[str, Any]] = []
    if part in ("pixel_to_real", "both"):
        bars.append(_pillar("Pixel conversions", row["pixel_conversions"], "pixel"))
        bars.extend(_steps(row, GAP_PIXEL_TO_REAL, row["pixel_conversions"]))
    bars.append(_pillar("Real leads", row["real_leads"], "real"))
    if part in ("real_to_qualified", "both"):
        bars.extend(_steps(row, GAP_REAL_TO_QUALIFIED, row["real_leads"]))
        bars.append(_pillar("Qualified leads", row["qualified_leads"], "qualified"))
    return _svg(_waterfall_chart(bars))


def spend_and_cost(rows: Sequence[Row]) -> str:
    """Spend beside cost per qualified opportunity, one line per campaign that spends.

    The dashed line is the cost of all these campaigns together.
    """
    import altair as alt

    paid = [row for row in rows if row["spend_amount"]]
    opportunities = sum((row["qualified_opportunities"] for row in paid), Decimal(0))
    spend = sum((row["spend_amount"] for row in paid), Decimal(0))
    # Two campaigns may share a name: the axis is by place, and labelled with the names.
    names = [_short(campaign_label(row)) for row in paid]
    lines = [_paid_line(str(place), row) for place, row in enumerate(paid)]
    axis = alt.Axis(
        labelExpr=f"{json.dumps(names)}[datum.value]",
        minExtent=_LABELS_WIDTH,
        labelLimit=_LABELS_WIDTH,
        ticks=False,
        domain=False,
        labelPadding=8,
    )
    left = _bars(lines, "spend", "Spend", _QUIET, width=130, axis=axis)
    right = _bars(
        lines,
        "cost",
        "Cost per qualified opportunity",
        COLOURS["qualified"],
        width=190,
        together=float(spend / opportunities) if opportunities else None,
    )
    return _svg(alt.hconcat(left, right, spacing=18))


def _paid_line(place: str, row: Row) -> dict[str, Any]:
    cost = row["cost_per_qualified_opportunity"]
    return {
        "place": place,
        "spend": float(row["spend_amount"]),
        "spend_text": figures.money(row["spend_amount"]),
        "cost": float(cost or 0),
        "cost_text": "none yet" if cost is None else figures.money(cost),
    }


def _bars(
    lines: Sequence[dict[str, Any]],
    field: str,
    title: str,
    colour: str,
    *,
    width: int,
    axis: alt.Axis | None = None,
    together: float | None = None,
) -> Any:
    """One panel of horizontal bars with their figures; ``together`` draws a dashed line."""
    import altair as alt

    highest = max(*(line[field] for line in lines), together or 0.0, 1.0)
    x = alt.X(f"{field}:Q", title=None, axis=None, scale=alt.Scale(domain=[0, highest * 1.35]))
    order = [line["place"] for line in lines]
    base = alt.Chart(alt.InlineData(values=list(lines)), width=width, height={"step": 26}).encode(
        x=x, y=alt.Y("place:N", sort=order, title=None, axis=axis)
    )
    layers = [base.mark_bar(color=colour, height=14, cornerRadiusEnd=2)]
    if together is not None:
        layers.append(
            alt.Chart(alt.InlineData(values=[{field: together}]))
            .mark_rule(strokeDash=[3, 3], color=_INK)
            .encode(x=x)
        )
    layers.append(
        base.mark_text(align="left", dx=5, color=_INK).encode(text=alt.Text(f"{field}_text:N"))
    )
    heading = alt.TitleParams(title, anchor="start", fontSize=12, fontWeight="normal")
    return alt.layer(*layers).properties(title=heading)


def _pillar(label: str, value: Decimal, kind: str) -> dict[str, Any]:
    return _bar(label, Decimal(0), value, kind, figures.count(value))


def _steps(row: Row, steps: Sequence[Step], start: Decimal) -> list[dict[str, Any]]:
    bars, level = [], start
    for step in steps:
        change = effect(row, step)
        if change:
            kind = "lost" if change < 0 else "gained"
            bars.append(_bar(step.label, level, level + change, kind, figures.change(change)))
            level += change
    return bars


def _bar(label: str, start: Decimal, end: Decimal, kind: str, text: str) -> dict[str, Any]:
    return {
        "label": label,
        "low": float(min(start, end)),
        "high": float(max(start, end)),
        "kind": kind,
        "text": text,
    }


def _waterfall_chart(bars: Sequence[Mapping[str, Any]]) -> Any:
    import altair as alt

    lowest = min(0.0, *(bar["low"] for bar in bars))
    highest = max(1.0, *(bar["high"] for bar in bars))
    scale = alt.Scale(domain=[lowest, highest + (highest - lowest) * 0.22], nice=False)
    base = alt.Chart(
        alt.InlineData(values=list(bars)), width=_BARS_WIDTH, height={"step": 21}
    ).encode(
        y=alt.Y(
            "label:N",
            sort=[bar["label"] for bar in bars],
            title=None,
            axis=alt.Axis(
                ticks=False,
                domain=False,
                minExtent=_LABELS_WIDTH,
                labelLimit=_LABELS_WIDTH,
                labelPadding=8,
            ),
        )
    )
    drawn = base.mark_bar(height=13, cornerRadius=1).encode(
        x=alt.X("low:Q", title=None, axis=None, scale=scale),
        x2="high:Q",
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())),
            legend=None,
        ),
    )
    text = base.mark_text(align="left", dx=4, color=_INK).encode(
        x=alt.X("high:Q", scale=scale), text="text:N"
    )
    return alt.layer(drawn, text)


def _svg(chart: Any) -> str:
    import vl_convert

    styled = (
        chart.configure(font=_FONT, background="#ffffff", padding=6)
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, labelColor=_INK, grid=False)
        .configure_text(fontSize=12)
        .configure_title(color=_INK)
    )
    return str(vl_convert.vegalite_to_svg(styled.to_json(indent=None)))


def _short(name: str) -> str:
    return name if len(name) <= 27 else f"{name[:26].rstrip()}…"
