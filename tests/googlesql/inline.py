"""The BigQuery statements that stand in Python code, as whole texts handed to the warehouse.

A text with a gap (an f-string) cannot be checked here: those insert a table's own name and columns.
The engines' own modules speak their own dialects and are left out, and so are sources with a
scratch database of their own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CALLS = {"query", "execute"}
_OTHER_DIALECTS = {"warehouse", "quality"}
_SCRATCH_ENGINES = ("duckdb", "sqlite3")


@dataclass(frozen=True, slots=True)
class InlineStatement:
    """One statement and the line on which its text starts."""

    path: Path
    line: int
    sql: str


def inline_statements(package: Path) -> Iterator[InlineStatement]:
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] in _OTHER_DIALECTS:
            continue
        text = path.read_text(encoding="utf-8")
        is_source = path.relative_to(package).parts[0] == "sources"
        if is_source and any(f"import {engine}" in text for engine in _SCRATCH_ENGINES):
            continue
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=attr), args=[ast.Constant(value=str(sql)), *_]
                ) if attr in _CALLS:
                    yield InlineStatement(path, node.args[0].lineno, sql)
