"""Statements of an incremental run, which computes a part of each table and puts it in its place.

What a run has computed of ``layer.table`` waits beside the table in ``scratch``:

    old__layer__table        the stored rows of all keys that may have changed
    fresh__layer__table      the same keys computed anew
    diff__layer__table       rows that are in one of the two only, without their provenance
    replaced__layer__table   the keys whose rows differ: these alone are deleted and inserted
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trueline.model.catalog import Table

# When and by which pull a row came: such a difference alone changes no number further on.
PROVENANCE = frozenset({"load_id", "loaded_at", "as_of"})
# A stored row keeps the moment at which it was computed; that another moment gives it again is no
# difference.
MOMENT = frozenset({"as_of"})


def place(kind: str, table: Table) -> str:
    """The name of a kept part, without ``scratch.``."""
    return f"{kind}__{table.layer}__{table.name}"


def columns(table: Table, of: str = "", without: Iterable[str] = ()) -> str:
    """Column names, separated by commas, each with ``of`` before it."""
    prefix = f"{of}." if of else ""
    left_out = set(without)
    return ", ".join(prefix + each.name for each in table.columns if each.name not in left_out)


def rows(table: Table, condition: str = "true", join: str = "", select: str = "") -> str:
    """Stored rows as ``rows_of``, a filter on the partitions included."""
    return (
        f"select {select or columns(table, 'rows_of')}\nfrom {table.key} as rows_of\n{join}\n"
        f"where {_of_rows(table)} and {condition}"
    )


def rows_now(
    table: Table,
    keys: Sequence[str],
    condition: str = "true",
    join: str = "",
    select: str = "",
) -> str:
    """Rows as they will be when this run is committed: unchanged keys as stored, others anew.

    Args:
        keys: The columns of ``replaced``; none where the table was not touched.
        condition: On ``rows_of``.
        join: Inner joins to ``rows_of``; they must not multiply its rows.
        select: What to select of ``rows_of``; all columns by default.
    """
    select = select or columns(table, "rows_of")
    if not keys:
        return rows(table, condition, join, select)
    replaced = f"scratch.{place('replaced', table)}"
    matches = _matches("rows_of", "replaced", keys)
    return (
        f"select {select}\nfrom {table.key} as rows_of\n{join}\n"
        f"left join {replaced} as replaced on {matches}\n"
        f"where {_of_rows(table)} and replaced.{keys[0]} is null and {condition}\n"
        "union all\n"
        f"select {select}\nfrom scratch.{place('fresh', table)} as rows_of\n"
        f"{join}\n"
        f"inner join {replaced} as replaced on {matches}\n"
        f"where {condition}"
    )


def provenance(table: Table) -> frozenset[str]:
    """The columns of ``PROVENANCE`` that do not tell the table's rows apart."""
    return PROVENANCE - set(table.grain)


def differing_rows(table: Table, without: Iterable[str]) -> str:
    """Rows of ``old`` or ``fresh`` that the other does not have."""
    names = columns(table, without=without)
    old, fresh = f"scratch.{place('old', table)}", f"scratch.{place('fresh', table)}"
    return (
        f"(select {names} from {old} except distinct select {names} from {fresh})\n"
        f"union distinct\n"
        f"(select {names} from {fresh} except distinct select {names} from {old})"
    )


def differing_keys(table: Table, keys: Sequence[str]) -> str:
    """Keys of all rows that differ in anything but the moment of the build."""
    if any(each.name in PROVENANCE - MOMENT for each in table.columns):
        differing = f"(\n{differing_rows(table, MOMENT)}\n) as differing"
    else:
        differing = f"scratch.{place('diff', table)}"
    return f"select distinct {', '.join(keys)} from {differing}"


def stored_days(table: Table, keys: Sequence[str]) -> str:
    """In which partitions the rows to delete lie."""
    replaced = f"scratch.{place('replaced', table)}"
    return (
        f"select distinct rows_of.{table.partition_column} as day\n"
        f"from scratch.{place('old', table)} as rows_of\n"
        f"inner join {replaced} as replaced on {_matches('rows_of', 'replaced', keys)}"
    )


def growth(table: Table, keys: Sequence[str]) -> str:
    """How many rows the table has more when the keys that differ are replaced."""
    replaced = f"scratch.{place('replaced', table)}"
    matches = _matches("rows_of", "replaced", keys)
    counts = [
        f"(select count(*) from scratch.{place(kind, table)} as rows_of "
        f"inner join {replaced} as replaced on {matches})"
        for kind in ("fresh", "old")
    ]
    return f"select {' - '.join(counts)} as n"


def changed_days(table: Table, column: str = "report_date") -> str:
    """Days with a row that differs, old or new."""
    return f"select distinct {column} as day from scratch.{place('diff', table)}"


def delete_replaced(table: Table, keys: Sequence[str], *, by_days: bool) -> str:
    """Delete the rows of the keys that differ; ``@days`` names the partitions where they lie."""
    replaced = f"scratch.{place('replaced', table)}"
    if len(keys) == 1:
        condition = f"{keys[0]} in (select {keys[0]} from {replaced})"
    else:
        condition = (
            f"exists (select 1 from {replaced} as replaced "
            f"where {_matches('replaced', 'rows_of', keys)})"
        )
    days = f"{table.partition_column} in unnest(@days) and " if by_days else ""
    return f"delete from {table.key} as rows_of where {days}{condition}"


def insert_replaced(table: Table, keys: Sequence[str]) -> str:
    """Insert what was computed anew of the keys that differ."""
    return (
        f"insert into {table.key} ({columns(table)})\n"
        f"select {columns(table, 'rows_of')} from scratch.{place('fresh', table)} as rows_of\n"
        f"inner join scratch.{place('replaced', table)} as replaced "
        f"on {_matches('rows_of', 'replaced', keys)}"
    )


def fresh_rows(table: Table) -> str:
    return f"select count(*) as n from scratch.{place('fresh', table)}"


def insert_fresh(table: Table) -> str:
    names = columns(table)
    return f"insert into {table.key} ({names}) select {names} from scratch.{place('fresh', table)}"


def _of_rows(table: Table) -> str:
    condition = table.from_day("@history_start")
    return condition if condition == "true" else f"rows_of.{condition}"


def _matches(left: str, right: str, keys: Sequence[str]) -> str:
    return " and ".join(f"{left}.{key} = {right}.{key}" for key in keys)
