"""Every source of the default profile against the sandbox: nothing is lost on the way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.sources.conftest import NOW, WINDOW, as_records
from trueline.connections import Connection
from trueline.errors import ConfigurationError
from trueline.paths import home
from trueline.settings.profile import load_profile
from trueline.sources.base import Batch
from trueline.sources.registry import build_source

PREFIX = {
    "google_ads": "/google-ads",
    "meta_ads": "/meta-ads",
    "hubspot": "/hubspot",
    "site_tag": "/site-tag",
}


def _pull(name: str, url: str, workdir: Path, token: str = "sandbox-token") -> list[Batch]:
    profile = load_profile(home() / "config" / "pipeline.yaml")
    settings = profile.sources[name]
    source = build_source(
        name,
        settings,
        connection=Connection(settings.connection or "", url + PREFIX[name], token),
        time_zone=profile.time_zone,
        root=profile.root,
        workdir=workdir,
        known_hashes=frozenset(),
        now=NOW,
    )
    return as_records(source.pull(WINDOW))


def _records(batches: list[Batch], table: str) -> list[dict[str, object]]:
    assert not [error for batch in batches for error in batch.errors]
    return [
        dict(record.values) for batch in batches if batch.table == table for record in batch.records
    ]


@pytest.mark.parametrize("name", ["google_ads", "meta_ads"])
def test_ad_platforms(name, sandbox_url, tmp_path) -> None:
    batches = _pull(name, sandbox_url, tmp_path)
    delivery, claims = _records(batches, "ad_delivery"), _records(batches, "pixel_claims")
    assert len({row["campaign_id"] for row in delivery}) == 3
    assert sum(row["cost_micros"] for row in delivery) > 10**9
    assert sum(row["pixel_conversions"] for row in claims) > 0
    covered = {each.report for batch in batches for each in batch.coverage}
    assert {"delivery", "claims"} <= covered
    if name == "google_ads":
        assert "clicks" in covered
        assert all(row["click_id"] for row in _records(batches, "ad_clicks"))
        assert any(row["pixel_conversions"] % 1 for row in claims), "data-driven fractions"
    else:
        assert any(row["view_through"] for row in claims)


def test_the_sites_own_tag(world, sandbox_url, tmp_path) -> None:
    batches = _pull("site_tag", sandbox_url, tmp_path)
    events, touches = _records(batches, "tag_events"), _records(batches, "touches")
    assert Counter(row["event_id"] for row in events) == Counter(
        event.submission.event_id for event in world.tag_events
    )
    assert len(touches) == sum(touch.is_recorded for touch in world.touches)
    assert {row["click_id_type"] for row in touches} >= {"gclid", "gbraid", "fbclid", "msclkid"}
    assert all("?" not in str(row["page_path"]) for row in (*events, *touches))
    assert not any(record.extra for batch in batches for record in batch.records)


def test_the_crm(world, sandbox_url, tmp_path) -> None:
    batches = _pull("hubspot", sandbox_url, tmp_path)
    leads, stages = _records(batches, "crm_leads"), _records(batches, "crm_stages")
    told = {row["crm_record_id"]: row for row in leads}
    for contact in world.contacts:
        if contact.merged_into:
            assert told[contact.contact_id]["merged_into_record_id"] == contact.merged_into
        elif contact.deleted_at is not None:
            assert told[contact.contact_id]["is_deleted"] is True
    assert {"NEW", "QUALIFIED", "UNQUALIFIED"} <= {row["stage"] for row in stages}
    assert all(row["stage_reason"] for row in stages if row["stage"] == "UNQUALIFIED")
    assert {row["deal_id"] for row in _records(batches, "crm_deals")} == {
        deal.deal_id for deal in world.deals
    }


@pytest.mark.parametrize("name", list(PREFIX))
def test_a_wrong_token_names_the_connection_and_not_the_token(name, sandbox_url, tmp_path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _pull(name, sandbox_url, tmp_path, token="wrong-token-value")
    assert f"trueline_{name}" in str(caught.value)
    assert "wrong-token-value" not in str(caught.value)
