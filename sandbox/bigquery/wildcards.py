"""``dataset.events_2*``: all tables whose names begin so, with the columns of the newest.

Only a query that is a job of its own may name one. Which tables the suffix leaves is decided row by
row here; what such a query reads is therefore not estimated.
"""

from __future__ import annotations

from sqlglot import exp

from sandbox.bigquery.errors import ApiError, invalid_query
from sandbox.bigquery.sql import Names, table_nodes
from sandbox.bigquery.store import Table

SUFFIX = "_table_suffix"


def expanded(tree: exp.Expression, names: Names) -> exp.Expression:
    """The query with every wildcard written out; the tree itself where it has none.

    Raises:
        ApiError: no table has such a name.
    """
    if not isinstance(tree, exp.Query) or not any(
        _is_wildcard(n) for n in tree.find_all(exp.Table)
    ):
        return tree
    tree = tree.copy()
    for node in table_nodes(tree):
        if _is_wildcard(node):
            path = names.path(node)
            assert path is not None, "a temporary table has no star in its name"
            node.replace(_union(path, names, node.alias))
    return tree


def _is_wildcard(node: exp.Table) -> bool:
    return node.name.endswith("*")


def _union(path: tuple[str, str], names: Names, alias: str) -> exp.Subquery:
    dataset, prefix = path[0], path[1].removesuffix("*")
    tables = sorted(
        (
            table
            for table in names.store.tables.values()
            if table.dataset_id == dataset and table.table_id.startswith(prefix)
        ),
        key=lambda table: table.table_id,
    )
    if not tables:
        raise ApiError(
            "notFound",
            f"Not found: {names.store.project}:{dataset}.{path[1]} does not match any table.",
        )
    newest = max(tables, key=lambda table: (table.created, table.table_id))
    parts = [_part(table, newest, prefix) for table in tables]
    whole = parts[0]
    for part in parts[1:]:
        whole = exp.union(whole, part, distinct=False)
    return exp.Subquery(this=whole, alias=exp.TableAlias(this=exp.to_identifier(alias or "days")))


def _part(table: Table, newest: Table, prefix: str) -> exp.Select:
    columns: list[exp.Expression] = []
    for field in newest.fields:
        mine = table.column(field.name)
        if mine is not None and mine.sql_type() != field.sql_type():
            raise invalid_query(
                f"Cannot read field of type {mine.sql_type()} as {field.sql_type()} "
                f"Field: {field.name}"
            )
        name = exp.to_identifier(field.name, quoted=True)
        value = exp.column(name.copy()) if mine is not None else exp.null()
        columns.append(exp.alias_(value, name))
    suffix = exp.Literal.string(table.table_id.removeprefix(prefix))
    columns.append(exp.alias_(suffix, SUFFIX))
    return exp.select(*columns).from_(exp.table_(table.table_id, db=table.dataset_id, quoted=True))
