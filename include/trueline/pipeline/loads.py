"""What came in, load by load, and a person's word on it."""

from __future__ import annotations

import secrets
from typing import Any, Literal

from trueline.errors import ConfigurationError
from trueline.model.catalog import load_catalog
from trueline.settings.profile import Profile
from trueline.warehouse import Work, open_warehouse
from trueline.windows import utc_now

Word = Literal["accepted", "rejected"]
_DECIDABLE: dict[Word, tuple[str, ...]] = {
    "accepted": ("held",),
    "rejected": ("loaded", "held", "accepted"),
}


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
                account_id,
                status,
                reason,
                window_start,
                window_end,
                rows_received,
                rows_loaded,
                rows_quarantined,
                drift,
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


def decide_load(
    profile: Profile, load_id: str, word: Word, reason: str, *, client: Any = None
) -> None:
    """Write a person's word on a load: from the next build on it counts, or no longer.

    Nothing is deleted. ``accepted`` is for a held load, ``rejected`` for any that counts or could.

    Raises:
        ConfigurationError: there is no such load, or it is not in a state for this word.
    """
    table = load_catalog()["raw.loads"]
    work = Work("decide_load", f"{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}", "cli")
    with open_warehouse(profile, work, client=client) as warehouse:
        warehouse.ensure_tables([table])
        lines = warehouse.query(
            "select * from raw.loads where load_id = @load_id order by loaded_at",
            {"load_id": load_id},
        )
        state = lines[-1]["status"] if lines else "not there"
        if state not in _DECIDABLE[word]:
            raise ConfigurationError(
                f"The load {load_id!r} is {state}, so it cannot be {word}.",
                fix=f"{word} is for loads that are {' or '.join(_DECIDABLE[word])}: see "
                "trueline loads.",
            )
        with warehouse.transaction() as transaction:
            transaction.insert(
                table, [{**lines[-1], "status": word, "reason": reason, "loaded_at": utc_now()}]
            )
