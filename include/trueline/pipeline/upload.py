"""Plan the upload of qualified conversions: a dry run, which is all this version does."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from trueline.settings.profile import Profile
from trueline.warehouse import Work, open_reader
from trueline.windows import utc_now

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """Counts per destination; ``rows`` hold destination, state, withheld_reason, row_count."""

    rows: tuple[dict[str, Any], ...]
    dry_run: bool = True

    def as_dict(self) -> dict[str, Any]:
        return {"dry_run": self.dry_run, "rows": [dict(row) for row in self.rows]}


def plan_upload(profile: Profile, *, run_label: str = "", client: Any = None) -> UploadPlan:
    """Count what would be sent per destination and what is withheld, and why. Sends nothing.

    Raises:
        ConfigurationError: nothing has been published yet.
    """
    work = Work("plan", f"{utc_now():%Y%m%dT%H%M%S}", run_label)
    with open_reader(profile, work=work, client=client) as reader:
        rows = reader.query(
            """
            select
                destination,
                state,
                withheld_reason,
                count(*) as row_count
            from activation.qualified_conversions
            group by destination, state, withheld_reason
            order by destination, state, withheld_reason
            """
        )
    for row in rows:
        log.info(
            "%s: %d %s%s (dry run %s)",
            row["destination"],
            row["row_count"],
            row["state"],
            f" for {row['withheld_reason']}" if row["withheld_reason"] else "",
            run_label,
        )
    return UploadPlan(tuple(rows))
