"""Show a build to readers, all at once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trueline.errors import PermanentError
from trueline.model.catalog import Table, load_catalog
from trueline.model.parameters import HISTORY_START
from trueline.pipeline.build import new_run_id
from trueline.settings.profile import Profile
from trueline.warehouse import Work, open_warehouse
from trueline.windows import utc_now

log = logging.getLogger(__name__)
# What explains a number down to its rows. Raw and staging stay with the writer, but for what is
# small, holds nothing personal and is the last row behind a figure.
_PUBLISHED_LAYERS = frozenset(
    {"rules", "identity", "attribution", "qualification", "marts", "activation", "ops"}
)
_PUBLISHED_LEDGERS = frozenset(
    {
        "raw.loads",
        "raw.load_coverage",
        "raw.quarantine",
        "staging.stg_ads__campaigns",
        "staging.stg_ads__claims",
        "staging.stg_crm__stages",
        "staging.stg_crm__deals",
    }
)


@dataclass(frozen=True, slots=True)
class PublishSummary:
    """What readers see from now on."""

    run_id: str
    as_of: datetime
    rules_version: str
    place: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "as_of": self.as_of.isoformat(),
            "rules_version": self.rules_version,
        }


def published_tables() -> list[Table]:
    return [
        table
        for table in load_catalog().values()
        if table.kind == "table"
        and (table.layer in _PUBLISHED_LAYERS or table.key in _PUBLISHED_LEDGERS)
    ]


def publish(profile: Profile, *, run_label: str = "", client: Any = None) -> PublishSummary:
    """Publish the newest build.

    Raises:
        PermanentError: nothing was built yet, or the marts hold more than one rulebook version.
    """
    work = Work("publish", new_run_id(utc_now()), run_label)
    with open_warehouse(profile, work, client=client) as warehouse:
        tables = published_tables()
        warehouse.ensure_tables(tables)
        # A history that was moved here brings the runs that made it, but not their tables.
        newest = warehouse.query(
            """
            select run_id, as_of, rules_version
            from ops.runs
            where run_id in (select run_id from ops.run_tables)
            order by built_at desc
            limit 1
            """
        )
        if not newest:
            raise PermanentError("Nothing was built yet.", fix="Run build first.")
        versions = warehouse.query(
            """
            select rules_version, min(report_date) as first_date, max(report_date) as last_date
            from marts.funnel_daily
            where report_date >= @history_start
            group by rules_version
            order by rules_version
            """,
            {"history_start": HISTORY_START},
        )
        if len(versions) > 1:
            told = "; ".join(
                f"{row['rules_version']} ({row['first_date']} to {row['last_date']})"
                for row in versions
            )
            raise PermanentError(
                f"The marts mix rulebook versions: {told}.",
                fix="Build all of these days under one rulebook, then publish.",
            )
        run = newest[0]
        place = warehouse.publish(tables, run["run_id"])
        with warehouse.transaction() as transaction:
            transaction.insert(
                load_catalog()["ops.publications"],
                [
                    {
                        "run_id": run["run_id"],
                        "rules_version": run["rules_version"],
                        "as_of": run["as_of"],
                        "place": place,
                        "published_at": utc_now(),
                    }
                ],
            )
    log.info("published build %s", run["run_id"])
    return PublishSummary(run["run_id"], run["as_of"], run["rules_version"], place)
