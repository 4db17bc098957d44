"""``trueline check --source``: what a newcomer is told, line by line, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.server.tokens import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKENS
from sandbox.world.company import GOOGLE_ACCOUNT, META_ACCOUNT
from tests.sources.conftest import LAST_DAY, NOW
from trueline.cli.main import main

PROFILE = """
name: test
time_zone: Europe/Berlin
currency: EUR
warehouse: {engine: duckdb, folder: data}
rulebook: rulebook
sources:
"""
GOOGLE = f"""  google:
    type: google_ads
    accounts: ["{GOOGLE_ACCOUNT}"]
"""
META = f"""  meta:
    type: meta_ads
    accounts: ["{META_ACCOUNT}"]
"""
GOOGLE_MANAGER = """  google:
    type: google_ads
    login_customer_id: "7770000001"
"""
SALESFORCE = """  salesforce:
    type: salesforce
"""
HUBSPOT = """  hubspot:
    type: hubspot
"""
FILES = """  exports:
    type: files
    files: [{path: "*.csv", mapping: leads.yaml}]
"""
MAPPING = """
kind: crm_leads
format: csv
constants: {crm: file}
fields: {crm_record_id: Id, crm_created_at: Created}
"""


class Newcomer:
    """Somebody with a profile, who tries it."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys

    def connect(self, source: str, **fields: Any) -> None:
        self._monkeypatch.setenv(f"TRUELINE_CONN_TRUELINE_{source}", json.dumps(fields))

    def check(self, profile: str, *arguments: str) -> tuple[int, str]:
        """The exit code, and everything that was shown."""
        path = self.folder / "profile.yaml"
        path.write_text(PROFILE + profile, encoding="utf-8")
        wanted = arguments or ("--source", "all")
        argv = ["trueline", "check", "--profile", str(path), *wanted]
        self._monkeypatch.setattr("sys.argv", argv)
        with pytest.raises(SystemExit) as stop:
            main()
        shown = self._capsys.readouterr()
        return int(stop.value.code or 0), shown.out + shown.err


@pytest.fixture
def newcomer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Newcomer:
    for name in ("GOOGLE_ADS", "META_ADS", "HUBSPOT", "SALESFORCE"):
        monkeypatch.delenv(f"TRUELINE_CONN_TRUELINE_{name}", raising=False)
    monkeypatch.setattr("trueline.cli.check_verb.utc_now", lambda: NOW)
    TOKENS.reset()
    return Newcomer(tmp_path, monkeypatch, capsys)


def test_sources_that_are_set_up_well(newcomer: Newcomer, sandbox_url: str) -> None:
    app = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
    }
    google = f"{sandbox_url}/google-oauth/token"
    newcomer.connect("GOOGLE_ADS", base_url=f"{sandbox_url}/google-ads", token_url=google, **app)
    newcomer.connect("META_ADS", base_url=f"{sandbox_url}/meta-ads", token="sandbox-token")
    newcomer.connect("HUBSPOT", base_url=f"{sandbox_url}/hubspot", token="sandbox-token")
    code, shown = newcomer.check(GOOGLE + META + HUBSPOT)
    assert "✗" not in shown
    assert code == 0
    for line in (
        "credential: refresh token, token valid until",
        f"access: accepted; opens {GOOGLE_ACCOUNT}",
        f"account {GOOGLE_ACCOUNT}: Sunmoor Energy, EUR, Europe/Berlin",
        "permission: ads_read is granted",
        f"account {META_ACCOUNT}: Sunmoor Energy, EUR, Europe/Berlin",
        "access: accepted; portal 4321567 (STANDARD, EUR, Europe/Berlin)",
        "contacts: readable",
        "All is well.",
    ):
        assert line in shown
    # Three clients of one check share one token.
    assert TOKENS.issued == 1
    assert [secret for secret in app.values() if secret in shown] == []


def test_a_missing_connection_is_named(newcomer: Newcomer) -> None:
    code, shown = newcomer.check(META, "--source", "meta")
    assert code == 2
    assert "Set TRUELINE_CONN_TRUELINE_META_ADS" in shown
    assert "1 of 1 failed." in shown


def test_a_connection_without_a_credential_is_told_before_any_call(
    newcomer: Newcomer, sandbox_url: str
) -> None:
    newcomer.connect("META_ADS", base_url=f"{sandbox_url}/meta-ads")
    code, shown = newcomer.check(META)
    assert code == 2
    assert "The connection holds no credential." in shown
    assert META_ACCOUNT not in shown


def test_a_wrong_token_ends_the_check_of_its_source_and_is_not_shown(
    newcomer: Newcomer, sandbox_url: str
) -> None:
    for source, path in (("GOOGLE_ADS", "google-ads"), ("META_ADS", "meta-ads")):
        newcomer.connect(source, base_url=f"{sandbox_url}/{path}", token="canary-token")
    newcomer.connect("HUBSPOT", base_url=f"{sandbox_url}/hubspot", token="canary-token")
    code, shown = newcomer.check(GOOGLE + META + HUBSPOT)
    assert code == 2
    assert shown.count("✗ access:") == 3
    assert shown.count("What to do") == 3
    assert f"account {GOOGLE_ACCOUNT}" not in shown
    assert "canary" not in shown


def test_an_account_that_is_closed_to_us_does_not_hide_the_others(
    newcomer: Newcomer, sandbox_url: str
) -> None:
    newcomer.connect("GOOGLE_ADS", base_url=f"{sandbox_url}/google-ads", token="sandbox-token")
    two = GOOGLE.replace("[", '["9999999999", ')
    code, shown = newcomer.check(two)
    assert code == 2
    assert "✗ account 9999999999: Google Ads does not open this account to us" in shown
    assert "USER_PERMISSION_DENIED" in shown
    assert f"✓ account {GOOGLE_ACCOUNT}: Sunmoor Energy" in shown


def test_a_manager_account_shows_the_accounts_below_it(
    newcomer: Newcomer, sandbox_url: str
) -> None:
    newcomer.connect("GOOGLE_ADS", base_url=f"{sandbox_url}/google-ads", token="sandbox-token")
    code, shown = newcomer.check(GOOGLE_MANAGER)
    assert code == 0
    assert f"✓ account {GOOGLE_ACCOUNT}: Sunmoor Energy" in shown
    assert "✓ account 2345678901: Sunmoor Energy US, USD, America/New_York" in shown


def test_salesforce_and_its_fields(newcomer: Newcomer, sandbox_url: str) -> None:
    newcomer.connect("SALESFORCE", base_url=f"{sandbox_url}/salesforce", token="sandbox-token")
    code, shown = newcomer.check(SALESFORCE)
    assert code == 0
    assert "✓ status history: changes of Status are tracked" in shown
    code, shown = newcomer.check(SALESFORCE + "    fields: {status: Condition__c}\n")
    assert code == 2
    assert "✗ fields of Lead: The integration user sees no field 'Condition__c'" in shown
    newcomer.connect("SALESFORCE", base_url=f"{sandbox_url}/salesforce", token="canary-token")
    code, shown = newcomer.check(SALESFORCE)
    assert (code, "canary-token" in shown) == (2, False)
    assert "fields of Lead" not in shown


def test_a_platform_that_is_down_is_no_matter_of_settings(newcomer: Newcomer) -> None:
    newcomer.connect("HUBSPOT", base_url="http://127.0.0.1:9", token="a-token")
    code, shown = newcomer.check(HUBSPOT)
    assert code == 1
    assert "✗ address: The server cannot be reached" in shown


def test_properties_that_the_portal_lacks(newcomer: Newcomer, sandbox_url: str) -> None:
    newcomer.connect("HUBSPOT", base_url=f"{sandbox_url}/hubspot", token="sandbox-token")
    own = HUBSPOT + "    properties: {budget: our_budget}\n"
    code, shown = newcomer.check(own)
    assert code == 0
    assert "these stay empty: our_budget" in shown
    code, shown = newcomer.check(own.replace("budget: our_budget", "lead_status: our_status"))
    assert code == 2
    assert "no contact property 'our_status' (properties.lead_status)" in shown


def test_files_and_their_columns(newcomer: Newcomer) -> None:
    (newcomer.folder / "leads.yaml").write_text(MAPPING)
    code, shown = newcomer.check(FILES)
    assert code == 1
    assert "No file matches '*.csv'" in shown
    file = newcomer.folder / "leads.csv"
    file.write_text("Id,Created\n1,2026-10-01\n")
    code, shown = newcomer.check(FILES)
    assert code == 0
    assert "*.csv: 1 file; the columns of leads.csv fit leads.yaml" in shown
    file.write_text("Number,Created\n1,2026-10-01\n")
    code, shown = newcomer.check(FILES)
    assert code == 1
    assert "The column 'Id' (for crm_record_id) is missing" in shown


def test_the_newest_day_of_daily_files_is_looked_at(newcomer: Newcomer) -> None:
    daily = FILES.replace("*.csv", "leads-{date}.csv")
    (newcomer.folder / "leads.yaml").write_text(MAPPING)
    (newcomer.folder / f"leads-{LAST_DAY}.csv").write_text("Id,Created\n1,2026-10-01\n")
    code, shown = newcomer.check(daily)
    assert code == 0
    assert f"the columns of leads-{LAST_DAY}.csv fit" in shown
    (newcomer.folder / f"leads-{LAST_DAY}.csv").unlink()
    code, shown = newcomer.check(daily)
    assert code == 1
    assert "None of the last 7 days has a file" in shown


def test_programs_get_rows(newcomer: Newcomer) -> None:
    newcomer.connect("HUBSPOT", base_url="http://127.0.0.1:9", token="a-token")
    code, shown = newcomer.check(HUBSPOT, "--source", "hubspot", "--format", "json")
    rows = json.loads(shown)["rows"]
    assert code == 1
    assert [(row["check"], row["state"]) for row in rows] == [
        ("connection", "ok"),
        ("address", "failed"),
    ]
    assert rows[1]["source"] == "hubspot"
    assert "Check the network" in rows[1]["fix"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--source", "fax"), "no source 'fax'"),
        (("--source", "hubspot", "--border", "raw"), "two different checks"),
    ],
)
def test_a_wrong_call(newcomer: Newcomer, arguments: tuple[str, ...], told: str) -> None:
    code, shown = newcomer.check(HUBSPOT, *arguments)
    assert code == 2
    assert told in shown
