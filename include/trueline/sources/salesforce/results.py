"""Pages of a query job's results: CSV with a header, every cell text, an empty one null."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trueline.errors import ConfigurationError, RetriableError, TruelineError

Row = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        rows: Column name, as it was asked for, to text.
        unasked: Columns that nobody asked for; they are in the rows too.
        missing: Columns that were asked for and did not come; they are not in the rows.
    """

    rows: Sequence[Row]
    unasked: Sequence[str] = ()
    missing: Sequence[str] = ()


def parse(
    content: bytes,
    columns: Sequence[str],
    needed: Sequence[str],
    told: str | None,
    *,
    where: str,
) -> Page:
    """Read one page. The order of the columns is Salesforce's own.

    Args:
        columns: What was selected; letters may come back in another case.
        needed: Columns that have to be there.
        told: The number of rows by the header ``Sforce-NumberOfRecords``, where there is one.

    Raises:
        RetriableError: the page is cut off, no CSV, or has another number of rows.
        ConfigurationError: a needed column is not there.
    """
    # Long texts now and then hold NUL, which no table can store.
    text = _decoded(content, where).replace("\0", "")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [line for line in reader if line]
    except csv.Error:
        raise _broken("no whole CSV", where) from None
    header, body = (lines[0], lines[1:]) if lines else ([], [])
    if any(len(line) != len(header) for line in body):
        raise _broken("rows of different lengths", where)
    if told is not None and told.isdigit() and int(told) != len(body):
        raise _broken(f"{len(body):,} rows instead of {int(told):,}", where)
    by_lower = {name.lower(): name for name in columns}
    names = [by_lower.get(name.lower(), name) for name in header]
    missing = [name for name in columns if name not in names] if body else []
    lost = [name for name in needed if name in missing]
    if lost:
        raise ConfigurationError(
            f"Salesforce's rows have no column {lost[0]!r} any more.",
            where=where,
            fix="Nothing was loaded. Look for the field in Setup, Object Manager, and for the "
            "integration user's field-level security.",
        )
    rows = [{name: cell or None for name, cell in zip(names, line, strict=True)} for line in body]
    return Page(rows, [name for name in names if name not in columns] if body else [], missing)


def _decoded(content: bytes, where: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _broken("text that is not UTF-8", where) from None
    if text.lstrip()[:1] == "<":
        raise _broken("a web page", where)
    return text


def _broken(what: str, where: str) -> TruelineError:
    return RetriableError(
        f"Salesforce said OK but sent {what}.",
        where=where,
        fix="Try again; if it stays so, look for a proxy or a maintenance page between here and "
        "Salesforce.",
    )
