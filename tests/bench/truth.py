"""The truth score: the pipeline's links, causes, credits, verdicts and judgements of simulated
worlds against what really happened in them. Definitions: docs/reference/truth-score.md.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench.truth_said import Campaign, Said
from tests.bench.truth_score import (
    CAUSE_EVENTS,
    CAUSE_SHARE,
    PRECISION,
    RECALL,
    TOLD,
    TruthScore,
    beyond,
    name_of,
    score,
)
from tests.bench.truth_verdicts import BURNING, GOOD
from tests.end_to_end.conftest import IDENTITY_KEY, Company, profile_in, served

SEEDS = (7, 11, 23)
DAYS = 90
WORKERS = 2

Print = Callable[[str, str], None]


def bench() -> None:
    """Print the score of the plain and the hard world at each seed, then the summary."""
    started = time.perf_counter()
    worlds = [(seed, hard) for hard in (False, True) for seed in SEEDS]
    # Fresh processes: the sandbox's server has a thread here, and a fork may not inherit it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        scores = list(pool.map(run, *zip(*worlds, strict=True)))
    for each in scores:
        _tell(each, _print)
    for hard in (False, True):
        _summarise([each for each in scores if each.is_hard is hard], _print)
    _print(f"the truth score of {len(worlds)} worlds", f"{time.perf_counter() - started:,.0f} s")


def run(seed: int, hard: bool) -> TruthScore:
    """Make a world that ended yesterday, pull it over HTTP, build, and score."""
    os.environ["TRUELINE_IDENTITY_KEY"] = IDENTITY_KEY
    from sandbox.world import World
    from trueline import pipeline
    from trueline.rulebook.book import load_rulebook

    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    world = World.make(seed, last_day=yesterday, days=DAYS, hard=hard)
    with tempfile.TemporaryDirectory() as folder, served(world) as url:
        company = Company(world, url, profile_in(Path(folder) / "data"))
        company.ingest(company.window)
        pipeline.build(company.profile, company.window)
        said = Said.read(company.profile.data_folder / "warehouse.duckdb")
        book = load_rulebook(company.profile.rulebook, company.profile.time_zone)
    return score(world, said, book.qualification.final_after_days)


def _tell(each: TruthScore, tell: Print) -> None:
    tell(
        f"truth, {'hard' if each.is_hard else 'plain'} world, seed {each.seed}",
        f"{each.events:,} tag events",
    )
    for kind, name in (("submission", "submissions"), ("visit", "visits"), ("record", "records")):
        link = each.links[kind]
        tell(
            f"  CRM record with {name}: {link.said:,} said, {link.linkable:,} linkable",
            f"p {link.precision:.4f}  r {link.recall:.4f}",
        )
        for why, count in sorted(link.not_linkable.items()):
            tell(f"    not linkable, {why}", f"{count:,}")
    causes = each.causes
    tell("  causes right, of delivered macro events", f"{causes.right:,} of {causes.events:,}")
    for (true, said), count in causes.confused.most_common(5):
        tell(f"    {true} taken for {said}", f"{count:,}")
    for which, cells in (("all told", causes.cells), ("knowable", causes.knowable)):
        missed = beyond(cells)
        tell(
            f"  causes per campaign within the aim, {which} events",
            f"{len(cells) - len(missed)} of {len(cells)}",
        )
        for cell in missed:
            tell(f"    {name_of(cell.campaign)}, {cell.cause}", cell.difference)
    for what, counts in (
        ("campaign told by no address", causes.untold),
        ("not linkable to their lead's record", causes.unlinkable),
    ):
        tell(f"    events {what}", f"{counts.total():,}")
    given = each.credits
    for why, count in given.leads.most_common():
        tell(f"  first-touch credit, {why}", f"{given.right[why]:,} of {count:,}")
    tell(
        "  credits at the wrong campaign, told / all leads",
        f"{given.error(TOLD):.1%} / {given.error('all'):.1%}",
    )
    verdicts = each.verdicts
    tell("  verdicts right", f"{verdicts.right:,} of {verdicts.leads:,}")
    tell("    leads glued to another's / leads too many", f"{verdicts.missing} / {verdicts.extra}")
    for (true, said), count in verdicts.confused.most_common(3):
        tell(f"    {true} taken for {said}", f"{count:,}")
    for source in (GOOD, BURNING):
        campaign = Campaign.of(source)
        cost, real = each.judgements.said[campaign], each.judgements.true[campaign]
        word = each.judgements.words.get(campaign, "no word")
        tell(
            f"  cost per qualified lead, mature, {source.campaign_name}: {word}",
            f"{cost.middle:,.0f} ({cost.low:,.0f} to {cost.high:,.0f}), true {real.middle:,.0f}",
        )


def _summarise(scores: list[TruthScore], tell: Print) -> None:
    which = "hard" if scores[0].is_hard else "plain"
    tell(f"truth, {which} worlds: median, worst of {len(scores)} seeds", "")

    def line(
        what: str, values: list[float], shown: str, *, high: bool, is_met: bool | None
    ) -> None:
        worst = min(values) if high else max(values)
        met = "" if is_met is None else "  met" if is_met else "  NOT MET"
        tell(
            f"  {what}", f"{format(statistics.median(values), shown)}, {format(worst, shown)}{met}"
        )

    precision = [each.links["all"].precision for each in scores]
    recall = [each.links["all"].recall for each in scores]
    line(
        f"link precision (aim {PRECISION})",
        precision,
        ".4f",
        high=True,
        is_met=min(precision) >= PRECISION,
    )
    line(
        f"link recall of the linkable (aim {RECALL})",
        recall,
        ".4f",
        high=True,
        is_met=min(recall) >= RECALL,
    )
    for which, missed in (
        ("knowable", [float(len(beyond(each.causes.knowable))) for each in scores]),
        ("all", [float(len(beyond(each.causes.cells))) for each in scores]),
    ):
        line(
            f"causes per campaign beyond {CAUSE_SHARE:.0%} or {CAUSE_EVENTS}, {which} (aim 0)",
            missed,
            ".0f",
            high=False,
            is_met=not any(missed),
        )
    line(
        "causes right",
        [each.causes.right / each.causes.events for each in scores],
        ".4f",
        high=True,
        is_met=None,
    )
    line(
        "credits at the wrong campaign, leads told",
        [each.credits.error(TOLD) for each in scores],
        ".4f",
        high=False,
        is_met=None,
    )
    line(
        "credits at the wrong campaign, all leads",
        [each.credits.error("all") for each in scores],
        ".4f",
        high=False,
        is_met=None,
    )
    line(
        "verdicts right",
        [each.verdicts.right / each.verdicts.leads for each in scores],
        ".4f",
        high=True,
        is_met=None,
    )
    apart = [float(each.judgements.is_told_apart) for each in scores]
    line("good and burning campaign told apart (aim 1)", apart, ".0f", high=True, is_met=all(apart))


def _print(what: str, value: str) -> None:
    print(f"{what:<68}{value:>40}", flush=True)


if __name__ == "__main__":
    bench()
