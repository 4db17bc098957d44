"""Every hostile or dirty file has one outcome, and the fast and the careful reader agree on it."""

from __future__ import annotations

import re
import resource
from typing import Any

import pytest

from tests.sources.careful_reader import Refused
from tests.sources.conftest import WINDOW, Folder, as_records
from tests.sources.hostile_files import CASES, GOOD, HEAD, LEADS, NUMBERS, Case
from tests.sources.test_files_fast import assert_equal, in_small_blocks
from trueline.errors import ConfigurationError, PermanentError
from trueline.identity_keys import normalise_email, normalise_phone
from trueline.paths import home
from trueline.sources.base import Record
from trueline.sources.files.rows import extra_json


def test_every_kind_that_was_met_is_there() -> None:
    assert {case.number for case in CASES} == NUMBERS


def test_the_page_tells_every_outcome() -> None:
    page = (home() / "docs" / "sources" / "files-hostile.md").read_text(encoding="utf-8")
    lines = [f"| {case.number} | {case.story} | {case.outcome} |" for case in CASES]
    told = [line for line in page.splitlines() if re.match(r"\| (?!79)\d", line)]
    assert told == lines


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number}-{case.story}")
def test_a_hostile_file(folder: Folder, case: Case) -> None:
    folder.mapping(case.mapping)
    folder.file("file.csv", case.data)
    if case.rows is None:
        with pytest.raises(PermanentError) as refused:
            list(folder.source("file.csv").pull(WINDOW))
        assert case.told in refused.value.what
        assert refused.value.fix
        assert "file.csv" in refused.value.where
        return
    (batch,) = as_records(folder.source("file.csv").pull(WINDOW))
    assert [(error.line, error.column, error.reason) for error in batch.errors] == case.bad
    assert [_told(record, row) for record, row in zip(batch.records, case.rows, strict=True)] == (
        case.rows
    )


def _told(record: Record, wanted: dict[str, Any]) -> dict[str, Any]:
    """The values that a case names, and what ingest would make keys of."""
    values = {
        **record.values,
        "_extra": extra_json(dict(record.extra)),
        "email_key": normalise_email(record.values.get("email")),
        "phone_key": normalise_phone(record.values.get("phone"), "DE"),
    }
    return {name: values.get(name) for name in wanted}


@pytest.mark.parametrize("block", [150, 1 << 20])
@pytest.mark.parametrize(
    "case",
    [case for case in CASES if "find" not in case.mapping and len(case.data) < 20_000],
    ids=lambda case: f"{case.number}-{case.story}",
)
def test_both_readers_agree(folder: Folder, case: Case, block: int) -> None:
    folder.mapping(case.mapping)
    folder.file("file.csv", case.data)
    with in_small_blocks(block):
        if case.rows is not None:
            assert_equal(folder, "file.csv")
            return
        with pytest.raises((Refused, PermanentError)):
            list(folder.source("file.csv").pull(WINDOW))


def test_79_a_link_or_a_path_out_of_the_drop_folder(folder: Folder, tmp_path_factory) -> None:
    folder.mapping(LEADS)
    outside = tmp_path_factory.mktemp("outside") / "passwd"
    outside.write_text(HEAD + GOOD)
    (folder.path / "file.csv").symlink_to(outside)
    with pytest.raises(ConfigurationError, match="link"):
        folder.pull("*.csv")
    with pytest.raises(ValueError, match="leaves its folder"):
        folder.pull("../../etc/passwd")


def test_79_a_link_within_the_drop_folder_is_refused_too(folder: Folder) -> None:
    folder.mapping(LEADS)
    folder.file("file.txt", HEAD + GOOD)
    (folder.path / "file.csv").symlink_to(folder.path / "file.txt")
    with pytest.raises(ConfigurationError, match="link"):
        folder.pull("*.csv")


def test_22_a_huge_cell_does_not_fill_the_memory(folder: Folder) -> None:
    case = next(case for case in CASES if case.number == 22)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    test_a_hostile_file(folder, case)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200 * 1024  # KB
