"""Meta's Graph API: one account's settings and insights, page by page, and its refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from trueline.connections import Connection
from trueline.errors import ConfigurationError, PermanentError, RetriableError, TruelineError
from trueline.sources.collect import at
from trueline.sources.http import HttpClient, Refusal
from trueline.sources.meta_ads.constants import (
    DEFAULT_THROTTLE_SECONDS,
    DEFAULT_URL,
    DENIED,
    FIELDS,
    PAGE_SIZE,
    SWITCHED_OFF_VERSION,
    THROTTLED,
    TOO_LARGE,
    TRANSIENT,
    WINDOWS,
)
from trueline.sources.settings import MetaAdsSettings
from trueline.windows import Window


class MetaAdsClient:
    """Reads of the Graph API. The token travels in the header: addresses end up in logs."""

    def __init__(self, settings: MetaAdsSettings, connection: Connection) -> None:
        self._http = HttpClient(connection, default_url=DEFAULT_URL, explain=explain)
        self._version = settings.api_version

    def account(self, account: str) -> Mapping[str, Any]:
        """``currency``, ``timezone_name`` and ``account_id``."""
        return self._get(
            f"{self._version}/act_{account}", {"fields": "account_id,currency,timezone_name"}
        )

    def insights(self, account: str, window: Window) -> Iterator[Mapping[str, Any]]:
        """One row per campaign and day.

        Raises:
            PermanentError: the paging turns in a circle.
        """
        path = f"{self._version}/act_{account}/insights"
        params = {
            "level": "campaign",
            "time_increment": "1",
            "time_range": json.dumps({"since": str(window.start), "until": str(window.end)}),
            "fields": ",".join(FIELDS),
            "action_attribution_windows": json.dumps(WINDOWS),
            "limit": str(PAGE_SIZE),
        }
        seen: set[str] = set()
        while True:
            page = self._get(path, params)
            rows = page.get("data")
            if not isinstance(rows, list):
                raise RetriableError(
                    "Meta's answer has no data.",
                    where=path,
                    fix="Try again; if it stays so, check base_url of the connection.",
                )
            yield from rows
            # ``next`` is only a sign: the address itself carries the token.
            cursor = at(page, "paging.cursors.after")
            if not at(page, "paging.next") or not cursor:
                return
            if cursor in seen:
                raise PermanentError(
                    "Meta's paging repeats a cursor: the rows would never end.",
                    where=path,
                    fix="Ask for a shorter window; if it stays so, report it to Meta.",
                )
            seen.add(cursor)
            params["after"] = cursor

    def _get(self, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        answer = self._http.get_json(path, params)
        if not isinstance(answer, Mapping):
            raise RetriableError("Meta's answer is not an object.", where=path, fix="Try again.")
        # Meta can wrap an error in HTTP 200.
        if "error" in answer:
            raise self._http.error_for(Refusal(200, path, answer, None))
        return answer


def explain(refusal: Refusal, connection: str) -> TruelineError | None:
    """Meta's own reason by its code; None where the body has none."""
    error = at(refusal.body, "error")
    code, subcode = at(error, "code"), at(error, "error_subcode")
    if not isinstance(code, int):
        return None
    said = f"code {code}" + (f"/{subcode}" if subcode else "")
    where = refusal.where
    if (code, subcode) in TOO_LARGE:
        return PermanentError(
            f"Meta finds the request too large ({said}).",
            where=where,
            fix="Ask for a shorter window.",
        )
    if code in THROTTLED:
        return RetriableError(
            f"Meta asks for a pause ({said}).",
            where=where,
            fix="Try again later; other tools may be using up the same account's allowance.",
            retry_after_seconds=refusal.delay or DEFAULT_THROTTLE_SECONDS,
        )
    if code in DENIED:
        return ConfigurationError(
            f"Meta does not let us in ({said}).",
            where=where,
            fix=f"Make a new token for the connection {connection!r}, of a system user with "
            "ads_read on this account.",
        )
    if code == SWITCHED_OFF_VERSION:
        return ConfigurationError(
            "Meta has switched off this API version.",
            where=where,
            fix="Set api_version of the source to a current one, after reading its change log.",
        )
    if code in TRANSIENT or at(error, "is_transient") is True:
        return RetriableError(
            f"Meta is out of order for a moment ({said}).",
            where=where,
            fix="Try again.",
            retry_after_seconds=refusal.delay,
        )
    if refusal.status >= 500 or refusal.status in (401, 403, 404, 410, 429):
        return None
    return PermanentError(
        f"Meta refuses the request ({said}).",
        where=where,
        fix="Compare the request with the reference of this API version.",
    )
