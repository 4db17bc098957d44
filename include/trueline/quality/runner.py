"""Run all suites of one border in the warehouse and count; no value of a row is handed on.

Importing Great Expectations takes seconds, so it happens inside the functions, in one task per
border.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trueline.errors import ConfigurationError, RetriableError
from trueline.model.catalog import Table, load_catalog
from trueline.model.parameters import HISTORY_START
from trueline.quality.suites import Border, Severity, Suite, load_suites

log = logging.getLogger(__name__)

# Counts only: BASIC would add samples of bad values, SUMMARY the commonest ones.
RESULT_FORMAT = {
    "result_format": "BASIC",
    "partial_unexpected_count": 0,
    "exclude_unexpected_values": True,
}
_ROW_COUNT = {
    "type": "expect_table_row_count_to_be_between",
    "kwargs": {"min_value": 0},
    "meta": {"position": -1},
}
# Messages about the text of a query. Any other one (a failed cast, for example) may quote a row.
_ABOUT_THE_QUERY = re.compile(
    r'(?:Binder|Catalog|Parser) Error: .*|The column "\w+" in BatchData does not exist'
    r"|(?:Unrecognized name|Not found: (?:Table|Dataset)|Syntax error|No matching signature).*"
)
_EXCEPTION_CLASS = re.compile(r"^\((?:[\w.]+\.)?(\w+)\)")


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """What one expectation said.

    Attributes:
        suite: ``layer.table``.
        expectation: The promise in a few words.
        column: The column or columns it is about; None for whole rows or tables.
        success: False also where the check could not be run; ``exception`` tells the two apart.
        checked_rows: Rows looked at; None where the check could not be run.
        unexpected_rows: Rows (or groups of rows) that break it; None where it does not count rows.
        exception: Why the check itself is broken, without any value; None where it ran.
        why: What goes wrong downstream when it is broken.
        fix: What to do about it.
    """

    suite: str
    layer: str
    table: str
    expectation: str
    column: str | None
    severity: Severity
    success: bool
    checked_rows: int | None
    unexpected_rows: int | None
    exception: str | None
    why: str
    fix: str = ""


def run_border(
    border: Border,
    *,
    connection_string: str,
    suites_dir: Path,
    datasets: Mapping[str, str] | None = None,
    table_exists: Callable[[str, str], bool] | None = None,
    loaded_since: datetime | None = None,
    engine_options: Mapping[str, Any] | None = None,
) -> list[ExpectationResult]:
    """Run every suite of ``border``, read-only, and return one result per expectation.

    Args:
        border: ``raw``, ``marts`` or ``activation``.
        connection_string: SQLAlchemy URL; for DuckDB from ``duckdb_dialect.connection_string``.
        suites_dir: Folder of ``<layer>/<table>.json``.
        datasets: Layer to dataset or schema, where they differ (``marts`` → ``trueline_marts``).
        table_exists: Asked with layer and table; a suite marked optional is skipped without one.
        loaded_since: At the raw border, check only loads made at or after this moment. Raw is
            append-only: without it, a bad load of the past stops every later run.
        engine_options: Further arguments of SQLAlchemy's ``create_engine``.

    Raises:
        ConfigurationError: a suite cannot be read, or Great Expectations does not know what it
            asks for.
        RetriableError: the warehouse cannot be opened.
    """
    suites = []
    for suite in load_suites(suites_dir, border):
        missing = table_exists is not None and not table_exists(suite.layer, suite.table)
        if missing and suite.meta.optional:
            log.info("%s does not exist and is optional: its suite is skipped.", suite.name)
        else:
            suites.append(suite)
    if not suites:
        return []
    datasets = datasets or {}
    tables = load_catalog()
    batches = {
        suite.name: batch_query(suite, datasets, loaded_since, tables.get(suite.name))
        for suite in suites
    }
    try:
        with _quiet_logs():
            outcomes = _validate(
                suites, batches, datasets, connection_string, dict(engine_options or {})
            )
    except ConnectionError as error:
        raise RetriableError(
            f"The gate cannot open the warehouse: {error.__cause__ or error}".splitlines()[0],
            fix="See that the database exists and no other program is writing to it.",
        ) from error
    return [result for suite in suites for result in _results(suite, outcomes[suite.name])]


def batch_query(
    suite: Suite,
    datasets: Mapping[str, str],
    loaded_since: datetime | None,
    table: Table | None,
) -> str:
    """The rows a suite is about. Of raw, those that count: on record as loaded, not taken back.

    Great Expectations sends no query parameters, so the filter of a partitioned table is a literal.
    """
    name = f"{datasets.get(suite.layer, suite.layer)}.{suite.table}"
    all_days = table.from_day(HISTORY_START.isoformat()) if table else "true"
    if suite.layer != "raw":
        return f"select * from {name} where {all_days}"
    loads = f"{datasets.get('raw', 'raw')}.loads"
    since = ""
    if loaded_since is not None:
        moment = loaded_since.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
        since = f" and loaded_at >= timestamp '{moment}'"
    not_rejected = f"load_id not in (select load_id from {loads} where status = 'rejected')"
    if suite.table == "loads":
        return f"select * from {loads} where {not_rejected}{since}"
    counting = f"status in ('loaded', 'accepted'){since}"
    return (
        f"select * from {name} where {all_days} and {not_rejected} "
        f"and load_id in (select load_id from {loads} where {counting})"
    )


def _validate(
    suites: Sequence[Suite],
    batches: Mapping[str, str],
    datasets: Mapping[str, str],
    connection_string: str,
    engine_options: dict[str, Any],
) -> dict[str, list[Any]]:
    """Great Expectations' own results by suite name."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    from trueline.quality import duckdb_dialect

    duckdb_dialect.register()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_sql(
        "warehouse",
        connection_string=connection_string,
        kwargs=engine_options,  # type: ignore[call-arg]
    )
    try:
        definitions = []
        for suite in suites:
            asset = source.add_query_asset(suite.name, query=batches[suite.name])
            definition = gx.ValidationDefinition(
                name=suite.name,
                data=asset.add_batch_definition_whole_table("rows"),
                suite=context.suites.add(_gx_suite(suite, datasets)),
            )
            definitions.append(context.validation_definitions.add(definition))
        checkpoint = context.checkpoints.add(
            gx.Checkpoint(
                name="border",
                validation_definitions=definitions,
                result_format=RESULT_FORMAT,
            )
        )
        outcome = checkpoint.run()
    finally:
        # Both engines are closed, or DuckDB refuses to open the file for writing afterwards.
        source.get_execution_engine().close()
        source.get_engine().dispose()
    return {result.suite_name: result.results for result in outcome.run_results.values()}


def _gx_suite(suite: Suite, datasets: Mapping[str, str]) -> Any:
    import great_expectations as gx

    expectations: list[dict[str, Any]] = [_ROW_COUNT]
    for position, expectation in enumerate(suite.expectations):
        kwargs = dict(expectation.kwargs)
        if expectation.query is not None:
            kwargs["unexpected_rows_query"] = suite.with_datasets(expectation.query, datasets)
        expectations.append(
            {
                "type": expectation.type,
                "kwargs": kwargs,
                "severity": expectation.severity,
                "meta": {"position": position},
            }
        )
    fix = "Check type and kwargs of its expectations against Great Expectations' reference."
    try:
        built = gx.ExpectationSuite(name=suite.name, expectations=expectations)
    except ValueError as error:
        # Pydantic's message: the expectation's class and what it says of the arguments.
        raise ConfigurationError(
            f"Great Expectations refuses an expectation: {' '.join(str(error).split())}",
            where=str(suite.path),
            fix=fix,
        ) from None
    # An expectation it does not know is left out by Great Expectations, with a line in the log.
    taken = {each.meta["position"] for each in built.expectations if each.meta}
    for position, expectation in enumerate(suite.expectations):
        if position not in taken:
            raise ConfigurationError(
                f"Great Expectations knows no {expectation.type}.", where=str(suite.path), fix=fix
            )
    return built


def _results(suite: Suite, outcomes: Sequence[Any]) -> Iterator[ExpectationResult]:
    by_position = {each.expectation_config.meta["position"]: each for each in outcomes}
    rows = by_position[-1].result.get("observed_value")
    for position, expectation in enumerate(suite.expectations):
        outcome = by_position[position]
        exception = _exception(outcome.exception_info)
        unexpected = outcome.result.get("unexpected_count")
        if expectation.query is not None:
            unexpected = outcome.result.get("observed_value")
        yield ExpectationResult(
            suite=suite.name,
            layer=suite.layer,
            table=suite.table,
            expectation=expectation.check,
            column=expectation.column,
            severity=expectation.severity,
            success=bool(outcome.success) and exception is None,
            checked_rows=None if exception else outcome.result.get("element_count", rows),
            unexpected_rows=None if exception else unexpected,
            exception=exception,
            why=expectation.meta.why,
            fix=expectation.meta.fix,
        )


def _exception(info: Mapping[str, Any]) -> str | None:
    """Why a check broke, or None. Great Expectations files it per metric or once."""
    entries = [info] if "raised_exception" in info else list(info.values())
    raised = [entry for entry in entries if entry["raised_exception"]]
    if not raised:
        return None
    message = str(raised[0]["exception_message"] or "")
    about_the_query = _ABOUT_THE_QUERY.search(message)
    if about_the_query:
        return about_the_query[0].strip()
    kind = _EXCEPTION_CLASS.search(message)
    return (
        f"{kind[1] if kind else 'an error'} (its message is withheld: it may quote values of rows)"
    )


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Keep Great Expectations out of the log.

    It writes hundreds of lines while it is imported, and a failed query with the database's own
    message, which may quote a row.
    """
    loggers = [logging.getLogger(name) for name in ("great_expectations", "alembic")]
    before = [logger.propagate for logger in loggers]
    silence = logging.NullHandler()
    for logger in loggers:
        logger.propagate = False
        logger.addHandler(silence)
    try:
        yield
    finally:
        for logger, propagate in zip(loggers, before, strict=True):
            logger.propagate = propagate
            logger.removeHandler(silence)
