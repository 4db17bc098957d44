"""Everything that Salesforce can refuse, as one of the families, with no value in the message."""

from __future__ import annotations

from datetime import date

import pytest

from tests.sources import salesforce_org as org
from tests.sources.conftest import TOKEN, Answer
from tests.sources.salesforce_org import ScriptedOrg, a_lead, refused
from trueline.errors import ConfigurationError, PermanentError, RetriableError
from trueline.sources.salesforce import constants
from trueline.windows import Window

DAY = Window(date(2026, 10, 30), date(2026, 10, 30))
NO_COLUMN = (
    "\nSELECT Id, Foo__c FROM Lead WHERE Email = 'anna@example.org'\n           ^\nERROR at "
    "Row:1:Column:12\nNo such column 'Foo__c' on entity 'Lead'. If you are attempting to use a "
    "custom field, be sure to append the '__c' after the custom field name."
)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch) -> None:
    monkeypatch.setattr(constants, "FIRST_POLL_SECONDS", 0.001)
    monkeypatch.setattr("trueline.sources.http._backoff", lambda state: 0.0)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def _refusal(platform, where: str, answer: Answer, family: type[Exception]) -> Exception:
    script = ScriptedOrg(
        leads=[a_lead(1)], instead=lambda asked, what: answer if what == where else None
    )
    server = platform(script)
    with pytest.raises(family) as caught:
        org.pull(server.connection("trueline_salesforce"), DAY)
    text = str(caught.value)
    assert "anna" not in text
    assert TOKEN not in text
    assert "What to do" in text
    return caught.value


@pytest.mark.parametrize("where", ["describe Lead", "create Lead", "state Lead", "results Lead"])
@pytest.mark.parametrize(
    ("answer", "family", "told"),
    [
        (refused("REQUEST_LIMIT_EXCEEDED", 403), RetriableError, "used up what it may ask"),
        (refused("LIMIT_EXCEEDED", 400), RetriableError, "used up what it may ask"),
        (refused("INVALID_SESSION_ID", 401), ConfigurationError, "does not accept the session"),
        (refused("INSUFFICIENT_ACCESS", 403), ConfigurationError, "may not read this"),
        (refused("API_DISABLED_FOR_ORG", 403), ConfigurationError, "has no API"),
        (refused("UNSUPPORTED_API_VERSION", 410), ConfigurationError, "any more"),
        (Answer(b"<html>gone", 410), ConfigurationError, "any more"),
        (refused("INVALID_FIELD", 400, NO_COLUMN), ConfigurationError, "'Foo__c' of Lead"),
        (refused("API_ERROR", 400, NO_COLUMN), ConfigurationError, "'Foo__c' of Lead"),
        (refused("INVALID_FIELD", 400), ConfigurationError, "one of the fields asked for"),
        (refused("MALFORMED_QUERY", 400), PermanentError, "does not understand the query"),
        (refused("EXCEEDED_ID_LIMIT", 400), PermanentError, "shorter window"),
        (refused("INVALIDENTITY", 400), ConfigurationError, "may not read this"),
        (refused("SOMETHING_NEW", 400), PermanentError, "SOMETHING_NEW, HTTP 400"),
        (refused("anna@example.org", 400), PermanentError, "HTTP 400"),
        (refused("UNABLE_TO_LOCK_ROW", 400), RetriableError, "cannot answer now"),
        (refused("QUERY_TIMEOUT", 400), RetriableError, "shorter window"),
        (refused("SERVER_UNAVAILABLE", 503), RetriableError, "cannot answer now"),
        (Answer(b"<html>maintenance", 503), RetriableError, "HTTP 503"),
        (Answer(b"", 502), RetriableError, "HTTP 502"),
        (Answer({"error": "anna@example.org"}, 302), ConfigurationError, "elsewhere"),
    ],
)
def test_every_refusal_has_its_family_wherever_it_comes(
    platform, where, answer, family, told
) -> None:
    assert told in str(_refusal(platform, where, answer, family))


@pytest.mark.parametrize(
    ("where", "family", "told"),
    [
        ("describe Lead", ConfigurationError, "nothing at this address"),
        ("create Lead", ConfigurationError, "nothing at this address"),
        ("state Lead", RetriableError, "no such query job any more"),
        ("results Lead", RetriableError, "no such query job any more"),
    ],
)
def test_a_job_that_is_gone_is_no_wrong_address(platform, where, family, told) -> None:
    assert told in str(_refusal(platform, where, refused("NOT_FOUND", 404), family))


def test_a_limit_of_the_day_waits_long_and_is_not_knocked_at(platform) -> None:
    answer = refused("REQUEST_LIMIT_EXCEEDED", 403)
    server = platform(
        ScriptedOrg(instead=lambda asked, what: answer if what == "create Lead" else None)
    )
    with pytest.raises(RetriableError) as caught:
        org.pull(server.connection(), DAY)
    assert caught.value.retry_after_seconds == 3600
    assert sum("FROM Lead WHERE" in str(asked.body) for asked in server.asked) == 1


def test_the_delay_that_salesforce_gives_is_obeyed(platform) -> None:
    answer = refused("REQUEST_LIMIT_EXCEEDED", 503)
    answer.headers["Retry-After"] = "900"
    error = _refusal(platform, "state Lead", answer, RetriableError)
    assert isinstance(error, RetriableError)
    assert error.retry_after_seconds == 900


@pytest.mark.parametrize(
    ("told", "family", "said"),
    [
        (f"InvalidBatch : Failed to process query: INVALID_FIELD: {NO_COLUMN}",
         ConfigurationError, "'Foo__c' of Lead"),
        ("Failed to process query: QUERY_TIMEOUT: Your query request was running for too long.",
         RetriableError, "QUERY_TIMEOUT"),
        ("FeatureNotEnabled : Failed to process query: FUNCTIONALITY_NOT_ENABLED",
         PermanentError, "FUNCTIONALITY_NOT_ENABLED"),
        ("Retried more than fifteen times for anna@example.org", PermanentError, "again and again"),
        ("", PermanentError, "gave the query up"),
    ],
)  # fmt: skip
def test_a_job_that_fails_says_why(platform, told, family, said) -> None:
    answer = Answer({"state": "Failed", "errorMessage": told})
    error = _refusal(platform, "state Lead", answer, family)
    assert said in str(error)
    assert "trueline_salesforce services/data/v67.0/jobs/query/750" in str(error)


def test_a_job_that_somebody_stopped_is_tried_again(platform) -> None:
    error = _refusal(platform, "state Lead", Answer({"state": "Aborted"}), RetriableError)
    assert "Somebody stopped the query of Lead" in str(error)


@pytest.mark.parametrize("answer", [{"state": "Dreaming"}, {}, [], "x"])
def test_a_state_that_nobody_knows_is_no_data(platform, answer) -> None:
    error = _refusal(platform, "state Lead", Answer(answer), RetriableError)
    assert "no known state" in str(error)


def test_a_job_that_never_ends_is_stopped_and_deleted(platform, monkeypatch) -> None:
    monkeypatch.setattr(constants, "FIRST_POLL_SECONDS", 30.0)
    never = Answer({"state": "InProgress"})
    script = ScriptedOrg(instead=lambda asked, what: never if what == "state Lead" else None)
    server = platform(script)
    with pytest.raises(RetriableError, match="still works on the query of Lead after 1 minutes"):
        org.pull(server.connection(), DAY, longest_job_minutes=1)
    assert script.aborted == [1]
    assert script.jobs == ["deleted", "deleted"]


def test_a_job_that_cannot_be_deleted_costs_no_data(platform) -> None:
    busy = refused("UNABLE_TO_LOCK_ROW", 400)
    script = ScriptedOrg(
        leads=[a_lead(1)],
        instead=lambda asked, what: busy if what.startswith("delete") else None,
    )
    batches = org.pull(platform(script).connection(), DAY)
    assert len(org.rows(batches, "crm_leads")) == 1


@pytest.mark.parametrize("answer", [{}, [], {"id": None}, {"id": "../../x"}])
def test_a_job_without_an_id_is_no_job(platform, answer) -> None:
    assert "no id of the new job" in str(
        _refusal(platform, "create Lead", Answer(answer), RetriableError)
    )


def test_a_description_that_is_none_is_tried_again(platform) -> None:
    assert "no description of an object" in str(
        _refusal(platform, "describe Opportunity", Answer({"name": "x"}), RetriableError)
    )
