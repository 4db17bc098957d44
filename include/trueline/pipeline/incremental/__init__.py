"""Incremental runs: the same queries over the rows of affected keys, people and days only.

The promise (docs/decisions/0012): after any number of incremental runs every table holds exactly
the rows that a full rebuild would give. Each ``table.yaml`` says by ``rebuilt_by`` what of the
table is computed apart from the rest.
"""

from trueline.pipeline.incremental.parts import FullRebuildNeededError
from trueline.pipeline.incremental.run import IncrementalSummary, run_incrementally
from trueline.pipeline.incremental.verify import differences_of_days

__all__ = [
    "FullRebuildNeededError",
    "IncrementalSummary",
    "differences_of_days",
    "run_incrementally",
]
