"""A month lived through day by day: what was published each day is what the platforms said then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sandbox.server.app import SandboxServer
from sandbox.world import World
from sandbox.world.company import SOURCES
from sandbox.world.restated import delivery_at
from tests.faults.conftest import Rig, profile_in, serving
from trueline import pipeline
from trueline.model.catalog import load_catalog
from trueline.pipeline.build import new_run_id, run_parameters, write_rules
from trueline.rulebook import load_rulebook
from trueline.warehouse import Work, open_reader, open_warehouse
from trueline.windows import Window, utc_now

LAST_DAY = date(2026, 11, 20)
FIRST_PULL = 12
STAGING = (
    "staging.stg_loads",
    "staging.stg_fx__rates",
    "staging.stg_ads__claim_bases",
    "staging.stg_ads__claims",
    "staging.stg_ads__delivery",
)
ADS = ("google_ads", "meta_ads")
GOOGLE = {key for key, source in SOURCES.items() if source.platform == "google"}
Figures = Counter[tuple[date, str, str]]


@pytest.fixture(scope="module")
def world() -> World:
    return World.make(5, last_day=LAST_DAY, days=44, size=0.25)


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[SandboxServer]:
    yield from serving(world)


def told(world: World, first: int = 0) -> Figures:
    """What the platforms say: claims in hundredths and cost in cents, by day and campaign."""
    found: Figures = Counter()
    day = world.clock.day
    for claim in world.claims:
        if claim.day >= first:
            found[day(claim.day), SOURCES[claim.source].campaign_id, claim.action] += (
                claim.hundredths
            )
    for (key, index), given in world.delivery.items():
        if SOURCES[key].platform and index >= first:
            found[day(index), SOURCES[key].campaign_id, "cost"] += given.cost_cents
    return found


def staged(rig: Rig, as_of: datetime) -> Figures:
    """The same out of staging, as a build of that moment makes it."""
    catalog, profile = load_catalog(), rig.profile
    rulebook = load_rulebook(profile.rulebook, profile.time_zone)
    with open_warehouse(profile, Work("build", new_run_id(utc_now()), "test")) as warehouse:
        warehouse.ensure_tables(catalog.values())
        with warehouse.transaction() as transaction:
            write_rules(transaction, profile, rulebook)
        with warehouse.transaction() as transaction:
            for key in STAGING:
                transaction.rebuild(catalog[key], run_parameters(profile, rulebook, as_of))
        return figures(warehouse)


def figures(reader: Any) -> Figures:
    found: Figures = Counter()
    for row in reader.query(
        "select report_date, campaign_id, conversion_action, pixel_conversions as amount "
        "from staging.stg_ads__claims where report_date >= date '2000-01-01'"
    ):
        found[row["report_date"], row["campaign_id"], row["conversion_action"]] += int(
            row["amount"] * 100
        )
    for row in reader.query(
        "select report_date, campaign_id, cost_micros from staging.stg_ads__delivery "
        "where report_date >= date '2000-01-01'"
    ):
        found[row["report_date"], row["campaign_id"], "cost"] += row["cost_micros"] // 10_000
    # A platform may well say zero where another says nothing.
    return Counter({key: amount for key, amount in found.items() if amount})


@dataclass(frozen=True)
class Lived:
    """Weeks of scheduled runs.

    Attributes:
        windows: Each pull's day indices.
        moments: The moment after each pull.
        published: By the day index of a build: the spend since the first pull, as readers saw it.
    """

    rig: Rig
    windows: list[range] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)
    published: dict[int, Decimal] = field(default_factory=dict)


def live(
    rig: Rig, world: World, first: int, last: int, every: int, builds: tuple[int, ...] = ()
) -> Lived:
    """Pull the days since the last pull, every so many days; publish after some of them."""
    lived = Lived(rig)
    for today in [*range(first, last, every), last]:
        window = range(lived.windows[-1].stop if lived.windows else today, today + 1)
        days = Window(world.clock.day(window.start), world.clock.day(today))
        rig.server.set_today(days.end)
        for source in ADS:
            summary = rig.ingest(source, days).as_dict()
            assert summary["rows_received"] == summary["rows_loaded"] > 0
        lived.windows.append(window)
        lived.moments.append(utc_now())
        if today in builds:
            pipeline.build(rig.profile, days)
            pipeline.publish(rig.profile)
            lived.published[today] = spend_since(rig, world.clock.day(first))
    return lived


def spend_since(rig: Rig, first: date) -> Decimal:
    """What readers see."""
    with open_reader(rig.profile) as reader:
        rows = reader.query(
            "select sum(spend_amount) as spend from marts.funnel_daily "
            f"where report_date >= date '{first}'"
        )
    return Decimal(rows[0]["spend"])


@pytest.fixture(
    scope="module", params=[8, pytest.param(1, marks=pytest.mark.soak)], ids="every {} days".format
)
def lived(
    request: pytest.FixtureRequest,
    server: SandboxServer,
    world: World,
    tmp_path_factory: pytest.TempPathFactory,
) -> Lived:
    rig = Rig(server, profile_in(tmp_path_factory.mktemp("lived") / "data"), [])
    last = world.clock.days - 1
    return live(rig, world, FIRST_PULL, last, request.param, builds=(FIRST_PULL + 16, last))


def test_each_days_figures_are_what_the_platforms_said_that_day(lived: Lived, world: World) -> None:
    below = 0
    seen = set()
    for window, moment in zip(lived.windows, lived.moments, strict=True):
        as_told = told(world.as_of(world.clock.day(window[-1])))
        assert staged(lived.rig, moment) == as_told, world.clock.day(window[-1])
        seen.add(sum(n for (day, *_), n in as_told.items() if day <= world.clock.day(FIRST_PULL)))
        below += any(amount < 0 for amount in as_told.values())
    assert len(seen) > 3, "the same days were told differently"
    assert below, "a credit left a day below zero"


def test_the_end_is_as_if_it_had_been_pulled_once(
    lived: Lived, world: World, tmp_path: Path
) -> None:
    once = lived.rig.fresh(tmp_path / "data")
    lived.rig.server.set_today(LAST_DAY)
    for source in ADS:
        once.ingest(source, Window(world.clock.first_day, LAST_DAY))
    assert staged(lived.rig, lived.moments[-1]) == staged(once, utc_now()) == told(world)
    assert any(each.told_on - each.day > 20 for each in world.restatements())


def test_raw_keeps_every_pull(lived: Lived, world: World) -> None:
    loads = lived.rig.query("select source, table_name, count(*) from raw.loads group by all")
    pulls = {(source, table): count for source, table, count in loads}
    for source in ADS:
        assert pulls[source, "ad_delivery"] == pulls[source, "pixel_claims"] == len(lived.moments)
    for credit in [each for each in world.adjustments if each.cause == "credit"]:
        key = (credit.source, credit.day)
        kept = lived.rig.query(
            "select cost_micros // 10000 from raw.ad_delivery "
            f"where campaign_id = '{SOURCES[credit.source].campaign_id}' "
            f"and platform_date = date '{world.clock.day(credit.day)}' order by loaded_at"
        )
        assert [cents for (cents,) in kept] == [
            delivery_at(world.delivery, world.adjustments, window[-1])[key].cost_cents
            for window in lived.windows
            if credit.day in range(window.start - 28, window.stop)
            or (credit.day in range(window.start - 30, window.stop) and key[0] in GOOGLE)
        ]


def test_published_figures_follow_the_platforms(lived: Lived, world: World) -> None:
    assert len(lived.published) == 2
    for today, spend in lived.published.items():
        view = told(world.as_of(world.clock.day(today)), FIRST_PULL)
        cents = sum(amount for (_, _, action), amount in view.items() if action == "cost")
        assert spend == Decimal(cents) / 100


@pytest.mark.soak
def test_a_restatement_older_than_the_look_back_is_not_seen(
    world: World, server: SandboxServer, tmp_path: Path
) -> None:
    back = 5
    short = {name: {"repull_days": back} for name in ADS}
    rig = Rig(server, profile_in(tmp_path / "data", **short), [])
    lived = live(rig, world, FIRST_PULL, FIRST_PULL + 15, 8)
    expected: Figures = Counter()
    for day in range(FIRST_PULL - back, FIRST_PULL + 16):
        newest = max(w[-1] for w in lived.windows if day in range(w.start - back, w.stop))
        label, view = world.clock.day(day), told(world.as_of(world.clock.day(newest)))
        expected.update({key: amount for key, amount in view.items() if key[0] == label})
    found = staged(rig, lived.moments[-1])
    assert found == expected
    final = told(world.as_of(world.clock.day(FIRST_PULL + 15)), FIRST_PULL - back)
    assert found != final, "older days were restated, and nobody asked again"
