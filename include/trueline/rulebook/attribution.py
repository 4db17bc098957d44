"""config/rulebook/attribution.yaml: goals, channels, who is excluded, how credit is given."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, IPvAnyAddress, model_validator

from trueline.settings.yaml_lines import Strict

STANDARD_CHANNELS = (
    "google_ads",
    "meta_ads",
    "microsoft_ads",
    "linkedin_ads",
    "tiktok_ads",
    "organic_search",
    "organic_social",
    "email",
    "referral",
    "direct",
    "offline",
    "unknown",
)
AD_PLATFORMS = STANDARD_CHANNELS[:5]
UNMAPPED_GOAL = "unmapped"


def _lower(value: str) -> str:
    return value.strip().lower()


LowerText = Annotated[str, AfterValidator(_lower)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class ConversionGoal(Strict):
    """What a submission is worth: a step on the way, or what the campaign exists for."""

    kind: Literal["macro", "micro"]
    makes_lead: bool


class ClaimMapping(Strict):
    """Sends one conversion action of a platform to a goal."""

    platform: Name
    account_id: str | None = None
    conversion_action: str
    goal: Name


class SourceRule(Strict):
    """Sends tagged traffic to a channel; the first rule that fits wins. Absent = anything."""

    utm_source: LowerText | None = None
    utm_medium: LowerText | None = None
    channel: Name


class Internal(Strict):
    """Who is not the public: own e-mail domains and office addresses."""

    email_domains: tuple[Annotated[LowerText, Field(pattern=r"^[^@\s]+\.[^@\s.]+$")], ...] = ()
    ip_addresses: tuple[IPvAnyAddress, ...] = ()


class AttributionRules(Strict):
    """The whole file."""

    label: str = Field(min_length=1, max_length=80)
    conversion_goals: dict[Name, ConversionGoal] = Field(min_length=1)
    default_goal: Name
    tag_event_goals: dict[str, Name]
    claim_goals: tuple[ClaimMapping, ...] = ()

    claiming_platforms: tuple[Name, ...] = AD_PLATFORMS
    extra_channels: tuple[Name, ...] = ()
    click_id_channels: dict[str, Name]
    source_channels: tuple[SourceRule, ...]
    referrer_channels: dict[LowerText, Name] = Field(default_factory=dict)
    crm_source_channels: dict[LowerText, Name] = Field(default_factory=dict)

    bot_user_agents: tuple[LowerText, ...] = ()
    internal: Internal = Internal()
    duplicate_minutes: int = Field(default=30, ge=0, le=1440)
    repeat_days: int = Field(default=1, ge=0, le=365)
    sync_lag_minutes: int = Field(default=4320, ge=0, le=43200)
    clock_slack_minutes: int = Field(default=10, ge=0, le=1440)
    max_fan_out: int = Field(default=20, ge=2, le=1000)

    model: Literal["first_touch", "last_touch"] = "first_touch"
    look_back_days: int = Field(default=90, ge=1, le=730)
    look_back_days_by_channel: dict[Name, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_must_exist(self) -> AttributionRules:
        goals, channels = set(self.conversion_goals), self.channels()
        if UNMAPPED_GOAL in goals:
            raise ValueError(f"the goal name {UNMAPPED_GOAL!r} is reserved, choose another")
        for what, goal in (
            ("default_goal", self.default_goal),
            *((f"tag_event_goals.{event}", goal) for event, goal in self.tag_event_goals.items()),
            *((f"claim_goals {m.conversion_action}", m.goal) for m in self.claim_goals),
        ):
            if goal not in goals:
                raise ValueError(
                    f"{what} names the goal {goal!r}; known: {', '.join(sorted(goals))}"
                )
        for name, rules in self.conversion_goals.items():
            if rules.makes_lead != (rules.kind == "macro"):
                raise ValueError(
                    f"the goal {name!r} must have makes_lead: true if it is macro and false if it "
                    "is micro, or the totals would not add up"
                )
        if not self.conversion_goals[self.default_goal].makes_lead:
            raise ValueError(f"default_goal {self.default_goal!r} must have makes_lead: true")
        used = {
            *self.claiming_platforms,
            *self.click_id_channels.values(),
            *(rule.channel for rule in self.source_channels),
            *self.referrer_channels.values(),
            *self.crm_source_channels.values(),
            *self.look_back_days_by_channel,
        }
        for channel in sorted(used - channels):
            raise ValueError(
                f"the channel {channel!r} is not known; use one of {', '.join(sorted(channels))}, "
                "or add it to extra_channels"
            )
        return self

    def channels(self) -> set[str]:
        return {*STANDARD_CHANNELS, *self.extra_channels}
