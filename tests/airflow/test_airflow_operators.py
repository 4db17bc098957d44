"""The operators' own part: what is refused first, and what may be said in an error."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from trueline_airflow.operators import BuildOperator, IngestOperator, PipelineOperator
from trueline_airflow.warehouse import bigquery_client

from trueline.errors import ConfigurationError
from trueline.paths import home
from trueline.settings.profile import load_profile


def context(key: str | None, **params: str) -> dict[str, Any]:
    run = SimpleNamespace(partition_key=key, dag_id="a_dag")
    return {"dag_run": run, "run_id": "a_run", "params": params}


def test_a_day_that_is_not_over_is_refused_before_the_source_is_looked_up() -> None:
    # There is no connection here: had the operator gone on, it would complain of that.
    operator = IngestOperator(task_id="ingest", source="google_ads")
    with pytest.raises(ConfigurationError, match="not over"):
        operator.execute(context("2999-01-01"))


def test_a_source_without_its_connection_says_which_one() -> None:
    operator = IngestOperator(task_id="ingest", source="google_ads")
    with pytest.raises(ConfigurationError, match="trueline_google_ads"):
        operator.execute(context("2026-01-01"))


def test_a_source_that_the_profile_lost_is_named() -> None:
    operator = IngestOperator(task_id="ingest", source="fax")
    with pytest.raises(ConfigurationError, match="no source 'fax'"):
        operator.execute(context("2026-01-01"))


@pytest.mark.parametrize("as_of", ["2026-11-20T06:00:00", "last week"])
def test_an_as_of_without_offset_is_refused(as_of: str) -> None:
    with pytest.raises(ConfigurationError, match="offset from UTC"):
        BuildOperator(task_id="build").execute(context("2026-01-01", as_of=as_of))


class Stumbling(PipelineOperator):
    """Fails as a library does: with the row in its message."""

    def run_pipeline(self, profile: Any, context: Any, run_label: str) -> Mapping[str, Any]:
        raise ValueError("cannot parse row: anna.bolt@example.com, +44 1632 960123")


def test_a_librarys_error_keeps_its_place_and_loses_the_personal_data() -> None:
    with pytest.raises(RuntimeError) as caught:
        Stumbling(task_id="stumble").execute(context("2026-01-01"))
    told = "".join(traceback.format_exception(caught.value))
    shown = str(caught.value)
    assert shown.startswith("ValueError: cannot parse row")
    assert "anna.bolt" not in shown
    assert "960123" not in shown
    assert "run_pipeline" in told, "the place in the code must survive"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


class Talkative(PipelineOperator):
    """Works, and a library of its logs an address on the way."""

    def run_pipeline(self, *_: Any) -> Mapping[str, Any]:
        logging.getLogger("some.library").warning("retrying for %s", "anna.bolt@example.org")
        return {"rows_loaded": 1}


def test_what_a_library_logs_in_a_task_is_redacted() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logging.getLogger().addHandler(handler)
    try:
        Talkative(task_id="talk").execute(context("2026-01-01"))
    finally:
        logging.getLogger().removeHandler(handler)
    assert "retrying for" in written.getvalue()
    assert "anna.bolt" not in written.getvalue()


def test_on_bigquery_the_hook_gives_client_and_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (home() / "config" / "pipeline.yaml").read_text(encoding="utf-8")
    duckdb = "  engine: duckdb\n  folder: ${TRUELINE_DATA:-../data}\n"
    assert duckdb in text
    profile = tmp_path / "pipeline.yaml"
    profile.write_text(
        text.replace(duckdb, "  engine: bigquery\n  project: a-project\n  location: EU\n")
    )
    monkeypatch.setenv(
        "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT",
        '{"conn_type": "google_cloud_platform", "extra": {"is_anonymous": true}}',
    )
    access = bigquery_client(load_profile(profile))
    assert access is not None
    assert (access.client.project, access.client.location) == ("a-project", "EU")
    assert access.credentials is not None
    assert bigquery_client(load_profile()) is None
