"""HubSpot's refusals, each in its family, and calls no faster than it allows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sources.conftest import TOKEN, Answer, Asked
from tests.sources.hubspot_portal import Portal, contact, not_found, pull, values
from trueline.errors import ConfigurationError, PermanentError, RetriableError
from trueline.redaction import redact
from trueline.sources.http import HttpClient, Refusal
from trueline.sources.hubspot.errors import explain
from trueline.sources.hubspot.pace import Pace

TRACE = "a43683b0-5717-4ceb-80b4-104d02915d8c"
SECRET = "anna@example.org"


def _body(category: str = "", **more: Any) -> dict[str, Any]:
    body = {"status": "error", "message": f"About {SECRET}.", "correlationId": TRACE, **more}
    return {**body, "category": category} if category else body


def _limit(policy: str = "", message: str = "You have reached your limit.") -> dict[str, Any]:
    named = {"policyName": policy} if policy else {}
    return _body(errorType="RATE_LIMIT", **named) | {"message": message}


SCOPES = _body(
    "MISSING_SCOPES",
    errors=[
        {
            "message": "One or more of the following scopes are required.",
            "context": {"requiredGranularScopes": ["crm.objects.deals.read"]},
        }
    ],
)
UNKNOWN_PROPERTY = _body(
    "VALIDATION_ERROR",
    errors=[
        {
            "message": f"Property 'x' does not exist, {SECRET}",
            "code": "PROPERTY_DOESNT_EXIST",
            "context": {"propertyName": ["hs_lead_state", SECRET]},
        }
    ],
)


@pytest.mark.parametrize(
    ("status", "body", "family", "told"),
    [
        (401, _body("INVALID_AUTHENTICATION"), ConfigurationError, "revoked, rotated or mistyped"),
        (401, _body("EXPIRED_AUTHENTICATION"), ConfigurationError, "half an hour"),
        (401, _body(), ConfigurationError, "revoked"),
        (403, SCOPES, ConfigurationError, "one or more of: crm.objects.deals.read"),
        (403, _body("MISSING_SCOPES"), ConfigurationError, "not named by HubSpot"),
        (403, None, ConfigurationError, "proxy or firewall"),
        (404, _body("OBJECT_NOT_FOUND"), ConfigurationError, "api_version"),
        (404, None, ConfigurationError, "api_version"),
        (410, _body(), ConfigurationError, "2026-03"),
        (400, UNKNOWN_PROPERTY, PermanentError, "hs_lead_state"),
        (400, _body("VALIDATION_ERROR"), PermanentError, TRACE),
        (423, _body("LOCKED"), RetriableError, "working on these records"),
        (477, None, RetriableError, "another data centre"),
        (429, _limit("DAILY"), RetriableError, "midnight"),
        (200, _body("RATE_LIMITS"), RetriableError, "pause"),
        (200, _body("VALIDATION_ERROR"), PermanentError, "VALIDATION_ERROR"),
    ],
)
def test_each_refusal_has_its_family_and_says_what_to_do(status, body, family, told) -> None:
    error = explain(Refusal(status, "here", body, None), "my_hubspot")
    assert type(error) is family
    assert told in str(error)
    assert redact(str(error)) == str(error), "the terminal shows it as it is"
    assert error.fix
    assert "anna" not in str(error)
    if family is ConfigurationError:
        assert "my_hubspot" in str(error)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 521, 524])
def test_an_outage_is_left_to_the_general_rules(status) -> None:
    client = HttpClient(_connection(), explain=explain)
    for body in (None, _body("INTERNAL_ERROR")):
        assert type(client.error_for(Refusal(status, "here", body, None))) is RetriableError


@pytest.mark.parametrize(
    ("status", "body", "asked", "seconds"),
    [
        (429, _limit("DAILY"), None, 3600),
        (429, _limit("DAILY"), 120.0, 120),
        (429, _limit("TEN_SECONDLY_ROLLING"), None, 10),
        (429, _limit("SECONDLY"), None, 1),
        (429, _limit(message="You have reached your secondly limit."), None, 1),
        (429, _limit(message="You have reached your daily limit."), None, 3600),
        (429, _limit(), None, 10),
        (429, _limit("SECONDLY"), 4.0, 4),
        (423, _body("LOCKED"), None, 2),
        (477, None, 7200.0, 7200),
        (477, None, None, 3600),
    ],
)
def test_a_pause_is_as_long_as_hubspot_or_its_limit_says(status, body, asked, seconds) -> None:
    error = explain(Refusal(status, "here", body, asked), "hubspot")
    assert isinstance(error, RetriableError)
    assert error.retry_after_seconds == seconds


def _connection() -> Any:
    from trueline.connections import Connection

    return Connection("my_hubspot", "http://127.0.0.1:9", TOKEN)


def test_a_daily_limit_is_not_waited_for_in_place(platform) -> None:
    server = platform([Answer(_limit("DAILY"), status=429)])
    with pytest.raises(RetriableError) as caught:
        pull(server)
    assert caught.value.retry_after_seconds == 3600
    assert len(server.asked) == 1


def test_a_short_limit_is_waited_for_in_place(platform) -> None:
    portal, refused = Portal(contact("501")), []

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("contacts/search") and not refused:
            refused.append(asked)
            return Answer(_limit("SECONDLY"), status=429)
        return portal(asked)

    assert len(values(pull(platform(answer)), "crm_leads")) == 1
    assert refused


def test_a_missing_scope_for_deals_names_it(platform) -> None:
    portal = Portal()

    def answer(asked: Asked) -> Answer:
        if "/deals" in asked.path:
            return Answer(SCOPES, status=403)
        return portal(asked)

    server = platform(answer)
    with pytest.raises(ConfigurationError) as caught:
        pull(server)
    assert "crm.objects.deals.read" in str(caught.value)
    assert not [asked for asked in server.asked if "/contacts/search" in asked.path], "told early"
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("status", [200, 207])
def test_an_error_inside_a_success_is_an_error(platform, status) -> None:
    with pytest.raises(PermanentError, match="VALIDATION_ERROR"):
        pull(platform([Answer(_body("VALIDATION_ERROR"), status=status)]))


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueline.sources.http._backoff", lambda state: 0.0)


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("category", ["INTERNAL_ERROR", "NEVER_HEARD_OF", ""])
def test_an_outage_inside_a_success_is_waited_out(platform, category) -> None:
    portal, told = Portal(contact("501")), [Answer(_body(category))]
    server = platform(lambda asked: told.pop() if told else portal(asked))
    assert [row["crm_record_id"] for row in values(pull(server), "crm_leads")] == ["501"]
    refused, again = server.asked[:2]
    assert refused.path == again.path


@pytest.mark.usefixtures("_at_once")
def test_an_outage_inside_a_success_that_stays_is_left_to_the_orchestrator(platform) -> None:
    with pytest.raises(RetriableError, match="out of order, though it says OK") as caught:
        pull(platform(lambda asked: Answer(_body("INTERNAL_ERROR"))))
    assert "INTERNAL_ERROR" in str(caught.value)


FAILED = {"status": "error", "category": "INTERNAL_ERROR", "context": {"ids": ["501"]}}


@pytest.mark.parametrize(
    ("errors", "told"), [([not_found("7"), FAILED], "INTERNAL_ERROR"), ([], "no reason given")]
)
def test_a_batch_that_failed_for_another_reason_is_tried_again(platform, errors, told) -> None:
    portal = Portal(contact("501"))

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("batch/read"):
            body = {"status": "COMPLETE", "results": [], "errors": errors, "numErrors": 1}
            return Answer(body, status=207)
        return portal(asked)

    with pytest.raises(RetriableError, match=told):
        pull(platform(answer))


def test_a_batch_that_hubspot_gave_up_is_tried_again(platform) -> None:
    portal = Portal(contact("501"))

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("batch/read"):
            return Answer({"status": "CANCELED", "results": []})
        return portal(asked)

    with pytest.raises(RetriableError, match="did not finish"):
        pull(platform(answer))


# --- pace ----------------------------------------------------------------------------------------


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def pace(self) -> Pace:
        return Pace(clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def _times(clock: Clock, pace: Pace, calls: int, *, is_search: bool) -> list[float]:
    times = []
    for _ in range(calls):
        pace.before_call(is_search=is_search)
        times.append(clock.now)
    return times


def _most_within(times: list[float], seconds: float) -> int:
    return max(sum(start <= each < start + seconds for each in times) for start in times)


def test_no_second_has_more_than_five_searches() -> None:
    clock = Clock()
    times = _times(clock, clock.pace(), 41, is_search=True)
    assert _most_within(times, 1.0) == 4
    assert times[-1] - times[0] == pytest.approx(10.0)


def test_no_ten_seconds_have_more_than_a_hundred_calls() -> None:
    clock = Clock()
    times = _times(clock, clock.pace(), 500, is_search=False)
    assert _most_within(times, 10.0) == 90
    assert times[89] == times[0], "a small pull does not wait"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (
            {
                "X-HubSpot-RateLimit-Remaining": "0",
                "X-HubSpot-RateLimit-Interval-Milliseconds": "4000",
            },
            4.0,
        ),
        ({"X-HubSpot-RateLimit-Remaining": "0"}, 10.0),
        ({"X-HubSpot-RateLimit-Secondly-Remaining": "0"}, 1.0),
        ({"X-HubSpot-RateLimit-Remaining": "7"}, 0.0),
        ({}, 0.0),
    ],
)
def test_where_nothing_is_left_the_next_call_waits(headers, seconds) -> None:
    clock = Clock()
    pace = clock.pace()
    pace.heard(headers)
    pace.before_call()
    assert clock.now - 1000 == seconds


def test_what_an_answer_says_is_left_is_heard(platform) -> None:
    clock = Clock()
    pace = clock.pace()
    limits = {"X-HubSpot-RateLimit-Remaining": "0"}
    server = platform([Answer({"results": []}, headers=limits)])
    client = HttpClient(server.connection(), on_headers=pace.heard)
    client.get_json("crm/v3/properties/contacts")
    pace.before_call()
    assert clock.now == 1010
