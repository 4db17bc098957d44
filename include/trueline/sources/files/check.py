"""Trying files: are there any, and does the newest one fit its mapping?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from trueline.connections import Connection
from trueline.errors import PermanentError, TruelineError
from trueline.paths import resolve
from trueline.sources import access
from trueline.sources.checks import CheckResult, failure, tried
from trueline.sources.files.content import check_kind
from trueline.sources.files.locate import Found, on_disk, over_http
from trueline.sources.files.mapping import FileMapping, load_mapping
from trueline.sources.files.tables import open_table
from trueline.sources.http import HttpClient
from trueline.sources.settings import DATE_PLACEHOLDER, FileSettings, FilesSettings
from trueline.windows import Window

# A day's file may be late; one of these days has one.
LOOKED_AT_DAYS = 7


def check(
    settings: FilesSettings, connection: Connection | None, *, root: Path, today: date
) -> Iterator[CheckResult]:
    """The way in where there is one, then each entry of ``files``."""
    client = None
    if connection is not None:
        is_open = yield from access.files(connection)
        if not is_open:
            return
        client = HttpClient(connection)
    folder = resolve(settings.folder, root) if settings.folder else root
    for file in settings.files:
        try:
            mapping = load_mapping(root / file.mapping)
        except TruelineError as error:
            yield failure(f"mapping {file.mapping}", error)
            continue
        with tempfile.TemporaryDirectory(prefix="trueline-check-") as workdir:
            look = partial(_newest, file, folder, client, Path(workdir), today)
            yield tried(file.path, partial(_fits, look, mapping, file))


def _newest(
    file: FileSettings, folder: Path, client: HttpClient | None, workdir: Path, today: date
) -> list[Found]:
    """The files that are there; of daily ones the newest day's only."""
    days = LOOKED_AT_DAYS if DATE_PLACEHOLDER in file.path else 1
    for back in range(1, days + 1):
        day = Window(today - timedelta(days=back), today - timedelta(days=back))
        listed = over_http(file, client, workdir, day) if client else on_disk(file, folder, day)
        found = [each for each in listed if each.path is not None]
        if found:
            return found
    return []


def _fits(look: partial[list[Found]], mapping: FileMapping, file: FileSettings) -> str:
    found = look()
    if not found:
        if not file.required:
            return "nothing there yet, which the profile allows"
        raise PermanentError(
            f"None of the last {LOOKED_AT_DAYS} days has a file.",
            fix="Look at the export that should have written them, and at the path in the profile.",
        )
    newest = max(found, key=lambda each: each.path.stat().st_mtime if each.path else 0.0)
    assert newest.path is not None
    is_daily_lines = mapping.format == "jsonl" and DATE_PLACEHOLDER in file.path
    check_kind(newest.path, newest.name, mapping, may_be_empty=is_daily_lines)
    table = open_table(newest.path, newest.name, mapping)
    count = "1 file" if len(found) == 1 else f"{len(found):,} files"
    if table.columns is None:
        return f"{count}; {newest.name} is readable (its rows name their own columns)"
    return f"{count}; the columns of {newest.name} fit {file.mapping.name}"
