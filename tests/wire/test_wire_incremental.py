"""An incremental build over the wire: BigQuery sees its own writes only when all is done."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.end_to_end.conftest import PREFIXES
from tests.googlesql.captured import check_captured
from tests.wire.conftest import DAG_RUN, WireCompany
from trueline import pipeline
from trueline.windows import Window


def _after_more_loads(company: WireCompany) -> pipeline.BuildSummary:
    first = Window(company.window.start, company.window.end - timedelta(days=1))
    for source in PREFIXES:
        company.load(source, first)
    pipeline.build(company.profile, run_label=DAG_RUN)
    for source in ("google_ads", "meta_ads", "site_tag"):
        company.load(source)
    company.bigquery.record.clear()

    built = pipeline.build(company.profile, run_label=DAG_RUN, mode="incremental")
    assert built.full_because is None
    return built


@pytest.mark.soak
def test_what_changed_is_put_in_its_place_by_one_script(company: WireCompany) -> None:
    built = _after_more_loads(company)
    swaps = [
        job["configuration"]["query"]["query"]
        for job in company.jobs()
        if "begin transaction" in str(job["configuration"]).lower()
    ]
    # The rules, and then everything else at once.
    assert len(swaps) == 2
    assert "delete from" in swaps[1]
    incremental = company.tables()
    assert len(incremental["identity.events"]) > 20
    counts = pipeline.build(company.profile, mode="full").row_counts
    assert company.tables() == incremental
    assert counts == built.row_counts
    assert company.datasets("build") == []


@pytest.mark.soak
def test_every_statement_of_an_incremental_build_is_googlesql(
    company: WireCompany, tmp_path: Path
) -> None:
    _after_more_loads(company)
    wanted = ("catalog", "statement")
    lines = [line for line in company.bigquery.record.lines() if line["kind"] in wanted]
    record = tmp_path / "record.jsonl"
    record.write_text("\n".join(json.dumps(line, default=str) for line in lines))
    report = check_captured(record)
    assert report.problems == [], "\n".join(map(str, report.problems))
    assert report.checked["jobs"] > 200
