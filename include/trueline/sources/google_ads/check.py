"""Trying Google Ads: each account of the profile, with what its figures will be in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trueline.connections import Connection
from trueline.errors import ConfigurationError, TruelineError
from trueline.sources import access
from trueline.sources.checks import CheckResult, failure, tried
from trueline.sources.collect import at
from trueline.sources.google_ads.accounts import accounts_of
from trueline.sources.google_ads.client import GoogleAdsClient
from trueline.sources.settings import GoogleAdsSettings

_CUSTOMER = (
    "SELECT customer.id, customer.descriptive_name, customer.currency_code, customer.time_zone, "
    "customer.status, customer.manager FROM customer"
)


def check(settings: GoogleAdsSettings, connection: Connection) -> Iterator[CheckResult]:
    """The way in, then every account."""
    is_open = yield from access.google_ads(connection, settings.api_version)
    if not is_open:
        return
    client = GoogleAdsClient(settings, connection)
    try:
        accounts = accounts_of(client, settings, connection.name)
    except TruelineError as error:
        yield failure("accounts", error)
        return
    for account in accounts:
        yield tried(
            f"account {account}",
            lambda account=account: _account(client, account),  # type: ignore[misc]
        )


def _account(client: GoogleAdsClient, account: str) -> str:
    rows = list(client.search(account, _CUSTOMER))
    if not rows:
        raise ConfigurationError(
            "Google Ads answers, but tells nothing of this account.",
            fix="Check the source's accounts: ten digits each.",
        )
    customer = at(rows[0], "customer")
    if at(customer, "manager"):
        raise ConfigurationError(
            "This is a manager account: it has no campaigns of its own.",
            fix="Name the accounts below it under accounts, and this one as login_customer_id.",
        )
    if at(customer, "status") not in (None, "ENABLED"):
        raise ConfigurationError(
            f"The account is {str(at(customer, 'status')).lower()}.",
            fix="Enable it in Google Ads, or take it out of the source's accounts.",
        )
    return told(customer, "descriptiveName", "currencyCode", "timeZone")


def told(found: Mapping[str, object], *names: str) -> str:
    """Name, currency, time zone: what is there of them."""
    return ", ".join(str(found[name]) for name in names if found.get(name))
