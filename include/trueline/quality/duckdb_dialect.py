"""DuckDB for SQLAlchemy, with results that outlive their connection.

Great Expectations closes the connection before it reads the rows, and a DuckDB cursor loses them
then. Results here are small (counts), so they are fetched when the statement has run. SQLAlchemy
loads this module through its registry, never at parse time of a DAG.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb_engine  # noqa: TID253
from sqlalchemy.dialects import registry  # noqa: TID253
from sqlalchemy.dialects.postgresql.psycopg2 import (  # noqa: TID253
    PGExecutionContext_psycopg2,
)
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy  # noqa: TID253

DRIVER = "trueline_buffered"


class BufferingExecutionContext(PGExecutionContext_psycopg2):
    """duckdb-engine's own context, reading every row right after the statement."""

    def post_exec(self) -> None:
        super().post_exec()  # type: ignore[no-untyped-call]
        if self.cursor is not None and self.cursor.description:
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
                self.cursor, initial_buffer=self.cursor.fetchall()
            )


class BufferedDialect(duckdb_engine.Dialect):
    """duckdb-engine's dialect with buffered results and BigQuery's default time zone, UTC."""

    driver = DRIVER
    execution_ctx_cls = BufferingExecutionContext
    supports_statement_cache = False

    def connect(self, *arguments: Any, **parameters: Any) -> Any:
        connection = super().connect(*arguments, **parameters)
        connection.execute("set TimeZone = 'UTC'")
        return connection


def register() -> None:
    """Make ``duckdb+trueline_buffered://`` known to SQLAlchemy; calling it again does no harm."""
    registry.register(f"duckdb.{DRIVER}", __name__, BufferedDialect.__name__)


def connection_string(path: Path) -> str:
    """For reading one database file.

    DuckDB refuses to open a file twice in one process with different settings: a caller closes
    its own connection first and keeps the warehouse's lock.
    """
    return f"duckdb+{DRIVER}:///{quote(str(path.resolve()))}?access_mode=READ_ONLY"
