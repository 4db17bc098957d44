"""How each platform says no: throttled, out of order, token expired or revoked, version sunset.

Shapes as in the platforms' references and in answers that public issues quote. What nobody quotes
is marked: the status is the platform's, the words are ours.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from sandbox.server.wire import Response, as_json

LOGIN_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head>"
    b'<body><form method="post"><input name="password"></form></body></html>'
)
_FAILURE = "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure"
_META_THROTTLES = {
    4: (403, 1504022, "(#4) Application request limit reached"),
    17: (400, 2446079, "(#17) User request limit reached"),
    613: (400, 1487742, "(#613) Calls to this api have exceeded the rate limit."),
    80000: (400, 2446079, "(#80000) There have been too many calls from this ad-account."),
    80004: (400, 2446079, "(#80004) There have been too many calls to this ad-account."),
}


def page_of_html(status: int | None = None, seconds: float | None = None) -> Response:
    """A login page with HTTP 200, or a proxy's page with another status."""
    headers = {} if seconds is None else {"Retry-After": str(math.ceil(seconds))}
    return Response(status or 200, LOGIN_PAGE, "text/html; charset=UTF-8", headers)


def refusal(
    platform: str,
    kind: str,
    *,
    is_token: bool = False,
    code: Any = None,
    seconds: float | None = None,
    header: str = "",
    status: int | None = None,
) -> Response:
    """The answer of a platform that refuses.

    Args:
        platform: ``google-ads``, ``meta-ads``, ``hubspot``, ``salesforce``; else a plain server.
        kind: ``throttle``, ``500``, ``expired_token``, ``revoked`` or ``sunset``.
        is_token: Whether a token was asked for: then the answer is OAuth's.
        code: The platform's own code where it has several.
        seconds: How long to wait, told where the platform tells it; None tells nothing.
        header: ``seconds`` or ``date`` tells it in Retry-After too.
        status: Another HTTP status than the platform's usual one.
    """
    if is_token:
        found = _oauth(kind)
    elif platform == "google-ads":
        found = _google(kind, code, seconds)
    elif platform == "meta-ads":
        found = _meta(kind, code, seconds)
    elif platform == "hubspot":
        found = _hubspot(kind, code)
    elif platform == "salesforce":
        found = _salesforce(kind)
    else:
        usual = {"throttle": 429, "500": 500, "sunset": 410}.get(kind, 401)
        found = as_json({"error": kind}, usual)
    headers = dict(found.headers)
    if seconds is not None and header == "seconds":
        headers["Retry-After"] = str(math.ceil(seconds))
    elif seconds is not None and header == "date":
        moment = datetime.now(UTC) + timedelta(seconds=math.ceil(seconds))
        headers["Retry-After"] = format_datetime(moment, usegmt=True)
    return Response(status or found.status, found.body, found.content_type, headers)


def _oauth(kind: str) -> Response:
    if kind in ("expired_token", "revoked"):
        told = {
            "error": "invalid_grant",
            "error_description": "Token has been expired or revoked.",
        }
        return as_json(told, 400)
    if kind == "throttle":
        return as_json({"error": "rate_limit_exceeded"}, 429)
    return as_json({"error": "server_error"}, 500 if kind == "500" else 410)


def _google(kind: str, code: Any, seconds: float | None) -> Response:
    status, word, text, family, usual = {
        "throttle": (
            429,
            "RESOURCE_EXHAUSTED",
            "Resource has been exhausted (e.g. check quota).",
            "quotaError",
            "RESOURCE_EXHAUSTED",
        ),
        "500": (
            500,
            "INTERNAL",
            "Internal error encountered.",
            "internalError",
            "INTERNAL_ERROR",
        ),
        "expired_token": (
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token.",
            "authenticationError",
            "OAUTH_TOKEN_EXPIRED",
        ),
        "revoked": (
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token.",
            "authenticationError",
            "OAUTH_TOKEN_REVOKED",
        ),
        "sunset": (
            400,
            "INVALID_ARGUMENT",
            "Request contains an invalid argument.",
            "requestError",
            "UNSUPPORTED_VERSION",
        ),
    }[kind]
    error: dict[str, Any] = {"errorCode": {family: code or usual}, "message": text}
    if kind == "sunset":
        error["message"] = "Version v26 is deprecated. Requests to this version will be blocked."
    if kind == "throttle" and seconds is not None:
        error["message"] = f"Too many requests. Retry in {math.ceil(seconds)} seconds."
        error["details"] = {
            "quotaErrorDetails": {
                "rateScope": "ACCOUNT",
                "rateName": "Requests per service per method",
                "retryDelay": f"{math.ceil(seconds)}s",
            }
        }
    details = [{"@type": _FAILURE, "errors": [error], "requestId": "sandboxfault"}]
    told = {"code": status, "message": text, "status": word, "details": details}
    return as_json([{"error": told}], status)


def _meta(kind: str, code: Any, seconds: float | None) -> Response:
    if kind == "throttle":
        number = int(code or 80004)
        status, subcode, text = _META_THROTTLES.get(number, (400, None, f"(#{number}) Too many."))
        found = _graph_error(status, number, text, subcode, transient=True)
        if seconds is None:
            return found
        usage = {
            "type": "ads_insights",
            "call_count": 100,
            "total_cputime": 25,
            "total_time": 25,
            # In minutes, as Meta counts them.
            "estimated_time_to_regain_access": math.ceil(seconds / 60),
            "ads_api_access_tier": "standard_access",
        }
        headers = {
            **found.headers,
            "x-business-use-case-usage": json.dumps({"100200300": [usage]}),
        }
        return Response(found.status, found.body, found.content_type, headers)
    if kind == "500":
        text = "An unexpected error has occurred. Please retry your request later."
        return _graph_error(500, int(code or 2), text, None, transient=True)
    if kind == "sunset":
        text = (
            "(#2635) You are calling a deprecated version of the Ads API. "
            "Please update to the latest version."
        )
        return _graph_error(400, 2635, text, None)
    subcode, text = {
        "expired_token": (463, "Error validating access token: Session has expired."),
        "revoked": (458, "Error validating access token: The user has not authorized application."),
    }[kind]
    return _graph_error(400, 190, text, subcode)


def _graph_error(
    status: int, code: int, text: str, subcode: int | None, *, transient: bool = False
) -> Response:
    error: dict[str, Any] = {"message": text, "type": "OAuthException", "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    error |= {"is_transient": transient, "fbtrace_id": "AsandboxTrace0"}
    return as_json({"error": error}, status, x_fb_trace_id="AsandboxTrace0")


def _hubspot(kind: str, code: Any) -> Response:
    common = {"status": "error", "correlationId": "5a9d0b0e-0000-4000-8000-000000000000"}
    if kind == "throttle":
        policy = str(code or "TEN_SECONDLY_ROLLING")
        return as_json(
            common
            | {
                "message": f"You have reached your {policy.lower()} limit.",
                "errorType": "RATE_LIMIT",
                "policyName": policy,
            },
            429,
        )
    status, category, text = {
        "500": (500, "INTERNAL_ERROR", "internal error"),
        "expired_token": (
            401,
            "EXPIRED_AUTHENTICATION",
            "The OAuth token used to make this call expired 5 minute(s) ago.",
        ),
        "revoked": (
            401,
            "INVALID_AUTHENTICATION",
            "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
        ),
        # Status as HubSpot announces sunsets; the words are ours.
        "sunset": (410, "GONE", "This API version is no longer available."),
    }[kind]
    return as_json(common | {"message": text, "category": category}, status)


def _salesforce(kind: str) -> Response:
    status, code, text = {
        "throttle": (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        "500": (500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
        "expired_token": (401, "INVALID_SESSION_ID", "Session expired or invalid"),
        "revoked": (401, "INVALID_SESSION_ID", "Session expired or invalid"),
        # 410 is documented for retired versions; the words are ours.
        "sunset": (410, "GONE", "This API version is retired."),
    }[kind]
    return as_json([{"message": text, "errorCode": code}], status)


def error_inside_success(platform: str, code: Any = None) -> Any:
    """What a platform puts into HTTP 200 although it failed."""
    if platform == "google-ads":
        return json.loads(_google("500", code or "TRANSIENT_ERROR", None).body)[0]
    return json.loads(refusal(platform, "500", code=code).body)
