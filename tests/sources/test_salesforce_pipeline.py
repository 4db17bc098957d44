"""A company whose CRM is Salesforce, from its API to the verdicts, with docs/examples' profile."""

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

from sandbox.server.app import SandboxServer
from sandbox.server.salesforce_records import lead_id
from sandbox.world import World
from tests.sources.conftest import Platform
from tests.sources.salesforce_org import ScriptedOrg, a_change, a_lead
from trueline import pipeline
from trueline.connections import Connection
from trueline.paths import home
from trueline.settings.profile import Profile, load_profile
from trueline.sources.salesforce import constants
from trueline.windows import Window

LAST_DAY = date(2026, 3, 31)


@dataclass(frozen=True)
class Company:
    """A warehouse, and the server that fills it."""

    profile: Profile
    connection: Connection

    def pull(self, first: date, last: date) -> None:
        pipeline.ingest(self.profile, "salesforce", Window(first, last), connection=self.connection)

    def rows(self, query: str) -> list[dict[str, Any]]:
        path = self.profile.data_folder / "warehouse.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            result = connection.execute(query)
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "FIRST_POLL_SECONDS", 0.01)
        patch.setenv("TRUELINE_IDENTITY_KEY", "only-for-these-tests-" * 3)
        yield


def _profile(folder: Path) -> Profile:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_DATA", str(folder))
        return load_profile(home() / "docs" / "examples" / "salesforce.yaml")


@pytest.fixture(scope="module")
def world() -> World:
    return World.make(11, last_day=LAST_DAY, days=12, size=0.3)


@pytest.fixture(scope="module")
def company(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Twelve days in two windows, the history before them first, then built."""
    server = SandboxServer(world, 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    made = Company(
        _profile(tmp_path_factory.mktemp("salesforce")),
        Connection("trueline_salesforce", f"{server.url}/salesforce", "sandbox-token"),
    )
    first, middle = world.clock.first_day, LAST_DAY - timedelta(days=5)
    made.pull(first - timedelta(days=1000), middle)
    made.pull(middle + timedelta(days=1), LAST_DAY)
    pipeline.build(made.profile, Window(first, LAST_DAY))
    yield made
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_every_record_arrives_and_nothing_is_quarantined(company: Company, world: World) -> None:
    told = {
        row["crm_record_id"]: (row["merged_into_record_id"], row["is_deleted"])
        for row in company.rows("select * from staging.stg_crm__leads where crm = 'salesforce'")
    }
    assert told == {
        lead_id(each.contact_id): (
            lead_id(each.merged_into) if each.merged_into else None,
            each.deleted_at is not None,
        )
        for each in world.contacts
    }
    assert company.rows("select * from raw.quarantine") == []


def test_the_verdicts_are_those_of_sales(company: Company, world: World) -> None:
    found = Counter(
        (row["verdict"], row["reason"])
        for row in company.rows("select verdict, reason from qualification.lead_verdicts")
    )
    said = Counter(lead.verdict_now for lead in world.leads)
    # So long ago that waiting has become undecided.
    said["undecided"] += said.pop("pending")
    assert len(said) > 8
    assert found == {
        ("qualified", None) if word == "qualified" else ("disqualified", word): count
        for word, count in said.items()
    }


def test_deals_are_there_with_their_value(company: Company, world: World) -> None:
    found = company.rows("select * from staging.stg_crm__deals")
    assert {(row["crm_record_id"], f"{row['deal_amount']:.2f}") for row in found} == {
        (lead_id(deal.contact_id), deal.amount) for deal in world.deals
    }
    assert {row["currency_code"] for row in found} == {"EUR"}


def test_a_change_in_the_windows_last_second_is_there_once(tmp_path: Path) -> None:
    """Midnight belongs to the next day, the overlap brings the seconds before it again."""
    leads = [
        a_lead(number, SystemModstamp=at, CreatedDate=at)
        for number, at in ((1, "2026-03-30T21:59:59.000Z"), (2, "2026-03-30T22:00:00.000Z"))
    ]
    history = [a_change(1, "2026-03-30T21:59:59", "Open", "New")]
    server = Platform(lambda asked: org(asked))
    org = ScriptedOrg(leads=leads, history=history)
    try:
        company = Company(_profile(tmp_path), server.connection("trueline_salesforce"))
        asked: list[str] = []
        for day in (date(2026, 3, 30), date(2026, 3, 31)):
            company.pull(day, day)
            asked += [query for query in org.queries if "FROM Lead WHERE SystemMod" in query]
    finally:
        server.close()
    assert asked[0].endswith("SystemModstamp < 2026-03-30T22:00:00Z")
    assert "SystemModstamp >= 2026-03-30T21:45:00Z" in asked[-1]
    pipeline.build(company.profile, Window(date(2026, 3, 30), date(2026, 3, 31)))
    ids = [row["crm_record_id"] for row in company.rows("select * from staging.stg_crm__leads")]
    assert sorted(ids) == [leads[0]["Id"], leads[1]["Id"]]
    stages = company.rows("select stage from staging.stg_crm__stages order by all")
    assert len(stages) == 3
