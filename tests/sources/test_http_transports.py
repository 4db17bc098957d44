"""The same data over every transport that HTTP allows, and over those that break on the way."""

from __future__ import annotations

import gzip
import json
import socketserver
import threading
from collections.abc import Callable, Iterator

import pytest

from trueline.connections import Connection
from trueline.sources.http import HttpClient

TOLD = {"name": "Żółć 🚀", "rows": list(range(500)), "id": 9007199254740993}
BODY = json.dumps(TOLD).encode()
#: Number of the call, from 1, to the bytes of the whole answer.
Transport = Callable[[int], bytes]


def _plain(_: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


def _another_type(_: int) -> bytes:
    kind = b"Content-Type: text/html; charset=iso-8859-1\r\n"
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (kind, len(BODY)) + BODY


def _without_length(number: int) -> bytes:
    """HTTP/1.0 ends with the connection: that it was cut, only the content tells."""
    return b"HTTP/1.0 200 OK\r\n\r\n" + (BODY[: len(BODY) // 2] if number == 1 else BODY)


def _chunked(number: int) -> bytes:
    parts = [BODY[at : at + 7] for at in range(0, len(BODY), 7)]
    sent = b"".join(b"%x;a=1\r\n%s\r\n" % (len(part), part) for part in parts)
    end = b"" if number == 1 else b"0\r\nX-Trailer: 1\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + sent + end


def _gzipped(number: int) -> bytes:
    """The first is whole by its length, and ends too early all the same."""
    packed = gzip.compress(BODY)
    packed = packed[: len(packed) * 2 // 3] if number == 1 else packed
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    return head % len(packed) + packed


def _empty_at_first(number: int) -> bytes:
    return b"HTTP/1.1 204 No Content\r\n\r\n" if number == 1 else _plain(number)


@pytest.fixture
def serve() -> Iterator[Callable[[Transport], str]]:
    """Start a server that closes every connection without a word of warning."""
    servers: list[socketserver.TCPServer] = []

    def start(transport: Transport) -> str:
        calls: list[int] = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while self.rfile.readline().strip():
                    pass
                calls.append(len(calls) + 1)
                self.wfile.write(transport(calls[-1]))

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "transport",
    [_plain, _another_type, _without_length, _chunked, _gzipped, _empty_at_first],
)
def test_whatever_the_transport_the_data_is_the_same(serve, transport) -> None:
    client = HttpClient(Connection("tested", serve(transport), "a-token"), sleep=lambda _: None)
    assert [client.get_json("data") for _ in range(3)] == [TOLD] * 3
