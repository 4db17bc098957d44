"""The window of a run."""

from datetime import UTC, date, datetime

import pytest

from trueline.errors import ConfigurationError
from trueline.windows import Window, parse_day


def test_days_are_inclusive_and_know_the_leap_day() -> None:
    days = list(Window(date(2024, 2, 28), date(2024, 3, 1)).days())
    assert days == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="after it ends"):
        Window(date(2026, 11, 2), date(2026, 11, 1))


def test_a_day_is_over_only_where_the_business_is() -> None:
    # 23:30 in Berlin is still the 20th there, though it is over in Tokyo.
    now = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    window = Window(date(2026, 11, 20), date(2026, 11, 20))
    window.refuse_future(now, "Asia/Tokyo")
    with pytest.raises(ConfigurationError, match="still 2026-11-20"):
        window.refuse_future(now, "Europe/Berlin")


@pytest.mark.parametrize("text", ["2026-02-30", "20.11.2026", "tomorrow", ""])
def test_what_is_not_a_day_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--window-end"):
        parse_day(text, what="--window-end")
