"""Misbehaviour on request, for every platform.

Rules are JSON, posted to ``/__faults`` as one or as a list (``python -m sandbox serve --faults
FILE`` reads the same), told by ``GET`` and forgotten by ``DELETE``::

    {"kind": "throttle", "platform": "meta-ads", "method": "GET", "path": "/insights$",
     "body": "fb_pixel_lead", "after": 1, "times": 2, "seconds": 30}

A rule fits a request whose platform, method, path (regular expression, searched for) and body or
query (text that is in it) are as said; what is not said fits all. An address that hands out tokens
is only met by a rule whose ``path`` names ``token``. ``after`` lets that many fitting requests
pass, ``times`` is how often it strikes (1; null: for ever). Rules that change an answer count only
requests whose answer has what they change. Nothing is random.

Instead of an answer:

- ``throttle``: the platform's own refusal, to wait ``seconds`` (2; null tells no time) where the
  platform tells it; ``header`` "seconds" or "date" adds Retry-After (a plain server and HubSpot
  tell it there by default). ``code``: Meta 4, 17, 613, 80004; Google RESOURCE_EXHAUSTED,
  RESOURCE_TEMPORARILY_EXHAUSTED; HubSpot TEN_SECONDLY_ROLLING, DAILY, SECONDLY;
- ``500``: out of order; nothing was done. ``500_after_commit``: all was done, and yet 500;
- ``expired_token``, ``revoked``, ``sunset``: as the platform says them (``status`` overrides);
- ``html``: a login page with HTTP 200, or a proxy's page with another ``status``;
- ``slow``: the answer takes ``seconds`` longer; ``reset``: the connection is reset; ``cut``: it
  ends in the middle of the body.

A changed answer:

- ``duplicate_page``: the answer before, from the same address, again (of a stream: its first
  chunk, twice); ``keep_cursor`` true keeps this page's own way on. ``repeat_cursor``: the way on is
  the one told before. ``missing_last_page``: a page that has one more says that it is the last;
- ``json_cut``: half of the body as if it were whole; ``nan``: a number is NaN; ``bom``: a byte
  order mark before the body;
- ``drift``: ``change`` "added" (a key nobody asked for), "removed" (a key that is needed), "text"
  (a number becomes words), "renamed"; ``field`` says which (``metrics.clicks``), ``to`` what it
  becomes, ``rows`` in how many of the first rows (null: in all that have it);
- ``unknown_enum``: a word that nobody has seen; ``field`` and ``to``;
- ``error_in_200``: HTTP 200, and the error inside it (of a stream: after its rows);
- ``partial``: the first ``share`` (0.5) of the rows; ``empty``: none, though there was spend.
  What the platform counts beside the rows stays as it was;
- ``uncounted``: nothing is counted or summed up beside the rows.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import unquote_plus, urlencode

from sandbox.server.answers import Answer, Row, place, unpacked
from sandbox.server.refusals import error_inside_success, page_of_html, refusal
from sandbox.server.wire import Request, Response
from sandbox.strikes import Strikes

REFUSALS = ("throttle", "500", "expired_token", "revoked", "sunset", "html")
ROW_KINDS = ("nan", "drift", "unknown_enum", "partial", "empty")
PAGE_KINDS = ("repeat_cursor", "missing_last_page", "uncounted")
KINDS = (
    *REFUSALS,
    "slow",
    "reset",
    "cut",
    "500_after_commit",
    "duplicate_page",
    "json_cut",
    "bom",
    "error_in_200",
    *ROW_KINDS,
    *PAGE_KINDS,
)
CHANGES = ("added", "removed", "text", "renamed")
#: Which field is changed where a rule names none: the first of these that a row has.
_NUMBERS = (
    "metrics.costMicros",
    "metrics.conversionsByConversionDate",
    "spend",
    "properties.contact_attempts",
    "properties.amount",
    "Amount",
    "NumberOfEmployees",
)
_NEEDED = ("campaign.id", "campaign_id", "properties.createdate", "CreatedDate", "occurred_at")
_WORDS = (
    "campaign.status",
    "campaign.advertisingChannelType",
    "segments.conversionActionCategory",
    "actions.0.action_type",
    "properties.hs_lead_status",
    "properties.dealstage",
    "Status",
    "StageName",
)


@dataclass(frozen=True)
class Rule:
    """One rule; see the module."""

    kind: str
    platform: str = ""
    method: str = ""
    path: str = ""
    body: str = ""
    after: int = 0
    times: int | None = 1
    seconds: float | None = 2
    header: str = ""
    code: Any = None
    status: int | None = None
    change: str = "added"
    field: str = ""
    to: Any = None
    rows: int | None = None
    share: float = 0.5
    keep_cursor: bool = False

    def fits(self, platform: str, request: Request) -> bool:
        """Whether the request is one that the rule means."""
        if is_token(request.path) and "token" not in self.path:
            return False
        asked = request.body.decode("utf-8", "replace") + unquote_plus(urlencode(request.query))
        return (
            self.platform in ("", platform)
            and self.method in ("", request.method)
            and re.search(self.path, request.path) is not None
            and self.body in asked
        )


def is_token(path: str) -> bool:
    """Whether an address hands out tokens."""
    return path.endswith("/token")


def read_rule(given: Any) -> Rule:
    """A rule out of JSON.

    Raises:
        ValueError: for a kind, key or expression that there is not.
    """
    if not isinstance(given, Mapping):
        raise ValueError("a fault is an object with at least a kind")
    unknown = sorted(set(given) - {each.name for each in fields(Rule)})
    if unknown:
        raise ValueError(f"a fault has no {', '.join(unknown)}")
    kind = str(given.get("kind", ""))
    if kind not in KINDS:
        raise ValueError(f"no such kind of fault: {kind!r}; there are {', '.join(KINDS)}")
    rule = Rule(**{**given, "kind": kind})
    if rule.change not in CHANGES:
        raise ValueError(f"no such change: {rule.change!r}; there are {', '.join(CHANGES)}")
    try:
        re.compile(rule.path)
    except re.error as error:
        raise ValueError(f"path is no regular expression: {error}") from None
    return replace(rule, platform=rule.platform.strip("/").replace("_", "-"))


class Faults:
    """The rules asked for, and the answers that some of them need to know."""

    def __init__(self) -> None:
        self._strikes: Strikes[Rule] = Strikes()
        self._lock = threading.Lock()
        self._before: dict[str, Answer] = {}

    def add(self, given: Any) -> None:
        """Add one rule or a list of them, all or none.

        Raises:
            ValueError: as :func:`read_rule`.
        """
        rules = [read_rule(each) for each in (given if isinstance(given, list) else [given])]
        with self._lock:
            # A page that an earlier test saw is not the page before.
            self._before.clear()
        for rule in rules:
            self._strikes.add(rule, skip=rule.after, times=rule.times)

    def clear(self) -> None:
        """Forget all rules and the answers before."""
        self._strikes.clear()
        with self._lock:
            self._before.clear()

    def as_list(self) -> list[dict[str, Any]]:
        """The rules that may still strike, as they were given, with what is left of them."""
        told = []
        for pending in self._strikes.pending():
            rule = pending.wanted
            given = {
                each.name: getattr(rule, each.name)
                for each in fields(Rule)
                if getattr(rule, each.name) != each.default
            }
            left = {"after": pending.skip, "times": pending.times, "struck": pending.struck}
            told.append(given | left)
        return told

    def answer(
        self, platform: str, request: Request, work: Callable[[], Response]
    ) -> tuple[Response, list[str]]:
        """The platform's answer, or what the rules make of it, and the kinds that struck."""
        if not self._strikes.pending():
            return work(), []
        struck: list[str] = []
        for rule in self._take(("slow",), platform, request):
            struck.append(rule.kind)
            time.sleep(rule.seconds or 0)
        for rule in self._take(("reset", *REFUSALS), platform, request):
            struck.append(rule.kind)
            if rule.kind == "reset":
                return Response(0, b"", ending="reset"), struck
            return _refused(rule, platform, request), struck
        response = unpacked(work())
        if 200 <= response.status < 300:
            response = self._changed(platform, request, response, struck)
        for rule in self._take(("500_after_commit", "cut"), platform, request):
            struck.append(rule.kind)
            if rule.kind == "cut":
                return replace(response, ending="cut"), struck
            return _refused(replace(rule, kind="500"), platform, request), struck
        return response, struck

    def _take(self, kinds: Iterable[str], platform: str, request: Request) -> list[Rule]:
        return self._strikes.take(
            lambda rule: rule.kind in kinds and rule.fits(platform, request), most=1
        )

    def _changed(
        self, platform: str, request: Request, response: Response, struck: list[str]
    ) -> Response:
        address = f"{platform} {request.path}"
        told = Answer(response)
        with self._lock:
            before = self._before.get(address)

        def due(rule: Rule) -> bool:
            return rule.fits(platform, request) and _has(rule, told, before)

        for rule in self._strikes.take(due):
            struck.append(rule.kind)
            response = _change(rule, platform, response, before)
        with self._lock:
            self._before[address] = Answer(response)
        return response


def _refused(rule: Rule, platform: str, request: Request) -> Response:
    if rule.kind == "html":
        return page_of_html(rule.status, rule.seconds if rule.header else None)
    in_body = platform in ("google-ads", "meta-ads", "salesforce")
    return refusal(
        platform,
        rule.kind,
        is_token=is_token(request.path),
        code=rule.code,
        seconds=rule.seconds,
        header=rule.header or ("" if in_body or rule.kind != "throttle" else "seconds"),
        status=rule.status,
    )


def _has(rule: Rule, told: Answer, before: Answer | None) -> bool:
    """Whether the answer has what the rule changes."""
    if rule.kind in ("partial", "empty"):
        return bool(told.rows())
    if rule.kind in ROW_KINDS:
        return any(_field(rule, row) for row in told.rows())
    if rule.kind == "uncounted":
        return told.is_counted
    if rule.kind == "missing_last_page":
        return bool(told.cursor)
    if rule.kind == "repeat_cursor":
        return bool(told.cursor) and before is not None and bool(before.cursor)
    if rule.kind == "duplicate_page":
        return before is not None or (isinstance(told.document, list) and bool(told.lists()))
    return rule.kind in ("json_cut", "bom", "error_in_200")


def _change(rule: Rule, platform: str, response: Response, before: Answer | None) -> Response:
    if rule.kind == "json_cut":
        return replace(response, body=response.body[: len(response.body) // 2])
    if rule.kind == "bom":
        return replace(response, body=b"\xef\xbb\xbf" + response.body)
    told = Answer(response)
    if rule.kind == "error_in_200":
        error = error_inside_success(platform, rule.code)
        if isinstance(told.document, list):
            told.document.append(error)
        else:
            told.document = error
    elif rule.kind in ("partial", "empty"):
        told.keep(int(len(told.rows()) * rule.share) if rule.kind == "partial" else 0)
    elif rule.kind == "uncounted":
        told.forget_counts()
    elif rule.kind == "missing_last_page":
        told.turn_to("")
    elif rule.kind == "repeat_cursor" and before:
        told.turn_to(before.cursor)
    elif rule.kind == "duplicate_page":
        if told.repeat_first_part() or before is None:
            return told.response()
        cursor = told.cursor
        told = Answer(before.response())
        if rule.keep_cursor:
            told.turn_to(cursor)
    else:
        having = [row for row in told.rows() if _field(rule, row)]
        for row in having[: 1 if rule.kind == "nan" else rule.rows]:
            _change_row(rule, row)
    return told.response()


def _field(rule: Rule, row: Row) -> tuple[Any, Any] | None:
    """Where in the row the rule strikes."""
    if rule.kind == "drift" and rule.change == "added":
        inner = next((key for key in ("metrics", "properties") if key in row), None)
        return (row[inner] if inner else row), rule.field or "brand_new_field"
    names: tuple[str, ...] = _NUMBERS
    if rule.field:
        names = (rule.field,)
    elif rule.kind == "unknown_enum":
        names = _WORDS
    elif rule.kind == "drift" and rule.change in ("removed", "renamed"):
        names = _NEEDED
    return next((found for name in names if (found := place(row, name))), None)


def _change_row(rule: Rule, row: Row) -> None:
    found = _field(rule, row)
    if not found:
        return
    holder, key = found
    if rule.kind == "nan":
        holder[key] = float("nan")
    elif rule.kind == "drift" and rule.change in ("removed", "renamed"):
        value = holder.pop(key)
        if rule.change == "renamed":
            holder[rule.to or f"{key}_v2"] = value
    else:
        usual = {"added": "something new", "text": "about twelve"}
        word = usual[rule.change] if rule.kind == "drift" else "NEVER_SEEN_BEFORE"
        holder[key] = word if rule.to is None else rule.to
