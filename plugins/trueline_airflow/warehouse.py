"""Credentials for the warehouse, from Airflow instead of the machine's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trueline.errors import ConfigurationError
from trueline.settings.profile import BigQuerySettings, Profile
from trueline_airflow.connections import no_connection

if TYPE_CHECKING:
    from airflow.providers.google.cloud.triggers.bigquery import BigQueryInsertJobTrigger

    from trueline.warehouse import JobStillRunning
    from trueline.warehouse.bigquery import BigQueryAccess

BIGQUERY_CONNECTION = "google_cloud_default"


def bigquery_client(profile: Profile) -> BigQueryAccess | None:
    """A BigQuery client and the credentials of Airflow's connection; None on DuckDB.

    Raises:
        ConfigurationError: there is no such connection, or no credentials in it.
    """
    settings = profile.warehouse
    if not isinstance(settings, BigQuerySettings):
        return None
    from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook
    from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
    from google.auth.exceptions import GoogleAuthError

    from trueline.warehouse.bigquery import BigQueryAccess

    try:
        hook = BigQueryHook(
            gcp_conn_id=BIGQUERY_CONNECTION, location=settings.location, use_legacy_sql=False
        )
        client = hook.get_client(project_id=settings.project, location=settings.location)
        return BigQueryAccess(client, hook.get_credentials())
    except AirflowNotFoundException:
        raise no_connection(BIGQUERY_CONNECTION) from None
    except (AirflowException, GoogleAuthError, OSError, ValueError) as error:
        # The text may quote the key.
        raise ConfigurationError(
            f"Airflow's connection {BIGQUERY_CONNECTION} gives no Google credentials "
            f"({type(error).__name__}).",
            fix="See its key path or key JSON: both want a service account's whole JSON key.",
        ) from None


def job_trigger(job: JobStillRunning) -> BigQueryInsertJobTrigger:
    """Waits for a job in Airflow's triggerer."""
    from airflow.providers.google.cloud.triggers.bigquery import BigQueryInsertJobTrigger

    return BigQueryInsertJobTrigger(
        conn_id=BIGQUERY_CONNECTION,
        job_id=job.job_id,
        project_id=job.project,
        location=job.location,
        poll_interval=10.0,
    )
