"""Fit an attribution model on the published leads of some days."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from trueline.attribution.markov import Paths, removal_effects
from trueline.attribution.shapley import shapley_values
from trueline.errors import ConfigurationError
from trueline.model.catalog import load_catalog
from trueline.rulebook.attribution import FITTED_MODELS, MODEL_ID_PATTERN
from trueline.rulebook.fits import STEPS_PER_ONE, ModelFit
from trueline.windows import Window

if TYPE_CHECKING:
    from trueline.warehouse import Reader

# The removal of each channel is a system of equations over all others, solved in fractions: some
# ten seconds for this many.
MAX_MARKOV_CHANNELS = 40


def weights_of(model: str, paths: Paths) -> dict[str, Fraction]:
    """Exact weight per channel: removal effects, or Shapley's shares of all leads.

    Raises:
        ConfigurationError: more channels than can be solved exactly.
    """
    channels = {channel for path in paths for channel in path}
    if model == "markov":
        if len(channels) > MAX_MARKOV_CHANNELS:
            raise ConfigurationError(
                f"These leads came by {len(channels)} channels; markov is solved exactly, for at "
                f"most {MAX_MARKOV_CHANNELS}.",
                fix="Put small channels together in source_channels, or fit shapley, which has no "
                "such limit.",
            )
        return removal_effects(paths)
    leads = sum(paths.values())
    return {channel: value / leads for channel, value in shapley_values(paths).items()}


def credited(weights: Mapping[str, Fraction], leads: int) -> dict[str, Fraction]:
    """All leads split by weight: what the model says each channel brought."""
    total = sum(weights.values(), Fraction())
    return {channel: leads * weight / total for channel, weight in weights.items()}


def fit_model(
    reader: Reader, model: str, window: Window, time_zone: str, model_id: str | None = None
) -> ModelFit:
    """Fit ``model`` on the published leads whose reporting day lies in ``window``.

    Args:
        time_zone: Of the reporting days.
        model_id: Name of the fit; by default the model and its days.

    Raises:
        ConfigurationError: no such model, days that are not over or not published, no lead with
            a touch on them, too many channels, or a name that cannot be a file's.
    """
    if model not in FITTED_MODELS:
        raise ConfigurationError(
            f"The model {model!r} is not fitted.",
            fix=f"Fit one of {', '.join(FITTED_MODELS)}; every other model needs no fit.",
        )
    name = model_id or f"{model}-{window.start:%Y%m%d}-{window.end:%Y%m%d}"
    if not re.fullmatch(MODEL_ID_PATTERN, name):
        raise ConfigurationError(
            f"A fit cannot be named {name!r}.",
            fix="Use small letters, digits, - and _, a letter first.",
        )
    rules_version = _published_rules(reader, window, time_zone)
    paths = read_paths(reader, window)
    leads = sum(paths.values())
    if not leads:
        raise ConfigurationError(
            f"No lead of {window} has a touch in its look-back: there is nothing to learn.",
            fix="Choose days with leads: trueline report --by month.",
        )
    return ModelFit(
        model_id=name,
        model=model,  # type: ignore[arg-type]
        first_date=window.start,
        last_date=window.end,
        rules_version=rules_version,
        leads=leads,
        weights=_rounded(weights_of(model, paths)),
    )


def read_paths(reader: Reader, window: Window) -> Counter[tuple[str, ...]]:
    """How many published leads of these days came by each path of channels."""
    query = load_catalog()["reports.lead_paths"].query
    assert query is not None
    rows = reader.query(query, {"first_date": window.start, "last_date": window.end})
    return Counter({tuple(row["channels"].split(",")): row["leads"] for row in rows})


def published_run(reader: Reader) -> dict[str, Any]:
    """``rules_version`` and ``as_of`` of the build that readers see."""
    return reader.query(
        "select rules_version, as_of from ops.runs where run_id in "
        "(select run_id from ops.run_tables) order by built_at desc limit 1"
    )[0]


def _published_rules(reader: Reader, window: Window, time_zone: str) -> str:
    published = published_run(reader)
    built_on = published["as_of"].astimezone(ZoneInfo(time_zone)).date()
    if window.end >= built_on:
        raise ConfigurationError(
            f"What is published was built on {built_on}: {window.end} was not over.",
            fix="Choose an earlier --to, or run the pipeline first.",
        )
    return str(published["rules_version"])


def _rounded(weights: Mapping[str, Fraction]) -> dict[str, Decimal]:
    """To the steps that SQL computes with, half up."""
    return {
        channel: Decimal((2 * weight * STEPS_PER_ONE + 1) // 2) / STEPS_PER_ONE
        for channel, weight in weights.items()
    }
