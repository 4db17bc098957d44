"""Trying Meta: the permission to read ads, then each account of the profile."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from trueline.connections import Connection
from trueline.errors import ConfigurationError
from trueline.sources import access
from trueline.sources.checks import CheckResult, tried
from trueline.sources.collect import at
from trueline.sources.http import HttpClient
from trueline.sources.meta_ads.constants import DEFAULT_URL
from trueline.sources.meta_ads.errors import explain
from trueline.sources.settings import MetaAdsSettings

ENOUGH = ("ads_read", "ads_management")
_ACTIVE = 1


def check(settings: MetaAdsSettings, connection: Connection) -> Iterator[CheckResult]:
    """The way in, the permission, then every account."""
    is_open = yield from access.meta_ads(connection, settings.api_version)
    if not is_open:
        return
    http = HttpClient(connection, default_url=DEFAULT_URL, explain=explain)
    yield tried("permission", partial(_permission, http, settings.api_version))
    for account in settings.accounts:
        yield tried(f"account {account}", partial(_account, http, settings.api_version, account))


def _permission(http: HttpClient, version: str) -> str:
    found = at(http.get_json(f"{version}/me/permissions"), "data")
    granted = {
        at(each, "permission")
        for each in (found if isinstance(found, list) else ())
        if at(each, "status") == "granted"
    }
    for name in ENOUGH:
        if name in granted:
            return f"{name} is granted"
    raise ConfigurationError(
        "The token may not read ads: ads_read is not granted.",
        fix="Make a new token of the system user and tick ads_read.",
    )


def _account(http: HttpClient, version: str, account: str) -> str:
    fields = "account_id,name,currency,timezone_name,account_status"
    found = http.get_json(f"{version}/act_{account}", {"fields": fields})
    told = ", ".join(
        str(at(found, name)) for name in ("name", "currency", "timezone_name") if at(found, name)
    )
    if at(found, "account_status") not in (None, _ACTIVE):
        return f"{told}; Meta calls it not active, so nothing new will come"
    return told
