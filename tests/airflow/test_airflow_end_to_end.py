"""A real Airflow over a small world: the demo's own way, from nothing to the published funnel."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest
import requests

from demo.airflow_api import AirflowApi, Run
from demo.home import DemoHome, WorldSettings
from demo.ports import Ports, require_free
from demo.processes import Processes, leftovers
from demo.services import start_services, wait_for_dags, wait_until
from demo.story import expected_dags, tell
from trueline.settings.profile import load_profile

pytestmark = pytest.mark.airflow
SINGLE_DAYS = 2


@dataclass
class Lived:
    """What is left to look at after the runs."""

    home: DemoHome
    ports: Ports
    runs: list[Run]
    nameless_run: Run
    nameless_log: str
    backfill_status: int
    backfill_answer: str


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    profile = load_profile()
    home = DemoHome(tmp_path_factory.mktemp("airflow") / "demo")
    home.create(WorldSettings.of_today(profile.time_zone, days=6, size=0.05))
    ports = Ports()
    with Processes(home) as processes:
        api = start_services(processes, home, ports, triggerer=False)
        wait_for_dags(api, expected_dags(profile), processes)
        tell(api, processes, home.world(), list(profile.sources), single_days=SINGLE_DAYS)
        nameless = _ended(api, processes, api.trigger("ingest_hubspot"))
        status, answer = _backfill_the_uploader(ports.airflow, home)
        found = Lived(home, ports, api.runs(), nameless, api.failure(nameless), status, answer)
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


def test_each_day_was_built_once_by_what_the_sources_delivered(lived: Lived) -> None:
    world = lived.home.world()
    builds = [run for run in lived.runs if run.dag_id == "build_funnel"]
    by_assets = [run for run in builds if run.run_type == "asset_triggered"]
    assert len(builds) == SINGLE_DAYS + 1
    assert sorted(run.partition_key or "" for run in by_assets) == [
        day.isoformat() for day in _last_days(world)
    ]
    assert {run.state for run in builds} == {"success"}


def test_the_published_funnel_has_every_day_and_adds_up(lived: Lived, monkeypatch) -> None:
    from trueline.warehouse import open_reader

    monkeypatch.setenv("TRUELINE_DATA", str(lived.home.data))
    with open_reader(load_profile()) as reader:
        (found,) = reader.query(
            "select min(report_date) as first_day, max(report_date) as last_day, "
            "sum(pixel_conversions + observed_without_claim - claimed_not_observed "
            "- observed_tag_events) as gap_one_rest, sum(real_leads) as real_leads "
            "from marts.funnel_daily"
        )
    world = lived.home.world()
    assert (found["first_day"], found["last_day"]) == (world.first_day, world.last_day)
    assert found["gap_one_rest"] == 0
    assert found["real_leads"] > 0


def test_a_run_that_names_no_days_fails_at_once_and_says_what_to_do(lived: Lived) -> None:
    assert lived.nameless_run.state == "failed"
    assert (lived.nameless_run.seconds or 0) < 30, "it must not be tried again"
    assert "neither a partition key nor window_start" in lived.nameless_log
    assert "What to do: Trigger it again with a partition key" in lived.nameless_log


def test_a_backfill_of_the_uploader_is_refused(lived: Lived) -> None:
    assert 400 <= lived.backfill_status < 500
    assert "upload_qualified" in lived.backfill_answer


def test_no_log_holds_an_address_or_a_token(lived: Lived) -> None:
    logs = [*lived.home.airflow.rglob("*.log"), *lived.home.logs.glob("*.log")]
    assert len(logs) > 10
    personal = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
    for log in logs:
        text = log.read_text(errors="replace")
        assert personal.search(text) is None, f"{log} holds an e-mail address"
        assert "sandbox-token" not in text, log
        assert lived.home.password() not in text, log


def test_everything_that_was_started_has_ended(lived: Lived) -> None:
    assert leftovers(lived.home) == set()
    home = str(lived.home.root)
    for process in psutil.process_iter():
        try:
            assert process.environ().get("AIRFLOW_HOME", "").startswith(home) is False
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    for port in (lived.ports.sandbox, lived.ports.airflow):
        require_free(port, used_for="a test", fix="")


def _last_days(world: WorldSettings):
    from datetime import timedelta

    return [world.last_day - timedelta(days=back) for back in reversed(range(SINGLE_DAYS))]


def _ended(api: AirflowApi, processes: Processes, run_id: str) -> Run:
    def found() -> list[Run]:
        return [run for run in api.runs() if run.run_id == run_id and run.ended]

    wait_until(lambda: bool(found()), processes, "the nameless run")
    return found()[0]


def _backfill_the_uploader(port: int, home: DemoHome) -> tuple[int, str]:
    address = f"http://127.0.0.1:{port}"
    with requests.Session() as session:
        session.trust_env = False
        login = {"username": "admin", "password": home.password()}
        token = session.post(f"{address}/auth/token", json=login, timeout=30).json()
        answer = session.post(
            f"{address}/api/v2/backfills",
            headers={"Authorization": f"Bearer {token['access_token']}"},
            json={
                "dag_id": "upload_qualified",
                "from_date": "2026-11-01T00:00:00Z",
                "to_date": "2026-11-03T00:00:00Z",
            },
            timeout=30,
        )
    return answer.status_code, answer.text
