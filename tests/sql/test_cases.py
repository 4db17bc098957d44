"""Every SQL case, as one test each."""

from pathlib import Path

import pytest

from trueline.model.cases import cases_dir, read_case, run_case

CASES = sorted(cases_dir().glob("*/*/*.yaml"))


def _name(path: Path) -> str:
    return f"{path.parent.parent.name}.{path.parent.name}: {path.stem}"


@pytest.mark.parametrize("path", CASES, ids=_name)
def test_the_table_makes_of_the_story_what_it_should(path: Path) -> None:
    assert run_case(read_case(path)) == []
