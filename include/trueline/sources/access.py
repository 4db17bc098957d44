"""One cheap real call per platform: is the credential accepted, and whom does it open?

This is all that a connection alone can tell: Airflow's test button asks for it, and ``trueline
check --source`` begins with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trueline.connections import Connection
from trueline.errors import RetriableError, TruelineError
from trueline.sources.auth.grants import GOOGLE_ADS_SCOPE
from trueline.sources.checks import (
    CheckResult,
    Lines,
    address_answers,
    failure,
    in_turn,
    scope_granted,
    token_there,
    tried,
)
from trueline.sources.collect import at
from trueline.sources.http import Explain, HttpClient
from trueline.sources.settings import GoogleAdsSettings, MetaAdsSettings

_TOLD_ACCOUNTS = 5


def google_ads(connection: Connection, version: str = "") -> Lines:
    """Which accounts the credential opens."""
    from trueline.sources.google_ads.constants import DEFAULT_URL
    from trueline.sources.google_ads.errors import explain

    version = version or GoogleAdsSettings.model_fields["api_version"].default

    def call(http: HttpClient) -> str:
        answer = http.get_json(f"{version}/customers:listAccessibleCustomers")
        names = answer.get("resourceNames") or [] if isinstance(answer, Mapping) else []
        accounts = [str(name).rpartition("/")[2] for name in names]
        more = len(accounts) - _TOLD_ACCOUNTS
        told = ", ".join(accounts[:_TOLD_ACCOUNTS]) + (f" and {more} more" if more > 0 else "")
        return f"accepted; opens {told}" if accounts else "accepted; opens no account directly"

    return _accepted(connection, DEFAULT_URL, call, explain=explain, scope=GOOGLE_ADS_SCOPE)


def meta_ads(connection: Connection, version: str = "") -> Lines:
    """Whose token it is."""
    from trueline.sources.meta_ads.constants import DEFAULT_URL
    from trueline.sources.meta_ads.errors import explain

    version = version or MetaAdsSettings.model_fields["api_version"].default

    def call(http: HttpClient) -> str:
        answer = http.get_json(f"{version}/me", {"fields": "id"})
        return f"accepted; the token is of user {_text(answer, 'id')}"

    return _accepted(connection, DEFAULT_URL, call, explain=explain)


def hubspot(connection: Connection) -> Lines:
    """Which portal it is."""
    from trueline.sources.hubspot.constants import DEFAULT_URL
    from trueline.sources.hubspot.errors import explain

    def call(http: HttpClient) -> str:
        answer = http.get_json("account-info/v3/details")
        told = ", ".join(
            str(answer[name])
            for name in ("accountType", "companyCurrency", "timeZone")
            if isinstance(answer, Mapping) and answer.get(name)
        )
        return f"accepted; portal {_text(answer, 'portalId')} ({told})"

    return _accepted(connection, DEFAULT_URL, call, explain=explain)


def salesforce(connection: Connection) -> Lines:
    """How much of the day's allowance is left, in the newest version that the org has."""
    from trueline.sources.salesforce.errors import explain

    def call(http: HttpClient) -> str:
        versions = http.get_json("services/data")
        newest = at(versions[-1], "version") if isinstance(versions, list) and versions else None
        limits = http.get_json(f"services/data/v{newest}/limits")
        left, most = (at(limits, f"DailyApiRequests.{name}") for name in ("Remaining", "Max"))
        return f"accepted; {left} of {most} calls are left today"

    return _accepted(connection, "", call, explain=explain)


def files(connection: Connection) -> Lines:
    """A web server tells nothing without a file's name, so only the address can be tried."""
    return _accepted(connection, "", None)


#: By the ``type`` of a source. Each yields lines and says in the end whether all went well.
ACCESS: dict[str, Callable[[Connection], Lines]] = {
    "google_ads": google_ads,
    "meta_ads": meta_ads,
    "hubspot": hubspot,
    "salesforce": salesforce,
    "files": files,
}


def _accepted(
    connection: Connection,
    default_url: str,
    call: Callable[[HttpClient], str] | None,
    *,
    explain: Explain | None = None,
    scope: str = "",
) -> Lines:
    try:
        http = HttpClient(connection, default_url=default_url, explain=explain)
    except TruelineError as error:
        yield failure("fields", error)
        return False
    steps: list[Callable[[], CheckResult | None]] = [
        lambda: address_answers(connection, default_url),
        lambda: token_there(http, is_needed=call is not None),
    ]
    if scope:
        steps.append(lambda: scope_granted(http, scope))
    if call is not None:
        steps.append(lambda: tried("access", lambda: call(http)))
    return (yield from in_turn(*steps))


def _text(answer: Any, name: str) -> str:
    found = at(answer, name)
    if not isinstance(found, str | int):
        raise RetriableError(
            f"The answer has no {name}.",
            fix="Try again; if it stays so, check base_url of the connection.",
        )
    return str(found)
