"""Random people, judged by the queries on DuckDB and again by the plain rules: no difference."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.qualification.reference import Person, Row, human_timeline, verdict
from trueline.model.cases import Case, give
from trueline.model.catalog import build_order, load_catalog
from trueline.model.parameters import HISTORY_START
from trueline.paths import home
from trueline.rulebook import Rulebook, load_rulebook
from trueline.rulebook.qualification import CRITERIA, Override
from trueline.warehouse.duckdb import in_memory

AS_OF = datetime(2026, 11, 20, 6, tzinfo=UTC)
STAGES = ("NEW", "OPEN", "CONNECTED", "QUALIFIED", "UNQUALIFIED", "BAD_TIMING", "IN_TRIAL")
STAGE_REASONS = (None, "spam", "duplicate", "no_budget", "moved to mars")
PEOPLE = 150
PATHS = {"human", "deletion", "hard_disqualifier", "override", "score", "clock", "nobody"}


def _rulebook(rng: random.Random) -> Rulebook:
    """The default one with other thresholds: low enough that all of them are met."""
    rulebook = load_rulebook(home() / "config" / "rulebook", "Europe/Berlin")
    rules = rulebook.qualification
    score = rules.score.model_copy(
        update={
            "min_coverage": Decimal(rng.choice(("0.3", "0.55", "0.8"))),
            "qualified_from": Decimal("0.5"),
            "disqualified_below": rng.choice((None, Decimal("0.35"), Decimal("0.5"))),
        }
    )
    overrides = (
        Override(criterion="intent", at_least=Decimal("0.75"), outweighs="budget"),
        Override(criterion="need", at_least=Decimal("0.75"), outweighs="authority"),
        Override(criterion="fit", at_least=Decimal("1"), outweighs="budget"),
    )
    changed = rules.model_copy(update={"score": score, "overrides": overrides})
    return replace(rulebook, qualification=changed)


def _person(rng: random.Random, number: int) -> Person:
    """Few moments, records and scores, so that everything collides."""
    name = f"p{number:04d}"
    lead_at = AS_OF - timedelta(days=rng.choice((1, 30, 59, 60, 90)))
    moments = [lead_at + timedelta(hours=12 * step) for step in range(-1, 6)]
    records = []
    for position in range(rng.choice((1, 1, 2, 3))):
        declares = rng.random() < 0.6
        records.append(
            {
                "crm": "hubspot",
                "crm_record_id": f"{name}-{position}",
                "crm_created_at": rng.choice(moments),
                "merged_into_record_id": None,
                "is_deleted": rng.random() < 0.15,
                **{
                    criterion: Decimal(rng.choice(("0", "0.1", "0.25", "0.5", "0.75", "1")))
                    if declares and rng.random() < 0.7
                    else None
                    for criterion in CRITERIA
                },
            }
        )
    for record in records[1:]:
        if rng.random() < 0.35:
            record["merged_into_record_id"] = rng.choice(
                [each["crm_record_id"] for each in records if each is not record] + ["unheard of"]
            )
    told = {}
    for record in records:
        for _ in range(rng.choice((0, 1, 2, 3, 5))):
            at = rng.choice([*moments, record["crm_created_at"] + timedelta(seconds=30)])
            stage = rng.choice(STAGES)
            told[record["crm_record_id"], stage, at] = {
                "crm": "hubspot",
                "crm_record_id": record["crm_record_id"],
                "stage": stage,
                "stage_reason": rng.choice(STAGE_REASONS) if stage == "UNQUALIFIED" else None,
                "changed_at": at,
            }
    lead = {
        "lead_key": f"hubspot:{name}-0",
        "person_key": name,
        "lead_at": lead_at,
        "crm_created_at": min(record["crm_created_at"] for record in records),
        "report_date": lead_at.date(),
        "is_deleted": all(record["is_deleted"] for record in records),
    }
    return Person(lead, records, list(told.values()))


def _judge(people: list[Person], rulebook: Rulebook) -> Mapping[str, list[Row]]:
    """All tables of the qualification layer, built on an empty DuckDB."""
    catalog = load_catalog()
    steps = [table for table in build_order(catalog) if table.layer == "qualification"]
    parameters: dict[str, Any] = {
        **rulebook.parameters(AS_OF),
        "history_start": HISTORY_START,
        "reporting_currency": "EUR",
        "rules_version": "v1",
    }
    rules = rulebook.tables(str, str, str)
    given: dict[str, list[Row]] = {
        **{
            f"rules.{name}": [{**row, "rules_version": "v1"} for row in rows]
            for name, rows in rules.items()
        },
        "identity.leads": [person.lead for person in people],
        "identity.person_nodes": [
            {
                "node": f"crm:hubspot:{record['crm_record_id']}",
                "person_key": person.lead["person_key"],
            }
            for person in people
            for record in person.records
        ],
        "staging.stg_crm__leads": [each for person in people for each in person.records],
        "staging.stg_crm__stages": [each for person in people for each in person.stages],
    }
    connection = in_memory()
    case = Case(Path("random people"), steps[-1], parameters, tuple(steps), given, [])
    give(connection, case, given)
    for step in steps:
        connection.rebuild(step, parameters)
    return {step.key: connection.query(f"select * from {step.key}") for step in steps}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_people_get_the_verdict_of_the_plain_rules(seed: int) -> None:
    rng = random.Random(seed)
    rulebook = _rulebook(rng)
    people = [_person(rng, number) for number in range(PEOPLE)]

    tables = _judge(people, rulebook)

    found = {row["lead_key"]: row for row in tables["qualification.lead_verdicts"]}
    timelines: dict[str, list[tuple[Any, ...]]] = {}
    for row in sorted(
        tables["qualification.human_verdicts"],
        key=lambda row: (row["lead_key"], row["change_number"]),
    ):
        change = (row["changed_at"], row["verdict"], row["reason"])
        timelines.setdefault(row["lead_key"], []).append(change)
    assert len(found) == PEOPLE
    paths = set()
    for person in people:
        key = person.lead["lead_key"]
        expected = verdict(person, rulebook, AS_OF)
        assert timelines.get(key, []) == human_timeline(person, rulebook), person
        assert {name: found[key][name] for name in expected} == expected, person
        paths.add(expected["decided_by"])
    assert paths == PATHS
    assert max(len(timeline) for timeline in timelines.values()) >= 3

    primary = [row for row in tables["qualification.verdict_reasons"] if row["is_primary"]]
    assert sorted(row["lead_key"] for row in primary) == sorted(found)
    for row in primary:
        told = found[row["lead_key"]]
        assert (row["rule"], row["verdict"], row["reason"]) == (
            told["decided_by"],
            told["verdict"],
            told["reason"],
        )


def test_a_person_alone_gets_what_they_get_among_others() -> None:
    rng = random.Random(4)
    rulebook = _rulebook(rng)
    people = [_person(rng, number) for number in range(60)]
    together = _judge(people, rulebook)
    some = people[::7]
    # Their rows in another order, too.
    alone = _judge(
        [
            Person(each.lead, each.records[::-1], sorted(each.stages, key=lambda row: row["stage"]))
            for each in some
        ],
        rulebook,
    )
    chosen = {each.lead["lead_key"] for each in some}
    for table in load_catalog().values():
        if table.layer == "qualification":
            expected = [row for row in together[table.key] if row["lead_key"] in chosen]
            assert expected
            assert sorted(map(repr, alone[table.key])) == sorted(map(repr, expected))
