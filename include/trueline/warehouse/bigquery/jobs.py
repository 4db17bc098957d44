"""Jobs with ids that are known before they are sent.

Sending can fail after BigQuery has taken the job. The id says what is meant, so sending it again is
harmless: BigQuery answers that it has it (409), and the job that is there is looked at instead. An
id stays used even if its job failed, so every further try has the next number at its end.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trueline.errors import RetriableError
from trueline.settings.profile import BigQuerySettings
from trueline.warehouse.base import JobStillRunning, Work
from trueline.warehouse.bigquery.access import BigQueryAccess
from trueline.warehouse.bigquery.errors import TRANSIENT_REASONS, Failure, as_ours
from trueline.warehouse.bigquery.parameters import typed_parameters

if TYPE_CHECKING:
    from google.cloud.bigquery import QueryJob, QueryJobConfig

log = logging.getLogger(__name__)
# Every statement as sent: the static gate listens to it.
statement_log = logging.getLogger("trueline.statements")
_MAX_TRIES = 3
_MAX_ATTEMPTS = 100
_FIRST_DELAY_SECONDS = 1.0
_FIRST_POLL_SECONDS = 0.1
_LONGEST_POLL_SECONDS = 5.0
_NOT_IN_A_JOB_ID = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_IN_A_LABEL = re.compile(r"[^a-z0-9_-]")


@dataclass(slots=True)
class Jobs:
    """Sends the jobs of one piece of work and waits for them."""

    settings: BigQuerySettings
    access: BigQueryAccess
    work: Work
    bytes_billed: int = 0
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.labels = job_labels(self.work)

    def run(
        self,
        sql: str,
        values: Mapping[str, Any],
        *,
        step: str,
        destination: str | None = None,
        once: bool = False,
    ) -> QueryJob:
        """Run one statement or script to its end.

        Args:
            sql: Names are BigQuery's own already.
            values: Parameter name → value; a value may be ``(table, rows)``.
            step: What this job does; unique within the work, the same when it is done again.
            destination: ``dataset.table`` that the result replaces.
            once: Whatever was sent under this step's id is what was meant, even if a value in it,
                such as a time, has changed since.

        Raises:
            JobStillRunning: it takes longer than the work's patience.
            TruelineError: it failed.
        """
        config = self.config(sql, values, destination)
        if once:
            config.labels = {**self.labels, "statement": "once"}
        tries = 0
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            job_id = self.job_id(step, attempt)
            job, is_new = self._send(sql, config, job_id)
            if job is None:
                continue
            failure = self._failure(job)
            if failure is None:
                self.bytes_billed += job.total_bytes_billed or 0
                return job
            tries += is_new
            if failure.reason not in TRANSIENT_REASONS or tries >= _MAX_TRIES:
                raise as_ours(failure, self.settings, job_id)
            log.warning("%s failed by itself (%s): once more", job_id, failure.reason)
            if is_new:
                time.sleep(_FIRST_DELAY_SECONDS * 2 ** (tries - 1))
        raise RetriableError(
            f"All {_MAX_ATTEMPTS} job ids of {step} are used.",
            where=f"BigQuery project {self.settings.project}",
            fix="Start a new run.",
        )

    def estimate(
        self, sql: str, values: Mapping[str, Any], *, destination: str | None = None
    ) -> int:
        """Bytes that BigQuery says it would read; nothing runs."""
        config = self.config(sql, values, destination)
        config.dry_run, config.use_query_cache = True, False
        job = self.access.client.query(
            sql, job_config=config, location=self.settings.location, job_retry=None
        )
        return int(job.total_bytes_processed or 0)

    def job_id(self, step: str, attempt: int) -> str:
        name = _NOT_IN_A_JOB_ID.sub("-", f"{self.work.run_id}_{step}")
        return f"trueline_{name}_a{attempt}"

    def config(
        self, sql: str, values: Mapping[str, Any], destination: str | None = None
    ) -> QueryJobConfig:
        from google.cloud.bigquery import QueryJobConfig

        parameters = typed_parameters(sql, values)
        config = QueryJobConfig(
            query_parameters=parameters,
            use_legacy_sql=False,
            maximum_bytes_billed=self.settings.maximum_bytes_billed,
        )
        if destination is not None:
            config.destination = f"{self.settings.project}.{destination}"
            config.write_disposition = "WRITE_TRUNCATE"
            config.create_disposition = "CREATE_IF_NEEDED"
        meant = [sql, destination, [parameter.to_api_repr() for parameter in parameters]]
        digest = hashlib.sha256(json.dumps(meant, sort_keys=True, default=str).encode())
        config.labels = {**self.labels, "statement": digest.hexdigest()[:32]}
        return config

    def _send(self, sql: str, config: QueryJobConfig, job_id: str) -> tuple[QueryJob | None, bool]:
        """The job and whether it was sent now; None where the id belongs to something else."""
        from google.api_core.exceptions import Conflict

        statement_log.debug("%s", sql)
        client, location = self.access.client, self.settings.location
        try:
            job = client.query(
                sql, job_config=config, job_id=job_id, location=location, job_retry=None
            )
        except Conflict:
            found: Any = client.get_job(job_id, location=location)
            if (found.labels or {}).get("statement") != config.labels["statement"]:
                log.info("%s was another statement's", job_id)
                return None, False
            log.info("%s was sent before: waiting for it (%s)", job_id, found.state)
            return found, False
        return job, True

    def _failure(self, job: QueryJob) -> Failure | None:
        """Wait for the job; why it failed, or None.

        The client's own ``result()`` asks for rows, takes the failure of the job for a failure of
        its request, and asks again for ten minutes. The job itself tells at once.
        """
        patience = self.work.patience_seconds
        deadline = None if patience is None else time.monotonic() + patience
        delay = _FIRST_POLL_SECONDS
        while job.state != "DONE":
            if deadline is not None and time.monotonic() > deadline:
                raise JobStillRunning(
                    str(job.job_id), self.settings.project, self.settings.location
                )
            time.sleep(delay)
            delay = min(delay * 1.5, _LONGEST_POLL_SECONDS)
            job.reload()
        return Failure.of_job(job.error_result) if job.error_result else None


def job_labels(work: Work) -> dict[str, str]:
    """Who and what, for the bill: ``dag``, ``task``, ``run`` and what the work adds."""
    dag, _, run = work.run_label.partition("/")
    found = {"app": "trueline", "dag": dag, "task": work.task, "run": run or work.run_id}
    return {
        name: _NOT_IN_A_LABEL.sub("-", value.lower())[:63]
        for name, value in {**found, **work.labels}.items()
        if value
    }
