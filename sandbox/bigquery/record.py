"""Everything that was asked and answered, for assertions afterwards. No token is ever kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.bigquery.store import Store
from sandbox.bigquery.types import Field


class Record:
    """Lines of three kinds, in memory and, if asked for, in a file (JSON Lines):

    - ``request``: method, path, query, body, status, response;
    - ``statement``: job_id, sql, parameters (name → type), temporary (tables of the script),
      catalog (a number);
    - ``catalog``: catalog (its number), tables (``dataset.table`` → columns), filtered_by (the
      partition column of those that may not be read without a filter on it): what there was when
      the statements of that number ran.
    """

    def __init__(self, store: Store, path: Path | None = None) -> None:
        self._store, self._path = store, path
        self._lock = threading.Lock()
        self._lines: list[dict[str, Any]] = []
        self._catalog: tuple[dict[str, Any], dict[str, str | None]] | None = None
        self._number = 0

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Any,
        status: int,
        response: Any,
    ) -> None:
        self._add(
            {
                "kind": "request",
                "method": method,
                "path": path,
                "query": dict(query),
                "body": body,
                "status": status,
                "response": response,
            }
        )

    def statement(
        self,
        job_id: str,
        text: str,
        parameters: Mapping[str, Field],
        temporary: Mapping[str, tuple[Field, ...]],
    ) -> None:
        with self._store.lock:
            tables = {
                f"{table.dataset_id}.{table.table_id}": _columns(table.fields)
                for table in self._store.tables.values()
            }
            filtered_by = {
                f"{table.dataset_id}.{table.table_id}": table.partition_column()
                for table in self._store.tables.values()
                if table.requires_filter()
            }
        with self._lock:
            if (tables, filtered_by) != self._catalog:
                self._catalog = tables, filtered_by
                self._number += 1
                self._write(
                    {
                        "kind": "catalog",
                        "catalog": self._number,
                        "tables": tables,
                        "filtered_by": filtered_by,
                    }
                )
        self._add(
            {
                "kind": "statement",
                "job_id": job_id,
                "sql": text,
                "parameters": {name: each.sql_type() for name, each in parameters.items()},
                "temporary": {name: _columns(fields) for name, fields in temporary.items()},
                "catalog": self._number,
            }
        )

    def lines(self, kind: str | None = None) -> list[dict[str, Any]]:
        """What was recorded, oldest first."""
        with self._lock:
            return [line for line in self._lines if kind in (None, line["kind"])]

    def clear(self) -> None:
        """Forget what is in memory; the file keeps its lines."""
        with self._lock:
            self._lines.clear()
            self._catalog = None

    def _add(self, line: dict[str, Any]) -> None:
        with self._lock:
            self._write(line)

    def _write(self, line: dict[str, Any]) -> None:
        self._lines.append(line)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")


def _columns(fields: tuple[Field, ...]) -> list[dict[str, str]]:
    return [{"name": each.name, "type": each.sql_type(), "mode": each.mode} for each in fields]
