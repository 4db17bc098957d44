"""Which failures Airflow repeats: only those that may pass by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryDecision, RetryRule

from trueline.errors import ConfigurationError, PermanentError, RetriableError

FIRST_DELAY = timedelta(seconds=30)
LONGEST_DELAY = timedelta(hours=1)


class FamilyRetryPolicy(ExceptionRetryPolicy):
    """The error families as retry decisions.

    Retriable errors wait as long as the server asked, else 30 s, 60 s, 120 s and so on, never more
    than an hour. Configuration and permanent errors fail at once: a person or the data has to
    change first. Any other exception is unforeseen and follows the task's ``retries``.
    """

    def __init__(self) -> None:
        super().__init__(
            rules=[
                RetryRule(RetriableError, RetryAction.RETRY, reason="retriable"),
                RetryRule(
                    ConfigurationError,
                    RetryAction.FAIL,
                    reason="configuration: a setting, credential or permission has to change",
                ),
                RetryRule(
                    PermanentError, RetryAction.FAIL, reason="permanent: the data has to change"
                ),
            ]
        )

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        decision = super().evaluate(exception, try_number, max_tries, context)
        if not isinstance(exception, RetriableError):
            return decision
        if exception.retry_after_seconds is not None:
            delay = timedelta(seconds=max(exception.retry_after_seconds, 0))
            why = "the server asked for it"
        else:
            # The exponent is capped before the multiplication: timedelta overflows early.
            delay = FIRST_DELAY * 2 ** min(max(try_number, 1) - 1, 10)
            why = "backing off"
        delay = min(delay, LONGEST_DELAY)
        return RetryDecision.retry(
            delay, reason=f"retriable: again in {delay.total_seconds():.0f} s, {why}"
        )
