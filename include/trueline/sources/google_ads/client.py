"""Searches in Google Ads accounts over REST searchStream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from trueline.connections import Connection
from trueline.errors import PermanentError, RetriableError
from trueline.sources.collect import at
from trueline.sources.google_ads.constants import DEFAULT_URL
from trueline.sources.google_ads.errors import explain
from trueline.sources.google_ads.stream import BrokenStreamError, elements
from trueline.sources.http import HttpClient, Refusal
from trueline.sources.settings import GoogleAdsSettings

Row = Mapping[str, Any]
Found = TypeVar("Found")


class GoogleAdsClient:
    """``googleAds:searchStream``: one operation of the quota per search, whatever it answers."""

    def __init__(self, settings: GoogleAdsSettings, connection: Connection) -> None:
        headers = {}
        if settings.login_customer_id:
            headers["login-customer-id"] = settings.login_customer_id
        # Ignored by Google since developer tokens were sunset (2026-09-09); some proxies want it.
        if "developer_token" in connection.extra:
            headers["developer-token"] = connection.extra["developer_token"]
        self._name = connection.name
        self._http = HttpClient(
            connection, default_url=DEFAULT_URL, headers=headers, explain=explain
        )
        self._version = settings.api_version

    def search(self, account: str, query: str) -> list[Row]:
        """All rows of a GAQL query whose answer is short.

        Raises:
            RetriableError, PermanentError, ConfigurationError: see ``HttpClient`` and ``explain``.
        """

        def read(parts: Iterable[bytes]) -> list[Row]:
            return [row for part in parts for row in _results(_parsed(part))]

        return self._search(account, query, read)

    def save(
        self, account: str, query: str, target: Path, told: Callable[[int], None] | None = None
    ) -> None:
        """Save a whole answer, however long; :func:`saved_rows` reads it.

        Args:
            told: Is told how many parts of the answer are there.

        Raises:
            RetriableError, PermanentError, ConfigurationError: as for :meth:`search`. A cut answer
                is retriable; nothing of it should be used.
        """

        def read(parts: Iterable[bytes]) -> None:
            with target.open("wb") as file:
                for number, part in enumerate(parts, start=1):
                    # Line breaks stand between JSON's tokens only, never inside a text.
                    file.write(part.replace(b"\n", b" ") + b"\n")
                    if told:
                        told(number)

        self._search(account, query, read)

    def _search(self, account: str, query: str, read: Callable[[Iterable[bytes]], Found]) -> Found:
        path = f"{self._version}/customers/{account}/googleAds:searchStream"
        where = f"{self._name} POST {path}"

        def whole(pieces: Iterator[bytes]) -> Iterator[bytes]:
            for part in elements(pieces):
                # A stream that breaks half-way ends with an error inside HTTP 200.
                if b'"error"' in part and "error" in (parsed := _parsed(part)):
                    raise self._http.error_for(Refusal(_status(parsed), where, parsed, None))
                yield part

        def receive(pieces: Iterator[bytes]) -> Found:
            try:
                return read(whole(pieces))
            except BrokenStreamError as broken:
                raise RetriableError(
                    f"Google's answer is no whole stream of results: {broken}.",
                    where=where,
                    fix="Try again; if it stays so, check base_url of the connection "
                    f"{self._name!r}, and whether a proxy or a login page answers in its place.",
                ) from None

        return self._http.post_streamed(path, {"query": query}, receive)


def saved_rows(path: Path, needed: Iterable[str], where: str) -> Iterator[Row]:
    """The rows of a saved answer.

    Args:
        needed: Fields, as ``metrics.costMicros``, that the answer must say it has.

    Raises:
        PermanentError: the answer's own list of fields lacks one; without it figures would be zero.
        RetriableError: a part is no JSON.
    """
    with path.open("rb") as file:
        for line in file:
            try:
                part = _parsed(line)
            except BrokenStreamError as broken:
                raise RetriableError(
                    f"Google's answer is no whole stream of results: {broken}.",
                    where=where,
                    fix="Try again.",
                ) from None
            results = _results(part)
            told = part.get("fieldMask")
            if results and isinstance(told, str) and told:
                _must_have(told, needed, where)
            yield from results


def _must_have(told: str, needed: Iterable[str], where: str) -> None:
    # Compared without case and underscores: gRPC's spelling is metrics.cost_micros.
    fields = {_plain(field) for field in told.split(",")}
    for field in needed:
        if _plain(field) not in fields:
            raise PermanentError(
                f"Google's answer has no {field} any more, though it was asked for.",
                where=where,
                fix="Read the release notes of the API version; nothing of the account was loaded.",
            )


def _plain(field: str) -> str:
    return field.strip().replace("_", "").lower()


def _parsed(part: bytes) -> Mapping[str, Any]:
    try:
        # NaN and Infinity become text, which no number column takes: the row is set aside.
        parsed = json.loads(part, parse_float=Decimal, parse_constant=str)
    except (ValueError, RecursionError):
        raise BrokenStreamError("a part of it is no JSON") from None
    if not isinstance(parsed, Mapping):
        raise BrokenStreamError("a part of it is no object")
    return parsed


def _results(part: Mapping[str, Any]) -> list[Row]:
    results = part.get("results")
    return [row for row in results if isinstance(row, dict)] if isinstance(results, list) else []


def _status(part: Mapping[str, Any]) -> int:
    """The HTTP status that an error inside a stream stands for."""
    told = at(part, "error.code")
    return told if isinstance(told, int) and 400 <= told < 600 else 500
