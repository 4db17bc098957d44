"""``trueline move-history``: from the embedded warehouse to BigQuery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trueline.settings.profile import load_profile


def move_history(
    source_profile: Annotated[Path, typer.Option("--from", help="The profile with DuckDB.")],
    target_profile: Annotated[Path, typer.Option("--to", help="The profile with BigQuery.")],
    source: Annotated[list[str] | None, typer.Option(help="Only these sources.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would move.")] = False,
) -> None:
    """Move all that was loaded from DuckDB to BigQuery and build there. Safe to repeat."""
    from trueline import pipeline

    old, new = load_profile(source_profile), load_profile(target_profile)
    moved = pipeline.move_history(
        old, new, sources=source or (), dry_run=dry_run, progress=typer.echo
    )
    for table, rows in sorted(moved.rows.items()):
        typer.echo(f"{table}: {rows:,} rows")
    verb = "to move" if dry_run else "moved"
    typer.echo(f"{moved.loads:,} loads {verb}, {moved.loads_there:,} are there already")
    if moved.expired_loads:
        typer.echo(
            f"clear values of {moved.expired_loads:,} loads stay behind: they are older than "
            "warehouse.restricted_days"
        )
    if dry_run:
        return
    if moved.needs_build:
        built = pipeline.build(new, run_label="cli", progress=None)
        typer.echo(f"built {len(built.row_counts)} tables as of {built.as_of.isoformat()}")
    typer.echo(f"Next: trueline run --profile {target_profile}")
