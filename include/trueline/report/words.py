"""The words people read: one plain name per figure, the same in table, page and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CHANNELS = {
    "google_ads": "Google Ads",
    "meta_ads": "Meta Ads",
    "microsoft_ads": "Microsoft Ads",
    "linkedin_ads": "LinkedIn Ads",
    "tiktok_ads": "TikTok Ads",
    "organic_search": "Organic search",
    "organic_social": "Organic social",
    "email": "E-mail",
    "referral": "Referral",
    "direct": "Direct",
    "offline": "Offline",
    "unknown": "Unknown",
    "(all)": "All channels",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a ledger between two of the three numbers.

    Attributes:
        column: The column of ``reports.headline``.
        sign: +1 where the ledger adds it, -1 where it takes it away.
        header: A column header, at most 7 characters a line.
        label: What a person would call it.
    """

    column: str
    sign: int
    header: str
    label: str


# In the order of the ledger: pixel_conversions, then every step, gives real_leads. The three parts
# of claimed_not_observed stand for it: they are what a reader can act on.
GAP_PIXEL_TO_REAL = (
    Step("observed_without_claim", +1, "Seen,\nno\nclaim", "Seen, but claimed by nobody"),
    Step("view_through", -1, "View\nonly", "Claimed after a view only"),
    Step("day_shift", -1, "Other\nday", "Claimed under another day"),
    Step("claimed_not_observed_rest", -1, "Not\nseen", "Claimed, not seen by our tag"),
    Step("bot", -1, "Bots", "Bots"),
    Step("internal_or_test", -1, "Staff,\ntests", "Own staff and tests"),
    Step("duplicate_submission", -1, "Double\nsubmit", "Double submits"),
    Step("same_person", -1, "Same\nperson", "Same person again"),
    Step("existing_lead", -1, "Known\nlead", "Already a lead"),
    Step("awaiting_crm", -1, "Wait\nfor\nCRM", "Waiting for the CRM"),
    Step("no_crm_record", -1, "Never\nin\nCRM", "Never reached the CRM"),
    Step("credited_elsewhere", -1, "Credit\nto\nother", "Credited to other campaigns"),
    Step("credited_from_elsewhere", +1, "Credit\nfrom\nother", "Credited from other campaigns"),
    Step("unobserved_leads", +1, "Leads\nunseen", "Leads our tag never saw"),
    Step("recovered_leads", +1, "Recov-\nered", "Found among excluded events"),
)
# What no platform knows the form, page or segment of: a ledger by these starts at what was
# observed, and nothing moves between campaigns.
_TOLD_BY_PLATFORMS = frozenset(
    {
        "observed_without_claim",
        "view_through",
        "day_shift",
        "claimed_not_observed_rest",
        "credited_elsewhere",
        "credited_from_elsewhere",
    }
)
GAP_OBSERVED_TO_REAL = tuple(
    step for step in GAP_PIXEL_TO_REAL if step.column not in _TOLD_BY_PLATFORMS
)
CLAIM_PARTS = ("view_through", "day_shift", "claimed_not_observed_rest")

GAP_REAL_TO_QUALIFIED = (
    Step("spam", -1, "Spam", "Spam"),
    Step("marked_duplicate", -1, "Marked\ndouble", "Marked as duplicate"),
    Step("deleted_in_crm", -1, "De-\nleted", "Deleted in the CRM"),
    Step("unreachable", -1, "Not\nreached", "Could not be reached"),
    Step("not_fit", -1, "Not\na fit", "Not a fit"),
    Step("no_budget", -1, "No\nbudget", "No budget"),
    Step("no_authority", -1, "No say", "No say in the decision"),
    Step("no_need", -1, "No need", "No need"),
    Step("no_timing", -1, "Not now", "Not now"),
    Step("no_intent", -1, "No\nintent", "No intent to buy"),
    Step("undecided", -1, "Never\ndecided", "Never decided"),
    Step("other_reason", -1, "Other", "Other reason"),
    Step("pending", -1, "Still\nopen", "Verdict still open"),
)

#: What a report can be cut by besides campaigns and days, and how its first column is called.
DIMENSIONS = {"segment": "Segment", "landing_page": "Landing page", "form": "Form"}

DEFINITIONS = (
    (
        "Pixel conversions",
        "What an ad platform claims for a campaign and day. Claims can be fractional, and "
        "platforms change them for weeks.",
    ),
    (
        "Real leads",
        "People with at least one record in the CRM, without own staff and tests: one lead per "
        "person for life. A lead that several campaigns brought is shared out between them, so "
        "counts can be fractional.",
    ),
    ("Qualified leads", "Real leads whose verdict under the rulebook is qualified."),
    (
        "Qualified opportunities",
        "Qualified leads that ever had a deal. Spend divided by them is the headline cost.",
    ),
    ("Customers", "Leads that ever had a won deal."),
    (
        "Pixel → real",
        "Real leads per pixel conversion, only where a platform reported its claims. It can exceed "
        "100%: a platform does not claim every lead its campaign brought.",
    ),
    (
        "Day",
        "A lead counts on the day it came in, also when it qualifies or buys much later: the "
        "newest days still gain qualified leads, opportunities and customers.",
    ),
    ("Waiting for the CRM", "A submission too young for its CRM record to be expected already."),
    (
        "Leads our tag never saw",
        "Phone calls, forms inside a platform, refused consent, ad blockers: in the CRM, but no "
        "submission was seen.",
    ),
    (
        "Claimed, not seen by our tag",
        "Claims without a matching submission. A plus means that the tag saw more than the "
        "platform claims.",
    ),
    ("Already a lead", "A submission of somebody who has long been a lead."),
    (
        "Credited to / from other campaigns",
        "A lead belongs to the campaigns whose visits brought it, which need not be the one whose "
        "form visit the platform claims. Over all channels the two cancel exactly.",
    ),
    ("Return on ad spend", "Won amount divided by spend."),
    (
        "–",
        "Cannot be computed: nothing to divide by, no platform claims anything there, or some of "
        "the spend is in a currency without a known rate.",
    ),
)


def channel_label(platform: str) -> str:
    return CHANNELS.get(platform) or printable(platform)


def campaign_label(row: dict[str, Any]) -> str:
    """The campaign's name, or the channel's where a channel has no campaigns."""
    if row["campaign_id"] in ("(none)", "(all)", row["platform"]):
        return channel_label(row["platform"])
    if row["campaign_id"] == "unknown":
        return f"{channel_label(row['platform'])}, unknown"
    return printable(row["campaign_name"] or row["campaign_id"])


def dimension_label(value: str) -> str:
    """A segment, landing page or form; what nobody tells is said so."""
    return "not told" if value == "(none)" else printable(value)


def printable(name: str) -> str:
    """``name`` without characters that could move a cursor or turn the reading direction."""
    return "".join(character if character.isprintable() else " " for character in name)
