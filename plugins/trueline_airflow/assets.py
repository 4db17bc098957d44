"""The assets that runs hand to each other: one per source, and the finished funnel."""

from __future__ import annotations

from airflow.sdk import Asset

FUNNEL = Asset(name="marts/funnel", uri="x-trueline://marts/funnel", group="trueline")


def raw_asset(source: str) -> Asset:
    """What a source's ingest run produces for its day."""
    return Asset(name=f"raw/{source}", uri=f"x-trueline://raw/{source}", group="trueline")
