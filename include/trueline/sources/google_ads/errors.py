"""What Google's refusals mean: for one account, or for all of them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from trueline.errors import ConfigurationError, PermanentError, RetriableError, TruelineError
from trueline.redaction import redact
from trueline.sources.collect import at
from trueline.sources.google_ads.constants import (
    ACCOUNT_REFUSED,
    DAILY_QUOTA,
    DAILY_QUOTA_DELAY_SECONDS,
    RETRIABLE,
)
from trueline.sources.http import Refusal

log = logging.getLogger(__name__)


class AccountRefusedError(ConfigurationError):
    """This account is closed to us, others need not be; any other refusal is for all of them."""


class AccountClosedError(AccountRefusedError):
    """The account is not enabled: never set up, cancelled, or closed."""


class QuotaSpentError(RetriableError):
    """The Cloud project's own quota is spent: no account can be asked before the delay is over."""


class DayGoneError(PermanentError):
    """Google no longer keeps this day's clicks."""


def explain(refusal: Refusal, connection: str) -> TruelineError | None:
    """Google's own reason, from ``GoogleAdsFailure`` or ``ErrorInfo``; None where it tells none."""
    # searchStream wraps its error in an array.
    body = refusal.body[0] if isinstance(refusal.body, list) and refusal.body else refusal.body
    told = at(body, "error.details")
    details = [each for each in told if isinstance(each, Mapping)] if isinstance(told, list) else []
    failures = list(_failures(details))
    delay = max(_delay(details, failures) or 0.0, refusal.delay or 0.0) or None
    where = _with_request_id(refusal.where, details)
    if not failures:
        return _without_failure(refusal, details, delay, where, connection)
    # Where several are told, the one that repeating will not mend decides.
    failures.sort(key=lambda failure: _code(failure)[1] in RETRIABLE)
    family, code = _code(failures[0])
    if code in RETRIABLE:
        return _pause(family, code, failures[0], delay, where)
    log.warning("Google Ads refused: %s %s (%s)", family, code, where)
    return _refused(family, code, failures[0], refusal.status, delay, where, connection)


def _pause(
    family: str, code: str, failure: Mapping[str, Any], delay: float | None, where: str
) -> RetriableError:
    if family != "quotaError":
        return RetriableError(
            f"Google Ads is out of order: {family} {code}.",
            where=where,
            fix="Try again later; it is not this project's doing.",
            retry_after_seconds=delay,
        )
    if code in DAILY_QUOTA and delay is None:
        delay = DAILY_QUOTA_DELAY_SECONDS
    name = redact(str(at(failure, "details.quotaErrorDetails.rateName") or ""))[:100]
    scope = at(failure, "details.quotaErrorDetails.rateScope")
    whole = scope == "DEVELOPER" or (code in DAILY_QUOTA and scope != "ACCOUNT")
    kind = QuotaSpentError if whole else RetriableError
    return kind(
        f"Google Ads asks for a pause: {family} {code}{f' ({name})' if name else ''}.",
        where=where,
        fix="Try again later; if it happens daily, ask for fewer accounts or days, or for a "
        "higher access level of the Cloud project.",
        retry_after_seconds=delay,
    )


def _refused(
    family: str,
    code: str,
    failure: Mapping[str, Any],
    status: int,
    delay: float | None,
    where: str,
    connection: str,
) -> TruelineError:
    if code == "CUSTOMER_NOT_ENABLED":
        return AccountClosedError(
            "The account is not enabled: not set up yet, cancelled, or closed "
            "(CUSTOMER_NOT_ENABLED).",
            where=where,
            fix="Take it out of the source's accounts, or have it enabled again.",
        )
    if code == "REQUESTED_METRICS_FOR_MANAGER":
        return manager_has_no_figures(where)
    if code in ACCOUNT_REFUSED:
        return AccountRefusedError(
            f"Google Ads does not open this account to us: {family} {code}.",
            where=where,
            fix="Check its number (ten digits); the credential's owner needs read access to it, "
            "directly or through the manager account in login_customer_id.",
        )
    if code == "UNSUPPORTED_VERSION":
        return _switched_off("UNSUPPORTED_VERSION", where)
    if code in ("OAUTH_TOKEN_REVOKED", "OAUTH_TOKEN_DISABLED", "GOOGLE_ACCOUNT_DELETED"):
        return ConfigurationError(
            f"The grant was taken back, by its owner or by Google: {code}.",
            where=where,
            fix=f"Let its owner agree again, and put the new credential into {connection!r}.",
        )
    if family in ("authenticationError", "authorizationError", "headerError") or code in (
        "ACCESS_PROHIBITED",
        "CLOUD_PROJECT_NOT_FOUND",
        "DEVELOPER_TOKEN_PARAMETER_MISSING",
    ):
        return ConfigurationError(
            f"Google Ads does not let us in: {family} {code}.", where=where, fix=_way_in(code)
        )
    if code == "DATE_TOO_OLD":
        return DayGoneError(
            "Google no longer keeps the clicks of this day (DATE_TOO_OLD).",
            where=where,
            fix="Nothing: clicks are kept for 90 days.",
        )
    if status == 429 or status >= 500:
        return RetriableError(
            f"Google Ads is out of order: {family} {code} (HTTP {status}).",
            where=where,
            fix="Try again later; it is not this project's doing.",
            retry_after_seconds=delay,
        )
    # Our queries hold field names and days only, and so do messages about them.
    said = f": {redact(str(failure.get('message') or ''))[:200]}" if family == "queryError" else "."
    return PermanentError(
        f"Google Ads refuses the request: {family} {code}{said}",
        where=where,
        fix="Compare it with the field reference of this API version; repeating will not help.",
    )


def manager_has_no_figures(where: str) -> AccountRefusedError:
    """A manager account stands among the accounts."""
    return AccountRefusedError(
        "This is a manager account: it has no figures of its own.",
        where=where,
        fix="Give its number as login_customer_id, and in accounts those below it, or none for "
        "all of them.",
    )


def _without_failure(
    refusal: Refusal,
    details: list[Mapping[str, Any]],
    delay: float | None,
    where: str,
    connection: str,
) -> TruelineError | None:
    """What stands before the API itself: the front door, a proxy, a version that is gone."""
    status = refusal.status
    reason = next((str(each["reason"]) for each in details if each.get("reason")), "")
    if status in (404, 410):
        return _switched_off(f"HTTP {status}", where)
    if status in (401, 403) and (reason or status == 401):
        log.warning("Google refused: HTTP %s %s (%s)", status, reason, where)
        return ConfigurationError(
            f"Google does not accept the credential: {reason or 'HTTP 401'}.",
            where=where,
            fix=_way_in(reason) if reason else f"Renew the token of the connection {connection!r}.",
        )
    if status == 403:
        return AccountRefusedError(
            "Access to this account is denied (HTTP 403), and nobody says why.",
            where=where,
            fix="Check that the credential's owner may read the account, and whether a proxy "
            "answers in Google's place.",
        )
    if status == 429 or status >= 500:
        return RetriableError(
            f"Google Ads {'asks for a pause' if status == 429 else 'is out of order'} "
            f"(HTTP {status}).",
            where=where,
            fix="Try again later; it is not this project's doing.",
            retry_after_seconds=delay,
        )
    return None


def _switched_off(how: str, where: str) -> ConfigurationError:
    return ConfigurationError(
        f"Google has switched off this version of its API ({how}).",
        where=where,
        fix="Set api_version of the source to a current one, after reading its release notes; "
        "if it is current, check base_url of the connection.",
    )


_WAYS_IN = {
    "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION": "Apply for an access level of the Cloud project "
    "(Google Ads API Overview page of the Cloud console): so far it may only ask test accounts.",
    "SERVICE_DISABLED": "Switch the Google Ads API on in the Cloud project of the credential.",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "Make the credential anew with the scope "
    "https://www.googleapis.com/auth/adwords.",
    "TWO_STEP_VERIFICATION_NOT_ENROLLED": "The credential's owner has to switch two-step "
    "verification on in the Google account.",
    "NOT_ADS_USER": "Invite the credential's owner as a user of the Google Ads account.",
    "INVALID_LOGIN_CUSTOMER_ID": "Check login_customer_id: the ten digits of a manager account.",
}


def _way_in(code: str) -> str:
    return _WAYS_IN.get(
        code,
        "Check the connection's credential and the access level of its Cloud project "
        "(docs/sources/google-ads.md, Access).",
    )


def _failures(details: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for detail in details:
        errors = detail.get("errors")
        for error in errors if isinstance(errors, list) else ():
            if isinstance(error, Mapping):
                yield error


def _code(failure: Mapping[str, Any]) -> tuple[str, str]:
    """``("quotaError", "RESOURCE_EXHAUSTED")``; a code of a later version may lack either."""
    told = failure.get("errorCode")
    if not isinstance(told, Mapping) or not told:
        return "unknownError", "UNKNOWN"
    family, code = next(iter(told.items()))
    return redact(str(family)), redact(str(code))


def _with_request_id(where: str, details: list[Mapping[str, Any]]) -> str:
    """Google's support asks for the request id."""
    found = next((str(each["requestId"]) for each in details if each.get("requestId")), "")
    return f"{where}, request {found[:60]}" if re.fullmatch(r"[\w\-]+", found) else where


def _delay(details: list[Mapping[str, Any]], failures: list[Mapping[str, Any]]) -> float | None:
    """``"30s"`` from the quota error's details or google.rpc.RetryInfo, else from the words."""
    told = [at(failure, "details.quotaErrorDetails.retryDelay") for failure in failures]
    told += [detail.get("retryDelay") for detail in details]
    seconds = [
        float(found[1])
        for text in told
        if isinstance(text, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)s", text))
    ] or [
        float(found[1])
        for failure in failures
        if (found := re.search(r"[Rr]etry in (\d+) seconds", str(failure.get("message"))))
    ]
    return max(seconds, default=None)
