"""Every statement that a build or a load composes, so that the static gate can check them all."""

from __future__ import annotations

from collections.abc import Iterable

from trueline.model.catalog import Table, build_order, load_catalog

#: Where the gate is told that a load or a build keeps its rows until they are appended.
SCRATCH = "scratch"


def delete_all(table: Table) -> str:
    """Delete every row; of a partitioned table BigQuery wants to hear that all days are meant."""
    return f"delete from {table.key} where {all_days(table)}"


def all_days(table: Table) -> str:
    """A condition that every row of the table meets."""
    if table.partition_by is None:
        return "true"
    column = table.partition_column
    if column == table.partition_by:
        return f"{column} >= @history_start"
    return f"{column} >= timestamp(@history_start)"


def insert_query(table: Table) -> str:
    """Insert what the table's query gives."""
    return f"insert into {table.key} ({_columns(table)})\n{table.query}"


def append_rows(table: Table, place: str) -> str:
    """Append the rows that wait in ``place`` (``dataset.table``)."""
    columns = _columns(table)
    return f"insert into {table.key} ({columns}) select {columns} from {place}"


def keep_round(table: Table) -> str:
    """The next round of a repeated query, in a temporary table."""
    return f"create temp table {_round(table)} as\n{table.query}"


def count_changes(table: Table, fresh: str) -> str:
    """How many rows of ``fresh`` are not in the table yet."""
    columns = _columns(table)
    return (
        f"select count(*) as n from (select {columns} from {fresh} "
        f"except distinct select {columns} from {table.key})"
    )


def count_round_changes(table: Table) -> str:
    return count_changes(table, _round(table))


def insert_round(table: Table) -> str:
    return append_rows(table, _round(table))


def drop_round(table: Table) -> str:
    return f"drop table {_round(table)}"


def delete_rules_version(table: Table) -> str:
    return f"delete from {table.key} where rules_version = @rules_version"


def insert_values(table: Table, parameter: str = "rows") -> str:
    """Insert rows that come as one parameter, an array of structs."""
    columns = _columns(table)
    return f"insert into {table.key} ({columns}) select {columns} from unnest(@{parameter})"


def transaction_script(statements: Iterable[str]) -> str:
    """Several statements as one script: all of them or none."""
    body = "".join(f"{statement};\n" for statement in statements)
    return f"begin transaction;\n{body}commit transaction;\n"


def all_statements() -> dict[str, str]:
    """Name → statement; the temporary tables of repeated queries are checked by their query."""
    catalog = load_catalog()
    found = {}
    for table in build_order(catalog):
        for compose in (delete_all, insert_query):
            found[f"{compose.__name__} {table.key}"] = compose(table)
    for table in catalog.values():
        if table.layer == "rules":
            found[f"delete_rules_version {table.key}"] = delete_rules_version(table)
    return found


def _columns(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)


def _round(table: Table) -> str:
    return f"_round_{table.name}"
