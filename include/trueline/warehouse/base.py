"""What the pipeline asks of a warehouse. SQL is always BigQuery's; names are ``layer.table``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from trueline.errors import PermanentError
from trueline.model.catalog import Table

Rows = list[dict[str, Any]]
# Labels travel at least one link a round; a real chain of records is far shorter than this.
MAX_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Work:
    """Who opens a warehouse and what for.

    Attributes:
        task: The step, named as its Airflow task: ``build``, ``ingest``, ``gate_marts``.
        run_id: Names this piece of work once and for all; BigQuery's job ids are made of it, so a
            statement that was sent twice under one ``run_id`` runs once.
        run_label: ``dag/run`` of Airflow, or ``cli``.
        labels: More labels for BigQuery's jobs, such as the rulebook's version.
        patience_seconds: How long to wait for one BigQuery job before raising
            :class:`JobStillRunning`; None waits for ever.
    """

    task: str
    run_id: str
    run_label: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    patience_seconds: float | None = None

    @property
    def purpose(self) -> str:
        """For those who have to wait: ``build build_funnel/manual__2026-11-20``."""
        return f"{self.task} {self.run_label or self.run_id}"


class JobStillRunning(Exception):  # noqa: N818 - nothing went wrong: it takes longer
    """A BigQuery job outlasts the caller's patience. It goes on; ask again under the same run."""

    def __init__(self, job_id: str, project: str, location: str) -> None:
        self.job_id, self.project, self.location = job_id, project, location
        super().__init__(f"The BigQuery job {job_id} is still running.")


class Reader(Protocol):
    """Reads; never changes anything."""

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows:
        """Rows of a BigQuery query as dicts of date, aware UTC datetime, Decimal, int, str."""
        ...


class Staging(Protocol):
    """Rows of one load, beside the tables they are meant for; gone when its block ends."""

    def files(self, files: Mapping[str, Path]) -> None:
        """Take Parquet files with columns exactly as in table.yaml; may be called repeatedly.

        Args:
            files: ``layer.table`` → file; it has to stay until the block ends.
        """
        ...

    def query(self, table: Table, sql: str, params: Mapping[str, Any] | None = None) -> int:
        """Take what a query gives, without moving it; returns the number of rows."""
        ...

    def waiting(self) -> Iterable[tuple[Table, str]]:
        """Each table and where its rows wait."""
        ...


class Transaction(Protocol):
    """All or nothing: committed when its block ends well, without a trace when it raises.

    What is rebuilt or kept is seen by later queries of the block. Everything else that is written
    need not be: BigQuery gets it as one script when the block ends.

    Attributes:
        sees_own_writes: True where what ``execute`` did is seen at once.
    """

    sees_own_writes: ClassVar[bool]

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows: ...

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> None: ...

    def insert(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert a small number of rows given as column name → value."""
        ...

    def append(self, staging: Staging) -> None:
        """Append everything that was staged."""
        ...

    def append_loads(
        self, staging: Staging, *, loaded_at: datetime, given_up: Sequence[str]
    ) -> None:
        """Append a pull that was staged, stamped anew.

        Args:
            loaded_at: The moment of this commit.
            given_up: Ids of loads whose rows are left out.
        """
        ...

    def rebuild(self, table: Table, params: Mapping[str, Any]) -> int:
        """Replace all rows of a table by what its query says; returns their number."""
        ...

    def keep(self, name: str, sql: str, params: Mapping[str, Any]) -> int:
        """Keep what a query gives as ``scratch.<name>`` for later queries of the block.

        Args:
            name: Unique within the block, or its last meaning is gone.

        Returns:
            Number of rows.
        """
        ...


class Warehouse(Protocol):
    """One warehouse, held for writing. Opened by ``open_warehouse``, which queues writers."""

    engine: str

    def ensure_tables(self, tables: Iterable[Table], *, remake: bool = False) -> None:
        """Create missing tables and add missing nullable columns; refuse anything else.

        Args:
            remake: The caller computes everything anew: on DuckDB a computed table with other
                columns may be made anew, empty.
        """
        ...

    def staging(self, run_folder: Path) -> AbstractContextManager[Staging]:
        """A place for the rows of one load. What killed runs left in theirs is removed."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]: ...

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows: ...

    def wait_for_killed(self) -> None:
        """Wait for what a killed run of the same task may have left going on."""
        ...

    def forget_scratch(self) -> None:
        """Drop what this build had put aside when it left for a job that took longer."""
        ...

    def refuse_over_budget(self, tables: Iterable[Table], params: Mapping[str, Any]) -> None:
        """Estimate what rebuilding the tables reads, say it, refuse it over the budget."""
        ...

    def publish(self, tables: Iterable[Table], run_id: str) -> str:
        """Show the tables to readers, all at once; returns where."""
        ...

    def for_quality(self, *, published: bool) -> AbstractContextManager[QualityAccess]:
        """How the gates read by themselves.

        Args:
            published: Look at what readers see instead of the newest build.
        """
        ...


@dataclass(frozen=True, slots=True)
class QualityAccess:
    """Where Great Expectations reads.

    Attributes:
        address: SQLAlchemy URL.
        datasets: Layer → dataset or schema, where they differ.
        engine_options: Further arguments of SQLAlchemy's ``create_engine``.
    """

    address: str
    datasets: Mapping[str, str] = field(default_factory=dict)
    engine_options: Mapping[str, Any] = field(default_factory=dict)


def still_changing(table: Table) -> PermanentError:
    """A repeated query that never comes to rest."""
    return PermanentError(
        f"{table.key} still changes after {MAX_ROUNDS} rounds.",
        fix="Look for a chain of links that long; lower max_fan_out, or mend the query.",
    )
