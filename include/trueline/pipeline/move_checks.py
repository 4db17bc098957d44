"""What has to hold before a history may move: same meaning of its days, money and keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trueline.errors import ConfigurationError
from trueline.model.catalog import load_catalog
from trueline.model.parameters import HISTORY_START
from trueline.pipeline.keys import ProfileKeys
from trueline.settings.profile import BigQuerySettings, DuckDBSettings, Profile
from trueline.warehouse.base import Reader, Rows

_SAME = ("time_zone", "currency", "phone_region")
_OTHER_KEY_FIX = (
    "Give the new profile the identity key that the history was made with (identity_key_file, "
    "TRUELINE_IDENTITY_KEY or TRUELINE_IDENTITY_KEY_FILE): under another one everybody is a "
    "stranger."
)


def refuse_profiles(old: Profile, new: Profile) -> DuckDBSettings:
    """Refuse what cannot be moved or would mean something else; returns the old warehouse.

    Raises:
        ConfigurationError: not from DuckDB to BigQuery, nothing there, or the profiles differ in
            what raw already depends on.
    """
    if not isinstance(old.warehouse, DuckDBSettings) or not isinstance(
        new.warehouse, BigQuerySettings
    ):
        raise ConfigurationError(
            f"A history moves from duckdb to bigquery, not from {old.warehouse.engine} to "
            f"{new.warehouse.engine}.",
            where=f"{old.path} to {new.path}",
            fix="A DuckDB warehouse moves by copying its folder; out of BigQuery, load again from "
            "the sources.",
        )
    for name in _SAME:
        here, there = getattr(old.settings, name), getattr(new.settings, name)
        if here != there:
            raise ConfigurationError(
                f"The profiles differ in {name}: {here} and {there}.",
                where=f"{old.path} and {new.path}",
                fix=f"Give the new profile the {name} of the old one: its loads were made with it.",
            )
    if not (old.data_folder / "warehouse.duckdb").exists():
        raise ConfigurationError(
            "There is nothing to move: no warehouse was made here yet.",
            where=str(old.data_folder),
            fix="Check --from and warehouse.folder in it.",
        )
    return old.warehouse


def refuse_sources(wanted: Iterable[str], lines: Rows, profile: Profile) -> None:
    """Raises ConfigurationError: there are no loads at all, or none of a source that is named."""
    known = sorted({line["source"] for line in lines})
    if not known:
        raise ConfigurationError(
            "There is nothing to move: nothing was loaded yet.",
            where=str(profile.data_folder),
            fix="Check --from and warehouse.folder in it.",
        )
    for name in wanted:
        if name not in known:
            raise ConfigurationError(
                f"Nothing was loaded from a source {name!r}.",
                where=str(profile.data_folder),
                fix=f"Use one of {', '.join(known)}.",
            )


def refuse_other_keys(old: Profile, new: Profile) -> None:
    """Raises ConfigurationError: the two profiles have different identity keys."""
    here, there = ProfileKeys(old).key_id, ProfileKeys(new).key_id
    if here != there:
        raise ConfigurationError(
            f"The profiles have different identity keys (their names are {here} and {there}).",
            where=f"{old.path} and {new.path}",
            fix=_OTHER_KEY_FIX,
        )


def refuse_foreign_keys(profile: Profile, restricted: Reader, raw: Reader, *, place: str) -> None:
    """Key a few clear identifiers anew: under the right key they come out as they are stored.

    Args:
        profile: Whose key is tried.
        restricted: Reads raw_restricted.
        raw: Reads raw.
        place: Whose history it is, for people.

    Raises:
        ConfigurationError: none comes out as stored. Without identifiers nothing is proven.
    """
    clear = restricted.query(
        """
        select load_id, crm_record_id, email, phone
        from raw_restricted.identifiers
        where loaded_at >= timestamp(@history_start) and (email is not null or phone is not null)
        order by loaded_at desc, load_id desc, crm_record_id
        limit 20
        """,
        {"history_start": HISTORY_START},
    )
    if not clear:
        return
    stored = raw.query(
        """
        select load_id, crm_record_id, email_key, phone_key
        from raw.crm_leads
        where load_id in unnest(@load_ids) and crm_record_id in unnest(@record_ids)
        """,
        {
            "load_ids": sorted({row["load_id"] for row in clear}),
            "record_ids": sorted({row["crm_record_id"] for row in clear}),
        },
    )
    keys = ProfileKeys(profile)
    made = {
        (row["load_id"], row["crm_record_id"], key)
        for row in clear
        for key in (keys.email(row["email"] or ""), keys.phone(row["phone"] or ""))
        if key
    }
    found = {key for row in stored for key in _stored_keys(row)}
    if made and found and not made & found:
        raise ConfigurationError(
            f"The keyed addresses and phones of {place} were made with another identity key "
            f"than the new profile's (its name is {keys.key_id}).",
            where=str(profile.path),
            fix=_OTHER_KEY_FIX,
        )


def _stored_keys(row: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    for name in ("email_key", "phone_key"):
        if row[name]:
            yield row["load_id"], row["crm_record_id"], row[name]


def has_keys(raw: Reader) -> bool:
    """True where a raw table holds any keyed personal value."""
    for table in load_catalog().values():
        names = [column.name for column in table.columns if column.name.endswith("_key")]
        if table.layer != "raw" or not names:
            continue
        any_of_them = " or ".join(f"{name} is not null" for name in names)
        found = raw.query(
            f"select 1 as n from {table.key} "
            f"where {table.from_day('@history_start')} and ({any_of_them}) limit 1",
            {"history_start": HISTORY_START},
        )
        if found:
            return True
    return False
