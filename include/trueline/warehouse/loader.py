"""Loading with dlt: append-only, under a frozen contract, in a working folder of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trueline.errors import PermanentError, RetriableError
from trueline.model.catalog import load_catalog

if TYPE_CHECKING:
    import pyarrow as pa

_DLT_TYPES = {
    "STRING": {"data_type": "text"},
    "INT64": {"data_type": "bigint"},
    "NUMERIC": {"data_type": "decimal", "precision": 38, "scale": 9},
    "BOOL": {"data_type": "bool"},
    "DATE": {"data_type": "date"},
    "TIMESTAMP": {"data_type": "timestamp"},
    "FLOAT64": {"data_type": "double"},
}
# dlt may create its own book-keeping tables; ours exist before, and no column may change.
_CONTRACT = {"tables": "evolve", "columns": "freeze", "data_type": "freeze"}


def load_with_dlt(
    tables: Mapping[str, pa.Table], *, destination: Any, dataset: str, run_folder: Path
) -> None:
    """Append Arrow tables to raw tables of one dataset.

    Args:
        tables: ``layer.table`` → rows, columns exactly as in table.yaml.
        destination: A dlt destination.
        dataset: Dataset or schema that stands for the layer.
        run_folder: dlt's working folder; removed afterwards, so that a killed load leaves nothing
            that a later one would pick up.

    Raises:
        RetriableError: the destination failed in a way that may pass.
        PermanentError: the rows do not fit the contract.
    """
    # dlt would ask Airflow's metadata database for secrets: slow, and no business of a loader's.
    os.environ.setdefault("PROVIDERS__ENABLE_AIRFLOW_SECRETS", "false")
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    import dlt
    from dlt.common.schema.exceptions import DataValidationError
    from dlt.pipeline.exceptions import PipelineStepFailed

    catalog = load_catalog()
    resources = [
        dlt.resource(
            rows,
            name=key.split(".")[1],
            write_disposition="append",
            schema_contract=_CONTRACT,
            columns={
                column.name: {**_DLT_TYPES[column.type], "nullable": not column.required}
                for column in catalog[key].columns
            },
        )
        for key, rows in tables.items()
    ]
    shutil.rmtree(run_folder, ignore_errors=True)
    pipeline = dlt.pipeline(
        "trueline_load",
        pipelines_dir=str(run_folder),
        destination=destination,
        dataset_name=dataset,
        progress=None,
    )
    pipeline.config.restore_from_destination = False
    try:
        pipeline.run(resources).raise_on_failed_jobs()
    except PipelineStepFailed as error:
        cause = error.__cause__ or error
        if isinstance(cause, DataValidationError):
            raise PermanentError(
                f"The rows do not fit the tables of {dataset}: {cause.schema_entity}.",
                where=", ".join(tables),
                fix="Change table.yaml and the source together.",
            ) from None
        raise RetriableError(
            f"Loading failed in step {error.step} ({type(cause).__name__}).",
            where=", ".join(tables),
            fix="Run again; what was loaded half is ignored and cleaned up.",
        ) from cause
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)
