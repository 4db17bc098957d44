"""Trying HubSpot: what may be read, and whether the profile's properties are there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from trueline.connections import Connection
from trueline.errors import ConfigurationError
from trueline.progress import Progress
from trueline.sources import access
from trueline.sources.checks import CheckResult, failure, tried
from trueline.sources.hubspot.client import HubSpotClient
from trueline.sources.hubspot.properties import compare
from trueline.sources.settings import HubSpotSettings


def check(settings: HubSpotSettings, connection: Connection) -> Iterator[CheckResult]:
    """The way in, one contact, one deal, then the properties by name."""
    is_open = yield from access.hubspot(connection)
    if not is_open:
        return
    client = HubSpotClient(settings, connection, progress=Progress(connection.name))
    for kind, one in (("contacts", "createdate"), ("deals", "dealstage")):
        yield tried(kind, partial(_readable, client, kind, one))
    yield from _properties(client, settings)


def _readable(client: HubSpotClient, kind: str, one: str) -> str:
    try:
        next(client.listed(kind, [one]), None)
    except ConfigurationError as error:
        raise ConfigurationError(
            error.what,
            where=error.where,
            fix=f"Give the app the scope crm.objects.{kind}.read, then copy its token again.",
        ) from None
    return "readable"


def _properties(client: HubSpotClient, settings: HubSpotSettings) -> Iterator[CheckResult]:
    try:
        known = compare("<name>", settings.properties, client.property_types())
    except ConfigurationError as error:
        yield failure("properties", ConfigurationError(error.what, fix=error.fix))
        return
    wanted = len(known.wanted) + len(known.missing)
    if known.missing:
        yield CheckResult(
            "properties",
            "note",
            f"{len(known.wanted)} of {wanted} are there; these stay empty: "
            f"{', '.join(known.missing)}",
            "Make them in HubSpot, name the portal's own under the source's properties, or leave "
            "it so.",
        )
    else:
        yield CheckResult("properties", "ok", f"all {wanted} are there")
    if known.changed:
        yield CheckResult(
            "property types",
            "note",
            f"values may be quarantined: {'; '.join(known.changed)}",
            "Change the property's type in HubSpot, or name another property.",
        )
