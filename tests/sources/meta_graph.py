"""A scripted Graph API: what Meta documents, and what it does on bad days."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.sources.conftest import NOW, Answer, Asked
from trueline.sources.base import AccountFailed, Batch, Record
from trueline.sources.meta_ads.source import MetaAdsSource
from trueline.sources.settings import MetaAdsSettings
from trueline.windows import Window

DAY = Window(date(2026, 10, 30), date(2026, 10, 30))
STARTED = {"async_status": "Job Started", "async_percent_completion": 0}
RUNNING = {"async_status": "Job Running", "async_percent_completion": 100}
EARLY = {"async_status": "Job Completed", "async_percent_completion": 90}
DONE = {"async_status": "Job Completed", "async_percent_completion": 100}
ABOUT = {
    "name": "Sunmoor",
    "currency": "EUR",
    "timezone_name": "Europe/Paris",
    "account_status": 1,
}


def failed(code: int | None = None, subcode: int | None = None, status: str = "Job Failed") -> Any:
    """A run's state when it went wrong."""
    state: dict[str, Any] = {"async_status": status, "async_percent_completion": 0}
    return state | ({"error_code": code, "error_subcode": subcode} if code is not None else {})


def error(code: int, subcode: int | None = None, status: int = 400, **more: Any) -> Answer:
    """Meta's error body; the message quotes what must never be told."""
    body = {
        "message": "Error validating access token EAAsecret of anna@example.org",
        "type": "OAuthException",
        "code": code,
        "fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam",
        **({"error_subcode": subcode} if subcode else {}),
        **more,
    }
    return Answer({"error": body}, status=status)


def row(day: str = "2026-10-30", campaign: str = "12", **more: Any) -> dict[str, Any]:
    """A row of a daily campaign report."""
    return {
        "account_id": "100",
        "account_currency": "EUR",
        "campaign_id": campaign,
        "campaign_name": "A",
        "spend": "12.3",
        "impressions": "1000",
        "clicks": "40",
        "date_start": day,
        "date_stop": day,
        **more,
    }


def page(rows: list[Any], after: str | None = None) -> dict[str, Any]:
    """A page as Meta sends it: the address of the next one carries the token."""
    paging: dict[str, Any] = {"cursors": {"before": "MA", "after": after or "end"}}
    if after:
        paging["next"] = f"https://graph.facebook.com/x?access_token=EAAsecret&after={after}"
    return {"data": rows, "paging": paging}


@dataclass
class Graph:
    """Answers as Meta does.

    Attributes:
        rows: Rows of a window; of no day outside it.
        pages: Pages instead, whatever the window, by cursor ("" is the first).
        accounts: What the account says of itself, or an answer that says no.
        starts: Answers to the next starts, in order; None starts a report.
        states: What a run tells poll by poll; the last one stays.
        reads: Answers to the next reads of pages, in order; None reads.
        headers: Sent with every answer.
    """

    rows: Callable[[str, str, str], list[Any]] = lambda account, since, until: []
    pages: dict[str, dict[str, Any]] | None = None
    accounts: dict[str, Any] = field(default_factory=dict)
    starts: list[Answer | None] = field(default_factory=list)
    states: list[list[dict[str, Any]]] = field(default_factory=list)
    reads: list[Answer | None] = field(default_factory=list)
    headers: list[dict[str, Any]] = field(default_factory=list)
    windows: list[tuple[str, str, str]] = field(default_factory=list)
    polls: dict[int, int] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Answer:
        answer = self._answer(asked)
        headers = self.headers.pop(0) if self.headers else {}
        told = {name: json.dumps(value) for name, value in headers.items()}
        return Answer(answer.body, answer.status, {**answer.headers, **told}, answer.cut)

    def _answer(self, asked: Asked) -> Answer:
        path = urlsplit(asked.path).path
        query = {name: values[0] for name, values in parse_qs(urlsplit(asked.path).query).items()}
        if found := re.fullmatch(r"/v26\.0/act_(\d+)(/insights)?", path):
            if not found[2]:
                about = self.accounts.get(found[1], ABOUT)
                return about if isinstance(about, Answer) else Answer(about)
            assert asked.method == "POST", "reports are asynchronous"
            scripted = self.starts.pop(0) if self.starts else None
            if scripted:
                return scripted
            span = json.loads(asked.body["time_range"])
            self.windows.append((found[1], span["since"], span["until"]))
            return Answer({"report_run_id": str(len(self.windows))})
        found = re.fullmatch(r"/v26\.0/(\d+)(/insights)?", path)
        assert found, path
        run = int(found[1])
        if not found[2]:
            states = self.states[run - 1] if run <= len(self.states) else [DONE]
            place = self.polls[run] = self.polls.get(run, 0) + 1
            state = states[min(place, len(states)) - 1]
            return state if isinstance(state, Answer) else Answer({"id": str(run), **state})
        scripted = self.reads.pop(0) if self.reads else None
        if scripted:
            return scripted
        if self.pages is not None:
            return Answer(self.pages[query.get("after", "")])
        return Answer(page(self.rows(*self.windows[run - 1])))


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, [0.0]

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


@dataclass
class Pulled:
    """What a pull brought."""

    batches: list[Batch]
    failures: list[AccountFailed]

    def of(self, table: str) -> list[Batch]:
        return [batch for batch in self.batches if batch.table == table]

    def records(self, table: str) -> list[Record]:
        return [record for batch in self.of(table) for record in batch.records]

    def values(self, table: str, *names: str) -> list[tuple[Any, ...]]:
        return [tuple(record.values[name] for name in names) for record in self.records(table)]

    def errors(self, table: str) -> list[tuple[int, str | None, str]]:
        return [
            (error.line, error.column, error.reason)
            for batch in self.of(table)
            for error in batch.errors
        ]


def pull(
    server: Any,
    *accounts: str,
    window: Window = DAY,
    time: FakeTime | None = None,
    **settings: Any,
) -> Pulled:
    """Pull ``window`` from a scripted server, in no time."""
    time = time or FakeTime()
    asked = MetaAdsSettings.model_validate(
        {
            "type": "meta_ads",
            "accounts": accounts or ("100",),
            "repull_days": 0,
            **settings,
        }
    )
    source = MetaAdsSource(
        "meta",
        asked,
        connection=server.connection(),
        now=NOW,
        sleep=time.sleep,
        clock=time.clock,
    )
    found = list(source.pull(window))
    return Pulled(
        [each for each in found if isinstance(each, Batch)],
        [each for each in found if isinstance(each, AccountFailed)],
    )
