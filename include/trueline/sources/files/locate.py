"""Where a source's files are: below a folder on disk, or below a web address."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from trueline.errors import ConfigurationError, PermanentError
from trueline.sources.http import HttpClient
from trueline.sources.settings import DATE_PLACEHOLDER, FileSettings
from trueline.windows import Window


@dataclass(frozen=True, slots=True)
class Found:
    """One file that was looked for.

    Attributes:
        name: File name without its folder, for records and messages.
        path: Where it can be read now; None if it is not there (yet).
        is_copy: Whether it is a download of ours, to be removed after reading.
    """

    name: str
    path: Path | None
    is_copy: bool = False


def on_disk(settings: FileSettings, folder: Path, window: Window) -> Iterator[Found]:
    """Files below ``folder``, in the order of their names.

    Raises:
        ConfigurationError: the folder is missing, or a link leads out of it.
        PermanentError: a required file is not there.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            "The folder of the source does not exist.",
            where=str(folder),
            fix="Create it, or correct `folder` in the profile (it is looked for below the "
            "profile's folder, then below the current one).",
        )
    for pattern, is_daily in _patterns(settings, window):
        paths = sorted(
            path
            for path in folder.glob(pattern)
            if path.is_file()
            and not path.name.startswith((".", "~$"))
            and not (settings.done_marker and path.name.endswith(settings.done_marker))
        )
        for path in paths:
            _refuse_link(path, folder)
            yield Found(path.name, path)
        if paths:
            continue
        if settings.required and not is_daily:
            raise PermanentError(
                f"No file matches {pattern!r}.",
                where=str(folder),
                fix="Look at the export that should have written it; `required: false` in the "
                "profile marks a file that may be missing.",
            )
        yield Found(PurePosixPath(pattern).name, None)


def over_http(
    settings: FileSettings, client: HttpClient, workdir: Path, window: Window
) -> Iterator[Found]:
    """Files below the connection's address, each downloaded when it is asked for.

    Raises:
        PermanentError: a required file is not there.
        RetriableError, ConfigurationError: see ``HttpClient``.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    for place, is_daily in _patterns(settings, window):
        name = PurePosixPath(place).name
        target = workdir / f"{hashlib.sha256(place.encode()).hexdigest()[:16]}.download"
        if client.download(quote(place), target):
            yield Found(name, target, is_copy=True)
            continue
        if settings.required and not is_daily:
            raise PermanentError(
                "The server has no such file.",
                where=place,
                fix="Look at the export that should have written it, and at the path in the "
                "profile; `required: false` marks a file that may be missing.",
            )
        yield Found(name, None)


def _patterns(settings: FileSettings, window: Window) -> Iterator[tuple[str, bool]]:
    if DATE_PLACEHOLDER not in settings.path:
        yield settings.path, False
        return
    for day in window.days():
        yield settings.path.replace(DATE_PLACEHOLDER, date.isoformat(day)), True


def _refuse_link(path: Path, folder: Path) -> None:
    """Whoever may write into the folder must not make us read another file."""
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(
            "This is a link, or it leads out of the source's folder.",
            where=str(path),
            fix="Put the file itself there, or set `folder` to where the files are.",
        )
