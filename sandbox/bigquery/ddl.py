"""Tables as they are made: by DDL, by REST, or by a job's destination. One set of rules."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from sandbox.bigquery import config
from sandbox.bigquery.errors import ApiError, invalid, invalid_query
from sandbox.bigquery.store import Table
from sandbox.bigquery.types import Field, field_from_sqlglot, schema_of

MAX_PARTITIONS = 4000
_PARTITION_UNITS = {
    "DATE": ("DAY", "MONTH", "YEAR"),
    "TIMESTAMP": ("HOUR", "DAY", "MONTH", "YEAR"),
    "DATETIME": ("HOUR", "DAY", "MONTH", "YEAR"),
}
_CLUSTERED = {"DATE", "BOOL", "INT64", "NUMERIC", "BIGNUMERIC", "STRING", "TIMESTAMP", "DATETIME"}
TABLE_KEYS = {
    "kind",
    "etag",
    "id",
    "selfLink",
    "tableReference",
    "friendlyName",
    "description",
    "labels",
    "schema",
    "timePartitioning",
    "rangePartitioning",
    "clustering",
    "requirePartitionFilter",
    "expirationTime",
    "view",
    "type",
    "location",
    "numRows",
    "numBytes",
    "creationTime",
    "lastModifiedTime",
    "defaultCollation",
    "encryptionConfiguration",
    "tableConstraints",
    "resourceTags",
}
SETTABLE = (
    "friendlyName",
    "description",
    "labels",
    "timePartitioning",
    "rangePartitioning",
    "clustering",
    "requirePartitionFilter",
    "expirationTime",
)


def from_resource(dataset_id: str, body: Any) -> Table:
    """A table from a REST ``Table``."""
    found = config.known(body, TABLE_KEYS, "table")
    name = config.table_id(str((found.get("tableReference") or {}).get("tableId", "")))
    table = Table(dataset_id, name, schema_of(found.get("schema")))
    table.properties = properties_from(found)
    check_layout(table)
    return table


def properties_from(found: dict[str, Any]) -> dict[str, Any]:
    """What a client may set, as BigQuery keeps it: numbers as text, deprecated places moved."""
    properties = {key: found[key] for key in SETTABLE if found.get(key) is not None}
    if "labels" in properties:
        properties["labels"] = config.labels(properties["labels"])
    part = properties.get("timePartitioning")
    if part:
        part = config.known(
            part, {"type", "expirationMs", "field", "requirePartitionFilter"}, "time_partitioning"
        )
        part = {"type": "DAY"} | {key: value for key, value in part.items() if value is not None}
        if part.pop("requirePartitionFilter", None):
            properties["requirePartitionFilter"] = True
        properties["timePartitioning"] = part
    if "expirationTime" in properties:
        properties["expirationTime"] = str(properties["expirationTime"])
    return properties


def check_layout(table: Table) -> None:
    """Partition and cluster columns: there, and of a type that may.

    Raises:
        ApiError: invalid.
    """
    time, ranged = (table.properties.get(f"{kind}Partitioning") for kind in ("time", "range"))
    if time:
        if not time.get("field"):
            raise ApiError("notImplemented", "Ingestion-time partitions are not covered here.")
        column = _column(table, time["field"], "partitioning")
        units = _PARTITION_UNITS.get(column.type, ())
        if column.mode == "REPEATED" or time.get("type") not in units:
            raise invalid(
                f"The field specified for partitioning can only be of type TIMESTAMP, DATE or "
                f"DATETIME. The type found is: {column.sql_type()} ({time.get('type')})."
            )
    if ranged:
        column = _column(table, ranged.get("field", ""), "partitioning")
        if column.type != "INT64" or column.mode == "REPEATED":
            raise invalid(
                "The field specified for range partitioning can only be of type INTEGER. "
                f"The type found is: {column.sql_type()}."
            )
    if table.requires_filter() and not (time or ranged):
        raise invalid("requirePartitionFilter needs a partitioned table")
    clustered = (table.properties.get("clustering") or {}).get("fields") or []
    if len(clustered) > 4:
        raise invalid(
            f"Too many clustering columns: {len(clustered)}. At most 4 columns may be specified."
        )
    for name in clustered:
        column = _column(table, name, "clustering")
        if column.type not in _CLUSTERED or column.mode == "REPEATED":
            raise invalid(f"Clustering is not supported on {column.sql_type()} column {name}")


def _column(table: Table, name: str, what: str) -> Field:
    found = table.column(name)
    if found is None:
        raise invalid(
            f"The field specified for {what} cannot be found in the schema. Field: {name}."
        )
    return found


def fields_of(tree: exp.Create) -> tuple[Field, ...]:
    """The columns that a ``CREATE TABLE`` lists."""
    schema = tree.this
    if not isinstance(schema, exp.Schema):
        return ()
    return tuple(column_of(each) for each in schema.expressions if isinstance(each, exp.ColumnDef))


def column_of(node: exp.ColumnDef) -> Field:
    kinds = [each.args.get("kind") for each in node.args.get("constraints") or []]
    is_required = any(isinstance(kind, exp.NotNullColumnConstraint) for kind in kinds)
    mode = "REQUIRED" if is_required else "NULLABLE"
    return field_from_sqlglot(node.this.name, node.args["kind"], mode, description_of(node))


def description_of(node: exp.Expression) -> str | None:
    """The description among the options of a column."""
    description = None
    for kind in node.find_all(exp.Properties):
        for option in kind.expressions:
            if option.name.lower() != "description":
                raise invalid_query(f"Unknown option: {option.name}")
            description = option.args["value"].name
    return description


def layout_of(tree: exp.Create) -> dict[str, Any]:
    """``PARTITION BY`` and ``CLUSTER BY`` as REST properties."""
    found: dict[str, Any] = {}
    properties = tree.args.get("properties")
    for each in properties.expressions if properties else []:
        if isinstance(each, exp.PartitionedByProperty):
            found |= _partition(each.this)
        elif isinstance(each, exp.ClusterProperty):
            names = [column.name for column in each.expressions]
            if len(names) > 4:
                raise invalid_query("CLUSTER BY supports at most 4 columns")
            found["clustering"] = {"fields": names}
    return found


def _partition(node: exp.Expression) -> dict[str, Any]:
    match node:
        case exp.RangeBucket():
            series = node.expression
            numbers = {
                "start": series.args["start"],
                "end": series.args["end"],
                "interval": series.args.get("step") or exp.Literal.number(1),
            }
            ranges = {key: value.sql() for key, value in numbers.items()}
            return {"rangePartitioning": {"field": node.this.name, "range": ranges}}
        case exp.TimestampTrunc() | exp.DateTrunc() | exp.DatetimeTrunc():
            unit = node.args["unit"].name.upper()
            return {"timePartitioning": {"type": unit, "field": node.this.name}}
        case exp.Date() | exp.TsOrDsToDate():
            return {"timePartitioning": {"type": "DAY", "field": node.this.name}}
        case exp.Column() | exp.Identifier():
            return {"timePartitioning": {"type": "DAY", "field": node.name}}
    raise invalid_query(
        "PARTITION BY expression must be DATE(<timestamp_column>), DATE(<datetime_column>), "
        "DATETIME_TRUNC(<datetime_column>, DAY/HOUR/MONTH/YEAR), a DATE column, "
        "TIMESTAMP_TRUNC(<timestamp_column>, DAY/HOUR/MONTH/YEAR), "
        "DATE_TRUNC(<date_column>, MONTH/YEAR), or RANGE_BUCKET(<int64_column>, "
        "GENERATE_ARRAY(<int64_value>, <int64_value>[, <int64_value>]))"
    )


_OPTIONS = {
    "description": "description",
    "friendly_name": "friendlyName",
    "labels": "labels",
    "require_partition_filter": "requirePartitionFilter",
    "expiration_timestamp": "expirationTime",
    "partition_expiration_days": None,
}


def set_options(properties: dict[str, Any], options: dict[str, Any]) -> None:
    """Evaluated ``OPTIONS (…)`` into REST properties; None takes one away."""
    for name, value in options.items():
        if name not in _OPTIONS:
            raise invalid_query(f"Unknown option: {name}")
        key = _OPTIONS[name]
        if name == "partition_expiration_days":
            if "timePartitioning" not in properties:
                raise invalid_query("partition_expiration_days needs a partitioned table")
            properties["timePartitioning"]["expirationMs"] = str(int(float(value) * 86_400_000))
        elif value is None:
            properties.pop(str(key), None)
        elif name == "expiration_timestamp":
            properties["expirationTime"] = str(int(value.timestamp() * 1000))
        elif name == "labels":
            properties["labels"] = config.labels(dict(value))
        else:
            properties[str(key)] = value
