"""Where the demo keeps its state, its secrets, and the environment of the processes it starts."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from demo.errors import DemoError
from demo.ports import HOST

REPOSITORY = Path(__file__).resolve().parents[1]
HOME_VARIABLE = "TRUELINE_DEMO_HOME"
USER = "admin"
#: The sandbox's own token: it guards nothing, the adapters only have to send one.
SANDBOX_TOKEN = "sandbox-token"
SANDBOX_PATHS = {
    "trueline_google_ads": "google-ads",
    "trueline_meta_ads": "meta-ads",
    "trueline_hubspot": "hubspot",
    "trueline_site_tag": "site-tag",
}


@dataclass(frozen=True)
class WorldSettings:
    """Which world the sandbox plays: the same three values give the same world again."""

    seed: int
    last_day: date
    days: int
    size: float

    @property
    def first_day(self) -> date:
        return self.last_day - timedelta(days=self.days - 1)

    @classmethod
    def of_today(
        cls, time_zone: str, *, seed: int = 7, days: int = 90, size: float = 1.0
    ) -> WorldSettings:
        """The world whose last day is yesterday in ``time_zone``."""
        today = datetime.now(ZoneInfo(time_zone)).date()
        return cls(seed=seed, last_day=today - timedelta(days=1), days=days, size=size)


class DemoHome:
    """The folder ``.demo`` and everything in it. Readable by its owner only."""

    def __init__(self, root: Path | None = None) -> None:
        chosen = root or Path(os.environ.get(HOME_VARIABLE) or REPOSITORY / ".demo")
        self.root = chosen.resolve()
        self.airflow = self.root / "airflow"
        self.data = self.root / "data"
        self.logs = self.root / "process-logs"
        self.report = self.root / "report.html"
        self.processes = self.root / "processes.json"
        self.passwords = self.root / "airflow-passwords.json"
        self._identity_key = self.root / "identity.key"
        self._secrets = self.root / "secrets.json"
        self._world = self.root / "world.json"

    def exists(self) -> bool:
        return self._world.is_file()

    def create(self, world: WorldSettings) -> None:
        """Make the folder, its key and its secrets; the folder must not exist."""
        from trueline.identity_keys import create_identity_key_file

        self.root.mkdir(mode=0o700, parents=True)
        for folder in (self.airflow, self.data, self.logs):
            folder.mkdir()
        create_identity_key_file(self._identity_key)
        write_private(
            self._secrets,
            {
                "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "api_secret_key": secrets.token_urlsafe(32),
                "jwt_secret": secrets.token_urlsafe(48),
            },
        )
        write_private(self.passwords, {USER: secrets.token_urlsafe(12)})
        write_private(self._world, {**asdict(world), "last_day": world.last_day.isoformat()})

    def remove(self) -> None:
        """Delete the folder; refuses one that the demo did not make.

        Raises:
            DemoError: the folder is not the demo's.
        """
        if not self.root.exists():
            return
        if not self.exists() and any(self.root.iterdir()):
            raise DemoError(
                f"{self.root} is not a folder that the demo made, so it is left alone. Move it "
                f"away, or set {HOME_VARIABLE} to another place."
            )
        shutil.rmtree(self.root)

    def world(self) -> WorldSettings:
        stored = json.loads(self._world.read_text())
        return WorldSettings(**{**stored, "last_day": date.fromisoformat(stored["last_day"])})

    def password(self) -> str:
        return str(json.loads(self.passwords.read_text())[USER])

    def environment(self, *, sandbox_port: int, airflow_port: int) -> dict[str, str]:
        """The environment of every process: Airflow's settings, the connections, no telemetry.

        Airflow and trueline settings of the caller's own shell are left out, so that they can
        neither break the demo nor be touched by it.
        """
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "_AIRFLOW", "TRUELINE_"))
        }
        paths = [str(REPOSITORY / "include"), str(REPOSITORY)]
        if inherited.get("PYTHONPATH"):
            paths.append(inherited["PYTHONPATH"])
        return {
            **inherited,
            "PYTHONPATH": os.pathsep.join(paths),
            **self._trueline(sandbox_port),
            **self._airflow(airflow_port),
            **NO_TELEMETRY,
        }

    def _trueline(self, sandbox_port: int) -> dict[str, str]:
        variables = {
            "TRUELINE_DATA": str(self.data),
            "TRUELINE_IDENTITY_KEY_FILE": str(self._identity_key),
            # The world ends on a day, the clock goes on: a scheduled run would ask for days
            # that the sandbox does not have.
            "TRUELINE_CLOCK": "off",
        }
        for name, path in SANDBOX_PATHS.items():
            address = f"http://{HOST}:{sandbox_port}/{path}"
            variables[f"TRUELINE_CONN_{name.upper()}"] = json.dumps(
                {"base_url": address, "token": SANDBOX_TOKEN}
            )
            variables[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(
                {"conn_type": "http", "host": address, "password": SANDBOX_TOKEN}
            )
        return variables

    def _airflow(self, port: int) -> dict[str, str]:
        stored = json.loads(self._secrets.read_text())
        address = f"http://{HOST}:{port}"
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
            ("core", "simple_auth_manager_passwords_file"): str(self.passwords),
            ("api", "host"): HOST,
            ("api", "port"): str(port),
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
        return {"AIRFLOW_HOME": str(self.airflow), **variables}


NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "SCARF_ANALYTICS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    # dlt would look for its own settings in Airflow's variables: one slow call per setting.
    "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
}


def write_private(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON that only the owner can read, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
