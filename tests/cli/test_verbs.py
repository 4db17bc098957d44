"""The command line's promises: exit codes, JSON rows, sentences instead of traces."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trueline import __version__


def trueline(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trueline", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_version() -> None:
    assert trueline("--version").stdout.strip() == f"trueline {__version__}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("report", "--profile", "/nowhere/x.yaml"), "There is no such file"),
        (("report", "--format", "pdf"), "no format 'pdf'"),
        (("check", "--border", "moon"), "no border 'moon'"),
        (("loads", "--reject", "x"), "needs a reason"),
        (("run", "--window-start", "tomorrow"), "'tomorrow', which is not a day"),
        (("run", "--window-end", "2999-01-01"), "do not exist yet"),
        (("run", "--source", "fax"), "no source 'fax'"),
        (("sql", "show", "marts.moon"), "no table 'marts.moon'"),
        (("sql", "run", "raw.loads"), "loaded, not computed"),
    ],
)
def test_a_wrong_call_says_what_to_do_and_ends_with_two(
    arguments: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUELINE_DATA", str(tmp_path / "data"))
    for name in ("GOOGLE_ADS", "META_ADS", "HUBSPOT", "SITE_TAG"):
        monkeypatch.setenv(f"TRUELINE_CONN_TRUELINE_{name}", '{"base_url": "http://127.0.0.1:9"}')
    done = trueline(*arguments)
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


def test_a_missing_connection_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUELINE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("TRUELINE_CONN_TRUELINE_HUBSPOT", raising=False)
    done = trueline("run", "--source", "hubspot")
    assert "TRUELINE_CONN_TRUELINE_HUBSPOT" in done.stderr
    assert done.returncode == 2


def test_sql_show_tells_what_a_table_is() -> None:
    done = trueline("sql", "show", "marts.pixel_to_real_gap")
    assert "every line adds up exactly" in done.stdout
    assert "attribution.lead_credits" in done.stdout
    shown = trueline("sql", "show", "staging.stg_loads", "--engine", "duckdb", "--format", "json")
    assert "$as_of" in json.loads(shown.stdout)["rows"][0]["query"]


def test_sql_test_runs_the_stories_of_one_table() -> None:
    done = trueline("sql", "test", "staging.stg_loads", "--format", "json")
    found = json.loads(done.stdout)["rows"]
    assert done.returncode == 0
    assert found
    assert all(row["passed"] for row in found)


def test_a_verb_that_fails_in_a_process_of_its_own_ends_with_its_exit_code() -> None:
    assert trueline("sandbox", "dance").returncode == 2


def test_the_sandbox_writes_its_files(tmp_path: Path) -> None:
    arguments = ("--out", str(tmp_path), "--days", "3", "--size", "0.1")
    done = trueline("sandbox", "generate", *arguments)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} >= {"crm_leads.csv", "truth.jsonl"}
