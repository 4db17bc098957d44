"""Trying one configured source, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from trueline.connections import Connection
from trueline.sources.checks import CheckResult
from trueline.sources.settings import (
    FilesSettings,
    Ga4Settings,
    GoogleAdsSettings,
    MetaAdsSettings,
    SalesforceSettings,
    SourceSettings,
)


def check_source(
    settings: SourceSettings, connection: Connection | None, *, root: Path, today: date
) -> Iterator[CheckResult]:
    """Line by line what is right and what is missing; nothing is loaded.

    Args:
        connection: None only for sources that need none.
        root: Folder of the profile.
        today: In the reporting time zone; daily files are looked for before it.
    """
    if isinstance(settings, FilesSettings):
        from trueline.sources.files import check as files

        return files.check(settings, connection, root=root, today=today)
    if isinstance(settings, Ga4Settings):
        from trueline.sources.ga4 import check as ga4

        return ga4.check(settings, root=root, today=today)
    assert connection is not None
    if isinstance(settings, GoogleAdsSettings):
        from trueline.sources.google_ads import check as google_ads

        return google_ads.check(settings, connection)
    if isinstance(settings, MetaAdsSettings):
        from trueline.sources.meta_ads import check as meta_ads

        return meta_ads.check(settings, connection)
    if isinstance(settings, SalesforceSettings):
        from trueline.sources.salesforce import check as salesforce

        return salesforce.check(settings, connection)
    from trueline.sources.hubspot import check as hubspot

    return hubspot.check(settings, connection)
