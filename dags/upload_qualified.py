"""Plans which qualified conversions go back to the ad platforms.

**Purpose.** Tells the platforms' bidding which clicks became *qualified* leads. Today it plans: it
lists per destination what would be sent, what is withheld and why. Nothing leaves the house.

**Schedule.** `schedule.upload_cron` of the profile, by the clock. It is not started by assets on
purpose: a backfill restarts everything that assets start, and an upload must not be repeated by
one. For the same reason a backfill of this DAG is refused.

**Inputs.** The published snapshot (`activation.qualified_conversions`); the profile's
`destinations`.

**Outputs.** Counts per destination and reason in the task's log and return value. No identifiers.

**Re-run safety.** Planning reads only; run it whenever you like. Conversion ids are stable, so that
a repeated plan names the same conversions.

**What to do when it fails.** `gate_activation`: the log names the broken promise (for example a row
without consent marked as ready); nothing was planned; mend the cause and run `build_funnel` again.
`plan`: most often nothing has been published yet: run `build_funnel` first, then clear the task. A
task that stays *scheduled* for ever has no pool: create it once with `airflow pools set
trueline_warehouse 1 'warehouse writers'` (one slot on DuckDB, which has one writer process; more on
BigQuery).
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG
from trueline_airflow.dag_settings import (
    START_DATE,
    WAREHOUSE_POOL,
    default_args,
    profile_for_dags,
    upload_run_types,
    upload_schedule,
)
from trueline_airflow.operators import GateOperator, PlanUploadOperator

profile = profile_for_dags()

with DAG(
    dag_id="upload_qualified",
    dag_display_name="Upload qualified conversions",
    description="Plans the upload of qualified conversions (dry run).",
    doc_md=__doc__,
    schedule=upload_schedule(profile),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    allowed_run_types=upload_run_types(),
    default_args=default_args(),
    tags=["trueline", "upload"],
):
    gate_activation = GateOperator(
        task_id="gate_activation",
        border="activation",
        pool=WAREHOUSE_POOL,
        execution_timeout=timedelta(minutes=30),
    )
    plan = PlanUploadOperator(task_id="plan", execution_timeout=timedelta(minutes=30))
    gate_activation >> plan
