"""The ready-made mappings: ``config/mappings/library/NAME.yaml``, in a checkout and in a wheel.

A profile names one as ``mapping: library/NAME.yaml`` wherever the profile lies; a mapping of one's
own builds on one with ``extends: NAME``.
"""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from trueline.errors import ConfigurationError
from trueline.paths import home

FOLDER = "library"


def folder() -> Path:
    return home() / "config" / "mappings" / FOLDER


def names() -> list[str]:
    """Names of all ready-made mappings, sorted."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def path_of(name: str) -> Path:
    """Where a ready-made mapping lies.

    Raises:
        ConfigurationError: there is none of this name.
    """
    known = names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigurationError(
            f"There is no ready-made mapping {name!r}.{hint}",
            fix="`trueline mapping list` shows them.",
        )
    return folder() / f"{name}.yaml"


@cache
def _text(name: str) -> str:
    return path_of(name).read_text(encoding="utf-8")


def content(name: str) -> dict[str, Any]:
    """A ready-made mapping as plain values, what it extends included."""
    found: dict[str, Any] = yaml.safe_load(_text(name))
    base = content(found["extends"]) if "extends" in found else {}
    merged = {**base, **found}
    for part in ("constants", "fields"):
        merged[part] = {**base.get(part, {}), **found.get(part, {})}
    return merged


def about(name: str) -> str:
    """The comment at the head of a ready-made mapping; its first sentence says what it reads."""
    lines = []
    for line in _text(name).splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines)


def is_checked(name: str) -> bool:
    """Whether the columns were found in a public source (which, the comment says)."""
    return "Columns could not be checked" not in about(name)
