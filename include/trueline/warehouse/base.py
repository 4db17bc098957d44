"""What the pipeline asks of a warehouse. SQL is always BigQuery's; names are ``layer.table``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from trueline.model.catalog import Table

if TYPE_CHECKING:
    import pyarrow as pa

Rows = list[dict[str, Any]]


class Reader(Protocol):
    """Reads; never changes anything."""

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows:
        """Rows of a BigQuery query as dicts of date, aware UTC datetime, Decimal, int, str."""
        ...


class Transaction(Protocol):
    """All or nothing: committed when its block ends well, rolled back when it raises."""

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> None: ...

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows: ...

    def insert(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert a small number of rows given as column name → value."""
        ...


class Warehouse(Protocol):
    """One warehouse, held for writing. Opened by ``open_warehouse``, which queues writers."""

    engine: str

    def ensure_tables(self, tables: Iterable[Table]) -> None:
        """Create missing tables and add missing nullable columns; refuse anything else."""
        ...

    def load(self, tables: Mapping[str, pa.Table], *, run_folder: str) -> None:
        """Append Arrow tables (``layer.table`` → rows) to raw tables, under a frozen contract.

        Not atomic over several tables: rows count only once their load is in ``raw.loads``.
        """
        ...

    def forget_restricted_orphans(self) -> None:
        """Delete clear values of loads that never came to stand in ``raw.loads``."""
        ...

    def transaction(
        self, *, labels: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Transaction]: ...

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows: ...

    def publish(self, tables: Iterable[Table], run_id: str) -> str:
        """Show the tables to readers, all at once; returns where."""
        ...

    def for_quality(
        self, *, published: bool
    ) -> AbstractContextManager[tuple[str, Mapping[str, str]]]:
        """SQLAlchemy address and layer → schema names, for the gates to read by themselves.

        Args:
            published: Look at what readers see instead of the newest build.
        """
        ...
