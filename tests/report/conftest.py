"""A real DuckDB file with published-looking figures, read the way the product reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from report_demo_figures import AS_OF, DDL, funnel_rows

from trueline.warehouse.duckdb import DuckDBReader

Publish = Callable[[Iterable[Mapping[str, Any]]], DuckDBReader]


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(DDL)
        rows = list(rows)
        names = list(rows[0]) if rows else []
        if rows:
            connection.executemany(
                f"insert into marts.funnel_daily ({', '.join(names)}) "
                f"values ({', '.join('?' for _ in names)})",
                [[row[name] for name in names] for row in rows],
            )
        connection.executemany(
            "insert into raw.loads (load_id, source, status, rows_received, rows_loaded, "
            "rows_quarantined, loaded_at) values (?, ?, ?, ?, ?, ?, ?)",
            [
                ["l1", "google_ads", "loaded", 1200, 1200, 0, AS_OF],
                ["l2", "crm_export", "loaded", 480, 473, 7, AS_OF],
                ["l3", "crm_export", "skipped", 0, 0, 0, AS_OF],
            ],
        )


@pytest.fixture(scope="session")
def demo_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBReader]:
    """Ninety days, six campaigns, five channels that nobody claims."""
    path = tmp_path_factory.mktemp("snapshot") / "demo.duckdb"
    _write(path, funnel_rows())
    reader = DuckDBReader(path)
    yield reader
    reader.close()


@pytest.fixture
def publish(tmp_path: Path) -> Iterator[Publish]:
    """Publish the given rows of marts.funnel_daily and open them for reading."""
    readers: list[DuckDBReader] = []

    def _publish(rows: Iterable[Mapping[str, Any]]) -> DuckDBReader:
        path = tmp_path / f"snapshot{len(readers)}.duckdb"
        _write(path, rows)
        readers.append(DuckDBReader(path))
        return readers[-1]

    yield _publish
    for reader in readers:
        reader.raw.close()
