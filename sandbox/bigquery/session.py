"""One job's connection: its transaction, its temporary tables, its statements."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import duckdb
from sqlglot import exp

from sandbox.bigquery import information_schema, sizes, sql
from sandbox.bigquery.changes import Changes
from sandbox.bigquery.destination import Destination, too_many, write
from sandbox.bigquery.errors import invalid_query, not_covered
from sandbox.bigquery.jobs import Rows
from sandbox.bigquery.scans import Scanner
from sandbox.bigquery.store import Store, Table
from sandbox.bigquery.types import Field, field_from_duckdb, quoted, schema_resource

_COLUMN = re.compile(r'Referenced (?:column|table) "([^"]+)" not found')
_REQUIRED = re.compile(r"NOT NULL constraint failed: [^.\s]+\.(\w+)")


@dataclass
class Transaction:
    since: int
    transaction_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    touched: dict[tuple[str, str], Table] = field(default_factory=dict)


@dataclass
class Outcome:
    """What a statement did: its part of ``statistics.query``, and rows if it gave any."""

    statement_type: str
    statistics: dict[str, Any] = field(default_factory=dict)
    rows: Rows | None = None


@contextmanager
def in_bigquerys_words() -> Iterator[None]:
    """DuckDB's errors as BigQuery's: the reason is right, the wording near."""
    try:
        yield
    except duckdb.TransactionException:
        raise invalid_query("Transaction is aborted due to concurrent update.") from None
    except duckdb.Error as error:
        text = str(error).split("\n\n")[0]
        column, required = _COLUMN.search(text), _REQUIRED.search(text)
        if column:
            raise invalid_query(f"Unrecognized name: {column[1]}") from None
        if required:
            raise invalid_query(f"Required field {required[1]} cannot be null") from None
        raise invalid_query(text.split(": ", 1)[-1].replace("\n", " ")) from None


class Session:
    """Runs a job's statements one after another on a connection of its own."""

    def __init__(
        self,
        store: Store,
        changes: Changes,
        parameters: sql.Parameters,
        location: str,
        default_dataset: str | None,
    ) -> None:
        self.store, self.changes = store, changes
        self.parameters, self.location = parameters, location
        self.cursor = store.cursor()
        self.transaction: Transaction | None = None
        self.names = sql.Names(store, location, default_dataset, {})
        self.temporary: dict[str, tuple[Field, ...]] = {}
        self.names.temporary = self.temporary
        self._prepared: dict[int, tuple[exp.Expression, str, dict[str, str | None]]] = {}

    def close(self) -> None:
        self.rollback()
        self.cursor.close()

    def begin(self) -> None:
        if self.transaction is not None:
            raise invalid_query("Transaction is already in progress")
        self.transaction = Transaction(self.changes.begin())
        self.cursor.execute("begin transaction")
        # DuckDB's snapshot is taken by the first read.
        self.cursor.execute("select count(*) from _sandbox.things").fetchone()

    def commit(self) -> None:
        transaction = self.transaction
        if transaction is None:
            raise invalid_query("No transaction in progress")
        with in_bigquerys_words():
            self.cursor.execute("commit")
        self.transaction = None
        self.changes.end(transaction, changed=True)
        for table in transaction.touched.values():
            self.store.touch(table)

    def rollback(self) -> None:
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            self.cursor.execute("rollback")
            self.changes.end(transaction, changed=False)

    def evaluate(self, expression: exp.Expression) -> Any:
        """The value of an expression without columns."""
        tree = exp.select(expression.copy())
        text, binding = sql.translated(tree, self.names, self.parameters)
        with in_bigquerys_words():
            row = self.cursor.execute(text, binding).fetchone()
        return row[0] if row else None

    def read(self, tree: exp.Expression) -> dict[tuple[str, str], int]:
        """Bytes a statement reads, by table.

        Raises:
            ApiError: a table that requires a partition filter has none.
        """
        scans = Scanner(self.names, self.evaluate).scans(tree)
        for scan in scans:
            column = scan.table.partition_column()
            conditions = {each.column for each in scan.conditions}
            if scan.table.requires_filter() and column and column.lower() not in conditions:
                name = f"{self.store.project}.{scan.table.dataset_id}.{scan.table.table_id}"
                raise invalid_query(
                    f"Cannot query over table '{name}' without a filter over column(s) "
                    f"'{column}' that can be used for partition elimination"
                )
        columns: dict[tuple[str, str], set[str]] = {}
        if isinstance(tree, exp.Query | exp.Insert | exp.Create):
            query = tree.expression if isinstance(tree, exp.Create) else tree
            text, binding = self.prepared(query)
            with in_bigquerys_words():
                columns = sizes.columns_read(self.cursor, text, binding)
        if isinstance(tree, exp.Delete | exp.Update | exp.Merge):
            # What DML reads of other tables is taken as their every column.
            for scan in scans:
                columns[scan.table.key] = {each.name.lower() for each in scan.table.fields}
        return sizes.bytes_read(self.store, scans, columns)

    def prepared(self, tree: exp.Expression) -> tuple[str, dict[str, str | None]]:
        """DuckDB's SQL, with the views of INFORMATION_SCHEMA in place; made once for a tree."""
        known = self._prepared.get(id(tree))
        if known is not None:
            return known[1:]
        for node in sql.table_nodes(tree):
            if sql.is_information_schema(node):
                path = self.names.path(node)
                assert path is not None, "INFORMATION_SCHEMA is never a temporary table"
                view = sql.information_schema_view(node, path)
                # DuckDB registers nothing beside a result that is not read to its end.
                self.cursor.execute("select 1").fetchall()
                self.cursor.register(view, information_schema.view(self.store, view))
        text, binding = sql.translated(tree, self.names, self.parameters)
        self._prepared[id(tree)] = (tree, text, binding)
        return text, binding

    def select(self, tree: exp.Query, target: Destination | None) -> Outcome:
        """A query, its rows kept or written to a table."""
        fields, source = self.keep_result(tree)
        try:
            if target is not None:
                table, _ = self.write(target, fields, source)
                rows = Rows(table.fields, [])
            else:
                rows = Rows(fields, self.cursor.execute(f"select * from {source}").fetchall())
        finally:
            self.drop_result()
        return Outcome("SELECT", {"schema": schema_resource(rows.fields)}, rows)

    def write(
        self, target: Destination, fields: tuple[Field, ...], source: str
    ) -> tuple[Table, int]:
        with in_bigquerys_words():
            table, count = write(self.cursor, self.store, target, fields, source, self.location)
        if target.write != "WRITE_APPEND":
            self.changes.note(table.key)
        return table, count

    def keep_result(self, tree: exp.Query) -> tuple[tuple[Field, ...], str]:
        """Run a query; its columns, and a relation that gives them in BigQuery's types."""
        text, binding = self.prepared(tree)
        with in_bigquerys_words():
            self.cursor.execute(f"create or replace temp table _result as {text}", binding)
            relation = self.cursor.table("temp._result")
        fields = self.fields_of(relation)
        casts = ", ".join(
            f"cast({quoted(each.name)} as {each.duckdb_type()}) as {quoted(each.name)}"
            for each in fields
        )
        return fields, f"(select {casts} from temp._result)"

    def describe(self, tree: exp.Query) -> tuple[Field, ...]:
        """The columns a query would give."""
        text, binding = self.prepared(tree)
        with in_bigquerys_words():
            return self.fields_of(self.cursor.sql(f"from ({text}) limit 0", params=binding or None))

    def fields_of(self, relation: duckdb.DuckDBPyRelation) -> tuple[Field, ...]:
        return tuple(
            field_from_duckdb(name, kind)
            for name, kind in zip(relation.columns, relation.types, strict=True)
        )

    def drop_result(self) -> None:
        self.cursor.execute("drop table if exists temp._result")

    def change(self, tree: exp.Expression) -> Outcome:
        """INSERT, UPDATE, DELETE, MERGE or TRUNCATE."""
        node = tree.expressions[0] if isinstance(tree, exp.TruncateTable) else tree.this
        node = node.this if isinstance(node, exp.Schema) else node
        table = self.names.table(node)
        if table is not None and table.kind != "TABLE":
            raise invalid_query(
                f"{self.store.project}:{table.dataset_id}.{table.table_id} is not allowed for "
                f"this operation because it is currently a {table.kind}."
            )
        with self._claimed(tree, table), in_bigquerys_words(), self._alone():
            counts = self._run_change(tree, table)
        if table is not None:
            if self.transaction is not None:
                self.transaction.touched[table.key] = table
            else:
                self.store.touch(table)
        kind = "TRUNCATE_TABLE" if isinstance(tree, exp.TruncateTable) else tree.key.upper()
        affected = sum(counts.values())
        stats = {f"{name}RowCount": str(count) for name, count in counts.items()}
        return Outcome(kind, {"numDmlAffectedRows": str(affected), "dmlStats": stats})

    def _claimed(self, tree: exp.Expression, table: Table | None) -> Any:
        if table is None or isinstance(tree, exp.Insert):
            return nullcontext()
        if self.transaction is None:
            return self.changes.mutate_alone(table.key)
        self.changes.mutate_in(
            self.transaction, self.transaction.since, table.key, self.transaction.transaction_id
        )
        return nullcontext()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One statement outside a transaction is one of its own."""
        if self.transaction is not None:
            yield
            return
        self.cursor.execute("begin transaction")
        try:
            yield
            self.cursor.execute("commit")
        except BaseException:
            self.cursor.execute("rollback")
            raise

    def _run_change(self, tree: exp.Expression, table: Table | None) -> dict[str, int]:
        text, binding = self.prepared(tree)
        partition = sizes.partition_expression(table) if table else None
        if isinstance(tree, exp.Merge):
            actions = self.cursor.execute(f"{text} returning merge_action", binding).fetchall()
            named = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}
            return {
                word: sum(action == each for (each,) in actions) for action, word in named.items()
            }
        word = {exp.Insert: "inserted", exp.Update: "updated"}.get(type(tree), "deleted")
        if partition and isinstance(tree, exp.Insert | exp.Delete):
            rows = self.cursor.execute(f"{text} returning {partition}", binding).fetchall()
            too_many(len(set(rows)))
            return {word: len(rows)}
        row = self.cursor.execute(text, binding).fetchone()
        return {word: int(row[0]) if row else 0}

    def check(self, asserted: sql.Assertion) -> Outcome:
        _, source = self.keep_result(asserted.query)
        try:
            row = self.cursor.execute(f"select * from {source}").fetchone()
        finally:
            self.drop_result()
        if not row or row[0] is not True:
            raise invalid_query(asserted.message or "Assertion failed")
        return Outcome("ASSERT")

    def refuse_in_transaction(self) -> None:
        """Raises ApiError invalidQuery while a transaction is open."""
        if self.transaction is not None:
            raise invalid_query(
                "DDL statements are not supported in a transaction, except for those creating or "
                "droping temporary tables or temporary functions."
            )


def kind_of(tree: Any) -> str:
    """The family of a parsed statement.

    Raises:
        ApiError: this fake does not cover it.
    """
    match tree:
        case sql.Snapshot() | exp.Create() | exp.Drop() | exp.Alter():
            return "define"
        case sql.Assertion():
            return "assert"
        case sql.Declaration():
            return "declare"
        case exp.Insert() | exp.Update() | exp.Delete() | exp.Merge() | exp.TruncateTable():
            return "change"
        case exp.Query():
            return "select"
    raise not_covered(f"{type(tree).__name__.upper()} statements")
