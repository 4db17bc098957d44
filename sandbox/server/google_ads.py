"""Google Ads API v26 over REST: ``googleAds:searchStream`` and ``googleAds:search``.

Wire facts: camelCase, int64 as strings, doubles as numbers, an array of result batches for a stream
and one object a page for a search; errors are a ``GoogleAdsFailure``, inside an array too where the
answer is one. A client account is reached by its own users, or with ``login-customer-id`` through
its manager.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from sandbox.server import gaql
from sandbox.server.google_accounts import MANAGER, Account, accounts_of
from sandbox.server.google_fields import Row, camel_path, shape
from sandbox.server.google_rows import Rows
from sandbox.server.tokens import TOKENS
from sandbox.server.wire import RefusedError, Request, Response, as_json
from sandbox.world import World

PATH = re.compile(r"/v(\d+)/customers/([^/]+)/googleAds:(searchStream|search)")
VERSION = 26
# Rows of one element of a stream; Google's own are larger.
CHUNK = 1000
PAGE = 10_000
WORDS = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: (
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access token.",
    ),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
}
NAMES = {
    "searchStream": {"query", "summaryRowSetting"},
    "search": {"query", "pageToken", "pageSize", "validateOnly", "searchSettings"},
}


class Call:
    """One request: how it is refused depends on its door and version."""

    def __init__(self, version: str, method: str, request_id: str) -> None:
        self.version, self.method, self.request_id = version, method, request_id

    def refuse(self, status: int, family: str, code: str, message: str) -> RefusedError:
        kind = f"google.ads.googleads.v{self.version}.errors.GoogleAdsFailure"
        detail = {
            "@type": f"type.googleapis.com/{kind}",
            "errors": [{"errorCode": {family: code}, "message": message}],
            "requestId": self.request_id,
        }
        return self._error(status, WORDS[status][1], [detail])

    def unknown_name(self, name: str) -> RefusedError:
        text = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
        kind = "type.googleapis.com/google.rpc.BadRequest"
        return self._error(400, text, [{"@type": kind, "fieldViolations": [{"description": text}]}])

    def _error(self, status: int, message: str, details: list[Any]) -> RefusedError:
        error = {
            "error": {
                "code": status,
                "message": message,
                "status": WORDS[status][0],
                "details": details,
            }
        }
        return RefusedError(as_json([error] if self.method == "searchStream" else error, status))


class GoogleAds:
    """The Google Ads accounts of a world."""

    def __init__(self, world: World) -> None:
        self._accounts = accounts_of(world)
        self._rows = Rows(self._accounts, world.clock)
        self._requests = 0

    def answer(self, request: Request) -> Response:
        """Answer a search.

        Raises:
            RefusedError: with Google's error body.
        """
        self._requests += 1
        found = PATH.fullmatch(request.path)
        if not found or request.method != "POST" or int(found[1]) > VERSION:
            return Response(
                404,
                b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>",
                "text/html; charset=UTF-8",
            )
        call = Call(found[1], found[3], f"sandbox{self._requests:08d}")
        if int(found[1]) != VERSION:
            raise call.refuse(
                400,
                "requestError",
                "UNSUPPORTED_VERSION",
                f"Version v{found[1]} is deprecated. Requests to this version will be blocked.",
            )
        if not TOKENS.accepts(request.bearer()):
            raise call.refuse(
                401,
                "authenticationError",
                "OAUTH_TOKEN_INVALID",
                "The OAuth token in the request header is invalid.",
            )
        account = self._account(call, found[2], request.headers.get("login-customer-id"))
        body = _body(call, request)
        try:
            query = gaql.parse(body["query"])
            rows = self._rows.of(account, query)
        except gaql.QueryError as error:
            raise call.refuse(400, error.family, error.code, error.message) from None
        if call.method == "searchStream":
            return _stream(query, rows, call.request_id)
        return _page(call, query, rows, body)

    def _account(self, call: Call, number: str, login: str | None) -> Account:
        if not re.fullmatch(r"\d{10}", number):
            raise call.refuse(
                400, "requestError", "INVALID_CUSTOMER_ID", f"Invalid customer ID '{number}'."
            )
        if login is not None and not re.fullmatch(r"\d{10}", login):
            raise call.refuse(
                400,
                "headerError",
                "INVALID_LOGIN_CUSTOMER_ID",
                "The login customer ID could not be validated.",
            )
        account = self._accounts.get(number)
        reached = account is not None and (account.is_direct if login is None else True)
        if account is None or not reached or login not in (None, MANAGER, number):
            raise call.refuse(
                403,
                "authorizationError",
                "USER_PERMISSION_DENIED",
                "User doesn't have permission to access customer. Note: If you're accessing a "
                "client customer, the manager's customer id must be set in the "
                "'login-customer-id' header. See https://developers.google.com/google-ads/api/"
                "docs/concepts/call-structure#cid",
            )
        if account.status != "ENABLED":
            raise call.refuse(
                403,
                "authorizationError",
                "CUSTOMER_NOT_ENABLED",
                "The customer account can't be accessed because it is not yet enabled or has been "
                "deactivated.",
            )
        return account


def _body(call: Call, request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    known = {gaql.camel(name): value for name, value in body.items()}
    for name in known.keys() - NAMES[call.method]:
        raise call.unknown_name(name)
    if known.get("pageSize"):
        raise call.refuse(
            400,
            "requestError",
            "PAGE_SIZE_NOT_SUPPORTED",
            "Setting the page size is not supported. The page size is fixed to 10000 rows.",
        )
    if not isinstance(known.get("query"), str) or not known["query"]:
        raise call.refuse(
            400, "requestError", "REQUIRED_FIELD_MISSING", "Required field is missing: query"
        )
    return known


def _mask(query: gaql.Query) -> str:
    return ",".join(camel_path(name) for name in query.fields)


def _stream(query: gaql.Query, rows: list[Row], request_id: str) -> Response:
    """An array, one element after the other as a stream sends them."""
    tail = {"fieldMask": _mask(query), "requestId": request_id}
    shaped = [shape(query, row) for row in rows]
    parts = [
        {"results": shaped[at : at + CHUNK], **tail} for at in range(0, len(shaped), CHUNK)
    ] or [tail]
    texts = (json.dumps(part, ensure_ascii=False, separators=(",", ":")) for part in parts)
    return Response(200, b"[%s\n]" % "\n,\n".join(texts).encode())


def _page(call: Call, query: gaql.Query, rows: list[Row], body: dict[str, Any]) -> Response:
    """One page of a fixed size; the token belongs to its query."""
    begin = 0
    if token := body.get("pageToken"):
        try:
            at, asked = json.loads(base64.urlsafe_b64decode(str(token)))
        except ValueError:
            at, asked = -1, None
        if asked != body["query"]:
            raise call.refuse(
                400, "requestError", "INVALID_PAGE_TOKEN", "The page token is invalid."
            )
        begin = int(at)
    shaped = [shape(query, row) for row in rows[begin : begin + PAGE]]
    answer: dict[str, Any] = {"results": shaped} if shaped else {}
    if begin + PAGE < len(rows):
        place = json.dumps([begin + PAGE, body["query"]]).encode()
        answer["nextPageToken"] = base64.urlsafe_b64encode(place).decode()
    return as_json({**answer, "fieldMask": _mask(query)})
