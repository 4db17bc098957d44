"""A newcomer's own files, through the command line: from a spreadsheet's export to the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from trueline.paths import home

PROFILE = """
name: own
time_zone: Europe/Berlin
currency: EUR
warehouse: {engine: duckdb, folder: warehouse}
rulebook: RULEBOOK
sources:
  spend:
    type: files
    files: [{path: "spend-*.csv", mapping: spend.yaml}]
  crm:
    type: files
    files:
      - {path: leads.csv, mapping: leads.yaml}
      - {path: stages.jsonl, mapping: stages.yaml}
"""
SPEND_MAPPING = """
kind: ad_report
format: csv
delimiter: ";"
decimal: ","
thousands: "."
constants: {platform: google_ads, account_id: "42", currency_code: EUR}
fields:
  platform_date: {column: Datum, format: "%d.%m.%Y"}
  campaign_id: Kampagnen-ID
  campaign_name: Kampagne
  cost_micros: {column: Kosten, multiply: 1000000}
  clicks: Klicks
  impressions: Impressionen
"""
LEADS_MAPPING = """
kind: crm_leads
format: csv
encoding: utf-8
constants: {crm: own}
fields:
  crm_record_id: Nummer
  crm_created_at: {column: Angelegt, format: "%d.%m.%Y %H:%M"}
  email: E-Mail
  utm_source: Quelle
  utm_medium: Medium
  utm_campaign: Kampagne
"""
STAGES_MAPPING = """
kind: crm_stages
format: jsonl
constants: {crm: own}
fields: {crm_record_id: id, stage: status, changed_at: at}
"""
# Quoted thousands, a credit, a total at the bottom that is no day.
SPEND = """Datum;Kampagne;Kampagnen-ID;Kosten;Klicks;Impressionen
01.11.2026;Herbst;c1;1.234,56;10;1.000
02.11.2026;Herbst;c1;-34,56;0;0
02.11.2026;Winter <b>;c2;100;5;50
Summe;;;1.300,00;15;1.050
"""
LEADS = """Nummer,Angelegt,E-Mail,Quelle,Medium,Kampagne
0007,01.11.2026 23:30,Maria@Example.org,Google,CPC,Herbst
0008,02.11.2026 00:30,jon@example.org,google,cpc,winter <b>
0009,02.11.2026 10:00,ines@example.org,newsletter,,
0010,32.11.2026 10:00,canary-of-a-bad-row@example.org,,,
"""
STAGES = """{"id": "0007", "status": "QUALIFIED", "at": "2026-11-03T10:00:00Z"}
{"id": "0008", "status": "UNQUALIFIED", "at": "2026-11-03T10:00:00Z"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    files = {
        "profile.yaml": PROFILE.replace("RULEBOOK", str(home() / "config" / "rulebook")),
        "spend.yaml": SPEND_MAPPING,
        "leads.yaml": LEADS_MAPPING,
        "stages.yaml": STAGES_MAPPING,
        "spend-november.csv": SPEND,
        "leads.csv": LEADS,
        "stages.jsonl": STAGES,
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    done = trueline(folder, "run")
    assert done.returncode == 0, done.stderr
    return folder


def trueline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trueline", *arguments, "--profile", str(folder / "profile.yaml")],
        env={**os.environ, "TRUELINE_IDENTITY_KEY": "a-key-for-this-test-" * 2},
        capture_output=True,
        text=True,
        check=False,
    )


def rows(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    done = trueline(folder, *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return found


def test_spend_keeps_every_cent(folder: Path) -> None:
    by_name = {row["campaign_name"]: row for row in rows(folder, "report", "--by", "campaign")}
    assert by_name["Herbst"]["spend_amount"] == 1200
    assert by_name["Winter <b>"]["spend_amount"] == 100


def test_leads_reach_their_campaigns_and_verdicts(folder: Path) -> None:
    found = {
        row["campaign_name"]: (row["real_leads"], row["qualified_leads"], row["other_reason"])
        for row in rows(folder, "report", "--by", "campaign")
    }
    assert found["Herbst"] == (1, 1, 0)
    assert found["Winter <b>"] == (1, 0, 1)
    assert sum(leads for leads, _, _ in found.values()) == 3


def test_days_are_the_companys_own(folder: Path) -> None:
    # 23:30 and 00:30 are two days in Berlin, though one in UTC.
    found = {
        row["period_start"]: row["real_leads"] for row in rows(folder, "report", "--by", "day")
    }
    assert found["2026-11-01"] == 1
    assert found["2026-11-02"] == 2


def test_bad_rows_are_set_aside_with_their_reason(folder: Path) -> None:
    found = {row["file_name"]: row for row in rows(folder, "loads")}
    spend, leads = found["spend-november.csv"], found["leads.csv"]
    assert (spend["rows_received"], spend["rows_loaded"], spend["rows_quarantined"]) == (4, 3, 1)
    assert (leads["rows_received"], leads["rows_loaded"], leads["rows_quarantined"]) == (4, 3, 1)
    assert leads["quarantined_by_reason"] == {"bad_timestamp": 1}


def test_personal_values_are_in_the_restricted_file_only(folder: Path) -> None:
    warehouse = folder / "warehouse"
    restricted = warehouse / "restricted.duckdb"
    with duckdb.connect(str(restricted), read_only=True) as connection:
        emails = connection.execute("select email from raw_restricted.identifiers").fetchall()
        kept = connection.execute("select raw_row from raw_restricted.quarantined_rows").fetchall()
    assert ("maria@example.org",) in emails
    assert any("canary-of-a-bad-row" in row for (row,) in kept)
    for path in warehouse.rglob("*"):
        if path.is_file() and path != restricted:
            content = path.read_bytes().lower()
            assert b"@example.org" not in content, path.name


def test_a_second_run_skips_the_same_files(folder: Path) -> None:
    before = rows(folder, "report", "--by", "day")
    assert trueline(folder, "run").returncode == 0
    newest = [row for row in rows(folder, "loads") if row["status"] == "skipped"]
    assert {row["reason"] for row in newest} == {"already_loaded"}
    assert {row["file_name"] for row in newest} == {
        "spend-november.csv",
        "leads.csv",
        "stages.jsonl",
    }
    assert rows(folder, "report", "--by", "day") == before


def test_a_file_without_a_required_column_stops_before_anything_is_loaded(folder: Path) -> None:
    (folder / "spend-december.csv").write_text("Tag;Kosten\n01.12.2026;5\n", encoding="utf-8")
    try:
        done = trueline(folder, "run")
    finally:
        (folder / "spend-december.csv").unlink()
    assert done.returncode == 1
    assert "spend-december.csv" in done.stderr
    assert "Datum" in done.stderr
    assert "What to do" in done.stderr
    assert all(row["file_name"] != "spend-december.csv" for row in rows(folder, "loads"))
    # The other source's day is in all the same, and nothing was built on half of the sources.
    assert "ingest spend: failed permanent" in done.stdout
    assert "ingest crm: " in done.stdout
    assert "build" not in done.stdout
    assert "Nothing was built" in done.stderr
