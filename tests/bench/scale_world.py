"""A company of any size, written straight into the raw tables by DuckDB itself.

The simulator of ``sandbox`` plays people one by one and is right to do so; ten million submissions
are made here by set instead. Nothing is drawn: every person, visit, click and sale is a function of
its number (``hash``), so the same call gives the same rows. Rows lie in the order of their loads,
as daily pulls leave them, and each day's loads arrive the next morning: a build ``as_of`` that
morning knows no more than a company would have known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.bench.scale_people import MACROS
from tests.bench.scale_rows import GOOGLE, META, REPULLED_DAYS, Rows, all_rows
from trueline.model.catalog import load_catalog
from trueline.paths import home
from trueline.pipeline.keys import ProfileKeys
from trueline.settings.profile import Profile, load_profile
from trueline.warehouse import Work, open_warehouse

DAY = timedelta(days=1)
# When a day's loads are committed, and when the morning's build looks.
_LOADED = timedelta(hours=4)
_BUILT = timedelta(hours=6)
# Wide rows are sorted in slices: DuckDB gives up where a sort and an insert share the memory.
_SORTED_AT_ONCE = 2_500_000
# source, raw table, account, report and subject of raw.load_coverage
_FEEDS = (
    ("google_ads", "ad_accounts", GOOGLE, None, None),
    ("google_ads", "conversion_actions", GOOGLE, None, None),
    ("google_ads", "ad_delivery", GOOGLE, "delivery", "google_ads"),
    ("google_ads", "pixel_claims", GOOGLE, "claims", "google_ads"),
    ("google_ads", "ad_clicks", GOOGLE, "clicks", "google_ads"),
    ("meta_ads", "ad_accounts", META, None, None),
    ("meta_ads", "ad_delivery", META, "delivery", "meta_ads"),
    ("meta_ads", "pixel_claims", META, "claims", "meta_ads"),
    ("hubspot", "crm_leads", None, "crm", "hubspot"),
    ("hubspot", "crm_stages", None, None, None),
    ("hubspot", "crm_deals", None, None, None),
    ("site_tag", "tag_events", None, None, None),
    ("site_tag", "touches", None, None, None),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything.

    Attributes:
        events: Rows of ``raw.tag_events``, about.
        touches: Rows of ``raw.touches``, about.
        leads: People whom the CRM knows; 3% of them have a second record.
    """

    days: int
    events: int
    touches: int
    leads: int

    def share(self, part: float) -> Size:
        """The same daily life over as many days, of a smaller company."""
        return Size(
            self.days,
            round(self.events * part),
            round(self.touches * part),
            round(self.leads * part),
        )

    def over(self, days: int) -> Size:
        """The same company, for another number of days."""
        longer = self.share(days / self.days)
        return Size(days, longer.events, longer.touches, longer.leads)


FULL = Size(days=365, events=10_000_000, touches=12_000_000, leads=2_000_000)

_LOADS = """
create or replace temp table loads_of_days as
select
    day, feed, source, table_name, account_id, report, subject,
    $first_load + to_days(cast(day as int)) as loaded_at,
    concat(
        strftime(($first_load + to_days(cast(day as int))) at time zone 'UTC',
            '%Y%m%dT%H%M%S000000'), '-',
        lpad(cast(feed as varchar), 4, '0'), '-', printf('%06x', chance(day, feed) % 16777216)
    ) as load_id
from range($days) as days(day), feeds
"""
_LOADED_COLUMNS = {
    "source": "loads.source",
    "load_id": "loads.load_id",
    "loaded_at": "loads.loaded_at",
    "_extra": "null",
}


def fill(
    profile: Profile, days: int, events: int, touches: int, leads: int, last_day: date
) -> None:
    """Write the raw tables of an empty DuckDB warehouse.

    Args:
        days: The history's length; it ends with ``last_day``.
        events: Rows of ``raw.tag_events``, about; at least two for every lead.
        touches: Rows of ``raw.touches``, about; at least three for every lead.
        leads: People whom the CRM knows.
    """
    with open_warehouse(profile, Work("fill", "scale-world", "bench")) as warehouse:
        catalog = load_catalog()
        warehouse.ensure_tables(catalog.values())
        world = _World(warehouse, profile, Size(days, events, touches, leads), last_day)
        world.fill()


def morning_after(day: date) -> datetime:
    """When the build of a day's data runs."""
    return datetime.combine(day + DAY, time(), UTC) + _BUILT


def profile_for(folder: Path, memory_limit: str = "6GB") -> Profile:
    """The default profile with a warehouse and a limit of its own."""
    spec = yaml.safe_load((home() / "config" / "pipeline.yaml").read_text())
    spec["warehouse"] = {
        "engine": "duckdb",
        "folder": str(folder / "data"),
        "memory_limit": memory_limit,
    }
    spec["rulebook"] = str(home() / "config" / "rulebook")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profile.yaml").write_text(yaml.safe_dump(spec))
    return load_profile(folder / "profile.yaml")


class _World:
    """One filling: the numbers that the statements need, and the statements."""

    def __init__(self, warehouse: Any, profile: Profile, size: Size, last_day: date) -> None:
        self.sql, self.size = warehouse.raw, size
        first = datetime.combine(last_day - (size.days - 1) * DAY, time(), UTC)
        visitors = size.leads * 2
        per_day = size.leads / size.days
        observed = 0.85
        # About two percent of all rows come twice with another file.
        rows = size.events / 1.02
        counts = {"twice": 0.04, "known": 0.2, "brochures": 0.15, "bots": 0.1}
        parts = {name: round(rows * share) for name, share in counts.items()}
        parts["lost"] = max(
            0,
            round(
                rows * 0.94 - size.leads * observed - sum(parts.values()) + parts["twice"] * 0.15
            ),
        )
        visits = size.touches / 1.02
        self.values = {
            "start_us": round(first.timestamp()) * 1_000_000,
            "first_load": f"timestamptz '{first + DAY + _LOADED:%Y-%m-%d %H:%M:%S}+00'",
            "first_day": f"date '{first:%Y-%m-%d}'",
            "days": size.days,
            "leads": size.leads,
            "events": size.events,
            "visitors": visitors,
            "observed": observed,
            "seen_twice": rows * 0.06 / (size.leads * observed + parts["lost"]),
            "lead_rate": _rate(visits / 2 / size.leads),
            "visitor_rate": _rate(visits / 2 / visitors - 1),
            "offices": max(1, size.leads // 50_000),
            # A campaign brings about fifty-five leads a day.
            "google": max(3, round(per_day / 90)),
            "meta": max(3, round(per_day / 140)),
            "own_domain": ProfileKeys(profile).domain("sunmoor.example"),
            **parts,
        }

    def fill(self) -> None:
        self.sql.execute("set preserve_insertion_order = false")
        for macro in MACROS.split(";\n"):
            self._run(macro)
        feeds = ", ".join(
            f"({number}, {', '.join(_literal(value) for value in feed)})"
            for number, feed in enumerate(_FEEDS, 1)
        )
        self._run(
            f"create or replace temp table feeds as select * from (values {feeds}) "
            "as feeds(feed, source, table_name, account_id, report, subject)"
        )
        self._run(_LOADS)
        for rows in all_rows():
            self._insert(rows)
        self._loads()
        self.sql.execute("set preserve_insertion_order = true")
        self.sql.execute("checkpoint")

    def _run(self, sql: str) -> None:
        for name in sorted(self.values, key=len, reverse=True):
            sql = sql.replace(f"${name}", str(self.values[name]))
        self.sql.execute(sql)

    def _insert(self, rows: Rows) -> None:
        """The rows, in the order of their loads."""
        named = _LOADED_COLUMNS | rows.columns
        of_platform = " and loads.source = landed.platform" if rows.table in _OF_PLATFORMS else ""
        slices = (
            1
            + {
                "touches": self.size.touches,
                "tag_events": self.size.events,
                "crm_leads": self.size.leads * 3 // 2,
            }.get(rows.table, 0)
            // _SORTED_AT_ONCE
        )
        for number in range(slices):
            self._run(
                f"insert into raw.{rows.table} ({', '.join(named)}) "
                f"with {rows.ctes} select {', '.join(named.values())} from {rows.place} as landed "
                "inner join loads_of_days as loads on landed.day = loads.day "
                f"and loads.table_name = '{rows.table}'{of_platform} "
                f"where landed.day >= {number} * $days // {slices} "
                f"and landed.day < {number + 1} * $days // {slices} "
                "order by landed.day"
            )

    def _loads(self) -> None:
        for table in sorted({feed[1] for feed in _FEEDS}):
            self._run(
                "insert into raw.loads (load_id, source, status, table_name, account_id, "
                "window_start, window_end, rows_received, rows_loaded, rows_quarantined, "
                "loaded_at) "
                "select loads.load_id, source, 'loaded', table_name, account_id, "
                "$first_day + day, $first_day + day, "
                "coalesce(n, 0), coalesce(n, 0), 0, loaded_at "
                "from (select *, cast(day as int) as whole_day from loads_of_days "
                f"where table_name = '{table}') as loads left join "
                f"(select load_id, count(*) as n from raw.{table} group by load_id) as counted "
                "using (load_id)".replace("$first_day + day", "$first_day + whole_day")
            )
        self._run(
            "insert into raw.load_coverage (load_id, source, report, subject, account_id, "
            "first_date, last_date, is_exhaustive, complete_until, loaded_at) "
            "select load_id, source, report, subject, coalesce(account_id, '(none)'), "
            "$first_day + cast(greatest(0, if(report in ('delivery', 'claims'), "
            f"day - {REPULLED_DAYS - 1}, day)) as int), $first_day + cast(day as int), true, "
            "if(report = 'crm', loaded_at - interval 4 hours, null), loaded_at "
            "from loads_of_days where report is not null"
        )


_OF_PLATFORMS = frozenset(
    {"ad_accounts", "conversion_actions", "ad_delivery", "pixel_claims", "ad_clicks"}
)


def _rate(mean: float) -> float:
    """Of a geometric number that starts at 0."""
    from math import log

    return log(1 + 1 / max(mean, 0.01))


def _literal(value: str | None) -> str:
    return "null" if value is None else f"'{value}'"
