"""What a query reads, from its text alone: per mention of a table its columns and partitions.

BigQuery bills "the total data processed in the columns you select" (BigQuery pricing, on-demand
compute): a column counts where its value is used on the way to the output, in a filter, a join, a
grouping or a window, and ``select *`` in a step costs only what later steps use of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from trueline.cost.partitions import Partitions, partitions_read
from trueline.errors import ConfigurationError
from trueline.model.catalog import Table


@dataclass(frozen=True, slots=True)
class Scan:
    """One mention of a table in a query."""

    table: str
    columns: frozenset[str]
    partitions: Partitions


def scans(sql: str, catalog: Mapping[str, Table], *, what: str = "a query") -> tuple[Scan, ...]:
    """Every mention of a table in one BigQuery query, in the order of table names.

    A step (CTE) counts once, however often later steps use it; a step that nothing uses is not
    read at all. Tables that the catalog does not know are refused.

    Args:
        what: Named in the error.

    Raises:
        ConfigurationError: the text is not a query over known tables and columns.
    """
    try:
        parsed = sqlglot.parse_one(sql, read="bigquery")
        tree = qualify(
            parsed,
            schema=_schema(parsed, catalog),
            dialect="bigquery",
            identify=False,
            quote_identifiers=False,
        )
        pruned = pushdown_projections(tree)
        found = [
            Scan(
                table=f"{source.db}.{source.name}",
                columns=_columns_of(alias, scope),
                partitions=partitions_read(
                    catalog[f"{source.db}.{source.name}"].partition_by, alias, scope.expression
                ),
            )
            for scope in traverse_scope(pruned)
            for alias, source in _base_tables(scope).items()
        ]
    except (sqlglot.errors.SqlglotError, KeyError) as error:
        told = " ".join(str(error).split())
        raise ConfigurationError(
            f"The cost of {what} cannot be told: {told}.",
            fix="Run make lint for the analyser's own message.",
        ) from None
    return tuple(sorted(found, key=lambda scan: (scan.table, sorted(scan.columns))))


def _base_tables(scope: Scope) -> dict[str, exp.Table]:
    """Alias → table for what the scope itself takes from the warehouse, not from a step."""
    return {
        alias: source
        for alias, (_, source) in scope.selected_sources.items()
        if isinstance(source, exp.Table)
    }


def _columns_of(alias: str, scope: Scope) -> frozenset[str]:
    # Columns of a subquery that looks outside belong to the scope whose row they look at.
    inner = [column for child in scope.subquery_scopes for column in child.external_columns]
    return frozenset(column.name for column in (*scope.columns, *inner) if column.table == alias)


def _schema(query: exp.Expr, catalog: Mapping[str, Table]) -> dict[str, object]:
    """Of the tables mentioned only: telling SQLGlot all of them takes longer than the query."""
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for mention in query.find_all(exp.Table):
        if mention.db:
            columns = catalog[f"{mention.db}.{mention.name}"].columns
            schema.setdefault(mention.db, {})[mention.name] = {
                column.name: column.type for column in columns
            }
    return cast("dict[str, object]", schema)
