"""Every statement that a build or a load composes, so that the static gate can check them all."""

from __future__ import annotations

from trueline.model.catalog import Table, build_order, load_catalog


def delete_all(table: Table) -> str:
    return f"delete from {table.key} where true"


def insert_query(table: Table) -> str:
    """Insert what the table's query gives."""
    return f"insert into {table.key} ({_columns(table)})\n{table.query}"


def keep_round(table: Table) -> str:
    """The next round of a repeated query, in a temporary table."""
    return f"create temp table {_round(table)} as\n{table.query}"


def count_changes(table: Table) -> str:
    columns = _columns(table)
    return (
        f"select count(*) as n from (select {columns} from {_round(table)} "
        f"except distinct select {columns} from {table.key})"
    )


def insert_round(table: Table) -> str:
    columns = _columns(table)
    return f"insert into {table.key} ({columns}) select {columns} from {_round(table)}"


def drop_round(table: Table) -> str:
    return f"drop table {_round(table)}"


def count_rows(table: Table) -> str:
    return f"select count(*) as n from {table.key}"


def delete_rules_version(table: Table) -> str:
    return f"delete from {table.key} where rules_version = @rules_version"


def count_orphans(table: Table) -> str:
    """Rows of one source that a killed run left without a line in ``raw.loads``."""
    return f"select count(*) as orphans from {table.key} where {_ORPHANS}"


def delete_orphans(table: Table) -> str:
    return f"delete from {table.key} where {_ORPHANS}"


_ORPHANS = "source = @source and load_id not in (select load_id from raw.loads)"


def loaded_tables() -> list[Table]:
    """Raw tables that rows are loaded into."""
    return [
        table
        for table in load_catalog().values()
        if table.layer == "raw" and any(column.name == "row_hash" for column in table.columns)
    ]


def all_statements() -> dict[str, str]:
    """Name → statement; the temporary tables of repeated queries are checked by their query."""
    catalog = load_catalog()
    found = {}
    for table in build_order(catalog):
        for compose in (delete_all, insert_query, count_rows):
            found[f"{compose.__name__} {table.key}"] = compose(table)
    for table in catalog.values():
        if table.layer == "rules":
            found[f"delete_rules_version {table.key}"] = delete_rules_version(table)
    for table in loaded_tables():
        for compose in (count_orphans, delete_orphans):
            found[f"{compose.__name__} {table.key}"] = compose(table)
    return found


def _columns(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)


def _round(table: Table) -> str:
    return f"_round_{table.name}"
