"""An answer taken apart, whatever its platform: its rows, its way to the next page, and back.

Rows stand in ``results`` (Google, HubSpot), ``data`` (Meta) or ``records`` (Salesforce), in the
lines of a JSON Lines file or below the header of a CSV.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from sandbox.server.wire import Response

Row = dict[str, Any]
_ROW_KEYS = ("results", "data", "records")
_LOCATOR = "Sforce-Locator"
#: What stands beside rows: HubSpot, Meta, a query job of Salesforce.
_COUNTS = ("total", "summary", "numberRecordsProcessed")
_COUNT_HEADER = "Sforce-NumberOfRecords"


class Answer:
    """Rows that can be changed; :meth:`response` puts them together again."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._headers = dict(response.headers)
        self.document: Any = None
        kind = response.content_type.partition(";")[0]
        self._kind = {"text/csv": "csv", "application/x-ndjson": "lines"}.get(kind, "json")
        text = response.body.decode("utf-8", "replace")
        if self._kind == "csv":
            self._line_end = "\r\n" if "\r\n" in text else "\n"
            self.document = {"records": list(csv.DictReader(io.StringIO(text, newline="")))}
            self._columns = next(csv.reader(io.StringIO(text, newline="")), [])
            return
        try:
            lines = text.splitlines()
            self.document = (
                {"records": [json.loads(line) for line in lines]}
                if self._kind == "lines"
                else json.loads(text)
            )
        except ValueError:
            self._kind = "other"

    def lists(self) -> list[list[Row]]:
        """Every list of rows, in order: a Google stream has several."""
        parts = self.document if isinstance(self.document, list) else [self.document]
        found = []
        for part in parts:
            if isinstance(part, dict):
                found += [part[key] for key in _ROW_KEYS if _is_rows(part.get(key))]
        return found

    def rows(self) -> list[Row]:
        """All rows; changing one changes the answer."""
        return [row for rows in self.lists() for row in rows]

    def keep(self, count: int) -> None:
        """Keep only the first rows."""
        for rows in self.lists():
            kept = rows[: max(count, 0)]
            count -= len(rows)
            rows[:] = kept
        if isinstance(self.document, list):
            # An empty stream still ends with its request id, but has no results.
            for part in self.document:
                if isinstance(part, dict) and part.get("results") == []:
                    del part["results"]

    def repeat_first_part(self) -> bool:
        """A stream tells its first chunk twice; False where it is none."""
        if not isinstance(self.document, list) or not self.lists():
            return False
        self.document.insert(1, self.document[0])
        return True

    @property
    def cursor(self) -> str:
        """Where the next page begins; empty on the last one."""
        paging = self.document.get("paging") if isinstance(self.document, dict) else None
        if isinstance(paging, dict):
            following = paging.get("next")
            if isinstance(following, dict):
                return str(following.get("after", ""))
            return str(paging.get("cursors", {}).get("after", "")) if following else ""
        if isinstance(self.document, dict) and "nextRecordsUrl" in self.document:
            return str(self.document["nextRecordsUrl"])
        located = self._headers.get(_LOCATOR, "")
        return "" if located == "null" else located

    def turn_to(self, cursor: str) -> None:
        """Name another next page; an empty one says that this was the last."""
        paging = self.document.get("paging") if isinstance(self.document, dict) else None
        if isinstance(paging, dict) and not cursor:
            paging.pop("next", None)
            if "cursors" not in paging:
                del self.document["paging"]
        elif isinstance(paging, dict) and isinstance(paging.get("next"), dict):
            paging["next"]["after"] = cursor
        elif isinstance(paging, dict):
            paging["cursors"]["after"] = cursor
            address = urlsplit(paging.get("next", ""))
            query = dict(parse_qsl(address.query)) | {"after": cursor}
            paging["next"] = address._replace(query=urlencode(query)).geturl()
        elif _LOCATOR in self._headers:
            self._headers[_LOCATOR] = cursor or "null"
        elif isinstance(self.document, dict) and "nextRecordsUrl" in self.document:
            if cursor:
                self.document["nextRecordsUrl"] = cursor
            else:
                del self.document["nextRecordsUrl"]
                self.document["done"] = True

    @property
    def is_counted(self) -> bool:
        """Whether something is counted or summed up beside the rows."""
        return bool(self._counts()) or _COUNT_HEADER in self._headers

    def forget_counts(self) -> None:
        """Nothing is counted beside the rows any more."""
        for name in self._counts():
            del self.document[name]
        self._headers.pop(_COUNT_HEADER, None)

    def _counts(self) -> list[str]:
        found = self.document if isinstance(self.document, dict) else {}
        return [name for name in _COUNTS if name in found]

    def response(self) -> Response:
        """The answer with what was changed."""
        if self._kind == "csv":
            body = self._as_csv()
        elif self._kind == "lines":
            body = "".join(_text(row) + "\n" for row in self.rows()).encode()
        elif self._kind == "json":
            body = _text(self.document).encode()
        else:
            body = self._response.body
        return replace(self._response, body=body, headers=self._headers)

    def _as_csv(self) -> bytes:
        rows = self.rows()
        columns = list(dict.fromkeys(key for row in rows for key in row)) or self._columns
        written = io.StringIO()
        writer = csv.DictWriter(
            written, columns, lineterminator=self._line_end, quoting=csv.QUOTE_ALL
        )
        writer.writeheader()
        writer.writerows(rows)
        return written.getvalue().encode()


def unpacked(response: Response) -> Response:
    """The answer without compression, so that its body can be read and changed."""
    if response.headers.get("Content-Encoding") != "gzip":
        return response
    headers = {key: value for key, value in response.headers.items() if key != "Content-Encoding"}
    return replace(response, body=gzip.decompress(response.body), headers=headers)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def place(row: Row, path: str) -> tuple[Any, Any] | None:
    """What holds the last part of ``"metrics.clicks"`` or ``"actions.0.value"``, and that part."""
    *way, last = path.split(".")
    holder: Any = row
    for part in way:
        holder = _step(holder, part)
    if isinstance(holder, dict) and last in holder:
        return holder, last
    return None


def _step(holder: Any, part: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(part)
    if isinstance(holder, list) and part.isdigit() and int(part) < len(holder):
        return holder[int(part)]
    return None
