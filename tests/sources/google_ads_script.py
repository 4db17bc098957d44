"""Google Ads as a script: documented answers by account and query, played over real HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sources.conftest import NOW, Answer, Asked
from trueline.sources.base import AccountFailed, Batch
from trueline.sources.registry import build_source
from trueline.sources.settings import GoogleAdsSettings
from trueline.windows import Window

ACCOUNT = "1234567890"
RESOURCES = ("customer_client", "customer", "conversion_action", "campaign", "click_view")
Reply = Callable[[str], Answer]


def row(day: str = "2026-10-30", **more: Any) -> dict[str, Any]:
    """A row that serves every report."""
    return {
        "customer": {"resourceName": f"customers/{ACCOUNT}", "id": ACCOUNT},
        "segments": {
            "date": day,
            "conversionAction": f"customers/{ACCOUNT}/conversionActions/7001",
            "conversionActionName": "Lead form",
        },
        "campaign": {
            "resourceName": f"customers/{ACCOUNT}/campaigns/20871100401",
            "id": "20871100401",
            "name": "Brand",
        },
        "metrics": {"costMicros": "5000000", "clicks": "7", "impressions": "100"},
        **more,
    }


def failure(
    status: int, family: str, code: str, *, quota: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Google's error body, without the array that searchStream puts around it."""
    told: dict[str, Any] = {"errorCode": {family: code}, "message": "As Google words it."}
    if quota:
        told["details"] = {"quotaErrorDetails": quota}
    kind = "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure"
    detail = {"@type": kind, "errors": [told], "requestId": "Z4Q_KggHsDHwTzYYp-_H2A"}
    return {
        "error": {
            "code": status,
            "message": "Request contains an invalid argument.",
            "status": "INVALID_ARGUMENT",
            "details": [detail, *more.get("details", ())],
        }
    }


def refused(status: int, family: str, code: str, **more: Any) -> Answer:
    """The whole answer, as searchStream gives it."""
    headers = more.pop("headers", {})
    return Answer([failure(status, family, code, **more)], status, headers)


@dataclass
class Script:
    """What each account answers to each resource; the rest is an ordinary account.

    Attributes:
        replies: (account, resource) to an answer, or to what makes one from the query.
    """

    replies: dict[tuple[str, str], Answer | Reply] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        account = asked.path.split("/")[3]
        query = asked.body["query"]
        resource = re.search(r"FROM (\w+)", query)[1]  # type: ignore[index]
        if "segments.conversion_action" in query:
            resource = "claims"
        self.asked.append((account, resource))
        reply = self.replies.get((account, resource), self.replies.get(("*", resource)))
        if reply is None:
            return self._ordinary(resource)
        return reply if isinstance(reply, Answer) else reply(query)

    def _ordinary(self, resource: str) -> Answer:
        if resource == "customer":
            told = {
                "id": ACCOUNT,
                "descriptiveName": "Sunmoor",
                "currencyCode": "USD",
                "timeZone": "America/New_York",
                "status": "ENABLED",
                "manager": False,
            }
            return Answer([{"results": [{"customer": told}]}])
        if resource == "conversion_action":
            action = {"id": "7001", "name": "Lead form", "type": "WEBPAGE", "status": "ENABLED"}
            return Answer([{"results": [{"conversionAction": action}]}])
        if resource == "claims":
            told = {"conversionsByConversionDate": 2, "conversions": 1.5}
            return Answer([{"results": [row(metrics=told)]}])
        if resource == "click_view":
            return Answer([{"results": [row(clickView={"gclid": "Cj0K"})]}])
        return Answer([{"results": [row()]}])


def pull(
    server: Any, workdir: Path, window: Window, *accounts: str, **settings: Any
) -> list[Batch | AccountFailed]:
    """Everything the source hands out."""
    given = {"repull_days": 0, "click_view_days": 0, "accounts": accounts or (ACCOUNT,), **settings}
    source = build_source(
        "tested",
        GoogleAdsSettings(type="google_ads", **given),
        connection=server.connection(),
        time_zone="Europe/Berlin",
        root=Path(),
        workdir=workdir,
        known_hashes=frozenset(),
        now=NOW,
    )
    return list(source.pull(window))


def values(found: list[Batch | AccountFailed], table: str) -> list[dict[str, Any]]:
    """The records of one table."""
    return [
        dict(record.values)
        for batch in found
        if isinstance(batch, Batch) and batch.table == table
        for record in batch.records
    ]


def failures(found: list[Batch | AccountFailed]) -> dict[str, Any]:
    """Account to its error."""
    return {each.account_id: each.error for each in found if isinstance(each, AccountFailed)}


def tables(found: list[Batch | AccountFailed], account: str) -> list[str]:
    """What was handed out of one account, in order."""
    return [each.table for each in found if isinstance(each, Batch) and each.account_id == account]
