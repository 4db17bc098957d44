"""``python -m sandbox`` as a person or a script starts it."""

from __future__ import annotations

import csv
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]
SMALL = ["--days", "5", "--size", "0.2", "--last-day", "2026-11-22"]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_within_seconds_and_stops_quietly(number: signal.Signals) -> None:
    began = time.monotonic()
    process = start("serve", "--port", "0", "--last-day", "2026-11-22")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert time.monotonic() - began < 6
        address = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        assert requests.get(f"{address}/health", timeout=10).json()["status"] == "ok"
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, rest, errors) == (0, "", "")


def test_a_taken_port_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("serve", "--port", str(port), *SMALL)
        out, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert out == ""
    assert errors.count("\n") == 1
    assert f"port {port}" in errors
    assert "--port" in errors


def test_an_impossible_world_is_said_in_one_sentence() -> None:
    process = start("serve", "--port", "0", "--days", "0")
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert errors == "sandbox: a world needs at least one day and a size above 0.\n"


def test_the_files_tell_the_same_world_and_its_truth(tmp_path: Path) -> None:
    process = start("generate", "--out", str(tmp_path), *SMALL)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert len(list((tmp_path / "tag-events").glob("*.jsonl"))) == 5
    assert len(list((tmp_path / "touches").glob("*.jsonl"))) == 5
    events = [
        json.loads(line)
        for path in sorted((tmp_path / "tag-events").glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    truth = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    told = [row for row in truth if row["kind"] == "tag_event"]
    assert sorted((row["event_id"], row["observer"], row["occurred_at"]) for row in told) == sorted(
        (row["event_id"], row["observer"], row["occurred_at"]) for row in events
    )
    tables = {}
    for name in ("crm_leads", "crm_stages", "crm_deals", "ad_report"):
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            tables[name] = list(csv.DictReader(stream))
    assert tables["crm_stages"]
    assert tables["ad_report"]
    leads = {row["crm_record_id"] for row in truth if row["kind"] == "lead"}
    assert leads <= {row["hs_object_id"] for row in tables["crm_leads"]}
