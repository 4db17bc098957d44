"""One day's files into a table with the export's own nested columns."""

from __future__ import annotations

import gzip
import logging
import re
import zlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from trueline.errors import PermanentError
from trueline.sources.files.content import cut_off, opened
from trueline.sources.ga4.export import (
    EXPORT_COLUMNS,
    NEEDED_COLUMNS,
    OTHER_COLUMNS,
    duckdb_type,
)

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)
EXTENSIONS = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".parquet")
_PARQUET = b"PAR1"
# Rows of a file that are looked at for columns nobody knows.
_LOOKED_AT = 1000
_MAX_ROW_BYTES = 16 * 1024 * 1024


def read_day(
    connection: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    name: str,
    day: date,
    *,
    only_events: Sequence[str] | None,
) -> None:
    """Create ``export_events``; what a file lacks is NULL, what nobody reads is left out.

    Args:
        name: For messages.
        only_events: Events to keep; None keeps all.

    Raises:
        PermanentError: a file is damaged, holds another day, or is no GA4 export.
    """
    import duckdb

    columns = ", ".join(f"{column} {duckdb_type(kind)}" for column, kind in EXPORT_COLUMNS.items())
    connection.execute(f"create table export_events ({columns})")
    keep, values = "", {}
    if only_events is not None:
        keep, values = " where list_contains($events, event_name)", {"events": list(only_events)}
    for path in paths:
        if path.stat().st_size == 0:
            continue  # a table without rows
        try:
            rows = _parquet(connection, path) if _is_parquet(path) else _json(connection, path)
            connection.execute(f"insert into export_events select * from ({rows}){keep}", values)
        except duckdb.Error as error:
            raise _unreadable(error, path.name) from None
    _refuse_another_day(connection, name, day)


def _is_parquet(path: Path) -> bool:
    with opened(path, path.name) as file:
        try:
            return file.read(len(_PARQUET)) == _PARQUET
        except (EOFError, OSError, zlib.error, gzip.BadGzipFile):
            raise cut_off(path.name, "the gzip stream ends early or is damaged") from None


def _json(connection: duckdb.DuckDBPyConnection, path: Path) -> str:
    with path.open("rb") as file:
        packing = "gzip" if file.read(2) == b"\x1f\x8b" else "none"
    options = (
        f"'{_quoted(path)}', compression = '{packing}', format = 'newline_delimited', "
        f"maximum_object_size = {_MAX_ROW_BYTES}"
    )
    found = connection.execute(
        "select distinct unnest(json_keys(json)) from (select json from "
        f"read_json_objects({options}) limit {_LOOKED_AT})"
    ).fetchall()
    _check_columns({str(name) for (name,) in found}, path.name)
    types = ", ".join(f"{name}: '{duckdb_type(kind)}'" for name, kind in EXPORT_COLUMNS.items())
    return f"select * from read_json({options}, columns = {{{types}}})"


def _parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> str:
    table = f"read_parquet('{_quoted(path)}')"
    found = {row[0] for row in connection.execute(f"describe select * from {table}").fetchall()}
    _check_columns(found, path.name)
    # A record is cast by the names of its fields: a field that it lacks becomes NULL.
    items = (
        f"cast({name if name in found else 'null'} as {duckdb_type(kind)}) as {name}"
        for name, kind in EXPORT_COLUMNS.items()
    )
    return f"select {', '.join(items)} from {table}"


def _check_columns(found: set[str], name: str) -> None:
    lacking = [column for column in NEEDED_COLUMNS if column not in found]
    if lacking:
        raise PermanentError(
            f"This is no GA4 export: it has no {lacking[0]}.",
            where=name,
            fix="Export the table events_YYYYMMDD whole, with its nested columns, as JSON (one "
            "object a line) or Parquet.",
        )
    unknown = sorted(found - EXPORT_COLUMNS.keys() - OTHER_COLUMNS)
    if unknown:
        log.warning("%s has columns that nobody reads: %s", name, ", ".join(unknown))


def _refuse_another_day(connection: duckdb.DuckDBPyConnection, name: str, day: date) -> None:
    ((others,),) = connection.sql(
        "select count(*) from export_events where event_date is distinct from $day",
        params={"day": f"{day:%Y%m%d}"},
    ).fetchall()
    if others:
        raise PermanentError(
            f"{others:,} rows are of another day than {day} (event_date).",
            where=name,
            fix="Name the file after its table: events_YYYYMMDD, one day a file.",
        )


def _unreadable(error: Exception, name: str) -> PermanentError:
    """What DuckDB says quotes the value, so only its kind and place are passed on."""
    text = str(error)
    if "GZIP" in text.upper() or "magic bytes" in text or "footer" in text:
        return cut_off(name, "it ends before its end")
    place = re.search(r"in (?:line|record/value) (\d+)", text)
    where = f"{name}:{place[1]}" if place else name
    what = "A row is not what GA4 writes" if "cast" in text else "A row cannot be read"
    return PermanentError(
        f"{what} ({type(error).__name__}).",
        where=where,
        fix="Export the table again as JSON (one object a line, UTF-8) or Parquet, and copy it "
        "whole; nothing of this file was loaded.",
    )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
