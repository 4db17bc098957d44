"""Warehouses behind one protocol: embedded DuckDB by default, BigQuery for those who outgrow it."""

from trueline.warehouse.base import JobStillRunning, Reader, Staging, Transaction, Warehouse, Work
from trueline.warehouse.open import open_reader, open_warehouse

__all__ = [
    "JobStillRunning",
    "Reader",
    "Staging",
    "Transaction",
    "Warehouse",
    "Work",
    "open_reader",
    "open_warehouse",
]
