"""The rules of qualification again, in plain Python over one person: slow, obvious, and its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from trueline.rulebook import Rulebook

Row = dict[str, Any]


@dataclass
class Person:
    """One lead with everything that its CRM records say."""

    lead: Row
    records: list[Row] = field(default_factory=list)
    stages: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Word:
    """What one stage change says."""

    at: datetime
    verdict: str
    reason: str | None
    stage: str
    record: str


def read_stage(rulebook: Rulebook, stage: Row) -> tuple[str, str | None] | None:
    """The verdict and reason of a stage; None where the rulebook does not know it."""
    fitting = [
        rule
        for rule in rulebook.qualification.stage_verdicts
        if rule.stage == stage["stage"]
        and rule.crm in (None, stage["crm"])
        and rule.stage_reason in (None, stage["stage_reason"])
    ]
    if not fitting:
        return None
    best = max(fitting, key=lambda rule: (rule.stage_reason is not None, rule.crm is not None))
    return best.verdict, best.reason


def history_of(person: Person, record: Row) -> str:
    """The record in which a merged one goes on."""
    living = sorted(
        each["crm_record_id"] for each in person.records if each["merged_into_record_id"] is None
    )
    into = record["merged_into_record_id"]
    if into is None or not living:
        return str(record["crm_record_id"])
    return str(into if into in living else living[0])


def words_by_history(person: Person, rulebook: Rulebook) -> dict[str, list[Word]]:
    found: dict[str, list[Word]] = {}
    for record in person.records:
        words = found.setdefault(history_of(person, record), [])
        for stage in person.stages:
            said = read_stage(rulebook, stage)
            if stage["crm_record_id"] != record["crm_record_id"] or said is None:
                continue
            since_creation = abs(stage["changed_at"] - record["crm_created_at"])
            if said[0] == "pending" and since_creation <= timedelta(minutes=1):
                continue
            words.append(Word(stage["changed_at"], *said, stage["stage"], record["crm_record_id"]))
    for words in found.values():
        words.sort(key=lambda word: (word.at, word.verdict != "pending", word.stage, word.record))
    return _without_known_doubles(person, found)


def _without_known_doubles(person: Person, found: dict[str, list[Word]]) -> dict[str, list[Word]]:
    def is_marked(history: str) -> bool:
        return bool(found[history]) and found[history][-1].reason == "marked_duplicate"

    def is_worked(history: str) -> bool:
        if is_marked(history):
            return False
        if found[history] and found[history][-1].verdict != "pending":
            return True
        members = [each for each in person.records if history_of(person, each) == history]
        heads = [each for each in members if each["merged_into_record_id"] is None]
        return not all(each["is_deleted"] for each in heads or members)

    if not any(is_worked(history) for history in found):
        return found
    return {
        history: [
            Word(word.at, "pending", None, word.stage, word.record)
            if is_marked(history) and word.reason == "marked_duplicate"
            else word
            for word in words
        ]
        for history, words in found.items()
    }


def human_timeline(person: Person, rulebook: Rulebook) -> list[tuple[datetime, str, str | None]]:
    """Every change of what people say, replayed moment by moment."""
    histories = words_by_history(person, rulebook).values()
    timeline: list[tuple[datetime, str, str | None]] = []
    standing: tuple[str, str | None] = ("pending", None)
    for moment in sorted({word.at for words in histories for word in words}):
        newest = [
            [word for word in words if word.at <= moment][-1]
            for words in histories
            if any(word.at <= moment for word in words)
        ]
        judged = [word for word in newest if word.verdict != "pending"]
        now: tuple[str, str | None] = ("pending", None)
        if judged:
            last = max(judged, key=lambda word: (word.at, word.record))
            now = (last.verdict, last.reason)
        if now != standing:
            timeline.append((moment, *now))
            standing = now
    return timeline


def declared_scores(person: Person) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    order = sorted(
        person.records,
        key=lambda each: (
            each["merged_into_record_id"] is None,
            each["crm_created_at"],
            each["crm_record_id"],
        ),
    )
    for record in order:
        for criterion in ("fit", "budget", "authority", "need", "timing", "interest", "intent"):
            if record[criterion] is not None:
                found[criterion] = Fraction(record[criterion])
    return found


def verdict(person: Person, rulebook: Rulebook, as_of: datetime) -> Row:
    """verdict, reason, decided_by and decided_at of one person."""
    rules, lead = rulebook.qualification, person.lead
    timeline = human_timeline(person, rulebook)
    last_change = timeline[-1][0] if timeline else None
    final_at = lead["lead_at"] + timedelta(days=rules.final_after_days)
    rule_speaks_at = last_change or lead["crm_created_at"]

    def told(what: str, reason: str | None, by: str, at: datetime | None) -> Row:
        return {"verdict": what, "reason": reason, "decided_by": by, "decided_at": at}

    if timeline and timeline[-1][1] != "pending":
        return told(timeline[-1][1], timeline[-1][2], "human", last_change)
    if lead["is_deleted"]:
        newest = max((stage["changed_at"] for stage in person.stages), default=None)
        return told("disqualified", "deleted_in_crm", "deletion", newest or lead["crm_created_at"])
    scores = declared_scores(person)
    hard = [
        rule.reason
        for rule in rules.hard_disqualifiers
        if rule.criterion in scores and scores[rule.criterion] < rule.below
    ]
    if hard:
        first = min(hard, key=rules.reason_order.index)
        return told("disqualified", first, "hard_disqualifier", rule_speaks_at)

    outweighed = {
        rule.outweighs
        for rule in rules.overrides
        if scores.get(rule.criterion, Fraction(-1)) >= rule.at_least
        and scores.get(rule.outweighs, Fraction(-1)) < rules.score.qualified_from
    }
    weights = {name: Fraction(weight) for name, weight in rules.score.weights.items()}
    covered = sum(weights.get(name, Fraction()) for name in scores.keys() | outweighed)
    judged = {
        name: value
        for name, value in scores.items()
        if name not in outweighed and weights.get(name)
    }
    if judged and covered >= rules.score.min_coverage:
        weight = sum(weights[name] for name in judged)
        score = sum(value * weights[name] for name, value in judged.items()) / weight
        if score >= rules.score.qualified_from:
            return told("qualified", None, "override" if outweighed else "score", rule_speaks_at)
        if score < (rules.score.disqualified_below or 0):
            weakest = min(
                judged,
                key=lambda name: (
                    judged[name],
                    rules.reason_order.index(rules.criterion_reasons[name]),  # type: ignore[index]
                ),
            )
            reason = rules.criterion_reasons[weakest]  # type: ignore[index]
            return told("disqualified", reason, "score", rule_speaks_at)
    if final_at <= as_of:
        return told("disqualified", "undecided", "clock", max(final_at, last_change or final_at))
    return told("pending", None, "nobody", None)
