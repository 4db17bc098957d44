"""Meta's own client against the sandbox: it must see what the adapter sees."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from facebook_business.adobjects.adaccount import AdAccount
from facebook_business.adobjects.adreportrun import AdReportRun
from facebook_business.adobjects.adsactionstats import AdsActionStats
from facebook_business.adobjects.adsinsights import AdsInsights
from facebook_business.adobjects.campaign import Campaign
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from sandbox.server import meta as meta_server
from sandbox.server import meta_insights, meta_reports
from sandbox.server.app import SandboxServer
from sandbox.server.meta import Meta
from sandbox.server.meta_reports import Ending
from sandbox.world import World
from sandbox.world.company import META_ACCOUNT
from tests.sources.conftest import WINDOW
from tests.sources.meta_graph import FakeTime, Pulled, pull
from trueline.connections import Connection
from trueline.errors import ConfigurationError, PermanentError, RetriableError
from trueline.sources.meta_ads import constants

TOKEN = "sandbox-token"
SPAN = {"since": str(WINDOW.start), "until": str(WINDOW.end)}


class Sandbox:
    """The sandbox with the platform's insides at hand."""

    def __init__(self, world: World) -> None:
        self.meta = Meta(world)
        self._server = SandboxServer(world, 0)
        self._server.platforms["meta-ads"] = self.meta.answer
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        self.url = f"{self._server.url}/meta-ads"

    def connection(self) -> Connection:
        return Connection("trueline_meta_ads", self.url, TOKEN)

    def pull(self, **settings: Any) -> Pulled:
        return pull(self, META_ACCOUNT, window=WINDOW, **settings)

    def sdk(self, token: str = TOKEN, version: str | None = None) -> FacebookAdsApi:
        """Meta's client; its address is an attribute of the session."""
        session = FacebookSession(access_token=token, timeout=10)
        session.GRAPH = self.url
        session.requests.trust_env = False
        return FacebookAdsApi(session, api_version=version)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    started = Sandbox(world)
    yield started
    started.close()


def _names(of: Any) -> set[str]:
    return {value for name, value in vars(of).items() if not name.startswith("__")}


def _params() -> dict[str, Any]:
    return {
        "level": "campaign",
        "time_increment": 1,
        "time_range": SPAN,
        "filtering": list(constants.FILTERING),
        "action_attribution_windows": list(constants.WINDOWS),
    }


def _report(account: AdAccount) -> list[AdsInsights]:
    run = account.get_insights(is_async=True, fields=list(constants.FIELDS), params=_params())
    assert isinstance(run, AdReportRun)
    states = []
    while run.get("async_status") != "Job Completed" or run["async_percent_completion"] != 100:
        run = run.api_get()
        assert set(run) - {"report_run_id"} <= _names(AdReportRun.Field)
        states.append((run["async_status"], run["async_percent_completion"]))
        assert len(states) < 10
    assert states[0] == ("Job Not Started", 0)
    assert ("Job Running", 100) in states, "all percents alone do not mean done"
    return list(run.get_insights(params={"limit": 20}))


def test_nothing_is_asked_for_that_the_sdk_does_not_know() -> None:
    assert set(constants.FIELDS) | set(constants.DAY_FIELDS) <= _names(AdsInsights.Field)
    assert set(constants.WINDOWS) <= _names(AdsInsights.ActionAttributionWindows)
    assert set(constants.ACCOUNT_FIELDS) <= _names(AdAccount.Field)
    assert set(constants.RUN_FIELDS) <= _names(AdReportRun.Field)
    assert set(constants.FILTERING[0]["value"]) == _names(Campaign.EffectiveStatus)
    assert FacebookAdsApi.API_VERSION == "v26.0"


def test_the_sandbox_knows_no_field_that_the_sdk_does_not() -> None:
    assert _names(AdsInsights.Field) >= meta_insights.FIELDS
    assert _names(AdReportRun.Field) >= meta_reports.FIELDS
    assert _names(AdAccount.Field) >= meta_server.ACCOUNT_FIELDS


def test_meta_own_client_reads_the_same_rows_as_the_adapter(sandbox: Sandbox) -> None:
    account = AdAccount(f"act_{META_ACCOUNT}", api=sandbox.sdk())
    rows = _report(account)
    assert len(rows) == 93
    for row in rows:
        assert isinstance(row, AdsInsights)
        assert set(row) <= _names(AdsInsights.Field)
        for action in row["actions"]:
            assert set(action) <= _names(AdsActionStats.Field)
    found = sandbox.pull(report_days=7)
    assert found.failures == []
    delivered = {
        (campaign, str(day)): (micros, impressions, clicks)
        for campaign, day, micros, impressions, clicks in found.values(
            "ad_delivery", "campaign_id", "platform_date", "cost_micros", "impressions", "clicks"
        )
    }
    assert delivered == {
        (row["campaign_id"], row["date_start"]): (
            Decimal(row["spend"]) * 1_000_000,
            int(row["impressions"]),
            int(row["clicks"]),
        )
        for row in rows
    }
    claimed = {
        (campaign, str(day), kind): (int(count), int(views))
        for campaign, day, kind, count, views in found.values(
            "pixel_claims",
            "campaign_id",
            "platform_date",
            "conversion_action",
            "pixel_conversions",
            "view_through",
        )
    }
    assert claimed == {
        (row["campaign_id"], row["date_start"], action["action_type"]): (
            int(action["value"]),
            int(action.get("1d_view", 0)),
        )
        for row in rows
        for action in row["actions"]
        if action["action_type"] != "link_click"
    }


def test_both_clients_read_the_account_alike(sandbox: Sandbox) -> None:
    about = AdAccount(f"act_{META_ACCOUNT}", api=sandbox.sdk()).api_get(
        fields=list(constants.ACCOUNT_FIELDS)
    )
    assert set(about) <= _names(AdAccount.Field)
    names = ("account_id", "account_name", "currency_code", "account_time_zone")
    told = (about["account_id"], about["name"], about["currency"], about["timezone_name"])
    assert sandbox.pull().values("ad_accounts", *names) == [told]


def test_reading_at_once_gives_the_sdk_the_same_rows_as_the_report(sandbox: Sandbox) -> None:
    account = AdAccount(f"act_{META_ACCOUNT}", api=sandbox.sdk())
    cursor = account.get_insights(fields=list(constants.FIELDS), params={**_params(), "limit": 40})
    at_once = [row.export_all_data() for row in cursor]
    assert at_once == [row.export_all_data() for row in _report(account)]
    used = json.loads(cursor.headers()["x-fb-ads-insights-throttle"])
    assert used["acc_id_util_pct"] == 1


@pytest.mark.parametrize(
    ("token", "version", "path", "code", "subcode", "is_transient"),
    [
        ("expired", None, f"act_{META_ACCOUNT}", 190, None, False),
        (TOKEN, "v19.0", f"act_{META_ACCOUNT}", 2635, None, False),
        (TOKEN, None, "act_42", 200, None, False),
        (TOKEN, None, "4711", 100, 33, False),
    ],
)
def test_refusals_are_the_sdks_own_errors(
    sandbox: Sandbox, token, version, path, code, subcode, is_transient
) -> None:
    with pytest.raises(FacebookRequestError) as caught:
        sandbox.sdk(token, version).call("GET", [path])
    assert caught.value.api_error_code() == code
    assert caught.value.api_error_subcode() == subcode
    assert caught.value.api_transient_error() is is_transient


def test_a_report_read_too_early_or_gone_is_refused(sandbox: Sandbox) -> None:
    account = AdAccount(f"act_{META_ACCOUNT}", api=sandbox.sdk())
    run = account.get_insights(is_async=True, fields=["spend"], params=_params())
    with pytest.raises(FacebookRequestError) as early:
        run.get_insights()
    assert (early.value.api_error_code(), early.value.api_error_subcode()) == (2601, 1815107)
    assert early.value.api_transient_error() is True
    sandbox.meta.reports.forget()
    with pytest.raises(FacebookRequestError) as gone:
        run.api_get()
    assert (gone.value.api_error_code(), gone.value.api_error_subcode()) == (100, 33)


def test_totals_are_told_at_once_or_if_the_report_was_started_with_them(sandbox: Sandbox) -> None:
    account = AdAccount(f"act_{META_ACCOUNT}", api=sandbox.sdk())
    fields, asked = ["impressions", "spend"], {**_params(), "default_summary": True, "limit": 40}
    cursor = account.get_insights(fields=fields, params=asked)
    told = json.loads(cursor.summary().removeprefix("<Summary> "))
    rows = [row.export_all_data() for row in cursor]
    assert len(rows) > 40, "totals are of all pages"
    for name in fields:
        assert Decimal(told[name]) == sum(Decimal(row[name]) for row in rows)
    asked = {**_params(), "summary": ["impressions"]}
    run = account.get_insights(is_async=True, fields=fields, params=asked)
    while run["async_status"] != "Job Completed" if "async_status" in run else True:
        run = run.api_get()
    with pytest.raises(FacebookRequestError) as refused:
        run.get_insights(params={"summary": ["spend"]})
    assert refused.value.api_error_code() == 100
    assert refused.value.api_error_message().endswith("All available values are: impressions")
    assert len(run.get_insights(params={"summary": ["impressions"]}))


@pytest.mark.parametrize("kind", ["form", "json", "address"])
def test_a_report_is_started_by_form_json_or_address(sandbox: Sandbox, kind: str) -> None:
    params = {**_params(), "fields": ["spend"]}
    texts = {name: json.dumps(value) for name, value in params.items() if name != "level"}
    texts["level"] = "campaign"
    sent: dict[str, Any] = {
        "form": {"data": {**texts, "access_token": TOKEN}},
        "json": {"json": {**params, "access_token": TOKEN}},
        "address": {"params": {**texts, "access_token": TOKEN}},
    }[kind]
    url = f"{sandbox.url}/v26.0/act_{META_ACCOUNT}/insights"
    answer = requests.post(url, timeout=10, **sent)
    assert answer.status_code == 200, answer.text
    assert answer.json()["report_run_id"].isdigit()


def test_a_failed_report_is_run_again_and_one_too_large_is_cut(sandbox: Sandbox) -> None:
    whole = sandbox.pull().values("ad_delivery", "campaign_id", "platform_date")
    sandbox.meta.reports.endings.append(Ending(code=-2, subcode=2490547))
    assert sandbox.pull().values("ad_delivery", "campaign_id", "platform_date") == whole
    sandbox.meta.reports.most_rows = 10
    cut = sandbox.pull().values("ad_delivery", "campaign_id", "platform_date")
    assert sorted(cut) == sorted(whole)
    sandbox.meta.reports.most_rows = 1
    with pytest.raises(PermanentError, match="Even one day is too much"):
        sandbox.pull()


def test_a_stuck_report_is_abandoned(sandbox: Sandbox) -> None:
    sandbox.meta.reports.endings.append(Ending("Job Running", 99))
    time = FakeTime()
    with pytest.raises(RetriableError, match="not done after 5 minutes"):
        sandbox.pull(report_minutes=5, time=time)
    assert sum(time.slept) >= 300


def test_a_deleted_campaign_keeps_its_past(sandbox: Sandbox) -> None:
    whole = sandbox.pull().values("ad_delivery", "campaign_id", "platform_date")
    gone = whole[0][0]
    sandbox.meta.insights.statuses[gone] = "DELETED"
    assert sandbox.pull().values("ad_delivery", "campaign_id", "platform_date") == whole
    plain = {name: value for name, value in _params().items() if name != "filtering"}
    account = AdAccount(f"act_{META_ACCOUNT}", api=sandbox.sdk())
    rows = account.get_insights(fields=["campaign_id"], params={**plain, "limit": 500})
    assert gone not in {row["campaign_id"] for row in rows}, "as at Meta, where nobody asks"


def test_an_allowance_that_is_used_up_is_waited_for_outside(sandbox: Sandbox) -> None:
    sandbox.meta.used_percent, sandbox.meta.regain_minutes = 100, 12
    with pytest.raises(RetriableError, match="asks for a pause") as caught:
        sandbox.pull()
    assert 11 * 60 < (caught.value.retry_after_seconds or 0) <= 12 * 60
    sandbox.meta.used_percent, sandbox.meta.regain_minutes = 90, 0
    time = FakeTime()
    assert sandbox.pull(time=time).failures == []
    assert sum(time.slept) > 20, "near the limit calls are spaced"


def test_an_old_version_is_said_once_and_clearly(sandbox: Sandbox) -> None:
    with pytest.raises(ConfigurationError, match="switched off this API version"):
        sandbox.pull(api_version="v19.0")
