"""Trying Salesforce: the fields that the profile names, and whether Status has a history."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from trueline.connections import Connection
from trueline.progress import Progress
from trueline.sources import access
from trueline.sources.checks import CheckResult, tried
from trueline.sources.salesforce.client import SalesforceClient
from trueline.sources.salesforce.fields import deal_columns, lead_columns
from trueline.sources.settings import SalesforceSettings


def check(settings: SalesforceSettings, connection: Connection) -> Iterator[CheckResult]:
    """The way in, then the fields of leads and of opportunities."""
    is_open = yield from access.salesforce(connection)
    if not is_open:
        return
    client = SalesforceClient(settings, connection, Progress(connection.name))
    yield tried("fields of Lead", partial(_lead, client, settings))
    yield tried("fields of Opportunity", partial(_opportunity, client))
    yield tried("status history", partial(_history, client, settings.fields.status))


def _lead(client: SalesforceClient, settings: SalesforceSettings) -> str:
    columns = lead_columns(client.describe("Lead"), settings.fields)
    named = [name for name in settings.fields.model_dump().values() if name is not None]
    return f"{len(columns.of_setting)} of {len(named)} that the profile names are there"


def _opportunity(client: SalesforceClient) -> str:
    return f"{len(deal_columns(client.describe('Opportunity')).selected)} are read"


def _history(client: SalesforceClient, status: str) -> str:
    if client.tracks(status):
        return f"changes of {status} are tracked"
    return f"changes of {status} are not tracked: only the status of the day will be known"
