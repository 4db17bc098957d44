"""The Meta Ads source: per account what was delivered and what is claimed by action type."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from datetime import datetime, timedelta

from trueline.connections import Connection
from trueline.errors import RetriableError, TruelineError
from trueline.progress import Progress
from trueline.sources.base import AccountFailed, Batch
from trueline.sources.meta_ads.account import TABLES, AccountPull
from trueline.sources.meta_ads.client import MetaAdsClient
from trueline.sources.meta_ads.constants import RETENTION_DAYS
from trueline.sources.meta_ads.errors import AllAccountsRefusedError, StuckRunError
from trueline.sources.meta_ads.reports import Reports
from trueline.sources.meta_ads.throttle import LONGEST_PAUSE_SECONDS
from trueline.sources.settings import MetaAdsSettings
from trueline.windows import Window

log = logging.getLogger(__name__)


class MetaAdsSource:
    """Pulls every account of the settings; one that fails leaves the others alone.

    Args:
        now: The moment the pull pretends to be made, aware.
        sleep: Waits; replaced in tests.
        clock: Seconds that only grow; replaced in tests.
    """

    def __init__(
        self,
        name: str,
        settings: MetaAdsSettings,
        *,
        connection: Connection,
        now: datetime,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._settings, self._now = settings, now
        self._client = MetaAdsClient(settings, connection, sleep=sleep, clock=clock)
        self._reports = Reports(
            self._client,
            Progress(name, clock=clock),
            minutes=settings.report_minutes,
            with_totals=settings.compare_totals,
            sleep=sleep,
            clock=clock,
        )

    def pull(self, window: Window) -> Iterator[Batch | AccountFailed]:
        """Delivery and claims of the window and ``repull_days`` before it.

        Raises:
            ConfigurationError: the token or the API version is wrong, or every account failed.
            RetriableError, PermanentError: every account failed.
        """
        asked = window.widened(self._settings.repull_days)
        oldest = (self._now - timedelta(days=RETENTION_DAYS)).date()
        if asked.end < oldest:
            return
        asked = Window(max(asked.start, oldest), asked.end)
        failed: dict[str, TruelineError] = {}
        again: list[AccountPull] = []
        for account in dict.fromkeys(self._settings.accounts):
            pull = self._account(account, asked)
            error = yield from _tried(pull)
            if isinstance(error, RetriableError) and not isinstance(error, StuckRunError):
                again.append(pull)
            if error is not None:
                failed[account] = error
        for pull in again:
            if self._client.closed_for(pull.account) > LONGEST_PAUSE_SECONDS:
                continue  # its error says for how long
            log.warning("%s: account %s is tried once more", self.name, pull.account)
            error = yield from _tried(pull)
            if error is None:
                del failed[pull.account]
            else:
                failed[pull.account] = error
        if len(failed) == len(set(self._settings.accounts)):
            raise _of_all(failed)
        for account, error in failed.items():
            yield AccountFailed(account, error, TABLES)

    def _account(self, account: str, window: Window) -> AccountPull:
        return AccountPull(
            account,
            window,
            source=self.name,
            settings=self._settings,
            client=self._client,
            reports=self._reports,
        )


def _tried(pull: AccountPull) -> Generator[Batch, None, TruelineError | None]:
    """The account's batches; returns what stopped it, or None."""
    try:
        yield from pull.batches()
    except AllAccountsRefusedError:
        raise
    except TruelineError as error:
        return error
    return None


def _of_all(failed: dict[str, TruelineError]) -> TruelineError:
    """The error of a pull that brought nothing: one that may pass by itself, if there is one."""
    errors = list(failed.values())
    for account, error in failed.items():
        log.warning("account %s failed: %s", account, error.what)
    return next((each for each in errors if isinstance(each, RetriableError)), errors[0])
