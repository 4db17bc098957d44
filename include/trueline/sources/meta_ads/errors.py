"""Why Meta says no: its codes to the error families.

Codes: "Ads Insights API Error Codes" and "Handling Errors" of Meta's documentation, read 2026-11.
Meta's own message is never passed on: it may quote the token.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

from trueline.errors import ConfigurationError, PermanentError, RetriableError, TruelineError
from trueline.sources.collect import at
from trueline.sources.http import Refusal

log = logging.getLogger(__name__)

# Quotas are rolling hours: sooner is of little use where Meta does not say when.
DEFAULT_THROTTLE_SECONDS = 300.0

#: Of the whole app or token; the others are an account's own.
APP_THROTTLED = frozenset({4, 17, 32})
THROTTLED = APP_THROTTLED | {613, *range(80000, 80007), 80014}
#: 960 is a request that took too long, or hung on another one that did.
TRANSIENT = frozenset({1, 2, 341, 960})
CREDENTIAL = frozenset({102, 104, 190})
DENIED = frozenset({3, 10, *range(200, 300)})
DENIED_INSIGHTS = (100, 3191001)
NOT_THERE = (100, 33)
SWITCHED_OFF_VERSION = 2635
UNKNOWN_PATH = 2500
TOO_OLD = 3018
RUN_NOT_READABLE = 2601
#: Of an app or user that Meta holds to have broken a rule; "wait and retry" is all that it says.
BLOCKED, BLOCKED_SECONDS = 368, 3600.0
# Meta calls the report's content impossible: code 2, but it will not pass.
BAD_FIELDS = frozenset({(2, 1504041), (2, 1504042)})
TOO_LARGE = frozenset({(100, 1487534), (-3, 1504045)})
# 1504044 is called unknown, and passes only with less data (PostHog pull request 74275).
TIMED_OUT = frozenset({(100, 1504018), (2, 1504038), (2, 1504044)})
ASKS_FOR_LESS = "reduce the amount of data"
#: Code 100 without a subcode is anything; of the words only these are taken.
LACKS_PERMISSION = "missing permission"
NOT_STARTED_WITH = "there while creating the report run"

TOKEN_STATES = {
    458: "has lost its app: somebody removed the app's access",
    459: "is on hold: its owner has to pass a check of Meta first",
    460: "ended when its owner's password changed",
    463: "has expired",
    464: "belongs to a user whom Meta has not confirmed",
    467: "was revoked",
    492: "belongs to a user who has lost the role that it was made with",
}


class AllAccountsRefusedError(ConfigurationError):
    """The token or the API version is wrong: no account would fare better."""


class NotThereError(ConfigurationError):
    """No such object, or none that the token may see."""


class LostRunError(RetriableError):
    """A report that failed or cannot be read; a new one may do better."""


class NoTotalsError(LostRunError):
    """Meta says that the report was started without what is asked of it."""


class ShortReportError(LostRunError):
    """A report whose rows add up to less than its own total; ``rows`` are what came."""

    def __init__(self, missing: str, rows: list[Any], where: str) -> None:
        super().__init__(
            f"Meta's report is not whole: {missing} that Meta tells as its total.",
            where=where,
            fix="Compare the days with Ads Manager; where the rows are right, set compare_totals "
            "of the source to false.",
        )
        self.rows = rows


class StuckRunError(RetriableError):
    """A report that does not end; starting it again at once makes matters worse."""


class ThrottledError(RetriableError):
    """Meta asks for a pause; ``code`` tells whose allowance is used up."""

    code = 0


class TooMuchDataError(PermanentError):
    """A shorter window may pass. ``may_pass``: the same one too, at another time."""

    may_pass = False


def explain(refusal: Refusal, connection: str) -> TruelineError | None:
    """Meta's own reason by its code; None where the body has none."""
    error = at(refusal.body, "error")
    code, subcode = whole(at(error, "code")), whole(at(error, "error_subcode"))
    if code is None:
        return None
    _trace(refusal.where, code, subcode, at(error, "fbtrace_id"))
    told = str(at(error, "message") or "").casefold()
    asks_for_less = ASKS_FOR_LESS in told
    found = by_code(code, subcode, refusal.where, connection, refusal.delay, asks_for_less)
    if found is not None:
        return found
    if code == 100 and LACKS_PERMISSION in told:
        return _denied(_said(code, subcode), refusal.where, connection)
    if code == 100 and NOT_STARTED_WITH in told:
        return NoTotalsError(
            f"Meta has forgotten what the report was started with ({_said(code, subcode)}).",
            where=refusal.where,
            fix="Try again; Meta is known to say so now and then.",
        )
    if at(error, "is_transient") is True:
        return _out_of_order(_said(code, subcode), refusal.where, refusal.delay)
    if refusal.status >= 500 or refusal.status in (401, 403, 404, 410, 429):
        return None
    return PermanentError(
        f"Meta refuses the request ({_said(code, subcode)}).",
        where=refusal.where,
        fix="Compare the request with the reference of this API version.",
    )


def by_code(
    code: int,
    subcode: int | None,
    where: str,
    connection: str,
    delay: float | None = None,
    asks_for_less: bool = False,
) -> TruelineError | None:
    """The error of a code, of an answer or of a failed report; None for codes not known here."""
    said, pair = _said(code, subcode), (code, subcode)
    if pair in TOO_LARGE or pair in TIMED_OUT or (asks_for_less and code in (1, 2, 100)):
        # Codes 1 and 2 say so too when Meta is busy, even of one object.
        return _too_much(said, where, may_pass=pair in TIMED_OUT or code in TRANSIENT)
    if code in THROTTLED:
        return _throttled(code, said, where, delay)
    if code in CREDENTIAL or code == SWITCHED_OFF_VERSION:
        return _all_refused(code, subcode, where, connection)
    if pair == NOT_THERE:
        return NotThereError(
            f"Meta knows no such account, or does not show it to us ({said}).",
            where=where,
            fix="Check the account's number in the profile, and that the system user behind the "
            f"connection {connection!r} is assigned to the account.",
        )
    if code in DENIED or pair == DENIED_INSIGHTS:
        return _denied(said, where, connection)
    if code == UNKNOWN_PATH:
        return ConfigurationError(
            f"Meta does not know this address ({said}): a wrong base_url or api_version.",
            where=where,
            fix=f"Check base_url of the connection {connection!r} and api_version of the source.",
        )
    if code == TOO_OLD or pair in BAD_FIELDS:
        what = "days older than 37 months" if code == TOO_OLD else "fields it cannot combine"
        return PermanentError(
            f"Meta is asked for {what} ({said}).",
            where=where,
            fix="Ask for younger days."
            if code == TOO_OLD
            else "Set api_version of the source back to the default; if it stays so, report it.",
        )
    if code == RUN_NOT_READABLE:
        return LostRunError(
            f"Meta says that the report is done, but cannot read it ({said}).",
            where=where,
            fix="Try again; Meta expects a few of a hundred reports to fail so.",
        )
    if code == BLOCKED:
        return RetriableError(
            f"Meta has blocked the app or its user for a time, for breaking a rule ({said}).",
            where=where,
            fix="See the app's alerts in Meta's developer pages for the rule and for how long.",
            retry_after_seconds=max(delay or 0.0, BLOCKED_SECONDS),
        )
    return _out_of_order(said, where, delay) if code in TRANSIENT else None


def field_is_gone(names: Sequence[str], where: str) -> PermanentError:
    """A field that the numbers rest on is in no row."""
    return PermanentError(
        f"Meta's report no longer has {', '.join(names)}.",
        where=where,
        fix="Set api_version of the source back to the default, or update trueline.",
    )


def whole(value: Any) -> int | None:
    """A code as number, also where it came as text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return int(value) if re.fullmatch(r"-?[0-9]{1,9}", str(value)) else None


def _said(code: int, subcode: int | None) -> str:
    return f"code {code}" + (f"/{subcode}" if subcode else "")


def _all_refused(code: int, subcode: int | None, where: str, connection: str) -> TruelineError:
    if code == SWITCHED_OFF_VERSION:
        return AllAccountsRefusedError(
            f"Meta has switched off this API version ({_said(code, subcode)}).",
            where=where,
            fix="Set api_version of the source to a current one, after reading its change log.",
        )
    state = TOKEN_STATES.get(subcode or 0, "is not valid, or no longer")
    if code == 104:
        state = "is missing, or the app wants a signature (appsecret_proof) beside it"
    return AllAccountsRefusedError(
        f"The access token {state} ({_said(code, subcode)}).",
        where=where,
        fix=f"Make a new token and put it into the connection {connection!r}: of a system user, "
        "with ads_read, without an end date.",
    )


def _denied(said: str, where: str, connection: str) -> ConfigurationError:
    return ConfigurationError(
        f"Meta does not let us read this account ({said}).",
        where=where,
        fix=f"Give the system user behind the connection {connection!r} the account with "
        "'View performance', and its token the permission ads_read.",
    )


def _throttled(code: int, said: str, where: str, delay: float | None) -> TruelineError:
    error = ThrottledError(
        f"Meta asks for a pause ({said}).",
        where=where,
        fix="Try again later; other tools may be using up the same allowance.",
        retry_after_seconds=delay or DEFAULT_THROTTLE_SECONDS,
    )
    error.code = code
    return error


def _too_much(said: str, where: str, *, may_pass: bool) -> TruelineError:
    error = TooMuchDataError(
        f"Meta finds the request too large, or it took too long ({said}).",
        where=where,
        fix="Ask for a shorter window.",
    )
    error.may_pass = may_pass
    return error


def _out_of_order(said: str, where: str, delay: float | None) -> TruelineError:
    return RetriableError(
        f"Meta is out of order for a moment ({said}).",
        where=where,
        fix="Try again; if it stays so, see metastatus.com.",
        retry_after_seconds=delay,
    )


def _trace(where: str, code: int, subcode: int | None, trace: Any) -> None:
    """Meta's support asks for fbtrace_id; it names the call and nothing else."""
    if isinstance(trace, str) and re.fullmatch(r"[A-Za-z0-9_+/=-]{1,64}", trace):
        log.warning("%s: Meta says %s, fbtrace_id %s", where, _said(code, subcode), trace)
