"""From settings to a source that can pull: the only place that knows all kinds of sources."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from trueline.connections import Connection
from trueline.errors import ConfigurationError
from trueline.sources.base import Source
from trueline.sources.settings import (
    FilesSettings,
    Ga4Settings,
    GoogleAdsSettings,
    MetaAdsSettings,
    SalesforceSettings,
    SourceSettings,
)


def build_source(
    name: str,
    settings: SourceSettings,
    *,
    connection: Connection | None,
    time_zone: str,
    root: Path,
    workdir: Path,
    known_hashes: frozenset[str],
    now: datetime,
) -> Source:
    """Build the source ``name``. It widens the window it is asked for by its own look-back.

    Args:
        name: The profile's name of the source.
        connection: Address and token; None only for files on disk.
        time_zone: The profile's reporting time zone (IANA).
        root: Folder of the profile; files and mappings are resolved below it.
        workdir: A folder for downloads, emptied by the caller.
        known_hashes: Content hashes of files that are already in the warehouse.
        now: The moment the pull pretends to be made, aware.

    Raises:
        ConfigurationError: the connection is missing, or a mapping is wrong.
    """
    if isinstance(settings, FilesSettings):
        from trueline.sources.files.source import FilesSource

        if settings.connection is not None:
            connection = _needed(connection, name, settings.connection)
        return FilesSource(
            name,
            settings,
            connection=connection if settings.connection is not None else None,
            time_zone=time_zone,
            root=root,
            workdir=workdir,
            known_hashes=known_hashes,
            now=now,
        )
    if isinstance(settings, Ga4Settings):
        return _ga4(name, settings, time_zone, root, workdir, known_hashes)
    connection = _needed(connection, name, settings.connection)
    if isinstance(settings, GoogleAdsSettings):
        from trueline.sources.google_ads.source import GoogleAdsSource

        return GoogleAdsSource(name, settings, connection=connection, workdir=workdir, now=now)
    if isinstance(settings, MetaAdsSettings):
        from trueline.sources.meta_ads.source import MetaAdsSource

        return MetaAdsSource(name, settings, connection=connection, now=now)
    if isinstance(settings, SalesforceSettings):
        from trueline.sources.salesforce.source import SalesforceSource

        return SalesforceSource(name, settings, connection=connection, time_zone=time_zone, now=now)
    from trueline.sources.hubspot.source import HubSpotSource

    return HubSpotSource(name, settings, connection=connection, time_zone=time_zone, now=now)


def _ga4(
    name: str,
    settings: Ga4Settings,
    time_zone: str,
    root: Path,
    workdir: Path,
    known_hashes: frozenset[str],
) -> Source:
    if settings.export == "bigquery":
        from trueline.sources.ga4.in_place import Ga4InPlaceSource

        return Ga4InPlaceSource(name, settings, time_zone=time_zone)
    from trueline.sources.ga4.files import Ga4FilesSource

    return Ga4FilesSource(
        name,
        settings,
        time_zone=time_zone,
        root=root,
        workdir=workdir,
        known_hashes=known_hashes,
    )


def _needed(connection: Connection | None, source: str, wanted: str) -> Connection:
    if connection is None:
        raise ConfigurationError(
            f"The source {source!r} needs the connection {wanted!r}, and none was given.",
            fix=f"Make the Airflow connection {wanted!r}, "
            f"or set TRUELINE_CONN_{wanted.upper()} (see .env.example).",
        )
    return connection
