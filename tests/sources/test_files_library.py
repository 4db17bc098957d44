"""Every ready-made mapping reads the sample of its export, figure by figure, bad rows set aside."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.sources.conftest import NOW, WINDOW
from trueline import pipeline
from trueline.errors import ConfigurationError, RowError
from trueline.paths import home
from trueline.settings.profile import load_profile
from trueline.sources.base import Batch
from trueline.sources.files import library
from trueline.sources.files.mapping import FieldRule, FileMapping, IgnoredRows, load_mapping
from trueline.sources.files.source import FilesSource
from trueline.sources.settings import FilesSettings

SAMPLES = home() / "docs" / "examples" / "exports"
# Mappings that read the sample of another one.
SECOND_READINGS = {
    "google_ads_report_by_click": "google_ads_report",
    "hubspot_lead_status": "hubspot_contacts",
    "salesforce_lead_status": "salesforce_leads_report",
}
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Expected:
    """What a sample becomes: per table the named columns of its good rows, and the bad rows."""

    columns: dict[str, str]
    rows: dict[str, Rows]
    bad: list[tuple[str, int, str | None, str]]
    extra: dict[str, str] = field(default_factory=dict)


AD = {
    "ad_delivery": "account_id campaign_id platform_date currency_code cost_micros impressions "
    "clicks",
    "pixel_claims": "campaign_id platform_date claim_basis conversion_action pixel_conversions",
}


def october(day: int) -> date:
    return date(2026, 10, day)


EXPECTED = {
    "google_ads_report": Expected(
        AD,
        {
            "ad_delivery": [
                ("1234567890", "21456789012", october(1), "EUR", 1_234_560_000, 12345, 321),
                ("1234567890", "21456789012", october(2), "EUR", 998_100_000, 10004, 287),
                ("1234567890", "21456789077", october(2), "EUR", 45_900_000, 612, 88),
                ("1234567890", "21456789077", october(3), "EUR", 0, None, None),
            ],
            "pixel_claims": [
                ("21456789012", october(1), "conversion_date", "all", Decimal("3.5")),
                ("21456789012", october(2), "conversion_date", "all", Decimal("4.25")),
                ("21456789077", october(2), "conversion_date", "all", Decimal(1)),
                ("21456789077", october(3), "conversion_date", "all", Decimal(0)),
            ],
        },
        [
            ("ad_delivery", 8, "platform_date", "bad_date"),
            ("pixel_claims", 8, "platform_date", "bad_date"),
        ],
        {"campaign status": "Enabled", "conversions": "4.00"},
    ),
    "google_ads_report_by_click": Expected(
        {"pixel_claims": AD["pixel_claims"]},
        {
            "pixel_claims": [
                ("21456789012", october(1), "click_date", "all", Decimal(4)),
                ("21456789012", october(2), "click_date", "all", Decimal(2)),
                ("21456789077", october(2), "click_date", "all", Decimal(1)),
                ("21456789077", october(3), "click_date", "all", Decimal(0)),
            ],
        },
        [
            ("ad_delivery", 8, "platform_date", "bad_date"),
            ("pixel_claims", 8, "platform_date", "bad_date"),
        ],
    ),
    "meta_ads_report": Expected(
        AD,
        {
            "ad_delivery": [
                ("100200300", "120210000000000017", october(1), "EUR", 164_400_000, 2497, 87),
                ("100200300", "120210000000000025", october(1), "EUR", 80_200_000, 770, 31),
                ("100200300", "120210000000000017", october(2), "EUR", 99_050_000, 1800, 52),
                ("100200300", "120210000000000033", october(2), "EUR", 25_600_000, 400, 20),
            ],
            "pixel_claims": [
                (
                    "120210000000000017",
                    october(1),
                    "click_date",
                    "offsite_conversion.fb_pixel_lead",
                    Decimal(11),
                ),
                (
                    "120210000000000025",
                    october(1),
                    "click_date",
                    "onsite_conversion.lead_grouped",
                    Decimal(4),
                ),
                (
                    "120210000000000017",
                    october(2),
                    "click_date",
                    "offsite_conversion.fb_pixel_lead",
                    Decimal(0),
                ),
            ],
        },
        [("ad_delivery", 6, "platform_date", "not_one_day")],
    ),
    "microsoft_ads_report": Expected(
        AD,
        {
            "ad_delivery": [
                ("180123456", "412345678", october(1), "EUR", 231_500_000, 1900, 122),
                ("180123456", "412345678", october(2), "EUR", 188_200_000, 1750, 98),
                ("180123456", "412345699", october(2), "EUR", 22_050_000, 300, 41),
            ],
            "pixel_claims": [
                ("412345678", october(1), "click_date", "all", Decimal(3)),
                ("412345678", october(2), "click_date", "all", Decimal(1)),
                ("412345699", october(2), "click_date", "all", Decimal(0)),
                ("412345699", october(3), "click_date", "all", Decimal(0)),
            ],
        },
        [("ad_delivery", 15, "clicks", "bad_integer")],
    ),
    "linkedin_ads_report": Expected(
        AD,
        {
            "ad_delivery": [
                ("Sunmoor", "312345678", october(1), "EUR", 1_033_330_000, 10000, 44),
                ("Sunmoor", "312345678", october(2), "EUR", 980_100_000, 9100, 39),
                ("Sunmoor", "312345690", october(2), "EUR", 33_000_000, 1200, 6),
            ],
            "pixel_claims": [
                ("312345678", october(1), "click_date", "all", Decimal(3)),
                ("312345678", october(2), "click_date", "all", Decimal(2)),
                ("312345690", october(2), "click_date", "all", Decimal(0)),
            ],
        },
        [
            ("ad_delivery", 10, "platform_date", "bad_date"),
            ("pixel_claims", 10, "platform_date", "bad_date"),
        ],
    ),
    "tiktok_ads_report": Expected(
        AD,
        {
            "ad_delivery": [
                (
                    "7012345678901234567",
                    "1780000000000017",
                    october(1),
                    "EUR",
                    1_250_500_000,
                    137418,
                    2104,
                ),
                (
                    "7012345678901234567",
                    "1780000000000017",
                    october(2),
                    "EUR",
                    640_000_000,
                    71111,
                    990,
                ),
                (
                    "7012345678901234567",
                    "1780000000000025",
                    october(2),
                    "EUR",
                    18_500_000,
                    8400,
                    142,
                ),
            ],
            "pixel_claims": [
                ("1780000000000017", october(1), "click_date", "all", Decimal(12)),
                ("1780000000000017", october(2), "click_date", "all", Decimal(5)),
                ("1780000000000025", october(2), "click_date", "all", Decimal(0)),
            ],
        },
        [
            ("ad_delivery", 5, "campaign_id", "missing_required"),
            ("pixel_claims", 5, "campaign_id", "missing_required"),
        ],
    ),
    "hubspot_contacts": Expected(
        {
            "crm_leads": "crm_record_id crm_created_at email crm_source click_id click_id_type "
            "utm_campaign landing_page lead_score"
        },
        {
            "crm_leads": [
                (
                    "8001",
                    "2026-10-01 07:14",
                    "maria.keller@example.com",
                    "PAID_SEARCH",
                    "Cj0KCQjw-abc_123",
                    "gclid",
                    "depots",
                    "/quote",
                    Decimal(42),
                ),
                (
                    "8002",
                    "2026-10-01 21:50",
                    "jon@example.org",
                    "ORGANIC_SEARCH",
                    None,
                    None,
                    None,
                    "/",
                    None,
                ),
                (
                    "8003",
                    "2026-10-02 08:05",
                    "ines.sol@example.com",
                    "OFFLINE",
                    None,
                    None,
                    None,
                    None,
                    Decimal("7.5"),
                ),
            ]
        },
        [("crm_leads", 5, "crm_created_at", "bad_timestamp")],
        {"lead status": "Connected", "lifecycle stage": "Lead"},
    ),
    "hubspot_lead_status": Expected(
        {"crm_stages": "crm crm_record_id stage changed_at"},
        {
            "crm_stages": [
                ("hubspot", "8001", "CONNECTED", "2026-10-03 09:00"),
                ("hubspot", "8003", "UNQUALIFIED", "2026-10-05 14:30"),
                ("hubspot", "8004", "NEW", "2026-10-05 14:30"),
            ]
        },
        [],
    ),
    "hubspot_deals": Expected(
        {"crm_deals": "deal_id crm_record_id is_won is_closed deal_amount deal_closed_at"},
        {
            "crm_deals": [
                ("7001", "8001", True, True, Decimal("15000.5"), "2026-10-20 10:00"),
                ("7002", "8003", False, False, Decimal(2500), None),
            ]
        },
        [("crm_deals", 4, "crm_record_id", "missing_required")],
        {"pipeline": "Sales Pipeline"},
    ),
    "salesforce_leads_report": Expected(
        {"crm_leads": "crm_record_id crm_created_at email crm_source click_id click_id_type"},
        {
            "crm_leads": [
                (
                    "00Q5g00000AbCdE",
                    "2026-09-30 22:00",
                    "maria.keller@example.com",
                    "Web",
                    "Cj0KCQjw-abc_123",
                    "gclid",
                ),
                (
                    "00Q5g00000AbCdF",
                    "2026-10-01 22:00",
                    "jon@example.org",
                    "Partner Referral",
                    None,
                    None,
                ),
            ]
        },
        [
            ("crm_leads", 4, "crm_created_at", "bad_timestamp"),
            ("crm_leads", 5, "crm_record_id", "missing_required"),
        ],
        {"lead status": "Working - Contacted", "rating": "Hot"},
    ),
    "salesforce_lead_status": Expected(
        {"crm_stages": "crm_record_id stage changed_at"},
        {
            "crm_stages": [
                ("00Q5g00000AbCdE", "Working - Contacted", "2026-10-12 22:00"),
                ("00Q5g00000AbCdF", "Open - Not Contacted", "2026-10-19 22:00"),
                ("00Q5g00000AbCdG", "Closed - Not Converted", "2026-10-08 22:00"),
            ]
        },
        [("crm_stages", 5, "crm_record_id", "missing_required")],
    ),
    "salesforce_leads_data_loader": Expected(
        {"crm_leads": "crm_record_id crm_created_at updated_at is_deleted click_id_type"},
        {
            "crm_leads": [
                ("00Q5g00000AbCdEEAV", "2026-10-01 07:14", "2026-10-03 09:00", False, "gclid"),
                ("00Q5g00000AbCdFEAV", "2026-10-02 21:50", "2026-10-02 21:50", True, None),
            ]
        },
        [("crm_leads", 4, "is_deleted", "bad_boolean")],
        {"status": "Working - Contacted"},
    ),
    "salesforce_opportunities_report": Expected(
        {"crm_deals": "deal_id crm_record_id is_won deal_amount currency_code deal_closed_at"},
        {
            "crm_deals": [
                (
                    "0065g00000XyZaB",
                    "00Q5g00000AbCdE",
                    True,
                    Decimal("15000.5"),
                    "EUR",
                    "2026-10-19 22:00",
                ),
                ("0065g00000XyZaC", "00Q5g00000AbCdF", False, Decimal(2500), "EUR", None),
            ]
        },
        [("crm_deals", 4, "crm_record_id", "missing_required")],
    ),
    "salesforce_opportunities_data_loader": Expected(
        {"crm_deals": "deal_id crm_record_id is_won is_closed deal_amount deal_closed_at"},
        {
            "crm_deals": [
                (
                    "0065g00000XyZaBQAU",
                    "0035g00000QwErTAAV",
                    True,
                    True,
                    Decimal("15000.5"),
                    "2026-10-20 00:00",
                ),
                ("0065g00000XyZaCQAU", "0035g00000QwErUAAV", False, False, Decimal(2500), None),
            ]
        },
        [("crm_deals", 4, "deal_amount", "bad_number")],
    ),
    "clickfunnels_contacts": Expected(
        {"crm_leads": "crm crm_record_id crm_created_at phone utm_source"},
        {
            "crm_leads": [
                (
                    "clickfunnels",
                    "100123",
                    "2026-10-01 07:14",
                    "+49 30 23125000",
                    "facebook",
                ),
                ("clickfunnels", "100124", "2026-10-01 23:17", None, None),
            ]
        },
        [("crm_leads", 4, "crm_created_at", "bad_timestamp")],
        {"tags": "lead, webinar"},
    ),
    "sendpulse_contacts": Expected(
        {"crm_leads": "crm crm_record_id crm_created_at email utm_medium"},
        {
            "crm_leads": [
                ("sendpulse", "k-17", "2026-10-01 07:14", "maria.keller@example.com", "email"),
                ("sendpulse", "k-18", "2026-10-02 21:50", "jon@example.org", None),
            ]
        },
        [("crm_leads", 4, "crm_created_at", "bad_timestamp")],
        {"city": "Berlin"},
    ),
    "nimbata_calls": Expected(
        {
            "tag_events": "observer event_id event_name occurred_at phone page_path click_id "
            "click_id_type referrer_host"
        },
        {
            "tag_events": [
                (
                    "call_tracking",
                    "nb-20261001-1",
                    "phone_call",
                    "2026-10-01 07:14",
                    "+493023125000",
                    "/quote",
                    "Cj0KCQjw-abc_123",
                    "gclid",
                    "www.google.com",
                ),
                (
                    "call_tracking",
                    "nb-20261001-2",
                    "phone_call",
                    "2026-10-01 15:40",
                    "+493023125001",
                    "/",
                    None,
                    None,
                    None,
                ),
            ]
        },
        [("tag_events", 4, "occurred_at", "bad_timestamp")],
    ),
    "meta_lead_form": Expected(
        {
            "tag_events": "observer event_id platform_lead_id occurred_at ad_campaign_id form_id "
            "utm_source utm_medium email phone"
        },
        {
            "tag_events": [
                (
                    "meta_lead_form",
                    "660100000000001",
                    "660100000000001",
                    "2026-10-01 07:14",
                    "120210000000000025",
                    "350000000000007",
                    "facebook",
                    "paid_social",
                    "maria.keller@example.com",
                    "+493023125000",
                ),
                (
                    "meta_lead_form",
                    "660100000000002",
                    "660100000000002",
                    "2026-10-01 22:20",
                    None,
                    "350000000000007",
                    "instagram",
                    "social",
                    "jon@example.org",
                    None,
                ),
            ]
        },
        [("tag_events", 4, "occurred_at", "bad_timestamp")],
    ),
    "ecb_exchange_rates": Expected(
        {"exchange_rates": "rate_date base_currency quote_currency rate"},
        {
            "exchange_rates": [
                (october(1), "EUR", "USD", Decimal("1.1469")),
                (october(2), "EUR", "USD", Decimal("1.1481")),
                (october(1), "EUR", "GBP", Decimal("0.8631")),
                (october(1), "EUR", "JPY", Decimal("171.52")),
            ]
        },
        [("exchange_rates", 7, "base_currency", "bad_currency")],
    ),
}


# The same export as a spreadsheet gives the very same rows.
SPREADSHEETS = ("meta_ads_report", "tiktok_ads_report")
EXPECTED |= {f"{name}_excel": EXPECTED[name] for name in SPREADSHEETS}
# Their rows are those of another sample, and would be counted twice.
READ_ALONE = {"google_ads_report_by_click", *(f"{name}_excel" for name in SPREADSHEETS)}


def sample_of(name: str) -> str:
    if name.endswith("_excel"):
        return f"{name.removesuffix('_excel')}.xlsx"
    return f"{SECOND_READINGS.get(name, name)}.csv"


def pull(folder: Path, sample: str, mapping: str) -> dict[str, Read]:
    settings = {"type": "files", "folder": str(SAMPLES)}
    source = FilesSource(
        "exports",
        FilesSettings.model_validate({**settings, "files": [{"path": sample, "mapping": mapping}]}),
        connection=None,
        time_zone="Europe/Berlin",
        root=folder,
        workdir=folder / "work",
        known_hashes=frozenset(),
        now=NOW,
    )
    return by_table(source.pull(WINDOW))


@dataclass
class Read:
    """What became of a file in one table."""

    values: list[dict[str, Any]] = field(default_factory=list)
    extra: list[dict[str, Any]] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)


def by_table(batches: Iterable[Batch]) -> dict[str, Read]:
    """All batches of a pull together, however they carry their rows."""
    found: dict[str, Read] = {}
    for batch in batches:
        read = found.setdefault(batch.table, Read())
        read.errors += batch.errors
        for record in batch.records:
            read.values.append(dict(record.values))
            read.extra.append(dict(record.extra))
        for row in batch.columns.to_pylist() if batch.columns is not None else ():
            extra = row.pop("_extra", None) or {}
            read.values.append(row)
            read.extra.append(json.loads(extra) if isinstance(extra, str) else extra)
    return found


def told(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "hour") else value


def test_every_mapping_has_a_sample_and_an_expectation() -> None:
    assert sorted(EXPECTED) == library.names()
    assert {sample_of(name) for name in EXPECTED} == {path.name for path in SAMPLES.iterdir()}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_sample_is_read_figure_by_figure(name: str, tmp_path: Path) -> None:
    expected = EXPECTED[name]
    tables = pull(tmp_path, sample_of(name), f"library/{name}.yaml")
    for table, columns in expected.columns.items():
        rows = [
            tuple(told(values.get(column)) for column in columns.split())
            for values in tables[table].values
        ]
        assert rows == expected.rows[table]
    bad = [
        (table, error.line, error.column, error.reason)
        for table, read in tables.items()
        for error in read.errors
    ]
    assert bad == expected.bad
    if expected.extra:
        assert next(iter(tables.values())).extra[0] == expected.extra


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_is_kept_beside_the_fields_names_nobody(name: str, tmp_path: Path) -> None:
    people = ("Maria", "Keller", "Jon", "Berg", "Ines", "Sam Sales", "@", "2312500")
    for read in pull(tmp_path, sample_of(name), f"library/{name}.yaml").values():
        kept = str(read.extra).replace("Berlin", "")
        assert not [person for person in people if person in kept]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_head_of_a_mapping_says_whether_its_columns_were_checked(name: str) -> None:
    about = library.about(name)
    assert len(about.split(". ")[0]) < 70, "the first sentence is the line in the list"
    assert library.is_checked(name) == ("Columns checked" in about)
    assert "2026-11" in about


def test_the_page_tells_of_every_mapping_and_every_option() -> None:
    page = (home() / "docs" / "sources" / "files.md").read_text(encoding="utf-8")
    options = {*FileMapping.model_fields, *FieldRule.model_fields, *IgnoredRows.model_fields}
    assert [each for each in (*library.names(), *options) if f"`{each}" not in page] == []


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The example profile: all samples through the pipeline into a warehouse."""
    folder = tmp_path_factory.mktemp("library")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUELINE_DATA", str(folder))
        patch.setenv("TRUELINE_IDENTITY_KEY", "a-key-for-this-test-" * 2)
        profile = load_profile(SAMPLES.parent / "exports.yaml")
        summaries = [pipeline.ingest(profile, name, WINDOW) for name in profile.sources]
    warehouse = folder / "exports-warehouse"
    with duckdb.connect(str(warehouse / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{warehouse / 'restricted.duckdb'}' as restricted (read_only)")
        yield [load for summary in summaries for load in summary.loads], connection


def test_ingest_counts_every_row_of_every_sample(loaded: Any) -> None:
    loads, _ = loaded
    counted = Counter[tuple[str, str, str]]()
    for load in loads:
        counted[load.file_name, load.table_name, "loaded"] += load.rows_loaded
        counted[load.file_name, load.table_name, "quarantined"] += load.rows_quarantined
    for name, expected in EXPECTED.items():
        if name in READ_ALONE:
            continue
        for table, rows in expected.rows.items():
            bad = sum(each[0] == table for each in expected.bad)
            assert counted[sample_of(name), table, "loaded"] == len(rows), name
            assert counted[sample_of(name), table, "quarantined"] == bad, name


def test_the_warehouse_holds_the_exact_sums(loaded: Any) -> None:
    _, connection = loaded
    spend = connection.execute(
        "select platform, sum(cost_micros), sum(impressions), sum(clicks) from raw.ad_delivery "
        "group by all order by all"
    ).fetchall()
    assert spend == [
        ("google_ads", 2_278_560_000, 22961, 696),
        ("linkedin_ads", 2_046_430_000, 20300, 89),
        ("meta_ads", 369_250_000, 5467, 190),
        ("microsoft_ads", 441_750_000, 3950, 261),
        ("tiktok_ads", 1_909_000_000, 216929, 3236),
    ]
    claims = connection.execute(
        "select platform, sum(pixel_conversions) from raw.pixel_claims group by all order by all"
    ).fetchall()
    assert claims == [
        ("google_ads", Decimal("8.75")),
        ("linkedin_ads", 5),
        ("meta_ads", 15),
        ("microsoft_ads", 4),
        ("tiktok_ads", 17),
    ]
    # The caller of a tracked call and the contact in three CRMs are one phone, under one key.
    assert connection.execute(
        "select count(*), count(distinct crm) from raw.crm_leads where phone_key in "
        "(select phone_key from raw.tag_events)"
    ).fetchall() == [(6, 4)]


def test_a_person_is_nowhere_but_in_the_restricted_file(loaded: Any) -> None:
    _, connection = loaded
    for table in ("crm_leads", "crm_stages", "crm_deals", "tag_events"):
        text = str(connection.execute(f"select * from raw.{table}").fetchall())
        assert "8001" in text or "00Q5g" in text or "nb-" in text
        for person in ("maria", "keller", "jon", "ines", "@", "2312500", "sam sales"):
            assert person not in text.lower(), (table, person)


USER = """
extends: google_ads_report
constants: {account_id: "42"}
delimiter: ";"
fields: {clicks: Klicks}
"""


def test_a_mapping_of_ones_own_changes_a_ready_made_one(folder: Any) -> None:
    folder.mapping(USER)
    folder.file(
        "g.csv",
        "Titel\nDay;Campaign ID;Cost;Impr.;Klicks;Conversions (by conv. time)\n"
        "2026-10-01;77;$1.50;10;3;0.5\nTotal: Account;;1.50;10;3;0.5\n",
    )
    tables = by_table(folder.pull("g.csv"))
    (values,) = tables["ad_delivery"].values
    assert (values["account_id"], values["clicks"]) == ("42", 3)
    assert values["cost_micros"] == 1_500_000
    assert tables["pixel_claims"].values[0]["claim_basis"] == "conversion_date"


def test_a_ready_made_mapping_that_does_not_exist_is_named(folder: Any) -> None:
    folder.mapping("extends: google_ad_report\n")
    with pytest.raises(ConfigurationError, match="Did you mean 'google_ads_report'"):
        load_mapping(folder.path / "mapping.yaml")
    with pytest.raises(ConfigurationError, match="no ready-made mapping 'hubspot'"):
        load_mapping(folder.path / "library" / "hubspot.yaml")


def test_a_file_of_that_name_beside_the_profile_goes_first(folder: Any) -> None:
    (folder.path / "library").mkdir()
    own = "kind: crm_leads\nformat: csv\nconstants: {crm: own}\n"
    (folder.path / "library" / "hubspot_contacts.yaml").write_text(
        own + "fields: {crm_record_id: a, crm_created_at: b}\n"
    )
    mapping = load_mapping(folder.path / "library" / "hubspot_contacts.yaml")
    assert mapping.constants["crm"] == "own"


def test_what_a_ready_made_mapping_says_is_part_of_the_fingerprint(folder: Any) -> None:
    folder.mapping(USER)
    own = load_mapping(folder.path / "mapping.yaml")
    assert isinstance(own, FileMapping)
    base = load_mapping(library.path_of("google_ads_report"))
    assert own.fingerprint("UTC") != base.fingerprint("UTC")
    assert own.ignore_rows == base.ignore_rows
