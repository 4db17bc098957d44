"""Searches in one Google Ads account, and what Google's refusals mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from trueline.connections import Connection
from trueline.errors import ConfigurationError, PermanentError, RetriableError, TruelineError
from trueline.sources.collect import at
from trueline.sources.google_ads.constants import (
    DAILY_QUOTA,
    DAILY_QUOTA_DELAY_SECONDS,
    DEFAULT_URL,
    RETRIABLE,
)
from trueline.sources.http import HttpClient, Refusal
from trueline.sources.settings import GoogleAdsSettings


class GoogleAdsClient:
    """``googleAds:searchStream`` over REST."""

    def __init__(self, settings: GoogleAdsSettings, connection: Connection) -> None:
        headers = {}
        if settings.login_customer_id:
            headers["login-customer-id"] = settings.login_customer_id
        # Ignored by Google since developer tokens were sunset (2026-09-09); some proxies want it.
        if "developer_token" in connection.extra:
            headers["developer-token"] = connection.extra["developer_token"]
        self._http = HttpClient(
            connection, default_url=DEFAULT_URL, headers=headers, explain=explain
        )
        self._version = settings.api_version

    def search(self, account: str, query: str) -> Iterator[Mapping[str, Any]]:
        """All rows of a GAQL query.

        Raises:
            RetriableError, PermanentError, ConfigurationError: see ``HttpClient``.
        """
        path = f"{self._version}/customers/{account}/googleAds:searchStream"
        answer = self._http.post_json(path, {"query": query})
        for part in answer if isinstance(answer, list) else [answer]:
            if not isinstance(part, Mapping):
                raise RetriableError(
                    "Google's answer is not a stream of results.",
                    where=path,
                    fix="Try again; if it stays so, check base_url of the connection.",
                )
            # A stream that breaks half-way ends with an error inside HTTP 200.
            if "error" in part:
                raise self._http.error_for(
                    Refusal(int(at(part, "error.code") or 500), path, part, None)
                )
            yield from part.get("results", ())


def explain(refusal: Refusal, connection: str) -> TruelineError | None:
    """Google's own reason, from ``GoogleAdsFailure``; None where the body has none."""
    body = refusal.body[0] if isinstance(refusal.body, list) and refusal.body else refusal.body
    details = at(body, "error.details")
    failures = [
        error
        for detail in (details if isinstance(details, list) else [])
        for error in (detail.get("errors") or [] if isinstance(detail, Mapping) else [])
        if isinstance(error, Mapping)
    ]
    if not failures:
        return None
    family, code = next(iter((at(failures[0], "errorCode") or {"": ""}).items()))
    delay = _delay(details, failures) or refusal.delay
    where = refusal.where
    if code in RETRIABLE:
        if code in DAILY_QUOTA:
            delay = max(delay or 0.0, DAILY_QUOTA_DELAY_SECONDS)
        return RetriableError(
            f"Google Ads asks for a pause: {family} {code}.",
            where=where,
            fix="Try again later; if it happens daily, ask for fewer accounts or days, or for a "
            "higher access level of the Cloud project.",
            retry_after_seconds=delay,
        )
    if family in ("authenticationError", "authorizationError"):
        return ConfigurationError(
            f"Google Ads does not let us in: {code}.",
            where=where,
            fix=f"Renew the token of the connection {connection!r}; its owner needs read access "
            "to this account (login_customer_id names the manager account, if any).",
        )
    if code == "UNSUPPORTED_VERSION":
        return ConfigurationError(
            "Google has switched off this API version.",
            where=where,
            fix="Set api_version of the source to a current one, after reading its release notes.",
        )
    if code in ("INVALID_CUSTOMER_ID", "CUSTOMER_NOT_FOUND", "ACCESS_PROHIBITED"):
        return ConfigurationError(
            f"Google Ads does not know the account or closes it: {code}.",
            where=where,
            fix="Check the source's accounts: ten digits each.",
        )
    if refusal.status in (429,) or refusal.status >= 500:
        return None
    return PermanentError(
        f"Google Ads refuses the query: {family} {code}.",
        where=where,
        fix="Compare the query with the field reference of this API version.",
    )


def _delay(details: Any, failures: list[Mapping[str, Any]]) -> float | None:
    """``"30s"`` from google.rpc.RetryInfo or from the quota error's own details."""
    told = [at(error, "details.quotaErrorDetails.retryDelay") for error in failures]
    told += [detail.get("retryDelay") for detail in details if isinstance(detail, Mapping)]
    seconds = [
        float(found[1])
        for text in told
        if isinstance(text, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)s", text))
    ]
    return max(seconds, default=None)
