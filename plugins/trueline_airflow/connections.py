"""Airflow's connections as trueline's plain values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from trueline.connections import Connection, as_fields
from trueline.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Connection as AirflowConnection


#: Masked wherever Airflow writes a log; it knows some of these names itself, not all.
_SECRETS = ("client_secret", "refresh_token", "private_key", "service_account", "developer_token")


def connection_from_airflow(name: str, token_folder: Path | None = None) -> Connection:
    """The Airflow connection ``name``: host → base_url, the form's fields → token and extra.

    A connection of the type ``http`` has its token in ``password``.

    Raises:
        ConfigurationError: Airflow has no such connection.
    """
    try:
        found = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        raise no_connection(name) from None
    fields = as_fields(found.extra_dejson)
    token = fields.pop("token", "") or found.password or ""
    for secret in (token, *(fields.get(name) for name in _SECRETS)):
        if secret:
            mask_secret(secret)
    return Connection(
        name,
        base_url=_base_url(found),
        token=token.strip(),
        extra=fields,
        token_folder=token_folder,
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
