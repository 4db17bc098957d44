"""The scale world at its smallest: made again it is the same, and a build finds life in it."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from tests.bench.scale_world import FULL, fill, morning_after, profile_for
from trueline.model.catalog import load_catalog
from trueline.pipeline import build
from trueline.settings.profile import Profile

LAST_DAY = date(2026, 3, 31)
SIZE = FULL.share(0.02).over(10)


@pytest.fixture(scope="module", autouse=True)
def _identity_key():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_IDENTITY_KEY", "only-for-these-tests-" * 3)
        yield


def _filled(folder: Path) -> Profile:
    profile = profile_for(folder, "1GB")
    fill(profile, SIZE.days, SIZE.events, SIZE.touches, SIZE.leads, LAST_DAY)
    return profile


def test_a_filled_world_is_the_same_again_and_everything_happens_in_it(tmp_path: Path) -> None:
    first, again = _filled(tmp_path / "first"), _filled(tmp_path / "again")
    build(first, as_of=morning_after(LAST_DAY), mode="full")
    with duckdb.connect() as worlds:
        for name, profile in (("first", first), ("again", again)):
            path = profile.data_folder / "warehouse.duckdb"
            worlds.execute(f"attach '{path}' as {name} (read_only)")
        for table in load_catalog().values():
            if table.layer == "raw":
                ((differing,),) = worlds.execute(
                    "select count(*) from "
                    f"(from first.{table.key} except all from again.{table.key})"
                ).fetchall()
                assert differing == 0, table.key
        ((events, touches),) = worlds.execute(
            "select (select count(*) from first.raw.tag_events), "
            "(select count(*) from first.raw.touches)"
        ).fetchall()
        assert events == pytest.approx(SIZE.events, rel=0.05)
        assert touches == pytest.approx(SIZE.touches, rel=0.1)

        def told(column: str, table: str) -> set[str]:
            rows = worlds.execute(f"select distinct {column} from first.{table}").fetchall()
            return {value for (value,) in rows}

        assert told("cause", "identity.event_causes") == {
            "bot",
            "internal_or_test",
            "duplicate_submission",
            "made_lead",
            "same_person",
            "existing_lead",
            "awaiting_crm",
            "no_crm_record",
            "micro",
        }
        assert {"observed", "unobserved"} <= told("observation", "identity.leads")
        assert {"qualified", "disqualified", "pending"} == told(
            "verdict", "qualification.lead_verdicts"
        )
