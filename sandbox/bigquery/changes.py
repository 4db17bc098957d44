"""Who mutates which table when: what aborts a transaction and what waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.bigquery.errors import ApiError


class Changes:
    """Who mutates which table: BigQuery's rule for concurrent transactions.

    A statement outside a transaction waits for a transaction that has mutated its table. A
    transaction that mutates a table which another one is mutating, or which was mutated since
    the transaction began, is aborted. INSERT alone conflicts with nothing.
    """

    def __init__(self, project: str) -> None:
        self._project = project
        self._condition = threading.Condition()
        self._clock = 0
        self._changed: dict[tuple[str, str], int] = {}
        self._holder: dict[tuple[str, str], object] = {}

    def begin(self) -> int:
        """The moment a transaction sees."""
        with self._condition:
            return self._clock

    def mutate_in(
        self, transaction: object, since: int, table: tuple[str, str], transaction_id: str
    ) -> None:
        """Claim a table for a transaction.

        Raises:
            ApiError: invalidQuery, the transaction is aborted.
        """
        with self._condition:
            holder = self._holder.get(table)
            taken = holder is not None and holder is not transaction
            if taken or self._changed.get(table, 0) > since:
                raise ApiError(
                    "invalidQuery",
                    "Transaction is aborted due to concurrent update against table "
                    f"{self._project}:{table[0]}.{table[1]}. Transaction ID: {transaction_id}",
                    location="query",
                )
            self._holder[table] = transaction

    @contextmanager
    def mutate_alone(self, table: tuple[str, str], patience: float = 60.0) -> Iterator[None]:
        """One statement outside any transaction: wait for the table, change it, note it."""
        me = object()
        with self._condition:
            if not self._condition.wait_for(lambda: table not in self._holder, patience):
                raise ApiError(
                    "rateLimitExceeded",
                    f"Exceeded rate limits: too many DML statements queued against table "
                    f"{self._project}:{table[0]}.{table[1]}",
                )
            self._holder[table] = me
        try:
            yield
        finally:
            self.end(me, changed=True)

    def end(self, transaction: object, *, changed: bool) -> None:
        """Let go of all tables; note them as changed unless rolled back."""
        with self._condition:
            mine = [table for table, holder in self._holder.items() if holder is transaction]
            self._clock += 1
            for table in mine:
                del self._holder[table]
                if changed:
                    self._changed[table] = self._clock
            self._condition.notify_all()

    def note(self, table: tuple[str, str]) -> None:
        """A change outside DML: truncated by a job, replaced, dropped, by hand."""
        with self._condition:
            self._clock += 1
            self._changed[table] = self._clock
