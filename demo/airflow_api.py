"""The few calls to Airflow's REST API that the demo makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from demo.errors import DemoError

SECONDS_PER_CALL = 30


@dataclass(frozen=True)
class Run:
    """One DAG run as Airflow tells it."""

    dag_id: str
    run_id: str
    run_type: str
    state: str
    partition_key: str | None
    seconds: float | None

    @property
    def ended(self) -> bool:
        return self.state in ("success", "failed")


class AirflowApi:
    """A logged-in client of one Airflow."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()
        # A proxy of the caller's shell has no business with 127.0.0.1.
        self._session.trust_env = False

    def is_ready(self) -> bool:
        """Whether database, scheduler and DAG processor all say that they are well."""
        try:
            answer = self._session.get(f"{self._address}/api/v2/monitor/health", timeout=5)
        except requests.RequestException:
            return False
        if answer.status_code != 200:
            return False
        parts = answer.json()
        return all(
            (parts.get(part) or {}).get("status") == "healthy"
            for part in ("metadatabase", "scheduler", "dag_processor")
        )

    def log_in(self, user: str, password: str) -> None:
        body = {"username": user, "password": password}
        token = self._call("POST", "/auth/token", body)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def import_errors(self) -> list[str]:
        return [
            f"{found['filename']}: {found['stack_trace'].strip().splitlines()[-1]}"
            for found in self._call("GET", "/api/v2/importErrors")["import_errors"]
        ]

    def dag_ids(self) -> set[str]:
        return {found["dag_id"] for found in self._call("GET", "/api/v2/dags?limit=100")["dags"]}

    def create_pool(self, name: str, slots: int, description: str) -> None:
        """Make the pool, or leave it as it is when it is there."""
        body = {"name": name, "slots": slots, "description": description}
        self._call("POST", "/api/v2/pools", body, also_fine=(409,))

    def trigger(
        self, dag_id: str, *, partition_key: str | None = None, params: dict[str, Any] | None = None
    ) -> str:
        """Start a run; returns its run id."""
        body = {"logical_date": None, "partition_key": partition_key, "conf": params or {}}
        return str(self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        path = "/api/v2/dags/~/dagRuns?limit=100&order_by=id"
        return [
            Run(
                dag_id=found["dag_id"],
                run_id=found["dag_run_id"],
                run_type=found["run_type"],
                state=found["state"],
                partition_key=found["partition_key"],
                seconds=found["duration"],
            )
            for found in self._call("GET", path)["dag_runs"]
        ]

    def retries(self) -> dict[str, str]:
        """Tasks that failed and will be tried again: an unmistakable name → why."""
        path = "/api/v2/dags/~/dagRuns/~/taskInstances?state=up_for_retry&limit=100"
        waiting = self._call("GET", path)["task_instances"]
        return {
            f"{found['id']}/{found['try_number']}": self._why(found, lines=3) for found in waiting
        }

    def failure(self, run: Run) -> str:
        """Which task of a failed run failed, and the end of its log."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances?state=failed"
        failed = self._call("GET", path)["task_instances"]
        if not failed:
            return f"{run.dag_id} failed, but none of its tasks did."
        return self._why(failed[0], lines=12)

    def _why(self, task: dict[str, Any], *, lines: int) -> str:
        path = (
            f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}"
            f"/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        )
        ending = _readable(self._call("GET", path)["content"])[-lines:]
        return "\n".join([f"{task['dag_id']}.{task['task_id']} failed:", *ending])

    def _call(
        self, method: str, path: str, body: object = None, *, also_fine: tuple[int, ...] = ()
    ) -> Any:
        address = self._address + path
        answer = self._session.request(method, address, json=body, timeout=SECONDS_PER_CALL)
        if answer.status_code in also_fine:
            return None
        if not answer.ok:
            raise DemoError(
                f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:300]}"
            )
        return answer.json()


def _readable(events: list[Any]) -> list[str]:
    """Log events as lines: messages and errors, without call stacks, folds and library warnings."""
    lines: list[str] = []
    for event in events:
        content: dict[str, Any] = {"event": event} if isinstance(event, str) else event
        if content.get("logger") == "py.warnings":
            continue
        lines.extend(str(content.get("event", "")).splitlines())
        for error in content.get("error_detail") or []:
            lines.extend(f"{error['exc_type']}: {error['exc_value']}".splitlines())
    return [line for line in lines if line and not line.startswith("::")]
