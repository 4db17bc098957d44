"""config/rulebook/fits/<model_id>.yaml: what markov or shapley learnt from past leads.

``trueline model fit`` writes it, nobody edits it. It is part of the rulebook and of its version:
fitting again is a change of the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, model_validator

from trueline.errors import ConfigurationError
from trueline.rulebook.attribution import AttributionRules, ModelId, Name
from trueline.settings.yaml_lines import SettingError, Strict, load_model

FOLDER = "fits"
# SQL gets weights as whole numbers of this step, so that both engines compute the same.
STEPS_PER_ONE = 10**12
Weight = Annotated[Decimal, Field(ge=0, le=1, decimal_places=12)]


class ModelFit(Strict):
    """One fit.

    Attributes:
        model_id: Its name, and its file's.
        first_date: First reporting day of the leads it was fitted on, inclusive.
        last_date: Last reporting day, inclusive.
        rules_version: The rulebook that had found the touches of these leads.
        leads: Leads with at least one touch in the look-back.
        weights: Per channel: its removal effect (markov) or its share of the leads (shapley),
            rounded to 12 decimals.
    """

    model_id: ModelId
    model: Literal["markov", "shapley"]
    first_date: date
    last_date: date
    rules_version: str = Field(min_length=1)
    leads: int = Field(ge=1)
    weights: dict[Name, Weight] = Field(min_length=1)

    @model_validator(mode="after")
    def _some_channel_weighs(self) -> ModelFit:
        if not any(self.weights.values()):
            raise SettingError("every weight is 0; fit again", "weights")
        return self

    def rows(self) -> list[dict[str, object]]:
        """Rows of ``rules.model_fits``, without their rules_version."""
        return [
            {
                "model_id": self.model_id,
                "channel": channel,
                "weight_trillionths": int(weight * STEPS_PER_ONE),
            }
            for channel, weight in sorted(self.weights.items())
        ]

    def as_table(self) -> list[dict[str, object]]:
        """Channel, weight and the share of all leads by it in percent, the heaviest first."""
        total = sum(self.weights.values(), Decimal())
        return [
            {
                "channel": channel,
                "weight": weight,
                "percent_of_leads": round(100 * weight / total, 2),
            }
            for channel, weight in sorted(
                self.weights.items(), key=lambda item: (-item[1], item[0])
            )
        ]


def fit_path(rulebook: Path, model_id: str) -> Path:
    return rulebook / FOLDER / f"{model_id}.yaml"


def load_fit(rulebook: Path, model_id: str) -> ModelFit:
    """Read ``fits/<model_id>.yaml`` of a rulebook's folder.

    Raises:
        ConfigurationError: the file is missing, wrong, or another fit's.
    """
    path = fit_path(rulebook, model_id)
    if not path.exists():
        raise ConfigurationError(
            f"There is no fit {model_id!r}.",
            where=str(path),
            fix="Make it with trueline model fit, or name one that trueline model show lists.",
        )
    fit = load_model(path, ModelFit, expand_env=False)
    if fit.model_id != model_id:
        raise ConfigurationError(
            f"This file holds the fit {fit.model_id!r}.",
            where=str(path),
            fix=f"Rename the file to {fit.model_id}.yaml.",
        )
    return fit


def load_fit_of(rulebook: Path, attribution: AttributionRules) -> ModelFit | None:
    """The fit that the rules name, if their model needs one.

    Raises:
        ConfigurationError: as ``load_fit``; or the fit is of another model, or weighs a channel
            that the rules do not know.
    """
    model_id = attribution.model_settings.fit
    if model_id is None:
        return None
    fit = load_fit(rulebook, model_id)
    path = fit_path(rulebook, model_id)
    if fit.model != attribution.model:
        raise ConfigurationError(
            f"This is a fit of {fit.model}, and the rulebook's model is {attribution.model}.",
            where=str(path),
            fix=f"Say model: {fit.model}, or name a fit of {attribution.model}.",
        )
    unknown = sorted(set(fit.weights) - attribution.channels())
    if unknown:
        raise ConfigurationError(
            f"There is no channel {unknown[0]!r} in the rulebook.",
            where=str(path),
            fix="Add it to extra_channels in attribution.yaml, or fit again.",
        )
    return fit


def known_fits(rulebook: Path) -> list[ModelFit]:
    """All fits of a rulebook's folder, by name."""
    return [load_fit(rulebook, path.stem) for path in sorted((rulebook / FOLDER).glob("*.yaml"))]


def write_fit(rulebook: Path, fit: ModelFit) -> Path:
    """Write a new fit into its file.

    Raises:
        ConfigurationError: there is a fit of that name: published figures may rest on it.
    """
    path = fit_path(rulebook, fit.model_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write("# Written by trueline model fit. For another, fit under a new name.\n")
            yaml.safe_dump(_content(fit), file, sort_keys=False)
    except FileExistsError:
        raise ConfigurationError(
            f"There is a fit {fit.model_id!r} already, and figures may rest on it.",
            where=str(path),
            fix="Give the new one another name: --id NAME.",
        ) from None
    return path


def _content(fit: ModelFit) -> Mapping[str, object]:
    weights = {channel: f"{weight:.12f}" for channel, weight in sorted(fit.weights.items())}
    return {**fit.model_dump(exclude={"weights"}), "weights": weights}
