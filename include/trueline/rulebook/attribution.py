"""config/rulebook/attribution.yaml: goals, channels, who is excluded, how credit is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, IPvAnyAddress, model_validator

from trueline.settings.yaml_lines import SettingError, Strict

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
    self_reported_channels: dict[LowerText, Name] = Field(default_factory=dict)

    bot_user_agents: tuple[LowerText, ...] = ()
    internal: Internal = Internal()
    duplicate_minutes: int = Field(default=30, ge=0, le=1440)
    repeat_days: int = Field(default=1, ge=0, le=365)
    sync_lag_minutes: int = Field(default=4320, ge=0, le=43200)
    clock_slack_minutes: int = Field(default=10, ge=0, le=1440)
    max_rate_age_days: int = Field(default=7, ge=0, le=366)
    max_fan_out: int = Field(default=20, ge=2, le=1000)
    max_addresses: int = Field(default=2, ge=1, le=100)
    max_browsers_per_click: int = Field(default=1, ge=1, le=100)
    session_minutes: int = Field(default=240, ge=0, le=1440)

    model: Literal["first_touch", "last_touch"] = "first_touch"
    look_back_days: int = Field(default=90, ge=1, le=730)
    look_back_days_by_channel: dict[Name, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _goals_add_up(self) -> AttributionRules:
        for name, rules in self.conversion_goals.items():
            if name == UNMAPPED_GOAL:
                raise SettingError(
                    "this goal's name is reserved; choose another", "conversion_goals", name
                )
            if rules.makes_lead != (rules.kind == "macro"):
                raise SettingError(
                    "makes_lead must be true for a macro goal and false for a micro one, or the "
                    "totals would not add up",
                    "conversion_goals",
                    name,
                )
        for location, goal in self._goals_named():
            if goal not in self.conversion_goals:
                known = ", ".join(sorted(self.conversion_goals))
                raise SettingError(f"there is no goal {goal!r}; use one of {known}", *location)
        if not self.conversion_goals[self.default_goal].makes_lead:
            raise SettingError(
                f"{self.default_goal!r} makes no lead; name a goal that does", "default_goal"
            )
        return self

    @model_validator(mode="after")
    def _channels_exist(self) -> AttributionRules:
        channels = self.channels()
        for location, channel in self._channels_named():
            if channel not in channels:
                raise SettingError(
                    f"there is no channel {channel!r}; use one of {', '.join(sorted(channels))}, "
                    "or add it to extra_channels",
                    *location,
                )
        return self

    def _goals_named(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        yield ("default_goal",), self.default_goal
        for event, goal in self.tag_event_goals.items():
            yield ("tag_event_goals", event), goal
        for index, mapping in enumerate(self.claim_goals):
            yield ("claim_goals", index, "goal"), mapping.goal

    def _channels_named(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for index, platform in enumerate(self.claiming_platforms):
            yield ("claiming_platforms", index), platform
        for index, rule in enumerate(self.source_channels):
            yield ("source_channels", index, "channel"), rule.channel
        for name in (
            "click_id_channels",
            "referrer_channels",
            "crm_source_channels",
            "self_reported_channels",
        ):
            for key, channel in getattr(self, name).items():
                yield (name, key), channel
        for channel in self.look_back_days_by_channel:
            yield ("look_back_days_by_channel", channel), channel

    def channels(self) -> set[str]:
        return {*STANDARD_CHANNELS, *self.extra_channels}
