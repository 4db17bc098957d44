"""The walls between the layers and the rooms. None of these tests can pass on an empty folder."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trueline.errors import ConfigurationError
from trueline.model.cases import find_cases
from trueline.model.catalog import LAYERS, build_order, load_catalog
from trueline.paths import home

COMPUTED_LAYERS = ("staging", "identity", "attribution", "qualification", "marts", "activation")
INCLUDE = home() / "include" / "trueline"


def test_every_layer_that_computes_has_tables() -> None:
    built = {table.layer for table in load_catalog().values() if table.is_built}
    assert built == set(COMPUTED_LAYERS)


def test_every_table_that_computes_tells_a_story() -> None:
    computed = [table for table in load_catalog().values() if table.query]
    assert len(computed) > 20
    assert [table.key for table in computed if not find_cases(table)] == []


def test_queries_read_only_to_their_left() -> None:
    for table in load_catalog().values():
        for read in table.reads:
            assert LAYERS.index(read.split(".")[0]) <= LAYERS.index(table.layer), table.key


def _write(folder: Path, key: str, query: str | None) -> None:
    place = folder.joinpath(*key.split("."))
    place.mkdir(parents=True)
    place.joinpath("table.yaml").write_text(
        "purpose: a table for this test\ngrain: [id]\n"
        "columns:\n  id: {type: STRING, description: the id}\n"
    )
    if query:
        place.joinpath("query.sql").write_text(query)


@pytest.mark.parametrize(
    ("key", "query", "complaint"),
    [
        ("staging.a", "select id from marts.b", "a layer to its right"),
        ("staging.a", "select id from raw_restricted.secret", "no query may read raw_restricted"),
        ("staging.a", "select id from raw.nobody", "does not exist"),
        ("staging.a", "select id from staging.a", "reads itself"),
        ("staging.a", "select id from from", "not BigQuery SQL"),
    ],
)
def test_a_query_that_breaks_a_wall_is_refused(
    tmp_path: Path, key: str, query: str, complaint: str
) -> None:
    _write(tmp_path, "marts.b", "select 'x' as id")
    _write(tmp_path, "raw_restricted.secret", None)
    _write(tmp_path, key, query)
    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        load_catalog(tmp_path)


def test_queries_in_a_circle_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, "staging.a", "select id from staging.b")
    _write(tmp_path, "staging.b", "select id from staging.a")
    with pytest.raises(ConfigurationError, match=r"staging\.a → staging\.b → staging\.a"):
        build_order(load_catalog(tmp_path))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_include_has_never_heard_of_airflow_or_the_sandbox() -> None:
    modules = list(INCLUDE.rglob("*.py"))
    assert len(modules) > 30
    guilty = {
        str(path.relative_to(INCLUDE)): forbidden
        for path in modules
        if (forbidden := _imports(path) & {"airflow", "sandbox", "trueline_airflow", "demo"})
    }
    assert guilty == {}


def test_nothing_heavy_is_imported_with_the_profile() -> None:
    # DAG files read the profile when they are parsed, every few seconds.
    code = (
        "import sys; from trueline.settings.profile import load_profile; load_profile();"
        "print([m for m in ('pandas','great_expectations','dlt','duckdb','pyarrow','sqlglot',"
        "'google.cloud.bigquery','altair','requests','phonenumbers') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=home()
    )
    assert found.stdout.strip() == "[]"
