"""Which credential a connection's fields describe, and how each way in asks for its token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.server.tokens import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKENS
from tests.sources.token_server import ACCESS_TOKEN, TokenServer
from trueline.connections import Connection, connection_from_env
from trueline.errors import ConfigurationError
from trueline.sources.auth.credential import credential_of
from trueline.sources.http import HttpClient

APP = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
PERSON = {**APP, "refresh_token": REFRESH_TOKEN}


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
def server() -> Iterator[TokenServer]:
    made = TokenServer()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _tokens_as_on_the_first_day() -> Iterator[None]:
    TOKENS.reset()
    yield
    TOKENS.reset()


def service_account(url: str, private_key: str) -> str:
    return json.dumps(
        {
            "type": "service_account",
            "client_email": "reader@a-project.iam.example.com",
            "private_key": private_key,
            "private_key_id": "1",
            "token_uri": f"{url}/google-oauth/token",
        }
    )


def test_every_platforms_endpoint_gives_a_token_that_opens_it(
    sandbox_url: str, tmp_path: Path, private_key: str
) -> None:
    google = f"{sandbox_url}/google-oauth/token"
    hubspot = f"{sandbox_url}/hubspot/oauth/2026-03/token"
    for platform, path, extra in (
        ("google-ads", "v26/customers:listAccessibleCustomers", {**PERSON, "token_url": google}),
        (
            "google-ads",
            "v26/customers:listAccessibleCustomers",
            {"service_account": service_account(sandbox_url, private_key)},
        ),
        ("hubspot", "account-info/v3/details", {**PERSON, "token_url": hubspot}),
    ):
        connection = Connection("c", f"{sandbox_url}/{platform}", "", extra, tmp_path)
        before = TOKENS.issued
        assert HttpClient(connection).get_json(path)
        assert HttpClient(connection).get_json(path)
        assert TOKENS.issued == before + 1


def test_a_key_file_is_the_same_as_its_text(
    sandbox_url: str, tmp_path: Path, private_key: str
) -> None:
    key = tmp_path / "key.json"
    key.write_text(service_account(sandbox_url, private_key))
    for extra in ({"service_account": key.read_text()}, {"service_account_file": str(key)}):
        connection = Connection("c", f"{sandbox_url}/google-ads", "", extra, tmp_path / "tokens")
        assert credential_of(connection).token().startswith("ya29.")
    assert TOKENS.issued == 1


def test_salesforce_lets_the_app_in_and_says_where_to_call(
    sandbox_url: str, tmp_path: Path, private_key: str
) -> None:
    url = f"{sandbox_url}/salesforce/services/oauth2/token"
    signed = {"client_id": CLIENT_ID, "username": "integration@example.com"}
    for extra in (APP, PERSON, {**signed, "private_key": private_key.replace("\n", "\\n")}):
        connection = Connection("c", "", "", {**extra, "token_url": url}, tmp_path)
        credential = credential_of(connection)
        assert credential.token().startswith("00D")
        assert credential.told().endswith("token valid until the platform ends it")
        assert credential.address("https://login.salesforce.com") == f"{sandbox_url}/salesforce"
        assert credential.address("https://acme.my.salesforce.com") == (
            "https://acme.my.salesforce.com"
        )
    assert TOKENS.issued == 3


def test_a_signed_assertion_says_who_for_whom_and_not_for_long(
    server: TokenServer, private_key: str
) -> None:
    extra = {
        "client_id": "an-app",
        "username": "integration@example.com",
        "private_key": private_key,
        "token_url": f"{server.url}/token",
    }
    sandbox_org = "https://acme--test.sandbox.my.salesforce.com"
    credential_of(Connection("c", sandbox_org, "", extra)).token()
    (form,) = server.forms
    claims = jwt.decode(form["assertion"], options={"verify_signature": False})
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert (claims["iss"], claims["sub"]) == ("an-app", "integration@example.com")
    assert claims["aud"] == "https://test.salesforce.com"
    assert set(form) == {"grant_type", "assertion"}


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://googleads.googleapis.com", "https://oauth2.googleapis.com/token"),
        ("https://api.hubapi.com", "https://api.hubapi.com/oauth/2026-03/token"),
        (
            "https://acme.my.salesforce.com/",
            "https://acme.my.salesforce.com/services/oauth2/token",
        ),
    ],
)
def test_the_platforms_own_token_endpoints_are_known(base_url: str, url: str) -> None:
    credential = credential_of(Connection("c", base_url, "", PERSON))
    assert credential._grant.token_url == url


@pytest.mark.parametrize(
    ("connection", "told"),
    [
        (Connection("c", "", "a-token", PERSON), "more than one credential: token and refresh"),
        (Connection("c", "", "", {**APP, "token_url": "http://evil.example.com/"}), "https://"),
        (Connection("c", "https://crm.example.com", "", PERSON), "where tokens are renewed"),
        (Connection("c", "https://api.hubapi.com", "", APP), "lacks refresh_token"),
        (Connection("c", "", "", {"refresh_token": "r"}), "lacks client_id and client_secret"),
        (Connection("c", "", "", {"client_id": "x"}), "lacks client_secret"),
        (Connection("c", "", "", {"service_account": "no json"}), "no JSON object"),
        (Connection("c", "", "", {"service_account_file": "/nowhere.json"}), "cannot be read"),
    ],
)
def test_fields_that_do_not_add_up_are_refused_before_any_call(
    connection: Connection, told: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        credential_of(connection)
    assert told in str(caught.value)
    assert caught.value.fix


def test_a_key_that_is_none_is_refused_without_being_quoted(sandbox_url: str) -> None:
    broken = service_account(sandbox_url, "canary-private-key")
    for extra in (
        {"service_account": broken},
        {
            "client_id": CLIENT_ID,
            "username": "u",
            "private_key": "canary-private-key",
            "token_url": f"{sandbox_url}/salesforce/services/oauth2/token",
        },
    ):
        with pytest.raises(ConfigurationError) as caught:
            credential_of(Connection("c", "", "", extra)).token()
        assert "canary" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_service_account_that_google_refuses_is_a_matter_for_a_person(
    sandbox_url: str, private_key: str
) -> None:
    account = json.loads(service_account(sandbox_url, private_key))
    account["token_uri"] = f"{sandbox_url}/hubspot/oauth/v1/token"
    extra = {"service_account": json.dumps(account)}
    with pytest.raises(ConfigurationError, match="does not give a token"):
        credential_of(Connection("c", "", "", extra)).token()


def test_the_machines_own_credentials_are_asked_for_the_scope_of_google_ads(
    sandbox_url: str, tmp_path: Path, private_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "adc.json"
    key.write_text(service_account(sandbox_url, private_key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    own = Connection(
        "c", f"{sandbox_url}/google-ads", "", {"application_default": "true"}, tmp_path
    )
    assert HttpClient(own).get_json("v26/customers:listAccessibleCustomers")
    assert list(tmp_path.iterdir()) == [key]
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))
    with pytest.raises(ConfigurationError, match="no Google credentials of its own"):
        credential_of(own).token()


def test_a_rotated_refresh_token_that_is_used_again_ends_the_grant(
    sandbox_url: str, tmp_path: Path
) -> None:
    TOKENS.rotates = True
    url = f"{sandbox_url}/salesforce/services/oauth2/token"
    connection = Connection("c", "", "", {**PERSON, "token_url": url}, tmp_path / "one")
    first = credential_of(connection)
    assert first.token()
    assert first.renew()
    elsewhere = Connection("c", "", "", {**PERSON, "token_url": url}, tmp_path / "another")
    with pytest.raises(ConfigurationError, match="revoked or has expired"):
        credential_of(elsewhere).token()
    with pytest.raises(ConfigurationError, match="revoked or has expired"):
        first.renew()


def test_without_a_folder_a_token_is_kept_in_this_process_alone(server: TokenServer) -> None:
    connection = Connection("c", server.url, "", server.connection(Path("/")).extra)
    credential = credential_of(connection)
    assert credential.token() == credential.token() == f"{ACCESS_TOKEN}-1"
    assert credential_of(connection).token() == f"{ACCESS_TOKEN}-2"


def test_the_environment_holds_a_key_as_json_or_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    account = {"type": "service_account", "client_email": "x"}
    for value in (account, json.dumps(account)):
        text = json.dumps({"service_account": value, "client_id": "", "developer_token": None})
        monkeypatch.setenv("TRUELINE_CONN_A_PLATFORM", text)
        found = connection_from_env("a_platform", Path("/tokens"))
        assert {key: json.loads(text) for key, text in found.extra.items()} == {
            "service_account": account
        }
        assert found.token_folder == Path("/tokens")


def test_secrets_travel_in_the_form_alone(server: TokenServer, tmp_path: Path) -> None:
    # The server knows its token endpoint without a query string only.
    credential_of(server.connection(tmp_path)).token()
    (form,) = server.forms
    assert set(form) == {"grant_type", "client_id", "client_secret", "refresh_token"}
    assert server.api_calls == []
