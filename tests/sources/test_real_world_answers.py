"""Answers of the shapes that other connectors' fixtures and public threads show, played anew."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sources import hubspot_portal as hubspot
from tests.sources import salesforce_org as salesforce
from tests.sources.conftest import Answer, Asked
from tests.sources.google_ads_script import ACCOUNT, Script, failures
from tests.sources.google_ads_script import pull as pull_google
from tests.sources.hubspot_portal import Portal, change, contact
from tests.sources.meta_graph import DAY, Graph, error
from tests.sources.meta_graph import pull as pull_meta
from tests.sources.salesforce_org import ScriptedOrg, refused
from trueline.errors import ConfigurationError, RetriableError


@pytest.mark.parametrize(
    ("answer", "family", "told"),
    [
        # Airbyte's list of real errors: no subcode, only the words tell what it is about.
        (error(100, message="(#100) Missing permissions"), ConfigurationError, "does not let us"),
        # "It can be a temporal problem": asked of one account, nothing can be made less.
        (
            error(1, status=500, message="Please reduce the amount of data you're asking for"),
            RetriableError,
            "too large",
        ),
        (error(960, message="Request aborted"), RetriableError, "out of order"),
        (error(368, message="deemed abusive"), RetriableError, "blocked"),
    ],
)
def test_meta_refusals_are_what_they_are(play, answer, family, told) -> None:
    with pytest.raises(family) as caught:
        pull_meta(play(Graph(accounts={"100": answer})))
    assert told in str(caught.value)
    assert caught.value.family == family.family, "and no other family's child"


def test_a_block_of_meta_is_not_knocked_at(play) -> None:
    server = play(Graph(accounts={"100": error(368)}))
    with pytest.raises(RetriableError) as caught:
        pull_meta(server)
    assert caught.value.retry_after_seconds == 3600
    assert len(server.asked) == 1


def test_a_day_that_is_too_much_while_meta_is_busy_may_pass_later(play) -> None:
    busy = error(1, status=500, message="Please reduce the amount of data you're asking for")
    with pytest.raises(RetriableError, match="Even one day is too much"):
        pull_meta(play(Graph(starts=[busy] * 9)), window=DAY)


@pytest.mark.parametrize(
    ("answer", "family", "told", "waits"),
    [
        (
            refused(
                "REQUEST_LIMIT_EXCEEDED",
                403,
                "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
            ),
            RetriableError,
            "under way at once",
            None,
        ),
        (
            refused("REQUEST_LIMIT_EXCEEDED", 403, "TotalRequests Limit exceeded."),
            RetriableError,
            "24 hours",
            3600,
        ),
        (Answer(b"{}", 420), RetriableError, "HTTP 420", None),
        (Answer(b"", 406), RetriableError, "HTTP 406", None),
        (refused("TXN_SECURITY_METERING_ERROR", 400), RetriableError, "cannot answer now", None),
        (
            refused("API_ERROR", 400, "Implementation restriction: View All Data"),
            ConfigurationError,
            "View All",
            None,
        ),
        (
            refused("OAUTH_APP_ACCESS_DENIED", 403),
            ConfigurationError,
            "OAUTH_APP_ACCESS_DENIED",
            None,
        ),
    ],
)
def test_salesforce_refusals_are_what_they_are(
    play, monkeypatch, answer, family, told, waits
) -> None:
    monkeypatch.setattr("trueline.sources.http._wait", lambda state: 0.0)
    server = play(
        ScriptedOrg(instead=lambda asked, what: answer if what == "describe Lead" else None)
    )
    with pytest.raises(family) as caught:
        salesforce.pull(server.connection(), hubspot.DAY)
    assert told in str(caught.value)
    assert getattr(caught.value, "retry_after_seconds", None) == waits


def test_salesforces_concurrent_calls_are_tried_again_within_the_pull(play, monkeypatch) -> None:
    monkeypatch.setattr("trueline.sources.http._wait", lambda state: 0.0)
    busy = [refused("REQUEST_LIMIT_EXCEEDED", 403, "ConcurrentPerOrgLongTxn Limit exceeded.")]

    def instead(asked: Asked, what: str) -> Answer | None:
        return busy.pop() if busy and what == "create LeadHistory" else None

    server = play(ScriptedOrg(leads=[salesforce.a_lead(1)], instead=instead))
    monkeypatch.setattr("trueline.sources.salesforce.client.time.sleep", lambda seconds: None)
    found = salesforce.pull(server.connection(), hubspot.DAY)
    assert [row["crm_record_id"] for row in salesforce.rows(found, "crm_leads")] == [
        salesforce.lead_id(1)
    ]


def test_hubspots_front_that_cannot_place_a_token_is_for_a_person(play) -> None:
    with pytest.raises(ConfigurationError, match="HTTP 530"):
        hubspot.pull(play([Answer(b"error code: 1016", 530)]))


def _staged(number: str) -> dict[str, Any]:
    made = contact(number, hs_lead_status="NEW")
    return {**made, "propertiesWithHistory": {"hs_lead_status": [change("NEW", "01T08:00")]}}


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ([_staged("7"), _staged("8")], "told of 0 of them and called 0 gone; 2"),
        ([_staged("1")], "told of 1 of them and called 0 gone; 0"),
    ],
)
def test_hubspots_answer_to_another_batch_loses_no_history(play, results, told) -> None:
    portal = Portal(_staged("1"), _staged("2"))

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/batch/read"):
            return Answer({"status": "COMPLETE", "results": results})
        return portal(asked)

    with pytest.raises(RetriableError) as caught:
        hubspot.pull(play(answer))
    assert f"asked for 2 contacts, {told}" in str(caught.value)


def test_hubspots_survivor_of_a_merge_is_an_answer_and_one_that_is_gone_too(play) -> None:
    portal = Portal(_staged("1"), _staged("2"), _staged("3"))

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/batch/read") and len(asked.body["inputs"]) == 3:
            survivor = _staged("1")
            survivor["properties"]["hs_merged_object_ids"] = "2;99"
            body = {
                "status": "COMPLETE",
                "results": [survivor],
                "numErrors": 1,
                "errors": [hubspot.not_found("3")],
            }
            return Answer(body, 207)
        return portal(asked)

    found = hubspot.pull(play(answer))
    stages = hubspot.values(found, "crm_stages")
    assert [row["crm_record_id"] for row in stages] == ["1"]


def test_an_answer_without_content_is_tried_again_and_refuses_nothing(
    play, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("trueline.sources.http._wait", lambda state: 0.0)
    found = pull_google(play(Script({("*", "campaign"): Answer(b"", 204)})), tmp_path, DAY)
    assert isinstance(failures(found)[ACCOUNT], RetriableError)
    assert "no data (HTTP 204)" in str(failures(found)[ACCOUNT])
