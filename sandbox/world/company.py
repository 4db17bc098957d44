"""The invented company, its campaigns and how each of them really behaves.

All figures are per day at size 1.0. The story: ``fleet`` is dear per pixel conversion and brings
buyers; ``instant`` has the cheapest pixel conversions and hardly a qualified lead.
"""

from __future__ import annotations

from dataclasses import dataclass

COMPANY = "Sunmoor Energy"
SITE = "https://www.sunmoor.example"
STAFF_DOMAIN = "sunmoor.example"
OFFICE_IP = "203.0.113.10"
CURRENCY = "EUR"
TIME_ZONE = "Europe/Berlin"

GOOGLE_ACCOUNT = "1234567890"
META_ACCOUNT = "100200300"

#: Numeric action ids of Google by tag event name.
GOOGLE_ACTIONS = {
    "lead_form": ("7001", "Lead form"),
    "call_booking": ("7002", "Call booked"),
    "brochure": ("7003", "Brochure download"),
}
NONE = "(none)"

REASONS = (
    "spam", "duplicate", "unreachable", "not_fit", "no_budget", "no_authority", "no_need",
    "no_timing", "no_intent", "other",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One campaign or unclaimed channel.

    Attributes:
        daily_spend: In EUR; 0 for unclaimed channels.
        cost_per_click: In EUR.
        daily_visits: Visits of unclaimed channels.
        people: Persons per day whose first touch is here and who submit.
        lost: Share of them whose form never becomes a CRM record.
        blocked: Share of them that no tag sees.
        qualified: Share of leads that sales ends up calling qualified.
        undecided: Share on which sales never decides.
        reasons: Weights of the disqualifying reasons, in the order of ``REASONS``.
        decision_days: Mean days until the verdict.
        deal: Share of qualified leads with a deal.
        won: Share of those deals won.
        deal_amount: Typical value in EUR.
        brochures: Brochure downloads per day by people who never submit.
        bots: Bot submissions per day.
        calls: Share of submissions that book a call.
        path: Landing page.
    """

    key: str
    channel: str
    campaign_id: str = NONE
    campaign_name: str = ""
    daily_spend: float = 0.0
    cost_per_click: float = 1.0
    click_rate: float = 0.03
    daily_visits: float = 0.0
    people: float = 0.0
    lost: float = 0.04
    blocked: float = 0.12
    qualified: float = 0.25
    undecided: float = 0.05
    reasons: tuple[int, ...] = (6, 2, 18, 20, 14, 8, 16, 10, 6, 4)
    decision_days: float = 9.0
    deal: float = 0.55
    won: float = 0.3
    deal_amount: float = 14000.0
    brochures: float = 0.0
    bots: float = 0.0
    calls: float = 0.18
    path: str = "/contact"

    @property
    def platform(self) -> str:
        """``google``, ``meta`` or empty for an unclaimed channel."""
        return {"google_ads": "google", "meta_ads": "meta"}.get(self.channel, "")

    @property
    def utm_campaign(self) -> str:
        """The tag as it should be written."""
        return self.campaign_name.lower()


SOURCES: dict[str, Source] = {
    source.key: source
    for source in (
        Source(
            "fleet", "google_ads", "20871100401", "Fleet-Depots-Search",
            daily_spend=489, cost_per_click=9.4, click_rate=0.046, people=2.85, lost=0.03,
            qualified=0.7, reasons=(1, 1, 8, 8, 12, 12, 10, 20, 4, 2), decision_days=7, deal=0.8,
            won=0.38, deal_amount=38000, brochures=7, bots=0.4, calls=0.36, path="/fleet-depots",
        ),
        Source(
            "brand", "google_ads", "20871100402", "Brand-Search",
            daily_spend=245, cost_per_click=2.2, click_rate=0.14, people=2.9, lost=0.04,
            qualified=0.3, reasons=(4, 3, 10, 16, 10, 8, 30, 8, 6, 8), deal=0.42, won=0.3,
            deal_amount=12000, brochures=14, bots=0.8, path="/",
        ),
        Source(
            "generic", "google_ads", "20871100403", "Solar-Generic-Search",
            daily_spend=422, cost_per_click=3.8, click_rate=0.031, people=5.0, lost=0.07,
            qualified=0.22, deal=0.5, won=0.24, deal_amount=11000, brochures=17, bots=1.8,
            path="/commercial-solar",
        ),
        Source(
            "instant", "meta_ads", "120210884410011", "Instant-Quote-Broad",
            daily_spend=400, cost_per_click=1.45, click_rate=0.018, people=15.2, lost=0.55,
            blocked=0.06, qualified=0.035, undecided=0.08,
            reasons=(26, 3, 34, 18, 6, 2, 6, 2, 10, 2), decision_days=5, deal=0.3, won=0.1,
            deal_amount=7000, brochures=32, bots=7, calls=0.04, path="/instant-quote",
        ),
        Source(
            "form", "meta_ads", "120210884410012", "Roof-Check-Lead-Form",
            daily_spend=267, cost_per_click=2.0, click_rate=0.012, people=3.9, lost=0.02,
            qualified=0.28, reasons=(5, 2, 24, 18, 14, 6, 12, 12, 8, 3), decision_days=8, deal=0.44,
            won=0.26, deal_amount=12500, brochures=0, path="/roof-check",
        ),
        Source(
            "retarget", "meta_ads", "120210884410013", "Retargeting-All-Visitors",
            daily_spend=188, cost_per_click=1.3, click_rate=0.009, people=1.1, lost=0.05,
            qualified=0.32, deal=0.45, won=0.25, deal_amount=11000, brochures=9, bots=0.6,
            path="/case-studies",
        ),
        Source("organic_search", "organic_search", daily_visits=110, people=3.2, qualified=0.38,
               brochures=18, bots=0.8, path="/guide/commercial-solar", deal_amount=16000),
        Source("organic_social", "organic_social", daily_visits=28, people=0.75, qualified=0.16,
               brochures=3, path="/blog/roof-leases", deal_amount=9000),
        Source("email", "email", daily_visits=30, people=1.4, qualified=0.42, brochures=4,
               path="/webinar", deal_amount=15000),
        Source("referral", "referral", daily_visits=14, people=0.75, qualified=0.42, brochures=2,
               path="/partners", deal_amount=18000),
        Source("direct", "direct", daily_visits=48, people=1.8, qualified=0.3, brochures=3,
               path="/", deal_amount=14000),
        # People who call without ever having visited: sales types them in.
        Source("offline", "offline", people=0.7, lost=0.0, qualified=0.3, path=""),
    )
}  # fmt: skip

PAID = tuple(source for source in SOURCES.values() if source.campaign_id != NONE)
UNCLAIMED = tuple(source for source in SOURCES.values() if source.daily_visits)


#: Where people come from on their later visits, with weights.
FOLLOW_UP = {
    "same": 24,
    "direct": 24,
    "brand": 16,
    "retarget": 14,
    "organic_search": 12,
    "email": 7,
    "generic": 3,
}

#: Business rhythm by day index: weekday by weekday, the week starts with the world.
WEEK = (1.14, 1.17, 1.15, 1.08, 1.0, 0.72, 0.74)


#: Every 60 days a machine attacks the cheapest form for an hour and a half.
ATTACK_EVERY, ATTACK_DAY = 60, 40


def rhythm(day: int) -> float:
    """How busy a day is, about 1 on average; business grows a little for a while."""
    return WEEK[day % 7] * (0.94 + 0.12 * min(day, 180) / 90)
