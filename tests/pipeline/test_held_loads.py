"""A report that is suddenly small waits for a person; an account that fails, fails alone."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from trueline import pipeline
from trueline.errors import ConfigurationError, RetriableError, TruelineError
from trueline.paths import home
from trueline.pipeline.guard import _Day, too_small
from trueline.pipeline.loads import newest_loads
from trueline.settings.profile import Profile, load_profile
from trueline.sources.base import AccountFailed, Batch, Coverage, Record
from trueline.windows import Window

DAYS = [date(2026, 11, day) for day in (1, 2, 3)]
WINDOW = Window(DAYS[0], DAYS[-1])
MAPPING = """
kind: ad_report
format: csv
constants:
  {platform: google_ads, account_id: "1", currency_code: EUR, account_time_zone: Europe/Berlin}
fields:
  campaign_id: campaign
  platform_date: day
  cost_micros: {column: cost, multiply: 1000000}
  impressions: impressions
  clicks: clicks
"""


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    monkeypatch.setenv("TRUELINE_IDENTITY_KEY", "k" * 40)
    (tmp_path / "report.yaml").write_text(MAPPING)
    (tmp_path / "profile.yaml").write_text(
        textwrap.dedent(
            """
            name: held
            time_zone: Europe/Berlin
            currency: EUR
            rulebook: RULEBOOK
            warehouse: {engine: duckdb, folder: FOLDER}
            sources:
              ads:
                type: files
                files: [{path: "report-*.csv", mapping: report.yaml}]
            """
        )
        .replace("RULEBOOK", str(home() / "config" / "rulebook"))
        .replace("FOLDER", str(tmp_path / "data"))
    )
    return load_profile(tmp_path / "profile.yaml")


def _report(
    profile: Profile, number: int, campaigns: int, days: list[date], cost: int = 10
) -> None:
    lines = ["campaign,day,cost,impressions,clicks"]
    lines += [f"c{each},{day},{cost},1000,30" for each in range(campaigns) for day in days]
    (profile.root / f"report-{number}.csv").write_text("\n".join(lines) + "\n")


def _pulled(profile: Profile) -> dict[str, Any]:
    return pipeline.ingest(profile, "ads", WINDOW).as_dict()


def _cost(profile: Profile) -> dict[date, int]:
    """Cost per day in units, of the loads that count."""
    pipeline.build(profile, WINDOW)
    with duckdb.connect(str(profile.data_folder / "warehouse.duckdb"), read_only=True) as found:
        return dict(
            found.execute(
                "select report_date, sum(cost_micros) // 1000000 from staging.stg_ads__delivery "
                "group by 1 order by 1"
            ).fetchall()
        )


@pytest.mark.parametrize(
    ("campaigns", "cost", "reason"),
    [
        (4, 10, "too_small: 12 rows where 30 were"),
        (10, 6, "too_small: 60% of the cost before"),
    ],
)
def test_a_small_report_waits_and_the_good_one_stands(profile, campaigns, cost, reason) -> None:
    _report(profile, 1, 10, DAYS)
    _pulled(profile)
    _report(profile, 2, campaigns, DAYS, cost)
    assert _pulled(profile)["held"] == 1
    newest = newest_loads(profile, 1)[0]
    assert (newest["status"], newest["reason"]) == ("held", reason)
    assert _cost(profile) == dict.fromkeys(DAYS, 100)


def test_one_cut_day_of_many_is_enough(profile) -> None:
    _report(profile, 1, 10, DAYS)
    _pulled(profile)
    _report(profile, 2, 10, DAYS[:2])
    with (profile.root / "report-2.csv").open("a") as file:
        file.write(f"c0,{DAYS[2]},10,1000,30\n")  # 21 of 30 rows are 70 percent
    assert _pulled(profile)["held"] == 1
    reason = newest_loads(profile, 1)[0]["reason"]
    assert reason == f"too_small: 1 rows for {DAYS[2]} where 10 were"
    assert _cost(profile) == dict.fromkeys(DAYS, 100)


def test_a_person_lets_it_count_or_takes_it_back(profile) -> None:
    _report(profile, 1, 10, DAYS)
    _pulled(profile)
    _report(profile, 2, 10, DAYS, cost=5)
    _pulled(profile)
    held = newest_loads(profile, 1)[0]["load_id"]
    pipeline.decide_load(profile, held, "accepted", "bids were halved")
    assert _cost(profile) == dict.fromkeys(DAYS, 50)
    # From now on this is what the next report is compared with.
    _report(profile, 3, 10, DAYS, cost=4)
    assert _pulled(profile)["held"] == 0
    assert _cost(profile) == dict.fromkeys(DAYS, 40)
    pipeline.decide_load(profile, held, "rejected", "it was an outage after all")
    with pytest.raises(ConfigurationError, match="is rejected, so it cannot be accepted"):
        pipeline.decide_load(profile, held, "accepted", "again")


def test_the_same_file_again_is_not_asked_about_twice(profile) -> None:
    _report(profile, 1, 10, DAYS)
    _pulled(profile)
    _report(profile, 2, 2, DAYS)
    _pulled(profile)
    (profile.root / "report-3.csv").write_bytes((profile.root / "report-2.csv").read_bytes())
    assert _pulled(profile) | {"window": ""} == {
        "source": "ads",
        "window": "",
        "loads": 0,
        "skipped": 3,
        "held": 0,
        "accounts_failed": 0,
        "rows_received": 0,
        "rows_loaded": 0,
        "rows_quarantined": 0,
    }


def test_an_empty_day_with_cost_is_missing_not_zero() -> None:
    before = {DAYS[0]: _Day(2, 5_000_000), DAYS[1]: _Day(2, 0), DAYS[2]: _Day(3, 0)}
    share = Decimal("0.7")
    assert too_small(before, {}, share, by_day=True) == (
        "empty_day: nothing for 2026-11-01, which had cost"
    )
    # Few rows and no cost say nothing; a claim may be taken back.
    assert too_small({DAYS[1]: _Day(2, 0)}, {}, share, by_day=True) is None
    assert too_small(before, {}, share, by_day=False) is None


def test_credits_and_growth_are_not_suspicious() -> None:
    before = {DAYS[0]: _Day(20, 100)}
    share = Decimal("0.7")
    assert too_small(before, {DAYS[0]: _Day(40, 100)}, share, by_day=True) is None
    assert too_small(before, {DAYS[0]: _Day(20, -50)}, share, by_day=True) is None
    assert too_small(before, {DAYS[0]: _Day(14, 70)}, share, by_day=True) is None
    assert too_small(before, {DAYS[0]: _Day(13, 100)}, share, by_day=True) is not None


class Accounts:
    """A source of two accounts, of which some fail half-way."""

    name = "ads"

    def __init__(self, failing: dict[str, TruelineError]) -> None:
        self.failing = failing

    def pull(self, window: Window) -> Iterator[Batch | AccountFailed]:
        for account in ("1", "2"):
            row = {
                "platform": "google_ads",
                "account_id": account,
                "campaign_id": "c",
                "platform_date": DAYS[0],
                "cost_micros": 7_000_000,
                "impressions": 1,
                "clicks": 1,
                "currency_code": "EUR",
                "account_time_zone": "Europe/Berlin",
            }
            yield Batch("ad_delivery", [Record(1, row)], account_id=account)
            if account in self.failing:
                yield AccountFailed(account, self.failing[account], ("ad_delivery",))
            else:
                covered = Coverage("delivery", "google_ads", account, DAYS[0], DAYS[2])
                yield Batch("ad_delivery", (), account_id=account, coverage=(covered,))


def test_a_broken_account_fails_alone(profile, monkeypatch, caplog) -> None:
    broken = ConfigurationError("Google does not let us in.", where="2", fix="Ask its owner.")
    monkeypatch.setattr(
        sys.modules["trueline.pipeline.ingest"],
        "build_source",
        lambda *_, **__: Accounts({"2": broken}),
    )
    counts = _pulled(profile)
    assert (counts["loads"], counts["accounts_failed"], counts["rows_loaded"]) == (1, 1, 1)
    assert "account 2 was left out" in caplog.text
    assert "Ask its owner" in caplog.text
    states = {row["account_id"]: row["status"] for row in newest_loads(profile, 5)}
    assert states == {"1": "loaded", "2": "failed"}
    # Its half-pulled row is nowhere.
    assert _cost(profile) == {DAYS[0]: 7}


def test_when_all_accounts_fail_the_pull_does(profile, monkeypatch) -> None:
    failing: dict[str, TruelineError] = {
        "1": ConfigurationError("No access."),
        "2": RetriableError("Busy.", retry_after_seconds=40),
    }
    monkeypatch.setattr(
        sys.modules["trueline.pipeline.ingest"], "build_source", lambda *_, **__: Accounts(failing)
    )
    with pytest.raises(RetriableError, match=r"Busy\.") as told:
        _pulled(profile)
    assert told.value.retry_after_seconds == 40
    assert newest_loads(profile, 5) == []
