"""The simulated company's campaigns are judged as they are, and not before that can be known."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sandbox.world import World
from sandbox.world.company import SOURCES
from tests.end_to_end.conftest import Company, profile_in, served
from trueline import pipeline
from trueline.judgement.health import Health, health
from trueline.model.catalog import load_catalog
from trueline.report.headline import headline
from trueline.report.judgement import judged
from trueline.rulebook import load_rulebook
from trueline.settings.profile import Profile
from trueline.warehouse import open_reader

NAMES = {source.campaign_id: key for key, source in SOURCES.items() if source.daily_spend}


def _built_on_the_day_after(company: Company, folder: Path) -> Profile:
    """The company's figures as they were built on the morning after the world's last day.

    Tests run long after that day, when every lead is final: the loads are stamped anew.
    """
    shutil.copytree(company.profile.data_folder, folder / "data")
    day = company.world.clock.last_day + timedelta(days=1)
    morning = datetime.combine(day, time(6), UTC)
    with duckdb.connect(str(folder / "data" / "warehouse.duckdb")) as connection:
        for table in load_catalog().values():
            if table.layer == "raw" and any(each.name == "loaded_at" for each in table.columns):
                connection.execute(
                    f"update {table.key} set loaded_at = ?", [morning - timedelta(hours=1)]
                )
        for name in ("runs", "run_tables", "run_loads"):
            connection.execute(f"delete from ops.{name}")
        for table in load_catalog().values():
            if table.rebuilt_by == "snapshot":
                connection.execute(f"delete from {table.key}")
    profile = profile_in(folder / "data")
    pipeline.build(profile, as_of=morning)
    pipeline.publish(profile)
    return profile


@pytest.fixture(scope="module")
def mature(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """Ninety days of the demo's company."""
    return _built_on_the_day_after(company, tmp_path_factory.mktemp("mature"))


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Profile]:
    """Three weeks of it."""
    world = World.make(7, last_day=date(2026, 3, 31), days=21, size=0.3)
    folder = tmp_path_factory.mktemp("young")
    with served(world) as url:
        company = Company(world, url, profile_in(folder / "first" / "data"))
        company.run(company.window)
        yield _built_on_the_day_after(company, folder)


def _judgements(profile: Profile) -> dict[str, dict[str, Any]]:
    with open_reader(profile) as reader:
        rows = judged(reader, headline(reader, "campaign")).rows
    return {NAMES[row["campaign_id"]]: row["judged"] for row in rows if row["campaign_id"] in NAMES}


def _health(profile: Profile) -> Health:
    with open_reader(profile) as reader:
        return health(reader, load_rulebook(profile.rulebook, profile.time_zone))


def test_the_burning_and_the_good_campaign_are_told_apart(mature: Profile) -> None:
    found = _judgements(mature)
    assert set(found) == set(NAMES.values())
    assert found["instant"]["judgement"] == "burning"
    assert found["fleet"]["judgement"] == "scale"
    assert 0.5 < found["instant"]["maturity"] < 1


def test_what_is_expected_contains_what_is_there(mature: Profile) -> None:
    with open_reader(mature) as reader:
        rows = reader.query(
            "select * from marts.campaign_judgements where as_of_date >= date '2026-01-01'"
        )
        customers = {
            (row["platform"], row["account_id"], row["campaign_id"]): row["customers"]
            for row in headline(
                reader, "campaign", rows[0]["first_date"], rows[0]["last_date"]
            ).rows
        }
    expected = [row for row in rows if row["expected_customers"] is not None]
    assert len(expected) > 8
    further = 0
    for row in expected:
        so_far = customers[row["platform"], row["account_id"], row["campaign_id"]]
        low, high = row["expected_customers_low"], row["expected_customers_high"]
        assert so_far <= low <= row["expected_customers"] <= high
        assert (
            row["expected_revenue_low"] <= row["expected_revenue"] <= row["expected_revenue_high"]
        )
        further += row["expected_customers"] - so_far
    assert further > 10


def test_a_sound_funnel_shows_no_sign(mature: Profile) -> None:
    found = _health(mature)
    assert found.before is not None
    assert len(found.signs) == 7
    assert not any(sign.shows for sign in found.signs)


def test_in_the_first_weeks_everything_is_too_early(young: Profile) -> None:
    found = _judgements(young)
    assert set(found) == set(NAMES.values())
    assert {(row["judgement"], row["reason"]) for row in found.values()} == {
        ("too_early", "no_history")
    }
    assert {row["expected_customers"] for row in found.values()} == {None}
    assert _health(young).before is None
