"""Files made of the export's tables: one day after the other, each whole, streamed in batches."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from trueline.errors import ConfigurationError, RetriableError
from trueline.paths import resolve
from trueline.sources.base import Batch, Coverage, Record
from trueline.sources.collect import as_text
from trueline.sources.files.content import content_hash
from trueline.sources.files.targets import columns
from trueline.sources.ga4.export import DAILY, INTRADAY, day_table, property_days, queries
from trueline.sources.ga4.meaning import fingerprint, parameters, tables
from trueline.sources.ga4.read_files import EXTENSIONS, read_day
from trueline.sources.settings import Ga4Settings
from trueline.warehouse.dialect import to_duckdb
from trueline.windows import Window

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

log = logging.getLogger(__name__)
BATCH_RECORDS = 50_000
# Events that are looked into at once; what they hold unfolds to many times its size.
SLICE_ROWS = 100_000
# DuckDB puts aside on disk what does not fit.
MEMORY_LIMIT = "1GB"


@dataclass(frozen=True, slots=True)
class DayFiles:
    """The files of one day's table; BigQuery writes a large table as several.

    Attributes:
        table: ``events_20261120`` or ``events_intraday_20261120``.
        paths: In the order of their names; empty where there is none (yet).
    """

    day: date
    table: str
    paths: tuple[Path, ...]

    @property
    def name(self) -> str:
        """For records and messages."""
        if not self.paths:
            return self.table
        first = self.paths[0].name
        return first if len(self.paths) == 1 else f"{first} and {len(self.paths) - 1} more"


class Ga4FilesSource:
    """Reads the days whose files are not in the warehouse yet, or have changed since."""

    def __init__(
        self,
        name: str,
        settings: Ga4Settings,
        *,
        time_zone: str,
        root: Path,
        workdir: Path,
        known_hashes: frozenset[str],
    ) -> None:
        assert settings.folder is not None
        self.name = name
        self._settings = settings
        self._reporting = ZoneInfo(time_zone)
        self._property = ZoneInfo(settings.property_time_zone or time_zone)
        self._folder = resolve(settings.folder, root)
        self._workdir = workdir
        self._hashes = known_hashes
        self._fingerprint = fingerprint(settings)

    def pull(self, window: Window) -> Iterator[Batch]:
        """Every new or changed day of the window and of the days that GA4 may have changed."""
        days = property_days(
            window.widened(self._settings.reload_days - 1),
            reporting=self._reporting,
            property_zone=self._property,
        )
        found = [find_day(self._folder, day) for day in days]
        if not any(each.paths for each in found):
            raise _nothing_there(self._folder, days)
        for files in found:
            if files.paths:
                yield from self._read(files)
            else:
                yield Batch("tag_events", (), file_name=files.name, skipped_reason="not_there")

    def _read(self, files: DayFiles) -> Iterator[Batch]:
        before = _states(files.paths)
        digest = hashlib.sha256()
        for path in files.paths:
            digest.update(content_hash(path, self._fingerprint).encode())
        content = digest.hexdigest()
        if content in self._hashes:
            yield Batch(
                "tag_events",
                (),
                file_name=files.name,
                content_hash=content,
                skipped_reason="already_loaded",
            )
            return
        with closing(_scratch(self._workdir)) as connection:
            asked = parameters(self._settings)
            only = None if self._settings.touches else self._settings.submission_events
            read_day(connection, files.paths, files.name, files.day, only_events=only)
            _flatten(connection, asked)
            if _states(files.paths) != before:
                raise RetriableError(
                    "The file changed while it was read.",
                    where=files.name,
                    fix="Let the export finish first; writing under another name and renaming at "
                    "the end avoids this.",
                )
            for table in tables(self._settings):
                covered = Coverage(table, "ga4", "(none)", files.day, files.day)
                for records, columns in _rows(connection, table, asked):
                    yield Batch(
                        table,
                        records,
                        file_name=files.name,
                        content_hash=content,
                        columns=columns,
                    )
                yield Batch(
                    table, (), file_name=files.name, content_hash=content, coverage=(covered,)
                )


def find_day(folder: Path, day: date) -> DayFiles:
    """The day's daily files, else its intraday files: once the first are there, the second are old.

    Raises:
        ConfigurationError: there is no such folder, or a link leads out of it.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            "The folder of the GA4 export does not exist.",
            where=str(folder),
            fix="Create it, or correct `folder` in the profile (it is looked for below the "
            "profile's folder, then below the current one).",
        )
    for prefix in (DAILY, INTRADAY):
        table = day_table(prefix, day)
        paths = tuple(
            path
            for path in sorted(folder.glob(f"{table}*"))
            if path.is_file() and path.name.endswith(EXTENSIONS)
        )
        for path in paths:
            if not path.resolve().is_relative_to(folder.resolve()):
                raise ConfigurationError(
                    "This link leads out of the source's folder.",
                    where=str(path),
                    fix="Put the file itself there, or set `folder` to where the files are.",
                )
        if paths:
            return DayFiles(day, table, paths)
    return DayFiles(day, day_table(DAILY, day), ())


def _nothing_there(folder: Path, days: list[date]) -> ConfigurationError | RetriableError:
    what = f"None of the {len(days)} days from {days[0]} to {days[-1]} has a file."
    wanted = f"{day_table(DAILY, days[-1])}.jsonl, .jsonl.gz, .json, .json.gz or .parquet"
    if any(folder.glob(f"{DAILY}*")):
        return RetriableError(
            what,
            where=str(folder),
            fix=f"The export is late or has stopped: look for {wanted}, then run again.",
        )
    return ConfigurationError(
        what,
        where=str(folder),
        fix=f"Export the tables of the GA4 dataset under their own names ({wanted}), or correct "
        "`folder` in the profile. The tables come from GA4 → Admin → BigQuery links.",
    )


def _states(paths: tuple[Path, ...]) -> list[tuple[int, int]]:
    return [(path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def _scratch(workdir: Path) -> duckdb.DuckDBPyConnection:
    """A database of its own, beside the warehouse's: reading needs no lock."""
    import duckdb

    workdir.mkdir(parents=True, exist_ok=True)
    path = workdir / "ga4.duckdb"
    path.unlink(missing_ok=True)
    return duckdb.connect(
        str(path),
        config={
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(workdir / "ga4-spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "TimeZone": "UTC",
        },
    )


def _rows(
    connection: duckdb.DuckDBPyConnection, table: str, asked: dict[str, str]
) -> Iterator[tuple[list[Record], pa.Table | None]]:
    """The table's rows in pieces: as columns, but rows that lack what they need as records."""
    import pyarrow as pa
    import pyarrow.compute as pc

    needed = [name for name, target in columns(table).items() if target.required]
    text, used = _translated(queries().by_table[table], asked)
    number = 0
    for batch in connection.sql(text, params=used).to_arrow_reader(BATCH_RECORDS):
        lines = pa.array(range(number + 1, number + batch.num_rows + 1), pa.int64())
        number += batch.num_rows
        rows = pa.Table.from_batches([batch]).append_column("line", lines)
        lacking: Any = functools.reduce(pc.or_, (pc.is_null(rows.column(name)) for name in needed))
        yield [], rows.filter(pc.invert(lacking))
        bad = rows.filter(lacking).to_pylist()
        if bad:
            yield [Record(row.pop("line"), row, raw_row=as_text(row)) for row in bad], None


def _flatten(connection: duckdb.DuckDBPyConnection, asked: dict[str, str]) -> None:
    """Make ``flat_events``, slice by slice: each row is told from itself alone."""
    ((rows,),) = connection.execute("select count(*) from export_events").fetchall()
    connection.execute("alter table export_events rename to whole_day")
    for start in range(0, max(rows, 1), SLICE_ROWS):
        connection.execute(
            "create or replace view export_events as select * from whole_day "
            f"where rowid >= {start} and rowid < {start + SLICE_ROWS}"
        )
        how = "insert into flat_events" if start else "create table flat_events as"
        _run(connection, f"{how} {queries().evidence}", asked)
    connection.execute("drop view export_events")
    connection.execute("drop table whole_day")


def _run(connection: duckdb.DuckDBPyConnection, statement: str, asked: dict[str, str]) -> None:
    text, used = _translated(statement, asked)
    connection.execute(text, used)


def _translated(statement: str, asked: dict[str, str]) -> tuple[str, dict[str, str]]:
    """DuckDB refuses parameters that a statement does not use."""
    text = to_duckdb(statement)
    return text, {name: value for name, value in asked.items() if f"${name}" in text}
