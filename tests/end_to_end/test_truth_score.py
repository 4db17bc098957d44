"""The demo's company against its truth: the aims of docs/reference/truth-score.md hold."""

from __future__ import annotations

import pytest

from tests.bench.truth_links import LINKABLE, Evidence, Thing, score_links
from tests.bench.truth_said import Said
from tests.bench.truth_score import (
    PRECISION,
    RECALL,
    TOLD,
    TruthScore,
    beyond,
    score,
)
from tests.end_to_end.conftest import Company
from trueline.rulebook.book import load_rulebook


@pytest.fixture(scope="module")
def truth(company: Company) -> TruthScore:
    said = Said.read(company.profile.data_folder / "warehouse.duckdb")
    book = load_rulebook(company.profile.rulebook, company.profile.time_zone)
    return score(company.world, said, book.qualification.final_after_days)


@pytest.mark.parametrize("kind", ["all", "submission", "visit", "record"])
def test_what_the_data_can_link_is_linked_and_nothing_else(truth: TruthScore, kind: str) -> None:
    link = truth.links[kind]
    assert link.linkable > 50
    assert link.precision >= PRECISION
    assert link.recall >= RECALL


def test_some_links_cannot_be_known(truth: TruthScore) -> None:
    # Otherwise the world is too kind for its recall to mean anything.
    assert truth.links["all"].not_linkable.total() > 100


def test_every_cause_of_every_campaign_is_within_the_aim(truth: TruthScore) -> None:
    assert len(truth.causes.knowable) > 50
    assert [str(cell) for cell in beyond(truth.causes.knowable)] == []
    # Those that the data cannot link to their lead look like a stranger's.
    assert 0 < truth.causes.unlinkable.total() < 0.02 * truth.causes.events


def test_a_first_contact_that_can_be_known_gets_the_credit(truth: TruthScore) -> None:
    assert truth.credits.leads[TOLD] > 1_500
    assert truth.credits.right[TOLD] >= 0.99 * truth.credits.leads[TOLD]
    assert truth.credits.error(TOLD) <= 0.01


def test_verdicts_are_the_true_ones_at_the_moment_of_the_build(truth: TruthScore) -> None:
    assert truth.verdicts.leads > 2_000
    assert truth.verdicts.right >= 0.99 * truth.verdicts.leads
    assert truth.verdicts.missing == 0


def test_the_burning_and_the_good_campaign_are_told_apart(truth: TruthScore) -> None:
    assert truth.judgements.is_told_apart


def test_a_link_through_what_a_stranger_also_bears_cannot_be_known() -> None:
    anna, bert = 1, 2
    record = Thing("record", "100", "", anna, (("phone", "+492214710001"), ("record", "100")))
    form = Thing("submission", "e1#1", "", anna, (("phone", "+492214710001"),))
    other = Thing("submission", "e2#1", "", bert, (("phone", "+492214710001"),))
    alone = Evidence([record, form])
    assert alone.of(record, form) == LINKABLE
    shared = Evidence([record, form, other])
    assert shared.of(record, form) == "shared with others"
    glued = score_links([record, form, other], shared, lambda thing: "one")["all"]
    assert (glued.said, glued.said_right, glued.linkable) == (2, 1, 0)
    apart = score_links([record, form], alone, lambda thing: thing.key)["all"]
    assert (apart.said, apart.linkable, apart.found) == (0, 1, 0)
