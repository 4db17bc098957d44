"""``/datasets`` and ``/tables``: what is there, and changing it by REST."""

from __future__ import annotations

from typing import Any

from sandbox.bigquery import config, ddl
from sandbox.bigquery.errors import ApiError, invalid
from sandbox.bigquery.jobs import etag
from sandbox.bigquery.store import Dataset, Store, Table
from sandbox.bigquery.types import Field, field_of, schema_resource
from sandbox.bigquery.values import row_json
from sandbox.server.wire import Request

_DATASET_SETTABLE = (
    "friendlyName",
    "description",
    "labels",
    "defaultTableExpirationMs",
    "defaultPartitionExpirationMs",
    "access",
    "isCaseInsensitive",
    "maxTimeTravelHours",
    "storageBillingModel",
    "defaultCollation",
    "defaultRoundingMode",
)
_DATASET_KEYS = set(_DATASET_SETTABLE) | {
    "kind",
    "etag",
    "id",
    "selfLink",
    "datasetReference",
    "location",
    "creationTime",
    "lastModifiedTime",
    "type",
    "resourceTags",
    "defaultEncryptionConfiguration",
}


def page(items: list[Any], query: dict[str, str]) -> tuple[list[Any], dict[str, str]]:
    """One page of a list, and ``nextPageToken`` if there is more."""
    start = int(query.get("pageToken") or 0)
    size = int(query.get("maxResults") or 0) or 1000
    more = {"nextPageToken": str(start + size)} if start + size < len(items) else {}
    return items[start : start + size], more


class Datasets:
    """Answers for datasets, tables and table data."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, request: Request) -> dict[str, Any]:
        found = [
            each
            for _, each in sorted(self._store.datasets.items())
            if _has_labels(each, request.query.get("filter", ""))
        ]
        some, more = page(found, request.query)
        keys = ("kind", "id", "datasetReference", "labels", "location")
        shown = [{key: v for key, v in self.resource(each).items() if key in keys} for each in some]
        body: dict[str, Any] = {"kind": "bigquery#datasetList", "etag": etag({"d": shown})}
        return body | more | ({"datasets": shown} if shown else {})

    def insert(self, request: Request) -> dict[str, Any]:
        body = config.known(request.json(), _DATASET_KEYS, "dataset")
        name = str((body.get("datasetReference") or {}).get("datasetId", ""))
        dataset = Dataset(config.dataset_id(name), body.get("location") or self._store.location)
        self._set(dataset, body)
        self._store.create_dataset(dataset)
        return self.resource(dataset)

    def get(self, dataset_id: str) -> dict[str, Any]:
        return self.resource(self._store.dataset(dataset_id))

    def patch(self, request: Request, dataset_id: str) -> dict[str, Any]:
        dataset = self._store.dataset(dataset_id)
        _check_etag(request, self.resource(dataset))
        body = config.known(request.json(), _DATASET_KEYS, "dataset")
        if body.get("location") not in (None, dataset.location):
            raise invalid("Dataset location cannot be changed")
        self._set(dataset, body)
        dataset.modified += 1
        self._store.keep_dataset(dataset)
        return self.resource(dataset)

    def delete(self, request: Request, dataset_id: str) -> None:
        contents = request.query.get("deleteContents", "").lower() == "true"
        self._store.drop_dataset(dataset_id, contents=contents)

    def resource(self, dataset: Dataset) -> dict[str, Any]:
        project = self._store.project
        body = {
            "kind": "bigquery#dataset",
            "id": f"{project}:{dataset.dataset_id}",
            "selfLink": f"/bigquery/v2/projects/{project}/datasets/{dataset.dataset_id}",
            "datasetReference": {"projectId": project, "datasetId": dataset.dataset_id},
            "location": dataset.location,
            "creationTime": str(dataset.created),
            "lastModifiedTime": str(dataset.modified),
            "type": "DEFAULT",
            **dataset.properties,
        }
        return body | {"etag": etag(body)}

    def _set(self, dataset: Dataset, body: dict[str, Any]) -> None:
        for key in _DATASET_SETTABLE:
            if key not in body:
                continue
            value = body[key]
            if key == "labels":
                merged = dict(dataset.properties.get("labels") or {}) | (value or {})
                value = config.labels({k: v for k, v in merged.items() if v is not None})
            if value is None:
                dataset.properties.pop(key, None)
            else:
                dataset.properties[key] = str(value) if key.endswith("Ms") else value

    def tables(self, request: Request, dataset_id: str) -> dict[str, Any]:
        self._store.dataset(dataset_id)
        found = self._store.tables_of(dataset_id)
        some, more = page(found, request.query)
        keys = {"kind", "id", "tableReference", "type", "labels", "timePartitioning"}
        keys |= {"clustering", "creationTime", "expirationTime"}
        shown = [
            {key: v for key, v in self.table_resource(each).items() if key in keys} for each in some
        ]
        body: dict[str, Any] = {
            "kind": "bigquery#tableList",
            "etag": etag({"t": shown}),
            "totalItems": len(found),
        }
        return body | more | ({"tables": shown} if shown else {})

    def insert_table(self, request: Request, dataset_id: str) -> dict[str, Any]:
        self._store.dataset(dataset_id)
        table = ddl.from_resource(dataset_id, request.json())
        self._store.create_table(table)
        return self.table_resource(table)

    def get_table(self, dataset_id: str, table_id: str) -> dict[str, Any]:
        return self.table_resource(self._store.table(dataset_id, table_id))

    def patch_table(self, request: Request, dataset_id: str, table_id: str) -> dict[str, Any]:
        table = self._store.table(dataset_id, table_id)
        _check_etag(request, self.table_resource(table))
        body = config.known(request.json(), ddl.TABLE_KEYS, "table")
        changed = Table(dataset_id, table_id, table.fields, properties=dict(table.properties))
        for key in ddl.SETTABLE:
            if key in body and body[key] is None:
                changed.properties.pop(key, None)
        changed.properties |= ddl.properties_from(body)
        ddl.check_layout(changed)
        if body.get("schema") is not None:
            self._change_schema(table, [field_of(each) for each in body["schema"]["fields"]])
        table.properties = changed.properties
        self._store.touch(table)
        return self.table_resource(table)

    def delete_table(self, dataset_id: str, table_id: str) -> None:
        self._store.drop_table(self._store.table(dataset_id, table_id))

    def _change_schema(self, table: Table, wanted: list[Field]) -> None:
        name = f"{self._store.project}:{table.dataset_id}.{table.table_id}"
        by_name = {each.name.lower(): each for each in wanted}
        kept = []
        for each in table.fields:
            asked = by_name.get(each.name.lower())
            if asked is None:
                raise invalid(
                    f"Provided Schema does not match Table {name}. Field {each.name} is missing "
                    "in new schema"
                )
            if asked.sql_type() != each.sql_type():
                raise invalid(
                    f"Provided Schema does not match Table {name}. Field {each.name} has changed "
                    f"type from {each.sql_type()} to {asked.sql_type()}"
                )
            if each.mode == "NULLABLE" and asked.mode == "REQUIRED":
                raise invalid(
                    f"Provided Schema does not match Table {name}. Field {each.name} has changed "
                    "mode from NULLABLE to REQUIRED"
                )
            if each.mode == "REQUIRED" and asked.mode == "NULLABLE":
                self._store.relax(table, each.name)
            kept.append(asked)
        added = [each for each in wanted if table.column(each.name) is None]
        for each in added:
            if each.mode == "REQUIRED":
                raise invalid(
                    f"Provided Schema does not match Table {name}. Cannot add required fields to "
                    f"an existing schema. (field: {each.name})"
                )
        table.fields = tuple(kept)
        self._store.add_columns(table, added)

    def table_resource(self, table: Table) -> dict[str, Any]:
        project = self._store.project
        properties = dict(table.properties)
        path = (
            f"/bigquery/v2/projects/{project}/datasets/{table.dataset_id}/tables/{table.table_id}"
        )
        body: dict[str, Any] = {
            "kind": "bigquery#table",
            "id": f"{project}:{table.dataset_id}.{table.table_id}",
            "selfLink": path,
            "tableReference": {
                "projectId": project,
                "datasetId": table.dataset_id,
                "tableId": table.table_id,
            },
            "schema": schema_resource(table.fields),
            "type": table.kind,
            "location": self._store.dataset(table.dataset_id).location,
            "creationTime": str(table.created),
            "lastModifiedTime": str(table.modified),
            **properties,
        }
        if table.kind != "VIEW":
            body["numRows"] = str(self._store.count(table))
            body["numBytes"] = str(self._store.size(table))
        return body | {"etag": etag({k: v for k, v in body.items() if k != "numBytes"})}

    def data(self, request: Request, dataset_id: str, table_id: str) -> dict[str, Any]:
        """``tabledata.list``."""
        table = self._store.table(dataset_id, table_id)
        if table.kind == "VIEW":
            raise invalid(f"Cannot list a table of type {table.kind}.")
        start = int(request.query.get("pageToken") or request.query.get("startIndex") or 0)
        size = int(request.query.get("maxResults") or 10_000)
        micros = request.query.get("formatOptions.useInt64Timestamp", "").lower() == "true"
        wanted = [name for name in request.query.get("selectedFields", "").split(",") if name]
        fields = [each for each in table.fields if not wanted or each.name in wanted]
        total = self._store.count(table)
        rows = self._store.rows(table, fields, start, size)
        body: dict[str, Any] = {
            "kind": "bigquery#tableDataList",
            "etag": etag({"m": table.modified}),
            "totalRows": str(total),
        }
        if rows:
            body["rows"] = [row_json(row, fields, micros=micros) for row in rows]
        if start + size < total and size:
            body["pageToken"] = str(start + size)
        return body


def _has_labels(dataset: Dataset, asked: str) -> bool:
    """``labels.key:value labels.key`` – all of them."""
    labels = dataset.properties.get("labels") or {}
    for each in asked.split():
        if not each.startswith("labels."):
            raise invalid(f"Invalid filter expression: {asked}")
        key, colon, value = each.removeprefix("labels.").partition(":")
        if key not in labels or (colon and labels[key] != value):
            return False
    return True


def _check_etag(request: Request, resource: dict[str, Any]) -> None:
    asked = request.headers.get("if-match")
    if asked and asked != resource["etag"]:
        raise ApiError("conditionNotMet", "Precondition Failed", status=412)
