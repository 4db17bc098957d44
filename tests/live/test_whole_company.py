"""A company's whole pipeline on BigQuery: the same tables and the same report as on DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pytest

from sandbox.world import World
from tests.end_to_end.conftest import Company, profile_in, served
from tests.live.findings import FINDINGS
from tests.live.rows import first_differences, rows_of
from tests.live.target import Target
from trueline import pipeline
from trueline.cost.estimate import Estimator
from trueline.cost.linear import total
from trueline.cost.queries import Query, Step
from trueline.cost.reads import scans
from trueline.cost.sizes import Sizes, history_days, measure
from trueline.model.catalog import build_order, load_catalog
from trueline.pipeline.build import run_parameters
from trueline.report.headline import headline
from trueline.rulebook import load_rulebook
from trueline.warehouse import Warehouse, Work, open_reader, open_warehouse
from trueline.warehouse.bigquery.access import own_place
from trueline.warehouse.places import with_places
from trueline.windows import utc_now

# When and by which load a row came differs between two runs; what it says must not.
PROVENANCE = frozenset({"load_id", "loaded_at", "as_of"})
BY = ("channel", "campaign", "day", "week", "month")
# Of a small table: a column that an optimiser finds to be needless, not a table more or less.
SLACK = 0.05
MIB = 1024**2


@dataclass(frozen=True)
class Twins:
    """The same company on both engines, ingested, built and published."""

    bigquery: Company
    duckdb: Company


@pytest.fixture(scope="package")
def twins(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    days, size = (12, 0.3) if target.is_real else (4, 0.1)
    world = World.make(11, last_day=date(2026, 3, 31), days=days, size=size)
    with served(world) as url:
        embedded = Company(world, url, profile_in(tmp_path_factory.mktemp("duckdb")))
        embedded.run(embedded.window)
        company = Company(world, url, target.profile)
        company.ingest(company.window)
        pipeline.check(target.profile, "raw")
        pipeline.build(target.profile, company.window)
        pipeline.check(target.profile, "marts")
        pipeline.publish(target.profile)
        pipeline.check(target.profile, "activation")
        yield Twins(company, embedded)


def _differences(twins: Twins) -> list[tuple[str, str]]:
    found = []
    with (
        open_warehouse(twins.bigquery.profile, Work("look", "look")) as there,
        open_warehouse(twins.duckdb.profile, Work("look", "look")) as here,
    ):
        for table in build_order(load_catalog()):
            if "load_id" in table.grain:
                continue
            names = [each.name for each in table.columns if each.name not in PROVENANCE]
            rows = (rows_of(here, table, PROVENANCE), rows_of(there, table, PROVENANCE))
            found += [(table.key, told) for told in first_differences(*rows, names)]
    return found


def test_the_same_tables(twins: Twins) -> None:
    with open_warehouse(twins.duckdb.profile, Work("look", "look")) as here:
        assert len(rows_of(here, load_catalog()["marts.funnel_daily"])) > 10
    FINDINGS.refuse(
        "company", _differences(twins), looked_at=f"{len(build_order(load_catalog()))} built tables"
    )


def test_the_same_report_and_the_same_plan(twins: Twins) -> None:
    found = []
    with (
        open_reader(twins.bigquery.profile) as there,
        open_reader(twins.duckdb.profile) as here,
    ):
        for by in BY:
            mine, theirs = headline(here, by), headline(there, by)  # type: ignore[arg-type]
            assert mine.rows
            if (mine.rows, mine.totals) != (theirs.rows, theirs.totals):
                found.append((f"report by {by}", f"{mine.totals} and {theirs.totals}"))
    plans = [pipeline.plan_upload(each.profile).rows for each in (twins.duckdb, twins.bigquery)]
    assert plans[0]
    if plans[0] != plans[1]:
        found.append(("upload plan", f"{plans[0]} and {plans[1]}"))
    FINDINGS.refuse("report", found, looked_at=f"{len(BY)} reports and the upload's plan")


def test_a_moved_history_changes_no_table(twins: Twins, target: Target) -> None:
    """All loads of the twin come too: the newest version of every row still wins."""
    moved = pipeline.move_history(twins.duckdb.profile, target.profile)
    assert moved.loads > 5
    pipeline.build(target.profile, twins.bigquery.window)
    FINDINGS.refuse("move", _differences(twins), looked_at=f"{moved.loads} loads moved")


def test_a_build_reads_what_trueline_cost_says(twins: Twins, target: Target) -> None:
    """By BigQuery's dry run: a column counts once per query at least, per mention at most."""
    catalog = load_catalog()
    with open_warehouse(target.profile, Work("measure", "measure")) as warehouse:
        estimator = _estimator(warehouse)
    rulebook = load_rulebook(target.profile.rulebook, target.profile.time_zone)
    parameters = run_parameters(target.profile, rulebook, utc_now())
    jobs, place = target.jobs("bytes"), own_place(target.settings)
    found, read, least, most = [], 0, 0.0, 0.0
    for table in build_order(catalog):
        query = Query(Step.BUILD, table.key, scans(str(table.query), catalog))
        days = estimator.sizes.history_days
        once = total([estimator.once(query)]).at(days, days)
        mentions = total([estimator.query(query)]).at(days, days)
        bytes_read = jobs.estimate(with_places(str(table.query), place), parameters)
        read, least, most = read + bytes_read, least + once, most + mentions
        if not once * (1 - SLACK) <= bytes_read <= mentions * (1 + SLACK):
            told = f"{bytes_read:,} bytes read, not {once:,.0f} to {mentions:,.0f}"
            found.append((table.key, told))
    assert read > 10_000
    told = f"{read / MIB:.2f} MiB read, {least / MIB:.2f} to {most / MIB:.2f} expected"
    FINDINGS.refuse("bytes of a build", found, looked_at=told)


def _estimator(warehouse: Warehouse) -> Estimator:
    catalog = load_catalog()
    tables = [
        table
        for table in catalog.values()
        if table.kind == "table" and table.layer != "raw_restricted"
    ]
    sizes = measure(warehouse, tables)
    return Estimator(catalog, Sizes(sizes, history_days(sizes), "measured"))
