"""Data definition statements: CREATE, ALTER, DROP of tables, views, snapshots and datasets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlglot import exp

from sandbox.bigquery import ddl, sql
from sandbox.bigquery.destination import Destination
from sandbox.bigquery.errors import ApiError, invalid_query, no_table, not_covered
from sandbox.bigquery.session import Outcome, Session, in_bigquerys_words
from sandbox.bigquery.store import Dataset, Table


def define(session: Session, tree: Any) -> Outcome:
    """Run one definition.

    Raises:
        ApiError: it exists already, is not there, breaks a rule, or is not covered.
    """
    if isinstance(tree, sql.Snapshot):
        session.refuse_in_transaction()
        return _snapshot(session, tree) if tree.source else _drop_snapshot(session, tree)
    if isinstance(tree, exp.Create):
        properties = tree.args.get("properties")
        if properties and properties.find(exp.TemporaryProperty):
            return _temporary(session, tree)
    if isinstance(tree, exp.Drop) and tree.args["kind"] == "TABLE":
        node = tree.args["tables"][0]
        if not node.db and node.name.lower() in session.temporary:
            return _drop_temporary(session, node)
    session.refuse_in_transaction()
    match tree, tree.args.get("kind"):
        case exp.Create(), "TABLE":
            return _create_table(session, tree)
        case exp.Create(), "VIEW":
            return _create_view(session, tree)
        case exp.Create(), "SCHEMA":
            return _create_schema(session, tree)
        case exp.Alter(), "TABLE" | "VIEW":
            return _alter(session, tree)
        case exp.Drop(), "TABLE" | "VIEW":
            return _drop(session, tree)
        case exp.Drop(), "SCHEMA":
            return _drop_schema(session, tree)
    raise not_covered(f"{tree.key.upper()} {tree.args.get('kind')}")


def _outcome(session: Session, kind: str, done: str, path: tuple[str, str]) -> Outcome:
    target = {"projectId": session.store.project, "datasetId": path[0], "tableId": path[1]}
    return Outcome(kind, {"ddlOperationPerformed": done, "ddlTargetTable": target})


def _path(session: Session, node: exp.Table) -> tuple[str, str]:
    path = session.names.path(node)
    if path is None:
        raise invalid_query(f"{node.name} is a temporary table")
    session.store.dataset(path[0], session.location)
    return path


def _options(session: Session, given: dict[str, exp.Expression]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name == "labels":
            found[name] = [
                tuple(part.name for part in pair.expressions) for pair in value.expressions
            ]
        else:
            found[name] = session.evaluate(value)
    return found


def _create_table(session: Session, tree: exp.Create) -> Outcome:
    node = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    path = _path(session, node)
    query = tree.expression
    kind = "CREATE_TABLE_AS_SELECT" if query is not None else "CREATE_TABLE"
    present = session.store.tables.get(path)
    replace = bool(tree.args.get("replace"))
    if present is not None and not replace:
        if tree.args.get("exists"):
            return _outcome(session, kind, "SKIP", path)
        raise _exists(session, path)
    layout = ddl.layout_of(tree)
    source = tree.args.get("clone") or (tree.args.get("properties") or exp.Properties()).find(
        exp.LikeProperty
    )
    if source is not None:
        return _copy(session, path, source, replace=replace)
    done = "REPLACE" if present is not None else "CREATE"
    properties = dict(layout)
    ddl.set_options(properties, _options(session, sql.options_of(tree)))
    if query is None:
        table = Table(*path, ddl.fields_of(tree), properties=properties)
        ddl.check_layout(table)
        if present is not None:
            session.store.drop_table(present)
        try:
            session.store.create_table(table)
        except ApiError as error:
            # Another job made it since it was looked for.
            if error.reason != "duplicate" or not tree.args.get("exists"):
                raise
            return _outcome(session, kind, "SKIP", path)
    else:
        fields, rows = session.keep_result(query)
        try:
            ddl.check_layout(Table(*path, fields, properties=properties))
            if present is not None:
                session.store.drop_table(present)
            target = Destination(*path, write="WRITE_EMPTY", layout=layout)
            table, _ = session.write(target, fields, rows)
        finally:
            session.drop_result()
        table.properties |= properties
        session.store.touch(table)
    session.changes.note(path)
    return _outcome(session, kind, done, path)


def _copy(
    session: Session, path: tuple[str, str], node: exp.Expression, *, replace: bool
) -> Outcome:
    origin = session.names.table(node.this)
    if origin is None:
        raise invalid_query(f"{node.this.name} is a temporary table")
    present = session.store.tables.get(path)
    if present is not None and replace:
        session.store.drop_table(present)
    table = Table(*path, origin.fields, properties=dict(origin.properties))
    table.properties.pop("expirationTime", None)
    session.store.create_table(table)
    if isinstance(node, exp.Clone):
        session.cursor.execute(f"insert into {table.sql_name} select * from {origin.sql_name}")
    session.changes.note(path)
    done = "REPLACE" if present is not None else "CREATE"
    return _outcome(session, "CREATE_TABLE", done, path)


def _temporary(session: Session, tree: exp.Create) -> Outcome:
    node = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    name = node.name
    if node.db:
        raise invalid_query("Temporary tables cannot be qualified with a dataset")
    if name.lower() in session.temporary and not tree.args.get("replace"):
        raise _exists(session, ("_script", name))
    if tree.expression is not None:
        fields, rows = session.keep_result(tree.expression)
        session.cursor.execute(f'create or replace temp table "{name}" as select * from {rows}')
        session.drop_result()
    else:
        fields = ddl.fields_of(tree)
        columns = ", ".join(f'"{each.name}" {each.duckdb_type()}' for each in fields)
        session.cursor.execute(f'create or replace temp table "{name}" ({columns})')
    session.temporary[name.lower()] = fields
    kind = "CREATE_TABLE_AS_SELECT" if tree.expression is not None else "CREATE_TABLE"
    return _outcome(session, kind, "CREATE", ("_script", name))


def _drop_temporary(session: Session, node: exp.Table) -> Outcome:
    session.cursor.execute(f'drop table temp."{node.name}"')
    del session.temporary[node.name.lower()]
    return _outcome(session, "DROP_TABLE", "DROP", ("_script", node.name))


def _create_view(session: Session, tree: exp.Create) -> Outcome:
    named = tree.this if isinstance(tree.this, exp.Schema) else None
    path = _path(session, named.this if named else tree.this)
    present = session.store.tables.get(path)
    if present is not None:
        if tree.args.get("exists"):
            return _outcome(session, "CREATE_VIEW", "SKIP", path)
        if not tree.args.get("replace"):
            raise _exists(session, path)
        if present.kind != "VIEW":
            raise invalid_query(
                f"{session.store.project}:{path[0]}.{path[1]} is not allowed for this operation "
                "because it is not currently a VIEW."
            )
    query = tree.expression.copy()
    if query.find(exp.Parameter):
        raise invalid_query("Query parameters cannot be used in views")
    for node in sql.table_nodes(query):
        full = session.names.path(node)
        if full is not None and not node.catalog:
            # A view means its tables whatever the reader's default dataset is.
            node.set("db", exp.to_identifier(full[0]))
    text, _ = session.prepared(query)
    with in_bigquerys_words():
        relation = session.cursor.sql(text)
        fields = session.fields_of(relation)
    if named:
        if len(named.expressions) != len(fields):
            raise invalid_query("CREATE VIEW columns mismatch the columns of its query")
        fields = tuple(
            replace(field, name=column.name, description=ddl.description_of(column))
            for field, column in zip(fields, named.expressions, strict=True)
        )
    table = Table(*path, fields, kind="VIEW")
    table.properties["view"] = {"query": query.sql("bigquery"), "useLegacySql": False}
    ddl.set_options(table.properties, _options(session, sql.options_of(tree)))
    if present is not None:
        session.store.drop_table(present)
    session.store.create_view(table, text)
    return _outcome(session, "CREATE_VIEW", "REPLACE" if present else "CREATE", path)


def _snapshot(session: Session, tree: sql.Snapshot) -> Outcome:
    path, store = _path(session, tree.target), session.store
    assert tree.source is not None, "dropping is another statement"
    origin = session.names.table(tree.source)
    if origin is None or origin.kind == "VIEW":
        raise invalid_query("Only tables and snapshots can be cloned")
    if path in store.tables:
        if tree.exists:
            return _outcome(session, "CREATE_SNAPSHOT_TABLE", "SKIP", path)
        raise _exists(session, path)
    table = Table(*path, origin.fields, kind="SNAPSHOT", properties=dict(origin.properties))
    table.properties.pop("expirationTime", None)
    ddl.set_options(table.properties, _options(session, tree.options))
    taken = datetime.fromtimestamp(table.created / 1000, UTC).isoformat().replace("+00:00", "Z")
    table.properties["snapshotDefinition"] = {
        "baseTableReference": {
            "projectId": store.project,
            "datasetId": origin.dataset_id,
            "tableId": origin.table_id,
        },
        "snapshotTime": taken,
    }
    with in_bigquerys_words():
        session.cursor.execute(f"create table {table.sql_name} as from {origin.sql_name}")
    store.adopt_table(table)
    return _outcome(session, "CREATE_SNAPSHOT_TABLE", "CREATE", path)


def _drop_snapshot(session: Session, tree: sql.Snapshot) -> Outcome:
    path = _path(session, tree.target)
    table = session.store.tables.get(path)
    if table is None:
        if tree.exists:
            return _outcome(session, "DROP_SNAPSHOT_TABLE", "SKIP", path)
        raise no_table(session.store.project, *path)
    if table.kind != "SNAPSHOT":
        raise invalid_query(f"{path[0]}.{path[1]} is not a table snapshot")
    session.store.drop_table(table)
    return _outcome(session, "DROP_SNAPSHOT_TABLE", "DROP", path)


def _alter(session: Session, tree: exp.Alter) -> Outcome:
    table = session.names.table(tree.this)
    if table is None:
        raise not_covered("ALTER of temporary tables")
    added = []
    for action in tree.args["actions"]:
        if isinstance(action, exp.ColumnDef):
            column = ddl.column_of(action)
            if column.mode == "REQUIRED":
                raise invalid_query(
                    f"Cannot add required columns to an existing table: {column.name}"
                )
            if table.column(column.name) is None:
                added.append(column)
            elif not action.args.get("exists"):
                raise invalid_query(f"Column already exists: {column.name}")
        elif isinstance(action, exp.AlterSet):
            holder = exp.Create(properties=action.expressions[0])
            ddl.set_options(table.properties, _options(session, sql.options_of(holder)))
            ddl.check_layout(table)
        else:
            raise not_covered(f"ALTER TABLE … {type(action).__name__}")
    session.store.add_columns(table, added)
    return _outcome(session, "ALTER_TABLE", "ALTER", table.key)


def _drop(session: Session, tree: exp.Drop) -> Outcome:
    path, kind = _path(session, tree.args["tables"][0]), tree.args["kind"]
    table = session.store.tables.get(path)
    if table is None:
        if tree.args.get("exists"):
            return _outcome(session, f"DROP_{kind}", "SKIP", path)
        raise no_table(session.store.project, *path)
    if table.kind != kind:
        raise invalid_query(
            f"{session.store.project}:{path[0]}.{path[1]} is not allowed for this operation "
            f"because it is currently a {table.kind}."
        )
    session.store.drop_table(table)
    session.changes.note(path)
    return _outcome(session, f"DROP_{kind}", "DROP", path)


def _create_schema(session: Session, tree: exp.Create) -> Outcome:
    name = tree.this.db
    if name in session.store.datasets and tree.args.get("exists"):
        return Outcome("CREATE_SCHEMA", {"ddlOperationPerformed": "SKIP"})
    dataset = Dataset(name, session.location)
    session.store.create_dataset(dataset)
    return Outcome("CREATE_SCHEMA", {"ddlOperationPerformed": "CREATE"})


def _drop_schema(session: Session, tree: exp.Drop) -> Outcome:
    name = tree.args["tables"][0].db
    if name not in session.store.datasets and tree.args.get("exists"):
        return Outcome("DROP_SCHEMA", {"ddlOperationPerformed": "SKIP"})
    session.store.drop_dataset(name, contents=bool(tree.args.get("cascade")))
    return Outcome("DROP_SCHEMA", {"ddlOperationPerformed": "DROP"})


def _exists(session: Session, path: tuple[str, str]) -> ApiError:
    name = f"{session.store.project}:{path[0]}.{path[1]}"
    return ApiError("duplicate", f"Already Exists: Table {name}")
