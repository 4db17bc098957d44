"""One door for every roll-up of the report."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, get_args

from trueline.errors import ConfigurationError
from trueline.report.dimensions import Dimension, by_dimension
from trueline.report.headline import By, Report, headline

if TYPE_CHECKING:
    from trueline.warehouse.base import Reader

ROLL_UPS: tuple[str, ...] = (*get_args(By), *get_args(Dimension))


def report_by(
    reader: Reader, by: str, first_date: date | None = None, last_date: date | None = None
) -> Report:
    """The report by any of ``ROLL_UPS``; see ``headline`` and ``by_dimension``.

    Raises:
        ConfigurationError: unknown ``by``, or no figures for those days.
        PermanentError: the days mix rulebook versions, or a row does not add up.
    """
    if by in get_args(Dimension):
        return by_dimension(reader, by, first_date, last_date)  # type: ignore[arg-type]
    if by not in get_args(By):
        raise ConfigurationError(
            f"A report by {by!r} does not exist.", fix=f"Choose one of {', '.join(ROLL_UPS)}."
        )
    return headline(reader, by, first_date, last_date)  # type: ignore[arg-type]
