"""The environment of every process of the demo."""

from __future__ import annotations

import json
import os

from demo.home import USER, DemoHome
from demo.ports import HOST, Ports
from demo.warehouses import REPOSITORY

#: The sandbox's own token: it guards nothing, the adapters only have to send one.
SANDBOX_TOKEN = "sandbox-token"
SANDBOX_PATHS = {
    "trueline_google_ads": "google-ads",
    "trueline_meta_ads": "meta-ads",
    "trueline_hubspot": "hubspot",
    "trueline_site_tag": "site-tag",
}
NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "SCARF_ANALYTICS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    # dlt would look for its own settings in Airflow's variables: one slow call per setting.
    "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
}
_NOT_INHERITED = ("AIRFLOW", "_AIRFLOW", "TRUELINE_", "GOOGLE_", "BIGQUERY_", "CLOUDSDK_")


def process_environment(home: DemoHome, ports: Ports) -> dict[str, str]:
    """Airflow's settings, the connections, where the warehouse is, no telemetry.

    Settings of the caller's own shell for Airflow, Google and trueline are left out, so that they
    can neither break the demo nor be touched by it.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)
    }
    paths = [str(REPOSITORY / "include"), str(REPOSITORY)]
    if inherited.get("PYTHONPATH"):
        paths.append(inherited["PYTHONPATH"])
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(paths),
        **_trueline(home, ports),
        **_airflow(home, ports),
        **home.warehouse.environment(home.root, ports.warehouse),
        **NO_TELEMETRY,
    }


def _trueline(home: DemoHome, ports: Ports) -> dict[str, str]:
    variables = {
        "TRUELINE_PROFILE": str(home.warehouse.profile),
        "TRUELINE_DATA": str(home.data),
        "TRUELINE_IDENTITY_KEY_FILE": str(home.identity_key),
        # The world ends on a day, the clock goes on: a scheduled run would ask for days that the
        # sandbox does not have.
        "TRUELINE_CLOCK": "off",
    }
    for name, path in SANDBOX_PATHS.items():
        address = f"http://{HOST}:{ports.sandbox}/{path}"
        variables[f"TRUELINE_CONN_{name.upper()}"] = json.dumps(
            {"base_url": address, "token": SANDBOX_TOKEN}
        )
        variables[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(
            {"conn_type": "http", "host": address, "password": SANDBOX_TOKEN}
        )
    return variables


def _airflow(home: DemoHome, ports: Ports) -> dict[str, str]:
    stored = home.airflow_secrets()
    address = f"http://{HOST}:{ports.airflow}"
    settings = {
        ("core", "dags_folder"): str(REPOSITORY / "dags"),
        ("core", "plugins_folder"): str(REPOSITORY / "plugins"),
        ("core", "load_examples"): "False",
        ("core", "dags_are_paused_at_creation"): "False",
        ("core", "executor"): "LocalExecutor",
        # 32, the default, costs three times the memory and makes SQLite a bottleneck.
        ("core", "parallelism"): "3",
        ("core", "fernet_key"): stored["fernet_key"],
        # Workers call the API server here; the default address is port 8080.
        ("core", "execution_api_server_url"): f"{address}/execution/",
        ("core", "simple_auth_manager_users"): f"{USER}:admin",
        ("core", "simple_auth_manager_passwords_file"): str(home.passwords),
        ("api", "host"): HOST,
        ("api", "port"): str(ports.airflow),
        ("api", "base_url"): address,
        ("api", "workers"): "1",
        ("api", "secret_key"): stored["api_secret_key"],
        ("api_auth", "jwt_secret"): stored["jwt_secret"],
        ("scheduler", "enable_health_check"): "False",
        ("scheduler", "scheduler_idle_sleep_time"): "0.5",
        # Its import alone would write two hundred lines.
        ("logging", "namespace_levels"): "great_expectations=WARNING",
        ("usage_data_collection", "enabled"): "False",
    }
    variables = {
        f"AIRFLOW__{section.upper()}__{name.upper()}": value
        for (section, name), value in settings.items()
    }
    return {"AIRFLOW_HOME": str(home.airflow), **variables}
