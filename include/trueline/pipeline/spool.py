"""One pull on disk until it is committed: keyed, typed, as Parquet, so that no pull needs memory.

The files lie in the run's own folder (mode 0700), which is removed however the run ends: the clear
identifiers of CRM records and rows set aside are among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from trueline.errors import TruelineError
from trueline.model.catalog import Table, load_catalog
from trueline.pipeline.keys import ProfileKeys
from trueline.pipeline.load_records import LoadRecord, new_load_id
from trueline.sources.base import AccountFailed, Batch, Coverage

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from trueline.pipeline.arrow import Prepared

# Rows of one Parquet row group; what is in memory at once.
ROWS_AT_ONCE = 100_000


@dataclass(slots=True)
class SpooledLoad:
    """One load while it comes in: the batches of one table from one file or account.

    Attributes:
        refused: Why nothing of it counts: ``already_loaded``, ``not_there``, or an account's error.
    """

    load_id: str
    table: str
    file_name: str | None
    content_hash: str | None
    account_id: str | None
    status: str = "loaded"
    reason: str | None = None
    received: int = 0
    loaded: int = 0
    quarantined: int = 0
    coverage: list[Coverage] = field(default_factory=list)
    drift: dict[str, None] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether its rows go to raw."""
        return self.status in ("loaded", "held")

    def give_up(self, status: str, reason: str | None) -> None:
        """Nothing of it goes to raw; its line in ``raw.loads`` says why."""
        self.status, self.reason = status, reason
        self.received = self.loaded = self.quarantined = 0
        self.coverage.clear()

    def record(self, source: str) -> LoadRecord:
        """Its line in ``raw.loads``."""
        return LoadRecord(
            load_id=self.load_id,
            source=source,
            table_name=self.table,
            status=self.status,
            reason=self.reason,
            file_name=self.file_name,
            content_hash=self.content_hash,
            account_id=self.account_id,
            drift=", ".join(self.drift) or None,
            rows_received=self.received,
            rows_loaded=self.loaded,
            rows_quarantined=self.quarantined,
        )


class Spool:
    """Takes a source's batches; afterwards ``loads`` and ``files`` hold the pull.

    Args:
        folder: Below the run's folder; made here.
        source: The profile's name of the source.
        started_at: Stamps the rows until the commit stamps them anew.
    """

    def __init__(
        self, folder: Path, source: str, keys: ProfileKeys, *, started_at: datetime
    ) -> None:
        from trueline.pipeline.arrow import Preparer

        folder.mkdir(mode=0o700)
        self._folder, self._source, self._started_at = folder, source, started_at
        self._preparer = Preparer(keys)
        self._loads: dict[tuple[str | None, ...], SpooledLoad] = {}
        self._waiting: dict[str, list[pa.Table]] = {}
        self._writers: dict[str, pq.ParquetWriter] = {}
        #: Accounts that could not be pulled, and why.
        self.failures: list[AccountFailed] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._preparer.close()
        for writer in self._writers.values():
            writer.close()

    @property
    def loads(self) -> list[SpooledLoad]:
        """All loads in the order in which they began."""
        return list(self._loads.values())

    def take(self, batches: Iterable[Batch | AccountFailed]) -> None:
        """Take a whole pull and close the files."""
        for batch in batches:
            if isinstance(batch, AccountFailed):
                self._fail(batch)
            else:
                self._add(batch)
        for key in list(self._waiting):
            self._write(key)
        for writer in self._writers.values():
            writer.close()

    def files(self) -> dict[str, Path]:
        """``layer.table`` → its Parquet file."""
        return {key: self._path(key) for key in self._writers}

    def _load(self, batch: Batch) -> SpooledLoad:
        key = (batch.table, batch.file_name, batch.content_hash, batch.account_id)
        load = self._loads.get(key)
        if load is None:
            load = self._loads[key] = SpooledLoad(
                new_load_id(self._started_at, len(self._loads) + 1), *key
            )
        return load

    def _add(self, batch: Batch) -> None:
        from trueline.pipeline.arrow import stamped

        load = self._load(batch)
        if batch.skipped_reason is not None:
            load.give_up("skipped", batch.skipped_reason)
            return
        table = load_catalog()[f"raw.{batch.table}"]
        prepared = self._preparer.prepare(table, batch)
        columns = batch.columns.num_rows if batch.columns is not None else 0
        load.received += len(batch.records) + columns + len(batch.errors)
        load.loaded += prepared.rows.num_rows
        load.quarantined += len(batch.errors) + len(prepared.errors)
        load.coverage += batch.coverage
        load.drift.update(dict.fromkeys(batch.drift))
        if batch.doubt is not None:
            load.status, load.reason = "held", batch.doubt
        stamps: dict[str, Any] = {"load_id": load.load_id, "loaded_at": self._started_at}
        if prepared.rows.num_rows:
            self._keep(table, stamped(table, prepared.rows, source=self._source, **stamps))
        self._keep_rest(batch, prepared, load, stamps)

    def _keep_rest(
        self, batch: Batch, prepared: Prepared, load: SpooledLoad, stamps: Mapping[str, Any]
    ) -> None:
        """Clear identifiers, and what was set aside with its reason."""
        from trueline.pipeline.arrow import rows_to_arrow, stamped

        if prepared.identifiers.num_rows:
            restricted = load_catalog()["raw_restricted.identifiers"]
            rows = stamped(restricted, prepared.identifiers, source=self._source, **stamps)
            self._keep(restricted, rows)
        errors = [*batch.errors, *prepared.errors]
        rest: dict[str, list[dict[str, Any]]] = {
            "raw_restricted.quarantined_rows": [
                {"line_number": error.line, "raw_row": error.raw_row, **stamps} for error in errors
            ],
            "raw.quarantine": [
                {
                    **stamps,
                    "source": self._source,
                    "table_name": load.table,
                    "file_name": load.file_name,
                    "line_number": error.line,
                    "column_name": error.column,
                    "reason": error.reason,
                }
                for error in errors
            ],
        }
        for key, rows in rest.items():
            if rows:
                table = load_catalog()[key]
                self._keep(table, rows_to_arrow(table, rows))

    def _fail(self, failed: AccountFailed) -> None:
        self.failures.append(failed)
        for table in failed.tables:
            load = self._load(Batch(table, (), account_id=failed.account_id))
            load.give_up("failed", _short(failed.error))

    def _keep(self, table: Table, rows: pa.Table) -> None:
        waiting = self._waiting.setdefault(table.key, [])
        waiting.append(rows)
        if sum(each.num_rows for each in waiting) >= ROWS_AT_ONCE:
            self._write(table.key)

    def _write(self, key: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        waiting = self._waiting.pop(key, None)
        if not waiting:
            return
        if key not in self._writers:
            # Read once and in full: dictionaries and statistics would only cost time.
            self._writers[key] = pq.ParquetWriter(
                self._path(key), waiting[0].schema, use_dictionary=False, write_statistics=False
            )
        self._writers[key].write_table(pa.concat_tables(waiting))

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.parquet"


def _short(error: TruelineError) -> str:
    """For a table's line: the family and what happened, without where and what to do."""
    return f"{error.family}: {error.what}"
