"""`make up`: the demo's world and Airflow to look around in, until Ctrl-C."""

from __future__ import annotations

import os
import time

from demo.errors import DemoError
from demo.home import USER, DemoHome, WorldSettings
from demo.ports import HOST, Ports, require_free
from demo.processes import Processes
from demo.services import start_services, wait_for_dags
from demo.story import expected_dags
from demo.warehouses import company_profile

UI_PORT_VARIABLE = "TRUELINE_UI_PORT"


def keep_up(home: DemoHome) -> None:
    """Start everything on 127.0.0.1 and stay; ends with KeyboardInterrupt or DemoError."""
    profile = company_profile()
    ports = Ports(airflow=_ui_port())
    require_free(
        ports.airflow,
        used_for="Airflow's page",
        fix=f"Stop that program, or set {UI_PORT_VARIABLE} to a free port.",
    )
    if not home.exists():
        home.remove()
        home.create(WorldSettings.of_today(profile.time_zone))
    with Processes(home) as processes:
        print("Starting the sandbox and Airflow ...", flush=True)
        api = start_services(processes, home, ports, triggerer=True)
        wait_for_dags(api, expected_dags(profile), processes)
        world = home.world()
        print(f"\n  Airflow   http://{HOST}:{ports.airflow}")
        print(f"  user      {USER}, password in {home.passwords}")
        print(f"  days      {world.first_day} to {world.last_day} (the sandbox has no others)")
        print(f"  logs      {home.logs}")
        print("\nCtrl-C stops everything.", flush=True)
        try:
            while True:
                processes.require_alive()
                time.sleep(1)
        finally:
            print("\nStopping ...", flush=True)


def _ui_port() -> int:
    text = os.environ.get(UI_PORT_VARIABLE, "8080")
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise DemoError(f"{UI_PORT_VARIABLE} is {text!r}; give a port from 1024 to 65535.")
    return int(text)
