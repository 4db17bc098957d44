"""Where the project's own files live, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def home() -> Path:
    """The folder that holds ``include/sql``, ``great_expectations`` and ``config``."""
    bundled = _PACKAGE / "_home"
    return bundled if bundled.is_dir() else _PACKAGE.parents[1]


def sql_dir() -> Path:
    return home() / "include" / "sql"


def suites_dir() -> Path:
    return home() / "great_expectations"
