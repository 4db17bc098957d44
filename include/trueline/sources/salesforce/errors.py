"""What Salesforce's refusals mean. Its messages are never quoted: they repeat queries and values.

An error body is a list of ``{"errorCode", "message", "fields"}``; a failed query job has an
``errorMessage`` such as ``InvalidBatch : Failed to process query: INVALID_FIELD: ...``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trueline.errors import ConfigurationError, PermanentError, RetriableError, TruelineError
from trueline.sources.http import Refusal
from trueline.sources.salesforce.constants import LIMIT_SECONDS

LIMITS = frozenset({"REQUEST_LIMIT_EXCEEDED", "LIMIT_EXCEEDED", "EXCEEDED_QUOTA"})
BUSY = frozenset(
    {
        "API_CURRENTLY_DISABLED",
        "CONCURRENT_REQUEST_LIMIT_EXCEEDED",
        "EXCEEDED_MAX_CONCURRENT_REQUESTS",
        "SERVER_UNAVAILABLE",
        "TXN_SECURITY_METERING_ERROR",
        "UNABLE_TO_LOCK_ROW",
        "UNKNOWN_EXCEPTION",
    }
)
SESSION = frozenset(
    {"INVALID_AUTH_HEADER", "INVALID_LOGIN", "INVALID_SESSION_ID", "OAUTH_APP_BLOCKED"}
)
ACCESS = frozenset(
    {
        "CLIENT_NOT_ACCESSIBLE_FOR_USER",
        "FORBIDDEN",
        "INSUFFICIENT_ACCESS",
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "INVALIDENTITY",
        "INVALID_TYPE",
        "OPERATION_TOO_LARGE",
    }
)
NO_API = frozenset({"API_DISABLED_FOR_ORG"})
VERSION = frozenset({"INVALIDVERSION", "INVALID_VERSION", "UNSUPPORTED_API_VERSION"})
QUERY = frozenset({"FUNCTIONALITY_NOT_ENABLED", "INVALID_QUERY_FILTER_OPERATOR", "MALFORMED_QUERY"})
# What Salesforce's front answers, mostly without a body, while it sets things up.
FRONT_BUSY = frozenset({406, 420})
# One code for two limits: calls at the same time, which pass within seconds, and calls of a day.
_AT_ONCE = re.compile(r"\bConcurrent[A-Z]\w+")
# API_ERROR says anything; with these words it asks for View All.
_NEEDS_VIEW_ALL = "Implementation restriction"
_JOB = re.compile(r"/jobs/query/\w+")
KNOWN = (
    LIMITS
    | BUSY
    | SESSION
    | ACCESS
    | NO_API
    | VERSION
    | QUERY
    | {"EXCEEDED_ID_LIMIT", "INVALID_FIELD", "QUERY_TIMEOUT"}
)
# The only part of a message that is taken: names of a field and of an object.
_NO_COLUMN = re.compile(
    r"No such column '([A-Za-z][\w.]{0,120})' on entity '([A-Za-z]\w{0,80})'", re.ASCII
)
_WORD = re.compile(r"[A-Za-z_]{5,60}")


class NothingThereError(ConfigurationError):
    """HTTP 404: the version, the object or the org is not there, or not for this user."""


def explain(refusal: Refusal, name: str) -> TruelineError | None:
    """Salesforce's own reading of a refused call; None leaves it to the status."""
    code, message = _first(refusal.body)
    if refusal.status == 410:
        code = "UNSUPPORTED_API_VERSION"
    if _NO_COLUMN.search(message):
        code = "INVALID_FIELD"
    if code == "API_ERROR" and message.startswith(_NEEDS_VIEW_ALL):
        code = "INSUFFICIENT_ACCESS"
    told = of_code(code, message, refusal.where, name, refusal.delay)
    if told is None and refusal.status in FRONT_BUSY:
        return RetriableError(
            f"Salesforce cannot answer now (HTTP {refusal.status}).",
            where=refusal.where,
            fix="Try again later; if it stays so, see status.salesforce.com.",
            retry_after_seconds=refusal.delay,
        )
    if told is None and refusal.status == 404 and _JOB.search(refusal.where):
        return RetriableError(
            "Salesforce has no such query job any more: somebody deleted it.",
            where=refusal.where,
            fix="Try again; if it stays so, see Setup, Bulk Data Load Jobs, for who does it.",
        )
    if told is None and refusal.status == 404:
        return NothingThereError(
            "Salesforce has nothing at this address (HTTP 404): an API version that it does not "
            "offer, an object that this user may not see, or another org's address.",
            where=refusal.where,
            fix=f"Check api_version of the source, base_url of the connection {name!r}, and the "
            "integration user's object permissions.",
        )
    if told is None and code:
        return _unknown(refusal, code)
    return told


def of_failed_job(message: str, where: str, name: str) -> TruelineError:
    """The error of a query job in the state ``Failed``."""
    words = [word.upper() for word in _WORD.findall(message)]
    code = "INVALID_FIELD" if _NO_COLUMN.search(message) else ""
    code = code or next((word for word in words if word in KNOWN), "")
    told = of_code(code, message, where, name, None)
    return told or PermanentError(
        "Salesforce gave the query up (state Failed)"
        + (", after it had tried it again and again." if "RETRIED" in words else "."),
        where=where,
        fix="See Setup, Bulk Data Load Jobs, for its reason; a shorter window may help.",
    )


def of_code(
    code: str, message: str, where: str, name: str, delay: float | None
) -> TruelineError | None:
    """The error of one of Salesforce's codes; None where we do not know it."""
    if code in LIMITS and _AT_ONCE.search(message):
        return RetriableError(
            f"Too many calls of this org are under way at once ({code}).",
            where=where,
            fix="It is tried again by itself; if it stays so, other tools call too much at once.",
            retry_after_seconds=delay,
        )
    if code in LIMITS:
        return RetriableError(
            f"The org has used up what it may ask in 24 hours ({code}).",
            where=where,
            fix="It mends itself within hours. See Setup, System Overview, for who uses the API; "
            "Salesforce sells more.",
            retry_after_seconds=delay if delay is not None else LIMIT_SECONDS,
        )
    if code in BUSY or code == "QUERY_TIMEOUT":
        hint = "; a shorter window makes the query lighter" if code == "QUERY_TIMEOUT" else ""
        return RetriableError(
            f"Salesforce cannot answer now ({code}).",
            where=where,
            fix=f"Try again later{hint}.",
            retry_after_seconds=delay,
        )
    if code in SESSION:
        return ConfigurationError(
            f"Salesforce does not accept the session ({code}): it expired or was revoked.",
            where=where,
            fix=f"Renew the access of the connection {name!r}: its refresh token or client "
            "credentials, and the connected app's policies.",
        )
    if code in NO_API:
        return ConfigurationError(
            f"This org has no API ({code}).",
            where=where,
            fix="Ask Salesforce for an edition with API access (Enterprise, or Professional with "
            "the API), and give the integration user the permission API Enabled.",
        )
    if code in VERSION:
        return ConfigurationError(
            f"Salesforce does not offer this API version any more ({code}).",
            where=where,
            fix="Set api_version of the source to one of those that GET /services/data lists.",
        )
    if code in ACCESS:
        return ConfigurationError(
            f"The integration user may not read this ({code}).",
            where=where,
            fix="Give it API Enabled and, on Lead and Opportunity, Read and View All; see "
            "docs/sources/salesforce.md.",
        )
    if code == "INVALID_FIELD":
        return _no_field(message, where)
    if code == "EXCEEDED_ID_LIMIT":
        return PermanentError(
            f"The query meets more records than Salesforce takes at once ({code}).",
            where=where,
            fix="Ask for a shorter window.",
        )
    if code in QUERY:
        return PermanentError(
            f"Salesforce does not understand the query ({code}).",
            where=where,
            fix="Compare the fields in the profile with Setup, Object Manager, Lead; repeating "
            "will not help.",
        )
    return None


def _no_field(message: str, where: str) -> TruelineError:
    found = _NO_COLUMN.search(message)
    what = f"the field {found[1]!r} of {found[2]}" if found else "one of the fields asked for"
    return ConfigurationError(
        f"Salesforce does not show {what} (INVALID_FIELD).",
        where=where,
        fix="Correct its name under fields in the profile, or let the integration user read it "
        "(field-level security).",
    )


def _unknown(refusal: Refusal, code: str) -> TruelineError | None:
    """A code that is new to us: its family goes by the status."""
    if refusal.status == 403:
        return ConfigurationError(
            f"Salesforce denies access ({code}).",
            where=refusal.where,
            fix="Look the code up in the REST API's reference; it is about the integration user, "
            "its password or its connected app.",
        )
    if refusal.status != 400:
        return None
    return PermanentError(
        f"Salesforce refuses the request ({code}, HTTP {refusal.status}).",
        where=refusal.where,
        fix="Look the code up in the REST API's reference; repeating will not help.",
    )


def _first(body: Any) -> tuple[str, str]:
    """Code and message of the first error, both may be empty; the code is a plain word."""
    entry = body[0] if isinstance(body, list) and body else body
    if not isinstance(entry, Mapping):
        return "", ""
    code = str(entry.get("errorCode") or "").upper()
    return (code if re.fullmatch(r"[A-Z_]{1,60}", code) else ""), str(entry.get("message") or "")
