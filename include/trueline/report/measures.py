"""``python -m trueline.report.measures``: the measures' reference page, made from table.yaml."""

from __future__ import annotations

from trueline.model.catalog import Column, Table, load_catalog
from trueline.report.headline import RATIOS

# Tables that hold measures: the heading of each and what a reader has to know of its day.
_PLACES = (
    (
        "reports.headline",
        "The funnel",
        "A lead and all its credits count on the day it came in (the cohort basis), also when it "
        "qualifies or buys much later. Stored by day and campaign in `marts.funnel_daily`, by goal "
        "in `marts.pixel_to_real_gap` and `marts.real_to_qualified_gap`.",
    ),
    (
        "marts.funnel_by_dimension",
        "By declared segment, landing page and form",
        "The same leads on the same days, counted whole. What platforms tell (claims, spend, "
        "clicks) is not there: nobody tells it by these.",
    ),
    (
        "marts.events_by_date",
        "By the day it happened",
        "The only measures that are not on the cohort basis: never divide them by the funnel's.",
    ),
    ("marts.visits_daily", "Visits", "On the day of the visit."),
    (
        "marts.restatement_drift",
        "Restatement drift",
        "From every pull that counts; raw is append-only, so what was told before is still there.",
    ),
    ("marts.ga4_cross_check", "GA4 as a cross-check", "Feeds nothing; on the submission's day."),
)
_NUMBERS = frozenset({"INT64", "NUMERIC", "FLOAT64"})


# Counts of submissions: NUMERIC, because they stand in sums with claims and credits.
_WHOLE = frozenset(
    {
        "observed_without_claim",
        "day_shift",
        "observed_tag_events",
        "bot",
        "internal_or_test",
        "duplicate_submission",
        "same_person",
        "existing_lead",
        "awaiting_crm",
        "no_crm_record",
        "made_lead",
        "observed_on_ad_platforms",
    }
)


def render() -> str:
    """The whole page as Markdown."""
    lines = [
        "# Measures",
        "",
        "Made from `include/sql/*/*/table.yaml` and the ratios of the report by `make docs`; a",
        "test fails when it is out of date. Counts of leads are sums of credits: a lead that two",
        "campaigns brought is shared out between them, exactly.",
    ]
    catalog = load_catalog()
    for key, title, note in _PLACES:
        lines += [
            "",
            f"## {title}",
            "",
            f"`{key}`. {note}",
            "",
            "| measure | unit | |",
            "|---|---|---|",
        ]
        lines += [
            f"| `{column.name}` | {_unit(column)} | {column.description} |"
            for column in _measures(catalog[key])
        ]
        if key == "reports.headline":
            lines += _ratios()
    return "\n".join(lines) + "\n"


def _ratios() -> list[str]:
    return [
        "",
        "## Ratios",
        "",
        "Made of the exact sums above with 50 digits and rounded once to nine decimals. A zero or",
        "unknown denominator gives none, and the row stays.",
        "",
        "| ratio | of | divided by |",
        "|---|---|---|",
        *(f"| `{name}` | `{top}` | `{bottom}` |" for name, top, bottom in RATIOS),
    ]


def _measures(table: Table) -> list[Column]:
    return [
        column
        for column in table.columns
        if column.type in _NUMBERS and column.name not in table.grain
    ]


def _unit(column: Column) -> str:
    if column.name.endswith("_amount") or column.name.startswith("spend_"):
        return "reporting currency"
    if column.name.endswith("_minutes"):
        return "minutes"
    if column.name in ("change", "figure", "still_to_come"):
        return "count, or the account's currency"
    is_whole = column.type == "INT64" or column.name in _WHOLE
    return "count, whole" if is_whole else "count, can be fractional"


if __name__ == "__main__":
    print(render(), end="")
