"""What the pipeline asked of the sandbox's BigQuery, counted from its record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: dlt sends jobs of its own, without trueline's labels.
WITHOUT_LABEL = "dlt's own"


@dataclass
class Asked:
    """Jobs by the task that sent them; what dry runs said, which are no jobs."""

    jobs: Counter[str] = field(default_factory=Counter)
    dry_runs: int = 0
    dry_run_bytes: int = 0


def read_record(record: Path) -> Asked:
    """Count the jobs of a record; one that was sent twice under its id counts once."""
    found = Asked()
    known: set[str] = set()
    for request in _answered_requests(record):
        body, answer = _object(request["body"]), _object(request["response"])
        configuration = body.get("configuration") or body
        if configuration.get("dryRun"):
            statistics = answer.get("statistics") or answer
            found.dry_runs += 1
            found.dry_run_bytes += int(statistics.get("totalBytesProcessed", 0))
            continue
        job_id = (answer.get("jobReference") or {}).get("jobId")
        if job_id is not None and job_id not in known:
            known.add(job_id)
            labels = configuration.get("labels") or {}
            found.jobs[labels.get("task", WITHOUT_LABEL)] += 1
    return found


def what_was_asked(record: Path) -> str:
    """A paragraph for the end of the demo."""
    asked = read_record(record)
    told = ", ".join(f"{count:,} {task}" for task, count in asked.jobs.most_common())
    return (
        f"BigQuery was asked to run {asked.jobs.total():,} jobs: {told}.\n"
        f"{asked.dry_runs:,} dry runs before the builds said that they would read "
        f"{asked.dry_run_bytes / 1e6:,.1f} MB.\n"
        f"Every request and statement: {record}\n"
        "This was a fake of BigQuery's REST API that executes on DuckDB (sandbox/bigquery): it "
        "proves that\ntrueline speaks the wire, not what BigQuery itself makes of the SQL, nor "
        "what that costs."
    )


def _answered_requests(record: Path) -> Iterator[Mapping[str, Any]]:
    """Requests that made jobs: ``jobs.insert``, ``jobs.query`` and uploads."""
    with record.open(encoding="utf-8") as lines:
        for line in lines:
            # Most of the file is statements and catalogs.
            if not line.startswith('{"kind": "request", "method": "P'):
                continue
            request = json.loads(line)
            if request["status"] == 200 and request["path"].endswith(("/jobs", "/queries")):
                yield request


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
