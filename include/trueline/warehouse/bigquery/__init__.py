"""BigQuery as the warehouse: one dataset per layer, one atomic script per load and per build.

A build computes every table by a query job into a scratch dataset of its own, then one script
swaps them all in. A load waits in a scratch dataset until one script appends it. So a killed run
leaves nothing behind that anybody reads, and what it was doing can simply be done again.

Every statement is type-checked by the real GoogleSQL analyser and every job is asserted on the wire
against a fake; none of it has run against a real BigQuery project yet.
"""

from trueline.warehouse.bigquery.access import BigQueryAccess, default_access
from trueline.warehouse.bigquery.errors import google_errors
from trueline.warehouse.bigquery.warehouse import BigQueryReader, BigQueryWarehouse

__all__ = [
    "BigQueryAccess",
    "BigQueryReader",
    "BigQueryWarehouse",
    "default_access",
    "google_errors",
]
