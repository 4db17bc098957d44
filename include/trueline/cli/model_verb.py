"""``trueline model fit|show|compare``: attribution models, and what they learnt."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from trueline.cli.output import Format, emit
from trueline.settings.profile import load_profile

app = typer.Typer(no_args_is_help=True, help="Attribution models: fit, look at, compare.")
ProfileOption = Annotated[Path | None, typer.Option("--profile", help="Profile to use.")]
FormatOption = Annotated[Format, typer.Option("--format", help="table or json.")]


@app.command()
def fit(
    model: Annotated[str, typer.Option(help="markov or shapley.")],
    first_date: Annotated[str, typer.Option("--from", help="First reporting day of the leads.")],
    last_date: Annotated[str, typer.Option("--to", help="Last reporting day, inclusive.")],
    profile: ProfileOption = None,
    model_id: Annotated[
        str | None, typer.Option("--id", help="Name; by default the model and its days.")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Learn each channel's weight from published leads, and keep it with the rulebook.

    Nothing changes until the rulebook names the fit.
    """
    from trueline.attribution.fit import fit_model
    from trueline.rulebook.fits import write_fit
    from trueline.warehouse import open_reader
    from trueline.windows import Window, parse_day

    chosen = load_profile(profile)
    window = Window(parse_day(first_date, what="--from"), parse_day(last_date, what="--to"))
    with open_reader(chosen) as reader:
        fitted = fit_model(reader, model, window, chosen.time_zone, model_id)
    path = write_fit(chosen.rulebook, fitted)
    emit(fitted.as_table(), output, empty="")
    if output is Format.TABLE:
        typer.echo(
            f"\nwritten: {path}\n{fitted.leads:,} leads, {fitted.first_date} to {fitted.last_date}."
            f" To use it, say in {chosen.rulebook / 'attribution.yaml'}:\n"
            f"  model: {fitted.model}\n  model_settings: {{fit: {fitted.model_id}}}"
        )


@app.command()
def show(
    model_id: Annotated[str | None, typer.Argument(help="One fit; all of them by default.")] = None,
    profile: ProfileOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """The model of the rulebook and the fits beside it, or the weights of one fit."""
    from trueline.rulebook import load_rulebook
    from trueline.rulebook.fits import known_fits, load_fit

    chosen = load_profile(profile)
    if model_id is not None:
        emit(load_fit(chosen.rulebook, model_id).as_table(), output, empty="")
        return
    rulebook = load_rulebook(chosen.rulebook, chosen.time_zone)
    if output is Format.TABLE:
        typer.echo(f"model: {rulebook.attribution.model} (rules {rulebook.version})\n")
    rows = [
        {
            "model_id": each.model_id,
            "model": each.model,
            "first_date": each.first_date,
            "last_date": each.last_date,
            "leads": each.leads,
            "in_use": each == rulebook.fit,
        }
        for each in known_fits(chosen.rulebook)
    ]
    emit(rows, output, empty="There are no fits: trueline model fit makes one.")


@app.command()
def compare(
    profile: ProfileOption = None,
    first_date: Annotated[
        str | None, typer.Option("--from", help="First reporting day of the leads.")
    ] = None,
    last_date: Annotated[str | None, typer.Option("--to", help="Last reporting day.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """The published leads under every model and fit, by channel. Changes nothing."""
    from trueline.attribution.compare import compare_models
    from trueline.rulebook import load_rulebook
    from trueline.rulebook.fits import known_fits
    from trueline.warehouse import open_reader
    from trueline.windows import parse_day

    chosen = load_profile(profile)
    first = parse_day(first_date, what="--from") if first_date else None
    last = parse_day(last_date, what="--to") if last_date else None
    rulebook = load_rulebook(chosen.rulebook, chosen.time_zone)
    with open_reader(chosen) as reader:
        rows = compare_models(reader, rulebook, known_fits(chosen.rulebook), first, last)
    if output is Format.TABLE:
        rows = [
            {
                name: round(value, 2) if isinstance(value, Decimal) else value
                for name, value in row.items()
            }
            for row in rows
        ]
    emit(rows, output, empty="There are no leads on these days.")
