"""The gates at three borders: raw in, marts out, before activation."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trueline.model.catalog import load_catalog
from trueline.paths import suites_dir
from trueline.pipeline.verify import Verified, verify_old_days
from trueline.settings.profile import Profile
from trueline.warehouse import Work, open_warehouse
from trueline.windows import utc_now

if TYPE_CHECKING:
    from trueline.quality.runner import ExpectationResult
    from trueline.quality.suites import Border

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GateSummary:
    """What the gates of one border found; a closed gate raises instead."""

    border: str
    results: tuple[ExpectationResult, ...]
    warnings: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "border": self.border,
            "checked": len(self.results),
            "passed": sum(result.success for result in self.results),
            "warnings": self.warnings,
        }


def check(
    profile: Profile, border: Border, *, run_label: str = "", client: Any = None
) -> GateSummary:
    """Run every suite of one border and record what it found, without any value.

    Raises:
        GateFailed: a critical promise is broken or could not be checked. The results are recorded
            before it is raised.
    """
    from trueline.quality.gates import judge
    from trueline.quality.runner import run_border

    catalog = load_catalog()
    gate_run_id = f"{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    work = Work(f"gate_{border}", gate_run_id, run_label)
    with open_warehouse(profile, work, client=client) as warehouse:
        warehouse.ensure_tables(catalog.values())
        # A bad load that was rejected, or that an earlier build already used, is settled.
        last_build = warehouse.query("select max(built_at) as built_at from ops.runs")[0]
        with warehouse.for_quality(published=border == "activation") as access:
            results = run_border(
                border,
                connection_string=access.address,
                engine_options=access.engine_options,
                suites_dir=suites_dir(),
                datasets=access.datasets,
                loaded_since=last_build["built_at"],
            )
        if border == "marts":
            results = [*results, *_of_old_days(verify_old_days(profile, warehouse))]
        rows = _rows(gate_run_id, border, results, run_label)
        with warehouse.transaction() as transaction:
            transaction.insert(catalog["ops.gate_results"], rows)
    warnings = judge(border, results)
    return GateSummary(border, tuple(results), len(warnings))


def _of_old_days(verified: Verified | None) -> list[ExpectationResult]:
    """One result for all tables where the days are as stored, else one for each that differs."""
    from trueline.quality.runner import ExpectationResult

    if verified is None or not verified.days:
        return []
    told = ", ".join(str(day) for day in verified.days)
    return [
        ExpectationResult(
            suite=key,
            layer=key.split(".")[0],
            table=key.split(".")[1],
            expectation=f"old days computed anew from raw are what is stored ({told})",
            column=None,
            severity="critical",
            success=not rows,
            checked_rows=None,
            unexpected_rows=rows,
            exception=None,
            why="An incremental build has left something behind, or somebody changed the table.",
            fix="Compute everything anew: trueline build --mode full. If it comes back, tell the "
            "maintainers.",
        )
        for key, rows in (verified.differing or {"marts.funnel_daily": 0}).items()
    ]


def _rows(
    gate_run_id: str, border: str, results: Sequence[ExpectationResult], run_label: str
) -> list[dict[str, Any]]:
    checked_at = utc_now()
    return [
        {
            "gate_run_id": gate_run_id,
            "run_label": run_label or None,
            "border": border,
            "suite": result.suite,
            "expectation": result.expectation,
            "column_name": result.column,
            "severity": result.severity,
            "state": "passed"
            if result.success
            else ("broken" if result.exception is not None else "failed"),
            "checked_rows": result.checked_rows,
            "unexpected_rows": result.unexpected_rows,
            "why": result.why,
            "checked_at": checked_at,
        }
        for result in results
    ]
