"""``trueline health``: signs of a funnel that is driven for volume."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trueline.cli.output import Format, emit
from trueline.settings.profile import load_profile


def health(
    profile: Annotated[
        Path | None,
        typer.Option("--profile", help="Profile to use; default $TRUELINE_PROFILE, then config/."),
    ] = None,
    output: Annotated[
        Format, typer.Option("--format", help="table for people, json else.")
    ] = Format.TABLE,
) -> None:
    """Signs of a funnel driven for volume: more leads, less behind them."""
    from trueline.judgement.health import health as signs_of
    from trueline.report.health import figure
    from trueline.rulebook import load_rulebook
    from trueline.warehouse import open_reader

    chosen = load_profile(profile)
    with open_reader(chosen) as reader:
        found = signs_of(reader, load_rulebook(chosen.rulebook, chosen.time_zone))
    if output is Format.JSON:
        rows = [
            {
                "sign": sign.name,
                "shows": sign.shows,
                "measure": sign.measure,
                "before": sign.before,
                "recent": sign.recent,
                "sentence": sign.sentence,
            }
            for sign in found.signs
        ]
    else:
        rows = [
            {
                "sign": sign.name.replace("_", " "),
                "shows": "not known" if sign.shows is None else "yes" if sign.shows else "no",
                "measure": sign.measure,
                "before": figure(sign, sign.before),
                "recent": figure(sign, sign.recent),
                "what it says": sign.sentence,
            }
            for sign in found.signs
        ]
    emit(rows, output, empty="Nothing is known yet: build and publish first.")
    if output is Format.TABLE and found.recent:
        days = f"recent: {found.recent[0]} to {found.recent[1]}"
        if found.before:
            days += f", before: {found.before[0]} to {found.before[1]}"
        typer.echo(f"\n{days}, days whose verdicts are in.")
