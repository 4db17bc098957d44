"""Signs of a funnel that is driven for volume: more leads, less behind them.

Two periods of mature days are compared, the newest such days with as many before them. A sign shows
only where the 90% intervals of the two periods do not touch and the change is large enough to
matter; where there is not enough history, it is unknown and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from trueline.model.parameters import HISTORY_START
from trueline.paths import sql_dir
from trueline.rulebook import Rulebook
from trueline.rulebook.judgement import HealthRules
from trueline.statistics.intervals import Interval, ratio_interval, share_interval

if TYPE_CHECKING:
    from trueline.warehouse.base import Reader

Name = Literal[
    "more_leads_no_more_qualified",
    "more_leads_no_more_revenue",
    "contact_rate_falls",
    "first_contact_slows",
    "forms_ask_nothing",
    "pixel_to_real_drifts",
    "no_verdicts_come_in",
]
# Fewer leads than this say nothing of a period.
_MIN_LEADS = 20


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign.

    Attributes:
        shows: None where there is not enough to tell.
        measure: What the two figures are.
        before, recent: Of the two periods; ``before`` None where one period speaks for itself.
        sentence: What to make of it, in plain words.
    """

    name: Name
    shows: bool | None
    measure: str
    before: Decimal | None
    recent: Decimal | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Health:
    """All signs, and the days they speak of; None where no two mature periods are there yet."""

    signs: tuple[Sign, ...]
    before: tuple[date, date] | None
    recent: tuple[date, date] | None


def health(reader: Reader, rulebook: Rulebook) -> Health:
    """The signs of what is published.

    Raises:
        ConfigurationError: nothing is published.
    """
    rules = rulebook.qualification.judgement.health
    newest = reader.query(
        "select max(as_of_date) as as_of_date from marts.maturity_curve "
        "where as_of_date >= @history_start",
        {"history_start": HISTORY_START},
    )[0]["as_of_date"]
    curve = reader.query(
        "select age_days, known_until_date, maturity from marts.maturity_curve "
        "where as_of_date = @as_of_date and channel = '(all)' order by age_days",
        {"as_of_date": newest or HISTORY_START},
    )
    if not curve:
        return Health((), None, None)
    known_until = curve[0]["known_until_date"]
    silent = _period(reader, rulebook, known_until, rules.silent_days)
    last = _last_mature_day(curve, rules)
    signs = [_no_verdicts(silent, rules)]
    if last is None:
        return Health(tuple(signs), None, None)
    recent = _period(reader, rulebook, last, rules.period_days)
    before = _before(reader, rulebook, recent)
    if recent["leads"] >= _MIN_LEADS:
        signs.insert(0, _undeclared(recent, rules))
    if before is None:
        return Health(tuple(signs), None, _days(recent))
    closed_by = last - timedelta(days=rulebook.qualification.judgement.close_after_days)
    closed = _period(reader, rulebook, closed_by, rules.period_days)
    revenue = revenue_sign(_before(reader, rulebook, closed), closed, rules)
    found = (*compare(before, recent, rules), revenue, *signs)
    return Health(found, _days(before), _days(recent))


def compare(
    before: Mapping[str, Any], recent: Mapping[str, Any], rules: HealthRules
) -> tuple[Sign, ...]:
    """The signs that two periods of ``reports.health_period`` give."""
    return (
        _flat(before, recent, rules),
        _falls(
            "contact_rate_falls",
            "share of leads contacted",
            "contacted",
            before,
            recent,
            rules,
            "Fewer of the leads are contacted at all: sales may have given up on them.",
        ),
        _falls(
            "first_contact_slows",
            "share contacted within a day",
            "contacted_within_day",
            before,
            recent,
            rules,
            "Fewer leads are contacted within a day: sales cannot keep up, or waits.",
        ),
        _drift(before, recent, rules),
    )


def _flat(before: Mapping[str, Any], recent: Mapping[str, Any], rules: HealthRules) -> Sign:
    leads, qualified = (_growth(before, recent, each) for each in ("real_leads", "qualified_leads"))
    shows = (
        leads is not None
        and qualified is not None
        and leads.low > 1 + rules.change_from
        and qualified.is_below(leads)
    )
    return Sign(
        "more_leads_no_more_qualified",
        shows,
        "qualified per real lead",
        _share(before, "qualified_leads", "real_leads"),
        _share(recent, "qualified_leads", "real_leads"),
        "More leads come in, and qualified leads do not grow with them: volume is being bought."
        if shows
        else "Leads and qualified leads go together.",
    )


def revenue_sign(
    before: Mapping[str, Any] | None, recent: Mapping[str, Any] | None, rules: HealthRules
) -> Sign:
    """Of two periods so old that their deals are closed; None where there are none."""
    name: Name = "more_leads_no_more_revenue"
    measure = "won per real lead, where deals are closed"
    if before is None or recent is None:
        return Sign(name, None, measure, None, None, "No two periods are old enough to be closed.")
    leads, customers = (_growth(before, recent, each) for each in ("real_leads", "customers"))
    shows = (
        leads is not None
        and customers is not None
        and leads.low > 1 + rules.change_from
        and customers.is_below(leads)
        and recent["won_amount"] <= before["won_amount"]
    )
    return Sign(
        name,
        shows,
        measure,
        _share(before, "won_amount", "real_leads"),
        _share(recent, "won_amount", "real_leads"),
        "More leads came in, and no more was won from them: volume is being bought."
        if shows
        else "Leads have not risen without revenue.",
    )


def _falls(
    name: Name,
    measure: str,
    column: str,
    before: Mapping[str, Any],
    recent: Mapping[str, Any],
    rules: HealthRules,
    sentence: str,
) -> Sign:
    then, now = (
        share_interval(Decimal(each[column]), Decimal(each["leads"])) for each in (before, recent)
    )
    was, is_now = (_share(each, column, "leads") for each in (before, recent))
    shows = None
    if then is not None and now is not None and was is not None and is_now is not None:
        shows = now.is_below(then) and is_now <= was * (1 - rules.change_from)
    return Sign(
        name,
        shows,
        measure,
        was,
        is_now,
        sentence if shows else "No fall beyond chance." if shows is not None else "No leads.",
    )


def _drift(before: Mapping[str, Any], recent: Mapping[str, Any], rules: HealthRules) -> Sign:
    then, now = (
        ratio_interval(Decimal(each["real_leads_reported"]), Decimal(each["pixel_conversions"]))
        for each in (before, recent)
    )
    was, is_now = (
        _share(each, "real_leads_reported", "pixel_conversions") for each in (before, recent)
    )
    shows = None
    if then is not None and now is not None and was and is_now is not None:
        apart = now.is_below(then) or now.is_above(then)
        shows = apart and abs(is_now / was - 1) >= rules.change_from
    return Sign(
        "pixel_to_real_drifts",
        shows,
        "real leads per pixel conversion",
        was,
        is_now,
        {
            True: "What a pixel conversion is worth has changed: look at the tags, the forms and "
            "what the platforms optimise for.",
            False: "A pixel conversion is worth as many leads as before.",
            None: "Nothing is claimed: there is nothing to compare with.",
        }[shows],
    )


def _undeclared(recent: Mapping[str, Any], rules: HealthRules) -> Sign:
    share = _share(recent, "undeclared", "leads")
    shows = share is not None and share >= rules.undeclared_from
    return Sign(
        "forms_ask_nothing",
        shows,
        "share of leads without any declared criterion",
        None,
        share,
        "Most leads come without a single qualification criterion: one-field forms bring names, "
        "not buyers."
        if shows
        else "Forms or sales declare criteria for enough of the leads.",
    )


def _no_verdicts(silent: Mapping[str, Any], rules: HealthRules) -> Sign:
    """Reporting that stops at the lead stage: sales says nothing, and everything looks alike."""
    shows = None if silent["leads"] < _MIN_LEADS else silent["verdicts_given"] == 0
    return Sign(
        "no_verdicts_come_in",
        shows,
        f"verdicts that people gave in {rules.silent_days} days",
        None,
        Decimal(silent["verdicts_given"]),
        {
            True: "Leads come in and nobody says what became of them: no campaign can be judged.",
            False: "Sales says what becomes of the leads.",
            None: "Too few leads to expect verdicts.",
        }[shows],
    )


def _growth(before: Mapping[str, Any], recent: Mapping[str, Any], name: str) -> Interval | None:
    return ratio_interval(Decimal(recent[name]), Decimal(before[name]))


def _share(period: Mapping[str, Any], part: str, whole: str) -> Decimal | None:
    return Decimal(period[part]) / Decimal(period[whole]) if period[whole] else None


def _last_mature_day(curve: Any, rules: HealthRules) -> date | None:
    for row in curve:
        if row["maturity"] is not None and row["maturity"] >= rules.mature_from:
            return row["known_until_date"] - timedelta(days=row["age_days"])  # type: ignore[no-any-return]
    return None


def _period(reader: Reader, rulebook: Rulebook, last: date, days: int) -> Mapping[str, Any]:
    query = (sql_dir() / "reports" / "health_period" / "query.sql").read_text(encoding="utf-8")
    asked = {
        "first_date": last - timedelta(days=days - 1),
        "last_date": last,
        "history_start": HISTORY_START,
        "reporting_time_zone": rulebook.time_zone,
    }
    return reader.query(query, asked)[0]


def _before(
    reader: Reader, rulebook: Rulebook, recent: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The period before; None where the history does not hold all of it, or hardly a lead."""
    days = rulebook.qualification.judgement.health.period_days
    before = _period(reader, rulebook, recent["first_date"] - timedelta(days=1), days)
    first = before["first_active_date"]
    is_whole = first is not None and first <= before["first_date"]
    return before if is_whole and before["leads"] >= _MIN_LEADS else None


def _days(period: Mapping[str, Any]) -> tuple[date, date]:
    return period["first_date"], period["last_date"]
