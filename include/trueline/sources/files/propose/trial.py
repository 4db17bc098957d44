"""Read a file with a mapping as ingest would, and count; nothing is loaded."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from trueline.errors import PermanentError
from trueline.sources.files.source import FilesSource
from trueline.sources.settings import FileSettings, FilesSettings
from trueline.windows import Window


@dataclass(slots=True)
class TableTrial:
    """Rows of one raw table: good ones, and bad ones by reason and field."""

    good: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def bad(self) -> int:
        return self.reasons.total()


@dataclass(slots=True)
class Trial:
    """What reading gave.

    Attributes:
        tables: By raw table.
        is_whole: False where reading stopped after the first rows.
        refused: Why the file as a whole is refused, or None.
    """

    tables: dict[str, TableTrial] = field(default_factory=dict)
    is_whole: bool = True
    refused: PermanentError | None = None

    @property
    def received(self) -> int:
        """Rows of the file (a row of an ad report may feed two tables)."""
        return max((each.good + each.bad for each in self.tables.values()), default=0)


def read_with(
    path: Path, mapping: Path | str, *, time_zone: str, now: datetime, enough: int | None = None
) -> Trial:
    """Read ``path`` with a mapping file or the text of one.

    Args:
        enough: Stop once this many rows of a table were told; None reads the whole file.

    Raises:
        ConfigurationError: the mapping is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="trueline-") as folder:
        if isinstance(mapping, str):
            place = Path(folder) / "mapping.yaml"
            place.write_text(mapping, encoding="utf-8")
        else:
            place = mapping
        source = FilesSource(
            "trial",
            FilesSettings(
                type="files",
                folder=path.parent.resolve(),
                files=(FileSettings(path=_literal(path.name), mapping=place.resolve()),),
            ),
            connection=None,
            time_zone=time_zone,
            root=Path(folder),
            workdir=Path(folder),
            known_hashes=frozenset(),
            now=now,
        )
        return _counted(source, Window(now.date(), now.date()), enough)


def _literal(name: str) -> str:
    """The name as a pattern that means itself alone."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _counted(source: FilesSource, window: Window, enough: int | None) -> Trial:
    trial = Trial()
    try:
        for batch in source.pull(window):
            table = trial.tables.setdefault(batch.table, TableTrial())
            table.good += len(batch.records)
            table.good += batch.columns.num_rows if batch.columns is not None else 0
            table.reasons.update(
                f"{error.reason} in {error.column}" if error.column else error.reason
                for error in batch.errors
            )
            if enough is not None and trial.received >= enough:
                trial.is_whole = False
                break
    except PermanentError as error:
        trial.refused = error
    return trial
