"""Google Ads on bad days: whose failure it is, what is said, and what is still loaded."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.sources.conftest import TOKEN, Answer
from tests.sources.google_ads_script import (
    Script,
    failure,
    failures,
    pull,
    refused,
    row,
    tables,
    values,
)
from trueline.errors import ConfigurationError, PermanentError, RetriableError
from trueline.sources.base import Batch
from trueline.windows import Window

DAY = Window(date(2026, 10, 30), date(2026, 10, 30))
ALL = ["ad_accounts", "conversion_actions", "ad_delivery", "pixel_claims", "ad_clicks"]
BAD, GOOD = "1111111111", "2222222222"


@pytest.fixture(autouse=True)
def _one_try(monkeypatch) -> None:
    """The client's own repeating is tested in test_http; here it would only take time."""
    monkeypatch.setattr("trueline.sources.http.ATTEMPTS", 1)


def _first_fails(play: Any, tmp_path: Any, answer: Answer, at: str = "customer") -> Any:
    """The error of the first of two accounts; the second is whole."""
    server = play(Script({(BAD, at): answer}))
    found = pull(server, tmp_path, DAY, BAD, GOOD)
    assert tables(found, BAD) == []
    assert tables(found, GOOD) == ALL
    assert list(failures(found)) == [BAD]
    (failed,) = [each for each in found if not isinstance(each, Batch)]
    assert list(failed.tables) == ALL
    return failed.error


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refused(403, "authorizationError", "USER_PERMISSION_DENIED"), ConfigurationError, "open"),
        (refused(401, "authenticationError", "CUSTOMER_NOT_FOUND"), ConfigurationError, "open"),
        (refused(400, "requestError", "INVALID_CUSTOMER_ID"), ConfigurationError, "ten digits"),
        (refused(500, "internalError", "INTERNAL_ERROR"), RetriableError, "out of order"),
        (refused(500, "internalError", "TRANSIENT_ERROR"), RetriableError, "out of order"),
        (refused(504, "internalError", "DEADLINE_EXCEEDED"), RetriableError, "out of order"),
        (refused(400, "databaseError", "CONCURRENT_MODIFICATION"), RetriableError, "out of order"),
        (
            refused(429, "quotaError", "EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION"),
            RetriableError,
            "asks for a pause",
        ),
        (refused(503, "newError", "OF_NEXT_YEAR"), RetriableError, "HTTP 503"),
        (refused(400, "newError", "OF_NEXT_YEAR"), PermanentError, "newError OF_NEXT_YEAR"),
        (refused(400, "queryError", "UNRECOGNIZED_FIELD"), PermanentError, "As Google words it"),
        (Answer({"error": {"code": 503, "message": "x"}}, 503), RetriableError, "HTTP 503"),
        (Answer(b"<html>no</html>", 403), ConfigurationError, "HTTP 403"),
        (Answer(b"<html>busy</html>", 502), RetriableError, "HTTP 502"),
        (Answer(b"<html>log in</html>"), RetriableError, "a web page"),
        (Answer(b"hello"), RetriableError, "no JSON"),
        (Answer(b""), RetriableError, "empty"),
        (Answer(b'[{"results": [{]}]'), RetriableError, "cut off"),
        (Answer(b'[{"results": [{"a" 1}]}]'), RetriableError, "no JSON"),
        (Answer(b'[{"results": []}][]'), RetriableError, "goes on after its end"),
    ],
)
def test_one_accounts_failure_is_its_own(play, tmp_path, answer, kind, words) -> None:
    error = _first_fails(play, tmp_path, answer)
    assert isinstance(error, kind)
    assert words in str(error)
    assert TOKEN not in str(error)
    assert error.fix


@pytest.mark.parametrize("at", ["conversion_action", "campaign", "claims", "click_view"])
def test_an_account_that_breaks_half_way_leaves_nothing(play, tmp_path, at) -> None:
    cut = Answer([{"results": [row()]}, {"results": [row()]}], cut=True)
    error = _first_fails(play, tmp_path, cut, at)
    assert isinstance(error, RetriableError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        b'[{"results": [{"campaign": {"id": "1"}}]}\n,\n{"resul',
        b'[{"results": [{"campaign": {"id": "1"}}]}\n',
        b'[{"results": [{"campaign": {"name": "never ends',
    ],
)
def test_a_stream_that_simply_stops_is_cut_off(play, tmp_path, body) -> None:
    """Without a length nothing but the missing bracket tells it."""
    error = _first_fails(play, tmp_path, Answer(body), "campaign")
    assert isinstance(error, RetriableError)
    assert "cut off" in str(error)


def test_an_error_at_the_end_of_a_stream_takes_everything_back(play, tmp_path) -> None:
    stream = [{"results": [row()]}, failure(500, "internalError", "INTERNAL_ERROR")]
    error = _first_fails(play, tmp_path, Answer(stream), "campaign")
    assert "INTERNAL_ERROR" in str(error)


def test_the_word_error_in_a_name_is_no_error(play, tmp_path) -> None:
    told = row(campaign={"id": "1", "name": 'An "error" in {[ quotes \\'})
    script = Script({("*", "campaign"): Answer([{"results": [told]}])})
    (delivery,) = values(pull(play(script), tmp_path, DAY), "ad_delivery")
    assert delivery["campaign_name"] == 'An "error" in {[ quotes \\'


def test_an_account_that_failed_for_a_moment_is_tried_again_after_the_others(
    play, tmp_path
) -> None:
    script = Script()
    answers = iter([refused(500, "internalError", "TRANSIENT_ERROR")])

    def once(query: str) -> Answer:
        return next(answers, None) or script._ordinary("campaign")

    script.replies[BAD, "campaign"] = once
    found = pull(play(script), tmp_path, DAY, BAD, GOOD)
    assert failures(found) == {}
    assert tables(found, BAD) == tables(found, GOOD) == ALL
    assert [account for account, resource in script.asked if resource == "campaign"] == [
        BAD,
        GOOD,
        BAD,
    ]
    assert next(each.account_id for each in found) == GOOD


def test_an_account_that_must_wait_is_not_asked_before_its_time(play, tmp_path) -> None:
    quota = {"rateScope": "ACCOUNT", "rateName": "Requests per account", "retryDelay": "30s"}
    answer = refused(429, "quotaError", "RESOURCE_TEMPORARILY_EXHAUSTED", quota=quota)
    script = Script({(BAD, "customer"): answer})
    found = pull(play(script), tmp_path, DAY, BAD, GOOD)
    error = failures(found)[BAD]
    assert error.retry_after_seconds == 30
    assert "Requests per account" in str(error)
    assert script.asked.count((BAD, "customer")) == 1


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ({"quota": {"retryDelay": "8962s"}}, 8962),
        ({"quota": {"retryDelay": "12.5s"}}, 12.5),
        (
            {
                "details": (
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "77s"},
                )
            },
            77,
        ),
        ({"headers": {"Retry-After": "41"}}, 41),
        ({}, None),
    ],
)
def test_the_delay_that_google_names_is_told(play, tmp_path, more, seconds) -> None:
    code = "RESOURCE_TEMPORARILY_EXHAUSTED"
    error = _first_fails(play, tmp_path, refused(429, "quotaError", code, **more))
    assert error.retry_after_seconds == seconds


def test_a_delay_without_googles_own_error_is_told_too(play, tmp_path) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33s"}
    body = [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [info]}}]
    assert _first_fails(play, tmp_path, Answer(body, 429)).retry_after_seconds == 33


@pytest.mark.parametrize(
    ("code", "quota", "seconds"),
    [
        ("RESOURCE_EXHAUSTED", None, 3600),
        ("RESOURCE_EXHAUSTED", {"rateScope": "DEVELOPER", "retryDelay": "8962s"}, 8962),
        ("EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION", None, 3600),
        ("RESOURCE_TEMPORARILY_EXHAUSTED", {"rateScope": "DEVELOPER", "retryDelay": "90s"}, 90),
    ],
)
def test_a_spent_quota_of_the_project_ends_the_asking(play, tmp_path, code, quota, seconds) -> None:
    answer = refused(429, "quotaError", code, quota=quota)
    script = Script({(BAD, "campaign"): answer})
    found = pull(play(script), tmp_path, DAY, GOOD, BAD, "3333333333")
    assert tables(found, GOOD) == ALL
    assert {account: error.retry_after_seconds for account, error in failures(found).items()} == {
        BAD: seconds,
        "3333333333": seconds,
    }
    assert not [account for account, _ in script.asked if account == "3333333333"]


def test_a_disabled_account_is_told_and_skipped(play, tmp_path, caplog) -> None:
    answer = refused(403, "authorizationError", "CUSTOMER_NOT_ENABLED")
    found = pull(play(Script({(BAD, "customer"): answer})), tmp_path, DAY, BAD, GOOD)
    assert failures(found) == {}
    (skipped,) = [each for each in found if each.account_id == BAD]
    assert isinstance(skipped, Batch)
    assert (skipped.table, skipped.skipped_reason) == ("ad_accounts", "account_not_enabled")
    assert tables(found, GOOD) == ALL
    assert f"account {BAD} is skipped" in caplog.text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refused(401, "authenticationError", "OAUTH_TOKEN_REVOKED"), "grant was taken back"),
        (refused(401, "authenticationError", "OAUTH_TOKEN_INVALID"), "does not let us in"),
        (refused(401, "authenticationError", "NOT_ADS_USER"), "Invite the credential's owner"),
        (
            refused(403, "authorizationError", "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION"),
            "access level of the Cloud project",
        ),
        (refused(403, "quotaError", "ACCESS_PROHIBITED"), "ACCESS_PROHIBITED"),
        (refused(400, "headerError", "INVALID_LOGIN_CUSTOMER_ID"), "manager account"),
        (refused(400, "requestError", "UNSUPPORTED_VERSION"), "switched off this version"),
        (Answer(b"<html>Not Found</html>", 404), "switched off this version"),
        (Answer(b"gone", 410), "switched off this version"),
        (Answer([{"error": {"code": 401, "status": "UNAUTHENTICATED"}}], 401), "Renew the token"),
        (
            Answer(
                {
                    "error": {
                        "code": 403,
                        "status": "PERMISSION_DENIED",
                        "details": [
                            {
                                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                                "reason": "SERVICE_DISABLED",
                                "domain": "googleapis.com",
                            }
                        ],
                    }
                },
                403,
            ),
            "Switch the Google Ads API on",
        ),
    ],
)
def test_what_holds_for_all_accounts_stops_the_pull(play, tmp_path, answer, words) -> None:
    script = Script({("*", "customer"): answer})
    with pytest.raises(ConfigurationError, match=words) as caught:
        pull(play(script), tmp_path, DAY, BAD, GOOD)
    assert script.asked == [(BAD, "customer")], "no retry storm"
    assert caught.value.fix
    assert TOKEN not in str(caught.value)


def test_googles_request_id_is_told_and_logged(play, tmp_path, caplog) -> None:
    error = _first_fails(play, tmp_path, refused(400, "queryError", "UNRECOGNIZED_FIELD"))
    assert "request Z4Q_KggHsDHwTzYYp-_H2A" in str(error)
    assert "Z4Q_KggHsDHwTzYYp-_H2A" in caplog.text


def test_of_several_errors_the_one_that_stays_decides(play, tmp_path) -> None:
    body = failure(500, "internalError", "TRANSIENT_ERROR")
    body["error"]["details"] += failure(403, "authorizationError", "USER_PERMISSION_DENIED")[
        "error"
    ]["details"]
    error = _first_fails(play, tmp_path, Answer([body], 403))
    assert isinstance(error, ConfigurationError)


def test_what_google_words_about_people_is_not_told(play, tmp_path) -> None:
    body = failure(400, "queryError", "BAD_VALUE")
    told = body["error"]["details"][0]["errors"][0]
    told["message"] = "Invalid value anna@example.org, gclid=Cj0KCQtest123"
    error = _first_fails(play, tmp_path, Answer([body], 400))
    assert "anna" not in str(error)
    assert "Cj0KCQtest123" not in str(error)
