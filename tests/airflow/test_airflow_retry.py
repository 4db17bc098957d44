"""Which failures are tried again, and when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import RetryAction
from trueline_airflow.retry import LONGEST_DELAY, FamilyRetryPolicy

from trueline.errors import ConfigurationError, PermanentError, RetriableError


def decision(error: BaseException, try_number: int = 1):
    return FamilyRetryPolicy().evaluate(error, try_number=try_number, max_tries=3)


def test_a_throttled_call_waits_as_long_as_the_platform_asked() -> None:
    found = decision(RetriableError("throttled", retry_after_seconds=90))
    assert (found.action, found.retry_delay) == (RetryAction.RETRY, timedelta(seconds=90))


def test_an_outage_without_advice_is_tried_again_ever_later() -> None:
    delays = [decision(RetriableError("outage"), tries).retry_delay for tries in (1, 2, 3)]
    assert delays == [timedelta(seconds=seconds) for seconds in (30, 60, 120)]


@pytest.mark.parametrize("tries", [20, 2000])
def test_no_wait_is_longer_than_an_hour(tries: int) -> None:
    assert decision(RetriableError("outage"), tries).retry_delay == LONGEST_DELAY
    late = RetriableError("closed quota", retry_after_seconds=86400.0)
    assert decision(late).retry_delay == LONGEST_DELAY


@pytest.mark.parametrize("family", [ConfigurationError, PermanentError])
def test_what_a_person_or_the_data_must_change_fails_at_once(family: type[Exception]) -> None:
    assert decision(family("revoked token")).action is RetryAction.FAIL


def test_a_closed_gate_fails_at_once() -> None:
    from trueline.quality.gates import GateFailed

    assert issubclass(GateFailed, PermanentError)


def test_an_unforeseen_error_follows_the_tasks_own_retries() -> None:
    assert decision(ZeroDivisionError()).action is RetryAction.DEFAULT
