"""The report by declared segment, landing page or form.

A platform tells neither claims nor spend by these, so such figures are None and the first ledger
starts at what was observed. Every lead has one segment, page and form: nothing is shared out, and
the totals are those of the report by campaign.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal, get_args

from trueline.errors import ConfigurationError
from trueline.report.headline import (
    Report,
    added_up,
    days_asked,
    provenance_of,
    report_sql,
    with_figures,
)

if TYPE_CHECKING:
    from trueline.warehouse.base import Reader

Dimension = Literal["segment", "landing_page", "form"]

#: Columns of ``reports.headline`` that no row by a dimension has.
NOT_TOLD = (
    "spend_amount",
    "impressions",
    "clicks",
    "visits",
    "measured_visits",
    "bounces",
    "pixel_conversions",
    "observed_without_claim",
    "claimed_not_observed",
    "view_through",
    "day_shift",
    "claimed_not_observed_rest",
    "credited_elsewhere",
    "credited_from_elsewhere",
    "spend_reported",
    "real_leads_reported",
    "observed_on_ad_platforms",
)


def by_dimension(
    reader: Reader,
    dimension: Dimension,
    first_date: date | None = None,
    last_date: date | None = None,
) -> Report:
    """Read the published figures of ``first_date..last_date`` cut by ``dimension``.

    Rows come by real leads, then by submissions. A row has the figures of ``headline``'s, with
    ``dimension_value`` as its key and ``gap_observed_to_real`` in place of ``gap_pixel_to_real``.

    Raises:
        ConfigurationError: unknown ``dimension`` or no figures for those days.
        PermanentError: the days mix rulebook versions, or a row does not add up.
    """
    if dimension not in get_args(Dimension):
        raise ConfigurationError(
            f"A report by {dimension!r} does not exist.",
            fix=f"Choose one of {', '.join(get_args(Dimension))}.",
        )
    provenance = provenance_of(reader, first_date, last_date, None)
    found = reader.query(
        report_sql("by_dimension"), {"by": dimension, **days_asked(first_date, last_date)}
    )
    if not found:
        raise ConfigurationError(
            "Nothing was submitted and no lead came in on those days.", fix="Ask for other days."
        )
    sums = [dict(row) | dict.fromkeys(NOT_TOLD) for row in found]
    totals = with_figures({"dimension_value": "(all)"} | added_up(sums))
    rows = sorted(
        (with_figures(row) for row in sums),
        key=lambda row: (-row["real_leads"], -row["observed_tag_events"], row["dimension_value"]),
    )
    return Report(dimension, rows, totals, provenance)
