"""The fake's HTTP server, its administration, and how to start it."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.bigquery import uploads
from sandbox.bigquery.api import Api
from sandbox.bigquery.errors import ApiError
from sandbox.bigquery.faults import REQUEST_KINDS, Facts, Faults
from sandbox.bigquery.jobs import Jobs
from sandbox.bigquery.record import Record
from sandbox.bigquery.runner import Runner
from sandbox.bigquery.store import Store
from sandbox.bigquery.tokens import Tokens
from sandbox.client_environment import client_environment
from sandbox.server.app import Handler
from sandbox.server.wire import Request, Response, as_json

#: Status of an answer that is never sent: the connection is closed instead.
CUT = 0
_UNAUTHENTICATED = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login "
    "cookie or other valid authentication credential."
)


class _Handler(Handler):
    max_body = 500_000_000

    def do_CONNECT(self) -> None:  # noqa: N802
        """Who takes this server for a proxy is told at once that there is no way out."""
        self._write(as_json({"error": "no way out of the sandbox"}, 403))

    def _write(self, response: Response) -> None:
        if response.status == CUT:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            super()._write(response)


class BigQueryServer(ThreadingHTTPServer):
    """Serves one project on 127.0.0.1; also a context manager for tests::

        with BigQueryServer(project="p") as bigquery:
            environment = bigquery.environment(folder)

    Args:
        port: 0 picks a free one.
        project: The one project that exists.
        location: Where datasets and jobs go that name none.
        data: A DuckDB file to keep everything in; in memory if None.
        record: A file to append requests and statements to, see :class:`Record`.
        insert_wait: Seconds that the start of a job waits for its end.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        *,
        port: int = 0,
        project: str = "sandbox-project",
        location: str = "EU",
        data: Path | None = None,
        record: Path | None = None,
        insert_wait: float = 0.5,
    ) -> None:
        self.project = project
        self.store = Store(project, location, data)
        self.tokens = Tokens(project)
        self.faults = Faults()
        self.jobs = Jobs(self.store)
        self.record = Record(self.store, record)
        self.runner = Runner(self.store, self.jobs, self.faults, self.record, insert_wait)
        self._api = Api(self.store, self.jobs, self.runner)
        self._uploads = uploads.Uploads(self.runner)
        self._thread: threading.Thread | None = None
        super().__init__(("127.0.0.1", port), _Handler)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.close()
        if self._thread is not None:
            self._thread.join(5)

    def close(self) -> None:
        """Let running jobs end and close the database, after ``shutdown``."""
        self.server_close()
        self.faults.clear()
        self.runner.join()
        self.store.close()

    @property
    def host(self) -> str:
        """``127.0.0.1:<port>``: what gcloud-aio wants in BIGQUERY_EMULATOR_HOST."""
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``: what google-cloud-bigquery wants there."""
        return f"http://{self.host}"

    def write_credentials(self, path: Path) -> Path:
        """A service account's JSON file whose tokens come from here; kept if it is there."""
        if path.exists():
            self.tokens.adopt_account(path)
        else:
            self.tokens.write_account(path, f"{self.url}/token")
        return path

    def environment(self, folder: Path) -> dict[str, str]:
        """Environment variables that lead Google's clients here."""
        path = self.write_credentials(folder / "sandbox-bigquery.json")
        return client_environment(self.url, self.project, path)

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        """Run DuckDB SQL by hand, beside all rules: ``"dataset"."table"`` are the names."""
        cursor = self.store.cursor()
        found = cursor.execute(text)
        rows = found.fetchall() if found.description else []
        for table in list(self.store.tables.values()):
            if f"{table.dataset_id}.{table.table_id}" in text.replace('"', ""):
                self.runner.changes.note(table.key)
                self.store.touch(table)
        return rows

    def answer(self, request: Request) -> Response:
        """Administration, tokens, or the API with its faults and its record."""
        if request.path.startswith("/__") or request.path == "/health":
            return self._administer(request)
        body = _shown_body(request)
        facts = self._facts(request, body)
        response = self._struck(facts, "before")
        if response is None:
            response = self._answered(request)
            response = self._struck(facts, "after") or response
        self.record.request(
            request.method,
            request.path,
            request.query,
            body,
            response.status,
            None if request.path == "/token" else _as_value(response.body),
        )
        return response

    def _answered(self, request: Request) -> Response:
        if request.path == "/token":
            return self.tokens.answer(request)
        try:
            user = self._user(request)
            if request.path.startswith("/upload/"):
                return self._uploads.answer(request, user)
            return self._api.answer(request, user)
        except ApiError as refused:
            return refused.response()

    def _user(self, request: Request) -> str:
        token = request.bearer()
        if not token and "aiohttp" in request.headers.get("user-agent", ""):
            # gcloud-aio sends no token to what it takes for an emulator.
            return "gcloud-aio"
        user = self.tokens.account_of(token)
        if user is None:
            raise ApiError("authError", _UNAUTHENTICATED, status=401)
        return user

    def _struck(self, facts: Facts, when: str) -> Response | None:
        for fault in self.faults.take(REQUEST_KINDS, facts, when):
            if fault.do == "latency":
                time.sleep(fault.seconds)
            elif fault.do == "cut":
                return Response(CUT, b"")
            else:
                return fault.error(self.project).response()
        return None

    def _facts(self, request: Request, body: Any) -> Facts:
        """What a request is about: of a job it names, what that job is about."""
        statement, job_id, labels = "", "", {}
        if isinstance(body, dict):
            configuration = body.get("configuration") or body
            job_id = str((body.get("jobReference") or {}).get("jobId") or "")
            labels = configuration.get("labels") or {}
            query = configuration.get("query")
            statement = str(query.get("query", "") if isinstance(query, dict) else query or "")
        elif "/jobs/" in request.path or "/queries/" in request.path:
            job = self.jobs.find(request.path.removesuffix("/cancel").rsplit("/", 1)[1])
            if job is not None:
                job_id, statement = job.job_id, job.statement
                labels = job.configuration.get("labels") or {}
        return Facts(request.method, request.path, statement, job_id, labels)

    def _administer(self, request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/health":
                return as_json({"status": "ok", "project": self.project})
            case "GET", "/__requests":
                return as_json(self.record.lines(request.query.get("kind")))
            case "DELETE", "/__requests":
                self.record.clear()
            case "POST", "/__faults":
                try:
                    self.faults.add(**request.json())
                except (TypeError, ValueError) as error:
                    return as_json({"error": str(error)}, 400)
            case "POST", "/__release":
                self.faults.release()
            case "DELETE", "/__faults":
                self.faults.clear()
            case "POST", "/__sql":
                return as_json([[str(v) for v in row] for row in self.sql(request.json()["sql"])])
            case "POST", "/__tokens":
                asked = request.json()
                if asked.get("revoke"):
                    self.tokens.revoke()
                if "refuse_grants" in asked:
                    self.tokens.refuse_grants(asked["refuse_grants"])
            case _:
                return as_json({"error": "no such address"}, 404)
        return as_json({})


def _shown_body(request: Request) -> Any:
    """A request's JSON for the record: no token, no file."""
    if request.path == "/token":
        return "(withheld)"
    if request.path.startswith("/upload/"):
        if request.query.get("uploadType") == "multipart":
            try:
                return uploads.parts(request)[0]
            except ApiError:
                return None
        if request.method == "PUT":
            return f"({len(request.body)} bytes)"
    return _as_value(request.body)


def _as_value(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return f"({len(body)} bytes)"


def ready_line(server: BigQueryServer) -> str:
    """One line with the URL, for people and for scripts that wait for it."""
    return f"sandbox bigquery ready at {server.url} (project {server.project})"
