"""One small HTTP client for all sources: every outcome is an answer or one of the error families.

A call is tried a few times within about a minute; anything longer is left to the orchestrator, who
gets the delay that the server asked for. No message holds a token, a query string or a body.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter
from tenacity.stop import stop_base

from trueline.connections import Connection
from trueline.errors import ConfigurationError, PermanentError, RetriableError, TruelineError
from trueline.redaction import redact
from trueline.sources.auth.credential import Credential, credential_of
from trueline.sources.auth.endpoint import LOOPBACK
from trueline.windows import utc_now

log = logging.getLogger(__name__)

ATTEMPTS = 4
TOTAL_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 20.0
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
MAX_BODY_BYTES = 256 * 1024 * 1024
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that says no.

    Attributes:
        status: HTTP status; 200 where a platform wraps an error in a success.
        where: Connection, method and path, for messages.
        body: The parsed JSON body, or None.
        delay: Seconds that the headers ask to wait, if they do.
    """

    status: int
    where: str
    body: Any
    delay: float | None


Answer = TypeVar("Answer")
# A platform's own reading of a refusal; None leaves it to the general rules.
Explain = Callable[[Refusal, str], TruelineError | None]
Check = Callable[[Any], object]


class HttpClient:
    """JSON calls and downloads below one connection's address.

    Args:
        connection: Address, credential and name; the token goes into the Authorization header
            only. One that the server no longer accepts is renewed once, and the call repeated.
        default_url: The vendor's address where the connection has none.
        headers: More headers for every call.
        explain: Reads the platform's own error bodies.
        on_headers: Hears the headers of every answer, good or bad, before it is judged.
        sleep: Waits between tries; replaced in tests.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        default_url: str = "",
        headers: Mapping[str, str] | None = None,
        explain: Explain | None = None,
        on_headers: Callable[[Mapping[str, str]], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name, self._explain, self._sleep = connection.name, explain, sleep
        self._on_headers = on_headers
        self._credential = credential_of(connection, default_url)
        self._base = (connection.base_url or default_url).rstrip("/")
        self._base = self._credential.address(self._base).rstrip("/")
        if not self._base.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"The connection {connection.name!r} has no web address.",
                fix="Give it a base_url that starts with https:// (see .env.example).",
            )
        self._session = requests.Session()
        # A proxy of the company is for the outside world, not for this machine.
        self._session.trust_env = urlsplit(self._base).hostname not in LOOPBACK
        self._session.auth = _Bearer(self._credential)
        self._session.headers.update(
            {"User-Agent": "trueline", "Accept": "application/json", **(headers or {})}
        )

    @property
    def credential(self) -> Credential:
        """What the calls are made with."""
        return self._credential

    def reach(self) -> None:
        """Ask for the bare address, once; any answer will do.

        Raises:
            RetriableError, ConfigurationError: nothing answers there.
        """
        self._send("GET", "/", time.monotonic() + READ_SECONDS).close()

    def get_json(
        self, path: str, params: Mapping[str, str] | None = None, *, check: Check | None = None
    ) -> Any:
        """GET; see :meth:`_json` for errors."""
        return self._json("GET", path, params=params, check=check)

    def post_json(self, path: str, body: Any, *, check: Check | None = None) -> Any:
        """POST of a JSON body; only for calls that read, because it may be repeated."""
        return self._json("POST", path, body=body, check=check)

    def post_form(self, path: str, form: Mapping[str, str]) -> Any:
        """POST of form fields; only for calls that may be repeated."""
        return self._json("POST", path, form=form)

    def once(self, method: str, path: str, body: Any = None) -> None:
        """One try of a call that tidies up: nothing waits for its answer.

        Raises:
            RetriableError, PermanentError, ConfigurationError: as for any call.
        """
        deadline = time.monotonic() + TOTAL_SECONDS
        with self._send(method, path, deadline, body=body) as response:
            if not 200 <= response.status_code < 300:
                self._refuse(response, path, method, deadline)

    def get_content(
        self,
        path: str,
        params: Mapping[str, str],
        read: Callable[[Mapping[str, str], bytes], Answer],
        *,
        accept: str,
    ) -> Answer:
        """GET of something that is not JSON.

        Args:
            read: Gets the headers, in any case of letters, and the body; a further try calls it
                anew.

        Raises:
            RetriableError, PermanentError, ConfigurationError: as for any call, and what ``read``
                raises.
        """

        def call(deadline: float) -> Answer:
            response = self._send("GET", path, deadline, params=params, headers={"Accept": accept})
            with response:
                if response.status_code != 200:
                    self._refuse(response, path, "GET", deadline)
                content = b"".join(self._chunks(response, path, "GET", deadline))
                return read(response.headers, content)

        return self._retried(call)

    def post_streamed(
        self, path: str, body: Any, read: Callable[[Iterator[bytes]], Answer]
    ) -> Answer:
        """POST whose answer is read piece by piece, for answers that memory cannot hold.

        Args:
            read: Gets the body's pieces as they come; a further try calls it anew.

        Raises:
            RetriableError, PermanentError, ConfigurationError: as for any call, and what ``read``
                raises.
        """

        def call(deadline: float) -> Answer:
            response = self._send("POST", path, deadline, body=body)
            with response:
                if response.status_code != 200:
                    self._refuse(response, path, "POST", deadline)
                return read(self._chunks(response, path, "POST", deadline=None))

        return self._retried(call)

    def download(self, path: str, target: Path) -> bool:
        """Save a file; False where the server says that there is none (404 or 410).

        Raises:
            RetriableError, PermanentError, ConfigurationError: as for any call.
        """

        def call(deadline: float) -> bool:
            response = self._send("GET", path, deadline)
            with response:
                if response.status_code in (404, 410):
                    return False
                if response.status_code != 200:
                    self._refuse(response, path, "GET", deadline)
                with target.open("wb") as file:
                    for chunk in self._chunks(response, path, "GET", deadline=None):
                        file.write(chunk)
            return True

        return self._retried(call)

    def _json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        check: Check | None = None,
    ) -> Any:
        """One call with retries; fractions come back as Decimal, whole numbers as int.

        Args:
            check: Raises what is wrong with an answer that is whole JSON; if that may pass, it is
                another reason to try again.

        Raises:
            RetriableError: throttled, out of order, or the answer was cut off or no JSON.
            ConfigurationError: the credential, the permission or the address is wrong.
            PermanentError: the server refuses this request as such.
        """

        def call(deadline: float) -> Any:
            response = self._send(method, path, deadline, params=params, body=body, form=form)
            with response:
                if not 200 <= response.status_code < 300:
                    self._refuse(response, path, method, deadline)
                content = b"".join(self._chunks(response, path, method, deadline))
            answer = self._parse(content, self._where(method, path))
            if check:
                check(answer)
            return answer

        return self._retried(call)

    def _retried(self, call: Callable[[float], Answer]) -> Answer:
        deadline = time.monotonic() + TOTAL_SECONDS
        retrying = Retrying(
            retry=retry_if_exception_type(RetriableError),
            stop=_Enough(deadline),
            wait=_wait,
            sleep=self._sleep,
            before_sleep=_tell,
            reraise=True,
        )
        return retrying(call, deadline)

    def _where(self, method: str, path: str) -> str:
        return redact(f"{self._name} {method} {path.partition('?')[0]}")

    def _send(self, method: str, path: str, deadline: float, **options: Any) -> requests.Response:
        """One call; ``options`` as for :meth:`_send_once`."""
        response = self._send_once(method, path, deadline, **options)
        if response.status_code == 401 and self._credential.renew():
            response.close()
            response = self._send_once(method, path, deadline, **options)
        return response

    def _send_once(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        where = self._where(method, path)
        left = max(1.0, deadline - time.monotonic())
        try:
            response = self._session.request(
                method,
                f"{self._base}/{path.lstrip('/')}",
                params=params,
                json=body,
                data=form,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_SECONDS, left), min(READ_SECONDS, left)),
            )
        except requests.Timeout:
            raise RetriableError(
                "The server did not answer in time.",
                where=where,
                fix="Try again; if it stays so, see the platform's status page.",
            ) from None
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader):
            raise ConfigurationError(
                "The connection's address or token cannot be sent as it is.",
                where=where,
                fix=f"Check base_url and token of the connection {self._name!r}: no blanks, no "
                "line breaks.",
            ) from None
        # The exception's own text holds the whole address, so it is not shown.
        except requests.RequestException as error:
            raise RetriableError(
                f"The server cannot be reached ({type(error).__name__}).",
                where=where,
                fix=f"Check the network and base_url of the connection {self._name!r}.",
            ) from None
        if self._on_headers:
            self._on_headers(response.headers)
        return response

    def _chunks(
        self, response: requests.Response, path: str, method: str, deadline: float | None
    ) -> Any:
        where, size = self._where(method, path), 0
        try:
            for chunk in response.iter_content(_CHUNK):
                size += len(chunk)
                if deadline is not None and size > MAX_BODY_BYTES:
                    raise PermanentError(
                        f"The answer is larger than {MAX_BODY_BYTES >> 20} MB.",
                        where=where,
                        fix="Ask for a shorter window.",
                    )
                if deadline is not None and time.monotonic() > deadline:
                    raise RetriableError(
                        "The answer did not arrive in time.",
                        where=where,
                        fix="Try again, or ask for a shorter window.",
                    )
                yield chunk
        except requests.RequestException as error:
            raise RetriableError(
                f"The answer was cut off ({type(error).__name__}).",
                where=where,
                fix="Try again; if it stays so, look for a proxy between here and the server.",
            ) from None

    def _parse(self, content: bytes, where: str) -> Any:
        try:
            return json.loads(
                content.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_constant
            )
        except ValueError:
            page = content.lstrip()[:1] == b"<"
        what = "a web page instead of data" if page else "text that is not whole JSON"
        raise RetriableError(
            f"The server said OK but sent {what} ({len(content)} bytes).",
            where=where,
            fix="Try again; if it stays so, check base_url of the connection "
            f"{self._name!r}, and whether a proxy or a login page answers in its place.",
        )

    def _refuse(
        self, response: requests.Response, path: str, method: str, deadline: float
    ) -> NoReturn:
        where = self._where(method, path)
        try:
            content = b"".join(self._chunks(response, path, method, deadline))
            body = json.loads(content.decode("utf-8-sig"), parse_float=Decimal)
        except (ValueError, RetriableError):
            body = None
        refusal = Refusal(response.status_code, where, body, _retry_after(response))
        raise self.error_for(refusal)

    def error_for(self, refusal: Refusal) -> TruelineError:
        """The error of a refusal: the platform's own reading first, then the status."""
        told = self._explain(refusal, self._name) if self._explain else None
        return told or _by_status(refusal, self._name)


class _Bearer(AuthBase):
    """The token as a header; set even without one, or ~/.netrc would put its own there."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._credential.token()
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request


def _by_status(refusal: Refusal, name: str) -> TruelineError:
    status, where = refusal.status, refusal.where
    if status == 429 or status == 408 or status >= 500:
        said = "asks for a pause" if status == 429 else "is out of order"
        return RetriableError(
            f"The server {said} (HTTP {status}).",
            where=where,
            fix="Try again later; it is not this project's doing.",
            retry_after_seconds=refusal.delay,
        )
    if status in (401, 403):
        said = "does not accept the token" if status == 401 else "denies access"
        return ConfigurationError(
            f"The server {said} (HTTP {status}).",
            where=where,
            fix=f"Renew the token of the connection {name!r}, and check that its owner may read "
            "this account.",
        )
    if status in (404, 410):
        return ConfigurationError(
            f"There is nothing at this address (HTTP {status}): a wrong base_url, an unknown "
            "account, or an API version that was switched off.",
            where=where,
            fix=f"Check base_url of the connection {name!r}, then api_version and the accounts in "
            "the profile.",
        )
    if status < 300:
        return RetriableError(
            f"The server said OK but sent no data (HTTP {status}).",
            where=where,
            fix="Try again; if it stays so, look for a proxy between here and the server.",
        )
    if status < 400:
        return ConfigurationError(
            f"The server sends us elsewhere (HTTP {status}); tokens are not carried along.",
            where=where,
            fix=f"Set base_url of the connection {name!r} to the final address.",
        )
    return PermanentError(
        f"The server refuses the request (HTTP {status}).",
        where=where,
        fix="Compare the request with the platform's reference; repeating it will not help.",
    )


def _retry_after(response: requests.Response) -> float | None:
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - utc_now()).total_seconds())


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class _Enough(stop_base):
    """Stop after a few tries, and at once where the wait would not fit."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def __call__(self, state: RetryCallState) -> bool:
        wait = _wait(state)
        return (
            state.attempt_number >= ATTEMPTS
            or wait > LONGEST_WAIT_SECONDS
            or time.monotonic() + wait >= self._deadline
        )


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, TruelineError) and state.next_action:
        seconds = state.next_action.sleep
        log.warning("%s: %s Tried again in %.0f s.", error.where, error.what, max(1, seconds))


_backoff = wait_exponential_jitter(initial=0.5, max=8.0, jitter=0.5)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_seconds if isinstance(error, RetriableError) else None
    return max(asked or 0.0, _backoff(state))
