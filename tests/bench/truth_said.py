"""What the warehouse says of a world, read from its tables after a build."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from sandbox.world.company import Source

CRM = "hubspot"


class Campaign(NamedTuple):
    """A campaign, or a channel without any."""

    channel: str
    campaign_id: str

    @classmethod
    def of(cls, source: Source) -> Campaign:
        return cls(source.channel, source.campaign_id)


@dataclass(frozen=True)
class Said:
    """What the warehouse holds.

    Attributes:
        clicks: The clicks that Google's report names a campaign for.
        persons: The person of each thing, by kind and key as in :class:`Thing`.
        causes: Cause and campaign of each macro event, by event key.
        credits: The credits of each lead, by the CRM record that the lead is named after.
        verdicts: ``qualified``, ``pending`` or the reason, by the same.
        costs: By campaign and day: spend.
        judgements: The page's newest word per campaign with spend.
    """

    as_of: datetime
    clicks: frozenset[str]
    persons: dict[tuple[str, str], str]
    causes: dict[str, tuple[str, Campaign]]
    credits: dict[str, list[tuple[Campaign, float]]]
    verdicts: dict[str, str]
    lead_days: dict[str, date]
    costs: dict[tuple[Campaign, date], float]
    judgements: dict[Campaign, str]

    @classmethod
    def read(cls, warehouse: Path) -> Said:
        """From the file of a build that has ended; nothing else may have it open for writing."""
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("set enable_progress_bar = false")

            def rows(sql: str) -> list[Any]:
                return connection.execute(sql).fetchall()

            kinds = {"tag_event": "submission", "touch": "visit", "crm_lead": "record"}
            lead_credits: dict[str, list[tuple[Campaign, float]]] = defaultdict(list)
            for lead_key, channel, campaign_id, credit in rows(
                "select lead_key, platform, campaign_id, credit from attribution.lead_credits"
            ):
                share = (Campaign(channel, campaign_id), float(credit))
                lead_credits[_record_id(lead_key)].append(share)
            ((as_of,),) = rows("select max(as_of) from marts.funnel_daily")
            return cls(
                as_of=as_of,
                clicks=frozenset(key for (key,) in rows("select click_id from raw.ad_clicks")),
                persons={
                    (kinds[kind], _record_id(key) if kind == "crm_lead" else key): person
                    for kind, key, person in rows(
                        "select entity_kind, entity_key, person_key from identity.origins"
                    )
                },
                causes={
                    key: (cause, Campaign(channel, campaign_id))
                    for key, cause, channel, campaign_id in rows(
                        "select event_key, cause, platform, campaign_id"
                        " from identity.event_causes where cause != 'micro'"
                    )
                },
                credits=dict(lead_credits),
                verdicts={
                    _record_id(key): verdict if verdict in ("qualified", "pending") else reason
                    for key, verdict, reason in rows(
                        "select lead_key, verdict, reason from qualification.lead_verdicts"
                    )
                },
                lead_days={
                    _record_id(key): day
                    for key, day in rows("select lead_key, report_date from identity.leads")
                },
                costs={
                    (Campaign(channel, campaign_id), day): float(spend)
                    for channel, campaign_id, day, spend in rows(
                        "select platform, campaign_id, report_date, sum(spend_amount)"
                        " from marts.funnel_daily where spend_amount is not null group by all"
                    )
                },
                judgements={
                    Campaign(channel, campaign_id): word
                    for channel, campaign_id, word in rows(
                        "select platform, campaign_id, judgement from marts.campaign_judgements"
                        " where judgement is not null"
                        " qualify as_of_date = max(as_of_date) over ()"
                    )
                },
            )


def _record_id(key: str) -> str:
    return key.removeprefix(f"{CRM}:")
