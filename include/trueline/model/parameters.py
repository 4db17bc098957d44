"""The parameters that queries may use, with their BigQuery types: one list for runs and checks."""

from __future__ import annotations

from datetime import date

# No row is older. A partitioned table is read with a filter on its partition column or not at all;
# a read of all of it says: since the first day there can be.
HISTORY_START = date(1, 1, 1)

# Given to every query of a run.
RUN_PARAMETERS: dict[str, str] = {
    "as_of": "TIMESTAMP",
    "as_of_date": "DATE",
    "history_start": "DATE",
    "rules_version": "STRING",
    "reporting_time_zone": "STRING",
    "reporting_currency": "STRING",
}
REPORT_PARAMETERS: dict[str, str] = {
    "by": "STRING",
    "first_date": "DATE",
    "last_date": "DATE",
    # The rows behind one figure.
    "line": "STRING",
    "platform": "STRING",
    "account_id": "STRING",
    "campaign_id": "STRING",
    "dimension": "STRING",
    "dimension_value": "STRING",
    "lead_key": "STRING",
}
# Given to the script that appends a pull.
LOAD_PARAMETERS: dict[str, str] = {
    "loaded_at": "TIMESTAMP",
    "given_up": "ARRAY<STRING>",
}
# Given to the statements of an incremental run.
INCREMENTAL_PARAMETERS: dict[str, str] = {
    "days": "ARRAY<DATE>",
    "first_day": "DATE",
    "last_day": "DATE",
    "previous_as_of": "TIMESTAMP",
}
RULE_PARAMETERS: dict[str, str] = {
    "no_duplicate_after_microseconds": "INT64",
    "repeat_days": "INT64",
    "sync_lag_minutes": "INT64",
    "clock_slack_minutes": "INT64",
    "max_fan_out": "INT64",
    "max_addresses": "INT64",
    "max_addresses_per_phone": "INT64",
    "max_browsers_per_click": "INT64",
    "session_minutes": "INT64",
    "max_rate_age_days": "INT64",
    "default_goal": "STRING",
    "attribution_model": "STRING",
    "first_touch_percent": "INT64",
    "last_touch_percent": "INT64",
    "half_life_microseconds": "INT64",
    "final_after_days": "INT64",
    "min_coverage": "NUMERIC",
    "qualified_score": "NUMERIC",
    "disqualified_score": "NUMERIC",
    "hot_score": "NUMERIC",
    "warm_score": "NUMERIC",
    "upload_click_window_days": "INT64",
    "unknown_consent": "STRING",
    "judgement_days": "INT64",
    "curve_days": "INT64",
    "curve_from_leads": "INT64",
    "curve_from_qualified": "INT64",
    "close_after_days": "INT64",
}
PARAMETERS: dict[str, str] = RUN_PARAMETERS | REPORT_PARAMETERS | RULE_PARAMETERS
