"""The docs say what the code says."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from trueline.cli.main import app
from trueline.model.reference import render
from trueline.paths import home
from trueline.report import measures

README = (home() / "README.md").read_text(encoding="utf-8")


def test_the_tables_page_is_up_to_date() -> None:
    page = (home() / "docs" / "reference" / "tables.md").read_text(encoding="utf-8")
    assert page == render(), "run make docs"


def test_the_measures_page_is_up_to_date() -> None:
    page = (home() / "docs" / "reference" / "measures.md").read_text(encoding="utf-8")
    assert page == measures.render(), "run make docs"


def test_every_verb_is_named_in_the_readme() -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    assert len(verbs) >= 7
    assert [name for name in verbs if f"`{name}" not in README] == []


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (home() / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z][a-z-]+)", README))
    assert {"demo", "test", "up", "lint"} <= named
    assert named - targets == set()


@pytest.mark.parametrize(
    "page",
    sorted(
        path.relative_to(home()).as_posix()
        for path in (*home().glob("docs/**/*.md"), *home().glob("*.md"))
    ),
)
def test_links_inside_the_repository_lead_somewhere(page: str) -> None:
    path = home() / page
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
