"""Addresses and credentials as values: from Airflow in plugins/, from the environment here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from trueline.errors import ConfigurationError

ENV_PREFIX = "TRUELINE_CONN_"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one source or destination. ``token`` never appears in its repr."""

    name: str
    base_url: str = ""
    token: str = field(default="", repr=False)
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)


def connection_from_env(name: str) -> Connection:
    """Read ``TRUELINE_CONN_<NAME>``: a JSON object with ``base_url``, ``token`` and any extras.

    Raises:
        ConfigurationError: the variable is missing or not such an object.
    """
    variable = ENV_PREFIX + name.upper()
    text = os.environ.get(variable)
    if not text:
        raise ConfigurationError(
            f"There is no connection {name!r}.",
            fix=f"Set {variable} to a JSON object with base_url and token (see .env.example).",
        )
    try:
        values = json.loads(text)
    except json.JSONDecodeError:
        values = None
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"{variable} does not hold a JSON object.",
            fix='Write it as {"base_url": "...", "token": "..."}.',
        )
    known = {key: str(values.pop(key, "")) for key in ("base_url", "token")}
    return Connection(name, **known, extra={key: str(value) for key, value in values.items()})
