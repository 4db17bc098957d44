"""``trueline sql show|run|test``: look at a table's query, run it, run its stories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trueline.cli.output import Format, emit
from trueline.errors import ConfigurationError
from trueline.model.catalog import Table, load_catalog
from trueline.settings.profile import load_profile

app = typer.Typer(no_args_is_help=True, help="The queries behind the numbers.")
TableArgument = Annotated[str, typer.Argument(help="layer.table, for example marts.funnel_daily")]
ProfileOption = Annotated[Path | None, typer.Option("--profile", help="Profile to use.")]
FormatOption = Annotated[Format, typer.Option("--format", help="table or json.")]


@app.command()
def show(
    table: TableArgument,
    profile: ProfileOption = None,
    engine: Annotated[str, typer.Option(help="bigquery (as written) or duckdb.")] = "bigquery",
    output: FormatOption = Format.TABLE,
) -> None:
    """What a table is, what it reads, its columns and its query."""
    from trueline.warehouse.dialect import to_duckdb

    found = _table(table)
    if engine not in ("bigquery", "duckdb"):
        raise ConfigurationError(f"There is no engine {engine!r}.", fix="Use bigquery or duckdb.")
    query = found.query
    if query and engine == "duckdb":
        query = to_duckdb(query)
    columns = [
        {
            "column": column.name,
            "type": column.type,
            "personal": column.personal,
            "description": column.description,
        }
        for column in found.columns
    ]
    if output is Format.JSON:
        emit([{"table": found.key, "purpose": found.purpose, "query": query}], output, empty="")
        return
    typer.echo(f"{found.key}: {found.purpose}\none row per {', '.join(found.grain)}\n")
    emit(columns, output, empty="")
    typer.echo(f"\nreads: {', '.join(sorted(found.reads)) or 'nothing, it is loaded'}")
    typer.echo(f"parameters: {', '.join(sorted(found.parameters)) or 'none'}\n")
    typer.echo(query or "")


@app.command()
def run(
    table: TableArgument,
    profile: ProfileOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 20,
    output: FormatOption = Format.TABLE,
) -> None:
    """Run a table's query over the warehouse as it is now, and show its rows. Changes nothing."""
    from trueline.pipeline.build import run_parameters
    from trueline.rulebook import load_rulebook
    from trueline.warehouse import Work, open_warehouse
    from trueline.windows import utc_now

    found = _computed(table)
    if found.kind == "report":
        raise ConfigurationError(f"{found.key} is a report.", fix="Use trueline report.")
    chosen = load_profile(profile)
    rulebook = load_rulebook(chosen.rulebook, chosen.time_zone)
    work = Work("sql_run", f"{utc_now():%Y%m%dT%H%M%S}", "cli")
    with open_warehouse(chosen, work) as warehouse:
        warehouse.ensure_tables(load_catalog().values())
        newest = warehouse.query("select max(as_of) as as_of from ops.runs")[0]["as_of"]
        parameters = run_parameters(chosen, rulebook, newest or utc_now())
        rows = warehouse.query(f"select * from (\n{found.query}\n) limit {limit}", parameters)
    emit(rows, output, empty="The query gives no rows.")


@app.command("test")
def run_stories(
    table: Annotated[str | None, typer.Argument(help="layer.table; all tables by default")] = None,
    profile: ProfileOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Run the stories that say what a table must make of which rows."""
    from trueline.model.cases import find_cases, read_case, run_case

    tables = [_computed(table)] if table else [t for t in load_catalog().values() if t.query]
    rows = []
    for each in tables:
        for path in find_cases(each):
            differences = run_case(read_case(path))
            rows.append(
                {
                    "table": each.key,
                    "case": path.stem,
                    "passed": not differences,
                    "differences": "; ".join(differences) or None,
                }
            )
    emit(rows, output, empty="There are no cases.")
    if not rows or not all(row["passed"] for row in rows):
        raise typer.Exit(1)


def _table(name: str) -> Table:
    catalog = load_catalog()
    if name not in catalog:
        raise ConfigurationError(
            f"There is no table {name!r}.", fix=f"Use one of {', '.join(catalog)}."
        )
    return catalog[name]


def _computed(name: str) -> Table:
    table = _table(name)
    if table.query is None:
        raise ConfigurationError(
            f"{name} is loaded, not computed: it has no query.", fix="Name a computed table."
        )
    return table
