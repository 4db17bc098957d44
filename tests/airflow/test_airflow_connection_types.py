"""The connection types that Airflow offers: found by the entry point, with forms and a test."""

from __future__ import annotations

import json
import threading
import tomllib
from collections.abc import Iterator
from datetime import date
from importlib.metadata import EntryPoint

import pytest
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
from airflow.models.connection import Connection
from airflow.providers_manager import ProvidersManager
from airflow.sdk._shared.secrets_masker import _secrets_masker
from trueline_airflow.connections import connection_from_airflow
from trueline_airflow.provider import get_provider_info

from sandbox.server.app import SandboxServer
from sandbox.server.tokens import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKENS
from sandbox.world import World
from trueline.paths import home

TYPES = {
    f"trueline_{name}" for name in ("google_ads", "meta_ads", "hubspot", "salesforce", "files")
}
APP = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    world = World.make(7, last_day=date(2026, 10, 31), days=3, size=0.05)
    server = SandboxServer(world, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.url
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory):
    """What Airflow's test button would say of a connection, under a passing name as there."""
    monkeypatch.setenv("TRUELINE_DATA", str(tmp_path_factory.mktemp("data")))
    TOKENS.reset()

    def press(conn_type: str, host: str, **extra: str) -> tuple[bool, str]:
        made = Connection("AbCdEfGh", conn_type, host=host, extra=json.dumps(extra))
        monkeypatch.setenv("AIRFLOW_CONN_ABCDEFGH", made.get_uri())
        return made.test_connection()

    return press


def test_the_package_tells_airflow_where_its_connection_types_are() -> None:
    project = tomllib.loads((home() / "pyproject.toml").read_text())
    (named,) = project["project"]["entry-points"]["apache_airflow_provider"].values()
    loaded = EntryPoint("provider_info", named, "apache_airflow_provider").load()
    assert loaded is get_provider_info
    # Airflow looks nowhere else: where the package is installed, the function must be importable.
    assert "plugins" in project["tool"]["hatch"]["build"]["dev-mode-dirs"]
    assert (
        "plugins/trueline_airflow"
        in (project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"])
    )


def test_airflow_finds_the_types_and_their_hooks() -> None:
    manager = ProvidersManager()
    assert manager.providers["trueline"].data == {**get_provider_info(), "documentation-url": None}
    hooks = {name: manager.hooks[name] for name in manager.hooks if name.startswith("trueline")}
    assert set(hooks) == TYPES
    assert all(hook is not None and hook.connection_testable for hook in hooks.values())


def test_the_forms_have_typed_fields() -> None:
    forms = {
        meta.connection_type: meta
        for meta in HookMetaService.hook_meta_data()
        if meta.connection_type in TYPES
    }
    assert set(forms) == TYPES
    secret = {"password"}
    for form in forms.values():
        standard = form.standard_fields
        assert standard is not None
        assert standard.password is not None
        assert standard.password.hidden
        assert standard.host is not None
        assert standard.host.placeholder
        for name, field in (form.extra_fields or {}).items():
            is_secret = any(word in name for word in ("secret", "token", "key", "service_account"))
            is_shown = name in ("token_url", "service_account_file")
            assert (field["schema"].get("format") in secret) == (is_secret and not is_shown), name
            assert field["schema"]["title"]
            assert field["description"]
    assert forms["trueline_meta_ads"].extra_fields["token"]["schema"]["type"] == "string"
    switch = forms["trueline_google_ads"].extra_fields["application_default"]["schema"]
    assert switch["type"] == ["boolean", "null"]


def test_the_test_button_asks_the_platform(tested, sandbox_url: str) -> None:
    google = f"{sandbox_url}/google-oauth/token"
    hubspot = f"{sandbox_url}/hubspot/oauth/2026-03/token"
    for conn_type, path, extra, told in (
        ("trueline_google_ads", "google-ads", {**APP, "token_url": google}, "opens 1234567890"),
        ("trueline_meta_ads", "meta-ads", {"token": "sandbox-token"}, "the token is of user"),
        ("trueline_hubspot", "hubspot", {**APP, "token_url": hubspot}, "portal 4321567"),
        ("trueline_files", "site-tag", {"token": "sandbox-token"}, "site-tag answers"),
    ):
        is_well, sentence = tested(conn_type, f"{sandbox_url}/{path}", **extra)
        assert told in sentence
        assert is_well


def test_the_test_button_says_what_to_do(tested, sandbox_url: str) -> None:
    url = f"{sandbox_url}/salesforce"
    wrong = {**APP, "client_secret": "canary-secret", "token_url": f"{url}/services/oauth2/token"}
    for conn_type, host, extra, told in (
        ("trueline_meta_ads", f"{sandbox_url}/meta-ads", {"token": "canary"}, "code 190"),
        ("trueline_hubspot", "http://127.0.0.1:9", {"token": "canary"}, "cannot be reached"),
        ("trueline_hubspot", "https://api.hubapi.com", {"client_id": "x"}, "lacks client_secret"),
        ("trueline_salesforce", url, wrong, "invalid_client"),
        ("trueline_files", "", {}, "no web address"),
    ):
        is_well, sentence = tested(conn_type, host, **extra)
        assert not is_well
        assert told in sentence
        assert "What to do: " in sentence
        assert "canary" not in sentence


def test_a_typed_connection_has_the_fields_of_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = {
        "conn_type": "trueline_hubspot",
        "host": "",
        "extra": {"token": "", "client_id": "an-app", "token_url": None, "refresh_token": "canary"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_A_CRM", json.dumps(filled))
    found = connection_from_airflow("a_crm", home() / "tokens")
    assert (found.base_url, found.token) == ("", "")
    assert dict(found.extra) == {"client_id": "an-app", "refresh_token": "canary"}
    assert found.token_folder == home() / "tokens"
    assert "canary" not in repr(found)
    assert _secrets_masker().redact("it is canary") == "it is ***"
