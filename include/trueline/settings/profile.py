"""The profile: the settings of one run. ``config/pipeline.yaml`` is the default one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from trueline.paths import home, resolve
from trueline.settings.yaml_lines import Strict, load_model
from trueline.sources.settings import SourceSettings

PROFILE_VARIABLE = "TRUELINE_PROFILE"


def _known_time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("not a known time zone; use an IANA name such as Europe/Berlin") from None
    return value


class Schedule(Strict):
    """When the daily run starts, in the reporting time zone."""

    cron: str = Field(default="0 6 * * *", pattern=r"^\S+ \S+ \S+ \S+ \S+$")
    upload_cron: str = Field(default="0 8 * * *", pattern=r"^\S+ \S+ \S+ \S+ \S+$")


class DuckDBSettings(Strict):
    """The embedded engine: one file, one writer."""

    engine: Literal["duckdb"]
    folder: Path
    memory_limit: str = Field(default="4GB", pattern=r"^\d+(MB|GB)$")
    lock_timeout_seconds: int = Field(default=1800, ge=0)


class BigQuerySettings(Strict):
    """The distributed engine.

    Attributes:
        location: Where the datasets are and every job runs, for example ``EU``.
        dataset_prefix: Each layer is a dataset: ``trueline_marts``.
        folder: Where the rows of a load lie on their way; nothing stays there.
        maximum_bytes_billed: BigQuery refuses any one job that would bill more.
        maximum_bytes_per_build: A build whose dry-run estimate is larger is refused before it
            starts.
        restricted_days: Days after which clear personal values go by themselves; None keeps them.
        policy_tags: Data-policy tag (``projects/…/policyTags/…``) by personal-data class, put on
            every column of that class.
    """

    engine: Literal["bigquery"]
    project: str = Field(pattern=r"^[a-z][a-z0-9.:-]{4,61}[a-z0-9]$")
    location: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9-]+$")
    dataset_prefix: str = Field(default="trueline_", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    folder: Path = Path(".trueline")
    maximum_bytes_billed: int = Field(default=50 * 1024**3, gt=0)
    maximum_bytes_per_build: int = Field(default=200 * 1024**3, gt=0)
    restricted_days: int | None = Field(default=None, gt=0)
    policy_tags: dict[Literal["possible", "pseudonymous", "clear"], str] = Field(
        default_factory=dict
    )


class GoogleDataManagerDestination(Strict):
    """Qualified conversions to Google Ads through the Data Manager API."""

    type: Literal["google_data_manager"]
    operating_account_id: str = Field(pattern=r"^\d+$")
    conversion_action_id: str = Field(pattern=r"^\d+$")


class MetaConversionsDestination(Strict):
    """Qualified conversions to Meta through the Conversions API for CRM."""

    type: Literal["meta_conversions"]
    dataset_id: str = Field(pattern=r"^\d+$")


DestinationSettings = Annotated[
    GoogleDataManagerDestination | MetaConversionsDestination, Field(discriminator="type")
]
WarehouseSettings = Annotated[DuckDBSettings | BigQuerySettings, Field(discriminator="engine")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


class ProfileFile(Strict):
    """The file's content."""

    name: Name
    time_zone: Annotated[str, AfterValidator(_known_time_zone)]
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    warehouse: WarehouseSettings
    rulebook: Path
    schedule: Schedule = Schedule()
    phone_region: str = Field(default="DE", pattern=r"^[A-Z]{2}$")
    identity_key_file: Path | None = None
    sources: dict[Name, SourceSettings] = Field(min_length=1)
    destinations: dict[Name, DestinationSettings] = Field(default_factory=dict)


class Profile(Strict):
    """A profile with its place in the file system resolved."""

    path: Path
    settings: ProfileFile

    @property
    def root(self) -> Path:
        """Relative paths in the profile start here."""
        return self.path.parent

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def time_zone(self) -> str:
        return self.settings.time_zone

    @property
    def currency(self) -> str:
        return self.settings.currency

    @property
    def warehouse(self) -> DuckDBSettings | BigQuerySettings:
        return self.settings.warehouse

    @property
    def schedule(self) -> Schedule:
        return self.settings.schedule

    @property
    def sources(self) -> dict[str, SourceSettings]:
        return self.settings.sources

    @property
    def destinations(self) -> dict[str, GoogleDataManagerDestination | MetaConversionsDestination]:
        return self.settings.destinations

    @property
    def rulebook(self) -> Path:
        return self.resolve(self.settings.rulebook)

    @property
    def data_folder(self) -> Path:
        """Where local state lies: the DuckDB files, run folders, the published snapshot."""
        return self.resolve(self.settings.warehouse.folder)

    @property
    def token_folder(self) -> Path:
        """Where access tokens are shared by the processes of this machine: secret, mode 0700."""
        return self.data_folder / "tokens"

    def resolve(self, path: Path) -> Path:
        return resolve(path, self.root)


def load_profile(path: Path | None = None) -> Profile:
    """Read a profile: ``path``, else ``$TRUELINE_PROFILE``, else ``config/pipeline.yaml``.

    Raises:
        ConfigurationError: with file, line, value and fix.
    """
    chosen = path or Path(os.environ.get(PROFILE_VARIABLE) or home() / "config" / "pipeline.yaml")
    chosen = chosen.resolve()
    return Profile(path=chosen, settings=load_model(chosen, ProfileFile))
