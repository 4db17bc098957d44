"""What came in, load by load."""

from __future__ import annotations

from typing import Any

from trueline.model.catalog import load_catalog
from trueline.settings.profile import Profile
from trueline.warehouse import Work, open_warehouse
from trueline.windows import utc_now


def newest_loads(profile: Profile, limit: int, *, client: Any = None) -> list[dict[str, Any]]:
    """The newest loads, newest first; ``quarantined_by_reason`` maps reason to rows."""
    work = Work("list_loads", f"{utc_now():%Y%m%dT%H%M%S}", "cli")
    with open_warehouse(profile, work, client=client) as warehouse:
        warehouse.ensure_tables([load_catalog()[name] for name in ("raw.loads", "raw.quarantine")])
        lines = warehouse.query(
            """
            select
                load_id,
                source,
                table_name,
                file_name,
                status,
                reason,
                window_start,
                window_end,
                rows_received,
                rows_loaded,
                rows_quarantined,
                loaded_at
            from raw.loads
            order by loaded_at desc, load_id desc
            limit @row_limit
            """,
            {"row_limit": limit},
        )
        reasons = warehouse.query(
            """
            select load_id, reason, count(*) as row_count
            from raw.quarantine
            group by load_id, reason
            order by load_id, row_count desc, reason
            """
        )
    by_load: dict[str, dict[str, int]] = {}
    for row in reasons:
        by_load.setdefault(row["load_id"], {})[row["reason"]] = row["row_count"]
    return [{**line, "quarantined_by_reason": by_load.get(line["load_id"], {})} for line in lines]
