"""The queries that Great Expectations makes of a suite, one by one, as it really sends them.

It asks for the columns of the checked rows with ``select *`` (a full read on BigQuery), counts the
rows, adds all column checks up in one query, then looks once more for the values of each, and runs
every row query twice. A test compares this with what it sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from trueline.model.catalog import Table
from trueline.quality.runner import batch_query
from trueline.quality.suites import Suite

# The raw gate looks at loads made since some moment: which one does not change what is read.
_SOME_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
_UNIQUE = "expect_compound_columns_to_be_unique"
_ONE_UNIQUE = "expect_column_values_to_be_unique"


def gate_queries(suite: Suite, table: Table) -> Iterator[str]:
    """BigQuery SQL, one text per query; only what they read is meant to be right."""
    batch = f"({batch_query(suite, {}, _SOME_MOMENT, table)}) as subselect"
    yield f"select * from {batch}"
    yield f"select count(*) as n from {batch}"
    checked = [
        expectation.kwargs["column"]
        for expectation in suite.expectations
        if "column" in expectation.kwargs
    ]
    if checked:
        added_up = ", ".join(f"count({name})" for name in dict.fromkeys(checked))
        yield f"select {added_up} from {batch}"
    for name in checked:
        yield f"select {name} from {batch}"
    for expectation in suite.expectations:
        if expectation.query is not None:
            query = suite.with_datasets(expectation.query, {}).format(batch=batch)
            yield from (query, query)
        elif expectation.type == _UNIQUE:
            keys = ", ".join(expectation.kwargs["column_list"])
            yield f"select {keys} from {batch}"
            repeated = (
                f"select mine.* from (select {keys} from {batch}) as mine "
                f"inner join (select {keys} from {batch} group by {keys}) as counted "
                f"using ({keys})"
            )
            yield from (repeated, repeated)
        elif expectation.type == _ONE_UNIQUE:
            # What is repeated is counted apart from what the other checks add up.
            yield f"select {expectation.kwargs['column']} from {batch}"
