"""The export's dataset through BigQuery's API: which tables, which columns, where it lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trueline.errors import ConfigurationError, RetriableError
from trueline.sources.settings import Ga4Settings

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

_LINK = "GA4 → Admin → BigQuery links"


class BigQueryExport:
    """One dataset, read with the warehouse's own client.

    Args:
        client: Its project is the warehouse's, which pays for the queries.
        location: The warehouse's; a query cannot join two locations.
    """

    def __init__(self, client: Client, settings: Ga4Settings, *, location: str) -> None:
        assert settings.dataset is not None
        project, _, self.dataset = settings.dataset.rpartition(".")
        self.project = project or client.project
        self._client, self._location = client, location

    def table_names(self) -> Sequence[str]:
        with self._told():
            dataset = self._client.get_dataset(f"{self.project}.{self.dataset}")
            if dataset.location.lower() != self._location.lower():
                raise ConfigurationError(
                    f"The export lies in {dataset.location}, the warehouse in {self._location}.",
                    where=f"{self.project}.{self.dataset}",
                    fix="BigQuery reads both in one query only in one location, and GA4 cannot "
                    f"move an export: set warehouse.location to {dataset.location} and start with "
                    f"new datasets, or delete the link in {_LINK} and make one in "
                    f"{self._location}.",
                )
            return [table.table_id for table in self._client.list_tables(dataset)]

    def fields(self, table: str) -> frozenset[str]:
        with self._told():
            found = self._client.get_table(f"{self.project}.{self.dataset}.{table}")
            return frozenset(_paths(found.schema))

    @contextmanager
    def _told(self) -> Iterator[None]:
        from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound

        where = f"{self.project}.{self.dataset}"
        try:
            yield
        except NotFound:
            raise ConfigurationError(
                "There is no such dataset, or its tables have just gone.",
                where=where,
                fix=f"Compare `dataset` in the profile with {_LINK}: the dataset is called "
                "analytics_ and the number of the property.",
            ) from None
        except Forbidden:
            raise ConfigurationError(
                "The warehouse's account may not read the export.",
                where=where,
                fix="Grant it the role BigQuery Data Viewer (roles/bigquery.dataViewer) on this "
                "dataset. It needs BigQuery Job User in the warehouse's project only.",
            ) from None
        except GoogleAPICallError as error:
            raise RetriableError(
                f"BigQuery did not answer for the export's tables ({type(error).__name__}).",
                where=where,
                fix="Run again.",
            ) from None


def _paths(fields: Iterable[Any], above: str = "") -> Iterator[str]:
    for field in fields:
        path = f"{above}{field.name}"
        yield path
        if field.field_type in ("RECORD", "STRUCT"):
            yield from _paths(field.fields, f"{path}.")
