"""Which days a run is about, and what is refused before anything is asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from trueline_airflow.window import window_from_context

from trueline.errors import ConfigurationError
from trueline.windows import Window

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def window(key: str | None = None, *, now: datetime = NOW, **params: str | None) -> Window:
    context = {"dag_run": SimpleNamespace(partition_key=key), "params": params}
    return window_from_context(context, time_zone="Europe/Berlin", now=now)


def test_a_partition_key_is_one_day() -> None:
    assert window("2026-11-20") == Window(date(2026, 11, 20), date(2026, 11, 20))


def test_empty_params_of_the_form_do_not_disturb_a_partition_key() -> None:
    found = window("2026-11-20", window_start=None, window_end=None)
    assert found == Window(date(2026, 11, 20), date(2026, 11, 20))


def test_params_are_an_inclusive_range() -> None:
    found = window(window_start="2026-08-25", window_end="2026-11-19")
    assert found == Window(date(2026, 8, 25), date(2026, 11, 19))
    assert len(list(found.days())) == 87


def test_yesterday_is_over_and_today_is_not() -> None:
    assert window("2026-11-22").end == date(2026, 11, 22)
    with pytest.raises(ConfigurationError, match="not over"):
        window("2026-11-23")


def test_today_is_judged_in_the_reporting_time_zone() -> None:
    late_evening_in_london = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert window("2026-11-22", now=late_evening_in_london).end == date(2026, 11, 22)
    with pytest.raises(ConfigurationError, match="not over"):
        window("2026-11-22", now=datetime(2026, 11, 22, 22, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("key", "params", "says"),
    [
        pytest.param(None, {}, "neither a partition key nor", id="no days at all"),
        pytest.param(None, {"window_start": "2026-11-01"}, "no window_end", id="no end"),
        pytest.param(None, {"window_end": "2026-11-01"}, "no window_start", id="no start"),
        pytest.param(
            None,
            {"window_start": "2026-11-02", "window_end": "2026-11-01"},
            "starts on 2026-11-02, after it ends",
            id="backwards",
        ),
        pytest.param(
            None,
            {"window_start": "2026-11-01", "window_end": "2026-11-24"},
            "not over",
            id="ends in the future",
        ),
        pytest.param("2026-11-31", {}, "not a day", id="a day that does not exist"),
        pytest.param("yesterday", {}, "not a day", id="a word"),
        pytest.param("", {}, "not a day", id="an empty key"),
        pytest.param("20261120", {}, "this day's key is '2026-11-20'", id="another form"),
        pytest.param("2026-W47-5", {}, "this day's key is '2026-11-20'", id="a week date"),
        pytest.param(
            "2026-11-20",
            {"window_start": "2026-11-01", "window_end": "2026-11-02"},
            "and also window params",
            id="both ways at once",
        ),
    ],
)
def test_a_run_that_does_not_say_its_days_is_refused(
    key: str | None, params: dict[str, str], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        window(key, **params)
    assert caught.value.fix, "the message must say what to do"
