"""A real CRM export, counted by the product and straight from the files."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from trueline.paths import home

FOLDER = Path(os.environ.get("OLIST_DIR") or home() / "data" / "olist")
LEADS = FOLDER / "olist_marketing_qualified_leads_dataset.csv"
DEALS = FOLDER / "olist_closed_deals_dataset.csv"

pytestmark = pytest.mark.skipif(
    not (LEADS.exists() and DEALS.exists()),
    reason=f"the Olist data set is not in {FOLDER.name}/: set OLIST_DIR (see docs/examples)",
)
CHANNEL_OF_ORIGIN = {
    "social": "organic_social",
    "direct_traffic": "direct",
    "": "unknown",
}


def _trueline(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "trueline", *arguments],
        env={**os.environ, "TRUELINE_DATA": str(folder), "OLIST_DIR": str(FOLDER)},
        cwd=home(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("olist")
    profile = ("--profile", "docs/examples/olist.yaml")
    _trueline(folder, "run", *profile)
    report = _trueline(folder, "report", *profile, "--by", "channel", "--format", "json")
    found = {row["platform"]: row for row in json.loads(report)["rows"]}
    loads = json.loads(_trueline(folder, "loads", *profile, "--format", "json"))["rows"]
    assert sorted((row["rows_received"], row["rows_quarantined"]) for row in loads) == [
        (842, 0),
        (842, 0),
        (8000, 0),
    ]
    return found


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _channel(lead: dict[str, str]) -> str:
    return CHANNEL_OF_ORIGIN.get(lead["origin"], lead["origin"])


def test_leads_per_channel_are_the_files_own_counts(rows: dict[str, dict[str, Any]]) -> None:
    expected = Counter(_channel(lead) for lead in _read(LEADS))
    assert sum(expected.values()) == 8000
    assert {channel: row["real_leads"] for channel, row in rows.items()} == dict(expected)


def test_won_leads_per_channel_are_the_files_own_counts(rows: dict[str, dict[str, Any]]) -> None:
    won = {deal["mql_id"] for deal in _read(DEALS)}
    expected = Counter(_channel(lead) for lead in _read(LEADS) if lead["mql_id"] in won)
    assert sum(expected.values()) == 842
    for column in ("qualified_leads", "customers", "qualified_opportunities"):
        found = {channel: row[column] for channel, row in rows.items() if row[column]}
        assert found == dict(expected), column


def test_rates_per_channel(rows: dict[str, dict[str, Any]]) -> None:
    won = {deal["mql_id"] for deal in _read(DEALS)}
    for channel, row in rows.items():
        leads = [lead for lead in _read(LEADS) if _channel(lead) == channel]
        share = sum(lead["mql_id"] in won for lead in leads) / len(leads)
        assert row["real_to_qualified_rate"] == pytest.approx(share, abs=1e-9)
