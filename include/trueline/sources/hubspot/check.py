"""Trying HubSpot: what may be read, and whether the profile's properties are there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from trueline.connections import Connection
from trueline.errors import ConfigurationError
from trueline.sources import access
from trueline.sources.checks import CheckResult, failure, tried
from trueline.sources.collect import at
from trueline.sources.http import HttpClient
from trueline.sources.hubspot.constants import DEFAULT_URL
from trueline.sources.settings import HubSpotSettings

# Without these no contact becomes a lead with a history.
_NEEDED = ("email", "created", "modified", "lifecycle_stage", "lead_status")


def check(settings: HubSpotSettings, connection: Connection) -> Iterator[CheckResult]:
    """The way in, one contact, one deal, then the properties by name."""
    is_open = yield from access.hubspot(connection)
    if not is_open:
        return
    http = HttpClient(connection, default_url=DEFAULT_URL)
    for kind in ("contacts", "deals"):
        yield tried(kind, partial(_readable, http, settings.api_version, kind))
    yield from _properties(http, settings)


def _readable(http: HttpClient, version: str, kind: str) -> str:
    is_old = version.startswith("v")
    path = f"crm/{version}/objects/{kind}" if is_old else f"crm/objects/{version}/{kind}"
    try:
        http.get_json(path, {"limit": "1"})
    except ConfigurationError as error:
        raise ConfigurationError(
            error.what,
            where=error.where,
            fix=f"Give the app the scope crm.objects.{kind}.read, then copy its token again.",
        ) from None
    return "readable"


def _properties(http: HttpClient, settings: HubSpotSettings) -> Iterator[CheckResult]:
    version = settings.api_version
    is_old = version.startswith("v")
    path = f"crm/{version}/properties/contacts" if is_old else f"crm/properties/{version}/contacts"
    try:
        found = at(http.get_json(path), "results")
    except ConfigurationError as error:
        yield failure("properties", error)
        return
    there = {at(each, "name") for each in (found if isinstance(found, list) else ())}
    wanted = settings.properties.model_dump()
    missing = {field: name for field, name in wanted.items() if name not in there}
    needed = {field: name for field, name in missing.items() if field in _NEEDED}
    if needed:
        yield CheckResult(
            "properties",
            "failed",
            f"The portal has no contact property {_listed(needed)}.",
            "Name the portal's own property under the source's properties.",
        )
    optional = {field: name for field, name in missing.items() if field not in needed}
    if optional:
        yield CheckResult(
            "properties",
            "note",
            f"{len(wanted) - len(missing)} of {len(wanted)} are there; these stay empty: "
            f"{_listed(optional)}",
            "Make them in HubSpot, name the portal's own under the source's properties, or leave "
            "it so.",
        )
    if not missing:
        yield CheckResult("properties", "ok", f"all {len(wanted)} are there")


def _listed(missing: dict[str, str]) -> str:
    return ", ".join(
        name if field == name else f"{name} (for {field})" for field, name in missing.items()
    )
