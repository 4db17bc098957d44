"""Which accounts are pulled: those that the profile names, else all below its manager account."""

from __future__ import annotations

import logging

from trueline.errors import ConfigurationError
from trueline.sources.collect import at
from trueline.sources.google_ads import constants
from trueline.sources.google_ads.client import GoogleAdsClient
from trueline.sources.settings import GoogleAdsSettings

log = logging.getLogger(__name__)


def accounts_of(client: GoogleAdsClient, settings: GoogleAdsSettings, source: str) -> list[str]:
    """The accounts' numbers; below a manager only those that are enabled and no managers.

    Raises:
        ConfigurationError: there is none.
        RetriableError, PermanentError: the manager's list cannot be read.
    """
    manager = settings.login_customer_id
    if settings.accounts or manager is None:
        return list(dict.fromkeys(settings.accounts))
    found: dict[str, str] = {}
    for row in client.search(manager, constants.CHILDREN):
        child = row.get("customerClient")
        number = str(at(child, "id") or "")
        if number.isdigit() and at(child, "manager") is not True:
            found[number] = str(at(child, "status") or "UNKNOWN")
    enabled = [number for number, status in found.items() if status == "ENABLED"]
    others = [f"{number} {status}" for number, status in found.items() if status != "ENABLED"]
    log.info(
        "%s: %d enabled accounts below the manager %s%s",
        source,
        len(enabled),
        manager,
        f"; skipped: {', '.join(others)}" if others else "",
    )
    if not enabled:
        raise ConfigurationError(
            f"There is no enabled account below the manager account {manager}.",
            where=source,
            fix="Check login_customer_id, or name the accounts in the source's settings.",
        )
    return enabled
