"""Airflow's connections as trueline's values."""

from __future__ import annotations

import json

import pytest
from trueline_airflow.connections import connection_from_airflow

from trueline.errors import ConfigurationError


def set_connection(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_A_PLATFORM", json.dumps({"conn_type": "http", **fields}))


def test_a_whole_address_in_host_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    set_connection(monkeypatch, host="http://127.0.0.1:18401/google-ads/", password="a-token")
    found = connection_from_airflow("a_platform")
    assert found.base_url == "http://127.0.0.1:18401/google-ads"
    assert found.token == "a-token"


def test_host_schema_and_port_make_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    set_connection(monkeypatch, host="crm.example.com", port=8443)
    assert connection_from_airflow("a_platform").base_url == "https://crm.example.com:8443"
    set_connection(monkeypatch, host="crm.example.com", schema="http")
    assert connection_from_airflow("a_platform").base_url == "http://crm.example.com"


def test_extras_are_handed_on_and_nothing_secret_is_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_connection(monkeypatch, password="a-token", extra={"developer_token": "dev-token"})
    found = connection_from_airflow("a_platform")
    assert found.extra["developer_token"] == "dev-token"
    assert "token" not in repr(found)


def test_a_missing_connection_says_how_to_add_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        connection_from_airflow("not_there")
    assert "AIRFLOW_CONN_NOT_THERE" in str(caught.value)
