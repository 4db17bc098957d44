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


def resolve(path: Path, root: Path) -> Path:
    """A path of a profile: below the profile's folder, else below the current folder.

    The second place is for paths that come from the environment: whoever types one means the
    folder he is in. Where neither exists, the first is meant.
    """
    if path.is_absolute():
        return path
    below_root, here = (root / path).resolve(), (Path.cwd() / path).resolve()
    return here if here.exists() and not below_root.exists() else below_root
