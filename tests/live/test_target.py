"""A live run leaves nothing behind, and touches nothing that is not its own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.live import target as module
from tests.live.target import Target, fake_target


def _datasets(target: Target) -> set[str]:
    return {str(found.dataset_id) for found in target.access.client.list_datasets()}


def test_a_run_that_fails_takes_its_datasets_with_it(tmp_path: Path) -> None:
    seen: set[str] = set()

    def fail() -> None:
        with fake_target(tmp_path) as target:
            target.dataset("jobs")
            seen.update(_datasets(target))
            assert target.server is not None
            left.append(target.server.store.datasets)
            raise RuntimeError("the test fails")

    left: list[object] = []
    with pytest.raises(RuntimeError, match="the test fails"):
        fail()
    assert len(seen) > 10
    assert not left[0]


def test_what_a_killed_run_left_goes_and_what_is_somebodys_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LIFETIME", timedelta(seconds=-1))
    with fake_target(tmp_path) as target:
        client, own = target.access.client, _datasets(target)
        theirs = {"trueline_test_raw", "trueline_test_published_marts", "trueline_raw"}
        for name in (*theirs, "trueline_test_0123abcd_raw"):
            client.create_dataset(name)
        module.forget_killed_runs(target)
        assert _datasets(target) == theirs
        assert own
