"""``/upload/…/jobs``: a load job with its file, in one request or in pieces."""

from __future__ import annotations

import json
import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

from sandbox.bigquery import config
from sandbox.bigquery.errors import ApiError, invalid
from sandbox.bigquery.runner import Runner
from sandbox.server.wire import Request, Response, as_json

_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass
class _Session:
    body: dict[str, Any]
    user: str
    data: bytearray = field(default_factory=bytearray)
    response: Response | None = None


class Uploads:
    """Answers ``uploadType=multipart`` and ``uploadType=resumable``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    def answer(self, request: Request, user: str) -> Response:
        """Raises ApiError for whatever BigQuery refuses."""
        match request.method, request.query.get("uploadType"):
            case "POST", "multipart":
                body, data = parts(request)
                return self._start(config.job(body), user, data)
            case "POST", "resumable":
                return self._open(request, user)
            case "PUT", _:
                return self._put(request)
        raise invalid(f"Invalid upload request: {request.query.get('uploadType')}")

    def _start(self, body: dict[str, Any], user: str, data: bytes) -> Response:
        if "load" not in body["configuration"]:
            raise invalid("Media is only allowed for load jobs")
        return as_json(self._runner.start(body, user, data).resource())

    def _open(self, request: Request, user: str) -> Response:
        body = config.job(request.json())
        upload_id = secrets.token_hex(12)
        with self._lock:
            self._sessions[upload_id] = _Session(body, user)
        address = f"{request.base_url}{request.path}?uploadType=resumable&upload_id={upload_id}"
        return as_json({}, 200, Location=address, X_GUploader_UploadID=upload_id)

    def _put(self, request: Request) -> Response:
        with self._lock:
            session = self._sessions.get(request.query.get("upload_id", ""))
        if session is None:
            raise ApiError("notFound", "Not found: upload session")
        if session.response is not None:
            return session.response
        found = _RANGE.fullmatch(request.headers.get("content-range", ""))
        if found is None:
            session.data[:] = request.body
            total = str(len(request.body))
        else:
            first, _, total = found.groups()
            if first is not None:
                if int(first) != len(session.data):
                    return self._incomplete(session)
                session.data.extend(request.body)
        if total == "*" or len(session.data) < int(total):
            return self._incomplete(session)
        session.response = self._start(session.body, session.user, bytes(session.data))
        return session.response

    def _incomplete(self, session: _Session) -> Response:
        headers = {"Range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
        return Response(308, b"", headers=headers)


def parts(request: Request) -> tuple[Any, bytes]:
    """The JSON and the file of a ``multipart/related`` body.

    Raises:
        ApiError: it is none.
    """
    boundary = re.search(r'boundary="?([^";]+)"?', request.headers.get("content-type", ""))
    if boundary is None:
        raise invalid("Missing boundary of multipart upload")
    pieces = request.body.split(b"--" + boundary[1].encode())
    if len(pieces) != 4:
        raise invalid("A multipart upload has two parts")
    try:
        metadata, data = (piece.split(b"\r\n\r\n", 1)[1][:-2] for piece in pieces[1:3])
        return json.loads(metadata), data
    except (IndexError, ValueError):
        raise ApiError("parseError", "Parse Error", status=400) from None
