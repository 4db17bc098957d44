"""Pulls one source's day into the raw layer.

**Purpose.** Each source of the profile has its own DAG `ingest_<source>`, so that one platform's
outage delays that platform alone. The raw layer only ever grows: a pull adds a load, and the newest
load of a day wins later. Nothing that was loaded before is changed.

**Schedule.** `schedule.cron` of the profile, in its time zone, every day for the day before. A
run's partition key is that day (`2026-11-20`). The source looks back further by itself
(`repull_days`), because platforms restate past days for weeks. To pull a range, trigger the DAG by
hand with `window_start` and `window_end` instead of a partition key: a whole year is one run. To
pull past days one by one, use a backfill.

**Inputs.** The Airflow connection that the profile names for the source (host or base address,
token as password), and the identity key (`TRUELINE_IDENTITY_KEY` or its file), with which e-mail
addresses and phone numbers are keyed at load.

**Outputs.** Rows in `raw.*`, one row per load in `raw.loads`, unusable rows with their reason in
`raw.quarantine`, and the asset `raw/<source>` for the day. When every source has delivered a day,
`build_funnel` starts by itself. A run over a range has no day of its own, so it starts no build:
trigger `build_funnel` with the same range.

**Re-run safety.** Run it as often as you like, in any order, also for old days. A file with known
content is skipped; a repeated pull adds a load with the same figures. A day that is not over is
refused before the platform is called.

**What to do when it fails.** The last lines of the task's log say what happened and what to do.
Throttling and outages are repeated by themselves, with the delay the platform asked for. A
*configuration* error (revoked token, missing connection, missing key) fails at once: mend it, then
clear the task. A *permanent* error means that the received data cannot be used: the message names
file and reason. A missed day needs no repair of its own if a later run's look-back covers it;
otherwise trigger the DAG with that day's partition key. While one source is missing, the day's
build waits for it. A task that stays *scheduled* for ever has no pool: create it once with `airflow
pools set trueline_warehouse 1 'warehouse writers'` (one slot on DuckDB, which has one writer
process; more on BigQuery).
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from trueline_airflow.assets import raw_asset
from trueline_airflow.dag_settings import (
    START_DATE,
    WAREHOUSE_POOL,
    daily_schedule,
    default_args,
    profile_for_dags,
    window_params,
)
from trueline_airflow.operators import IngestOperator

profile = profile_for_dags()

for source, settings in profile.sources.items():
    with DAG(
        dag_id=f"ingest_{source}",
        dag_display_name=f"Ingest: {source}",
        description=f"Pulls {source} ({settings.type}) for one day or a range into the raw layer.",
        doc_md=__doc__,
        schedule=daily_schedule(profile),
        start_date=START_DATE,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=6),
        default_args=default_args(),
        params=window_params(),
        tags=["trueline", "ingest", settings.type],
    ):
        IngestOperator(
            task_id="ingest",
            source=source,
            pool=WAREHOUSE_POOL,
            outlets=[raw_asset(source)],
            execution_timeout=timedelta(hours=2),
        )
