"""Datasets of one piece of work: made for it, gone with it, ended by time if it is killed."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING

from trueline.warehouse.bigquery.access import dataset_name
from trueline.warehouse.bigquery.jobs import Jobs
from trueline.windows import utc_now

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

log = logging.getLogger(__name__)
# Longer than any run, short enough that a killed one's rows are soon gone.
LIFETIME = timedelta(days=1)
_LABEL = "trueline_scratch"


def make_scratch(jobs: Jobs, kind: str) -> str:
    """Make this work's dataset if it is not there; its tables end by themselves after a day."""
    from google.cloud.bigquery import Dataset

    client = jobs.access.client
    dataset = Dataset(f"{jobs.settings.project}.{scratch_name(jobs, kind)}")
    dataset.location = jobs.settings.location
    dataset.default_table_expiration_ms = int(LIFETIME.total_seconds() * 1000)
    dataset.description = "Rows of one run of trueline on their way; ends by itself."
    dataset.labels = {_LABEL: kind, **jobs.labels}
    _forget_killed(client, jobs)
    client.create_dataset(dataset, exists_ok=True)
    return str(dataset.dataset_id)


def scratch_name(jobs: Jobs, kind: str) -> str:
    """The dataset of this work, the same whenever it is done again under its run id."""
    # dlt makes dataset names lower case; ours has to be the same.
    name = re.sub(r"[^a-z0-9_]", "_", jobs.work.run_id.lower())
    return dataset_name(f"{kind}_{name}", jobs.settings)


def drop_scratch(jobs: Jobs, dataset: str) -> None:
    jobs.access.client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)


def _forget_killed(client: Client, jobs: Jobs) -> None:
    """Drop what killed runs left, once it is empty anyway because its tables have ended."""
    prefix = jobs.settings.dataset_prefix
    for found in client.list_datasets(filter=f"labels.{_LABEL}"):
        if not found.dataset_id.startswith(prefix):
            continue
        created = client.get_dataset(found.reference).created
        if created is not None and created < utc_now() - LIFETIME:
            log.info("dropping %s, which a killed run left", found.dataset_id)
            drop_scratch(jobs, found.dataset_id)
