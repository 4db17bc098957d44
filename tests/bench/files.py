"""How fast files become raw rows, beside plain DuckDB that reads the same files into a table.

Each reading runs in a process of its own, so that its peak of memory is its own. The files are made
here; sizes are shares of: 28 days of 100,000 ad rows, a CRM's million leads (about half a GB of
CSV), a day of 5 million GA4 events.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

DAY = date(2026, 10, 28)
SHARE = 0.1
AD_ROWS = """
select
    1000 + i % 50 as account, 120210000000000000 + i as campaign,
    'Búsqueda ' || (i % 10000) || ' | DE' as name,
    strftime(date '2026-10-01' + cast(d as int), '%Y-%m-%d') as day, 'EUR' as currency,
    cast((hash(i, d) % 20000) / 100.0 as decimal(10, 2)) as cost,
    hash(i, d, 1) % 20000 as impressions, hash(i, d, 2) % 500 as clicks
from range(28) as days(d), range($rows) as campaigns(i)
"""
LEADS = """
select
    '00Q' || lpad(cast(i as varchar), 15, '0') as id,
    strftime(timestamp '2024-01-01' + to_seconds(cast(hash(i) % 80000000 as int)),
        '%Y-%m-%dT%H:%M:%SZ') as created,
    strftime(timestamp '2026-01-01' + to_seconds(cast(hash(i, 3) % 20000000 as int)),
        '%Y-%m-%dT%H:%M:%SZ') as changed,
    'person' || i || '@mail' || (i % 5000) || '.example.org' as mail,
    '+4930' || (20000000 + hash(i) % 70000000) as phone,
    ['Facebook', 'Google', 'Event', 'Referral'][1 + i % 4] as came_from,
    'https://www.shop.example/landing/' || (i % 300) || '?utm_source=google&utm_medium=cpc'
        || '&utm_campaign=c' || (i % 400) || '&gclid=Cj0KCQ' || md5(cast(i as varchar)) as page,
    'Street ' || i || ', "House" ' || (i % 99) || chr(10) || 'second line' as address,
    md5('w' || i) || md5('x' || i) || md5('y' || i) || md5('z' || i) || ' said by sales' as note
from range($rows) as leads(i)
"""
EVENTS = """
select
    '20261028' as event_date, 1793145600000000 + i * 17000 as event_timestamp,
    case when i % 5 = 0 then 'session_start' when i % 100 = 1 then 'generate_lead'
        else 'page_view' end as event_name,
    [
        {'key': 'page_location', 'value': {'string_value': 'https://www.shop.example/p/' || i % 500
            || '?utm_source=google&gclid=Cj0' || md5(cast(i // 5 as varchar)), 'int_value': null}},
        {'key': 'ga_session_id', 'value': {'string_value': null, 'int_value': 1793000000 + i // 5}}
    ] as event_params,
    cast(1000000000 + i // 5 as varchar) || '.1790000000' as user_pseudo_id
from range($rows) as events(i)
"""
PROFILE = """
name: bench
time_zone: Europe/Berlin
currency: EUR
phone_region: DE
warehouse: {engine: duckdb, folder: %s, memory_limit: 1GB}
rulebook: %s
sources:
  ads: {type: files, files: [{path: ads.csv, mapping: ads.yaml}]}
  leads: {type: files, files: [{path: leads.csv, mapping: leads.yaml}]}
  events: {type: ga4, export: files, folder: ., reload_days: 1, touches: true}
"""
ADS_MAPPING = """
kind: ad_report
format: csv
constants: {platform: linkedin_ads}
fields:
  account_id: account
  campaign_id: campaign
  campaign_name: name
  platform_date: day
  currency_code: currency
  cost_micros: {column: cost, multiply: 1000000}
  impressions: impressions
  clicks: clicks
"""
LEADS_MAPPING = """
kind: crm_leads
format: csv
constants: {crm: bench}
fields:
  crm_record_id: id
  crm_created_at: created
  updated_at: changed
  email: mail
  phone: phone
  crm_source: came_from
  page_url: page
"""


@dataclass(frozen=True)
class Kind:
    """One kind of file, and how plain DuckDB reads it."""

    source: str
    file: str
    rows: int
    query: str
    options: str
    reader: str


KINDS = (
    Kind("ads", "ads.csv", 100_000, AD_ROWS, "header", "read_csv"),
    Kind("leads", "leads.csv", 1_000_000, LEADS, "header", "read_csv"),
    Kind("events", "events_20261028.parquet", 5_000_000, EVENTS, "format parquet", "read_parquet"),
)


def bench(tell: Callable[[str, str], None], share: float = SHARE) -> None:
    """Print each kind's figures."""
    tell("reading files", f"{share:.0%} of full size")
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _make(kind, folder, share)
            size = (folder / kind.file).stat().st_size
            plain = _alone("plain", kind, folder)
            ours = _alone("ingest", kind, folder)
            rows, seconds, read = plain["rows"], ours["seconds"], ours["read"]
            tell(f"{kind.file}: {rows:,} rows, {size / 1024**2:,.0f} MB", "")
            tell("  plain DuckDB into a table", f"{plain['seconds']:,.2f} s")
            tell("  read and typed", f"{read:,.2f} s, {read / plain['seconds']:,.1f} times that")
            tell("  ingest: keyed, hashed, committed too", f"{seconds:,.2f} s")
            tell("    times plain DuckDB", f"{seconds / plain['seconds']:,.1f}")
            tell("    rows a second", f"{rows / seconds:,.0f}")
            tell("    peak memory", f"{ours['peak']:,.0f} MB")


def _make(kind: Kind, folder: Path, share: float) -> None:
    rulebook = Path(__file__).parents[2] / "config" / "rulebook"
    (folder / "profile.yaml").write_text(PROFILE % (folder / "data", rulebook))
    (folder / "ads.yaml").write_text(ADS_MAPPING)
    (folder / "leads.yaml").write_text(LEADS_MAPPING)
    with duckdb.connect() as connection:
        query = kind.query.replace("$rows", str(round(kind.rows * share)))
        connection.execute(f"copy ({query}) to '{folder / kind.file}' ({kind.options})")


def _alone(what: str, kind: Kind, folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.files", what, kind.source, str(folder)],
        env={**os.environ, "TRUELINE_IDENTITY_KEY": "a-key-for-the-benchmark-" * 2},
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(what: str, source: str, folder: Path) -> None:
    """One reading, in a process of its own; the last line is its figures."""
    kind = next(kind for kind in KINDS if kind.source == source)
    print(json.dumps(_plain(kind, folder) if what == "plain" else _ingest(kind, folder)))


def peak_mb() -> float:
    """Of this process alone: what `getrusage` says begins with the parent's memory."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _plain(kind: Kind, folder: Path) -> dict[str, Any]:
    with duckdb.connect(str(folder / "plain.duckdb")) as connection:
        started = time.perf_counter()
        connection.execute(f"create table t as select * from {kind.reader}('{folder / kind.file}')")
        seconds = time.perf_counter() - started
        ((rows,),) = connection.execute("select count(*) from t").fetchall()
        return {"seconds": seconds, "rows": rows}


def _ingest(kind: Kind, folder: Path) -> dict[str, Any]:
    """The whole of it; then the reading again, without keys, hashes and warehouse."""
    from trueline import pipeline
    from trueline.settings.profile import load_profile
    from trueline.sources.base import Batch
    from trueline.sources.registry import build_source
    from trueline.windows import Window, utc_now

    profile, window = load_profile(folder / "profile.yaml"), Window(DAY, DAY)
    started = time.perf_counter()
    done = pipeline.ingest(profile, kind.source, window)
    seconds = time.perf_counter() - started
    peak = peak_mb()
    source = build_source(
        kind.source,
        profile.sources[kind.source],
        connection=None,
        time_zone=profile.time_zone,
        root=profile.root,
        workdir=folder / "again",
        known_hashes=frozenset(),
        now=utc_now(),
    )
    started = time.perf_counter()
    read = sum(
        batch.columns.num_rows
        for batch in source.pull(window)
        if isinstance(batch, Batch) and batch.columns is not None
    )
    loaded = done.as_dict()["rows_loaded"]
    assert read == loaded
    return {
        "seconds": seconds,
        "read": time.perf_counter() - started,
        "peak": peak,
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["full"]:
        bench(lambda what, value: print(f"{what:<58}{value:>24}", flush=True), share=1)
    else:
        main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
