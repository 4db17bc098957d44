"""Meta's bad days: refusals, reports that fail, allowances, and what they leave alone."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import pytest

from tests.sources.conftest import TOKEN, Answer
from tests.sources.meta_graph import (
    DONE,
    EARLY,
    RUNNING,
    STARTED,
    FakeTime,
    Graph,
    error,
    failed,
    page,
    pull,
    row,
)
from trueline.errors import ConfigurationError, PermanentError, RetriableError
from trueline.sources.http import ATTEMPTS, Refusal
from trueline.sources.meta_ads.errors import explain
from trueline.windows import Window

TWELVE = Window(date(2026, 10, 1), date(2026, 10, 12))
SECRETS = ("EAAsecret", "anna", TOKEN)


def _daily(account: str, since: str, until: str) -> list[Any]:
    first, last = date.fromisoformat(since), date.fromisoformat(until)
    return [row(str(day)) for day in Window(first, last).days()]


@pytest.mark.parametrize(
    ("code", "subcode", "family", "told"),
    [
        (1, None, RetriableError, "out of order for a moment"),
        (2, None, RetriableError, "out of order for a moment"),
        (2, 1504043, RetriableError, "out of order for a moment"),
        (341, None, RetriableError, "out of order for a moment"),
        (4, None, RetriableError, "asks for a pause (code 4)"),
        (4, 1504022, RetriableError, "asks for a pause (code 4/1504022)"),
        (4, 1504039, RetriableError, "asks for a pause"),
        (17, 2446079, RetriableError, "asks for a pause"),
        (32, None, RetriableError, "asks for a pause"),
        (613, None, RetriableError, "asks for a pause"),
        (80000, None, RetriableError, "asks for a pause"),
        (80004, 2446079, RetriableError, "asks for a pause"),
        (80014, None, RetriableError, "asks for a pause"),
        (2601, 1815107, RetriableError, "report is done, but cannot read it"),
        (100, 1487534, PermanentError, "too large"),
        (-3, 1504045, PermanentError, "too large"),
        (100, 1504018, PermanentError, "took too long"),
        (2, 1504038, PermanentError, "took too long"),
        (2, 1504044, PermanentError, "took too long"),
        (2, 1504041, PermanentError, "fields it cannot combine"),
        (3018, None, PermanentError, "older than 37 months"),
        (100, None, PermanentError, "refuses the request (code 100)"),
        (190, None, ConfigurationError, "The access token is not valid"),
        (190, 458, ConfigurationError, "somebody removed the app's access"),
        (190, 459, ConfigurationError, "on hold"),
        (190, 460, ConfigurationError, "password changed"),
        (190, 463, ConfigurationError, "The access token has expired (code 190/463)"),
        (190, 464, ConfigurationError, "not confirmed"),
        (190, 467, ConfigurationError, "was revoked"),
        (102, None, ConfigurationError, "The access token is not valid"),
        (104, None, ConfigurationError, "appsecret_proof"),
        (10, None, ConfigurationError, "ads_read"),
        (200, None, ConfigurationError, "does not let us read this account"),
        (294, None, ConfigurationError, "does not let us read this account"),
        (100, 3191001, ConfigurationError, "does not let us read this account"),
        (100, 33, ConfigurationError, "knows no such account"),
        (2500, None, ConfigurationError, "wrong base_url or api_version"),
        (2635, None, ConfigurationError, "switched off this API version"),
    ],
)
def test_meta_says_why_whatever_the_status(code, subcode, family, told, caplog) -> None:
    body = error(code, subcode).body
    for status in (200, 400):
        found = explain(Refusal(status, "here", body, None), "meta")
        assert isinstance(found, family)
        text = f"{found}{caplog.text}"
        assert told in text
        assert found.fix
        assert not [secret for secret in SECRETS if secret in text]
    assert "fbtrace_id Az8or2yhqkZfEZ-_4Qn_Bam" in caplog.text


def test_an_error_that_meta_calls_transient_can_be_tried_again() -> None:
    body = error(987654, is_transient=True).body
    assert isinstance(explain(Refusal(400, "here", body, None), "meta"), RetriableError)
    less = {"error": {"code": 1, "message": "Please reduce the amount of data you're asking for"}}
    assert "too large" in str(explain(Refusal(500, "here", less, None), "meta"))


@pytest.mark.parametrize(
    ("answer", "family", "told"),
    [
        (error(190, 463), ConfigurationError, "has expired"),
        (error(190, 463, status=200), ConfigurationError, "has expired"),
        (error(2635), ConfigurationError, "switched off this API version"),
        (Answer(status=404), ConfigurationError, "switched off"),
        (Answer(status=410), ConfigurationError, "switched off"),
        (Answer(b"<html>Too many requests", status=429), RetriableError, "asks for a pause"),
        (Answer(b"<html>login"), RetriableError, "web page instead of data"),
        (Answer(b'{"data": [{"spend": NaN}]}'), RetriableError, "not whole JSON"),
        (Answer(["a", "list"]), RetriableError, "not an object"),
        (Answer({"id": "act_100"}), PermanentError, "no currency"),
    ],
)
def test_the_only_account_refused_ends_the_pull(platform, answer, family, told, caplog) -> None:
    server = platform(Graph(accounts={"100": answer}))
    time = FakeTime()
    with pytest.raises(family) as caught:
        pull(server, time=time)
    text = f"{caught.value}{caplog.text}"
    assert told in text
    assert not [secret for secret in SECRETS if secret in text]
    assert len(server.asked) <= 2 * ATTEMPTS
    assert sum(time.slept) < 60


def test_an_outage_told_with_http_200_is_waited_out(platform) -> None:
    graph = Graph(rows=_daily, starts=[error(2, status=200)], reads=[Answer(["a", "list"])])
    time = FakeTime()
    assert len(pull(platform(graph), time=time).records("ad_delivery")) == 1
    assert sum(time.slept) == 2


def test_a_report_is_done_only_when_both_say_so(platform) -> None:
    server = platform(Graph(rows=_daily, states=[[STARTED, RUNNING, EARLY, DONE]]))
    time = FakeTime()
    assert len(pull(server, time=time).records("ad_delivery")) == 1
    polls = [asked for asked in server.asked if asked.path.startswith("/v26.0/1?")]
    assert len(polls) == 4
    assert time.slept[1:] == [0.1, 0.2, 0.4]


@pytest.mark.parametrize(
    "state",
    [
        failed(),
        failed(status="Job Skipped"),
        failed(-2, 2490547),
        failed(2, 1504043),
        error(100, 33),
    ],
)
def test_a_report_that_fails_or_is_gone_is_run_again(platform, state) -> None:
    graph = Graph(rows=_daily, states=[[RUNNING, state], [DONE]])
    found = pull(platform(graph))
    assert len(found.records("ad_delivery")) == 1
    assert graph.windows == [("100", "2026-10-30", "2026-10-30")] * 2


def test_a_report_that_cannot_be_read_though_done_is_run_again(platform) -> None:
    unreadable = error(2601, 1815107, is_transient=True)
    graph = Graph(rows=_daily, reads=[unreadable] * ATTEMPTS)
    assert len(pull(platform(graph)).records("ad_delivery")) == 1
    assert len(graph.windows) == 2


def test_a_report_that_always_fails_ends_the_pull(platform) -> None:
    graph = Graph(states=[[failed(-2, 2490547)]] * 20)
    with pytest.raises(RetriableError, match=r"'Job Failed', code -2/2490547\. 3 reports were run"):
        pull(platform(graph))
    assert len(graph.windows) == 6, "an account is tried twice, each time with three reports"


def test_a_report_fails_for_a_reason_that_a_new_one_would_meet_too(platform) -> None:
    graph = Graph(states=[[failed(200)]])
    with pytest.raises(ConfigurationError, match="does not let us read"):
        pull(platform(graph))
    assert len(graph.windows) == 1


def test_a_stuck_report_is_abandoned_and_said(platform) -> None:
    graph = Graph(states=[[RUNNING]])
    time = FakeTime()
    with pytest.raises(
        RetriableError, match=r"not done after 20 minutes \(Job Running, 100%\)"
    ) as e:
        pull(platform(graph), time=time, report_minutes=20)
    assert "abandoned" in str(e.value)
    assert e.value.retry_after_seconds
    assert 20 * 60 <= sum(time.slept) < 21 * 60
    assert len(graph.windows) == 1, "starting it again at once makes matters worse"


def test_long_windows_are_asked_in_pieces(platform) -> None:
    graph = Graph(rows=_daily)
    found = pull(platform(graph), window=TWELVE, report_days=5)
    assert [window[1:] for window in graph.windows] == [
        ("2026-10-01", "2026-10-05"),
        ("2026-10-06", "2026-10-10"),
        ("2026-10-11", "2026-10-12"),
    ]
    days = [day for (day,) in found.values("ad_delivery", "platform_date")]
    assert days == list(TWELVE.days())


@pytest.mark.parametrize(
    "too_much",
    [
        {"starts": [error(100, 1487534)]},
        {"starts": [error(2, 1504038)]},
        {"starts": [error(100, 1504018, status=500)]},
        {"states": [[RUNNING, failed(-3, 1504045)]]},
        {"states": [[failed(2, 1504044)]]},
        {"reads": [error(100, 1487534)]},
    ],
)
def test_too_much_data_halves_the_days(platform, too_much) -> None:
    graph = Graph(rows=_daily, **too_much)
    found = pull(platform(graph), window=TWELVE, report_days=12)
    assert [window[1:] for window in graph.windows][-2:] == [
        ("2026-10-01", "2026-10-06"),
        ("2026-10-07", "2026-10-12"),
    ]
    days = [day for (day,) in found.values("ad_delivery", "platform_date")]
    assert days == list(TWELVE.days())


@pytest.mark.parametrize(
    ("answer", "family"),
    [(error(100, 1487534), PermanentError), (error(2, 1504038), RetriableError)],
)
def test_a_single_day_that_is_too_much_says_so(platform, answer, family) -> None:
    server = platform(Graph(starts=[answer] * 20))
    with pytest.raises(family, match="Even one day is too much"):
        pull(server, window=TWELVE, report_days=12)


def test_a_cursor_that_repeats_ends_the_pull(platform) -> None:
    server = platform(Graph(pages={"": page([row()], "QQ"), "QQ": page([], "QQ")}))
    with pytest.raises(RetriableError, match=r"repeats a cursor.* 3 reports were run"):
        pull(server)


def test_a_page_that_is_announced_but_cannot_be_reached_is_missed(platform) -> None:
    lost = {"data": [row()], "paging": {"next": "https://graph.facebook.com/x"}}
    with pytest.raises(RetriableError, match="rows would be missing"):
        pull(platform(Graph(pages={"": lost})))


def test_an_empty_page_in_between_is_no_end(platform) -> None:
    pages = {"": page([row()], "A"), "A": page([], "B"), "B": page([row(campaign="13")])}
    found = pull(platform(Graph(pages=pages)))
    assert found.values("ad_delivery", "campaign_id") == [("12",), ("13",)]


def test_one_broken_account_leaves_the_others_alone(platform) -> None:
    graph = Graph(rows=_daily, accounts={"200": error(200, status=403)})
    found = pull(platform(graph), "100", "200", "300")
    assert [batch.account_id for batch in found.of("ad_delivery")] == ["100", "300"]
    (failure,) = found.failures
    assert (failure.account_id, type(failure.error)) == ("200", ConfigurationError)
    assert "act_200" in str(failure.error)
    assert failure.tables == ("ad_accounts", "ad_delivery", "pixel_claims")


def test_a_token_that_is_revoked_half_way_ends_the_pull(platform) -> None:
    graph = Graph(rows=_daily, accounts={"200": error(190, 467)})
    server = platform(graph)
    with pytest.raises(ConfigurationError, match="was revoked"):
        pull(server, "100", "200", "300")
    assert not [asked for asked in server.asked if "act_300" in asked.path]


def test_an_account_out_of_order_is_tried_again_after_the_others(platform) -> None:
    # The first report of account 100 is whole, the second fails until the others are through.
    graph = Graph(rows=_daily, starts=[None, *[error(2)] * ATTEMPTS])
    found = pull(platform(graph), "100", "200", window=TWELVE, report_days=6)
    assert found.failures == []
    assert graph.windows == [
        ("100", "2026-10-01", "2026-10-06"),
        ("200", "2026-10-01", "2026-10-06"),
        ("200", "2026-10-07", "2026-10-12"),
        ("100", "2026-10-07", "2026-10-12"),
    ]
    own = [
        record.values["platform_date"]
        for batch in found.of("ad_delivery")
        for record in batch.records
        if batch.account_id == "100"
    ]
    assert own == list(TWELVE.days()), "what was read before is not read twice"


def test_an_account_that_stays_out_of_order_is_told(platform) -> None:
    graph = Graph(rows=_daily, accounts={"100": error(2)})
    found = pull(platform(graph), "100", "200")
    assert [(each.account_id, type(each.error)) for each in found.failures] == [
        ("100", RetriableError)
    ]


def test_when_all_accounts_fail_the_one_that_may_pass_decides(platform) -> None:
    graph = Graph(accounts={"100": error(200), "200": error(80000)})
    with pytest.raises(RetriableError, match="asks for a pause") as caught:
        pull(platform(graph), "100", "200")
    assert (caught.value.retry_after_seconds or 0) > 60


def _insights(percent: float) -> dict[str, Any]:
    return {"x-fb-ads-insights-throttle": {"app_id_util_pct": 1.5, "acc_id_util_pct": percent}}


def _case(minutes: int, percent: int = 100) -> dict[str, Any]:
    case = {
        "type": "ads_insights",
        "call_count": percent,
        "total_cputime": 5,
        "total_time": 5,
        "estimated_time_to_regain_access": minutes,
    }
    return {"x-business-use-case-usage": {"100": [case]}}


@pytest.mark.parametrize(
    ("headers", "shortest", "longest"),
    [
        (_insights(60.25), 0, 0),
        (_insights(80), 1, 10),
        (_insights(99.5), 9, 11),
        (_insights(100), 30, 30),
        ({"x-app-usage": {"call_count": 90, "total_time": 3, "total_cputime": 3}}, 5, 10),
        ({"x-ad-account-usage": {"acc_id_util_pct": 100, "reset_time_duration": 45}}, 45, 45),
        (_case(1), 60, 60),
        ({"x-app-usage": "not what it was"}, 0, 0),
    ],
)
def test_usage_headers_slow_the_next_call(platform, headers, shortest, longest) -> None:
    time = FakeTime()
    found = pull(platform(Graph(rows=_daily, headers=[headers])), time=time)
    assert len(found.records("ad_delivery")) == 1
    assert shortest <= sum(time.slept) <= longest


def test_a_closed_account_waits_its_minutes_outside(platform) -> None:
    server = platform(Graph(rows=_daily, headers=[_case(25)]))
    with pytest.raises(RetriableError, match="closed this account's allowance") as caught:
        pull(server)
    assert 24 * 60 < (caught.value.retry_after_seconds or 0) <= 25 * 60
    assert len(server.asked) == 1, "nobody knocks at a closed door"


def test_a_refusal_for_a_minute_is_waited_out(platform) -> None:
    graph = Graph(rows=_daily, starts=[error(80000, 2446079)], headers=[{}, _case(1)])
    time = FakeTime()
    assert len(pull(platform(graph), time=time).records("ad_delivery")) == 1
    assert sum(time.slept) == 60


def test_a_delay_that_a_proxy_asks_for_is_kept(platform) -> None:
    pause = Answer(b"<html>slow down", status=429, headers={"Retry-After": "900"})
    server = platform(Graph(accounts={"100": pause}))
    with pytest.raises(RetriableError) as caught:
        pull(server)
    assert caught.value.retry_after_seconds == 900
    assert len(server.asked) == 1


def test_a_report_without_a_state_is_no_endless_wait(platform) -> None:
    with pytest.raises(RetriableError, match="how far the report is"):
        pull(platform(Graph(states=[[{"status": "?"}]] * 2)))


def test_a_refusal_for_long_tells_how_long(platform) -> None:
    graph = Graph(rows=_daily, starts=[error(80000)] * 9, headers=[{}, _case(7)])
    time = FakeTime()
    with pytest.raises(RetriableError) as caught:
        pull(platform(graph), time=time)
    assert 6 * 60 < (caught.value.retry_after_seconds or 0) <= 7 * 60
    assert sum(time.slept) == 0


def test_the_apps_allowance_is_all_accounts_the_accounts_is_its_own(platform) -> None:
    server = platform(Graph(rows=_daily, accounts={"100": error(80000)}))
    found = pull(server, "100", "200")
    assert [each.account_id for each in found.failures] == ["100"]
    app = platform(Graph(rows=_daily, accounts={"100": error(4)}))
    with pytest.raises(RetriableError):
        pull(app, "100", "200")
    assert len(app.asked) == 1


def test_progress_tells_account_report_and_percent(platform, caplog) -> None:
    states = [{**RUNNING, "async_percent_completion": percent} for percent in (0, 10, 20, 40, 70)]
    graph = Graph(rows=_daily, states=[[*states * 2, DONE]])
    with caplog.at_level(logging.INFO, logger="trueline.progress"):
        pull(platform(graph))
    told = [line.getMessage() for line in caplog.records if line.name == "trueline.progress"]
    assert "meta: account 100, 2026-10-30..2026-10-30, 10%" in told
    assert any(line.endswith("page 1, 1 rows") for line in told)
