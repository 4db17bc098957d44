"""Which warehouse a demo runs on, and everything that differs by it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from demo.asked import what_was_asked
from demo.ports import HOST
from sandbox.client_environment import client_environment
from trueline.settings.profile import Profile, load_profile

REPOSITORY = Path(__file__).resolve().parents[1]


class DemoWarehouse(Protocol):
    """One warehouse as the demo needs it; ``root`` is the demo's folder."""

    #: The demo's folder, unless told otherwise.
    folder: str
    profile: Path
    pool_slots: int
    pool_meaning: str

    def environment(self, root: Path, port: int) -> dict[str, str]:
        """What the pipeline has to know to find the warehouse."""
        ...

    def server(self, root: Path, port: int) -> list[str] | None:
        """The command that serves the warehouse; None where it is a file."""
        ...

    def look_back(self, root: Path) -> str:
        """What was asked of it, for the end of the demo; empty where there is nothing to tell."""
        ...

    def next_steps(self, root: Path) -> list[str]:
        """What the reader can look at when the demo is over."""
        ...


class EmbeddedDuckDB:
    """A file in the demo's folder."""

    folder = ".demo"
    profile = REPOSITORY / "config" / "pipeline.yaml"
    pool_slots = 1
    pool_meaning = "Everything that opens the warehouse: DuckDB has one writer process."

    def environment(self, root: Path, port: int) -> dict[str, str]:
        return {}

    def server(self, root: Path, port: int) -> list[str] | None:
        return None

    def look_back(self, root: Path) -> str:
        return ""

    def next_steps(self, root: Path) -> list[str]:
        return [
            f"TRUELINE_DATA={root / 'data'} .venv/bin/trueline report --by channel",
            "make up       the same runs and DAGs in Airflow's own pages",
        ]


class FakeBigQuery:
    """The sandbox's BigQuery: one more process, spoken to as to the real one."""

    folder = ".demo-bigquery"
    profile = REPOSITORY / "docs" / "examples" / "bigquery.yaml"
    pool_slots = 2
    pool_meaning = "Everything that writes to the warehouse: BigQuery takes several at once."
    project = "sandbox-project"

    def environment(self, root: Path, port: int) -> dict[str, str]:
        account = self._account(root)
        connection = {
            "conn_type": "google_cloud_platform",
            "extra": {"key_path": str(account), "project": self.project},
        }
        return {
            **client_environment(f"http://{HOST}:{port}", self.project, account),
            "TRUELINE_BIGQUERY_PROJECT": self.project,
            "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps(connection),
        }

    def server(self, root: Path, port: int) -> list[str] | None:
        # An account's file names the port of its tokens: a new start needs a new one.
        self._account(root).unlink(missing_ok=True)
        command = [sys.executable, "-m", "sandbox", "bigquery", "--port", str(port)]
        command += ["--project", self.project, "--data", str(root / "bigquery.duckdb")]
        command += ["--credentials", str(self._account(root)), "--record", str(self._record(root))]
        return command

    def look_back(self, root: Path) -> str:
        return what_was_asked(self._record(root))

    def next_steps(self, root: Path) -> list[str]:
        return [f"less {self._record(root)}"]

    def _account(self, root: Path) -> Path:
        return root / "bigquery-account.json"

    def _record(self, root: Path) -> Path:
        return root / "bigquery-record.jsonl"


WAREHOUSES: Mapping[str, DemoWarehouse] = {
    "duckdb": EmbeddedDuckDB(),
    "bigquery-wire": FakeBigQuery(),
}


def company_profile() -> Profile:
    """The demo's company: the profiles differ in the warehouse alone."""
    return load_profile(EmbeddedDuckDB.profile)
