"""Which fields Google Ads knows, which go together, and how they look in JSON."""

from __future__ import annotations

from typing import Any

from sandbox.server.gaql import Query, QueryError

INT64 = {
    "customer.id",
    "campaign.id",
    "ad_group.id",
    "metrics.cost_micros",
    "metrics.clicks",
    "metrics.impressions",
    "click_view.page_number",
    "conversion_action.id",
    "conversion_action.click_through_lookback_window_days",
}
CUSTOMER = {
    "customer.id",
    "customer.currency_code",
    "customer.time_zone",
    "customer.descriptive_name",
    "customer.resource_name",
    "customer.status",
    "customer.manager",
}
CAMPAIGN = {
    "campaign.id",
    "campaign.name",
    "campaign.status",
    "campaign.resource_name",
    "campaign.advertising_channel_type",
}
DELIVERY = {"metrics.cost_micros", "metrics.clicks", "metrics.impressions"}
CLAIMS = {
    f"metrics.{'all_' if every else ''}conversions{tail}"
    for every in (False, True)
    for tail in ("", "_value", "_by_conversion_date", "_value_by_conversion_date")
}
ACTION = {
    "segments.conversion_action",
    "segments.conversion_action_name",
    "segments.conversion_action_category",
}
FIELDS = {
    "customer": CUSTOMER,
    "campaign": CUSTOMER | CAMPAIGN | DELIVERY | CLAIMS | ACTION | {"segments.date"},
    "click_view": CUSTOMER
    | CAMPAIGN
    | {
        "segments.date",
        "metrics.clicks",
        "ad_group.id",
        "click_view.gclid",
        "click_view.ad_group_ad",
        "click_view.keyword",
        "click_view.keyword_info.text",
        "click_view.page_number",
        "click_view.resource_name",
    },
    "conversion_action": CUSTOMER
    | {
        f"conversion_action.{name}"
        for name in (
            "id",
            "name",
            "type",
            "status",
            "category",
            "counting_type",
            "primary_for_goal",
            "include_in_conversions_metric",
            "click_through_lookback_window_days",
            "attribution_model_settings.attribution_model",
            "resource_name",
        )
    },
}

Row = dict[str, Any]


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def camel_path(name: str) -> str:
    """``metrics.cost_micros`` as the field mask writes it: ``metrics.costMicros``."""
    return ".".join(_camel(part) for part in name.split("."))


def check(query: Query) -> None:
    """Refuse what Google refuses."""
    if query.resource not in FIELDS:
        raise QueryError(
            "BAD_RESOURCE_TYPE_IN_FROM_CLAUSE",
            f"Invalid resource type in the FROM clause: {query.resource}",
        )
    known = set().union(*FIELDS.values())
    used = [*query.fields, *(part.name for part in query.where), *(name for name, _ in query.order)]
    for name in used:
        if name not in known:
            raise QueryError("UNRECOGNIZED_FIELD", f"Unrecognized field in the query: '{name}'.")
        if name not in FIELDS[query.resource]:
            raise QueryError(
                "PROHIBITED_FIELD_IN_SELECT_CLAUSE",
                f"The field '{name}' cannot be selected with FROM {query.resource}.",
            )
    if query.resource != "click_view" and "segments.date" in used and None in query.dates():
        raise QueryError(
            "EXPECTED_FILTERS_ON_DATE_RANGE",
            "Expected filters on a date range: segments.date needs a first and a last day.",
        )
    mixed = set(used) & DELIVERY
    if set(used) & ACTION and mixed:
        raise QueryError(
            "PROHIBITED_SEGMENT_WITH_METRIC_IN_SELECT_OR_WHERE_CLAUSE",
            "Cannot select or filter on the following segments: "
            f"'{', '.join(sorted(set(used) & ACTION))}', when querying the metrics: "
            f"'{', '.join(sorted(mixed))}'.",
        )
    for name, _ in query.order:
        if name not in query.fields:
            raise QueryError(
                "EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE",
                f"'{name}' must be selected to be ordered by.",
            )


def shape(fields: list[str], row: Row) -> Row:
    """Nest and rename: ``metrics.cost_micros`` 5 becomes ``{"metrics": {"costMicros": "5"}}``."""
    made: Row = {}
    for name in fields:
        value = row[name]
        if name in INT64:
            value = str(value)
        place = made
        *parents, leaf = (_camel(part) for part in name.split("."))
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = value
    return made
