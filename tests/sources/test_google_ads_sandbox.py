"""The Google Ads source against the sandbox: accounts below a manager, and the world's claims."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sandbox.server.google_accounts import CLOSED_ACCOUNT, MANAGER, US_ACCOUNT
from sandbox.world import World
from sandbox.world.company import GOOGLE_ACCOUNT, SOURCES
from tests.sources.conftest import NOW, WINDOW
from tests.sources.google_ads_script import failures, tables, values
from trueline.connections import Connection
from trueline.errors import ConfigurationError
from trueline.sources.base import AccountFailed, Batch
from trueline.sources.google_ads.constants import TABLES
from trueline.sources.registry import build_source
from trueline.sources.settings import GoogleAdsSettings


def _pull(url: str, workdir: Path, **settings: Any) -> list[Batch | AccountFailed]:
    source = build_source(
        "google_ads",
        GoogleAdsSettings(type="google_ads", **settings),
        connection=Connection("trueline_google_ads", f"{url}/google-ads", "sandbox-token"),
        time_zone="Europe/Berlin",
        root=Path(),
        workdir=workdir,
        known_hashes=frozenset(),
        now=NOW,
    )
    return list(source.pull(WINDOW))


def test_every_enabled_account_below_the_manager_is_pulled(sandbox_url, tmp_path) -> None:
    found = _pull(sandbox_url, tmp_path, login_customer_id=MANAGER)
    assert failures(found) == {}
    assert tables(found, GOOGLE_ACCOUNT) == tables(found, US_ACCOUNT) == list(TABLES)
    assert {each.account_id for each in found} == {GOOGLE_ACCOUNT, US_ACCOUNT}
    assert not [each for each in found if isinstance(each, Batch) and (each.drift or each.errors)]
    assert {
        (row["account_id"], row["currency_code"], row["account_time_zone"])
        for row in values(found, "ad_delivery")
    } == {
        (GOOGLE_ACCOUNT, "EUR", "Europe/Berlin"),
        (US_ACCOUNT, "USD", "America/New_York"),
    }
    assert {row["conversion_action"] for row in values(found, "conversion_actions")} == {
        "7001",
        "7002",
        "7003",
        "7901",
    }


def test_a_closed_account_and_one_we_may_not_see_stop_nobody(sandbox_url, tmp_path) -> None:
    accounts = (CLOSED_ACCOUNT, "9999999999", GOOGLE_ACCOUNT)
    found = _pull(sandbox_url, tmp_path, login_customer_id=MANAGER, accounts=accounts)
    assert list(failures(found)) == ["9999999999"]
    (closed,) = [each for each in found if each.account_id == CLOSED_ACCOUNT]
    assert isinstance(closed, Batch)
    assert closed.skipped_reason == "account_not_enabled"
    assert tables(found, GOOGLE_ACCOUNT) == list(TABLES)


def test_both_bases_add_up_to_the_worlds_claims(world: World, sandbox_url, tmp_path) -> None:
    told: Counter[tuple[str, str]] = Counter()
    claims = values(_pull(sandbox_url, tmp_path, accounts=(GOOGLE_ACCOUNT,)), "pixel_claims")
    keys = [
        (row["platform_date"], row["campaign_id"], row["conversion_action"], row["claim_basis"])
        for row in claims
    ]
    assert len(keys) == len(set(keys)), "one row per basis"
    for row in claims:
        told[row["claim_basis"], row["conversion_action"]] += row["pixel_conversions"]
    known: Counter[tuple[str, str]] = Counter()
    for claim in world.claims:
        if SOURCES[claim.source].platform == "google":
            for basis, day in (("conversion_date", claim.day), ("click_date", claim.click_day)):
                if 0 <= day < world.clock.days:
                    known[basis, claim.action] += Decimal(claim.hundredths) / 100
    assert told == known


@pytest.mark.parametrize("version", ["v25", "v27"])
def test_a_version_that_is_not_served_is_one_clear_message(sandbox_url, tmp_path, version) -> None:
    with pytest.raises(ConfigurationError, match="switched off this version") as caught:
        _pull(sandbox_url, tmp_path, accounts=(GOOGLE_ACCOUNT,), api_version=version)
    assert "api_version" in str(caught.value)
    assert version in str(caught.value)
