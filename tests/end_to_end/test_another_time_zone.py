"""A company that counts in Tokyo while its ad accounts cut their days in Berlin."""

from __future__ import annotations

from pathlib import Path

from sandbox.world import World
from tests.end_to_end.conftest import Company, profile_in, served
from trueline.report.headline import headline
from trueline.report.rows import Place, figure_rows
from trueline.warehouse import open_reader


def test_what_midnight_moves_is_told_apart_and_leads_to_its_rows(
    small_world: World, tmp_path: Path
) -> None:
    profile = profile_in(tmp_path / "data")
    settings = profile.settings.model_copy(update={"time_zone": "Asia/Tokyo"})
    profile = profile.model_copy(update={"settings": settings})
    with served(small_world) as url:
        company = Company(small_world, url, profile)
        company.run(company.window)
    with open_reader(profile) as reader:
        rows = reader.query("select * from marts.pixel_to_real_gap")
        by_day = headline(reader, "day")
        shifted = figure_rows(reader, "day_shift", Place())
        rest = figure_rows(reader, "claimed_not_observed_rest", Place())
    assert sum(abs(row["day_shift"]) for row in rows) > 20
    for row in rows:
        parts = (row["view_through"] or 0) + row["day_shift"] + row["claimed_not_observed_rest"]
        assert parts == row["claimed_not_observed"]
    # Over all days nothing is left but what crosses the first and the last midnight.
    assert abs(by_day.totals["day_shift"]) <= 3
    assert {row["amount"] for row in shifted.rows} == {-1, 1}
    assert rest.figure == by_day.totals["claimed_not_observed_rest"]
