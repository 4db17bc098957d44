"""Warehouses behind one protocol: embedded DuckDB by default, BigQuery for those who outgrow it."""

from trueline.warehouse.base import Reader, Transaction, Warehouse
from trueline.warehouse.open import open_reader, open_warehouse

__all__ = ["Reader", "Transaction", "Warehouse", "open_reader", "open_warehouse"]
