"""config/rulebook/attribution.yaml: goals, channels, who is excluded, how credit is given."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
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
AttributionModel = Literal[
    "first_touch",
    "last_touch",
    "last_non_direct",
    "linear",
    "position_based",
    "time_decay",
    "markov",
    "shapley",
]
MODELS: tuple[str, ...] = AttributionModel.__args__  # type: ignore[attr-defined]
# These weigh channels by what was learnt from past leads; the others by a lead's own touches.
FITTED_MODELS = ("markov", "shapley")
# Which settings a model has; the others have none.
_SETTINGS_OF_MODEL = {
    "position_based": ("first", "last"),
    "time_decay": ("half_life_days",),
    **dict.fromkeys(FITTED_MODELS, ("fit",)),
}


def _lower(value: str) -> str:
    return value.strip().lower()


LowerText = Annotated[str, AfterValidator(_lower)]
# What stands before the @; a tag after it does not count.
Mailbox = Annotated[LowerText, Field(pattern=r"^[^@+\s]+$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
# Names a file, too.
MODEL_ID_PATTERN = r"^[a-z][a-z0-9_-]{0,62}$"
ModelId = Annotated[str, Field(pattern=MODEL_ID_PATTERN)]


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


class ModelSettings(Strict):
    """Settings of one attribution model; each belongs to its model alone.

    Attributes:
        first: Percent of a lead for its first touch (position_based).
        last: Percent for its last touch. The touches between share the rest.
        half_life_days: A touch this much older than the lead's newest weighs half (time_decay).
        fit: The model_id of the fit to apply (markov, shapley): the file ``fits/<fit>.yaml``.
    """

    first: int = Field(default=40, ge=0, le=100)
    last: int = Field(default=40, ge=0, le=100)
    half_life_days: Decimal = Field(
        default=Decimal(7), ge=Decimal("0.01"), le=730, decimal_places=4
    )
    fit: ModelId | None = None


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
    shared_mailboxes: tuple[Mailbox, ...] = ()
    duplicate_minutes: int = Field(default=30, ge=0, le=1440)
    repeat_days: int = Field(default=1, ge=0, le=365)
    sync_lag_minutes: int = Field(default=4320, ge=0, le=43200)
    clock_slack_minutes: int = Field(default=10, ge=0, le=1440)
    max_rate_age_days: int = Field(default=7, ge=0, le=366)
    max_fan_out: int = Field(default=20, ge=2, le=1000)
    max_addresses: int = Field(default=2, ge=1, le=100)
    max_addresses_per_phone: int = Field(default=2, ge=1, le=100)
    max_browsers_per_click: int = Field(default=1, ge=1, le=100)
    session_minutes: int = Field(default=240, ge=0, le=1440)

    model: AttributionModel = "first_touch"
    model_settings: ModelSettings = ModelSettings()
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

    @model_validator(mode="after")
    def _settings_fit_the_model(self) -> AttributionRules:
        known = _SETTINGS_OF_MODEL.get(self.model, ())
        for name in sorted(self.model_settings.model_fields_set):
            if name not in known:
                owners = [model for model, names in _SETTINGS_OF_MODEL.items() if name in names]
                raise SettingError(
                    f"it belongs to model: {' or '.join(owners)}, and the model is {self.model}; "
                    "take it out, or change the model",
                    "model_settings",
                    name,
                )
        both_ends = self.model_settings.first + self.model_settings.last
        if not 1 <= both_ends <= 100:
            raise SettingError(
                f"first and last make {both_ends} percent; together they may be 1 to 100",
                "model_settings",
            )
        if self.model in FITTED_MODELS and self.model_settings.fit is None:
            raise SettingError(
                f"{self.model} has to be fitted first: run trueline model fit --model "
                f"{self.model} --from 2026-01-01 --to 2026-06-30 (your days), then name its "
                "model_id under model_settings: {fit: ...}",
                "model",
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
