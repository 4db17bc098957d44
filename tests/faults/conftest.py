"""A small company whose platforms misbehave, and the real pull into DuckDB over it."""

from __future__ import annotations

import inspect
import pkgutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sandbox.server.app import SandboxServer
from sandbox.world import World
from trueline import pipeline
from trueline.connections import Connection
from trueline.paths import home
from trueline.pipeline.ingest import IngestSummary
from trueline.settings.profile import Profile, load_profile
from trueline.sources import http
from trueline.sources.salesforce import constants as salesforce_constants
from trueline.sources.settings import SalesforceSettings
from trueline.windows import Window

LAST_DAY = date(2026, 11, 20)
APIS = ("google_ads", "meta_ads", "hubspot", "salesforce")
RAW = ("ad_delivery", "pixel_claims", "ad_clicks", "crm_leads", "crm_stages", "crm_deals")
#: When and by which load a row came differs between two pulls; what it says must not.
PROVENANCE = ("load_id", "loaded_at")


@dataclass(frozen=True)
class Rig:
    """The sandbox, a profile with a warehouse of its own, and what was waited for.

    Attributes:
        waited: Seconds that the adapters would have slept, in order.
    """

    server: SandboxServer
    profile: Profile
    waited: list[float]

    def connection(self, source: str) -> Connection:
        name = self.profile.sources[source].connection or ""
        return Connection(name, f"{self.server.url}/{source.replace('_', '-')}", "sandbox-token")

    def ingest(self, source: str, window: Window) -> IngestSummary:
        return pipeline.ingest(self.profile, source, window, connection=self.connection(source))

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse; none where nothing was ever loaded."""
        return self.queries([text])[0]

    def queries(self, texts: Sequence[str]) -> list[list[tuple[Any, ...]]]:
        """Rows of several questions; opening the file is what takes time."""
        path = self.profile.data_folder / "warehouse.duckdb"
        if not path.exists():
            return [[] for _ in texts]
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return [connection.execute(text).fetchall() for text in texts]

    def raw(self) -> dict[str, list[tuple[Any, ...]]]:
        """What raw says, load by load forgotten: rows without provenance, sorted."""
        return {
            table: sorted(
                self.query(f"select * exclude ({', '.join(PROVENANCE)}) from raw.{table}"),
                key=repr,
            )
            for table in RAW
        }

    def fresh(self, folder: Path) -> Rig:
        """The same platforms with an empty warehouse."""
        return Rig(self.server, profile_in(folder), self.waited)


def profile_in(folder: Path, **changed: Mapping[str, Any]) -> Profile:
    """The default profile with its warehouse in ``folder``; settings changed by source."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_DATA", str(folder))
        profile = load_profile(home() / "config" / "pipeline.yaml")
    sources = {
        name: settings.model_copy(update=dict(changed.get(name, {})))
        for name, settings in profile.sources.items()
    }
    sources["salesforce"] = SalesforceSettings(type="salesforce", currency="EUR")
    settings = profile.settings.model_copy(update={"sources": sources})
    return Profile(path=profile.path, settings=settings)


def serving(world: World) -> Iterator[SandboxServer]:
    """The world's platforms on a free loopback port."""
    server = SandboxServer(world, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(scope="session", autouse=True)
def _identity_key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_IDENTITY_KEY", "only-for-these-tests-" * 3)
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[SandboxServer]:
    yield from serving(World.make(7, last_day=LAST_DAY, days=20, size=0.2))


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every pause of an adapter is noted instead of made, and its clock moves on by it."""
    noted: list[float] = []

    def clock() -> float:
        return time.monotonic() + sum(noted)

    for owner in _with_pauses():
        defaults = owner.__kwdefaults__
        for name, put in (("sleep", noted.append), ("clock", clock)):
            if name in defaults:
                monkeypatch.setitem(defaults, name, put)
    monkeypatch.setattr(http, "READ_SECONDS", 2.0)
    monkeypatch.setattr(salesforce_constants, "FIRST_POLL_SECONDS", 0.01)
    return noted


def _with_pauses() -> Iterator[Callable[..., Any]]:
    """Everything in the APIs' sources that can be handed another way to wait."""
    names = ["trueline.sources.http"]
    for package in APIS:
        folder = import_module(f"trueline.sources.{package}").__path__
        names += [
            found.name for found in pkgutil.walk_packages(folder, f"trueline.sources.{package}.")
        ]
    for name in names:
        for _, member in inspect.getmembers(import_module(name)):
            made = member.__init__ if inspect.isclass(member) else member
            if inspect.isfunction(made) and "sleep" in (made.__kwdefaults__ or {}):
                yield made


@pytest.fixture
def rig(server: SandboxServer, waited: list[float], tmp_path: Path) -> Iterator[Rig]:
    yield Rig(server, profile_in(tmp_path / "data"), waited)
    server.faults.clear()
