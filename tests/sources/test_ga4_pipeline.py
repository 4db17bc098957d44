"""A company with its own tag and GA4: the cross-check stands beside, the numbers do not move."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sandbox.ga4_export import CHAT, write_ga4_export
from sandbox.server.app import SandboxServer
from sandbox.world import World
from trueline import pipeline
from trueline.connections import Connection
from trueline.paths import home
from trueline.settings.profile import Profile, load_profile
from trueline.windows import Window

LAST_DAY = date(2026, 3, 31)
PREFIXES = {
    "google_ads": "google-ads",
    "meta_ads": "meta-ads",
    "hubspot": "hubspot",
    "site_tag": "site-tag",
}
# GA4's names, and a goal that only GA4 sees.
EVENTS = ("generate_lead", "call_booking", "brochure", CHAT)
GA4 = f"""
  ga4:
    type: ga4
    export: files
    folder: exports
    submission_events: [{", ".join(EVENTS)}]
"""


@dataclass(frozen=True)
class Built:
    """A warehouse after a build."""

    profile: Profile

    def rows(self, query: str) -> list[dict[str, Any]]:
        path = self.profile.data_folder / "warehouse.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            result = connection.execute(query)
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _profile(folder: Path, extra: str) -> Profile:
    """The default profile with GA4's names in its rulebook."""
    config = home() / "config"
    (folder / "rulebook").mkdir(parents=True)
    for path in (config / "rulebook").iterdir():
        text = path.read_text(encoding="utf-8")
        if path.name == "attribution.yaml":
            text = text.replace(
                "  brochure: brochure\n",
                f"  brochure: brochure\n  generate_lead: lead\n  {CHAT}: chat\n",
            ).replace(
                "  brochure: {kind: micro, makes_lead: false}\n",
                "  brochure: {kind: micro, makes_lead: false}\n"
                "  chat: {kind: micro, makes_lead: false}\n",
            )
            assert f"{CHAT}: chat" in text
            assert "chat: {kind" in text
        (folder / "rulebook" / path.name).write_text(text, encoding="utf-8")
    (folder / "mappings").symlink_to(config / "mappings")
    text = (config / "pipeline.yaml").read_text(encoding="utf-8")
    text = text.replace("\ndestinations:", f"{extra}\ndestinations:")
    (folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_DATA", str(folder / "data"))
        return load_profile(folder / "pipeline.yaml")


@pytest.fixture(scope="module")
def world() -> World:
    return World.make(11, last_day=LAST_DAY, days=12, size=0.3)


@pytest.fixture(scope="module")
def built(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Built]]:
    """The same company twice: with its own tag alone, and with GA4 beside it."""
    server = SandboxServer(world, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    window = Window(world.clock.first_day, world.clock.last_day)
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_IDENTITY_KEY", "only-for-these-tests-" * 3)
        for name, extra in (("alone", ""), ("beside", GA4)):
            folder = tmp_path_factory.mktemp(name)
            profile = _profile(folder, extra)
            for source, prefix in PREFIXES.items():
                connection = Connection(source, f"{server.url}/{prefix}", "sandbox-token")
                pipeline.ingest(profile, source, window, connection=connection)
            if extra:
                for seen_on in (LAST_DAY - timedelta(days=1), LAST_DAY + timedelta(days=4)):
                    write_ga4_export(world, folder / "exports", seen_on=seen_on)
                    end = min(seen_on - timedelta(days=1), LAST_DAY)
                    pipeline.ingest(profile, "ga4", Window(window.start, end))
            pipeline.build(profile, window)
            found[name] = Built(profile)
    yield found
    server.shutdown()
    server.server_close()
    thread.join(5)


GAP = "select * exclude (as_of, rules_version) from marts.pixel_to_real_gap"


def test_the_numbers_of_goals_with_an_own_tag_do_not_change(built: dict[str, Built]) -> None:
    for query in (
        f"{GAP} where conversion_goal != 'chat' order by all",
        "select * exclude (as_of, rules_version) from marts.real_to_qualified_gap order by all",
        "select person_key, lead_key from identity.leads order by all",
    ):
        alone = built["alone"].rows(query)
        assert alone
        assert built["beside"].rows(query) == alone


def test_a_goal_without_an_own_tag_counts_from_ga4_alone_and_says_so(
    built: dict[str, Built], world: World
) -> None:
    chat = "where conversion_goal = 'chat'"
    assert sum(row["observed_tag_events"] for row in built["alone"].rows(f"{GAP} {chat}")) == 0
    counted = sum(row["observed_tag_events"] for row in built["beside"].rows(f"{GAP} {chat}"))
    seen = built["beside"].rows(
        f"select observed_by from staging.stg_web__tag_events where event_name = '{CHAT}'"
    )
    assert counted == len(seen) > 5
    assert {row["observed_by"] for row in seen} == {"ga4"}


def test_what_both_saw_is_one_submission_of_both(built: dict[str, Built]) -> None:
    seen = Counter(
        (row["observed_by"], row["event_name"])
        for row in built["beside"].rows(
            "select observed_by, event_name from staging.stg_web__tag_events"
        )
    )
    observers = {observed_by for observed_by, _ in seen}
    assert observers == {
        "ga4",
        "ga4,server_log,site_tag",
        "ga4,site_tag",
        "server_log,site_tag",
        "site_tag",
    }
    # GA4's own name of a form survives nowhere: the own tag tells what it saw.
    assert {name for observed_by, name in seen if "ga4" in observed_by} == {
        "lead_form",
        "call_booking",
        "brochure",
        CHAT,
    }


def test_every_event_of_the_last_export_is_there_once(
    built: dict[str, Built], world: World
) -> None:
    """Read as intraday, as daily, and as changed for three days: still one event each."""
    found = built["beside"].rows(
        "select event_id, occurred_at, count(distinct load_id) as loads from raw.tag_events "
        "where observer = 'ga4' group by all"
    )
    assert max(row["loads"] for row in found) == 2
    newest = built["beside"].rows(
        """
        select count(distinct (event_id, occurred_at)) as n from raw.tag_events
        where observer = 'ga4' and load_id in (
            select max(load_id) from raw.loads
            where source = 'ga4' and status = 'loaded' and table_name = 'tag_events'
            group by regexp_extract(file_name, '[0-9]+')
        )
        """
    )
    assert newest == [{"n": len(found)}]


def test_a_reload_reads_only_the_days_that_changed(built: dict[str, Built]) -> None:
    loads = built["beside"].rows("select * from raw.loads where source = 'ga4' order by load_id")
    states = Counter((row["status"], row["reason"]) for row in loads)
    assert states[("skipped", "already_loaded")] > 0
    assert states[("skipped", "not_there")] > 0
    reloaded = Counter(
        row["file_name"] for row in loads if row["status"] == "loaded" and row["rows_loaded"]
    )
    assert max(reloaded.values()) == 2
    assert any("intraday" in name for name in reloaded)
    assert sum(row["rows_quarantined"] for row in loads) == 0


def test_ga4_brings_no_personal_value(built: dict[str, Built]) -> None:
    """Neither an address nor a phone, keyed or not: the export has none."""
    (row,) = built["beside"].rows(
        "select count(*) as n, count(email_key) + count(phone_key) + count(ip_key) as keyed "
        "from raw.tag_events where observer = 'ga4'"
    )
    assert row["n"] > 100
    assert row["keyed"] == 0


def test_without_an_own_tag_ga4s_sessions_are_the_touches(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUELINE_IDENTITY_KEY", "only-for-these-tests-" * 3)
    profile = _profile(tmp_path, f"{GA4}    touches: true\n")
    write_ga4_export(world, tmp_path / "exports", seen_on=LAST_DAY + timedelta(days=4))
    window = Window(world.clock.first_day, world.clock.last_day)
    pipeline.ingest(profile, "ga4", window)
    touches = Built(profile).rows("select * from raw.touches")
    assert len({row["touch_id"] for row in touches}) == len(touches) > 300
    assert {row["click_id_type"] for row in touches} >= {None, "gclid", "gbraid", "fbclid"}
    recorded = {touch.client_id: touch for touch in world.touches if touch.is_recorded}
    assert {row["client_id"] for row in touches} <= recorded.keys()
    # A direct visit stays direct, although GA4 repeats the browser's last campaign on it.
    direct = {
        touch.client_id
        for touch in world.touches
        if touch.is_recorded and not touch.query and not touch.referrer
    } - {touch.client_id for touch in world.touches if touch.query or touch.referrer}
    origins = [
        (row["utm_source"], row["click_id"], row["ad_campaign_id"])
        for row in touches
        if row["client_id"] in direct
    ]
    assert len(origins) > 20
    assert set(origins) == {(None, None, None)}
