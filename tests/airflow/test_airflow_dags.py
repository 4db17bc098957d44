"""The DAGs as Airflow reads them: which there are, what each promises, what each may import."""

from __future__ import annotations

import ast
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import (
    DAG,
    CronPartitionTimetable,
    CronTriggerTimetable,
    PartitionedAssetTimetable,
)
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction
from trueline_airflow.operators import (
    BuildOperator,
    GateOperator,
    IngestOperator,
    PublishOperator,
)
from trueline_airflow.retry import FamilyRetryPolicy

INGEST = ("ingest_google_ads", "ingest_meta_ads", "ingest_hubspot", "ingest_site_tag")
ALL = (*INGEST, "build_funnel", "upload_qualified")
HEADINGS = (
    "Purpose",
    "Schedule",
    "Inputs",
    "Outputs",
    "Re-run safety",
    "What to do when it fails",
)
HEAVY = ("pandas", "great_expectations", "dlt", "google.cloud.bigquery", "duckdb", "pyarrow")


def read_dags(repository: Path) -> DagBag:
    return DagBag(str(repository / "dags"))


@pytest.fixture(scope="module")
def dags(repository: Path) -> dict[str, DAG]:
    bag = read_dags(repository)
    assert bag.import_errors == {}
    return bag.dags


def test_exactly_these_dags_exist(dags: dict[str, DAG]) -> None:
    assert sorted(dags) == sorted(ALL)


@pytest.mark.parametrize("dag_id", ALL)
def test_a_dag_is_its_own_operators_manual(dags: dict[str, DAG], dag_id: str) -> None:
    manual = dags[dag_id].doc_md or ""
    assert len(manual) > 1000
    assert [heading for heading in HEADINGS if f"**{heading}.**" not in manual] == []
    assert dags[dag_id].description


@pytest.mark.parametrize("dag_id", ALL)
def test_a_dag_says_whose_it_is_and_keeps_to_itself(dags: dict[str, DAG], dag_id: str) -> None:
    dag = dags[dag_id]
    assert "trueline" in dag.tags
    assert len(dag.tags) > 1
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    assert dag.start_date == datetime(2026, 1, 1, tzinfo=UTC)
    assert dag.dagrun_timeout > timedelta(0)
    for task in dag.tasks:
        assert task.owner == "marketing-data"
        assert task.retries >= 1
        assert isinstance(task.retry_policy, FamilyRetryPolicy)
        assert timedelta(0) < task.execution_timeout <= dag.dagrun_timeout


def test_every_task_that_opens_the_warehouse_queues_in_its_pool(dags: dict[str, DAG]) -> None:
    opening = (IngestOperator, GateOperator, BuildOperator, PublishOperator)
    pools = {
        f"{dag.dag_id}.{task.task_id}": task.pool
        for dag in dags.values()
        for task in dag.tasks
        if isinstance(task, opening)
    }
    assert len(pools) == 4 + 4 + 1
    assert set(pools.values()) == {"trueline_warehouse"}


def test_the_build_passes_two_gates_before_readers_see_it(dags: dict[str, DAG]) -> None:
    order = [task.task_id for task in dags["build_funnel"].topological_sort()]
    assert order == ["check_window", "gate_raw", "build", "gate_marts", "publish"]
    for earlier, later in itertools.pairwise(order):
        assert later in dags["build_funnel"].get_task(earlier).downstream_task_ids


@pytest.mark.parametrize("dag_id", INGEST)
def test_a_daily_run_is_about_the_day_before_in_the_reporting_time_zone(
    dags: dict[str, DAG], dag_id: str
) -> None:
    timetable = dags[dag_id].timetable
    assert isinstance(timetable, CronPartitionTimetable)
    core = core_timetable(dags[dag_id])
    # 29 March 2026: Berlin's clocks go forward.
    since = TimeRestriction(earliest=datetime(2026, 3, 28, tzinfo=UTC), latest=None, catchup=True)
    found, runs = None, []
    for _ in range(3):
        found = core.next_dagrun_info_v2(last_dagrun_info=found, restriction=since)
        runs.append((found.partition_key, found.run_after.isoformat()))
    assert runs == [
        ("2026-03-27", "2026-03-28T05:00:00+00:00"),
        ("2026-03-28", "2026-03-29T04:00:00+00:00"),
        ("2026-03-29", "2026-03-30T04:00:00+00:00"),
    ]


def test_a_day_is_built_when_every_source_has_delivered_it(dags: dict[str, DAG]) -> None:
    assert isinstance(dags["build_funnel"].timetable, PartitionedAssetTimetable)
    timetable = core_timetable(dags["build_funnel"])
    waited_for = {key.name for key, _ in timetable.asset_condition.iter_assets()}
    delivered = {outlet.name for dag_id in INGEST for outlet in dags[dag_id].tasks[0].outlets}
    assert waited_for == delivered == {f"raw/{dag_id.removeprefix('ingest_')}" for dag_id in INGEST}
    mapper = timetable.get_partition_mapper(name="raw/hubspot")
    assert mapper.to_downstream("2026-11-20") == "2026-11-20"


def test_the_uploader_refuses_backfills_and_is_started_by_no_asset(dags: dict[str, DAG]) -> None:
    dag = dags["upload_qualified"]
    assert {str(kind.value) for kind in dag.allowed_run_types} == {"manual", "scheduled"}
    assert isinstance(dag.timetable, CronTriggerTimetable)
    assert dag.timetable.expression == "0 8 * * *"


@pytest.mark.parametrize("dag_id", [*INGEST, "build_funnel"])
@pytest.mark.parametrize("value", ["2026-13-01", "01.02.2026", "last week", 20261120])
def test_the_form_of_a_run_refuses_what_is_not_a_day(
    dags: dict[str, DAG], dag_id: str, value: object
) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    params = dags[dag_id].params
    assert params.get_param("window_start").resolve(None) is None
    assert params.get_param("window_start").resolve("2026-11-20") == "2026-11-20"
    with pytest.raises(ParamValidationError):
        params.get_param("window_start").resolve(value)


def test_what_airflow_stores_of_a_dag_does_not_change_by_itself(repository: Path) -> None:
    first, second = (
        {dag_id: stored(dag) for dag_id, dag in read_dags(repository).dags.items()}
        for _ in range(2)
    )
    assert first == second


def test_with_the_clock_off_only_people_and_assets_start_runs(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUELINE_CLOCK", "off")
    bag = read_dags(repository)
    assert bag.import_errors == {}
    assert sorted(bag.dags) == sorted(ALL)
    anytime = TimeRestriction(earliest=datetime(2026, 1, 1, tzinfo=UTC), latest=None, catchup=False)
    for dag_id in (*INGEST, "upload_qualified"):
        core = core_timetable(bag.dags[dag_id])
        assert core.can_be_scheduled is False
        assert core.next_dagrun_info_v2(last_dagrun_info=None, restriction=anytime) is None
    monkeypatch.setenv("TRUELINE_CLOCK", "sometimes")
    assert "Set it to on or off" in "".join(read_dags(repository).import_errors.values())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("name: demo\nsources: {}\n", "sources", id="no sources"),
        pytest.param("name: [demo\n", "not valid YAML", id="not YAML"),
        pytest.param(None, "no such file", id="no file"),
    ],
)
def test_a_broken_profile_is_an_import_error_that_names_the_file(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    says: str,
) -> None:
    profile = tmp_path / "mine.yaml"
    if content is not None:
        profile.write_text(content)
    monkeypatch.setenv("TRUELINE_PROFILE", str(profile))
    errors = read_dags(repository).import_errors
    assert len(errors) == 3
    for text in errors.values():
        assert "mine.yaml" in text
        assert says in text


@pytest.mark.parametrize("profile", ["config/pipeline.yaml", "docs/examples/bigquery.yaml"])
def test_reading_the_dags_loads_nothing_heavy_and_no_stray_module(
    repository: Path, profile: str
) -> None:
    script = (
        "import json, sys\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        "from airflow.plugins_manager import get_plugin_info\n"
        "before = set(sys.modules)\n"
        f"bag = DagBag({str(repository / 'dags')!r})\n"
        "get_plugin_info()\n"
        "print(json.dumps([sorted(bag.dags), sorted(sys.modules), sorted(before)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={
            **os.environ,
            "PYTHONPATH": str(repository / "include"),
            "TRUELINE_PROFILE": str(repository / profile),
            "TRUELINE_BIGQUERY_PROJECT": "a-project",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    found, modules, before = json.loads(done.stdout.splitlines()[-1])
    assert sorted(found) == sorted(ALL)
    assert [name for name in HEAVY if name in set(modules) - set(before)] == []
    # Airflow imports a plugin folder's files under their bare names unless told to ignore them.
    files = {path.stem for path in (repository / "plugins" / "trueline_airflow").glob("*.py")}
    assert files & set(modules) == set()


@pytest.mark.parametrize("name", ["ingest.py", "build_funnel.py", "upload_qualified.py"])
def test_a_dag_file_knows_airflow_only_through_its_sdk(repository: Path, name: str) -> None:
    imported = set(imports(repository / "dags" / name))
    assert {module for module in imported if module.startswith("airflow")} == {"airflow.sdk"}
    rooms = {module.split(".")[0] for module in imported}
    assert rooms <= {"__future__", "datetime", "airflow", "trueline_airflow"}


def test_the_business_has_never_heard_of_airflow(repository: Path) -> None:
    files = list((repository / "include" / "trueline").rglob("*.py"))
    assert len(files) > 20
    for file in files:
        rooms = {module.split(".")[0] for module in imports(file)}
        assert rooms & {"airflow", "trueline_airflow", "sandbox", "demo"} == set(), file


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def core_timetable(dag: DAG) -> Any:
    """The timetable as the scheduler has it, after the way through Airflow's database."""
    return DagSerialization.from_dict(json.loads(json.dumps(stored(dag)))).timetable


def stored(dag: DAG) -> dict[str, Any]:
    return DagSerialization.to_dict(dag)
