"""Ports on 127.0.0.1; nothing of the demo listens on another address."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from demo.errors import DemoError

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Ports:
    """Where the services of one demo listen; free ones unless told."""

    sandbox: int = field(default_factory=free_port)
    airflow: int = field(default_factory=free_port)
    warehouse: int = field(default_factory=free_port)


def require_free(port: int, *, used_for: str, fix: str) -> None:
    """Raise DemoError when another program listens on ``port``."""
    with socket.socket() as probe:
        # As the servers do: a port in TIME_WAIT after a restart is not taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise DemoError(
                f"Port {port} is taken by another program, and {used_for} needs it. {fix}"
            ) from None
