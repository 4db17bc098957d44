"""``trueline check``: the gates at the borders, or what a source lacks before its first run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from trueline.cli.output import Format, emit, printable
from trueline.errors import ConfigurationError, TruelineError
from trueline.settings.profile import Profile, load_profile
from trueline.sources.checks import CheckResult
from trueline.windows import utc_now

ALL = "all"
BORDERS = ("raw", "marts", "activation")
_MARKS = {"ok": ("✓", "green"), "note": ("•", "yellow"), "failed": ("✗", "red")}


def check(
    profile: Annotated[Path | None, typer.Option("--profile", help="Profile to use.")] = None,
    border: Annotated[
        list[str] | None, typer.Option(help="raw, marts or activation; default all.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Try this source (or all) instead: access, accounts, files. No gates."),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="table or json.")] = Format.TABLE,
) -> None:
    """Run the gates, or try a source; what is not as promised ends with exit code 1 or 2."""
    chosen = load_profile(profile)
    if source and border:
        raise ConfigurationError(
            "--source and --border are two different checks.", fix="Give one of them."
        )
    if source:
        code = _try_sources(chosen, source, output)
        raise typer.Exit(code)
    _run_gates(chosen, border or BORDERS, output)


def _run_gates(profile: Profile, borders: Sequence[str], output: Format) -> None:
    from trueline import pipeline
    from trueline.quality.gates import GateFailed

    rows: list[dict[str, Any]] = []
    closed: list[GateFailed] = []
    for name in borders:
        if name not in BORDERS:
            raise ConfigurationError(
                f"There is no border {name!r}.", fix="Use raw, marts or activation."
            )
        try:
            results = pipeline.check(profile, name, run_label="cli").results  # type: ignore[arg-type]
            unkept = [result for result in results if not result.success]
            kept = len(results) - len(unkept)
        except GateFailed as error:
            closed.append(error)
            unkept, kept = [*error.failed, *error.broken], None
        rows.append({"border": name, "expectation": "promises kept", "kept": kept})
        rows += [
            {
                "border": name,
                "expectation": f"{result.suite}: {result.expectation}",
                "severity": result.severity,
                "state": "broken" if result.exception is not None else "failed",
                "unexpected_rows": result.unexpected_rows,
                "why": result.why,
            }
            for result in unkept
        ]
    names = ("border", "expectation", "kept", "severity", "state", "unexpected_rows", "why")
    emit([{name: row.get(name) for name in names} for row in rows], output, empty="")
    if closed:
        raise closed[0]


def _try_sources(profile: Profile, wanted: Sequence[str], output: Format) -> int:
    from trueline.sources.checks import worst

    names = list(profile.sources) if ALL in wanted else list(dict.fromkeys(wanted))
    for name in names:
        if name not in profile.sources:
            raise ConfigurationError(
                f"There is no source {name!r}.",
                where=str(profile.path),
                fix=f"Use one of {', '.join(profile.sources)}, or {ALL}.",
            )
    found: list[CheckResult] = []
    rows: list[dict[str, Any]] = []
    for name in names:
        if output is Format.TABLE:
            typer.echo(f"{name} ({profile.sources[name].type})")
        for result in _lines(profile, name):
            found.append(result)
            if output is Format.TABLE:
                _print(result)
            rows.append(
                {
                    "source": name,
                    "check": result.what,
                    "state": result.state,
                    "told": result.told,
                    "fix": result.fix,
                }
            )
    if output is Format.JSON:
        emit(rows, output, empty="")
    else:
        failed = sum(result.state == "failed" for result in found)
        typer.echo("All is well." if not failed else f"{failed} of {len(found)} failed.")
    return worst(found)


def _lines(profile: Profile, name: str) -> Iterator[CheckResult]:
    from trueline.connections import connection_from_env
    from trueline.sources.check import check_source
    from trueline.sources.checks import failure

    settings = profile.sources[name]
    connection = None
    if settings.connection:
        try:
            connection = connection_from_env(settings.connection, profile.token_folder)
        except ConfigurationError as error:
            yield failure("connection", error)
            return
        yield CheckResult("connection", "ok", f"{settings.connection} is there")
    today = utc_now().astimezone(ZoneInfo(profile.time_zone)).date()
    try:
        yield from check_source(settings, connection, root=profile.root, today=today)
    except TruelineError as error:
        yield failure("source", error)


def _print(result: CheckResult) -> None:
    mark, colour = _MARKS[result.state]
    typer.echo(f"  {typer.style(mark, fg=colour)} {result.what}: {printable(result.told)}")
    if result.fix:
        typer.echo(f"    What to do: {result.fix}")
