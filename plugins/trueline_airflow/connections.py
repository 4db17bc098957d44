"""Airflow's connections as trueline's plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from trueline.connections import Connection
from trueline.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Connection as AirflowConnection


def connection_from_airflow(name: str) -> Connection:
    """The Airflow connection ``name``: host → base_url, password → token, extra → extra.

    Raises:
        ConfigurationError: Airflow has no such connection.
    """
    try:
        found = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        raise no_connection(name) from None
    return Connection(
        name,
        base_url=_base_url(found),
        token=found.password or "",
        extra={key: str(value) for key, value in found.extra_dejson.items()},
    )


def no_connection(name: str) -> ConfigurationError:
    """What to say when Airflow does not know ``name``."""
    return ConfigurationError(
        f"Airflow has no connection {name!r}.",
        fix=f"Add it under Admin > Connections, or set AIRFLOW_CONN_{name.upper()} "
        "(see .env.example).",
    )


def _base_url(connection: AirflowConnection) -> str:
    """``host`` may be a whole address; otherwise it is put together as HttpHook does."""
    host = (connection.host or "").rstrip("/")
    if not host or "://" in host:
        return host
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{host}{port}"
