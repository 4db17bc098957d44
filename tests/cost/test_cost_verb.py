"""``trueline cost``: an answer without any warehouse, a measured one with it, errors in words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import profile_in
from trueline.model.catalog import build_order, load_catalog
from trueline.warehouse import Work, open_warehouse


def trueline_cost(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_DATA", str(data))
        return subprocess.run(
            [sys.executable, "-m", "trueline", "cost", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )


def test_without_a_warehouse_an_example_answers_and_says_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = trueline_cost(data)
    assert done.returncode == 0, done.stderr
    assert "an example company" in done.stdout
    assert "reads all history (docs/decisions/0004)" in done.stdout
    assert "USD a month" in " ".join(done.stdout.split())
    assert [line for line in done.stdout.splitlines() if len(line) > 120] == []
    assert "…" not in done.stdout, "a cell was cut"
    for table in build_order(load_catalog()):
        assert f"build {table.key} " in done.stdout
    assert not data.exists(), "asking for the cost must not make a warehouse"


@pytest.mark.soak
def test_money_follows_the_price_and_bytes_the_days(tmp_path: Path) -> None:
    def rows(*arguments: str) -> dict[tuple[str, str], dict[str, float]]:
        told = json.loads(trueline_cost(tmp_path, "--format", "json", *arguments).stdout)["rows"]
        return {(row["step"], row["table"]): row for row in told}

    usual, dearer = rows(), rows("--price-per-tib", "12.5")
    key = ("build", "identity.origins")
    assert dearer[key]["usd"] == pytest.approx(2 * usual[key]["usd"], abs=1e-6)
    longer = rows("--history-days", "730")
    assert longer[key]["bytes"] / usual[key]["bytes"] == pytest.approx(730 / 90, rel=1e-3)
    wider = rows("--days-touched", "62")
    load = ("load", "raw.touches")
    assert wider[load]["bytes"] == pytest.approx(2 * usual[load]["bytes"], abs=1)
    assert wider[key]["bytes"] == usual[key]["bytes"]


def test_one_table_tells_columns_and_partitions_of_every_read(tmp_path: Path) -> None:
    told = json.loads(
        trueline_cost(tmp_path, "--table", "staging.stg_web__touches", "--format", "json").stdout
    )["rows"]
    raw = next(row for row in told if row["reads"] == "raw.touches")
    assert raw["step"] == "build"
    assert raw["columns_read"] < raw["columns_there"]
    assert "occurred_at" in raw["columns"]
    assert "_extra" not in raw["columns"]
    loaded = trueline_cost(tmp_path, "--table", "raw.touches")
    assert "build staging.stg_web__touches: raw.touches" in loaded.stdout


def test_an_embedded_warehouse_is_measured(tmp_path: Path) -> None:
    profile = profile_in(tmp_path / "data")
    with open_warehouse(profile, Work("test", "run-of-a-test")) as warehouse:
        warehouse.ensure_tables(load_catalog().values())
    done = trueline_cost(tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert "measured in the warehouse of profile demo" in done.stdout
    assert "is billed 0.00 GiB" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--table", "marts.moon"), "There is no table 'marts.moon'"),
        (("--sizes", "guessed"), "There are no sizes 'guessed'"),
        (("--sizes", "measured"), "There is no warehouse to measure yet"),
    ],
)
def test_a_wrong_call_says_what_to_do(
    arguments: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    done = trueline_cost(tmp_path, *arguments)
    assert told in done.stderr
    assert "What to do:" in done.stderr
    assert done.returncode == 2
