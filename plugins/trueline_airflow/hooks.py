"""One hook per connection type: the values of the connection, and a test that asks the platform."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from airflow.sdk import BaseHook

from trueline.connections import Connection


class TruelineHook(BaseHook):
    """Base of the hooks.

    Args:
        trueline_conn_id: The connection; Airflow's test gives a passing name of its own.
    """

    conn_name_attr = "trueline_conn_id"
    default_conn_name = ""
    conn_type = ""
    hook_name = ""
    #: The ``type`` of the source in the profile.
    source_type: ClassVar[str] = ""

    def __init__(self, trueline_conn_id: str = "") -> None:
        super().__init__()
        self.trueline_conn_id = trueline_conn_id or self.default_conn_name

    def get_conn(self) -> Connection:
        """The connection as trueline's value."""
        from trueline.settings.profile import load_profile
        from trueline_airflow.connections import connection_from_airflow

        return connection_from_airflow(self.trueline_conn_id, load_profile().token_folder)

    def test_connection(self) -> tuple[bool, str]:
        """Whether the platform lets us in, and a sentence for the page."""
        from trueline.errors import TruelineError
        from trueline.redaction import redact
        from trueline.sources.access import ACCESS

        try:
            # The passing name would only puzzle the reader of a message.
            connection = replace(self.get_conn(), name=self.conn_type)
            results = list(ACCESS[self.source_type](connection))
        except TruelineError as error:
            return False, redact(str(error))
        failed = [result for result in results if result.state == "failed"]
        if failed:
            (first, *_) = failed
            return False, redact(f"{first.what}: {first.told} What to do: {first.fix}")
        told = "; ".join(f"{result.what}: {result.told}" for result in results)
        return True, redact(f"{told}. (trueline check --source tries accounts and fields as well.)")


class GoogleAdsHook(TruelineHook):
    """Google Ads."""

    conn_type = default_conn_name = "trueline_google_ads"
    hook_name = "Google Ads (trueline)"
    source_type = "google_ads"


class MetaAdsHook(TruelineHook):
    """Meta Ads."""

    conn_type = default_conn_name = "trueline_meta_ads"
    hook_name = "Meta Ads (trueline)"
    source_type = "meta_ads"


class HubSpotHook(TruelineHook):
    """HubSpot."""

    conn_type = default_conn_name = "trueline_hubspot"
    hook_name = "HubSpot (trueline)"
    source_type = "hubspot"


class SalesforceHook(TruelineHook):
    """Salesforce."""

    conn_type = default_conn_name = "trueline_salesforce"
    hook_name = "Salesforce (trueline)"
    source_type = "salesforce"


class FilesHook(TruelineHook):
    """Files below a web address."""

    conn_type = default_conn_name = "trueline_files"
    hook_name = "Files over HTTP (trueline)"
    source_type = "files"
