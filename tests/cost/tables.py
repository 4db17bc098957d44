"""Small tables of known columns for the tests of the cost model."""

from __future__ import annotations

from trueline.model.catalog import Column, Table


def table(key: str, columns: dict[str, str], partition_by: str | None = None) -> Table:
    layer, name = key.split(".")
    return Table(
        layer=layer,
        name=name,
        purpose="a table of a test",
        grain=(next(iter(columns)),),
        kind="table",
        columns=tuple(
            Column(each, kind, "of a test", False, "none") for each, kind in columns.items()
        ),
        partition_by=partition_by,
        cluster_by=(),
        repeat_until_stable=False,
        rebuilt_by="whole",
        query=None,
        query_path=None,
        reads=frozenset(),
        parameters=frozenset(),
    )


VISITS = table(
    "raw.visits",
    {"visit_id": "STRING", "day": "DATE", "clicks": "INT64", "page": "STRING"},
    partition_by="day",
)
EVENTS = table(
    "raw.events",
    {"event_id": "STRING", "happened_at": "TIMESTAMP", "amount": "NUMERIC"},
    partition_by="timestamp_trunc(happened_at, day)",
)
PEOPLE = table("raw.people", {"visit_id": "STRING", "name": "STRING", "is_known": "BOOL"})
SMALL = {each.key: each for each in (VISITS, EVENTS, PEOPLE)}
