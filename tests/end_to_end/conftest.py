"""A small world behind real HTTP, and the whole pipeline over it, once for all tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from sandbox.server.app import SandboxServer
from sandbox.world import World
from trueline import pipeline
from trueline.connections import Connection
from trueline.paths import home
from trueline.settings.profile import Profile, load_profile
from trueline.windows import Window

LAST_DAY = date(2026, 11, 20)
IDENTITY_KEY = "only-for-these-tests-" * 3
PREFIXES = {
    "google_ads": "google-ads",
    "meta_ads": "meta-ads",
    "hubspot": "hubspot",
    "site_tag": "site-tag",
}


@contextmanager
def served(world: World) -> Iterator[str]:
    """The world's platforms on a free loopback port."""
    server = SandboxServer(world, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass(frozen=True)
class Company:
    """A world, where its platforms answer, and the profile that reads them."""

    world: World
    url: str
    profile: Profile

    @property
    def window(self) -> Window:
        return Window(self.world.clock.first_day, self.world.clock.last_day)

    def connection(self, source: str) -> Connection:
        name = self.profile.sources[source].connection or ""
        return Connection(name, f"{self.url}/{PREFIXES[source]}", "sandbox-token")

    def ingest(self, window: Window, *sources: str) -> None:
        for source in sources or PREFIXES:
            pipeline.ingest(self.profile, source, window, connection=self.connection(source))

    def run(self, window: Window) -> None:
        self.ingest(window)
        pipeline.build(self.profile, window)
        pipeline.publish(self.profile)


def profile_in(folder: Path) -> Profile:
    """The default profile with its warehouse in ``folder``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_DATA", str(folder))
        return load_profile(home() / "config" / "pipeline.yaml")


@pytest.fixture(scope="session", autouse=True)
def _identity_key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_IDENTITY_KEY", IDENTITY_KEY)
        yield


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The demo's company of 90 days, ingested, built and published in one window."""
    world = World.make(7, last_day=LAST_DAY)
    with served(world) as url:
        company = Company(world, url, profile_in(tmp_path_factory.mktemp("company") / "data"))
        company.run(company.window)
        yield company


@pytest.fixture(scope="session")
def small_world() -> World:
    """Twelve days of a third of the company, for tests that run it many times.

    So long ago that no verdict changes by the clock between two builds.
    """
    return World.make(11, last_day=date(2026, 3, 31), days=12, size=0.3)
