"""Rows for people and for programs: the same rows, as a table or as ``{"rows": [...]}``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

Row = Mapping[str, Any]
_PLAIN_WIDTH = 140


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"


def emit(rows: Sequence[Row], chosen: Format, *, empty: str) -> None:
    """Print rows; ``empty`` is said to people when there are none."""
    if chosen is Format.JSON:
        from trueline.report.files import json_text

        typer.echo('{"rows": [' + ",\n ".join(json_text(row) for row in rows) + "]}")
        return
    if not rows:
        typer.echo(empty)
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PLAIN_WIDTH)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows[0]:
        numeric = isinstance(rows[0][name], int | float | Decimal)
        table.add_column(
            name.replace("_", " "),
            justify="right" if numeric else "left",
            # Ids are there to be copied.
            no_wrap=name.endswith("_id"),
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_told(value) for value in row.values()))
    console.print(table)


def _told(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return f"{value.normalize():,f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(item)}" for key, item in value.items()) or "–"
    text = value if isinstance(value, str) else json.dumps(value)
    return printable(text).replace("[", r"\[")


def printable(text: str) -> str:
    """A name from a platform must not move the cursor or colour the terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)
