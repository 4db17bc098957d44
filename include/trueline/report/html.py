"""The report as one HTML page that needs nothing else: no network, no script, no font to load."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trueline.errors import ConfigurationError
from trueline.judgement.health import Health
from trueline.report import charts, figures
from trueline.report.besides import Besides, sections
from trueline.report.headline import Report, Row, SourceLoads, effect, has_claims
from trueline.report.health import health_lines
from trueline.report.judgement import expected, headline_cost, judgement_word, ripe_cost
from trueline.report.look import look_at
from trueline.report.words import (
    DEFINITIONS,
    GAP_PIXEL_TO_REAL,
    GAP_REAL_TO_QUALIFIED,
    Step,
    campaign_label,
    channel_label,
)

if TYPE_CHECKING:
    from jinja2 import Environment

# Each picture is about 40 kB: the page stays below 2 MB for accounts with hundreds of campaigns.
MAX_PICTURED_CAMPAIGNS = 24


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a table: texts in column order, and what it is."""

    name: str
    note: str
    cells: list[str]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class _Picture:
    title: str
    note: str
    address: str
    description: str


FUNNEL_HEADERS = (
    "Spend",
    "Pixel conversions",
    "Real leads",
    "Qualified leads",
    "Qualified opportunities",
    "Cost per pixel conversion",
    "Cost per real lead",
    "Cost per qualified lead",
    "Cost per qualified opportunity",
    "Pixel → real",
    "Real → qualified",
    "Qualified → opportunity",
    "Return on ad spend",
)


JUDGEMENT_HEADERS = (
    "Judgement",
    "Verdicts in",
    "Cost per qualified lead once ripe",
    "Other paid campaigns",
    "Expected customers",
    "Expected revenue",
)


def to_html(
    by_channel: Report,
    by_campaign: Report,
    loads: Sequence[SourceLoads] = (),
    besides: Besides | None = None,
    *,
    health: Health | None = None,
) -> str:
    """The page for two reports on the same days.

    Args:
        by_channel: ``headline(reader, "channel", ...)``.
        by_campaign: ``headline(reader, "campaign", ...)``.
        loads: ``loads_behind(reader, as_of)``, for the footer.
        besides: ``read_besides(reader, ...)``, for the tables beside the funnel.
        health: The signs of the funnel as a whole.

    Raises:
        ConfigurationError: the reports are not what their names say, or not on the same days.
    """
    if (by_channel.by, by_campaign.by) != ("channel", "campaign") or (
        by_channel.provenance != by_campaign.provenance
    ):
        raise ConfigurationError(
            "The page needs one report by channel and one by campaign, read for the same days.",
            fix="Read both again from the same snapshot.",
        )
    total = by_campaign.totals
    pictured = by_campaign.rows[:MAX_PICTURED_CAMPAIGNS]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            provenance=by_campaign.provenance,
            numbers=_numbers(total),
            beside=_beside(total, by_campaign.provenance.currency),
            remarks=look_at(by_campaign),
            judgement_headers=JUDGEMENT_HEADERS,
            judgements=_judgement_lines(by_campaign),
            health=health_lines(health) if health else [],
            headers=FUNNEL_HEADERS,
            channels=_funnel_lines(by_channel),
            campaigns=_funnel_lines(by_campaign),
            total_pictures=[
                _picture("From pixel conversions to real leads", "", total, "pixel_to_real"),
                _picture("From real leads to qualified leads", "", total, "real_to_qualified"),
            ],
            spend_picture=_spend_picture(by_campaign),
            campaign_pictures=[
                _picture(campaign_label(row), _channel_note(row), row, "both") for row in pictured
            ],
            campaigns_without_picture=len(by_campaign.rows) - len(pictured),
            ledger_headers=[channel_label(row["platform"]) for row in by_channel.rows],
            ledger=_ledger([*by_channel.rows, by_channel.totals]),
            sections=sections(by_channel, besides),
            definitions=DEFINITIONS,
            loads=loads,
        )
    )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("trueline.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = figures.count
    environment.filters["moment"] = lambda moment: f"{moment:%Y-%m-%d %H:%M} UTC"
    environment.filters["day"] = lambda day: f"{day.day} {day:%B %Y}"
    return environment


def _numbers(total: Row) -> list[dict[str, str]]:
    """The three numbers, each with what keeps it comparable to the one before."""
    unclaimed = total["real_leads"] - total["real_leads_reported"]
    return [
        {
            "kind": "pixel",
            "name": "Pixel conversions",
            "value": figures.count(total["pixel_conversions"]),
            "note": "what the ad platforms claim",
        },
        {
            "kind": "real",
            "name": "Real leads",
            "value": figures.count(total["real_leads"]),
            "note": (
                f"{figures.count(total['real_leads_reported'])} where platforms claim: "
                f"{figures.rate(total['pixel_to_real_rate'])} of the claims. "
                f"{figures.count(unclaimed)} came by other channels"
            ),
        },
        {
            "kind": "qualified",
            "name": "Qualified leads",
            "value": figures.count(total["qualified_leads"]),
            "note": (
                f"{figures.rate(total['real_to_qualified_rate'])} of real leads; "
                f"{figures.count(total['pending'])} verdicts still open"
            ),
        },
    ]


def _beside(total: Row, currency: str | None) -> list[tuple[str, str]]:
    def amount(text: str) -> str:
        return f"{currency} {text}" if currency and text != figures.DASH else text

    return [
        (
            "Cost per qualified opportunity",
            amount(figures.cost(total["cost_per_qualified_opportunity"])),
        ),
        ("Spend", amount(figures.money(total["spend_amount"]))),
        ("Qualified opportunities", figures.count(total["qualified_opportunities"])),
        ("Customers", figures.count(total["customers"])),
        ("Cost per customer", amount(figures.cost(total["cost_per_customer"]))),
        ("Return on ad spend", figures.times(total["roas"])),
    ]


def _funnel_lines(report: Report) -> list[_Line]:
    lines = [
        _Line(campaign_label(row), _channel_note(row), _funnel_cells(row))
        if report.by == "campaign"
        else _Line(channel_label(row["platform"]), "", _funnel_cells(row))
        for row in report.rows
    ]
    return [*lines, _Line("Total", "", _funnel_cells(report.totals), "total")]


def _funnel_cells(row: Row) -> list[str]:
    # No spend is not a cost of zero: what a channel without ads costs is not known here.
    def cost(name: str) -> str:
        return figures.cost(row[name] if row["spend_amount"] else None)

    return [
        figures.money(row["spend_amount"]),
        figures.count(row["pixel_conversions"] if has_claims(row) else None),
        figures.count(row["real_leads"]),
        figures.count(row["qualified_leads"]),
        figures.count(row["qualified_opportunities"]),
        cost("cost_per_pixel_conversion"),
        cost("cost_per_real_lead"),
        cost("cost_per_qualified_lead"),
        headline_cost(row),
        figures.rate(row["pixel_to_real_rate"]),
        figures.rate(row["real_to_qualified_rate"]),
        figures.rate(row["qualified_to_opportunity_rate"]),
        figures.times(row["roas"]),
    ]


def _judgement_lines(report: Report) -> list[_Line]:
    """One line per campaign that is judged, or that something is expected of."""
    return [
        _Line(
            campaign_label(row),
            _channel_note(row),
            [
                judgement_word(row),
                figures.rate(row["judged"].get("maturity")),
                *(
                    ripe_cost(row["judged"], name) if row["judgement"] else figures.DASH
                    for name in ("cost_per_qualified_lead", "others_cost_per_qualified_lead")
                ),
                expected(row, "customers"),
                expected(row, "revenue"),
            ],
        )
        for row in report.rows
        if row.get("judgement") or row.get("expected_customers") is not None
    ]


def _channel_note(row: Row) -> str:
    return "" if row["campaign_id"] == "(none)" else channel_label(row["platform"])


def _ledger(rows: Sequence[Row]) -> list[_Line]:
    """Both gaps as one table: a line per step, a column per row."""

    def pillar(name: str, column: str, kind: str) -> _Line:
        return _Line(name, "", [figures.count(row[column]) for row in rows], kind)

    def steps(of: Sequence[Step]) -> list[_Line]:
        return [
            _Line(step.label, "", [figures.change(effect(row, step)) for row in rows])
            for step in of
            if any(effect(row, step) for row in rows)
        ]

    return [
        pillar("Pixel conversions", "pixel_conversions", "pixel"),
        *steps(GAP_PIXEL_TO_REAL),
        pillar("Real leads", "real_leads", "real"),
        *steps(GAP_REAL_TO_QUALIFIED),
        pillar("Qualified leads", "qualified_leads", "qualified"),
    ]


def _picture(title: str, note: str, row: Row, part: str) -> _Picture:
    return _Picture(
        title,
        note,
        _address(charts.waterfall(row, part=part)),
        f"{title}: {figures.count(row['pixel_conversions'])} pixel conversions, "
        f"{figures.count(row['real_leads'])} real leads, "
        f"{figures.count(row['qualified_leads'])} qualified leads. "
        "The steps between them stand in the ledger.",
    )


def _spend_picture(report: Report) -> _Picture | None:
    paid = [row for row in report.rows if row["spend_amount"]][:MAX_PICTURED_CAMPAIGNS]
    if not paid:
        return None
    return _Picture(
        "Where the money goes, and what an opportunity costs there",
        "",
        _address(charts.spend_and_cost(paid)),
        "Bars of spend and of cost per qualified opportunity for each campaign; "
        "the figures stand in the table of campaigns.",
    )


def _address(svg: str) -> str:
    """An image address with the picture inside: an SVG shown as an image cannot run anything."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode('ascii')}"
