"""One world and one running server for all sandbox tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
import requests

from sandbox.server.app import SandboxServer
from sandbox.world import World

LAST_DAY = date(2026, 11, 22)


@pytest.fixture(scope="session")
def world() -> World:
    return World.make(7, last_day=LAST_DAY)


@contextmanager
def running(world: World) -> Iterator[SandboxServer]:
    """The world's platforms on a free loopback port."""
    server = SandboxServer(world, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture(scope="session")
def url(world: World) -> Iterator[str]:
    with running(world) as server:
        yield server.url


@pytest.fixture(scope="session")
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer sandbox-token"
        yield session
