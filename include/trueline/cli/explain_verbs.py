"""``trueline explain``, ``lead`` and ``drift``: from a figure to its rows, and how figures move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from trueline.cli.output import Format, emit
from trueline.errors import ConfigurationError
from trueline.settings.profile import load_profile
from trueline.windows import parse_day

ProfileOption = Annotated[Path | None, typer.Option("--profile", help="Profile to use.")]
FirstOption = Annotated[
    str | None, typer.Option("--first-date", "--from", help="First reporting day.")
]
LastOption = Annotated[str | None, typer.Option("--last-date", "--to", help="Last reporting day.")]
OutputOption = Annotated[str, typer.Option("--format", help="table, json or csv.")]
# What a terminal shows of it; json and csv have every row.
_SHOWN_ROWS = 50


def explain(
    line: Annotated[str, typer.Option(help="A line of the funnel, such as no_crm_record.")],
    profile: ProfileOption = None,
    channel: Annotated[str | None, typer.Option(help="Only this channel's.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this ad account's.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only this campaign's, by its id.")] = None,
    segment: Annotated[str | None, typer.Option(help="Only this declared segment's.")] = None,
    landing_page: Annotated[str | None, typer.Option(help="Only this landing page's.")] = None,
    form: Annotated[str | None, typer.Option(help="Only this form's.")] = None,
    first_date: FirstOption = None,
    last_date: LastOption = None,
    output: OutputOption = "table",
) -> None:
    """The rows behind one figure of the report; their amounts sum to it exactly."""
    from trueline.report.figures import DASH
    from trueline.report.rows import LINES, Place, figure_rows
    from trueline.warehouse import open_reader

    dimensions = {"segment": segment, "landing_page": landing_page, "form": form}
    named = {name: value for name, value in dimensions.items() if value is not None}
    if len(named) > 1:
        raise ConfigurationError(
            f"{' and '.join(named)} cannot be asked for together.", fix="Name one of them."
        )
    dimension, value = next(iter(named.items()), (None, None))
    place = Place(channel, account, campaign, dimension, value)  # type: ignore[arg-type]
    first = parse_day(first_date, what="--first-date") if first_date else None
    last = parse_day(last_date, what="--last-date") if last_date else None
    with open_reader(load_profile(profile)) as reader:
        found = figure_rows(reader, line, place, first, last)
    if output != "table":
        _write(found.rows, output)
        return
    typer.echo(f"{LINES[line]} ({line}): {found.figure.normalize():,f}")
    shown = [_short(row, of_all=campaign is None) for row in found.rows[:_SHOWN_ROWS]]
    emit(shown, Format.TABLE, empty="No rows: the figure is 0.")
    left = len(found.rows) - len(shown)
    if left:
        typer.echo(f"{DASH} and {left:,} more rows: --format csv or json shows all.")


def lead(
    lead_key: Annotated[str, typer.Argument(help="A lead_key, like hubspot:1234.")],
    profile: ProfileOption = None,
    output: OutputOption = "table",
) -> None:
    """The life of one lead: visits with credit, submissions with cause, stages, verdict, deals."""
    from trueline.report.rows import lead_life
    from trueline.warehouse import open_reader

    with open_reader(load_profile(profile)) as reader:
        rows = lead_life(reader, lead_key)
    if output == "table":
        # Who looks up one person reads from top to bottom; whose ad account it was says little.
        rows = [{k: v for k, v in row.items() if k != "account_id"} for row in rows]
    _write(rows, output)


def drift(
    profile: ProfileOption = None,
    first_date: FirstOption = None,
    last_date: LastOption = None,
    output: OutputOption = "table",
) -> None:
    """How much each platform still changes a day's claims and cost, by the day's age."""
    from trueline.report.drift import drift as drift_of
    from trueline.warehouse import open_reader

    first = parse_day(first_date, what="--first-date") if first_date else None
    last = parse_day(last_date, what="--last-date") if last_date else None
    with open_reader(load_profile(profile)) as reader:
        found = drift_of(reader, first, last)
    rows = [asdict(each) for each in found]
    if output == "table":
        rows = [_short_drift(row) for row in rows]
    _write(rows, output, empty="No day was pulled twice so far: nobody knows how figures move.")


def _write(rows: Sequence[dict[str, Any]], output: str, *, empty: str = "No rows.") -> None:
    if output == "csv":
        from trueline.report.files import csv_text

        typer.echo(csv_text(list(rows[0]) if rows else [], rows), nl=False)
    elif output in ("table", "json"):
        emit(rows, Format(output), empty=empty)
    else:
        raise ConfigurationError(f"There is no format {output!r}.", fix="Use table, json or csv.")


def _short(row: dict[str, Any], *, of_all: bool) -> dict[str, Any]:
    """What fits a terminal; json and csv have every column."""
    place = {"channel": row["platform"], "campaign_id": row["campaign_id"]} if of_all else {}
    return {
        "day": row["report_date"],
        **place,
        "goal": row["conversion_goal"],
        "row": f"{row['row_kind']} {row['row_key']}",
        "lead": row["lead_key"],
        "why": row["why"],
        "because_of": row["because_of"],
        "amount": row["amount"],
    }


def _short_drift(row: dict[str, Any]) -> dict[str, Any]:
    from trueline.report import figures

    return {
        "channel": row["platform"],
        "account": row["account_id"],
        "measure": row["measure"],
        "after_days": row["age"],
        "days": row["days"],
        "told_then": row["figure_then"],
        "told_now": row["figure_now"],
        "moved": row["moved"],
        "moved_share": figures.rate(row["moved_share"]),
        "median_day": figures.rate(row["median_day"]),
    }
