"""The same tests on the fake (``make test``) and on a real project (``make test-bigquery``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.conftest import IDENTITY_KEY
from tests.live.findings import FINDINGS, told
from tests.live.target import Target, bill, fake_target, real_target, stored_tables
from trueline.warehouse import Work, open_warehouse
from trueline.windows import utc_now


@pytest.fixture(scope="package", params=["fake", pytest.param("real", marks=pytest.mark.bigquery)])
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    opened = real_target() if request.param == "real" else fake_target(tmp_path_factory.mktemp("f"))
    with opened as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_IDENTITY_KEY", IDENTITY_KEY)
        started = utc_now()
        yield found
        FINDINGS.looked_at.append(bill(found, started))


@pytest.fixture(scope="package")
def tables(target: Target) -> None:
    """All tables are there."""
    with open_warehouse(target.profile, Work("ensure", "ensure-all")) as warehouse:
        warehouse.ensure_tables(stored_tables())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if FINDINGS.looked_at:
        terminalreporter.section("BigQuery against DuckDB")
        for line in told():
            terminalreporter.write_line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On the fake the whole company runs in ``make soak``: ``tests/wire`` has its like."""
    for item in items:
        if item.path.name == "test_whole_company.py" and "[fake]" in item.name:
            item.add_marker(pytest.mark.soak)
