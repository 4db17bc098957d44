"""BigQuery's errors: an HTTP status, a reason, and a message in its own words."""

from __future__ import annotations

from typing import Any

from sandbox.server.wire import Response, as_json

_CANONICAL = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}
_STATUS_OF_REASON = {
    "accessDenied": 403,
    "backendError": 503,
    "duplicate": 409,
    "internalError": 500,
    "notFound": 404,
    "notImplemented": 501,
    "quotaExceeded": 403,
    "rateLimitExceeded": 403,
}


class ApiError(Exception):
    """What BigQuery refuses, as a request's answer or as a job's ``errorResult``."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        status: int | None = None,
        location: str | None = None,
        more: list[dict[str, str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason, self.message, self.location = reason, message, location
        self.status = status or _STATUS_OF_REASON.get(reason, 400)
        self.more = more or []

    def bare(self) -> ApiError:
        """The same without its traceback, which would keep a job's connection alive."""
        return ApiError(
            self.reason, self.message, status=self.status, location=self.location, more=self.more
        )

    def proto(self) -> dict[str, str]:
        """``{"reason", "message", "location"}`` as in a job's status."""
        found = {"reason": self.reason, "message": self.message}
        return found | ({"location": self.location} if self.location else {})

    def at(self, line: int, column: int) -> ApiError:
        """The same error, naming the statement of a script: ``Query error: … at [line:column]``."""
        message = f"Query error: {self.message} at [{line}:{column}]"
        return ApiError(self.reason, message, status=self.status, location="query")

    def response(self) -> Response:
        detail = {"message": self.message, "domain": "global", "reason": self.reason}
        if self.location:
            detail |= {"location": self.location, "locationType": "other"}
        body: dict[str, Any] = {
            "code": self.status,
            "message": self.message,
            "errors": [detail],
            "status": _CANONICAL.get(self.status, "UNKNOWN"),
        }
        return as_json({"error": body}, self.status)


def invalid(message: str) -> ApiError:
    """A request that is malformed."""
    return ApiError("invalid", message)


def invalid_query(message: str) -> ApiError:
    """SQL that BigQuery refuses."""
    return ApiError("invalidQuery", message, location="query")


def no_dataset(project: str, dataset: str, location: str | None = None) -> ApiError:
    where = f" was not found in location {location}" if location else ""
    return ApiError("notFound", f"Not found: Dataset {project}:{dataset}{where}")


def no_table(project: str, dataset: str, table: str, location: str | None = None) -> ApiError:
    where = f" was not found in location {location}" if location else ""
    return ApiError("notFound", f"Not found: Table {project}:{dataset}.{table}{where}")


def not_covered(what: str) -> ApiError:
    """Something BigQuery does and this fake does not: loud, so that no test passes by it."""
    return ApiError("notImplemented", f"The sandbox's BigQuery does not cover {what}.")
