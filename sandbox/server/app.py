"""The HTTP server: prefixes to platforms, and a log that tests can ask."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.server.faults import Faults
from sandbox.server.google_ads import GoogleAds
from sandbox.server.hubspot import HubSpot
from sandbox.server.meta import Meta
from sandbox.server.salesforce import Salesforce
from sandbox.server.site_tag import SiteTag
from sandbox.server.tokens import answer_token, control_tokens, no_such_path
from sandbox.server.whoami import answer_whoami
from sandbox.server.wire import RefusedError, Request, Response, as_json
from sandbox.world import World

MAX_BODY = 5_000_000


class RequestLog:
    """Counts per prefix and the latest requests, without query strings: those hold tokens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._latest: deque[dict[str, Any]] = deque(maxlen=200)

    def add(
        self, prefix: str, method: str, path: str, status: int, faults: Sequence[str] = ()
    ) -> None:
        """Note one answered request."""
        with self._lock:
            self._counts[prefix] += 1
            told = {"method": method, "path": path, "status": status}
            self._latest.append(told | ({"faults": list(faults)} if faults else {}))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._counts.clear()
            self._latest.clear()

    def as_dict(self) -> dict[str, Any]:
        """``total``, ``counts`` per prefix, ``latest`` requests, oldest first."""
        with self._lock:
            return {
                "total": sum(self._counts.values()),
                "counts": dict(self._counts),
                "latest": list(self._latest),
            }


class SandboxServer(ThreadingHTTPServer):
    """Serves one world on 127.0.0.1, as it is at the end of a day of it.

    Args:
        today: That day; the world's last one by default. ``PUT /__now`` moves it.

    Raises:
        OSError: if the port is taken.
        ValueError: for a day outside the world.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, world: World, port: int, *, today: date | None = None) -> None:
        self._whole = world
        self.log = RequestLog()
        self.faults = Faults()
        self.set_today(today or world.clock.last_day)
        super().__init__(("127.0.0.1", port), Handler)

    def set_today(self, today: date) -> None:
        """Answer as at the end of that day; what was under way on the platforms is forgotten.

        Raises:
            ValueError: for a day outside the world.
        """
        world = self._whole.as_of(today)
        self.platforms: dict[str, Callable[[Request], Response]] = {
            "google-ads": GoogleAds(world).answer,
            "meta-ads": Meta(world).answer,
            "hubspot": HubSpot(world).answer,
            "salesforce": Salesforce(world).answer,
            "site-tag": SiteTag(world).answer,
            "google-oauth": no_such_path,
        }
        self.world = world

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, request: Request) -> Response:
        """Route one request and log it."""
        prefix, _, rest = request.path.lstrip("/").partition("/")
        if prefix == "health":
            return as_json(self._health())
        if prefix == "__requests":
            if request.method == "DELETE":
                self.log.clear()
            return as_json(self.log.as_dict())
        if prefix == "__tokens":
            return control_tokens(request)
        if prefix in ("__faults", "__now"):
            try:
                return self._faults(request) if prefix == "__faults" else self._now(request)
            except ValueError as error:
                return as_json({"error": str(error)}, 400)
        faults: list[str] = []
        platform = self.platforms.get(prefix)
        if platform is None:
            response = as_json({"error": "no such platform", "known": list(self.platforms)}, 404)
        else:
            inner = Request(
                request.method,
                f"/{rest}",
                request.query,
                request.headers,
                request.body,
                f"{request.base_url}/{prefix}",
                request.pairs,
            )

            def work() -> Response:
                try:
                    return (
                        answer_token(request)
                        or answer_whoami(request, self.world)
                        or platform(inner)
                    )
                except RefusedError as refused:
                    return refused.response

            response, faults = self.faults.answer(prefix, inner, work)
        self.log.add(f"/{prefix}", request.method, request.path, response.status, faults)
        return response

    def _faults(self, request: Request) -> Response:
        if request.method == "POST":
            self.faults.add(request.json())
        elif request.method == "DELETE":
            self.faults.clear()
        return as_json(self.faults.as_list())

    def _now(self, request: Request) -> Response:
        if request.method == "PUT":
            given = request.json() if request.body else request.query
            asked = given.get("today") if isinstance(given, dict) else None
            self.set_today(date.fromisoformat(str(asked)))
        elif request.method == "DELETE":
            self.set_today(self._whole.clock.last_day)
        clock = self.world.clock
        return as_json({"today": clock.last_day.isoformat(), "first_day": str(clock.first_day)})

    def _health(self) -> dict[str, Any]:
        clock = self.world.clock
        return {
            "status": "ok",
            "first_day": clock.first_day.isoformat(),
            "last_day": clock.last_day.isoformat(),
            "seed": self.world.seed,
            "requests": self.log.as_dict()["counts"],
        }


class Handler(BaseHTTPRequestHandler):
    """Reads a request, hands it on, writes the answer in one go."""

    server: SandboxServer
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    wbufsize = -1  # headers and body in one packet
    timeout = 60
    max_body = MAX_BODY

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        try:
            length = int(self.headers.get("content-length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= self.max_body:
            self.close_connection = True
            self._write(as_json({"error": "bad content-length"}, 413))
            return
        pairs = tuple(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(pairs),
            headers={key.lower(): value for key, value in self.headers.items()},
            body=self.rfile.read(length),
            base_url=self.server.url,
            pairs=pairs,
        )
        try:
            response = self.server.answer(request)
        except Exception as error:
            # A fault of the sandbox itself: say so, a client must not take it for data.
            self.log_error("%s: %s", type(error).__name__, error)
            response = as_json({"error": f"sandbox fault: {type(error).__name__}"}, 500)
        self._write(response)

    def _write(self, response: Response) -> None:
        try:
            self._write_whole(response)
        except ConnectionError:
            # The client would not wait for it.
            self.close_connection = True

    def _write_whole(self, response: Response) -> None:
        if response.ending == "reset":
            # Closing with a linger of zero sends a reset instead of an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for key, value in response.headers.items():
            self.send_header(key, value)
        self.end_headers()
        if response.ending == "cut":
            self.close_connection = True
            self.wfile.write(response.body[: len(response.body) // 2])
        else:
            self.wfile.write(response.body)
        self.wfile.flush()

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Requests go to the log that ``/__requests`` shows, not to the terminal."""

    def log_error(self, format: str, *args: Any) -> None:
        """Faults do go to the terminal; a client that keeps its connection open is none."""
        if not format.startswith("Request timed out"):
            super().log_message(format, *args)


def ready_line(server: SandboxServer) -> str:
    """One line with the URL, for people and for scripts that wait for it."""
    clock = server.world.clock
    return f"sandbox ready at {server.url} ({clock.first_day} to {clock.last_day})"
