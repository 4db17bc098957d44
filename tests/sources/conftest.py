"""Servers for the source tests: a scripted one for bad days, the sandbox for good ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from sandbox.server.app import SandboxServer
from sandbox.world import World
from trueline.connections import Connection
from trueline.sources.base import Batch, Record
from trueline.sources.files.source import FilesSource
from trueline.sources.settings import FilesSettings
from trueline.windows import Window

LAST_DAY = date(2026, 10, 31)
NOW = datetime(2026, 11, 1, 5, 0, tzinfo=UTC)
WINDOW = Window(date(2026, 10, 1), LAST_DAY)
TOKEN = "a-token-that-must-not-be-told"


@dataclass
class Answer:
    """One scripted answer; ``cut`` promises more bytes than it sends."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Platform:
    """A local server that plays answers in order and repeats the last one."""

    def __init__(self, answers: list[Answer] | Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        self.answers = answers
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                text = self.rfile.read(length)
                is_form = "form" in (self.headers.get("Content-Type") or "")
                body = dict(parse_qsl(text.decode())) if is_form else json.loads(text or "null")
                asked = Asked(self.command, self.path, dict(self.headers), body)
                outer.asked.append(asked)
                if callable(outer.answers):
                    answer = outer.answers(asked)
                else:
                    answer = outer.answers[min(len(outer.asked), len(outer.answers)) - 1]
                content = answer.content()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content) + 100 * answer.cut))
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = answer.cut

            do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815 - the names that http.server calls

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # A short poll: closing a server waits for it.
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def connection(self, name: str = "trueline_test") -> Connection:
        return Connection(name, self.url, TOKEN)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@pytest.fixture
def platform() -> Iterator[Callable[..., Platform]]:
    """Start scripted servers: ``platform([Answer(...), ...])``."""
    started: list[Platform] = []

    def start(answers: list[Answer] | Callable[[Asked], Answer]) -> Platform:
        started.append(Platform(answers))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="session")
def stage() -> Iterator[Platform]:
    server = Platform([])
    yield server
    server.close()


@pytest.fixture
def play(stage: Platform) -> Callable[..., Platform]:
    """As ``platform``, on one server for all tests: each call gives it a new script."""

    def start(answers: list[Answer] | Callable[[Asked], Answer]) -> Platform:
        stage.asked, stage.answers = [], answers
        return stage

    return start


@pytest.fixture(scope="session")
def world() -> World:
    return World.make(7, last_day=LAST_DAY, days=31, size=0.2)


@pytest.fixture(scope="session")
def sandbox_url(world: World) -> Iterator[str]:
    server = SandboxServer(world, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.url
    server.shutdown()
    server.server_close()
    thread.join(5)


def as_records(batches: Iterable[Batch]) -> list[Batch]:
    """One batch a load, as ingest sees it, with its columns as records: easier to look at."""
    loads: dict[tuple[Any, ...], Batch] = {}
    for batch in batches:
        key = (batch.table, batch.file_name, batch.content_hash, batch.skipped_reason)
        known = loads.get(key, replace(batch, records=(), errors=(), coverage=(), drift=()))
        loads[key] = replace(
            known,
            records=[*known.records, *batch.records, *_rows(batch)],
            errors=[*known.errors, *batch.errors],
            coverage=(*known.coverage, *batch.coverage),
            drift=(*known.drift, *batch.drift),
            columns=None,
        )
    return list(loads.values())


def _rows(batch: Batch) -> Iterator[Record]:
    for row in batch.columns.to_pylist() if batch.columns is not None else ():
        line, extra = row.pop("line"), row.pop("_extra", None)
        yield Record(line, row, json.loads(extra) if extra else {})


@dataclass
class Folder:
    """A folder with a mapping, and a source that reads from it."""

    path: Path

    def mapping(self, text: str, name: str = "mapping.yaml") -> None:
        (self.path / name).write_text(text, encoding="utf-8")

    def file(self, name: str, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        (self.path / name).write_bytes(data)

    def source(self, *patterns: str, known: frozenset[str] = frozenset(), **file: Any) -> Any:
        settings = FilesSettings.model_validate(
            {
                "type": "files",
                "files": [{"path": each, "mapping": "mapping.yaml", **file} for each in patterns],
            }
        )
        return FilesSource(
            "exports",
            settings,
            connection=None,
            time_zone="Europe/Berlin",
            root=self.path,
            workdir=self.path / "work",
            known_hashes=known,
            now=NOW,
        )

    def pull(self, *patterns: str, **options: Any) -> list[Batch]:
        return as_records(self.source(*patterns, **options).pull(WINDOW))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
