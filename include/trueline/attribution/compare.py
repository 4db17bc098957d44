"""The same leads under every model: the query of lead_credits, asked with other parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

from trueline.attribution.fit import published_run
from trueline.model.catalog import load_catalog
from trueline.model.parameters import HISTORY_START
from trueline.rulebook.attribution import FITTED_MODELS, MODELS

if TYPE_CHECKING:
    from trueline.rulebook import Rulebook
    from trueline.rulebook.fits import ModelFit
    from trueline.warehouse import Reader

LAST_DAY = date(9999, 12, 31)


def compare_models(
    reader: Reader,
    rulebook: Rulebook,
    fits: Sequence[ModelFit],
    first_date: date | None = None,
    last_date: date | None = None,
) -> list[dict[str, Any]]:
    """Credited leads by channel and model, and their sum; the same for every model.

    Args:
        rulebook: Its model settings are those of the models that have some.
        fits: Compared too, used or not.
        first_date: First reporting day, inclusive; None is open-ended, as for ``last_date``.

    Returns:
        Rows of ``channel`` and one column per model or ``model_id``, most first touches first.
    """
    published = published_run(reader)
    parameters = {
        **rulebook.parameters(published["as_of"]),
        "rules_version": published["rules_version"],
        "history_start": HISTORY_START,
        "first_date": first_date or HISTORY_START,
        "last_date": last_date or LAST_DAY,
    }
    columns: dict[str, Mapping[str, Decimal]] = {}
    for model in MODELS:
        if model not in FITTED_MODELS:
            columns[model] = _credits(reader, {**parameters, "attribution_model": model}, None)
    for fit in fits:
        asked = {**parameters, "attribution_model": fit.model}
        columns[fit.model_id] = _credits(reader, asked, fit)
    by_channel: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for name, credits in columns.items():
        for channel, leads in credits.items():
            by_channel[channel][name] = leads
    rows: list[dict[str, Any]] = [
        {"channel": channel, **{name: found.get(name, Decimal()) for name in columns}}
        for channel, found in sorted(
            by_channel.items(), key=lambda item: (-item[1].get(MODELS[0], Decimal()), item[0])
        )
    ]
    if rows:
        totals = {name: sum((row[name] for row in rows), Decimal()) for name in columns}
        rows.append({"channel": "(all)", **totals})
    return rows


def _credits(
    reader: Reader, parameters: Mapping[str, Any], fit: ModelFit | None
) -> dict[str, Decimal]:
    credits = load_catalog()["attribution.lead_credits"].query
    assert credits is not None
    rows = reader.query(
        f"select platform, sum(credit) as leads from (\n{_with_fit(credits, fit)}\n) as credits "
        "where report_date between @first_date and @last_date group by platform",
        parameters,
    )
    return {row["platform"]: row["leads"] for row in rows}


def _with_fit(query: str, fit: ModelFit | None) -> str:
    """The query with a fit's weights in the place of the published ones: it may not be in use."""
    if fit is None:
        return query
    weights = exp.union(
        *(
            exp.select(
                exp.alias_(exp.Parameter(this=exp.var("rules_version")), "rules_version"),
                *(exp.alias_(exp.convert(value), name) for name, value in row.items()),
            )
            for row in fit.rows()
        ),
        distinct=False,
    )
    tree = sqlglot.parse_one(query, read="bigquery")
    for table in list(tree.find_all(exp.Table)):
        if (table.db, table.name) == ("rules", "model_fits"):
            table.replace(weights.subquery("model_fits"))
    return tree.sql(dialect="bigquery", comments=False)
