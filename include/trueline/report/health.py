"""The health signs in words."""

from __future__ import annotations

from decimal import Decimal

from trueline.judgement.health import Health, Sign
from trueline.report import figures


def health_lines(health: Health) -> list[str]:
    """The signs that show, each with its figures, and how many others were looked at."""
    shown = [
        f"{sign.sentence} {_capital(sign.measure)}: {told(sign)}."
        for sign in health.signs
        if sign.shows
    ]
    quiet = sum(sign.shows is False for sign in health.signs)
    unknown = [sign for sign in health.signs if sign.shows is None]
    other = "other " if shown else ""
    verb = "sign was looked for and does" if quiet == 1 else "signs were looked for and do"
    rest = f"{quiet} {other}{verb} not show"
    if health.before is None:
        rest += "; the rest needs two periods of mature days, which are not there yet"
    elif unknown:
        rest += f"; {len(unknown)} cannot be told"
    return [*shown, f"{rest}."]


def told(sign: Sign) -> str:
    """Before and recent, like ``41.0% → 32.5%``."""
    recent = figure(sign, sign.recent)
    return recent if sign.before is None else f"{figure(sign, sign.before)} → {recent}"


def figure(sign: Sign, value: Decimal | None) -> str:
    if sign.name == "no_verdicts_come_in":
        return figures.count(value)
    return (figures.cost if sign.name == "more_leads_no_more_revenue" else figures.rate)(value)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
