"""Which fields Google Ads knows, which go together, and how they look in JSON."""

from __future__ import annotations

from typing import Any

from sandbox.server.gaql import Query, QueryError, camel

INT64 = {
    "customer.id",
    "customer_client.id",
    "customer_client.level",
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
    "customer.manager",
    "customer.resource_name",
    "customer.status",
    "customer.test_account",
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
    "customer": CUSTOMER | DELIVERY | CLAIMS | ACTION | {"segments.date"},
    "customer_client": CUSTOMER
    | {
        f"customer_client.{name}"
        for name in (
            "id",
            "client_customer",
            "currency_code",
            "descriptive_name",
            "hidden",
            "level",
            "manager",
            "resource_name",
            "status",
            "test_account",
            "time_zone",
        )
    },
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


def camel_path(name: str) -> str:
    """``metrics.cost_micros`` as the field mask writes it: ``metrics.costMicros``."""
    return ".".join(camel(part) for part in name.split("."))


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
            raise QueryError(*_out_of_place(name, query.resource, is_selected=name in query.fields))
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


def _out_of_place(name: str, resource: str, *, is_selected: bool) -> tuple[str, str]:
    """Google's code and words for a field that does not go with the resource."""
    kind = name.partition(".")[0]
    if kind in ("metrics", "segments"):
        return (
            f"PROHIBITED_{kind[:-1].upper()}_IN_SELECT_OR_WHERE_CLAUSE",
            f"Cannot select or filter on the following {kind}: '{name}', "
            f"since they are incompatible with resource '{resource}'.",
        )
    clause = "SELECT" if is_selected else "WHERE"
    return (
        f"PROHIBITED_RESOURCE_TYPE_IN_{clause}_CLAUSE",
        f"The following fields are not valid with FROM {resource}: '{name}'.",
    )


def shape(query: Query, row: Row) -> Row:
    """Nest and rename: ``metrics.cost_micros`` 5 becomes ``{"metrics": {"costMicros": "5"}}``.

    Resource names come unasked, of the main resource and of every other that is selected from.
    """
    made: Row = {}
    for resource in dict.fromkeys([query.resource, *(name.split(".")[0] for name in query.fields)]):
        named = row.get(f"{resource}.resource_name")
        if named is not None:
            made[camel(resource)] = {"resourceName": named}
    for name in query.fields:
        value = row[name]
        if name in INT64:
            value = str(value)
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        place = made
        *parents, leaf = (camel(part) for part in name.split("."))
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = value
    return made
