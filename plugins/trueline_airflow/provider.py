"""What trueline tells Airflow of its connection types: names, form fields, hooks.

Airflow finds this function by the entry point ``apache_airflow_provider``. It is called in every
Airflow process, so nothing is imported here. A field of a form has the very name that it has in
``TRUELINE_CONN_*``; only ``base_url`` is Airflow's own ``host``.
"""

from __future__ import annotations

from typing import Any

HOOKS = "trueline_airflow.hooks"
_UNUSED = ["schema", "port", "login", "password", "extra"]


def get_provider_info() -> dict[str, Any]:
    """The provider's description, in the form that Airflow's schema asks for."""
    return {
        "package-name": "trueline",
        "name": "trueline",
        "description": "Pixel conversions, real leads and qualified leads side by side.",
        "connection-types": [
            _type(
                "trueline_google_ads",
                "Google Ads (trueline)",
                "GoogleAdsHook",
                host=("API address", "leave empty for https://googleads.googleapis.com"),
                fields={
                    "service_account": _secret(
                        "Service account key",
                        "First way in: the whole JSON file of the key. Invite its address as a "
                        "user of the Google Ads account.",
                    ),
                    "service_account_file": _text(
                        "Service account key file",
                        "The same as a path on every worker, instead of the text.",
                    ),
                    **_refresh_token("Second way in: an OAuth client and a person's consent."),
                    "application_default": _switch(
                        "Machine's own credentials",
                        "Third way in: application default credentials of the workers.",
                    ),
                    "developer_token": _secret(
                        "Developer token", "Ignored by Google since September 2026."
                    ),
                },
            ),
            _type(
                "trueline_meta_ads",
                "Meta Ads (trueline)",
                "MetaAdsHook",
                host=("API address", "leave empty for https://graph.facebook.com"),
                fields={
                    "token": _secret(
                        "Access token",
                        "Of a system user with ads_read on the ad accounts; choose one that does "
                        "not expire.",
                        is_required=True,
                    )
                },
            ),
            _type(
                "trueline_hubspot",
                "HubSpot (trueline)",
                "HubSpotHook",
                host=("API address", "leave empty for https://api.hubapi.com"),
                fields={
                    "token": _secret(
                        "Access token", "First way in: a service key, or a private app's token."
                    ),
                    **_refresh_token("Second way in: an app with OAuth."),
                    "token_url": _text("Token address", "Leave empty for HubSpot's own."),
                },
            ),
            _type(
                "trueline_salesforce",
                "Salesforce (trueline)",
                "SalesforceHook",
                host=("My Domain", "https://your-company.my.salesforce.com"),
                fields={
                    "client_id": _text(
                        "Consumer key", "Of the external client app.", is_required=True
                    ),
                    "client_secret": _secret(
                        "Consumer secret",
                        "First way in, if nothing below is filled in: the client credentials flow.",
                    ),
                    "refresh_token": _secret(
                        "Refresh token", "Second way in: a person's consent, with the secret above."
                    ),
                    "private_key": _secret(
                        "Private key",
                        "Third way in: signed assertions (JWT bearer). PEM text, with \\n for line "
                        "breaks.",
                    ),
                    "username": _text("Username", "Whom the signed assertion is for."),
                },
            ),
            _type(
                "trueline_files",
                "Files over HTTP (trueline)",
                "FilesHook",
                host=("Address of the folder", "https://exports.example.com/crm"),
                fields={
                    "token": _secret("Access token", "Sent as a bearer token, if there is one.")
                },
            ),
        ],
    }


def _type(
    name: str, label: str, hook: str, *, host: tuple[str, str], fields: dict[str, Any]
) -> dict[str, Any]:
    return {
        "connection-type": name,
        "hook-name": label,
        "hook-class-name": f"{HOOKS}.{hook}",
        "ui-field-behaviour": {
            "hidden-fields": _UNUSED,
            "relabeling": {"host": host[0]},
            "placeholders": {"host": host[1]},
        },
        "conn-fields": fields,
    }


def _refresh_token(told: str) -> dict[str, Any]:
    return {
        "client_id": _text("OAuth client ID", told),
        "client_secret": _secret("OAuth client secret", "Goes with the client ID."),
        "refresh_token": _secret("OAuth refresh token", "Goes with the client ID."),
    }


def _text(label: str, told: str, *, is_required: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = (
        {"type": "string", "minLength": 1} if is_required else {"type": ["string", "null"]}
    )
    return {"label": label, "description": told, "schema": schema}


def _secret(label: str, told: str, *, is_required: bool = False) -> dict[str, Any]:
    field = _text(label, told, is_required=is_required)
    field["schema"]["format"] = "password"
    return field


def _switch(label: str, told: str) -> dict[str, Any]:
    schema = {"type": ["boolean", "null"], "default": False}
    return {"label": label, "description": told, "schema": schema}
