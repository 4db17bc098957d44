"""A small DuckDB warehouse whose every promise holds, to be spoiled by the tests.

Every text value starts with ``SECRET``, so that a value that leaks is easy to find.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from trueline.model.catalog import Table, load_catalog
from trueline.warehouse.ddl import create_table_sql

MARKER = "SECRET"
LOADED_AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
_DEFAULTS: dict[str, Any] = {
    "STRING": f"{MARKER}-text",
    "INT64": 0,
    "NUMERIC": Decimal(0),
    "BOOL": False,
    "DATE": date(2026, 11, 18),
    "TIMESTAMP": datetime(2026, 11, 18, 12, tzinfo=UTC),
}
_LOAD = {"load_id": f"{MARKER}-load", "loaded_at": LOADED_AT}
_AD = {"platform": "google_ads", "account_id": f"{MARKER}-1", "campaign_id": f"{MARKER}-2"}
_ACCOUNT = {"platform": "google_ads", "account_id": f"{MARKER}-1"}
_LEAD = {"crm": "hubspot", "crm_record_id": f"{MARKER}-101"}
_PLACE = {**_AD, "report_date": date(2026, 11, 18), "rules_version": f"{MARKER}-v1"}
_GAP_ONE = {
    "claim_state": "reported",
    "pixel_conversions": Decimal("10.5"),
    "claimed_not_observed": Decimal("2.5"),
    "claimed_not_observed_rest": Decimal("2.5"),
    "observed_tag_events": 8,
    "bot": 1,
    "no_crm_record": 2,
    "made_lead": 5,
    "unobserved_leads": 1,
    "real_leads": 6,
}
_GAP_TWO = {"real_leads": 6, "spam": 1, "pending": 2, "qualified_leads": 3}
_AFTER = {
    "opportunities": 3,
    "qualified_opportunities": 2,
    "customers": 1,
    "qualified_customers": 1,
}

# Two campaigns of one day: the second one gets half a credit that the first one's lead lost.
_GIVER = {"credited_elsewhere": Decimal("0.5"), "real_leads": Decimal("5.5")}
_TAKER = {
    "campaign_id": f"{MARKER}-3",
    "credited_from_elsewhere": Decimal("0.5"),
    "real_leads": Decimal("6.5"),
}
_TWO_GIVER = {"real_leads": Decimal("5.5"), "qualified_leads": Decimal("2.5")}
_TWO_TAKER = {
    "campaign_id": f"{MARKER}-3",
    "real_leads": Decimal("6.5"),
    "qualified_leads": Decimal("3.5"),
}
_GOAL = {"conversion_goal": "lead", "goal_kind": "macro"}

# The same submissions and leads, cut three ways.
_LINES = [
    "bot",
    "internal_or_test",
    "duplicate_submission",
    "same_person",
    "existing_lead",
    "awaiting_crm",
    "no_crm_record",
    "made_lead",
    "unobserved_leads",
    "recovered_leads",
    "real_leads",
    "spam",
    "marked_duplicate",
    "deleted_in_crm",
    "unreachable",
    "not_fit",
    "no_budget",
    "no_authority",
    "no_need",
    "no_timing",
    "no_intent",
    "undecided",
    "other_reason",
    "pending",
    "qualified_leads",
]
_CUT = dict.fromkeys(_LINES, 0) | {
    "report_date": date(2026, 11, 18),
    **_GOAL,
    "observed_tag_events": 16,
    "bot": 2,
    "no_crm_record": 4,
    "made_lead": 10,
    "unobserved_leads": 2,
    "real_leads": 12,
    "spam": 2,
    "pending": 4,
    "qualified_leads": 6,
    "rules_version": f"{MARKER}-v1",
}
_CUT_MICRO = {
    "report_date": date(2026, 11, 18),
    "conversion_goal": "brochure",
    "goal_kind": "micro",
    "observed_tag_events": 4,
    "rules_version": f"{MARKER}-v1",
}
_DIMENSIONS = ("segment", "landing_page", "form")

GOOD_ROWS: dict[str, list[dict[str, Any]]] = {
    "raw.loads": [
        {**_LOAD, "status": "loaded", "rows_received": 3, "rows_loaded": 2, "rows_quarantined": 1},
        {"load_id": f"{MARKER}-skip", "status": "skipped", "loaded_at": LOADED_AT},
        # Enough other rows of the same source, so that one in quarantine is no alarm.
        {"load_id": f"{MARKER}-big", "status": "loaded", "rows_received": 97, "rows_loaded": 97},
    ],
    "raw.ad_accounts": [
        {**_ACCOUNT, **_LOAD, "currency_code": "EUR", "account_time_zone": "Europe/Berlin"},
        # The pull before told the same.
        {
            **_ACCOUNT,
            "load_id": f"{MARKER}-big",
            "loaded_at": LOADED_AT - timedelta(days=1),
            "currency_code": "EUR",
            "account_time_zone": "Europe/Berlin",
        },
    ],
    "raw.conversion_actions": [
        {**_ACCOUNT, **_LOAD, "conversion_action": "7001", "click_window_days": 30}
    ],
    "raw.ad_delivery": [
        {
            **_AD,
            **_LOAD,
            "currency_code": "EUR",
            "cost_micros": 31_337_000_000,
            "clicks": 3,
            "impressions": 900,
            "account_time_zone": "Europe/Berlin",
        },
        # A million dong is forty euros.
        {
            **_AD,
            **_LOAD,
            "campaign_id": f"{MARKER}-9",
            "currency_code": "VND",
            "cost_micros": 90_000_000_000_000,
            "account_time_zone": "Asia/Ho_Chi_Minh",
        },
    ],
    "raw.pixel_claims": [
        {**_AD, **_LOAD, "claim_basis": "conversion_date", "pixel_conversions": Decimal("2.333")}
    ],
    "raw.tag_events": [{**_LOAD, "observer": "site_tag", "email_key": f"{MARKER}-mail"}],
    "raw.touches": [{**_LOAD, "client_id": f"{MARKER}-client", "click_id_type": "gclid"}],
    "raw.crm_leads": [{**_LOAD, **_LEAD, "consent_ad_user_data": "granted", "fit": Decimal("0.5")}],
    "raw.crm_stages": [{**_LOAD, **_LEAD}],
    "raw.crm_deals": [{**_LOAD, **_LEAD, "deal_amount": Decimal(900), "currency_code": "EUR"}],
    "raw.exchange_rates": [
        {**_LOAD, "base_currency": "EUR", "quote_currency": "USD", "rate": Decimal("1.15")},
    ],
    "rules.channels": [{"channel": "google_ads", "makes_claims": True, "look_back_days": 90}],
    "marts.pixel_to_real_gap": [
        {**_PLACE, **_GOAL, **_GAP_ONE, **_GIVER},
        {**_PLACE, **_GOAL, **_GAP_ONE, **_TAKER},
        # A micro goal stops at the submissions: no cause after them.
        {
            **_PLACE,
            "conversion_goal": "brochure",
            "goal_kind": "micro",
            "claim_state": "reported",
            "pixel_conversions": 4,
            "observed_tag_events": 4,
        },
    ],
    "marts.real_to_qualified_gap": [
        {**_PLACE, "conversion_goal": "lead", **_GAP_TWO, **_TWO_GIVER},
        {**_PLACE, "conversion_goal": "lead", **_GAP_TWO, **_TWO_TAKER},
    ],
    "marts.funnel_by_dimension": [
        {**cut, "dimension": dimension, "dimension_value": f"{MARKER}-x"}
        for cut in (_CUT, _CUT_MICRO)
        for dimension in _DIMENSIONS
    ],
    "marts.funnel_daily": [
        {
            **_PLACE,
            **_GAP_ONE,
            **_GIVER,
            **_GAP_TWO,
            **_TWO_GIVER,
            **_AFTER,
            "spend_amount": Decimal("31337.25"),
            "currency_code": "EUR",
        },
        {
            **_PLACE,
            **_GAP_ONE,
            **_TAKER,
            **_GAP_TWO,
            **_TWO_TAKER,
            **_AFTER,
            "spend_amount": Decimal("12.50"),
            "currency_code": "EUR",
        },
    ],
    "attribution.lead_credits": [
        {"lead_key": f"{MARKER}-l1", "credit": Decimal("0.5")},
        {"lead_key": f"{MARKER}-l1", "credit": Decimal("0.5")},
        {"lead_key": f"{MARKER}-l2", "credit": 1},
    ],
    "staging.stg_crm__leads": [
        {**_LEAD, "consent_ad_user_data": "granted"},
        # She said no, and is withheld below.
        {**_LEAD, "crm_record_id": f"{MARKER}-102", "consent_ad_user_data": "denied"},
    ],
    "identity.person_nodes": [
        {"node": f"crm:hubspot:{MARKER}-101", "person_key": f"{MARKER}-p1"},
        {"node": f"crm:hubspot:{MARKER}-102", "person_key": f"{MARKER}-p2"},
    ],
    "identity.leads": [
        {**_LEAD, "person_key": f"{MARKER}-p1", "lead_key": f"{MARKER}-l1"},
        {
            **_LEAD,
            "crm_record_id": f"{MARKER}-102",
            "person_key": f"{MARKER}-p2",
            "lead_key": f"{MARKER}-l2",
        },
    ],
    "qualification.lead_verdicts": [
        {
            "lead_key": f"{MARKER}-l1",
            "verdict": "qualified",
            "decided_by": "human",
            "decided_at": datetime(2026, 11, 17, tzinfo=UTC),
            "crm_stage": f"{MARKER}-stage",
        },
        {"lead_key": f"{MARKER}-l2", "verdict": "pending", "decided_by": "nobody"},
    ],
    "qualification.verdict_reasons": [
        {
            "lead_key": f"{MARKER}-l1",
            "reason_order": 1,
            "is_primary": True,
            "rule": "human",
            "verdict": "qualified",
        },
        {
            "lead_key": f"{MARKER}-l1",
            "reason_order": 2,
            "rule": "hard_disqualifier",
            "verdict": "disqualified",
            "reason": "not_fit",
        },
        {
            "lead_key": f"{MARKER}-l2",
            "reason_order": 1,
            "is_primary": True,
            "rule": "nobody",
            "verdict": "pending",
        },
    ],
    "activation.qualified_conversions": [
        {
            **_LEAD,
            "destination": f"{MARKER}-google",
            "conversion_id": f"t{MARKER}-a",
            "lead_key": f"{MARKER}-l1",
            "state": "ready",
            "has_email": True,
            "qualified_at": datetime(2026, 11, 17, tzinfo=UTC),
        },
        {
            "crm": "hubspot",
            "crm_record_id": f"{MARKER}-102",
            "destination": f"{MARKER}-google",
            "conversion_id": f"t{MARKER}-b",
            "lead_key": f"{MARKER}-l2",
            "state": "withheld",
            "withheld_reason": "consent",
        },
    ],
}


def build(path: Path, datasets: dict[str, str] | None = None) -> Path:
    """Write all tables of :data:`GOOD_ROWS`; the columns' own NOT NULL is left out on purpose."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for key, rows in GOOD_ROWS.items():
            table = load_catalog()[key]
            dataset = (datasets or {}).get(table.layer, table.layer)
            connection.execute(f"create schema if not exists {dataset}")
            ddl = create_table_sql(table, "duckdb", dataset)
            connection.execute(ddl.replace(" not null", ""))
            for row in rows:
                _insert(connection, f"{dataset}.{table.name}", _complete(table, row))
    return path


def spoil(path: Path, statement: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(statement)


def _complete(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    unknown = row.keys() - {column.name for column in table.columns}
    assert not unknown, f"{table.key} has no column {unknown}"
    # An additive line that a macro row does not speak of is zero, not empty.
    zero_lines = table.layer == "marts" and row.get("goal_kind") != "micro"
    return {
        column.name: row[column.name]
        if column.name in row
        else _DEFAULTS[column.type]
        if column.required or (zero_lines and column.type == "NUMERIC")
        else None
        for column in table.columns
    }


def _insert(connection: duckdb.DuckDBPyConnection, table: str, row: dict[str, Any]) -> None:
    places = ", ".join("?" for _ in row)
    connection.execute(f"insert into {table} ({', '.join(row)}) values ({places})", [*row.values()])
