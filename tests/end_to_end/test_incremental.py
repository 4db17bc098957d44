"""After any number of incremental runs every table holds what a full rebuild would give."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.end_to_end.conftest import profile_in
from tests.end_to_end.rough_company import Load, RoughCompany
from trueline import pipeline
from trueline.model.catalog import build_order, load_catalog
from trueline.pipeline.verify import verify_old_days
from trueline.quality.gates import GateFailed
from trueline.settings.profile import Profile
from trueline.warehouse import Work, open_warehouse
from trueline.warehouse.duckdb import DuckDBConnection

# When a row was last computed; everything else is compared, provenance too.
_MOMENT = {"as_of"}
Tables = dict[str, set[tuple[Any, ...]]]


def tables(profile: Profile) -> Tables:
    """Every built table's rows."""
    found: Tables = {}
    path = profile.data_folder / "warehouse.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table in build_order(load_catalog()):
            names = [column.name for column in table.columns if column.name not in _MOMENT]
            # A snapshot of another day is of that day.
            newest = (
                f" where as_of_date = (select max(as_of_date) from {table.key})"
                if table.rebuilt_by == "snapshot"
                else ""
            )
            sql = f"select {', '.join(names)} from {table.key}{newest}"
            rows = connection.execute(sql).fetchall()
            found[table.key] = set(rows)
            assert len(found[table.key]) == len(rows), f"{table.key} has a row twice"
    return found


def differences(one: Tables, other: Tables) -> dict[str, int]:
    """Rows that only one of the two has, by table."""
    assert one.keys() == other.keys()
    return {key: len(one[key] ^ other[key]) for key in one if one[key] != other[key]}


def load(profile: Profile, loads: Sequence[Load]) -> datetime:
    """Append loads; returns a moment at which all of them are known."""
    with open_warehouse(profile, Work("load", "rough")) as warehouse:
        warehouse.ensure_tables(load_catalog().values())
        with warehouse.transaction() as transaction:
            for each in loads:
                each.write(transaction)
    return max(each.loaded_at for each in loads) + timedelta(hours=2)


def with_caps(folder: Path) -> Profile:
    """The default profile with caps so low that they are met every few days."""
    profile = profile_in(folder / "data")
    rulebook = folder / "rulebook"
    rulebook.mkdir(parents=True, exist_ok=True)
    for path in profile.rulebook.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        text = text.replace("max_fan_out: 20", "max_fan_out: 3")
        text = text.replace("final_after_days: 60", "final_after_days: 12")
        (rulebook / path.name).write_text(text, encoding="utf-8")
    settings = profile.settings.model_copy(update={"rulebook": rulebook})
    return Profile(path=profile.path, settings=settings)


def _run_for_weeks(folder: Path, seed: int, sizes: tuple[int, ...]) -> None:
    company = RoughCompany(seed)
    profile = with_caps(folder / "daily")
    modes = []
    as_of = company.loads[0].loaded_at
    for batch in company.batches(sizes):
        as_of = load(profile, batch)
        built = pipeline.build(profile, as_of=as_of, mode="incremental")
        modes.append(built.full_because)
        if len(modes) == 4:
            with (
                open_warehouse(profile, Work("decide", "rough")) as warehouse,
                warehouse.transaction() as transaction,
            ):
                company.loads[2].say(transaction, "rejected", as_of + timedelta(hours=1))
    assert modes[0] is not None
    assert modes.count(None) >= 3, modes
    daily = tables(profile)
    counts = pipeline.build(profile, as_of=as_of, mode="full").row_counts
    full = tables(profile)
    assert len(full["identity.leads"]) > 15
    assert full["identity.shared_nodes"]
    assert full["staging.stg_web__shared_browsers"]
    assert differences(daily, full) == {}
    assert counts == built.row_counts


def test_weeks_of_runs_equal_one_full_rebuild(tmp_path: Path) -> None:
    _run_for_weeks(tmp_path, 1, (6, 2, 9))


def test_so_do_runs_that_see_their_writes_only_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on BigQuery: what a run has changed is put together from what was and what it computed.
    monkeypatch.setattr(DuckDBConnection, "sees_own_writes", False)
    _run_for_weeks(tmp_path, 2, (14, 1, 1, 5))


def test_what_may_concern_everybody_is_computed_whole(tmp_path: Path) -> None:
    company = RoughCompany(3, people=15)
    profile = with_caps(tmp_path)
    as_of = load(profile, company.loads[:30])
    built = pipeline.build(profile, as_of=as_of, mode="incremental")
    assert built.full_because == "nothing was built before"
    as_of = load(profile, company.loads[30:31])
    assert pipeline.build(profile, as_of=as_of, mode="incremental").full_because is None
    # Nothing new: nothing is computed, and it is as it was.
    before = tables(profile)
    built = pipeline.build(profile, as_of=as_of, mode="incremental")
    assert (built.full_because, built.new_loads, built.days) == (None, 0, 0)
    assert differences(before, tables(profile)) == {}
    # The CRM's newest load is taken back: who was lost may be waited for again.
    as_of += timedelta(hours=1)
    with (
        open_warehouse(profile, Work("decide", "rough")) as warehouse,
        warehouse.transaction() as transaction,
    ):
        company.loads[30].say(transaction, "rejected", as_of)
    built = pipeline.build(profile, as_of=as_of, mode="incremental")
    assert built.full_because == "the CRM is known less far than at the last build"
    # A rule that changed, and a small warehouse.
    path = profile.rulebook / "attribution.yaml"
    path.write_text(path.read_text().replace("repeat_days: 1", "repeat_days: 2"))
    built = pipeline.build(profile, as_of=as_of, mode="incremental")
    assert "another than at the last build" in str(built.full_because)
    assert "that is quicker" in str(pipeline.build(profile, as_of=as_of).full_because)


def test_old_days_that_drifted_close_the_gate(tmp_path: Path) -> None:
    company = RoughCompany(4, people=25)
    profile = with_caps(tmp_path)
    as_of = load(profile, company.loads[:30])
    pipeline.build(profile, as_of=as_of)
    as_of = load(profile, company.loads[30:31])
    pipeline.build(profile, as_of=as_of, mode="incremental")
    with open_warehouse(profile, Work("verify", "rough")) as warehouse:
        days = [
            row["day"]
            for row in warehouse.query(
                "select distinct report_date as day from marts.funnel_daily "
                "where report_date >= date '2026-01-01'"
            )
        ]
        verified = verify_old_days(profile, warehouse, days)
        assert verified is not None
        assert len(verified.days) > 25
        assert verified.differing == {}
        chosen = verify_old_days(profile, warehouse)
        assert chosen is not None
        # Somebody mends a figure by hand.
        warehouse.execute(
            "update marts.funnel_daily set real_leads = real_leads + 1 where report_date = @day",
            {"day": chosen.days[0]},
        )
    with pytest.raises(GateFailed, match="old days computed anew from raw are what is stored"):
        pipeline.check(profile, "marts")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 112))
def test_many_companies_day_by_day(tmp_path: Path, seed: int) -> None:
    _run_for_weeks(tmp_path, seed, random.Random(seed).choice([(1,), (3, 1), (7, 1, 30)]))
