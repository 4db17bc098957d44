"""The report in a terminal: one table of the funnel, one of each gap, wide or narrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from trueline.judgement.health import Health
from trueline.report import figures
from trueline.report.headline import Report, effect, first_gap, has_claims
from trueline.report.health import health_lines
from trueline.report.judgement import headline_cost, judgement_word
from trueline.report.look import look_at
from trueline.report.words import (
    DIMENSIONS,
    GAP_REAL_TO_QUALIFIED,
    Step,
    campaign_label,
    channel_label,
    dimension_label,
)

# A pipe has no width of its own; this is what the tables are drawn for.
PLAIN_WIDTH = 140
_CAMPAIGN_WIDTH = 24


@dataclass(frozen=True, slots=True)
class _Column:
    header: str
    cells: list[str]
    is_name: bool = False
    is_key_figure: bool = False

    @property
    def width(self) -> int:
        widest = max(map(len, (*self.header.splitlines(), *self.cells)))
        return min(widest, _CAMPAIGN_WIDTH) if self.is_name else widest


def print_report(
    report: Report, console: Console | None = None, *, health: Health | None = None
) -> None:
    """Print the tables and what to look at, as plain text where the output is not a terminal.

    Args:
        report: What ``headline`` read, and ``judged`` added to.
        health: The signs of the funnel as a whole, to name those that show.
        console: Where to; by default standard output, 140 columns wide unless it is a terminal.
    """
    if console is None:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=PLAIN_WIDTH)
    for part in _parts(report, health, console.width):
        console.print(part)


def _parts(report: Report, health: Health | None, width: int) -> Iterator[RenderableType]:
    provenance = report.provenance
    amounts = f", amounts in {provenance.currency}" if provenance.currency else ""
    claimed = report.totals["pixel_conversions"] is not None
    yield Text(
        f"{'Pixel conversions' if claimed else 'Submissions'}, real leads and qualified leads by "
        f"{report.by.replace('_', ' ')}, "
        f"{provenance.first_date} to {provenance.last_date}{amounts}",
        style="bold",
    )
    yield _fitted(_funnel_columns(report) if claimed else _leads_columns(report), width)
    yield _help(
        "A lead counts on the day it came in, so the newest days still gain qualified leads. "
        + (
            "The total row divides all spend by all leads. In brackets: where the true cost lies, "
            "with 90% confidence."
            if claimed
            else "No platform tells its claims or spend by this, so neither is shown."
        )
    )
    if claimed:
        yield Text("\nFrom the ad to the form", style="bold")
        yield _fitted(_reach_columns(report), width)
        yield _help(
            "Visits are those our own tag recorded; the clicks are the platforms' own count."
        )
    _, start, first_steps, _ = first_gap(report.totals)
    for title, first, steps, end, sentence in (
        (
            f"From {'pixel conversions' if claimed else 'submissions'} to real leads, by cause",
            ("Pixel" if claimed else "Sub-\nmitted", start),
            first_steps,
            ("Real\nleads", "real_leads"),
            f"Start with what {'the platform claims' if claimed else 'our tag saw'}, add and take "
            "away from left to right: what is left are the real leads.",
        ),
        (
            "From real leads to qualified leads, by reason",
            ("Real\nleads", "real_leads"),
            GAP_REAL_TO_QUALIFIED,
            ("Quali-\nfied", "qualified_leads"),
            "Each lead leaves for one reason only; open verdicts can still become qualified.",
        ),
    ):
        yield Text(f"\n{title}", style="bold")
        yield _fitted(_gap_columns(report, first, steps, end), width)
        yield _help(sentence)
    remarks = look_at(report)
    if remarks:
        yield Text("\nWhat to look at", style="bold")
    for remark in remarks:
        yield Text.assemble(
            "• ", (remark.subject, "bold"), ": " if remark.subject else "", remark.text
        )
    if health:
        yield Text("\nThe funnel as a whole", style="bold")
        yield from (Text(f"• {line}") for line in health_lines(health))
    yield _help(
        f"\nRulebook {provenance.rules_version}, as of {provenance.as_of:%Y-%m-%d %H:%M} UTC"
        + (
            f", published {provenance.published_at:%Y-%m-%d %H:%M} UTC"
            if provenance.published_at
            else ""
        )
        + f". Rounded for reading; {figures.DASH} = nothing to divide by, or nothing claimed."
    )


def _funnel_columns(report: Report) -> list[_Column]:
    lines = [*report.rows, report.totals]

    def column(
        header: str, show: Callable[[Any], str], name: str, *, key_figure: bool = False
    ) -> _Column:
        return _Column(header, [show(row[name]) for row in lines], is_key_figure=key_figure)

    def cost(header: str, name: str) -> _Column:
        # No spend is not a cost of zero: what a channel without ads costs is not known here.
        cells = [figures.cost(row[name] if row["spend_amount"] else None) for row in lines]
        return _Column(header, cells)

    claims = [figures.count(row["pixel_conversions"] if has_claims(row) else None) for row in lines]
    return [
        *_name_columns(report),
        column("Spend", figures.money, "spend_amount"),
        _Column("Pixel", claims, is_key_figure=True),
        column("Real\nleads", figures.count, "real_leads", key_figure=True),
        column("Quali-\nfied", figures.count, "qualified_leads", key_figure=True),
        column("Qual.\nopps", figures.count, "qualified_opportunities"),
        cost("Cost\nper\npixel", "cost_per_pixel_conversion"),
        cost("Cost\nper\nreal", "cost_per_real_lead"),
        cost("Cost\nper\nqual.", "cost_per_qualified_lead"),
        _Column("Cost per\nqual.\nopp.", [headline_cost(row) for row in lines], is_key_figure=True),
        column("Pixel\nto\nreal", figures.rate, "pixel_to_real_rate"),
        column("Real\nto\nqual.", figures.rate, "real_to_qualified_rate"),
        column("Qual.\nto\nopp.", figures.rate, "qualified_to_opportunity_rate"),
        column("Won /\nspend", figures.times, "roas"),
        *_judgement_columns(report),
    ]


def _judgement_columns(report: Report) -> list[_Column]:
    if report.by != "campaign":
        return []
    cells = [judgement_word(row) for row in report.rows]
    return [_Column("Judge-\nment", [*cells, ""], is_key_figure=True)]


def _reach_columns(report: Report) -> list[_Column]:
    lines = [*report.rows, report.totals]

    def column(header: str, show: Callable[[Any], str], name: str) -> _Column:
        return _Column(header, [show(row[name] or None) for row in lines])

    return [
        *_name_columns(report),
        column("Shown", figures.count, "impressions"),
        column("Clicks", figures.count, "clicks"),
        column("Clicks\nper\nview", figures.rate, "click_through_rate"),
        column("Visits", figures.count, "visits"),
        column("Boun-\nced", figures.rate, "bounce_rate"),
        _Column("Sub-\nmitted", [figures.count(row["observed_tag_events"]) for row in lines]),
        column("Click\nto\nsubmit", figures.rate, "click_to_tag_event_rate"),
        column("Visit\nto\nsubmit", figures.rate, "visit_to_tag_event_rate"),
    ]


def _leads_columns(report: Report) -> list[_Column]:
    lines = [*report.rows, report.totals]

    def column(
        header: str, show: Callable[[Any], str], name: str, *, key_figure: bool = False
    ) -> _Column:
        return _Column(header, [show(row[name]) for row in lines], is_key_figure=key_figure)

    return [
        *_name_columns(report),
        column("Sub-\nmitted", figures.count, "observed_tag_events", key_figure=True),
        column("Real\nleads", figures.count, "real_leads", key_figure=True),
        column("Quali-\nfied", figures.count, "qualified_leads", key_figure=True),
        column("Qual.\nopps", figures.count, "qualified_opportunities"),
        column("Cus-\ntomers", figures.count, "customers"),
        column("Real\nto\nqual.", figures.rate, "real_to_qualified_rate"),
        column("Qual.\nto\nopp.", figures.rate, "qualified_to_opportunity_rate"),
        column("Won", figures.money, "won_amount"),
    ]


def _gap_columns(
    report: Report, start: tuple[str, str], steps: Sequence[Step], end: tuple[str, str]
) -> list[_Column]:
    lines = [*report.rows, report.totals]
    return [
        _name_columns(report)[-1],
        _Column(start[0], [figures.count(row[start[1]]) for row in lines], is_key_figure=True),
        *(
            _Column(step.header, [figures.change(effect(row, step)) for row in lines])
            for step in steps
            if any(effect(row, step) for row in lines)
        ),
        _Column(end[0], [figures.count(row[end[1]]) for row in lines], is_key_figure=True),
    ]


def _name_columns(report: Report) -> list[_Column]:
    if report.by in DIMENSIONS:
        values = [dimension_label(row["dimension_value"]) for row in report.rows]
        return [_Column(DIMENSIONS[report.by], [*values, "Total"], is_name=True)]
    channels = [channel_label(row["platform"]) for row in report.rows]
    if report.by == "campaign":
        campaigns = [campaign_label(row) for row in report.rows]
        return [
            _Column("Channel", [*channels, ""], is_name=True),
            _Column("Campaign", [*campaigns, "Total"], is_name=True),
        ]
    if report.by == "channel":
        return [_Column("Channel", [*channels, "Total"], is_name=True)]
    header = {"day": "Day", "week": "Week of", "month": "Month from"}[report.by]
    starts = [str(row["period_start"]) for row in report.rows]
    return [_Column(header, [*starts, "Total"], is_name=True)]


def _fitted(columns: Sequence[_Column], width: int) -> RenderableType:
    """One table, drawn tighter or cut into several under the same first columns where needed."""
    names = [column for column in columns if column.is_name]
    rest = [column for column in columns if not column.is_name]
    if len(names) > 1 and sum(column.width for column in names) > width // 3:
        names = names[-1:]
    for kept in (names, names[-1:]):
        for gap in (2, 1):
            if _total(kept + rest, gap) <= width:
                return _drawn(kept + rest, gap)
    tables, current = [], list(names)
    for column in rest:
        if len(current) > len(names) and _total([*current, column], 2) > width:
            tables.append(_drawn(current, 2))
            current = list(names)
        current.append(column)
    return Group(*tables, _drawn(current, 2))


def _total(columns: Sequence[_Column], gap: int) -> int:
    return sum(column.width for column in columns) + gap * len(columns)


def _drawn(columns: Sequence[_Column], gap: int) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
        show_footer=True,
    )
    for column in columns:
        *_, total = column.cells
        table.add_column(
            Text(column.header),
            Text(total, style="bold"),
            justify="left" if column.is_name else "right",
            width=column.width,
            style="bold" if column.is_key_figure else "",
            overflow="fold",
        )
    for cells in list(zip(*(column.cells for column in columns), strict=True))[:-1]:
        table.add_row(*map(Text, cells))
    return table


def _help(sentence: str) -> Text:
    return Text(sentence, style="dim")
