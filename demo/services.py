"""The services of the demo, started and ready: sandbox, warehouse and Airflow."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import requests

from demo.airflow_api import AirflowApi
from demo.environment import process_environment
from demo.errors import DemoError
from demo.home import USER, DemoHome
from demo.ports import HOST, Ports
from demo.processes import Processes

POOL = "trueline_warehouse"
SECONDS_TO_START = 180.0
SECONDS_TO_MIGRATE = 300.0


def start_services(
    processes: Processes, home: DemoHome, ports: Ports, *, triggerer: bool
) -> AirflowApi:
    """Start everything and wait until it is ready.

    Args:
        triggerer: Also start Airflow's triggerer, which nothing in the demo's runs needs.

    Returns:
        A logged-in client of the started Airflow.

    Raises:
        DemoError: something did not start; names its log.
    """
    environment = process_environment(home, ports)
    world = home.world()
    sandbox = ["-m", "sandbox", "serve", "--port", str(ports.sandbox), "--seed", str(world.seed)]
    sandbox += ["--last-day", world.last_day.isoformat(), "--days", str(world.days)]
    sandbox += ["--size", str(world.size)]
    airflow = [sys.executable, "-m", "airflow"]
    processes.start("sandbox", [sys.executable, *sandbox], environment)
    served = home.warehouse.server(home.root, ports.warehouse)
    if served:
        processes.start("warehouse", served, environment)
    processes.start("database", [*airflow, "db", "migrate"], environment)
    processes.finish("database", timeout=SECONDS_TO_MIGRATE)
    # Only the scheduler: its workers inherit what it has imported.
    processes.start(
        "scheduler",
        [*airflow, "scheduler", "--skip-serve-logs"],
        {**environment, "TRUELINE_PRELOAD": "1"},
    )
    processes.start("dag-processor", [*airflow, "dag-processor"], environment)
    processes.start("api-server", [*airflow, "api-server"], environment)
    if triggerer:
        processes.start("triggerer", [*airflow, "triggerer", "--skip-serve-logs"], environment)

    api = AirflowApi(f"http://{HOST}:{ports.airflow}")
    wait_until(lambda: _answers(ports.sandbox), processes, "the sandbox")
    if served:
        wait_until(lambda: _answers(ports.warehouse), processes, "the warehouse")
    wait_until(api.is_ready, processes, "Airflow")
    api.log_in(USER, home.password())
    api.create_pool(POOL, home.warehouse.pool_slots, home.warehouse.pool_meaning)
    return api


def wait_for_dags(api: AirflowApi, expected: set[str], processes: Processes) -> None:
    """Wait until Airflow has read the DAG files; an import error ends the wait."""

    def all_there() -> bool:
        if errors := api.import_errors():
            raise DemoError("Airflow cannot read the DAG files:\n" + "\n".join(errors))
        return expected <= api.dag_ids()

    wait_until(all_there, processes, f"the DAGs {', '.join(sorted(expected))}")


def wait_until(
    condition: Callable[[], bool],
    processes: Processes,
    what: str,
    *,
    timeout: float = SECONDS_TO_START,
) -> None:
    """Ask ``condition`` once a second; gives up when a process dies or the time is over.

    Asking again is the only way to learn this: neither Airflow nor an HTTP server tells by itself.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        processes.require_alive()
        if time.monotonic() > deadline:
            raise DemoError(f"Waited {timeout:.0f} s for {what}, in vain.")
        time.sleep(1)


def _answers(port: int) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(f"http://{HOST}:{port}/health", timeout=5)
        except requests.RequestException:
            return False
    return answer.ok
