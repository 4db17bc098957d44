"""Rows of an ad report that are there twice: told once, or refused where their figures differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trueline.errors import PermanentError
from trueline.sources.files.rows import GRAINS

if TYPE_CHECKING:
    import duckdb

# The rest waits on disk: a report of any length fits.
_MEMORY = "200MB"


class Repeats:
    """Remembers campaigns and days of one table of one file, as 64-bit hashes.

    Args:
        table: ``ad_delivery`` or ``pixel_claims``.
        file: Name of the file, for messages.
        workdir: Where what does not fit into memory may wait.
    """

    def __init__(self, table: str, file: str, workdir: Path) -> None:
        import duckdb

        self._grain, self._file = GRAINS[table], file
        self._duckdb: duckdb.DuckDBPyConnection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": _MEMORY,
                "temp_directory": str(workdir / "repeats"),
                "threads": 1,
                "autoinstall_known_extensions": False,
            },
        )
        self._duckdb.execute("create table seen (grain ubigint, content ubigint, line bigint)")

    def close(self) -> None:
        """Let memory and files go."""
        self._duckdb.close()

    def among(self, columns: pa.Table, lines: Any) -> npt.NDArray[np.bool_]:
        """Which of the rows tell again what an earlier row told.

        Raises:
            PermanentError: one tells something else: the report has a breakdown too many, and one
                of the two would be lost later.
        """
        grain = ", ".join(self._grain)
        values = ", ".join(sorted(name for name in columns.column_names if name != "_extra"))
        numbered = columns.append_column("line_", pa.array(lines, pa.int64())).append_column(
            "place_", pa.array(np.arange(len(lines)), pa.int64())
        )
        run = self._duckdb
        run.register("numbered", numbered)
        run.execute(
            f"create or replace temp table now as select place_ as place, line_ as line, "
            f"hash({grain}) as grain, hash({values}) as content from numbered"
        )
        run.unregister("numbered")
        run.execute(
            "create or replace temp table first as select grain, min(line) as line, "
            "arg_min(content, line) as content, count(*) as times from now group by grain"
        )
        known = "select first.grain, seen.content, seen.line from first join seen using (grain)"
        run.execute(f"create or replace temp table before as {known}")
        ((is_known, most),) = run.execute(
            "select (select count(*) from before), (select coalesce(max(times), 0) from first)"
        ).fetchall()
        repeats = np.zeros(len(lines), np.bool_)
        if is_known or most > 1:
            again = run.execute(
                "select now.place, now.line, now.content, "
                "coalesce(before.content, first.content), coalesce(before.line, first.line) "
                "from now join first using (grain) left join before using (grain) "
                "where before.grain is not null or now.line > first.line "
                "order by now.line"
            ).fetchnumpy()
            self._refuse_different(again)
            repeats[again["place"]] = True
        run.execute(
            "insert into seen select grain, content, line from first "
            "where grain not in (select grain from before)"
        )
        return repeats

    def _refuse_different(self, again: Any) -> None:
        _, line, content, first_content, first_line = again.values()
        different = np.flatnonzero(content != first_content)
        if not len(different):
            return
        worst = different[0]
        raise PermanentError(
            f"Lines {first_line[worst]} and {line[worst]} give different figures for the same "
            f"{', '.join(self._grain)}.",
            where=self._file,
            fix="Export one row per campaign and day (and action), without a further breakdown "
            "such as device, ad group or network.",
        )
