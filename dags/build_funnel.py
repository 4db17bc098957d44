"""Builds the funnel: from the raw loads to the three numbers, and shows them to readers.

**Purpose.** Puts pixel conversions, real leads and qualified leads side by side per day, channel
and campaign, with both gaps explained by cause; prepares the qualified conversions for upload.

**Schedule.** None of its own: it starts when every source has delivered a day (the assets
`raw/<source>` with the same partition key). To rebuild a range, or after a run of `ingest_*` over a
range, trigger it by hand with `window_start` and `window_end`.

**Inputs.** The raw layer and the rulebook that the profile names. No source is called.

**Outputs.** The tables of the layers staging to activation, then an atomic snapshot that reports,
the command line and `upload_qualified` read; the asset `marts/funnel`.

**Tasks.** `check_window` refuses a run without days. `gate_raw` checks what came in; `build`
computes in one transaction what new loads change, or everything (see `mode` and the run's result,
which says why); `gate_marts` checks that both gaps add up exactly, among other promises, and
computes three old days anew from raw; `publish` shows the result. A gate that says no leaves
readers with the last good snapshot: nothing half-built is ever seen.

**Re-run safety.** A second run over the same loads and rules changes nothing. The window only adds
days: other days that new loads touched (a restatement, a late verdict, a merge) are recomputed as
well. A published `as_of` never goes back. One run at a time.

**What to do when it fails.** `gate_raw` or `gate_marts`: the log names the table, the broken
promise, the number of rows and why it matters; mend the cause (a source's data, a mapping, a rule)
and clear the task. If you judge the data right and the promise wrong, change the suite in
`great_expectations/` in a reviewed change; there is no switch to skip it. `build`: the transaction
was rolled back, nothing was changed; clear the task once the cause is mended. `publish`: readers
still see the last snapshot; clear the task. If a day's build does not start, look which `ingest_*`
run of that day is missing. A task that stays *scheduled* for ever has no pool: create it once with
`airflow pools set trueline_warehouse 1 'warehouse writers'` (one slot on DuckDB, which has one
writer process; more on BigQuery).
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, AssetAll, IdentityMapper, PartitionedAssetTimetable
from trueline_airflow.assets import FUNNEL, raw_asset
from trueline_airflow.dag_settings import (
    START_DATE,
    WAREHOUSE_POOL,
    as_of_param,
    default_args,
    mode_param,
    profile_for_dags,
    window_params,
)
from trueline_airflow.operators import (
    BuildOperator,
    CheckWindowOperator,
    GateOperator,
    PublishOperator,
)

profile = profile_for_dags()

with DAG(
    dag_id="build_funnel",
    dag_display_name="Build the funnel",
    description="Gates, builds and publishes the three numbers once every source has delivered.",
    doc_md=__doc__,
    # The identity mapper keeps the days' keys as the sources wrote them.
    schedule=PartitionedAssetTimetable(
        assets=AssetAll(*(raw_asset(source) for source in profile.sources)),
        default_partition_mapper=IdentityMapper(),
    ),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args=default_args(),
    params={**window_params(), **as_of_param(), **mode_param()},
    tags=["trueline", "build"],
):
    check_window = CheckWindowOperator(
        task_id="check_window", execution_timeout=timedelta(minutes=5)
    )
    gate_raw = GateOperator(
        task_id="gate_raw",
        border="raw",
        pool=WAREHOUSE_POOL,
        execution_timeout=timedelta(minutes=30),
    )
    build = BuildOperator(
        task_id="build", pool=WAREHOUSE_POOL, execution_timeout=timedelta(hours=4)
    )
    gate_marts = GateOperator(
        task_id="gate_marts",
        border="marts",
        pool=WAREHOUSE_POOL,
        execution_timeout=timedelta(minutes=30),
    )
    publish = PublishOperator(
        task_id="publish",
        pool=WAREHOUSE_POOL,
        outlets=[FUNNEL],
        execution_timeout=timedelta(minutes=30),
    )
    check_window >> gate_raw >> build >> gate_marts >> publish
