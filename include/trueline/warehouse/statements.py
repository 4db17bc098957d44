"""Every statement that a build or a load composes, so that the static gate can check them all."""

from __future__ import annotations

from collections.abc import Iterable

from trueline.model.catalog import Table, build_order, load_catalog


def delete_all(table: Table) -> str:
    """Delete every row; of a partitioned table BigQuery wants to hear that all days are meant.

    Snapshots of other days stay: they cannot be computed again.
    """
    if table.rebuilt_by == "snapshot":
        return f"delete from {table.key} where as_of_date = @as_of_date"
    return f"delete from {table.key} where {table.from_day('@history_start')}"


def insert_query(table: Table) -> str:
    """Insert what the table's query gives."""
    return f"insert into {table.key} ({_columns(table)})\n{table.query}"


def append_rows(table: Table, place: str) -> str:
    """Append the rows that wait in ``place`` (``dataset.table``)."""
    columns = _columns(table)
    return f"insert into {table.key} ({columns}) select {columns} from {place}"


def append_load(table: Table, place: str) -> str:
    """Append the rows of a pull that wait in ``place``, all stamped with the moment of the commit.

    ``@given_up`` names the loads that turned out not to count while they came in.
    """
    columns = [column.name for column in table.columns]
    taken = ", ".join("@loaded_at" if name == "loaded_at" else name for name in columns)
    return (
        f"insert into {table.key} ({', '.join(columns)}) select {taken} from {place} "
        "where load_id not in "
        "(select given_up from unnest(cast(@given_up as array<string>)) as given_up)"
    )


def covering_loads() -> str:
    """Loads that count and cover some of the accounts' days, oldest first."""
    return """
        select
            coverage.load_id,
            coverage.subject,
            coverage.account_id,
            coverage.first_date,
            coverage.last_date
        from raw.load_coverage as coverage
        where
            coverage.report = @report
            and coverage.account_id in (
                select asked from unnest(cast(@account_ids as array<string>)) as asked
            )
            and coverage.first_date <= @last_date
            and coverage.last_date >= @first_date
            and coverage.load_id in (
                select load_id from raw.loads where status in ('loaded', 'accepted')
            )
            and coverage.load_id not in (select load_id from raw.loads where status = 'rejected')
        order by coverage.loaded_at, coverage.load_id
        """


def day_rows(table: Table, measure: str | None) -> str:
    """Rows per account, day and load, and the sum of a measure."""
    cost = f"sum({measure})" if measure else "0"
    return f"""
        select
            platform,
            account_id,
            platform_date,
            load_id,
            count(distinct row_hash) as row_count,
            {cost} as cost
        from {table.key}
        where
            platform_date between @first_date and @last_date
            and account_id in (
                select asked from unnest(cast(@account_ids as array<string>)) as asked
            )
            and load_id in (
                select wanted from unnest(cast(@load_ids as array<string>)) as wanted
            )
        group by platform, account_id, platform_date, load_id
        """


def rows_of_loads(table: Table) -> str:
    """The rows that some loads brought; their ids are sorted, so a range finds them quickly.

    A list is joined faster than it is searched for every row.
    """
    return (
        f"select {_columns(table)} from {table.key} where {table.from_day('@history_start')} "
        "and load_id between @first_load and @last_load "
        "and load_id in (select wanted from unnest(cast(@load_ids as array<string>)) as wanted)"
    )


def count_by_load(table: Table) -> str:
    """How many rows each load brought."""
    return (
        f"select load_id, count(*) as row_count from {table.key} "
        f"where {table.from_day('@history_start')} group by load_id"
    )


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
        if table.layer in ("raw", "raw_restricted"):
            found[f"count_by_load {table.key}"] = count_by_load(table)
            found[f"rows_of_loads {table.key}"] = rows_of_loads(table)
    found["covering_loads"] = covering_loads()
    found["day_rows raw.ad_delivery"] = day_rows(catalog["raw.ad_delivery"], "cost_micros")
    found["day_rows raw.pixel_claims"] = day_rows(catalog["raw.pixel_claims"], None)
    return found


def all_scripts() -> dict[str, str]:
    """Name → script as BigQuery gets it; rows wait in ``scratch.<layer>__<table>``."""
    catalog = load_catalog()
    swaps = [
        statement
        for table in build_order(catalog)
        for statement in (delete_all(table), append_rows(table, _scratch(table)))
    ]
    loads = [
        append_load(table, _scratch(table))
        for table in catalog.values()
        if table.layer in ("raw", "raw_restricted") and table.name != "loads"
    ]
    records = [
        insert_values(table, f"{table.name}_rows")
        for table in catalog.values()
        if table.layer == "ops" or table.key == "marts.campaign_judgements"
    ]
    rules = [
        statement
        for table in catalog.values()
        if table.layer == "rules"
        for statement in (delete_rules_version(table), insert_values(table, f"{table.name}_rows"))
    ]
    loads.append(insert_values(catalog["raw.loads"], "loads_rows"))
    scripts = {"build": [*swaps, *records], "load": loads, "rules": rules}
    return {name: transaction_script(parts) for name, parts in scripts.items()}


def _scratch(table: Table) -> str:
    return f"scratch.{table.layer}__{table.name}"


def _columns(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)


def _round(table: Table) -> str:
    return f"_round_{table.name}"
