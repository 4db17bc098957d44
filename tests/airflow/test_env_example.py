"""Every sample in ``.env.example`` works: read as its reader reads it, it is a credential."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from trueline_airflow.connections import connection_from_airflow
from trueline_airflow.provider import get_provider_info

from trueline.connections import connection_from_env
from trueline.paths import home
from trueline.sources.auth.credential import credential_of

SAMPLES = re.findall(
    r"^# ((?:TRUELINE|AIRFLOW)_CONN)_(TRUELINE_\w+)=(.*)$",
    (home() / ".env.example").read_text(encoding="utf-8"),
    re.MULTILINE,
)
ADDRESSES = {
    "trueline_google_ads": "https://googleads.googleapis.com",
    "trueline_hubspot": "https://api.hubapi.com",
}
FORMS = {each["connection-type"]: each for each in get_provider_info()["connection-types"]}
WAYS = {
    ("trueline_google_ads", "service account"),
    ("trueline_google_ads", "refresh token"),
    ("trueline_google_ads", "the machine's own Google credentials"),
    ("trueline_meta_ads", "FixedToken"),
    ("trueline_hubspot", "FixedToken"),
    ("trueline_hubspot", "refresh token"),
    ("trueline_salesforce", "client credentials"),
    ("trueline_salesforce", "signed assertion"),
    ("trueline_salesforce", "refresh token"),
    ("trueline_site_tag", "FixedToken"),
}


@pytest.mark.parametrize("reader", ["TRUELINE_CONN", "AIRFLOW_CONN"])
def test_every_way_in_has_a_sample_that_works(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key.json"
    key.write_text('{"type": "service_account"}')
    found = set()
    for _, variable, text in (sample for sample in SAMPLES if sample[0] == reader):
        name = variable.lower()
        monkeypatch.setenv(f"{reader}_{variable}", text.replace("/path/to/key.json", str(key)))
        read = connection_from_env if reader == "TRUELINE_CONN" else connection_from_airflow
        connection = read(name)
        credential = credential_of(connection, ADDRESSES.get(name, ""))
        found.add((name, getattr(credential, "_kind", type(credential).__name__)))
        assert connection.base_url.startswith("https://") or "salesforce" not in name
    assert found == WAYS


def test_the_samples_for_airflow_fill_in_what_the_forms_show() -> None:
    samples = [json.loads(text) for reader, _, text in SAMPLES if reader == "AIRFLOW_CONN"]
    assert {sample["conn_type"] for sample in samples} == set(FORMS)
    for sample in samples:
        assert set(sample["extra"]) <= set(FORMS[sample["conn_type"]]["conn-fields"])
        assert set(sample) <= {"conn_type", "host", "extra"}
