"""All or nothing on BigQuery: computed in a scratch dataset, swapped in by one script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from trueline.model.catalog import Table
from trueline.warehouse import statements
from trueline.warehouse.base import (
    MAX_ROUNDS,
    JobStillRunning,
    Rows,
    Staging,
    still_changing,
)
from trueline.warehouse.bigquery.access import own_place
from trueline.warehouse.bigquery.jobs import Jobs
from trueline.warehouse.bigquery.scratch import drop_scratch, make_scratch
from trueline.warehouse.places import SCRATCH, with_places


@dataclass(slots=True)
class BigQueryTransaction:
    """Collects what the script at its end will do; ``rebuilt`` tables are seen by its queries."""

    sees_own_writes: ClassVar = False

    jobs: Jobs
    name: str
    _rebuilt: dict[str, str] = field(default_factory=dict)
    _script: list[str] = field(default_factory=list)
    _values: dict[str, Any] = field(default_factory=dict)
    _scratch: str | None = None
    _kept: dict[str, int] = field(default_factory=dict)

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows:
        return read(self.jobs, self._placed(sql), params or {})

    def keep(self, name: str, sql: str, params: Mapping[str, Any]) -> int:
        self._kept[name] = self._kept.get(name, 0) + 1
        place = f"{self._own_scratch()}.{name}"
        job = self.jobs.run(
            self._placed(sql),
            params,
            # A name may be kept anew: every time is a job of its own.
            step=f"keep_{name}_{self._kept[name]}",
            destination=place,
        )
        return int(job.result(max_results=0).total_rows or 0)

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        for name, value in (params or {}).items():
            if self._values.setdefault(name, value) != value:
                # The script has one set of parameters: a second value needs a second name.
                fresh = f"{name}_{len(self._values)}"
                sql = re.sub(rf"@{name}\b", f"@{fresh}", sql)
                self._values[fresh] = value
        self._script.append(self._in_scratch(with_places(sql, own_place(self.jobs.settings))))

    def insert(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        values = list(rows)
        if values:
            name = f"{table.name}_rows_{len(self._script)}"
            self.execute(statements.insert_values(table, name), {name: (table, values)})

    def append(self, staging: Staging) -> None:
        for table, place in staging.waiting():
            self.execute(statements.append_rows(table, place))

    def append_loads(
        self, staging: Staging, *, loaded_at: datetime, given_up: Sequence[str]
    ) -> None:
        for table, place in staging.waiting():
            self.execute(
                statements.append_load(table, place),
                {"loaded_at": loaded_at, "given_up": list(given_up)},
            )

    def rebuild(self, table: Table, params: Mapping[str, Any]) -> int:
        assert table.query is not None, table.key
        if table.repeat_until_stable:
            place, rows = self._repeat_until_stable(table, params)
        else:
            place = self._scratch_table(table)
            rows = self._compute(table, params, place)
        self._rebuilt[table.key] = place
        self.execute(statements.delete_all(table), params)
        self.execute(statements.append_rows(table, place))
        return rows

    def commit(self) -> None:
        if self._script:
            self.jobs.run(
                statements.transaction_script(self._script), self._values, step=self.name, once=True
            )

    def forget_scratch(self) -> None:
        if self._scratch is not None:
            drop_scratch(self.jobs, self._scratch)

    def _place(self, layer: str, table: str) -> str:
        return self._rebuilt.get(f"{layer}.{table}") or own_place(self.jobs.settings)(layer, table)

    def _placed(self, sql: str) -> str:
        return self._in_scratch(with_places(sql, self._place))

    def _in_scratch(self, sql: str) -> str:
        return SCRATCH.sub(rf"{self._own_scratch()}.\1", sql) if SCRATCH.search(sql) else sql

    def _own_scratch(self) -> str:
        if self._scratch is None:
            self._scratch = make_scratch(self.jobs, "build")
        return self._scratch

    def _scratch_table(self, table: Table, suffix: str = "") -> str:
        return f"{self._own_scratch()}.{table.layer}__{table.name}{suffix}"

    def _compute(self, table: Table, params: Mapping[str, Any], place: str, step: str = "") -> int:
        job = self.jobs.run(
            with_places(str(table.query), self._place),
            params,
            step=f"build_{table.layer}__{table.name}{step}",
            destination=place,
        )
        return int(job.result(max_results=0).total_rows or 0)

    def _repeat_until_stable(self, table: Table, params: Mapping[str, Any]) -> tuple[str, int]:
        """Run a query that reads its own last result until it returns the same rows."""
        self._rebuilt[table.key] = self._empty(table)
        for round_number in range(1, MAX_ROUNDS + 1):
            place = self._scratch_table(table, f"__r{round_number}")
            rows = self._compute(table, params, place, f"__r{round_number}")
            changed = self.query(statements.count_changes(table, place))[0]["n"]
            self._rebuilt[table.key] = place
            if not changed:
                return place, rows
        raise still_changing(table)

    def _empty(self, table: Table) -> str:
        from google.cloud.bigquery import SchemaField
        from google.cloud.bigquery import Table as LiveTable

        place = self._scratch_table(table, "__r0")
        schema = [SchemaField(column.name, column.type) for column in table.columns]
        empty = LiveTable(f"{self.jobs.settings.project}.{place}", schema=schema)
        self.jobs.access.client.create_table(empty, exists_ok=True)
        return place


@contextmanager
def transaction(jobs: Jobs, name: str) -> Iterator[BigQueryTransaction]:
    """Commit when the block ends well. A job that outlasts the patience leaves its scratch."""
    found = BigQueryTransaction(jobs, name)
    try:
        yield found
        found.commit()
    except JobStillRunning:
        raise
    except BaseException:
        found.forget_scratch()
        raise
    found.forget_scratch()


def read(jobs: Jobs, sql: str, values: Mapping[str, Any]) -> Rows:
    """Rows of one query; reading twice does no harm, so its job has the library's own id."""
    from google.api_core.exceptions import GoogleAPICallError

    from trueline.warehouse.bigquery.errors import Failure, as_ours

    config = jobs.config(sql, values)
    try:
        result = jobs.access.client.query_and_wait(
            sql, job_config=config, location=jobs.settings.location
        )
        return [dict(row.items()) for row in result]
    except GoogleAPICallError as error:
        raise as_ours(Failure.of_call(error), jobs.settings) from error
