"""``trueline mapping propose|list|check``: from a file of one's own to a mapping that reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trueline.cli.output import Format, emit
from trueline.errors import ConfigurationError
from trueline.sources.files import library
from trueline.sources.files.propose.trial import Trial
from trueline.sources.files.targets import Kind
from trueline.windows import utc_now

app = typer.Typer(no_args_is_help=True, help="How the columns of a file become fields.")
FileArgument = Annotated[Path, typer.Argument(help="The file to look at.")]
ZoneOption = Annotated[
    str, typer.Option(help="Time zone of times without offset, where the mapping has none.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="table for people, json else.")]


@app.command()
def propose(
    file: FileArgument,
    kind: Annotated[
        Kind | None, typer.Option(help="What the file is; found out by default.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write to this file.")] = None,
    time_zone: ZoneOption = "UTC",
) -> None:
    """Propose a mapping for a file, with every doubt; exit code 1 when something needed is missing.

    The mapping goes to standard output, what was found to standard error. No value of the file is
    shown.
    """
    from trueline.sources.files.propose.proposal import propose as propose_mapping

    made = propose_mapping(_there(file), kind, time_zone=time_zone, now=utc_now())
    if output is None:
        typer.echo(made.text, nl=False)
    elif made.text:
        if output.exists():
            raise ConfigurationError(
                "The file exists already.",
                where=str(output),
                fix="Name another file, or remove it: a mapping may hold somebody's decisions.",
            )
        output.write_text(made.text, encoding="utf-8")
    for sentence in made.found:
        _say(f"found: {sentence}")
    for sentence in made.doubts:
        _say(f"doubt: {sentence}")
    for sentence in made.missing:
        _say(f"missing: {sentence}")
    if made.trial is not None:
        for sentence in _told(made.trial):
            _say(sentence)
    if made.missing or made.trial is None or made.trial.refused:
        raise typer.Exit(1)


@app.command("list")
def list_ready_made(output: FormatOption = Format.TABLE) -> None:
    """The ready-made mappings: what each reads, and where its columns were checked."""
    from trueline.sources.files.mapping import load_mapping

    rows: list[dict[str, Any]] = []
    for name in library.names():
        about = library.about(name)
        row: dict[str, Any] = {
            "mapping": f"library/{name}.yaml",
            "kind": load_mapping(library.path_of(name)).kind,
            "about": about if output is Format.JSON else about.split(". ")[0],
            "columns_checked": library.is_checked(name),
        }
        rows.append(row)
    emit(rows, output, empty="There are none.")


@app.command()
def check(
    file: FileArgument,
    mapping: Annotated[Path, typer.Option(help="A mapping file, or library/NAME.yaml.")],
    time_zone: ZoneOption = "UTC",
    output: FormatOption = Format.TABLE,
) -> None:
    """Read a file with a mapping and count, without loading anything."""
    from trueline.sources.files.propose.trial import read_with

    trial = read_with(_there(file), mapping, time_zone=time_zone, now=utc_now())
    if trial.refused:
        raise trial.refused
    rows = [
        {
            "table": table,
            "received": counted.good + counted.bad,
            "good": counted.good,
            "quarantined": counted.bad,
            "by_reason": dict(counted.reasons.most_common()),
        }
        for table, counted in trial.tables.items()
    ]
    emit(rows, output, empty="The file holds nothing.")


def _there(file: Path) -> Path:
    if not file.is_file():
        raise ConfigurationError("There is no such file.", where=str(file), fix="Check the path.")
    return file


def _told(trial: Trial) -> list[str]:
    if trial.refused:
        return [f"tried: refused. {trial.refused.what}"]
    told = []
    for table, counted in trial.tables.items():
        received = counted.good + counted.bad
        rows = f"all {received:,} rows" if trial.is_whole else f"the {received:,} rows read"
        sentence = f"tried: {counted.good:,} of {rows} become raw.{table}"
        if counted.bad:
            reasons = ", ".join(f"{why} ({n:,})" for why, n in counted.reasons.most_common(5))
            sentence += f"; {counted.bad:,} would be quarantined: {reasons}"
        told.append(sentence)
    return told


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
