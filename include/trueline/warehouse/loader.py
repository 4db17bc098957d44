"""Loading with dlt: under a frozen contract, in a working folder of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trueline.errors import PermanentError, RetriableError
from trueline.model.catalog import load_catalog
from trueline.warehouse.parquet import schema_of

_DLT_TYPES: dict[str, Any] = {
    "STRING": {"data_type": "text"},
    "INT64": {"data_type": "bigint"},
    "NUMERIC": {"data_type": "decimal", "precision": 38, "scale": 9},
    "BOOL": {"data_type": "bool"},
    "DATE": {"data_type": "date"},
    "TIMESTAMP": {"data_type": "timestamp"},
    "FLOAT64": {"data_type": "double"},
}
# Our tables are all declared beforehand: neither a table nor a column may appear by itself.
_CONTRACT: Any = {"tables": "freeze", "columns": "freeze", "data_type": "freeze"}


def load_with_dlt(
    files: Mapping[str, Path], *, destination: Any, dataset: str, run_folder: Path
) -> None:
    """Load rows into new tables of one dataset, shaped as the raw tables they are for.

    Args:
        files: ``layer.table`` → a Parquet file with the columns of table.yaml. It goes to the
            destination as it is, whatever its size.
        destination: A dlt destination.
        dataset: Dataset or schema of this load alone.
        run_folder: dlt's working folder; removed afterwards, so that a killed load leaves nothing
            that a later one would pick up.

    Raises:
        RetriableError: the destination failed in a way that may pass.
        PermanentError: the rows do not fit the contract.
    """
    # dlt would ask Airflow's metadata database for secrets: slow, and no business of a loader's.
    os.environ.setdefault("PROVIDERS__ENABLE_AIRFLOW_SECRETS", "false")
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    # Its warnings speak of hints that are meant to differ (nullable, precision).
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
    import dlt
    from dlt.common.schema.exceptions import DataValidationError
    from dlt.pipeline.exceptions import PipelineStepFailed

    resources = [
        dlt.resource(_as_it_is(key, path), name=key.split(".")[1], write_disposition="append")
        for key, path in files.items()
    ]
    shutil.rmtree(run_folder, ignore_errors=True)
    pipeline = dlt.pipeline(
        "trueline_load",
        pipelines_dir=str(run_folder),
        destination=destination,
        dataset_name=dataset,
    )
    pipeline.config.restore_from_destination = False
    try:
        pipeline.run(
            resources, schema=_declared(files), schema_contract=_CONTRACT
        ).raise_on_failed_jobs()
    except PipelineStepFailed as error:
        cause = error.__cause__ or error
        if isinstance(cause, DataValidationError):
            raise PermanentError(
                f"The rows do not fit the tables of raw: {cause}.",
                where=", ".join(files),
                fix="Change table.yaml and the source together.",
            ) from None
        raise RetriableError(
            f"Loading failed in step {error.step} ({type(cause).__name__}).",
            where=", ".join(files),
            fix="Run again: nothing of this load has reached raw.",
        ) from cause
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)


def _as_it_is(key: str, path: Path) -> Any:
    import dlt
    import pyarrow.parquet as pq

    schema = schema_of(load_catalog()[key], path)
    return [
        dlt.mark.with_file_import(
            str(path), "parquet", pq.read_metadata(path).num_rows, hints=schema.empty_table()
        )
    ]


def _declared(tables: Iterable[str]) -> Any:
    """A dlt schema that knows the tables from table.yaml before any row is seen."""
    from dlt.common.schema import Schema
    from dlt.common.schema.utils import new_column, new_table

    catalog = load_catalog()
    schema = Schema("trueline")
    for key in tables:
        columns = [
            new_column(column.name, nullable=not column.required, **_DLT_TYPES[column.type])
            for column in catalog[key].columns
        ]
        schema.update_table(
            new_table(key.split(".")[1], write_disposition="append", columns=columns)
        )
    return schema
