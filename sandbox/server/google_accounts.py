"""Sunmoor's Google Ads accounts: a manager, two that run, one that is closed; their figures."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sandbox.world import World
from sandbox.world.company import COMPANY, CURRENCY, GOOGLE_ACCOUNT, GOOGLE_ACTIONS, SOURCES
from sandbox.world.model import DAY

MANAGER = "7770000001"
US_ACCOUNT = "2345678901"
CLOSED_ACCOUNT = "3456789012"

CATEGORY = {
    "lead_form": "SUBMIT_LEAD_FORM",
    "call_booking": "BOOK_APPOINTMENT",
    "brochure": "DOWNLOAD",
}
VALUE = {"7001": 50.0, "7002": 80.0, "7003": 5.0}
US_CAMPAIGN = ("20871100901", "US-Rooftop-Search")
US_ACTION = "7901"


@dataclass(frozen=True)
class Action:
    """One conversion action."""

    number: str
    name: str
    category: str
    value: float


@dataclass
class Account:
    """One account and everything that its reports are made of.

    Attributes:
        is_direct: Whether the token's owner is a user of it; else only through the manager.
        campaigns: Id to name.
        delivery: (campaign, day index) to cost in micros, clicks, impressions.
        claims: (campaign, action, day index) to hundredths by click day and by conversion day.
        clicks: Day index to (campaign, gclid) pairs.
    """

    number: str
    name: str
    currency: str
    time_zone: str
    status: str = "ENABLED"
    is_manager: bool = False
    is_direct: bool = False
    campaigns: dict[str, str] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)
    delivery: dict[tuple[str, int], tuple[int, int, int]] = field(default_factory=dict)
    claims: dict[tuple[str, str, int], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0])
    )
    clicks: dict[int, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))

    @property
    def resource(self) -> str:
        """``customers/1234567890``."""
        return f"customers/{self.number}"


def accounts_of(world: World) -> dict[str, Account]:
    """All accounts by number; the manager first."""
    zone = world.clock.zone.key
    made = (
        Account(MANAGER, "Sunmoor Group", CURRENCY, zone, is_manager=True, is_direct=True),
        _energy(world, zone),
        _energy_us(world),
        Account(CLOSED_ACCOUNT, "Sunmoor Storage", CURRENCY, zone, status="CANCELED"),
    )
    return {account.number: account for account in made}


def _energy(world: World, zone: str) -> Account:
    """The world's own account: what its people clicked, and what Google claims for it."""
    made = Account(GOOGLE_ACCOUNT, COMPANY, CURRENCY, zone, is_direct=True)
    made.actions = [
        Action(number, name, CATEGORY[event_name], VALUE[number])
        for event_name, (number, name) in GOOGLE_ACTIONS.items()
    ]
    google = {key: each for key, each in SOURCES.items() if each.platform == "google"}
    for key, source in google.items():
        made.campaigns[source.campaign_id] = source.campaign_name
        for day in range(world.clock.days):
            given: Any = world.delivery[key, day]
            figures = (given.cost_cents * 10_000, given.clicks, given.impressions)
            made.delivery[source.campaign_id, day] = figures
    for claim in world.claims:
        if claim.source in google:
            campaign = google[claim.source].campaign_id
            made.claims[campaign, claim.action, claim.click_day][0] += claim.hundredths
            made.claims[campaign, claim.action, claim.day][1] += claim.hundredths
    for touch in world.touches:
        if touch.click_id_type == "gclid":
            campaign = google[touch.source].campaign_id
            made.clicks[int(touch.at // DAY)].append((campaign, touch.click_id))
    return made


def _energy_us(world: World) -> Account:
    """A second account in another currency and time zone, of few and regular figures."""
    campaign, name = US_CAMPAIGN
    made = Account(US_ACCOUNT, f"{COMPANY} US", "USD", "America/New_York")
    made.campaigns[campaign] = name
    made.actions = [Action(US_ACTION, "Quote request", "REQUEST_QUOTE", 120.0)]
    for day in range(world.clock.days):
        made.delivery[campaign, day] = (41_230_000 + day * 10_000, 12 + day % 5, 700 + day)
        made.clicks[day] = [(campaign, f"EAIaIQobChMIsunmoorUS{day:05d}fD_BwE")]
        if day % 3 == 0:
            made.claims[campaign, US_ACTION, day][0] += 150
            made.claims[campaign, US_ACTION, min(day + 1, world.clock.days - 1)][1] += 150
    return made
