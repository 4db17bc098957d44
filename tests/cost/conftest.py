"""The analyser over the product's catalog, and a table or two of known sizes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.googlesql.analyser import Analyser
from tests.googlesql.engine import Engine
from trueline.model.catalog import Table, load_catalog
from trueline.model.parameters import PARAMETERS


@pytest.fixture(scope="session")
def catalog() -> Mapping[str, Table]:
    return load_catalog()


@pytest.fixture(scope="session")
def analyser(catalog: Mapping[str, Table]) -> Analyser:
    columns = {
        key: [(column.name, column.type) for column in table.columns]
        for key, table in catalog.items()
    }
    return Analyser(Engine(), columns, PARAMETERS)
