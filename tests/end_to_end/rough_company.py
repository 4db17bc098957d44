"""A small company to which everything happens, written into raw load by load.

Late and repeated rows, one address for many, phones of a switchboard, a tablet at a fair, clicks
that arrive days after the visit, records that are merged, merged in rings, torn apart again and
deleted, verdicts that go back and forth, deals that move, claims that are restated and taken back,
new and renamed campaigns, rates that come late, loads that a person rejects. Everything is drawn
from one seed.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from trueline.model.catalog import load_catalog
from trueline.warehouse import Transaction

Row = dict[str, Any]
DAYS = 40
FIRST = datetime(2026, 3, 10, tzinfo=UTC)  # the clocks change in between
_ACCOUNTS = {"google_ads": "1", "meta_ads": "7"}
_STAGES = ("NEW", "CONNECTED", "QUALIFIED", "UNQUALIFIED", "QUALIFIED", "UNQUALIFIED", "ODD")
_REASONS = ("spam", "no_budget", "not_fit", None)
_ACTIONS = {
    "google_ads": ("7001", "7002", "9999"),
    "meta_ads": ("offsite_conversion.fb_pixel_lead", "onsite_conversion.lead_grouped"),
}


@dataclass(slots=True)
class Load:
    """One load: its rows by raw table, and what it covers."""

    load_id: str
    loaded_at: datetime
    rows: dict[str, list[Row]] = field(default_factory=dict)
    coverage: list[Row] = field(default_factory=list)

    def write(self, transaction: Transaction) -> None:
        """Append everything, the lines of ``raw.loads`` included."""
        catalog = load_catalog()
        for name, rows in self.rows.items():
            transaction.insert(catalog[f"raw.{name}"], [self._stamped(row) for row in rows])
        for row in self.coverage:
            stamped = {"load_id": self.load_id, "loaded_at": self.loaded_at, "source": "test"}
            transaction.insert(catalog["raw.load_coverage"], [row | stamped])
        self.say(transaction, "loaded", self.loaded_at)

    def say(self, transaction: Transaction, status: str, at: datetime) -> None:
        """One line of ``raw.loads``."""
        transaction.insert(
            load_catalog()["raw.loads"],
            [
                {
                    "load_id": self.load_id,
                    "source": "test",
                    "status": status,
                    "table_name": "several",
                    "rows_received": 0,
                    "rows_loaded": 0,
                    "rows_quarantined": 0,
                    "loaded_at": at,
                }
            ],
        )

    def _stamped(self, row: Row) -> Row:
        text = json.dumps(row, sort_keys=True, default=str)
        return row | {
            "source": "test",
            "load_id": self.load_id,
            "loaded_at": self.loaded_at,
            "row_hash": hashlib.sha256(text.encode()).hexdigest(),
        }


class RoughCompany:
    """Days of life, told by one load a day that knows only what is known by then.

    Args:
        people: How many persons there are.
    """

    def __init__(self, seed: int, people: int = 45) -> None:
        self.chance = random.Random(seed)
        self.loads = [Load(f"{day:03d}-{seed}", self._morning(day)) for day in range(1, DAYS + 1)]
        self.number = 0
        self.campaigns = [
            (platform, str(10 * number + index))
            for index, platform in enumerate(_ACCOUNTS)
            for number in range(1, 4)
        ]
        for person in range(people):
            self._person(person)
        self._bots_and_staff()
        self._ads()
        for load in self.loads:
            for rows in load.rows.values():
                self.chance.shuffle(rows)

    def batches(self, sizes: tuple[int, ...]) -> Iterator[list[Load]]:
        """The loads in batches of these sizes, over and over."""
        left, number = list(self.loads), 0
        while left:
            size = sizes[number % len(sizes)]
            yield left[:size]
            left, number = left[size:], number + 1

    @staticmethod
    def _morning(day: float) -> datetime:
        return FIRST + timedelta(days=day, hours=4)

    def _id(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.number}"

    def _at(self, day: float) -> datetime:
        return FIRST + timedelta(days=day)

    def _tell(self, table: str, row: Row, day: float) -> None:
        """The row comes with the next load, sometimes days later, sometimes twice."""
        late = self.chance.choice([0, 0, 0, 0, 0, 1, 2, 9])
        for more in (0, 3) if self.chance.random() < 0.08 else (0,):
            arrives = int(day) + late + more
            if arrives < DAYS:
                self.loads[arrives].rows.setdefault(table, []).append(row)

    def _source(self) -> Row:
        platform, campaign = self.chance.choice(self.campaigns)
        kind = self.chance.random()
        if kind < 0.35 and platform == "google_ads":
            click = self._id("gclid-")
            return {"click_id": click, "click_id_type": "gclid", "_campaign": campaign}
        if kind < 0.6:
            name = self.chance.choice([campaign, f"Campaign {campaign}", f"renamed {campaign}"])
            source = "google" if platform == "google_ads" else "facebook"
            medium = "cpc" if platform == "google_ads" else "paid_social"
            return {"utm_source": source, "utm_medium": medium, "utm_campaign": name}
        if kind < 0.7:
            return {"ad_campaign_id": campaign}
        if kind < 0.8:
            return {"referrer_host": "google.com"}
        return {}

    def _person(self, number: int) -> None:
        chance = self.chance
        clients = [f"c{number}-{each}" for each in range(chance.choice([1, 1, 2, 3]))]
        if chance.random() < 0.3:
            clients.append("fair-tablet")
        email = "info" if chance.random() < 0.08 else f"mail{number}"
        phone = f"switchboard{number % 3}" if chance.random() < 0.2 else f"phone{number}"
        day = chance.uniform(0, DAYS - 12)
        source: Row = {}
        for _ in range(chance.randint(1, 6)):
            source = self._source()
            self._touch(chance.choice(clients), source, day)
            day += chance.expovariate(0.7)
        submitted = day
        for _ in range(chance.choice([1, 1, 2, 3, 5])):
            event = {
                "observer": "site_tag",
                "event_id": self._id("e"),
                "event_name": chance.choice(["lead_form", "lead_form", "call_booking", "brochure"]),
                "occurred_at": self._at(submitted),
                "client_id": None if chance.random() < 0.1 else chance.choice(clients),
                "email_key": email if chance.random() < 0.8 else None,
                "phone_key": phone if chance.random() < 0.3 else None,
                "user_agent": "Mozilla/5.0",
                **({} if chance.random() < 0.4 else _public(source)),
            }
            self._tell("tag_events", event, submitted)
            if chance.random() < 0.2:
                self._tell("tag_events", event | {"observer": "server_log"}, submitted)
            if chance.random() < 0.2:
                again = event["occurred_at"] + timedelta(minutes=chance.uniform(0.1, 60))
                other = event if chance.random() < 0.5 else event | {"event_id": self._id("e")}
                self._tell("tag_events", other | {"occurred_at": again}, submitted)
            submitted += chance.choice([0.1, 0.6, chance.expovariate(0.2)])
            if submitted > DAYS - 2:
                break
        if chance.random() < 0.75:
            self._records(number, email, phone, clients, source, day)

    def _touch(self, client: str, source: Row, day: float) -> None:
        touch = {
            "touch_id": self._id("t"),
            "occurred_at": self._at(day),
            "client_id": None if self.chance.random() < 0.05 else client,
            "is_bounce": self.chance.random() < 0.4,
            **_public(source),
        }
        self._tell("touches", touch, day)
        if "_campaign" in source:
            click = {
                "platform": "google_ads",
                "account_id": "1",
                "campaign_id": source["_campaign"],
                "click_id": source["click_id"],
                "platform_date": self._at(day).date(),
            }
            self._tell("ad_clicks", click, day)

    def _records(
        self, number: int, email: str, phone: str, clients: list[str], source: Row, day: float
    ) -> None:
        chance = self.chance
        created = day + chance.choice([0.01, 0.3, 2, 6])
        first: str | None = None
        for each in range(chance.choice([1, 1, 1, 2, 3])):
            record = f"{number}-{each}"
            base = {
                "crm": "hubspot",
                "crm_record_id": record,
                "crm_created_at": self._at(created + each * chance.uniform(0, 9)),
                "email_key": email if each == 0 or chance.random() < 0.5 else f"other{number}",
                "phone_key": phone if chance.random() < 0.5 else None,
                "client_id": chance.choice(clients) if chance.random() < 0.3 else None,
                "is_test": chance.random() < 0.03,
                "is_deleted": False,
                "segment": chance.choice(["small", "large", None]),
                "fit": Decimal(chance.choice(["0.05", "0.9"])) if chance.random() < 0.3 else None,
                "consent_ad_user_data": chance.choice(["granted", "denied", None]),
                "crm_source": chance.choice(["paid_search", "offline", "odd", None]),
                **({} if chance.random() < 0.7 else _public(source, clicks_only=True)),
            }
            moment = created + each
            versions = [base]
            if first is not None and chance.random() < 0.7:
                versions.append(base | {"merged_into_record_id": first})
                if chance.random() < 0.3:
                    versions.append(base)  # torn apart again
            if first is None and chance.random() < 0.1:
                # Merged in a ring by a tired intern.
                versions.append(base | {"merged_into_record_id": f"{number}-1"})
            if chance.random() < 0.12:
                versions.append(versions[-1] | {"is_deleted": True, "email_key": None})
                if chance.random() < 0.3:
                    versions.append(base)  # restored
            if chance.random() < 0.3:
                versions.append(base | {"email_key": f"corrected{number}"})
            for version in versions:
                row = version | {"updated_at": self._at(moment)}
                self._tell("crm_leads", row, moment)
                moment += chance.uniform(0.5, 8)
            self._sales(record, created + each)
            first = first or record

    def _sales(self, record: str, day: float) -> None:
        chance = self.chance
        key = {"crm": "hubspot", "crm_record_id": record}
        for number in range(chance.choice([0, 1, 2, 4])):
            day += chance.uniform(0, 7)
            stage = "NEW" if number == 0 else chance.choice(_STAGES)
            told = {
                "stage": stage,
                "stage_reason": chance.choice(_REASONS) if stage == "UNQUALIFIED" else None,
                "changed_at": self._at(day),
                "contact_attempts": chance.randint(0, 5),
            }
            self._tell("crm_stages", key | told, day)
        if chance.random() < 0.3:
            deal = {
                "deal_id": f"d{record}",
                "deal_amount": Decimal(chance.randint(1, 90000)) / 7,
                "currency_code": chance.choice(["EUR", "USD", None]),
                "deal_created_at": self._at(day),
                "updated_at": self._at(day),
                "is_won": False,
                "is_closed": False,
                "is_deleted": False,
            }
            deal["deal_amount"] = round(deal["deal_amount"], 2)
            self._tell("crm_deals", key | deal, day)
            day += chance.uniform(1, 9)
            ended = {
                "is_closed": True,
                "is_won": chance.random() < 0.5,
                "deal_closed_at": self._at(day),
                "updated_at": self._at(day),
                "is_deleted": chance.random() < 0.1,
            }
            if chance.random() < 0.2:
                key = key | {"crm_record_id": f"{chance.randint(0, 20)}-0"}
            self._tell("crm_deals", key | deal | ended, day)

    def _bots_and_staff(self) -> None:
        for number in range(12):
            day = self.chance.uniform(0, DAYS - 3)
            event = {
                "observer": "site_tag",
                "event_id": self._id("e"),
                "event_name": "lead_form",
                "occurred_at": self._at(day),
                "client_id": f"bot{number % 4}",
                "user_agent": "SomeBot/1.0" if number % 3 else "Mozilla/5.0",
                "is_test": number % 3 == 0,
            }
            self._tell("tag_events", event, day)

    def _ads(self) -> None:
        """Each morning the platforms tell the last ten days anew, changed a little."""
        for day, load in enumerate(self.loads):
            for platform, account in _ACCOUNTS.items():
                first = max(0, day - 9)
                for report in ("delivery", "claims"):
                    load.coverage.append(
                        {
                            "report": report,
                            "subject": platform,
                            "account_id": account,
                            "first_date": self._at(first).date(),
                            "last_date": self._at(day).date(),
                            "is_exhaustive": self.chance.random() < 0.8,
                        }
                    )
                for told in range(first, day + 1):
                    self._ad_day(load, platform, account, day, self._at(told).date())
            load.coverage.append(
                {
                    "report": "crm",
                    "subject": "hubspot",
                    "account_id": "(none)",
                    "first_date": self._at(day).date(),
                    "last_date": self._at(day).date(),
                    "is_exhaustive": False,
                    # The sync stands still for a while.
                    "complete_until": self._at(min(day, 20) if day < 26 else day),
                }
            )
            if self.chance.random() < 0.6:
                rate = {
                    "rate_date": self._at(day).date(),
                    "base_currency": "EUR",
                    "quote_currency": "USD",
                    "rate": Decimal(self.chance.randint(1000, 1200)) / 1000,
                }
                self._tell("exchange_rates", rate, day)

    def _ad_day(self, load: Load, platform: str, account: str, day: int, told: date) -> None:
        chance = self.chance
        for campaign_platform, campaign in self.campaigns:
            # One campaign starts late.
            if campaign_platform != platform or (campaign.startswith("3") and day < 15):
                continue
            key = {
                "platform": platform,
                "account_id": account,
                "campaign_id": campaign,
                "platform_date": told,
            }
            if chance.random() < 0.95:
                name = f"Renamed {campaign}" if day > 22 else f"Campaign {campaign}"
                load.rows.setdefault("ad_delivery", []).append(
                    key
                    | {
                        "campaign_name": name,
                        "currency_code": "USD" if campaign.startswith("2") else "EUR",
                        "cost_micros": chance.randint(-5, 90) * 1_000_000,
                        "impressions": chance.randint(0, 900),
                        "clicks": chance.randint(0, 60),
                    }
                )
            for action in _ACTIONS[platform]:
                if chance.random() < 0.5:
                    load.rows.setdefault("pixel_claims", []).append(
                        key
                        | {
                            "conversion_action": action,
                            "claim_basis": "conversion_date",
                            "pixel_conversions": Decimal(chance.randint(0, 4_000_000)) / 1_000_000,
                            "view_through": chance.choice([None, Decimal("0.25")]),
                        }
                    )


def _public(source: Mapping[str, Any], *, clicks_only: bool = False) -> Row:
    """What a page's address says of the source."""
    wanted = ("click_id", "click_id_type") if clicks_only else None
    return {
        key: value
        for key, value in source.items()
        if not key.startswith("_") and (wanted is None or key in wanted)
    }
