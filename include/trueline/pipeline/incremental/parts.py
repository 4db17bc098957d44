"""Computing a part of one table and putting it in its place."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from trueline.model.catalog import Table
from trueline.warehouse import Transaction, scoped
from trueline.warehouse.base import MAX_ROUNDS, Rows, still_changing
from trueline.warehouse.places import with_places

# The column that says which reporting day a row belongs to.
_DAYS = ("report_date", "rate_date")


class FullRebuildNeededError(Exception):
    """This run cannot, or should not, be incremental; the message says why."""


@dataclass(slots=True)
class Parts:
    """What one run has computed so far.

    Attributes:
        parameters: Values of the run's query parameters.
        replaces: False where the run only looks whether anything would be replaced.
        touched: Table → the key columns by which some of its rows were replaced.
        days: Table → reporting days on which a row of it differs, old or new.
        differing: Table → number of rows that differ, provenance left out.
        growth: Table → rows inserted less rows deleted.
    """

    transaction: Transaction
    catalog: Mapping[str, Table]
    parameters: dict[str, Any]
    replaces: bool = True
    touched: dict[str, tuple[str, ...]] = field(default_factory=dict)
    days: dict[str, set[date]] = field(default_factory=dict)
    differing: dict[str, int] = field(default_factory=dict)
    growth: dict[str, int] = field(default_factory=dict)

    def table(self, key: str) -> Table:
        return self.catalog[key]

    def keep(self, name: str, sql: str, days: Sequence[date] = ()) -> int:
        """Keep a query's rows as ``scratch.<name>``."""
        return self.transaction.keep(name, sql, self._with_days(days))

    def days_of(self, sql: str) -> list[date]:
        """The ``day`` column of a query, sorted."""
        rows = self.transaction.query(sql, self.parameters)
        return sorted(row["day"] for row in rows if row["day"] is not None)

    def count(self, sql: str) -> int:
        """The ``n`` of a query with one row."""
        return int(self.transaction.query(sql, self.parameters)[0]["n"])

    def rows_now(
        self, table: Table, condition: str = "true", join: str = "", select: str = ""
    ) -> str:
        """A query of the table's rows as this run leaves them; see ``scoped.rows_now``."""
        # What was deleted and inserted already need not be put together again.
        seen = self.transaction.sees_own_writes and self.replaces
        keys = () if seen else self.touched.get(table.key, ())
        return scoped.rows_now(table, keys, condition, join, select)

    def compute(self, table: Table, inputs: Mapping[str, str]) -> None:
        """Evaluate the table's own query as ``fresh``.

        Args:
            inputs: Table read → name of the kept rows that stand for it.
        """
        assert table.query is not None, table.key
        name = scoped.place("fresh", table)
        if not table.repeat_until_stable:
            self.keep(name, _with_inputs(table.query, inputs))
            return
        self.keep(name, f"select {scoped.columns(table)} from {table.key} where false")
        before = f"{name}__before"
        for _ in range(MAX_ROUNDS):
            self.keep(before, f"select * from scratch.{name}")
            self.keep(name, _with_inputs(table.query, {**inputs, table.key: before}))
            # The query never loses a row from one round to the next.
            changed = self.count(
                f"select count(*) as n from (select * from scratch.{name} "
                f"except distinct select * from scratch.{before}) as changed"
            )
            if not changed:
                return
        raise still_changing(table)

    def settle(self, table: Table, keys: tuple[str, ...]) -> int:
        """Replace the keys for which ``old`` and ``fresh`` differ; returns the rows that differ."""
        diff = scoped.differing_rows(table, scoped.provenance(table))
        differing = self.keep(scoped.place("diff", table), diff)
        self.differing[table.key] = differing
        self.days[table.key] = set()
        day = next((each.name for each in table.columns if each.name in _DAYS), None)
        if differing and day is not None:
            self.days[table.key].update(self.days_of(scoped.changed_days(table, day)))
        name = scoped.place("replaced", table)
        replaced = self.keep(name, scoped.differing_keys(table, keys))
        self.touched[table.key] = keys
        if replaced and self.replaces:
            self.growth[table.key] = self.count(scoped.growth(table, keys))
            days: list[date] = []
            if table.partition_column:
                days = self.days_of(scoped.stored_days(table, keys))
            # Nothing is stored where no day is.
            if days or not table.partition_column:
                delete = scoped.delete_replaced(table, keys, by_days=bool(days))
                self.transaction.execute(delete, self._with_days(days))
            self.transaction.execute(scoped.insert_replaced(table, keys))
        return differing

    def keep_old(self, table: Table, join: str) -> None:
        """Keep the stored rows that ``join`` (inner, to ``rows_of``) lets through as ``old``.

        Few days hold them: a narrow look at all days and then all columns of these takes a
        fraction of reading all columns of all days.
        """
        name, column = scoped.place("old", table), table.partition_column
        if column is None or next(c.type for c in table.columns if c.name == column) != "DATE":
            self.keep(name, scoped.rows(table, join=join))
            return
        narrow = scoped.rows(table, join=join, select=f"rows_of.{column} as day")
        days = self.days_of(f"select distinct day from (\n{narrow}\n) as days_of_rows")
        condition = f"rows_of.{column} in unnest(@days)" if days else "false"
        self.keep(name, scoped.rows(table, condition, join), days)

    def settle_days(self, table: Table, days: list[date]) -> int:
        """Replace those of ``days`` that differ; what was computed beside them is left out."""
        fresh = scoped.place("fresh", table)
        of_days = "rows_of.report_date in unnest(@days)"
        # A query that reads ranges of days may speak of others too.
        self.keep(f"{fresh}__all", f"select * from scratch.{fresh}")
        self.keep(fresh, f"select * from scratch.{fresh}__all as rows_of where {of_days}", days)
        self.keep(scoped.place("old", table), scoped.rows(table, of_days), days)
        return self.settle(table, ("report_date",))

    def whole_inputs(self, table: Table, given: Container[str] = ()) -> dict[str, str]:
        """Whole tables for a query, as this run leaves them.

        Args:
            given: Tables for which the caller has something else.
        """
        reads = table.reads & self.touched.keys()
        return self._whole(sorted(key for key in reads if key not in given))

    def _whole(self, keys: Sequence[str]) -> dict[str, str]:
        inputs = {}
        for key in keys:
            read = self.table(key)
            rows = self.rows_now(read)
            if rows != scoped.rows(read):
                inputs[key] = scoped.place("whole", read)
                self.keep(inputs[key], rows)
        return inputs

    def query_as_left(self, sql: str, params: Mapping[str, Any]) -> Rows:
        """Rows of a query over the tables as this run leaves them."""
        return self.transaction.query(_with_inputs(sql, self._kept_whole(sql)), params)

    def _kept_whole(self, sql: str) -> dict[str, str]:
        read = {key for key in self.touched if re.search(rf"\b{re.escape(key)}\b", sql)}
        return self._whole(sorted(read))

    def replace_all(self, table: Table) -> int:
        """Compute a small table whole and replace the rows of its grain that differ."""
        self.compute(table, self.whole_inputs(table))
        self.keep(scoped.place("old", table), scoped.rows(table))
        return self.settle(table, table.grain)

    def _with_days(self, days: Sequence[date]) -> dict[str, Any]:
        if not days:
            return self.parameters
        return {
            **self.parameters,
            "days": list(days),
            "first_day": min(days),
            "last_day": max(days),
        }


def _with_inputs(query: str, inputs: Mapping[str, str]) -> str:
    """The query over kept rows instead of whole tables."""

    def named(layer: str, table: str) -> str:
        key = f"{layer}.{table}"
        return f"scratch.{inputs[key]}" if key in inputs else key

    return with_places(query, named)
