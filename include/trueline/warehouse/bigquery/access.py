"""A BigQuery client and its credentials, and how names of layers become names of datasets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trueline.errors import ConfigurationError
from trueline.settings.profile import BigQuerySettings
from trueline.warehouse.places import Place

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud.bigquery import Client


@dataclass(frozen=True, slots=True)
class BigQueryAccess:
    """A client and the credentials it uses; dlt loads with the same credentials."""

    client: Client
    credentials: Credentials


def default_access(settings: BigQuerySettings) -> BigQueryAccess:
    """The environment's own credentials (ADC)."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud.bigquery import Client

    try:
        credentials, _ = google.auth.default(
            scopes=["https://www.googleapis.com/auth/cloud-platform"]
        )
    except DefaultCredentialsError:
        raise ConfigurationError(
            "There are no Google credentials.",
            where=f"project {settings.project}",
            fix="Run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS.",
        ) from None
    client = Client(project=settings.project, credentials=credentials, location=settings.location)
    return BigQueryAccess(client, credentials)


def dataset_name(layer: str, settings: BigQuerySettings) -> str:
    return f"{settings.dataset_prefix}{layer}"


def own_place(settings: BigQuerySettings) -> Place:
    """Where the writer's tables lie: ``marts.funnel_daily`` → ``trueline_marts.funnel_daily``."""
    return lambda layer, table: f"{dataset_name(layer, settings)}.{table}"
