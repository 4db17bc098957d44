"""What a job may be asked for: unknown fields, bad ids and bad labels are refused."""

from __future__ import annotations

import re
from typing import Any

from sandbox.bigquery.errors import ApiError, invalid, not_covered
from sandbox.bigquery.types import unknown_name

_JOB = {"kind", "etag", "id", "selfLink", "user_email", "configuration", "jobReference"} | {
    "statistics",
    "status",
    "principal_subject",
    "jobCreationReason",
}
_CONFIGURATION = {"jobType", "query", "load", "copy", "extract", "dryRun", "jobTimeoutMs"} | {
    "labels",
    "reservation",
    "maxSlots",
}
_DESTINATION = {
    "destinationTable",
    "createDisposition",
    "writeDisposition",
    "timePartitioning",
    "rangePartitioning",
    "clustering",
    "schemaUpdateOptions",
    "destinationEncryptionConfiguration",
    "createSession",
    "connectionProperties",
}
_QUERY = _DESTINATION | {
    "query",
    "tableDefinitions",
    "userDefinedFunctionResources",
    "defaultDataset",
    "priority",
    "preserveNulls",
    "allowLargeResults",
    "useQueryCache",
    "flattenResults",
    "maximumBillingTier",
    "maximumBytesBilled",
    "useLegacySql",
    "parameterMode",
    "queryParameters",
    "systemVariables",
    "scriptOptions",
    "continuous",
    "writeIncrementalResults",
}
_LOAD = _DESTINATION | {
    "sourceUris",
    "fileSetSpecType",
    "schema",
    "destinationTableProperties",
    "nullMarker",
    "nullMarkers",
    "fieldDelimiter",
    "skipLeadingRows",
    "encoding",
    "quote",
    "maxBadRecords",
    "allowQuotedNewlines",
    "sourceFormat",
    "allowJaggedRows",
    "ignoreUnknownValues",
    "projectionFields",
    "autodetect",
    "useAvroLogicalTypes",
    "referenceFileSchemaUri",
    "hivePartitioningOptions",
    "decimalTargetTypes",
    "jsonExtension",
    "parquetOptions",
    "preserveAsciiControlCharacters",
    "columnNameCharacterMap",
    "dateFormat",
    "datetimeFormat",
    "timeFormat",
    "timestampFormat",
    "timeZone",
    "copyFilesOnly",
    "sourceColumnMatch",
    "timestampTargetPrecision",
}
_REQUEST = {
    "kind",
    "query",
    "maxResults",
    "defaultDataset",
    "timeoutMs",
    "dryRun",
    "preserveNulls",
    "useQueryCache",
    "useLegacySql",
    "parameterMode",
    "queryParameters",
    "location",
    "formatOptions",
    "connectionProperties",
    "labels",
    "maximumBytesBilled",
    "requestId",
    "createSession",
    "jobCreationMode",
    "jobTimeoutMs",
    "reservation",
    "maxSlots",
    "continuous",
    "destinationEncryptionConfiguration",
    "writeIncrementalResults",
    "queryResultsFormat",
    "arrowSerializationOptions",
}
_IN_QUERY = _REQUEST & _QUERY
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,1024}")
_DATASET_ID = re.compile(r"\w{1,1024}", re.ASCII)
_TABLE_ID = re.compile(r"[\w \-]{1,1024}")
_LABEL_KEY = re.compile(r"[^\W\dA-Z_-][^\WA-Z]*(?:[^\WA-Z]|-)*")
_LABEL_VALUE = re.compile(r"(?:[^\WA-Z]|-)*")


def known(given: Any, names: set[str], path: str) -> dict[str, Any]:
    """A JSON object with no key that the API does not know."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise invalid(f"Invalid value at '{path}': an object is expected")
    for key in given:
        if key not in names:
            raise unknown_name(key, path)
    return given


def job_id(given: str) -> str:
    if not _JOB_ID.fullmatch(given):
        raise invalid(
            f'Invalid job ID "{given}". Job IDs must be alphanumeric (plus underscores and '
            "dashes) and must be at most 1024 characters long."
        )
    return given


def dataset_id(given: str) -> str:
    if not _DATASET_ID.fullmatch(given):
        raise invalid(
            f'Invalid dataset ID "{given}". Dataset IDs must be alphanumeric (plus underscores) '
            "and must be at most 1024 characters long."
        )
    return given


def table_id(given: str) -> str:
    if "$" in given:
        raise not_covered("partition decorators")
    if not _TABLE_ID.fullmatch(given):
        raise invalid(
            f'Invalid table ID "{given}". Table IDs must be alphanumeric (plus underscores) '
            "and must be at most 1024 characters long."
        )
    return given


def labels(given: Any) -> dict[str, str]:
    """At most 64; keys and values of at most 63 lower-case letters, digits, _ and -."""
    found = given or {}
    if not isinstance(found, dict):
        raise invalid("Invalid value at 'labels': an object is expected")
    if len(found) > 64:
        raise invalid(f"Too many labels: {len(found)}. The maximum is 64.")
    for key, value in found.items():
        if not (len(key) <= 63 and _LABEL_KEY.fullmatch(key)):
            raise invalid(f'Invalid label key "{key}". {_LABEL_RULE}')
        if not (isinstance(value, str) and len(value) <= 63 and _LABEL_VALUE.fullmatch(value)):
            raise invalid(f'Label value "{value}" for key "{key}" is invalid. {_LABEL_RULE}')
    return dict(found)


_LABEL_RULE = (
    "Label keys and values can contain only lowercase letters, digits, underscores and dashes, "
    "and can have at most 63 characters."
)


def job(body: Any) -> dict[str, Any]:
    """A checked ``Job`` of ``jobs.insert``.

    Raises:
        ApiError: an unknown field, a bad value, or something this fake does not cover.
    """
    found = known(body, _JOB, "job")
    configuration = known(found.get("configuration"), _CONFIGURATION, "job.configuration")
    reference = known(
        found.get("jobReference"), {"projectId", "jobId", "location"}, "job.job_reference"
    )
    if reference.get("jobId"):
        job_id(str(reference["jobId"]))
    labels(configuration.get("labels"))
    kinds = [kind for kind in ("query", "load", "copy", "extract") if kind in configuration]
    if len(kinds) != 1:
        raise ApiError("required", "Required parameter is missing: Job configuration", status=400)
    match kinds[0]:
        case "query":
            _check_query(known(configuration["query"], _QUERY, "job.configuration.query"))
        case "load":
            _check_load(known(configuration["load"], _LOAD, "job.configuration.load"))
        case kind:
            raise not_covered(f"{kind} jobs")
    return found


def query_request(body: Any) -> dict[str, Any]:
    """``jobs.query``'s request as a ``Job``."""
    found = known(body, _REQUEST, "")
    for key in ("jobTimeoutMs", "queryResultsFormat", "arrowSerializationOptions"):
        if key in found and key != "jobTimeoutMs":
            raise not_covered(f"{key} of jobs.query")
    query = {key: found[key] for key in _IN_QUERY if key in found}
    # jobs.insert and jobs.query default to legacy SQL alike.
    configuration = {"query": query, "dryRun": bool(found.get("dryRun"))}
    if "labels" in found:
        configuration["labels"] = found["labels"]
    reference = {"location": found["location"]} if found.get("location") else {}
    return job({"configuration": configuration, "jobReference": reference})


def _check_query(query: dict[str, Any]) -> None:
    if not query.get("query"):
        raise ApiError("required", "Required parameter is missing: query", status=400)
    if query.get("useLegacySql", True):
        raise not_covered("legacy SQL (useLegacySql must be given as false)")
    if query.get("createSession"):
        raise not_covered("sessions")
    for each in query.get("connectionProperties") or []:
        if each.get("key") == "session_id":
            raise not_covered("sessions")
    for key in ("tableDefinitions", "userDefinedFunctionResources", "continuous"):
        if query.get(key):
            raise not_covered(f"configuration.query.{key}")
    _check_dispositions(query)
    if query.get("maximumBytesBilled") is not None:
        text = str(query["maximumBytesBilled"])
        if not re.fullmatch(r"-?\d+", text):
            raise invalid(f"Invalid value at 'maximum_bytes_billed': \"{text}\"")
    if query.get("parameterMode", "NAMED").upper() not in ("NAMED", "POSITIONAL"):
        raise invalid(f"Invalid value for parameterMode: {query['parameterMode']}")


def _check_load(load: dict[str, Any]) -> None:
    if not load.get("destinationTable"):
        raise ApiError("required", "Required parameter is missing: destinationTable", status=400)
    if load.get("sourceUris"):
        raise not_covered("load jobs from Cloud Storage: upload the file")
    _check_dispositions(load)


def _check_dispositions(found: dict[str, Any]) -> None:
    write = found.get("writeDisposition")
    if write not in (None, "WRITE_TRUNCATE", "WRITE_APPEND", "WRITE_EMPTY", "WRITE_TRUNCATE_DATA"):
        raise invalid(f"Invalid value for writeDisposition: {write} is not a valid value")
    create = found.get("createDisposition")
    if create not in (None, "CREATE_IF_NEEDED", "CREATE_NEVER"):
        raise invalid(f"Invalid value for createDisposition: {create} is not a valid value")
    destination = found.get("destinationTable")
    if destination:
        known(destination, {"projectId", "datasetId", "tableId"}, "destination_table")
        dataset_id(str(destination.get("datasetId", "")))
        table_id(str(destination.get("tableId", "")))
