"""``trueline build``: the tables anew from what was loaded, through the gates, to the readers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from trueline.cli.output import Format, emit
from trueline.cli.progress_lines import progress_shown
from trueline.errors import ConfigurationError
from trueline.settings.profile import Profile, load_profile
from trueline.windows import Window, moment_of, parse_day

ModeOption = Annotated[
    str,
    typer.Option(
        help="incremental: what changed; full: everything; auto: what is quicker. Same figures."
    ),
]


def build(
    profile: Annotated[Path | None, typer.Option("--profile", help="Profile to use.")] = None,
    window_start: Annotated[
        str | None, typer.Option(help="Compute these days anew whatever changed: the first.")
    ] = None,
    window_end: Annotated[str | None, typer.Option(help="The last; the first by default.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Pretend that it is this moment.")] = None,
    mode: ModeOption = "auto",
    output: Annotated[Format, typer.Option("--format", help="table or json.")] = Format.TABLE,
) -> None:
    """Check, build, check and publish what was loaded; no source is asked."""
    chosen = load_profile(profile)
    if window_end and not window_start:
        raise ConfigurationError(
            "--window-end says the last of no days.", fix="Add --window-start, or leave both out."
        )
    window = None
    if window_start:
        first = parse_day(window_start, what="--window-start")
        last = parse_day(window_end, what="--window-end") if window_end else first
        window = Window(first, last)
    steps: list[dict[str, Any]] = []

    def done(step: str, counts: dict[str, Any]) -> None:
        steps.append({"step": step, "result": counts})
        if output is Format.TABLE:
            told = ", ".join(f"{key} {value}" for key, value in counts.items() if key != "rows")
            typer.echo(f"{step}: {told}")

    build_and_publish(chosen, window, moment_of(as_of), mode, done)
    if output is Format.JSON:
        emit(steps, output, empty="")


def build_and_publish(
    profile: Profile,
    window: Window | None,
    as_of: datetime | None,
    mode: str,
    done: Callable[[str, dict[str, Any]], None],
) -> None:
    """From raw rows to readers; a gate that closes stops it, and readers keep what they have."""
    from trueline import pipeline
    from trueline.pipeline.build import Mode

    if mode not in get_args(Mode):
        raise ConfigurationError(
            f"There is no mode {mode!r}.", fix=f"Use one of {', '.join(get_args(Mode))}."
        )
    done("gate raw", pipeline.check(profile, "raw", run_label="cli").as_dict())
    with progress_shown("build"):
        built = pipeline.build(
            profile,
            window,
            as_of=as_of,
            mode=mode,  # type: ignore[arg-type]
            run_label="cli",
        )
    done("build", built.as_dict())
    done("gate marts", pipeline.check(profile, "marts", run_label="cli").as_dict())
    done("publish", pipeline.publish(profile, run_label="cli").as_dict())
