"""``trueline cost``: what a daily run reads on BigQuery, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trueline.cli.output import Format, emit
from trueline.cost.estimate import PRICE_PER_TIB
from trueline.errors import ConfigurationError
from trueline.model.catalog import Table, load_catalog
from trueline.settings.profile import DuckDBSettings, Profile, load_profile

if TYPE_CHECKING:
    from trueline.cost.queries import Query
    from trueline.cost.sizes import Sizes

ProfileOption = Annotated[Path | None, typer.Option("--profile", help="Profile to use.")]


def cost(
    profile: ProfileOption = None,
    days_touched: Annotated[int, typer.Option(min=1, help="Days that a run loads again.")] = 31,
    history_days: Annotated[
        int | None, typer.Option(min=1, help="Days of history; default what is there.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="layer.table: what is read of what.")] = None,
    price_per_tib: Annotated[
        float, typer.Option(min=0, help="USD per TiB, on demand.")
    ] = PRICE_PER_TIB,
    sizes: Annotated[
        str | None,
        typer.Option(
            help="measured (on BigQuery this reads every table once) or example; default: "
            "measured where an embedded warehouse is there."
        ),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="table or json.")] = Format.TABLE,
) -> None:
    """What a daily run reads on BigQuery, per table, and what it costs. Runs nothing there."""
    from trueline.cost.estimate import Estimator
    from trueline.cost.lines import Days, lines_by_table
    from trueline.cost.queries import daily_run
    from trueline.cost.tables import print_reads, print_run, reads_as_rows, run_as_rows
    from trueline.paths import home
    from trueline.quality.suites import load_suites

    catalog = load_catalog()
    if table is not None and table not in catalog:
        raise ConfigurationError(
            f"There is no table {table!r}.", fix=f"Use one of {', '.join(catalog)}."
        )
    known = _sizes(load_profile(profile), sizes, catalog)
    estimator = Estimator(catalog, known)
    days = Days(history_days or known.history_days, days_touched)
    run = daily_run(catalog, load_suites(home() / "great_expectations"))
    if table is not None:
        queries = _queries_of(table, run)
        if output is Format.JSON:
            emit(reads_as_rows(queries, estimator, days), output, empty="")
        else:
            print_reads(table, queries, estimator, days)
    elif output is Format.JSON:
        rows = run_as_rows(lines_by_table(run, estimator, days), days, price_per_tib)
        emit(rows, output, empty="")
    else:
        print_run(run, estimator, days, price_per_tib)


def _queries_of(table: str, run: Sequence[Query]) -> list[Query]:
    """What builds the table; for a loaded one, what reads it."""
    from trueline.cost.queries import Step

    own = [query for query in run if query.subject == table]
    if any(query.step in (Step.BUILD, Step.REPORT) for query in own):
        return own
    return [
        query
        for query in run
        if query.subject == table or any(scan.table == table for scan in query.scans)
    ]


def _sizes(profile: Profile, wanted: str | None, catalog: Mapping[str, Table]) -> Sizes:
    from trueline.cost.example import example_sizes

    if wanted not in (None, "measured", "example"):
        raise ConfigurationError(f"There are no sizes {wanted!r}.", fix="Use measured or example.")
    is_embedded = isinstance(profile.warehouse, DuckDBSettings)
    is_there = is_embedded and (profile.data_folder / "warehouse.duckdb").exists()
    if wanted == "example" or (wanted is None and not is_there):
        return example_sizes(catalog)
    if is_embedded and not is_there:
        raise ConfigurationError(
            "There is no warehouse to measure yet.",
            where=str(profile.data_folder),
            fix="Run the pipeline first (trueline run), or use --sizes example.",
        )
    return _measured(profile, catalog)


def _measured(profile: Profile, catalog: Mapping[str, Table]) -> Sizes:
    from trueline.cost.sizes import Sizes, history_days, measure
    from trueline.warehouse import Work, open_warehouse
    from trueline.windows import utc_now

    # Clear values lie in a place of their own, which no query reads.
    tables = [
        table
        for table in catalog.values()
        if table.kind == "table" and table.layer != "raw_restricted"
    ]
    work = Work("measure", f"{utc_now():%Y%m%dT%H%M%S}", "cli")
    with open_warehouse(profile, work) as warehouse:
        warehouse.ensure_tables(tables)
        found = measure(warehouse, tables)
    told_by = f"measured in the warehouse of profile {profile.name}"
    return Sizes(found, history_days(found), told_by)
