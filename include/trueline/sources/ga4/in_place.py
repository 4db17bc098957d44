"""The export read where it lies: one query per raw table, no row travels through Python.

What such a load is made of is handed over as a value; the warehouse runs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from zoneinfo import ZoneInfo

from trueline.errors import ConfigurationError, RetriableError
from trueline.model.catalog import Table, load_catalog
from trueline.sources.base import Batch, Coverage
from trueline.sources.ga4.export import (
    DAILY,
    INTRADAY,
    bigquery_columns,
    day_table,
    property_days,
    queries,
)
from trueline.sources.ga4.meaning import parameters, tables
from trueline.sources.settings import Ga4Settings
from trueline.windows import Window

# Longer than `events_`: the wildcard must not meet the intraday tables, whose columns are fewer
# and would become the columns of them all. It also makes BigQuery look at fewer names.
_CENTURY = "2"


class ExportDataset(Protocol):
    """The dataset that GA4 exports to."""

    project: str
    dataset: str

    def table_names(self) -> Sequence[str]:
        """All tables, in any order.

        Raises:
            ConfigurationError: it is not there, may not be read, or lies in another location.
        """
        ...

    def fields(self, table: str) -> frozenset[str]:
        """Paths of a table's fields: ``event_name``, ``collected_traffic_source.gclid`` …"""
        ...


@dataclass(frozen=True, slots=True)
class InPlaceLoad:
    """What fills one raw table from the export.

    Attributes:
        table: Raw table name without the layer.
        select: A query with exactly the raw table's columns, in its order. Beside ``parameters`` it
            wants ``@source`` and ``@load_id`` (STRING) and ``@loaded_at`` (TIMESTAMP).
        parameters: All STRING.
        coverage: The property days that it reads whole.
        missing: Day tables that are not there (yet); each is a skipped load.
    """

    table: str
    select: str
    parameters: Mapping[str, str]
    coverage: tuple[Coverage, ...]
    missing: tuple[str, ...]

    @property
    def insert(self) -> str:
        """The same as one statement."""
        names = ", ".join(_columns(_raw_table(self.table)))
        return f"insert into raw.{self.table} ({names})\n{self.select}"


class Ga4InPlaceSource:
    """Composes the loads of one export dataset."""

    def __init__(self, name: str, settings: Ga4Settings, *, time_zone: str) -> None:
        self.name = name
        self._settings = settings
        self._reporting = ZoneInfo(time_zone)
        self._property = ZoneInfo(settings.property_time_zone or time_zone)

    def pull(self, window: Window) -> Iterator[Batch]:
        """Only BigQuery can read the export in place.

        Raises:
            ConfigurationError: always; a warehouse on BigQuery asks :meth:`in_place` instead.
        """
        raise ConfigurationError(
            "The GA4 export can be read in place only where BigQuery is the warehouse.",
            where=self.name,
            fix="Export the day tables as files and set export: files and folder in the profile, "
            "or set warehouse.engine: bigquery.",
        )

    def in_place(self, window: Window, export: ExportDataset) -> list[InPlaceLoad]:
        """One load per raw table, over all days of the window and those GA4 may have changed.

        Raises:
            ConfigurationError: nothing was ever exported there, or see ``ExportDataset``.
            RetriableError: there is an export, but no table for any of the days.
        """
        days = property_days(
            window.widened(self._settings.reload_days - 1),
            reporting=self._reporting,
            property_zone=self._property,
        )
        there = frozenset(export.table_names())
        daily = [day for day in days if day_table(DAILY, day) in there]
        intraday = [day for day in days if day not in daily and day_table(INTRADAY, day) in there]
        if not daily and not intraday:
            raise _nothing_there(export, there, days)
        missing = [day for day in days if day not in daily and day not in intraday]
        origin, asked = _origin(export, there, daily, intraday)
        account = export.dataset.removeprefix("analytics_")
        return [
            InPlaceLoad(
                table,
                _select(_raw_table(table), origin),
                {**parameters(self._settings), **asked},
                tuple(
                    Coverage(table, "ga4", account, first, last)
                    for first, last in _runs(sorted((*daily, *intraday)))
                ),
                tuple(day_table(DAILY, day) for day in missing),
            )
            for table in tables(self._settings)
        ]


def _origin(
    export: ExportDataset, there: frozenset[str], daily: list[date], intraday: list[date]
) -> tuple[str, dict[str, str]]:
    """The text of ``export_events`` and its parameters. Every day is read from one table only."""
    parts: list[str] = []
    asked: dict[str, str] = {}
    if daily:
        # A wildcard has the columns of its newest table, whichever days are asked for.
        parts.append(_part(export, there, DAILY) + "between @first_day and @last_day")
        asked |= {"first_day": _suffix(daily[0]), "last_day": _suffix(daily[-1])}
    if intraday:
        names = [f"intraday_day_{number}" for number in range(1, len(intraday) + 1)]
        listed = ", ".join(f"@{name}" for name in names)
        parts.append(_part(export, there, INTRADAY) + f"in ({listed})")
        asked |= dict(zip(names, map(_suffix, intraday), strict=True))
    return "\n    union all\n    ".join(parts), asked


def _part(export: ExportDataset, there: frozenset[str], prefix: str) -> str:
    newest = max(name for name in there if name.startswith(f"{prefix}{_CENTURY}"))
    columns = ",\n        ".join(bigquery_columns(export.fields(newest)))
    return (
        f"select\n        {columns}\n"
        f"    from `{export.project}`.`{export.dataset}`.`{prefix}{_CENTURY}*`\n"
        "    where _table_suffix "
    )


def _suffix(day: date) -> str:
    return f"{day:%Y%m%d}".removeprefix(_CENTURY)


def _select(table: Table, origin: str) -> str:
    texts = queries()
    own = {
        "source": "@source as source",
        "load_id": "@load_id as load_id",
        "loaded_at": "@loaded_at as loaded_at",
        "row_hash": f"{_row_hash(table)} as row_hash",
        "_extra": "cast(null as string) as _extra",
    }
    columns = ",\n    ".join(own.get(name, f"found.{name}") for name in _columns(table))
    return (
        f"with\n\nexport_events as (\n\n    {origin}\n\n),\n\n"
        f"flat_events as (\n\n{texts.evidence}\n),\n\n"
        f"found as (\n\n{texts.by_table[table.name]}\n)\n\n"
        f"select\n    {columns}\nfrom found"
    )


def _row_hash(table: Table) -> str:
    """Of the row's content alone: NULL and an empty text differ, and no value runs into the next.

    Not the hash that rows get on their way through Python; both only tell versions of one row of
    one source apart, and break ties.
    """
    content = [
        f"coalesce('=' || to_hex(sha256(cast({column.name} as string))), '-')"
        for column in table.columns
        if column.name not in ("source", "load_id", "loaded_at", "row_hash", "_extra")
    ]
    return f"substr(to_hex(sha256(concat({', '.join(content)}))), 1, 32)"


def _raw_table(name: str) -> Table:
    return load_catalog()[f"raw.{name}"]


def _columns(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _runs(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Days without a gap between them, as first and last."""
    first = last = days[0]
    for day in days[1:]:
        if (day - last).days > 1:
            yield first, last
            first = day
        last = day
    yield first, last


def _nothing_there(
    export: ExportDataset, there: frozenset[str], days: list[date]
) -> ConfigurationError | RetriableError:
    where = f"{export.project}.{export.dataset}"
    if any(name.startswith(DAILY) for name in there):
        return RetriableError(
            f"None of the {len(days)} days from {days[0]} to {days[-1]} has an events table.",
            where=where,
            fix="The daily export has no promised hour and may come in the afternoon. If it has "
            "stopped for days, look at GA4 → Admin → BigQuery links, and at the property's daily "
            "limit of 1 million exported events.",
        )
    return ConfigurationError(
        "Nothing was exported to this dataset yet.",
        where=where,
        fix="Link the property in GA4 → Admin → BigQuery links (daily export on). The first "
        "tables come within a day, and the past is never exported.",
    )
