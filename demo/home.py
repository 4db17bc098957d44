"""Where the demo keeps its state and its secrets."""

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
from demo.warehouses import REPOSITORY, DemoWarehouse, EmbeddedDuckDB

HOME_VARIABLE = "TRUELINE_DEMO_HOME"
USER = "admin"


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
    """A demo's folder and everything in it. Readable by its owner only.

    Args:
        root: By default what the environment says, else the warehouse's own in the repository.
        warehouse: What this demo runs on.
    """

    def __init__(self, root: Path | None = None, warehouse: DemoWarehouse | None = None) -> None:
        self.warehouse = warehouse or EmbeddedDuckDB()
        chosen = root or Path(os.environ.get(HOME_VARIABLE) or REPOSITORY / self.warehouse.folder)
        self.root = chosen.resolve()
        self.airflow = self.root / "airflow"
        self.data = self.root / "data"
        self.logs = self.root / "process-logs"
        self.report = self.root / "report.html"
        self.processes = self.root / "processes.json"
        self.passwords = self.root / "airflow-passwords.json"
        self.identity_key = self.root / "identity.key"
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
        create_identity_key_file(self.identity_key)
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

    def airflow_secrets(self) -> dict[str, str]:
        """``fernet_key``, ``api_secret_key`` and ``jwt_secret``."""
        return dict(json.loads(self._secrets.read_text()))


def write_private(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON that only the owner can read, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
