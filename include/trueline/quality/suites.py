"""The suites: one JSON file per table, in Great Expectations' own words, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trueline.errors import ConfigurationError
from trueline.model.catalog import LAYERS

Border = Literal["raw", "marts", "activation"]
Severity = Literal["critical", "warning"]
ROW_QUERY_TYPE = "unexpected_rows_expectation"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExpectationMeta(_Strict):
    """What a person reads when the expectation fails."""

    check: str = Field(min_length=5, description="The promise in a few words.")
    why: str = Field(min_length=10, description="What goes wrong downstream if it is broken.")
    fix: str = ""


class Expectation(_Strict):
    """One expectation; ``type`` and ``kwargs`` are handed to Great Expectations as they are."""

    type: str
    kwargs: dict[str, Any]
    severity: Severity
    meta: ExpectationMeta

    @property
    def check(self) -> str:
        return self.meta.check

    @property
    def column(self) -> str | None:
        """The column it is about, or several joined by commas, or None for whole rows."""
        if "column" in self.kwargs:
            return str(self.kwargs["column"])
        names = self.kwargs.get("column_list")
        return ", ".join(names) if names else None

    @property
    def query(self) -> str | None:
        """The SQL that finds bad rows, where the expectation is such a query.

        It must be valid on both engines, and select a count or a constant: no value of a row ever
        needs to leave the database. ``{batch}`` stands for the rows checked, ``{marts}`` and the
        like for the layer's dataset.
        """
        return self.kwargs.get("unexpected_rows_query")


class SuiteMeta(_Strict):
    """Where the suite belongs.

    ``optional``: without the table there is nothing to check, for example where no source of that
    kind is configured.
    """

    border: Border
    optional: bool = False
    notes: str = ""


class _SuiteFile(_Strict):
    name: str
    meta: SuiteMeta
    expectations: tuple[Expectation, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite and the table it is about."""

    path: Path
    layer: str
    table: str
    meta: SuiteMeta
    expectations: tuple[Expectation, ...]

    @property
    def name(self) -> str:
        return f"{self.layer}.{self.table}"

    def with_datasets(self, query: str, datasets: Mapping[str, str]) -> str:
        """``{marts}`` and the like replaced by the layer's real dataset; ``{batch}`` is left."""
        for layer in LAYERS:
            query = query.replace(f"{{{layer}}}", datasets.get(layer, layer))
        return query


def load_suites(folder: Path, border: Border | None = None) -> list[Suite]:
    """All suites below ``folder``, or those of one border, in the order of their names.

    Raises:
        ConfigurationError: a file is not a suite, or there is none.
    """
    suites = [_read(path) for path in sorted(folder.glob("*/*.json"))]
    chosen = [suite for suite in suites if border is None or suite.meta.border == border]
    if not chosen:
        raise ConfigurationError(
            f"There is no suite{f' for the {border} border' if border else ''}.",
            where=str(folder),
            fix="Run from a checkout or a full install: a gate that checks nothing is no gate.",
        )
    return chosen


def _read(path: Path) -> Suite:
    try:
        content = _SuiteFile.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"This is not JSON: {error.msg}.",
            where=f"{path}:{error.lineno}",
            fix="Check commas and quotes around that line.",
        ) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = " → ".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{place}: {first['msg']}.",
            where=str(path),
            fix="Compare with another suite in the same folder.",
        ) from None
    layer, table = path.parent.name, path.stem
    if content.name != f"{layer}.{table}":
        raise ConfigurationError(
            f"The suite is called {content.name!r}, but its file is {layer}/{table}.json.",
            where=str(path),
            fix=f'Set "name": "{layer}.{table}".',
        )
    return Suite(path, layer, table, content.meta, content.expectations)
