"""SQL cases: one YAML file tells a story, what is given and what one table must make of it.

``params / built_first / given / expect`` as in ``tests/sql/<layer>/<table>/<story>.yaml``.
Columns that a row does not name are NULL, but every row lies in a partition: one that names no day
has that of ``DEFAULT_AS_OF``. ``expect`` compares only the columns it names, rows in any order.
Rule tables and parameters that a case does not give come from the default rulebook, so that most
stories need neither. ``built_first: qualification`` computes what the table reads of that layer
from what is given, where a story is told by its sources and not by the steps between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import yaml

from trueline.errors import ConfigurationError, PermanentError
from trueline.model.catalog import Table, build_order, load_catalog
from trueline.model.parameters import HISTORY_START, PARAMETERS
from trueline.paths import home
from trueline.rulebook import Rulebook, load_rulebook
from trueline.warehouse.ddl import DUCKDB_TYPES

if TYPE_CHECKING:
    from trueline.warehouse.duckdb import DuckDBConnection

DEFAULT_AS_OF = datetime(2026, 11, 20, 6, tzinfo=UTC)
_KEYS = {"params", "built_first", "given", "expect"}


@dataclass(frozen=True, slots=True)
class Case:
    """One story."""

    path: Path
    table: Table
    params: Mapping[str, Any]
    built_first: tuple[Table, ...]
    given: Mapping[str, list[dict[str, Any]]]
    expect: list[dict[str, Any]]


def cases_dir() -> Path:
    return home() / "tests" / "sql"


def find_cases(table: Table) -> list[Path]:
    return sorted((cases_dir() / table.layer / table.name).glob("*.yaml"))


def read_case(path: Path) -> Case:
    """Read one case.

    Raises:
        ConfigurationError: the file is not a case, or names tables or columns that do not exist.
    """
    key = f"{path.parent.parent.name}.{path.parent.name}"
    catalog = load_catalog()
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or set(content) - _KEYS or "expect" not in content:
        raise ConfigurationError(
            "A case has the keys params, built_first, given and expect.",
            where=str(path),
            fix="Correct them.",
        )
    if key not in catalog or catalog[key].query is None:
        raise ConfigurationError(
            f"{key} is not a table with a query.", where=str(path), fix="Move the case."
        )
    given = content.get("given") or {}
    layer = content.get("built_first")
    built_first = _steps_before(catalog[key], layer)
    if layer and not built_first:
        raise ConfigurationError(
            f"{key} reads no built table of {layer!r}.", where=str(path), fix="Name its layer."
        )
    for name, rows in {**given, key: content["expect"]}.items():
        if name not in catalog:
            raise ConfigurationError(
                f"There is no table {name}.", where=str(path), fix="Correct its name."
            )
        known = {column.name for column in catalog[name].columns}
        for row in rows or []:
            for column in row.keys() - known:
                raise ConfigurationError(
                    f"{name} has no column {column}.", where=str(path), fix="Correct its name."
                )
    params = content.get("params") or {}
    return Case(path, catalog[key], params, built_first, given, content["expect"] or [])


def _steps_before(table: Table, layer: str | None) -> tuple[Table, ...]:
    """Built tables of ``layer`` that ``table`` is computed from, in order."""
    catalog = load_catalog()
    needed: set[str] = set()
    ahead = list(table.reads)
    while ahead:
        key = ahead.pop()
        if catalog[key].layer == layer and key not in needed:
            needed.add(key)
            ahead.extend(catalog[key].reads)
    return tuple(step for step in build_order(catalog) if step.key in needed)


def run_case(case: Case) -> list[str]:
    """Run a case on an empty DuckDB in memory; returns what differs, in words."""
    from trueline.warehouse.duckdb import in_memory

    connection = in_memory()
    parameters = case_parameters(case)
    give(connection, case, given_rows(case, parameters))
    if case.table.kind == "report":
        found = connection.query(case.table.query or "", parameters)
    else:
        connection.rebuild(case.table, parameters)
        found = connection.query(f"select * from {case.table.key}")
    return differences(case, found)


def give(
    connection: DuckDBConnection, case: Case, rows: Mapping[str, list[dict[str, Any]]]
) -> None:
    """Create the case's tables on an empty DuckDB and fill those that have rows."""
    catalog = load_catalog()
    for name in sorted({*_tables_of(case), *case.given}):
        _create(connection, catalog[name])
    for name, values in rows.items():
        connection.insert(catalog[name], values)


def _tables_of(case: Case) -> set[str]:
    steps = (*case.built_first, case.table)
    return {name for step in steps for name in (step.key, *step.reads)}


def case_parameters(case: Case) -> dict[str, Any]:
    """Defaults of the default rulebook, overridden by what the case gives."""
    rulebook = _default_rulebook()
    defaults = {
        **rulebook.parameters(DEFAULT_AS_OF),
        "history_start": HISTORY_START,
        "reporting_currency": "EUR",
        "rules_version": "v1",
    }
    given = {name: _typed_parameter(name, value) for name, value in case.params.items()}
    found = {**defaults, **given}
    zone = ZoneInfo(found["reporting_time_zone"])
    return {"as_of_date": found["as_of"].astimezone(zone).date(), **found}


@cache
def _default_rulebook() -> Rulebook:
    return load_rulebook(home() / "config" / "rulebook", "Europe/Berlin")


def _typed_parameter(name: str, value: Any) -> Any:
    if name not in PARAMETERS:
        raise PermanentError(
            f"There is no parameter {name!r}.", fix=f"Known: {', '.join(sorted(PARAMETERS))}."
        )
    return _typed(PARAMETERS[name], value)


def _as_it_is(value: str) -> str:
    # A case tells domains, mailboxes and addresses in clear.
    return value


def given_rows(case: Case, parameters: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Typed rows by ``layer.table``: what the case gives, what is built first of it, and the
    default rulebook's tables."""
    catalog = load_catalog()
    rulebook = _default_rulebook()
    rows = {
        f"rules.{name}": values
        for name, values in rulebook.tables(_as_it_is, _as_it_is, _as_it_is).items()
        if f"rules.{name}" in _tables_of(case)
    }
    catalog = load_catalog()
    for name, values in case.given.items():
        column = catalog[name].partition_column
        somewhere = {column: DEFAULT_AS_OF.date()} if column else {}
        rows[name] = [{**somewhere, **row} for row in values or []]
    versioned = {"rules_version": parameters["rules_version"]}
    typed = {
        name: [
            _typed_row(catalog[name], versioned | row if name.startswith("rules.") else row)
            for row in values
        ]
        for name, values in rows.items()
    }
    return typed | _built_rows(case, typed, parameters)


def _built_rows(
    case: Case, given: Mapping[str, list[dict[str, Any]]], parameters: Mapping[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    from trueline.warehouse.duckdb import in_memory

    if not case.built_first:
        return {}
    connection = in_memory()
    give(connection, case, given)
    for step in case.built_first:
        connection.rebuild(step, parameters)
    return {step.key: connection.query(f"select * from {step.key}") for step in case.built_first}


def _create(connection: DuckDBConnection, table: Table) -> None:
    # Without NOT NULL: a story names only the columns that matter to it.
    columns = ", ".join(f"{column.name} {DUCKDB_TYPES[column.type]}" for column in table.columns)
    connection.raw.execute(f"create schema if not exists {table.layer}")
    connection.raw.execute(f"create table {table.key} ({columns})")


def _typed_row(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    types = {column.name: column.type for column in table.columns}
    return {name: _typed(types[name], value) for name, value in row.items()}


def _typed(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "NUMERIC":
        return Decimal(str(value))
    if kind == "STRING":
        return str(value)
    if kind == "DATE":
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    if kind == "TIMESTAMP":
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        # YAML reads an unquoted time with offset as naive UTC.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return value


def differences(case: Case, found: list[dict[str, Any]]) -> list[str]:
    """What a case expects and does not find among the rows of its table, in words."""
    return list(_differences(case, found))


def _differences(case: Case, found: list[dict[str, Any]]) -> Iterator[str]:
    if len(found) != len(case.expect):
        yield f"expected {len(case.expect)} rows, found {len(found)}"
    remaining = [{name: _comparable(value) for name, value in row.items()} for row in found]
    for row in case.expect:
        wanted = {name: _comparable(value) for name, value in _typed_row(case.table, row).items()}
        match = next(
            (
                index
                for index, candidate in enumerate(remaining)
                if all(candidate[name] == value for name, value in wanted.items())
            ),
            None,
        )
        if match is None:
            yield f"not found: {_told(wanted)}"
        else:
            del remaining[match]
    if remaining:
        named = sorted({name for row in case.expect for name in row}) or list(remaining[0])
        for row in remaining:
            yield f"not expected: {_told({name: row[name] for name in named})}"


def _comparable(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value.normalize() + 0
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value


def _told(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items())
