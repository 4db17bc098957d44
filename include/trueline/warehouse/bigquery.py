"""BigQuery as the warehouse: one dataset per layer, one session transaction per build.

Written beside the embedded engine and type-checked by the real GoogleSQL analyser; never yet run
against a real BigQuery project.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trueline.errors import ConfigurationError
from trueline.model.catalog import Column, Table, load_catalog
from trueline.model.parameters import PARAMETERS
from trueline.settings.profile import BigQuerySettings
from trueline.warehouse.base import Rows
from trueline.warehouse.ddl import add_column_sql, create_table_sql

if TYPE_CHECKING:
    import pyarrow as pa
    from google.auth.credentials import Credentials
    from google.cloud.bigquery import Client

log = logging.getLogger(__name__)
_LABEL_REFUSED = re.compile(r"[^a-z0-9_-]")


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


class BigQueryConnection:
    """Runs statements as jobs with parameters, labels and a byte cap."""

    def __init__(
        self,
        settings: BigQuerySettings,
        access: BigQueryAccess,
        *,
        session_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.settings, self.access = settings, access
        self._session_id, self._labels = session_id, dict(labels or {})

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        self._run(sql, params).result()

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows:
        return [dict(row.items()) for row in self._run(sql, params).result()]

    def insert(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        from google.cloud.bigquery import ArrayQueryParameter, StructQueryParameter
        from google.cloud.bigquery import ScalarQueryParameter as Scalar

        values = [
            StructQueryParameter(
                None,
                *(
                    Scalar(column.name, column.type, row.get(column.name))
                    for column in table.columns
                ),
            )
            for row in rows
        ]
        if not values:
            return
        names = ", ".join(column.name for column in table.columns)
        sql = f"insert into {table.key} ({names}) select {names} from unnest(@rows)"
        self._job(sql, [ArrayQueryParameter("rows", "STRUCT", values)]).result()

    def _run(self, sql: str, params: Mapping[str, Any] | None) -> Any:
        from google.cloud.bigquery import ScalarQueryParameter

        used = {name for name in params or {} if re.search(rf"@{name}\b", sql)}
        return self._job(
            sql,
            [
                ScalarQueryParameter(name, _parameter_type(name, value), value)
                for name, value in (params or {}).items()
                if name in used
            ],
        )

    def _job(self, sql: str, parameters: list[Any]) -> Any:
        from google.cloud.bigquery import ConnectionProperty, QueryJobConfig

        config = QueryJobConfig(
            query_parameters=parameters,
            use_legacy_sql=False,
            maximum_bytes_billed=self.settings.maximum_bytes_billed,
            labels={name: _label(value) for name, value in self._labels.items()},
        )
        if self._session_id:
            config.connection_properties = [ConnectionProperty("session_id", self._session_id)]
        return self.access.client.query(
            with_datasets(sql, self.settings), job_config=config, location=self.settings.location
        )


class BigQueryWarehouse(BigQueryConnection):
    """The warehouse for writing; BigQuery queues and isolates writers itself."""

    engine = "bigquery"

    def ensure_tables(self, tables: Iterable[Table]) -> None:
        from google.api_core.exceptions import NotFound
        from google.cloud.bigquery import Dataset

        client = self.access.client
        for table in tables:
            if table.kind != "table":
                continue
            dataset = Dataset(f"{self.settings.project}.{dataset_name(table.layer, self.settings)}")
            dataset.location = self.settings.location
            client.create_dataset(dataset, exists_ok=True)
            try:
                present = client.get_table(f"{dataset.dataset_id}.{table.name}")
            except NotFound:
                self.execute(create_table_sql(table, "bigquery"))
                continue
            known = {field.name: field for field in present.schema}
            for column in table.columns:
                self._check_column(table, column, known.get(column.name))

    def _check_column(self, table: Table, column: Column, field: Any) -> None:
        if field is None:
            self.execute(add_column_sql(table, column, "bigquery"))
            return
        found = {"INTEGER": "INT64", "BOOLEAN": "BOOL", "FLOAT": "FLOAT64"}.get(
            field.field_type, field.field_type
        )
        if found != column.type:
            raise ConfigurationError(
                f"The column {column.name} of {table.key} is {found} in BigQuery, "
                f"but table.yaml says {column.type}.",
                where=f"project {self.settings.project}",
                fix="Restore the old type in table.yaml, or use another dataset_prefix.",
            )

    def load(self, tables: Mapping[str, pa.Table], *, run_folder: str) -> None:
        import dlt
        from dlt.common.configuration.specs import GcpServiceAccountCredentials

        from trueline.warehouse.loader import load_with_dlt

        credentials = GcpServiceAccountCredentials()
        credentials.parse_native_representation(self.access.credentials)
        for layer in sorted({key.split(".")[0] for key in tables}):
            load_with_dlt(
                {key: rows for key, rows in tables.items() if key.split(".")[0] == layer},
                destination=dlt.destinations.bigquery(
                    credentials=credentials,
                    location=self.settings.location,
                    project_id=self.settings.project,
                ),
                dataset=dataset_name(layer, self.settings),
                run_folder=Path(run_folder),
            )

    def forget_restricted_orphans(self) -> None:
        for table in load_catalog().values():
            if table.layer == "raw_restricted":
                self.execute(
                    f"delete from {table.key} where load_id not in (select load_id from raw.loads)"
                )

    @contextmanager
    def transaction(
        self, *, labels: Mapping[str, str] | None = None
    ) -> Iterator[BigQueryConnection]:
        from google.cloud.bigquery import QueryJobConfig

        # A transaction over several jobs lives in a session.
        opened = self.access.client.query(
            "begin transaction",
            job_config=QueryJobConfig(create_session=True, use_legacy_sql=False),
            location=self.settings.location,
        )
        opened.result()
        assert opened.session_info is not None, "a session was asked for"
        session_id = opened.session_info.session_id
        session = BigQueryConnection(
            self.settings, self.access, session_id=session_id, labels=labels
        )
        try:
            yield session
        except BaseException:
            session.execute("rollback transaction")
            raise
        else:
            session.execute("commit transaction")
        finally:
            session.execute("call bq.abort_session()")

    def publish(self, tables: Iterable[Table], run_id: str) -> str:
        # The build's transaction already changed all tables at once; readers' views come later.
        return f"{self.settings.project}.{dataset_name('marts', self.settings)}"

    @contextmanager
    def for_quality(self, *, published: bool) -> Iterator[tuple[str, Mapping[str, str]]]:
        layers = {table.layer for table in load_catalog().values()}
        yield (
            f"bigquery://{self.settings.project}?location={self.settings.location}",
            {layer: dataset_name(layer, self.settings) for layer in layers},
        )


def dataset_name(layer: str, settings: BigQuerySettings) -> str:
    return f"{settings.dataset_prefix}{layer}"


def with_datasets(sql: str, settings: BigQuerySettings) -> str:
    """Layer names stand for datasets: ``marts.funnel_daily`` → ``trueline_marts.funnel_daily``."""
    return _table_names().sub(lambda match: f"{dataset_name(match[1], settings)}.{match[2]}", sql)


@cache
def _table_names() -> re.Pattern[str]:
    keys = list(load_catalog())
    layers = "|".join(sorted({key.split(".")[0] for key in keys}))
    names = "|".join(sorted({key.split(".")[1] for key in keys}, key=len, reverse=True))
    return re.compile(rf"(?<![\w.`@])({layers})\.({names})\b")


def _parameter_type(name: str, value: Any) -> str:
    if name in PARAMETERS:
        return PARAMETERS[name]
    if isinstance(value, bool):
        return "BOOL"
    if isinstance(value, int):
        return "INT64"
    return "NUMERIC" if isinstance(value, Decimal) else "STRING"


def _label(value: str) -> str:
    return _LABEL_REFUSED.sub("-", value.lower())[:63]
