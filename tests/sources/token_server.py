"""A platform with a token endpoint: ``/token`` gives tokens, ``/api/...`` wants one that holds."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from trueline.connections import Connection

CLIENT_SECRET = "canary-client-secret"
REFRESH_TOKEN = "canary-refresh-token"
ACCESS_TOKEN = "canary-access-token"


@dataclass
class TokenServer:
    """Counts what it is asked. ``refusals`` are played before any token is given.

    Attributes:
        expires_in: Seconds told with a token; None tells nothing, as Salesforce does.
        slow_seconds: How long a token takes: time enough for a second process to ask as well.
        rotates: Give a new refresh token each time, and refuse the old one.
    """

    expires_in: int | None = 3600
    slow_seconds: float = 0.0
    rotates: bool = False
    refusals: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    api_calls: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._valid: set[str] = set()
        self._refresh = REFRESH_TOKEN
        self._given = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                if self.path == "/token":
                    status, body, headers = outer._token(text)
                else:
                    bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
                    status, body, headers = outer._api(self.path, bearer)
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = _any  # noqa: N815 - the names that http.server calls

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _token(self, text: str) -> tuple[int, Any, dict[str, str]]:
        form = {name: values[0] for name, values in parse_qs(text).items()}
        with self._lock:
            self.forms.append(form)
            if self.refusals:
                return self.refusals.pop(0)
            if "refresh_token" in form and form["refresh_token"] != self._refresh:
                return 400, {"error": "invalid_grant", "error_description": "expired token"}, {}
        time.sleep(self.slow_seconds)
        with self._lock:
            self._given += 1
            token = f"{ACCESS_TOKEN}-{self._given}"
            self._valid = {token}
            answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer"}
            if self.expires_in is not None:
                answer["expires_in"] = self.expires_in
            if self.rotates:
                self._refresh = answer["refresh_token"] = f"{REFRESH_TOKEN}-{self._given}"
            return 200, answer, {}

    def _api(self, path: str, bearer: str) -> tuple[int, Any, dict[str, str]]:
        with self._lock:
            self.api_calls.append((path, bearer))
            if bearer not in self._valid:
                return 401, {"error": "unauthorized"}, {}
            return 200, {"path": path}, {}

    def expire(self) -> None:
        """Refuse every token given so far, whatever expiry it was told."""
        with self._lock:
            self._valid.clear()

    def connection(self, folder: Path, **extra: str) -> Connection:
        fields = {
            "token_url": f"{self.url}/token",
            "client_id": "a-client",
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
        }
        return Connection("trueline_test", self.url, "", {**fields, **extra}, folder)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def secrets_of(seen: Mapping[str, str] | str) -> list[str]:
    """Which canaries stand in a text."""
    text = seen if isinstance(seen, str) else json.dumps(seen)
    return [canary for canary in (CLIENT_SECRET, REFRESH_TOKEN, ACCESS_TOKEN) if canary in text]
