"""A BigQuery that does not exist: its REST API on 127.0.0.1, executed by DuckDB."""

from sandbox.bigquery.server import BigQueryServer

__all__ = ["BigQueryServer"]
