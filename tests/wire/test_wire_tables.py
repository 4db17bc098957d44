"""What the tables are made as: days, keys, descriptions, tags, and how long they are kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.conftest import WireCompany, with_settings
from trueline.model.catalog import load_catalog
from trueline.settings.profile import BigQuerySettings
from trueline.warehouse import Work, open_warehouse

TAG = "projects/a-project/locations/eu/taxonomies/1/policyTags/2"


@pytest.fixture
def made(company: WireCompany) -> WireCompany:
    tagged = with_settings(company, restricted_days=30, policy_tags={"pseudonymous": TAG})
    with open_warehouse(tagged.profile, Work("test", "tables")) as warehouse:
        warehouse.ensure_tables(load_catalog().values())
    return tagged


def live(company: WireCompany, key: str) -> Any:
    layer, name = key.split(".")
    with open_warehouse(company.profile, Work("test", "look")) as warehouse:
        client = warehouse.jobs.access.client  # type: ignore[attr-defined]
        return client.get_table(f"{company.dataset(layer)}.{name}")


def test_tables_are_made_as_table_yaml_says(made: WireCompany) -> None:
    for key in ("raw.tag_events", "identity.leads", "marts.funnel_daily", "raw.loads"):
        table, found = load_catalog()[key], live(made, key)
        partition = found.time_partitioning.field if found.time_partitioning else None
        assert partition == table.partition_column, key
        assert bool(found.require_partition_filter) == (partition is not None), key
        assert tuple(found.clustering_fields or ()) == table.cluster_by, key
        assert found.description == table.purpose
        assert [field.description for field in found.schema] == [
            column.description for column in table.columns
        ]
        required = {field.name for field in found.schema if field.mode == "REQUIRED"}
        assert required == {column.name for column in table.columns if column.required}


def test_personal_columns_carry_the_profiles_policy_tag(made: WireCompany) -> None:
    table, found = load_catalog()["raw.crm_leads"], live(made, "raw.crm_leads")
    tagged = {field.name for field in found.schema if field.policy_tags is not None}
    assert tagged == {column.name for column in table.columns if column.personal == "pseudonymous"}
    assert "email_key" in tagged
    (field,) = [field for field in found.schema if field.name == "email_key"]
    assert list(field.policy_tags.names) == [TAG]


def test_clear_values_end_by_themselves_and_nothing_else_does(made: WireCompany) -> None:
    month = 30 * 24 * 3600 * 1000
    assert live(made, "raw_restricted.identifiers").time_partitioning.expiration_ms == month
    assert live(made, "raw.tag_events").time_partitioning.expiration_ms is None
    assert live(made, "raw.tag_events").expires is None


def test_a_second_look_changes_nothing(made: WireCompany) -> None:
    made.bigquery.record.clear()
    with open_warehouse(made.profile, Work("test", "again")) as warehouse:
        warehouse.ensure_tables(load_catalog().values())
    assert made.jobs() == []


def test_an_unknown_setting_of_the_warehouse_is_refused() -> None:
    with pytest.raises(ValueError, match="policy_tags"):
        BigQuerySettings.model_validate(
            {
                "engine": "bigquery",
                "project": "a-project",
                "location": "EU",
                "policy_tags": {"secret": TAG},
            }
        )
