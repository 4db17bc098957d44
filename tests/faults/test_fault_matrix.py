"""Every platform and every fault: one stated outcome, nothing half-loaded, nothing twice.

A warehouse per source lives through all cases: the good pull at the start is what counts before
each of them, and what every harmless fault has to bring again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from sandbox.server.app import SandboxServer
from tests.faults.conftest import LAST_DAY, PROVENANCE, RAW, Rig, profile_in
from tests.faults.outcomes import CASES, Case, Loads, Raises, parameters
from trueline.errors import TruelineError
from trueline.pipeline.ingest import IngestSummary
from trueline.sources import http
from trueline.windows import Window

WINDOW = Window(LAST_DAY - timedelta(days=1), LAST_DAY)
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass
class Warehouse:
    """One source's warehouse, and what its good pull brought."""

    rig: Rig
    good: Rows = field(default_factory=dict)

    def load_ids(self) -> set[str]:
        return {row[0] for row in self.rig.query("select load_id from raw.loads")}

    def rows_of(self, load_ids: set[str]) -> Rows:
        """What these loads say, without their provenance."""
        ids = ", ".join(f"'{each}'" for each in sorted(load_ids)) or "''"
        found = self.rig.queries(
            [
                f"select * exclude ({', '.join(PROVENANCE)}) from raw.{table} "
                f"where load_id in ({ids})"
                for table in RAW
            ]
        )
        return {table: sorted(rows, key=repr) for table, rows in zip(RAW, found, strict=True)}

    def counts(self) -> dict[str, int]:
        """Rows of everything that a pull can write to."""
        tables = [f"raw.{table}" for table in (*RAW, "loads", "load_coverage", "quarantine")]
        found = self.rig.queries([f"select count(*) from {table}" for table in tables])
        return {table: rows[0][0] for table, rows in zip(tables, found, strict=True)}


@pytest.fixture(scope="module")
def warehouses(
    server: SandboxServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Warehouse]:
    """By source, made when first asked for."""
    made: dict[str, Warehouse] = {}
    for source in dict.fromkeys(case.source for case in CASES):
        folder = tmp_path_factory.mktemp(source) / "data"
        made[source] = Warehouse(Rig(server, profile_in(folder), []))
    return made


@pytest.fixture
def warehouse(
    case: Case,
    warehouses: dict[str, Warehouse],
    server: SandboxServer,
    waited: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Warehouse]:
    found = warehouses[case.source]
    case.small_pages(monkeypatch)
    if not found.good:
        found.rig.ingest(case.source, WINDOW)
        found.good = found.rows_of(found.load_ids())
        assert sum(len(rows) for rows in found.good.values()) > 20
    waited.clear()
    server.log.clear()
    server.faults.add(list(case.rules))
    yield found
    server.faults.clear()


@pytest.mark.parametrize("case", parameters())
def test_each_fault_has_one_outcome(
    case: Case,
    warehouse: Warehouse,
    server: SandboxServer,
    waited: list[float],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if any(rule["kind"] == "slow" for rule in case.rules):
        monkeypatch.setattr(http, "READ_SECONDS", 0.2)
    before, counts = warehouse.load_ids(), warehouse.counts()
    try:
        summary: IngestSummary | None = warehouse.rig.ingest(case.source, WINDOW)
        error = None
    except TruelineError as raised:
        summary, error = None, raised
    # A rule that struck often enough is gone; the others tell how often they did.
    left = server.faults.as_list()
    struck = sum(each["struck"] for each in left)
    assert all(each["struck"] for each in left), "the fault met no request"
    told = caplog.text + str(error or "")
    assert "sandbox-token" not in told
    assert "access_token=" not in told
    if isinstance(case.outcome, Raises):
        assert error is not None, f"loaded: {summary and summary.as_dict()}"
        _raised(case.outcome, error, waited)
        assert struck <= case.outcome.most_strikes, "no storm of retries"
        assert warehouse.counts() == counts, "nothing half-loaded"
        return
    assert summary is not None, error
    new = warehouse.load_ids() - before
    _loaded(case.outcome, summary, warehouse.rows_of(new), warehouse.good)
    assert sum(waited) >= case.outcome.waited
    quarantined = {
        (row[0], row[1])
        for row in warehouse.rig.query(
            "select column_name, reason from raw.quarantine where load_id in "
            f"({', '.join(repr(each) for each in new)})"
        )
    }
    assert quarantined == set(case.outcome.quarantined)


def _raised(outcome: Raises, error: TruelineError, waited: list[float]) -> None:
    assert isinstance(error, outcome.family), repr(error)
    text = str(error)
    assert re.search(outcome.told, text), text
    assert error.fix
    assert error.where
    assert text.count("What to do") == 1
    if outcome.delay is not None:
        asked = getattr(error, "retry_after_seconds", None)
        assert asked is not None
        assert outcome.delay - 1 <= asked <= outcome.delay * 1.5 + 60
        assert sum(waited) < outcome.delay, "the orchestrator waits, not the task"


def _loaded(outcome: Loads, summary: IngestSummary, rows: Rows, good: Rows) -> None:
    for load in summary.loads:
        assert load.rows_received == load.rows_loaded + load.rows_quarantined, load
    statuses = {load.status for load in summary.loads}
    assert statuses == ({"loaded", "held"} & statuses if outcome.held else {"loaded"}), statuses
    assert ("held" in statuses) == outcome.held
    for table, found in rows.items():
        if not outcome.is_repeated:
            assert len(set(found)) == len(found), f"{table} tells a row twice"
        if outcome.same:
            assert set(found) == set(good[table]), table
    names = " ".join(load.drift or "" for load in summary.loads)
    for name in outcome.drift:
        assert name in names
