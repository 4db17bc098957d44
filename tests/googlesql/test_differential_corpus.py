"""The corpus: equal on both engines, or refused by name; and no rule that nothing needs."""

from __future__ import annotations

import random
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from tests.googlesql.analyser import Analyser
from tests.googlesql.differential import differences, on_duckdb
from tests.googlesql.differential_corpus import BothEngines, Entry, entries
from tests.googlesql.engine import Engine
from tests.googlesql.evaluator import Evaluator, Result
from tests.googlesql.inline import inline_statements
from tests.googlesql.two_engines import PAGE, render
from tests.googlesql.type_rules import difference
from tests.lint.banned import BANNED_FUNCTIONS, BANNED_PARTS
from trueline.model.catalog import load_catalog
from trueline.model.parameters import PARAMETERS
from trueline.warehouse.dialect import CORRECTIONS, Correction, translate
from trueline.warehouse.duckdb import in_memory

# Refused for another reason than that the engines differ on these rows.
_REFUSED_ANYWAY = (
    "no query reads the clock",
    "a second run",
    "a sample differs",
    "without order by",
    "which value is not said",
    "depends on the order of rows",
    "hides whose columns",
)


@pytest.fixture(scope="module")
def engines() -> BothEngines:
    return _engines()


@cache
def _engines() -> BothEngines:
    return BothEngines()


def _named(kind: str) -> list[object]:
    return [pytest.param(entry, id=entry.name) for entry in entries(kind)]


@pytest.mark.parametrize("entry", _named("equal"))
def test_both_engines_answer_alike(entry: Entry, engines: BothEngines) -> None:
    assert engines.refusals(entry.sql) == []
    assert isinstance(engines.by_googlesql(entry.sql), Result)
    assert engines.differences(entry.sql) == []


@pytest.mark.parametrize("entry", _named("refused"))
def test_what_differs_is_refused_by_name(entry: Entry, engines: BothEngines) -> None:
    told = engines.refusals(entry.sql)
    assert [each for each in told if entry.told in each], told


@pytest.mark.parametrize("entry", _named("fails_on_both"))
def test_both_engines_refuse_to_answer(entry: Entry, engines: BothEngines) -> None:
    assert engines.refusals(entry.sql) == []
    assert not isinstance(engines.by_googlesql(entry.sql), Result)
    assert not isinstance(engines.by_duckdb(entry.sql), Result)


@pytest.mark.parametrize("entry", _named("fails_on_one"))
def test_one_engine_fails_loudly_where_the_other_answers(
    entry: Entry, engines: BothEngines
) -> None:
    assert engines.refusals(entry.sql) == []
    failed = {
        "googlesql": not isinstance(engines.by_googlesql(entry.sql), Result),
        "duckdb": not isinstance(engines.by_duckdb(entry.sql), Result),
    }
    assert failed == {engine: engine == entry.failing_engine for engine in failed}


@pytest.mark.parametrize("correction", CORRECTIONS, ids=lambda each: each.name)
def test_without_the_correction_its_example_goes_wrong(
    correction: Correction, engines: BothEngines
) -> None:
    others = tuple(each for each in CORRECTIONS if each is not correction)
    example = next(each for each in entries("equal") if each.name == correction.example)
    assert engines.differences(example.sql, others) != []


def test_every_refusal_has_a_construct_on_which_the_engines_part(engines: BothEngines) -> None:
    parted: dict[str, bool] = defaultdict(bool)
    for entry in entries("refused"):
        if not any(reason in entry.told for reason in _REFUSED_ANYWAY):
            fails = not isinstance(engines.by_googlesql(entry.sql), Result)
            parted[entry.told] |= fails or engines.differences(entry.sql) != []
    assert [told for told, differs in parted.items() if not differs] == []


def test_every_banned_name_stands_in_the_corpus() -> None:
    refused = " ".join(entry.sql.lower() for entry in entries("refused"))
    names = [*BANNED_FUNCTIONS, *(part.lower() for part in BANNED_PARTS)]
    assert [name for name in names if name not in refused] == []


def test_every_call_of_the_product_stands_in_the_corpus(engines: BothEngines) -> None:
    """By name and types: a query that says something new needs an entry first."""
    catalog = load_catalog()
    tables = {key: [(c.name, c.type) for c in table.columns] for key, table in catalog.items()}
    analyser = Analyser(Engine(), tables, PARAMETERS)
    package = Path(in_memory.__code__.co_filename).parents[1]
    statements = [table.query for table in catalog.values() if table.query]
    statements += [each.sql for each in inline_statements(package)]
    said = {
        (call.name, frozenset(call.argument_types), call.result_type)
        for sql in statements
        for call in analyser.analyse(sql, undeclared_parameters=True).calls
        # What is refused is the static gate's to find.
        if not difference(call)
    }
    tried = set().union(*(engines.calls(entry.sql) for entry in entries("equal")))
    assert sorted(map(str, said - tried)) == []


def test_every_letter_with_a_case_is_cased_alike() -> None:
    letters = map(chr, range(1, 0x30000))
    _compare_texts([each for each in letters if each.lower() != each or each.upper() != each])


def test_random_texts_are_cased_and_trimmed_alike() -> None:
    dice = random.Random(20261120)
    letters = "ΣΣΣσςΑαaZßİǰﬃ'’.: -1\u0301\u00ad\u00a0\u0085\u200b\u3000\t\nᾳ👍"
    _compare_texts(["".join(dice.choices(letters, k=dice.randint(0, 7))) for _ in range(4000)])


def _compare_texts(texts: list[str]) -> None:
    query = (
        "select id, lower(s) as a, upper(s) as b, trim(s) as c, length(s) as d from corpus.texts"
    )
    evaluator = Evaluator({"corpus.texts": [("id", "INT64"), ("s", "STRING")]}, {})
    evaluator.set_rows("corpus.texts", [{"id": n, "s": text} for n, text in enumerate(texts)])
    connection = in_memory().raw
    connection.execute("create schema corpus")
    connection.execute("create table corpus.texts (id bigint, s varchar)")
    connection.execute(
        "insert into corpus.texts select unnest(range(len($s))), unnest($s)", {"s": texts}
    )
    ours = on_duckdb(connection, query, translate=lambda sql: translate(sql, CORRECTIONS))
    assert len(ours.rows) == len(texts)
    assert differences(evaluator.query(query), ours, ordered=False) == []


def test_an_apostrophe_in_a_comment_changes_no_text(engines: BothEngines) -> None:
    said = "select id, trim(s) as v /* the day's end */ from corpus.words"
    spaced = "select /* the day's end */ id, trim(s) as v from corpus.words"
    assert engines.differences(said) == engines.differences(spaced) == []
    left_in = translate(said, CORRECTIONS).replace("SELECT", "SELECT /* the day's end */", 1)
    assert engines.duckdb_rows(left_in) != engines.duckdb_rows(left_in.replace("'s end", "s end"))


def test_the_page_on_two_engines_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run python -m tests.googlesql.two_engines"
