"""The parameters that queries may use, with their BigQuery types: one list for runs and checks."""

from __future__ import annotations

from datetime import date

# No row is older. A partitioned table is read with a filter on its partition column or not at all;
# a read of all of it says: since the first day there can be.
HISTORY_START = date(1, 1, 1)

# Given to every query of a run.
RUN_PARAMETERS: dict[str, str] = {
    "as_of": "TIMESTAMP",
    "history_start": "DATE",
    "rules_version": "STRING",
    "reporting_time_zone": "STRING",
    "reporting_currency": "STRING",
}
REPORT_PARAMETERS: dict[str, str] = {
    "by": "STRING",
    "first_date": "DATE",
    "last_date": "DATE",
}
# Given to the script that appends a pull.
LOAD_PARAMETERS: dict[str, str] = {
    "loaded_at": "TIMESTAMP",
    "given_up": "ARRAY<STRING>",
}
RULE_PARAMETERS: dict[str, str] = {
    "no_duplicate_after_microseconds": "INT64",
    "repeat_days": "INT64",
    "sync_lag_minutes": "INT64",
    "clock_slack_minutes": "INT64",
    "max_fan_out": "INT64",
    "max_rate_age_days": "INT64",
    "default_goal": "STRING",
    "attribution_model": "STRING",
    "final_after_days": "INT64",
    "min_coverage": "NUMERIC",
    "qualified_score": "NUMERIC",
    "hot_score": "NUMERIC",
    "warm_score": "NUMERIC",
    "intent_overrides_budget": "NUMERIC",
    "upload_click_window_days": "INT64",
    "unknown_consent": "STRING",
}
PARAMETERS: dict[str, str] = RUN_PARAMETERS | REPORT_PARAMETERS | RULE_PARAMETERS
