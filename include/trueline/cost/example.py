"""An example company, for an answer before anything is loaded: the demo's, pulled once.

About 170 submissions, 780 visits and 34 CRM records a day over 90 days, six campaigns.
"""

from __future__ import annotations

from collections.abc import Mapping

from trueline.cost.sizes import FIXED_BYTES, Sizes, TableSize, grows_with_days
from trueline.model.catalog import Table

EXAMPLE_DAYS = 90
# A STRING of the demo, its two bytes of overhead included and its NULLs counted as nothing.
_STRING_BYTES = 20
_ROWS_A_DAY = {
    "activation.qualified_conversions": 15,
    "attribution.lead_credits": 32,
    "attribution.lead_touches": 34,
    "identity.event_causes": 173,
    "identity.events": 173,
    "identity.leads": 32,
    "identity.links": 748,
    "identity.neighbours": 124,
    "identity.origins": 985,
    "identity.people": 33,
    "identity.person_nodes": 59,
    "identity.shared_nodes": 1,
    "marts.customer_curve": 9,
    "marts.event_detail": 173,
    "marts.events_by_date": 8,
    "marts.funnel_by_dimension": 45,
    "marts.funnel_daily": 15,
    "marts.ga4_cross_check": 3,
    "marts.lead_detail": 32,
    "marts.lead_milestones": 12,
    "marts.maturity_curve": 9,
    "marts.pixel_to_real_gap": 29,
    "marts.real_to_qualified_gap": 15,
    "marts.restatement_drift": 8,
    "marts.visits_daily": 12,
    "qualification.human_verdicts": 29,
    "qualification.lead_criteria": 78,
    "qualification.lead_records": 33,
    "qualification.lead_verdicts": 32,
    "qualification.stage_changes": 129,
    "qualification.verdict_reasons": 47,
    "raw.ad_clicks": 223,
    "raw.ad_delivery": 6,
    "raw.crm_deals": 4,
    "raw.crm_leads": 34,
    "raw.crm_stages": 130,
    "raw.load_coverage": 4,
    "raw.loads": 6,
    "raw.pixel_claims": 14,
    "raw.tag_events": 223,
    "raw.touches": 778,
    "staging.stg_ads__claim_bases": 3,
    "staging.stg_ads__claim_days": 3,
    "staging.stg_ads__claims": 14,
    "staging.stg_ads__clicks": 223,
    "staging.stg_ads__delivery": 6,
    "staging.stg_crm__deals": 4,
    "staging.stg_crm__leads": 34,
    "staging.stg_crm__stages": 130,
    "staging.stg_loads": 6,
    "staging.stg_web__observed_goals": 6,
    "staging.stg_web__own_tag_goals": 1,
    "staging.stg_web__shared_browsers": 1,
    "staging.stg_web__tag_events": 173,
    "staging.stg_web__touches": 778,
}
_ROWS_A_DAY_OF_OTHERS = 100
_STEADY_ROWS = 10


def example_sizes(catalog: Mapping[str, Table]) -> Sizes:
    """Every table of the catalog at the example company's size."""
    return Sizes(
        tables={key: _size(table) for key, table in catalog.items() if table.kind == "table"},
        history_days=EXAMPLE_DAYS,
        told_by="an example company of the demo's size, nothing measured",
    )


def _size(table: Table) -> TableSize:
    rows = _STEADY_ROWS
    if grows_with_days(table):
        rows = _ROWS_A_DAY.get(table.key, _ROWS_A_DAY_OF_OTHERS) * EXAMPLE_DAYS
    return TableSize(
        rows=rows,
        column_bytes={
            column.name: rows * FIXED_BYTES.get(column.type, _STRING_BYTES)
            for column in table.columns
        },
    )
