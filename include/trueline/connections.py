"""Addresses and credentials as values: from Airflow in plugins/, from the environment here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trueline.errors import ConfigurationError

ENV_PREFIX = "TRUELINE_CONN_"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one source or destination. Nothing secret is in its repr.

    Attributes:
        token: A fixed access token; empty where ``extra`` holds another credential.
        extra: All other fields, none of them empty: ``client_id``, ``refresh_token`` and the like.
        token_folder: Where renewed access tokens are shared with other processes; None keeps
            them in this process alone.
    """

    name: str
    base_url: str = ""
    token: str = field(default="", repr=False)
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)
    token_folder: Path | None = field(default=None, repr=False)


def connection_from_env(name: str, token_folder: Path | None = None) -> Connection:
    """Read ``TRUELINE_CONN_<NAME>``: a JSON object with ``base_url``, a credential and any extras.

    Raises:
        ConfigurationError: the variable is missing or not such an object.
    """
    variable = ENV_PREFIX + name.upper()
    text = os.environ.get(variable)
    if not text:
        raise ConfigurationError(
            f"There is no connection {name!r}.",
            fix=f"Set {variable} to a JSON object with base_url and a credential (see "
            ".env.example).",
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
    fields = as_fields(values)
    known = {key: fields.pop(key, "").strip() for key in ("base_url", "token")}
    return Connection(name, **known, extra=fields, token_folder=token_folder)


def as_fields(values: Mapping[str, Any]) -> dict[str, str]:
    """JSON values as text; what is empty is left out, and an object stays JSON."""
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
        if value not in (None, "")
    }
