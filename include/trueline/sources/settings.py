"""Settings of the sources, as a profile states them. Frozen; an unknown key is refused.

Each source looks back further than the window it is asked for, because platforms restate past
days: ``repull_days`` is that look-back, and the source itself applies it in ``pull``.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

DATE_PLACEHOLDER = "{date}"


def _account(value: object) -> object:
    """Accept 123, "123", "123-456-7890" and "act_123": platforms print the same id in all forms."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return value
    digits = str(value).strip().removeprefix("act_").replace("-", "")
    if not re.fullmatch(r"[0-9]{1,20}", digits):
        raise ValueError(f"{value!r} is not an account number; give its digits, in quotes")
    return digits


AccountId = Annotated[str, BeforeValidator(_account)]
PropertyName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReportSettings(_Settings):
    """What all sources of ad reports have.

    Attributes:
        smallest_share: A pull with fewer rows or less cost than this share of the one before, for
            the same days, is held until a person accepts it; 0 holds nothing.
    """

    smallest_share: Decimal = Field(default=Decimal("0.7"), ge=0, le=1)


class GoogleAdsSettings(ReportSettings):
    """Google Ads: delivery, claims by the day of the click and of the conversion, click ids.

    Attributes:
        login_customer_id: The manager account that the accounts are reached through, if any.
        accounts: May be left out where ``login_customer_id`` is given: every enabled account below
            that manager is pulled then, new ones too.
        repull_days: Google credits a conversion for weeks after the click (default window 30 days).
        click_view_days: Click ids come late; days before the window that are asked for again.
    """

    type: Literal["google_ads"]
    connection: str = "trueline_google_ads"
    login_customer_id: AccountId | None = None
    accounts: tuple[AccountId, ...] = ()
    repull_days: int = Field(default=30, ge=0, le=90)
    click_view_days: int = Field(default=3, ge=0, le=90)
    api_version: str = Field(default="v26", pattern=r"^v[0-9]+$")

    @model_validator(mode="after")
    def _some_account(self) -> GoogleAdsSettings:
        if not self.accounts and self.login_customer_id is None:
            raise ValueError(
                "give accounts, or login_customer_id alone for all accounts below that manager"
            )
        return self


class MetaAdsSettings(ReportSettings):
    """Meta Insights: delivery and claims per action type.

    Attributes:
        repull_days: Meta credits a conversion for up to 28 days after the click.
        report_days: Days of one report; halved by itself where Meta finds it too much.
        report_minutes: A report that is not done by then is abandoned; Meta may take an hour.
        compare_totals: A report whose rows add up to less than Meta's own total is asked for anew,
            and held for a person's word where it stays so.
        action_types: Action types to store. ``lead`` is Meta's own sum of the others; all are
            stored, and the rulebook's goals decide which of them counts: never both.
    """

    type: Literal["meta_ads"]
    connection: str = "trueline_meta_ads"
    accounts: tuple[AccountId, ...] = Field(min_length=1)
    repull_days: int = Field(default=28, ge=0, le=90)
    report_days: int = Field(default=14, ge=1, le=92)
    report_minutes: int = Field(default=60, ge=1, le=240)
    compare_totals: bool = True
    action_types: tuple[str, ...] = Field(
        default=(
            "lead",
            "offsite_conversion.fb_pixel_lead",
            "onsite_conversion.lead_grouped",
            "offsite_conversion.fb_pixel_custom",
        ),
        min_length=1,
    )
    api_version: str = Field(default="v26.0", pattern=r"^v[0-9]+\.[0-9]+$")


class HubSpotProperties(_Settings):
    """Which HubSpot contact property holds what; change a name where a portal uses its own."""

    email: PropertyName = "email"
    phone: PropertyName = "phone"
    created: PropertyName = "createdate"
    modified: PropertyName = "lastmodifieddate"
    lifecycle_stage: PropertyName = "lifecyclestage"
    lead_status: PropertyName = "hs_lead_status"
    google_click_id: PropertyName = "hs_google_click_id"
    facebook_click_id: PropertyName = "hs_facebook_click_id"
    source: PropertyName = "hs_analytics_source"
    source_detail_1: PropertyName = "hs_analytics_source_data_1"
    source_detail_2: PropertyName = "hs_analytics_source_data_2"
    client_id: PropertyName = "client_id"
    utm_source: PropertyName = "utm_source"
    utm_medium: PropertyName = "utm_medium"
    utm_campaign: PropertyName = "utm_campaign"
    platform_lead_id: PropertyName = "platform_lead_id"
    self_reported_source: PropertyName = "self_reported_source"
    landing_page: PropertyName = "landing_page"
    form_id: PropertyName = "form_id"
    segment: PropertyName = "industry"
    disqualification_reason: PropertyName = "disqualification_reason"
    contact_attempts: PropertyName = "contact_attempts"
    fit: PropertyName = "score_fit"
    budget: PropertyName = "score_budget"
    authority: PropertyName = "score_authority"
    need: PropertyName = "score_need"
    timing: PropertyName = "score_timing"
    interest: PropertyName = "score_interest"
    intent: PropertyName = "score_intent"
    consent_ad_user_data: PropertyName = "consent_ad_user_data"
    is_test: PropertyName = "is_test_contact"
    merged_ids: PropertyName = "hs_merged_object_ids"
    merged_ids_with_time: PropertyName = "hs_calculated_merged_vids"


class HubSpotSettings(_Settings):
    """HubSpot contacts, their stage history and deals.

    Attributes:
        overlap_minutes: The search index lags behind; minutes before the window asked for again,
            and minutes before now that are not yet called complete.
        full_load_days: A window of more days reads HubSpot's whole list instead of searching for
            what changed: the bin tells deletions of the last 90 days only, so beyond that nothing
            but a list is whole.
        disqualified_stages: Lead statuses that the disqualification reason belongs to.
        properties: Names of the contact properties.
        api_version: ``v3``, or a dated one such as ``2026-03``.
    """

    type: Literal["hubspot"]
    connection: str = "trueline_hubspot"
    overlap_minutes: int = Field(default=15, ge=0, le=7 * 24 * 60)
    full_load_days: int = Field(default=90, ge=1, le=3660)
    disqualified_stages: tuple[str, ...] = ("UNQUALIFIED", "BAD_TIMING")
    properties: HubSpotProperties = HubSpotProperties()
    api_version: str = Field(default="v3", pattern=r"^(v3|20[0-9]{2}-[0-9]{2})$")


FieldName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")]


class SalesforceFields(_Settings):
    """Which field of Lead holds what. None where an org has no such field.

    ``email`` and ``status`` have to be there; of the others, one that the user cannot see is told
    and pulled as null.
    """

    email: FieldName = "Email"
    phone: FieldName | None = "Phone"
    status: FieldName = "Status"
    source: FieldName | None = "LeadSource"
    segment: FieldName | None = "Industry"
    gclid: FieldName | None = "GCLID__c"
    gbraid: FieldName | None = None
    wbraid: FieldName | None = None
    fbclid: FieldName | None = None
    msclkid: FieldName | None = None
    client_id: FieldName | None = None
    ad_campaign_id: FieldName | None = None
    utm_source: FieldName | None = None
    utm_medium: FieldName | None = None
    utm_campaign: FieldName | None = None
    platform_lead_id: FieldName | None = None
    self_reported_source: FieldName | None = None
    landing_page: FieldName | None = None
    form_id: FieldName | None = None
    disqualification_reason: FieldName | None = None
    contact_attempts: FieldName | None = None
    lead_score: FieldName | None = None
    fit: FieldName | None = None
    budget: FieldName | None = None
    authority: FieldName | None = None
    need: FieldName | None = None
    timing: FieldName | None = None
    interest: FieldName | None = None
    intent: FieldName | None = None
    consent_ad_user_data: FieldName | None = None
    is_test: FieldName | None = None


class SalesforceSettings(_Settings):
    """Salesforce leads, the history of their status, and the opportunities they became.

    Attributes:
        overlap_minutes: A long transaction becomes visible after its time stamp; minutes before
            the window asked for again.
        disqualified_stages: Lead statuses that the disqualification reason belongs to.
        fields: Names of the fields of Lead.
        currency: The currency of an org that has only one: Salesforce does not tell it then.
        longest_job_minutes: How long Salesforce may work on one query.
    """

    type: Literal["salesforce"]
    connection: str = "trueline_salesforce"
    overlap_minutes: int = Field(default=15, ge=0, le=7 * 24 * 60)
    disqualified_stages: tuple[str, ...] = ("Unqualified", "Closed - Not Converted")
    fields: SalesforceFields = SalesforceFields()
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    longest_job_minutes: int = Field(default=60, ge=1, le=24 * 60)
    api_version: str = Field(default="v67.0", pattern=r"^v(4[7-9]|[5-9][0-9]|1[0-9][0-9])\.0$")


class FileSettings(_Settings):
    """One file, a pattern of files, or one file a day.

    Attributes:
        path: Below the source's folder (or the connection's address): a name, a glob pattern, or
            a path with ``{date}`` for one file per day of the window.
        mapping: The mapping file, relative to the profile's folder.
        required: Whether a name or pattern that matches nothing is an error. A day's file that is
            not there yet is recorded as skipped, not as an error.
        settle_seconds: A file on disk that changed less than so long ago is left for the next
            run: it may still be written.
        done_marker: A file on disk is read once the file of its name with this ending is there,
            ``.done`` for example.
    """

    path: str = Field(min_length=1)
    mapping: Path
    required: bool = True
    settle_seconds: int = Field(default=0, ge=0, le=24 * 3600)
    done_marker: str | None = Field(default=None, pattern=r"^\.[A-Za-z0-9_.-]{1,20}$")

    @field_validator("path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
            raise ValueError(
                f"{path!r} leaves its folder; give a path below it, without '..' or a leading '/'"
            )
        return path


class FilesSettings(ReportSettings):
    """Files on disk or, with a connection, over HTTP below the connection's ``base_url``.

    Attributes:
        folder: Where the files lie; relative to the profile's folder, which is the default.
        repull_days: Days before the window whose ``{date}`` files are looked at again.
    """

    type: Literal["files"]
    connection: str | None = None
    folder: Path | None = None
    repull_days: int = Field(default=0, ge=0, le=366)
    files: tuple[FileSettings, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_place(self) -> FilesSettings:
        if self.connection is None:
            return self
        if self.folder is not None:
            raise ValueError("give either connection (files over HTTP) or folder, not both")
        for file in self.files:
            if any(char in file.path for char in "*?["):
                raise ValueError(
                    f"{file.path!r} is a pattern, but a web server cannot be searched; "
                    "name the file, or use {date} for one file a day"
                )
        return self


EventName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")]


class Ga4Settings(_Settings):
    """The BigQuery export of a Google Analytics 4 property, in place or as files.

    Attributes:
        export: ``bigquery`` reads the export where it lies, in the warehouse's own location;
            ``files`` reads files made of its tables, one or several a day.
        dataset: ``project.analytics_123456``, or the dataset alone in the warehouse's project.
        folder: Where ``events_20261120.jsonl`` and the like lie, relative to the profile's folder.
        reload_days: The newest days that every pull reads again, the window's last day counted:
            GA4 changes a day's table for up to three days.
        property_time_zone: The property's own, which cuts its day tables (IANA name); the
            profile's where not given.
        submission_events: Events that are submissions; the rulebook maps them to goals.
        touches: Whether sessions become touches. Only where no own tag records the visits:
            otherwise every visit is there twice.
    """

    connection: ClassVar[None] = None

    type: Literal["ga4"]
    export: Literal["bigquery", "files"]
    dataset: str | None = Field(
        default=None, pattern=r"^([a-z][a-z0-9.:-]*[a-z0-9]\.)?[A-Za-z0-9_]+$"
    )
    folder: Path | None = None
    reload_days: int = Field(default=4, ge=1, le=31)
    property_time_zone: str | None = None
    submission_events: tuple[EventName, ...] = Field(
        default=("generate_lead", "form_submit"), min_length=1
    )
    touches: bool = False

    @field_validator("property_time_zone")
    @classmethod
    def _known_time_zone(cls, name: str | None) -> str | None:
        if name is not None and name not in available_timezones():
            raise ValueError(f"{name!r} is not a time zone; use a name such as Europe/Berlin")
        return name

    @model_validator(mode="after")
    def _one_place(self) -> Ga4Settings:
        if self.export == "bigquery" and (self.dataset is None or self.folder is not None):
            raise ValueError("export: bigquery needs dataset (project.analytics_...), not folder")
        if self.export == "files" and (self.folder is None or self.dataset is not None):
            raise ValueError("export: files needs folder, not dataset")
        return self


SourceSettings = Annotated[
    GoogleAdsSettings
    | MetaAdsSettings
    | HubSpotSettings
    | SalesforceSettings
    | FilesSettings
    | Ga4Settings,
    Field(discriminator="type"),
]
