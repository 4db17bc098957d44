"""The verbs. Exit codes: 0 done, 1 the data or a platform says no, 2 a setting has to change."""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from trueline import __version__
from trueline.cli import (
    build_verb,
    check_verb,
    cost_verb,
    explain_verbs,
    health_verb,
    mapping_verb,
    model_verb,
    move_verb,
    sql_verbs,
)
from trueline.cli.output import Format, emit
from trueline.cli.progress_lines import progress_shown
from trueline.errors import ConfigurationError, TruelineError
from trueline.redaction import RedactingFilter, redact
from trueline.settings.profile import Profile, load_profile
from trueline.windows import Window, moment_of, parse_day, utc_now

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Pixel conversions, real leads and qualified leads side by side, both gaps explained.",
)
key_app = typer.Typer(no_args_is_help=True, help="The secret behind all keyed personal data.")
app.add_typer(sql_verbs.app, name="sql")
app.add_typer(mapping_verb.app, name="mapping")
app.add_typer(model_verb.app, name="model")
app.add_typer(key_app, name="key")
app.command()(build_verb.build)
app.command()(check_verb.check)
app.command()(cost_verb.cost)
app.command()(health_verb.health)
app.command()(explain_verbs.explain)
app.command()(explain_verbs.lead)
app.command()(explain_verbs.drift)
app.command("move-history")(move_verb.move_history)

ProfileOption = Annotated[
    Path | None,
    typer.Option("--profile", help="Profile to use; default $TRUELINE_PROFILE, then config/."),
]
FormatOption = Annotated[Format, typer.Option("--format", help="table for people, json else.")]


def main() -> None:
    """Run the command line; errors are sentences, never traces."""
    try:
        # Without its standalone mode, click returns a verb's exit code instead of raising it.
        sys.exit(app(standalone_mode=False))
    except typer.Abort:
        sys.exit(130)
    except TruelineError as error:
        typer.echo(redact(str(error)), err=True)
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)
    except Exception as error:
        # Click's own usage errors know how to show themselves.
        if hasattr(error, "show"):
            error.show()
            sys.exit(getattr(error, "exit_code", 2))
        # A library's message may quote the row that it stumbled over.
        typer.echo("".join(traceback.format_tb(error.__traceback__)), err=True, nl=False)
        typer.echo(redact(f"{type(error).__name__}: {error}"), err=True)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trueline {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what happens.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(message)s",
        stream=sys.stderr,
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(RedactingFilter())


@app.command()
def run(
    profile: ProfileOption = None,
    window_start: Annotated[str | None, typer.Option(help="First day, YYYY-MM-DD.")] = None,
    window_end: Annotated[str | None, typer.Option(help="Last day; default yesterday.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only these sources.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Pretend that it is this moment.")] = None,
    mode: build_verb.ModeOption = "auto",
    output: FormatOption = Format.TABLE,
) -> None:
    """Ingest all sources, check, build, check, publish: the whole daily run in one process."""
    from trueline import pipeline

    chosen = load_profile(profile)
    window = _window(chosen, window_start, window_end)
    rows: list[dict[str, Any]] = []

    def done(step: str, counts: dict[str, Any]) -> None:
        rows.append({"step": step, "result": counts})
        if output is Format.TABLE:
            told = ", ".join(f"{key} {value}" for key, value in counts.items() if key != "rows")
            typer.echo(f"{step}: {told}")

    failed: list[TruelineError] = []
    for name in source or chosen.sources:
        try:
            with progress_shown(f"{name}: {window}"):
                summary = pipeline.ingest(
                    chosen, name, window, connection=_connection(chosen, name), run_label="cli"
                )
        except TruelineError as error:
            # One platform's outage is no reason to leave the others' day behind.
            failed.append(error)
            done(f"ingest {name}", {"failed": error.family, "because": error.what})
        else:
            done(f"ingest {name}", summary.as_dict())
    if failed:
        typer.echo(
            "Nothing was built, what was loaded stays. Mend what follows, then run again:", err=True
        )
        for other in failed[1:]:
            typer.echo(redact(str(other)), err=True)
        raise failed[0]
    build_verb.build_and_publish(chosen, window, moment_of(as_of), mode, done)
    if output is Format.JSON:
        emit(rows, output, empty="")
    else:
        typer.echo("Next: trueline report --by channel")


@app.command()
def report(
    profile: ProfileOption = None,
    by: Annotated[
        str,
        typer.Option(help="channel, campaign, day, week, month, segment, landing_page or form."),
    ] = "campaign",
    output: Annotated[str, typer.Option("--format", help="table, json, csv or html.")] = "table",
    first_date: Annotated[str | None, typer.Option(help="First reporting day.")] = None,
    last_date: Annotated[str | None, typer.Option(help="Last reporting day.")] = None,
    out: Annotated[Path | None, typer.Option("--output", help="Write to this file.")] = None,
) -> None:
    """The three numbers side by side, with both gaps by cause."""
    from trueline.judgement.health import health
    from trueline.report.by import report_by
    from trueline.report.files import to_csv, to_json
    from trueline.report.headline import headline, loads_behind
    from trueline.report.judgement import judged
    from trueline.rulebook import load_rulebook
    from trueline.warehouse import open_reader

    if output not in ("table", "json", "csv", "html"):
        raise ConfigurationError(
            f"There is no format {output!r}.", fix="Use table, json, csv or html."
        )
    chosen = load_profile(profile)
    first = parse_day(first_date, what="--first-date") if first_date else None
    last = parse_day(last_date, what="--last-date") if last_date else None
    with open_reader(chosen) as reader:
        figures = judged(reader, report_by(reader, by, first, last))
        if output in ("table", "html"):
            signs = health(reader, load_rulebook(chosen.rulebook, chosen.time_zone))
        if output == "table":
            from trueline.report.table import print_report

            print_report(figures, health=signs)
            return
        if output == "html":
            from trueline.report.besides import read_besides
            from trueline.report.html import to_html

            by_channel = judged(reader, headline(reader, "channel", first, last))
            by_campaign = judged(reader, headline(reader, "campaign", first, last))
            loads = loads_behind(reader, by_campaign.provenance.as_of)
            besides = read_besides(reader, first, last)
            text = to_html(by_channel, by_campaign, loads, besides, health=signs)
        else:
            text = to_json(figures) if output == "json" else to_csv(figures)
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8-sig" if output == "csv" else "utf-8", newline="")
        typer.echo(f"written: {out}")


@app.command()
def loads(
    profile: ProfileOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Newest loads to show.")] = 50,
    accept: Annotated[str | None, typer.Option(help="Let this held load count.")] = None,
    reject: Annotated[str | None, typer.Option(help="Take this load back.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; needed with both.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """What came in: per load received, loaded, quarantined by reason, and the files skipped."""
    from trueline.pipeline import decide_load
    from trueline.pipeline.loads import newest_loads

    chosen = load_profile(profile)
    if (accept or reject) and not reason:
        raise ConfigurationError("Such a word needs a reason.", fix="Add --reason.")
    if accept:
        decide_load(chosen, accept, "accepted", reason or "")
    if reject:
        decide_load(chosen, reject, "rejected", reason or "")
    rows = newest_loads(chosen, limit)
    if output is Format.TABLE:
        rows = [_short_load(row) for row in rows]
    emit(rows, output, empty="Nothing was loaded yet.")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def sandbox(
    context: typer.Context,
    verb: Annotated[str, typer.Argument(help="serve or generate")],
    profile: ProfileOption = None,
) -> None:
    """The simulated company: serve its platforms' APIs, or generate its files."""
    import subprocess

    from trueline.paths import home

    if not (home() / "sandbox").is_dir():
        raise ConfigurationError(
            "The sandbox is not part of an installed package.", fix="Run from a checkout."
        )
    command = [sys.executable, "-m", "sandbox", verb, *context.args]
    raise typer.Exit(subprocess.run(command, cwd=home(), check=False).returncode)


@key_app.command("create")
def create_key(
    path: Annotated[Path, typer.Argument(help="File to write.")],
    profile: ProfileOption = None,
) -> None:
    """Make a random identity key, readable by you alone. Keep it: another key, other people."""
    from trueline.identity_keys import create_identity_key_file

    existed = path.exists()
    create_identity_key_file(path)
    typer.echo(f"{'kept the existing key' if existed else 'written'}: {path}")


def _short_load(row: dict[str, Any]) -> dict[str, Any]:
    """What fits a terminal; ``--format json`` has every column."""
    return {
        "load_id": row["load_id"],
        "source": row["source"],
        "file_or_pull": row["file_name"] or row["account_id"] or "pull",
        "table": row["table_name"],
        "status": f"{row['status']}: {row['reason']}" if row["reason"] else row["status"],
        "received": row["rows_received"],
        "loaded": row["rows_loaded"],
        "quarantined": row["rows_quarantined"],
        "by_reason": row["quarantined_by_reason"],
    }


def _window(profile: Profile, start: str | None, end: str | None) -> Window:
    today = utc_now().astimezone(ZoneInfo(profile.time_zone)).date()
    last: date = parse_day(end, what="--window-end") if end else today - timedelta(days=1)
    return Window(parse_day(start, what="--window-start") if start else last, last)


def _connection(profile: Profile, source: str) -> Any:
    from trueline.connections import connection_from_env

    settings = profile.sources.get(source)
    if settings is None or settings.connection is None:
        return None
    return connection_from_env(settings.connection, profile.token_folder)
