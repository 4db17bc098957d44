"""Some old days computed anew from raw and compared: what is stored must not drift from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from trueline.model.catalog import Table
from trueline.pipeline.incremental import people, sources
from trueline.pipeline.incremental.parts import Parts
from trueline.pipeline.incremental.run import DERIVED_LAYERS, recompute_days_of
from trueline.warehouse import Transaction, scoped

# The moment that says on which day a raw row of a table without partitions lies.
_MOMENT_OF = {
    "raw.crm_leads": "crm_created_at",
    "raw.crm_stages": "changed_at",
    "raw.crm_deals": "deal_created_at",
}


def differences_of_days(
    transaction: Transaction,
    catalog: Mapping[str, Table],
    order: list[Table],
    parameters: dict[str, Any],
    days: list[date],
) -> dict[str, int]:
    """Compute everything that touches these days anew, from raw on, and replace nothing.

    Whoever did something on one of the days is computed whole, and so are the days themselves.

    Args:
        parameters: Those of the build that made the tables.

    Returns:
        Table → rows that are stored and not computed, or the other way round; empty where all is
        as it should be.
    """
    parts = Parts(transaction, catalog, parameters, replaces=False)
    parts.keep("changed_loads", f"select load_id from {sources.LOADS} where false")
    # The loads that counted for the build, also if a person has said something of one since.
    loads = parts.table(sources.LOADS)
    parts.keep(scoped.place("fresh", loads), scoped.rows(loads))
    for table in order:
        if table.layer != "staging" or table.key == sources.LOADS:
            continue
        if table.rebuilt_by == "day":
            sources.rebuild_days_from_raw(parts, table, days)
        elif table.rebuilt_by == "whole":
            parts.replace_all(table)
        else:
            assert isinstance(table.rebuilt_by, tuple), table.key
            _keep_keys_of_days(parts, table, table.rebuilt_by, days)
            sources.rebuild_by_keys(parts, table, table.rebuilt_by)
    derived = [
        table for table in order if table.layer in DERIVED_LAYERS and table.key not in people.GRAPH
    ]
    people.recompute_people_of_fresh_rows(parts, derived)
    for table in derived:
        if table.rebuilt_by == "day":
            recompute_days_of(parts, table, days)
    return {key: rows for key, rows in parts.differing.items() if rows}


def _keep_keys_of_days(parts: Parts, table: Table, keys: tuple[str, ...], days: list[date]) -> None:
    raw = sources.raw_table(parts, table)
    if raw.partition_column is not None:
        of_days = sources.raw_of_reporting_days(raw)
    else:
        moment = f"date(rows_of.{_MOMENT_OF[raw.key]}, @reporting_time_zone)"
        of_days = f"{moment} in unnest(@days)"
    told = "".join(f" and rows_of.{key} is not null" for key in keys)
    parts.keep(
        scoped.place("keys", table),
        f"select distinct {', '.join(keys)} from (\n"
        + scoped.rows(raw, f"{of_days}{told}", select=", ".join(f"rows_of.{key}" for key in keys))
        + "\n) as keys_of_days",
        days,
    )
