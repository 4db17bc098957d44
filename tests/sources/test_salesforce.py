"""Salesforce as a local server plays it: what is asked, and what becomes of what is told."""

from __future__ import annotations

import logging
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from tests.sources import salesforce_org as org
from tests.sources.conftest import TOKEN, Answer
from tests.sources.salesforce_org import ScriptedOrg, a_change, a_lead, lead_id
from trueline.errors import ConfigurationError, RetriableError
from trueline.sources.salesforce import constants
from trueline.sources.salesforce.values import record_id
from trueline.sources.settings import SalesforceSettings
from trueline.windows import Window

DAY = Window(date(2026, 10, 30), date(2026, 10, 30))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch) -> None:
    monkeypatch.setattr(constants, "FIRST_POLL_SECONDS", 0.001)


def _pull(platform, script: ScriptedOrg, **more):
    server = platform(script)
    batches = org.pull(server.connection(), DAY, **more)
    assert set(script.jobs) == {"deleted"}, "every job is deleted with its results"
    return batches


def _stages(batches) -> list[tuple[str, str, str | None]]:
    return [
        (row["stage"], f"{row['changed_at']:%d %H:%M}", row["stage_reason"])
        for row in org.rows(batches, "crm_stages")
    ]


def test_a_lead_arrives_with_all_it_says(platform) -> None:
    lead = a_lead(
        1,
        Email=' "Anna" <anna@example.org>\n, 2nd line',
        fbclid__c="IwAR1",
        LeadSource="Paid Social",
        Fit__c="0.70",
        Attempts__c="4.0",
        Consent__c="true",
        Is_Test__c="false",
        ConvertedDate="2026-10-30",
    )
    batches = _pull(platform, ScriptedOrg(leads=[lead]))
    (values,) = org.rows(batches, "crm_leads")
    assert values["crm_record_id"] == lead_id(1)
    assert values["crm_created_at"] == datetime(2026, 10, 30, 9, tzinfo=UTC)
    assert values["email"] == '"Anna" <anna@example.org>\n, 2nd line'
    assert (values["click_id"], values["click_id_type"]) == ("IwAR1", "fbclid")
    assert (values["crm"], values["crm_source"]) == ("salesforce", "Paid Social")
    assert (values["fit"], values["phone"], values["segment"]) == (Decimal("0.70"), None, None)
    assert (values["consent_ad_user_data"], values["is_test"]) == ("granted", False)
    assert batches[0].records[0].extra == {"ConvertedDate": "2026-10-30"}
    assert org.rows(batches, "crm_stages")[0]["contact_attempts"] == 4
    assert org.errors(batches) == []


def test_a_lead_form_leaves_the_platforms_own_id_and_an_answer(platform) -> None:
    fields = {"platform_lead_id": "Leadgen__c", "self_reported_source": "Heard__c"}
    script = ScriptedOrg(
        leads=[
            a_lead(1, Leadgen__c="660100000000001", Heard__c="Trade fair"),
            a_lead(2, Heard__c="call +49 30 23125000"),
        ],
        lead_fields=(*org.LEAD, *fields.values()),
    )
    batches = _pull(platform, script, fields={**org.CUSTOM, **fields})
    told = [
        (row["platform_lead_id"], row["self_reported_source"])
        for row in org.rows(batches, "crm_leads")
    ]
    assert told == [("660100000000001", "Trade fair"), (None, None)]


def test_the_window_is_the_companys_day_and_a_little_before(platform) -> None:
    script = ScriptedOrg(leads=[a_lead(1)])
    server = platform(script)
    org.pull(server.connection(), DAY)
    first, before = "2026-10-29T22:45:00Z", "2026-10-30T23:00:00Z"
    assert script.queries == [
        "SELECT Id, LeadId, Field, OldValue, NewValue, CreatedDate FROM LeadHistory WHERE Field IN "
        f"('Status', 'Reason__c') AND Lead.SystemModstamp >= {first} AND "
        f"Lead.SystemModstamp < {before}",
        "SELECT Id, IsDeleted, CreatedDate, SystemModstamp, Email, Status, MasterRecordId, "
        "LastModifiedDate, ConvertedDate, Phone, LeadSource, Industry, GCLID__c, fbclid__c, "
        "Reason__c, Attempts__c, Fit__c, Consent__c, Is_Test__c FROM Lead WHERE "
        f"SystemModstamp >= {first} AND SystemModstamp < {before}",
        "SELECT Id, ConvertedOpportunityId FROM Lead WHERE ConvertedOpportunityId != null AND "
        f"ConvertedOpportunity.SystemModstamp >= {first} AND "
        f"ConvertedOpportunity.SystemModstamp < {before}",
        "SELECT Id, IsDeleted, StageName, IsWon, IsClosed, SystemModstamp, Amount, CloseDate, "
        f"CreatedDate FROM Opportunity WHERE SystemModstamp >= {first} AND "
        f"SystemModstamp < {before}",
    ]
    made = [asked for asked in server.asked if asked.method == "POST"]
    assert {(asked.body["operation"], asked.body["contentType"]) for asked in made} == {
        ("queryAll", "CSV")
    }
    assert all(TOKEN not in asked.path for asked in server.asked)


def test_a_merged_lead_lives_on_and_a_deleted_one_does_not(platform) -> None:
    leads = [
        a_lead(1),
        a_lead(2, IsDeleted="true", MasterRecordId=lead_id(1)[:15]),
        a_lead(3, IsDeleted="true"),
    ]
    batches = _pull(platform, ScriptedOrg(leads=leads))
    told = [
        (row["crm_record_id"], row["merged_into_record_id"], row["is_deleted"], row["email"])
        for row in org.rows(batches, "crm_leads")
    ]
    assert told == [
        (lead_id(1), None, False, "anna1@example.org"),
        (lead_id(2), lead_id(1), False, "anna2@example.org"),
        (lead_id(3), None, True, "anna3@example.org"),
    ]


def test_the_history_tells_every_status_and_why(platform) -> None:
    reason = {"Field": "Reason__c"}
    history = [
        a_change(1, "2026-10-30T13:00:00", "", "Unqualified"),
        a_change(1, "2026-10-30T13:00:04", "", "not_fit", **reason),
        a_change(1, "2026-10-30T10:00:00", "New", "Unqualified"),
        a_change(1, "2026-10-30T10:00:09", "", "spam", **reason),
        a_change(1, "2026-10-30T11:00:00", "Unqualified", "Open"),
        a_change(1, "2026-10-30T11:00:00", "spam", "", **reason),
        a_change(1, "2026-10-30T12:00:00", "Open", ""),
        a_change(9, "2026-10-30T12:00:00", "New", "Open"),
    ]
    leads = [a_lead(1, Status="Unqualified", Reason__c="not_fit"), a_lead(2)]
    batches = _pull(platform, ScriptedOrg(leads=leads, history=history))
    assert _stages(batches) == [
        ("New", "30 09:00", None),
        ("Unqualified", "30 10:00", "spam"),
        ("Open", "30 11:00", None),
        ("Unqualified", "30 13:00", "not_fit"),
        ("New", "30 09:00", None),
    ]


def test_two_changes_in_one_second_stay_in_order(platform) -> None:
    second = "2026-10-30T10:00:00"
    history = [
        a_change(1, second, "Open", "Qualified", Id="017000000000002AAA"),
        a_change(1, second, "New", "Open", Id="017000000000001AAA"),
    ]
    batches = _pull(platform, ScriptedOrg(leads=[a_lead(1, Status="Qualified")], history=history))
    assert [stage for stage, _, _ in _stages(batches)] == ["New", "Open", "Qualified"]


def test_a_history_that_ends_too_early_is_completed_by_the_status_of_today(platform) -> None:
    history = [a_change(1, "2026-10-30T10:00:00", "New", "Open")]
    lead = a_lead(1, Status="Qualified", LastModifiedDate="2026-10-30T15:00:00.000Z")
    batches = _pull(platform, ScriptedOrg(leads=[lead], history=history))
    assert _stages(batches)[-2:] == [("Open", "30 10:00", None), ("Qualified", "30 15:00", None)]


@pytest.mark.parametrize("how", ["not tracked", "no such object"])
def test_without_a_history_the_status_of_the_day_is_told(platform, caplog, how) -> None:
    gone = org.refused("NOT_FOUND", 404)
    script = ScriptedOrg(
        leads=[
            a_lead(1, Status="Unqualified", Reason__c="spam",
                   LastModifiedDate="2026-10-30T15:00:00.000Z")
        ],
        tracked=how != "not tracked",
        instead=lambda asked, what: gone
        if what == "describe LeadHistory" and how == "no such object"
        else None,
    )  # fmt: skip
    batches = _pull(platform, script)
    assert _stages(batches) == [("Unqualified", "30 15:00", "spam")]
    assert not any("LeadHistory" in query for query in script.queries)
    assert "keeps no history of Lead.Status" in caplog.text


def test_an_org_that_does_not_say_what_it_tracks_is_believed_to(platform, caplog) -> None:
    script = ScriptedOrg(
        leads=[a_lead(1)],
        instead=lambda asked, what: org.refused("INVALID_TYPE", 400) if what == "query" else None,
    )
    batches = _pull(platform, script)
    assert _stages(batches) == [("New", "30 09:00", None)]
    assert "does not say whether it keeps" in caplog.text


def test_opportunities_belong_to_the_leads_they_were(platform, caplog) -> None:
    modified = "2026-10-30T12:00:00.000Z"
    deal = {"IsDeleted": "false", "SystemModstamp": modified, "CreatedDate": modified}
    won = {**deal, "StageName": "Closed Won", "IsWon": "true", "IsClosed": "true"}
    open_ = {**deal, "StageName": "Proposal", "IsWon": "false", "IsClosed": "false"}
    deals = [
        {**won, "Id": "006000000000001AAA", "Amount": "1200.50", "CloseDate": "2026-10-30"},
        {**open_, "Id": "006000000000002AAA", "Amount": "9.9E4", "CloseDate": "2027-01-31"},
        {**won, "Id": "006000000000003AAA", "IsDeleted": "true"},
        {**won, "Id": "006000000000004AAA", "Amount": "1"},
        {**won, "Id": "006000000000005AAA", "Amount": "1,5"},
    ]
    converted = [
        {"Id": lead_id(number), "ConvertedOpportunityId": f"00600000000000{deal}AAA"}
        for number, deal in ((8, 1), (7, 1), (2, 2), (3, 3), (5, 5))
    ]
    script = ScriptedOrg(deals=deals, converted=converted)
    batches = _pull(platform, script, currency="EUR")
    told = org.rows(batches, "crm_deals")
    assert [
        (row["deal_id"][14], row["crm_record_id"], row["deal_amount"], row["is_won"],
         row["is_deleted"])
        for row in told
    ] == [
        ("1", lead_id(7), Decimal("1200.50"), True, False),
        ("2", lead_id(2), Decimal("99000"), False, False),
        ("3", lead_id(3), None, True, True),
    ]  # fmt: skip
    # Midnight in Berlin, still the summer's day before in UTC; an open deal has not closed.
    assert told[0]["deal_closed_at"] == datetime(2026, 10, 29, 23, tzinfo=UTC)
    assert told[1]["deal_closed_at"] is None
    assert {row["currency_code"] for row in told} == {"EUR"}
    assert [record.extra for batch in batches for record in batch.records] == [
        {"other_lead_ids": lead_id(8)}, {}, {},
    ]  # fmt: skip
    assert org.errors(batches) == [("crm_deals", "deal_amount", "bad_number")]
    assert "which" not in caplog.text


def test_an_org_with_several_currencies_says_which(platform) -> None:
    deal = {
        "Id": "006000000000001AAA", "IsDeleted": "false", "StageName": "Won", "IsWon": "true",
        "IsClosed": "true", "SystemModstamp": "2026-10-30T12:00:00.000Z", "CurrencyIsoCode": "CHF",
    }  # fmt: skip
    converted = [{"Id": lead_id(1), "ConvertedOpportunityId": deal["Id"]}]
    script = ScriptedOrg(
        deals=[deal], converted=converted, deal_fields=(*org.DEAL, "CurrencyIsoCode")
    )
    (told,) = org.rows(_pull(platform, script), "crm_deals")
    assert told["currency_code"] == "CHF"


def test_one_currency_that_nobody_names_is_told(platform, caplog) -> None:
    _pull(platform, ScriptedOrg())
    assert "set currency of the source 'crm'" in caplog.text


def test_pages_are_followed_by_their_locator_and_are_batches(platform) -> None:
    script = ScriptedOrg(leads=[a_lead(number) for number in range(7)], page=3)
    server = platform(script)
    batches = org.pull(server.connection(), DAY)
    leads = [batch for batch in batches if batch.table == "crm_leads"]
    assert [len(batch.records) for batch in leads] == [3, 3, 1, 0]
    assert [row["crm_record_id"] for row in org.rows(batches, "crm_leads")] == [
        lead_id(number) for number in range(7)
    ]
    asked = [each.path.partition("?")[2] for each in server.asked if "results" in each.path]
    assert asked[1:4] == [
        "maxRecords=10000",
        "maxRecords=10000&locator=MQ-3",
        "maxRecords=10000&locator=MQ-6",
    ]
    assert [each.complete_until for each in leads[-1].coverage] == [
        datetime(2026, 10, 30, 23, tzinfo=UTC)
    ]


def test_an_empty_org_still_says_that_it_was_asked(platform) -> None:
    (batch,) = _pull(platform, ScriptedOrg())
    assert (batch.table, list(batch.records)) == ("crm_leads", [])
    assert [each.subject for each in batch.coverage] == ["salesforce"]


def _results(**answer):
    """Another answer in place of the leads' results."""
    return lambda asked, what: Answer(**answer) if what == "results Lead" else None


ONE_ROW = org.as_csv(org.LEAD, [a_lead(1)])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"body": ONE_ROW}, "counted 2 rows of Lead and sent 1"),
        ({"body": ONE_ROW, "headers": {"Sforce-NumberOfRecords": "2"}}, "1 rows instead of 2"),
        ({"body": ONE_ROW[:-20]}, "no whole CSV"),
        ({"body": ONE_ROW + b'"short"\n'}, "rows of different lengths"),
        ({"body": b"<html>We are down for maintenance"}, "a web page"),
        ({"body": ONE_ROW.replace(b"anna", b"\xff")}, "not UTF-8"),
        ({"body": ONE_ROW, "cut": True}, "cut off"),
        ({"body": b""}, "counted 2 rows of Lead and sent 0"),
    ],
)
def test_results_that_are_not_whole_are_tried_again_later(
    platform, monkeypatch, answer, told
) -> None:
    monkeypatch.setattr("trueline.sources.http._backoff", lambda state: 0.0)
    script = ScriptedOrg(leads=[a_lead(1), a_lead(2)], instead=_results(**answer))
    server = platform(script)
    with pytest.raises(RetriableError, match=told) as caught:
        org.pull(server.connection(), DAY)
    assert "anna" not in str(caught.value)
    assert set(script.jobs) == {"deleted"}


def test_a_locator_that_repeats_ends_the_pull(platform) -> None:
    pages = (
        Answer(org.as_csv(org.LEAD, [a_lead(number)]), headers={"Sforce-Locator": "MQ-3"})
        for number in (1, 2)
    )
    script = ScriptedOrg(
        instead=lambda asked, what: next(pages) if what == "results Lead" else None
    )
    server = platform(script)
    with pytest.raises(RetriableError, match="repeats a locator"):
        org.pull(server.connection(), DAY)
    assert sum("results" in asked.path for asked in server.asked) == 3


@pytest.mark.parametrize("is_healed", [True, False])
def test_a_page_that_comes_in_place_of_another_is_asked_for_again(
    platform, monkeypatch, is_healed
) -> None:
    monkeypatch.setattr("trueline.sources.http._backoff", lambda state: 0.0)
    first, second = (org.as_csv(org.LEAD, [a_lead(number)]) for number in (1, 2))
    told = [
        Answer(first, headers={"Sforce-Locator": "MQ-1", "Sforce-NumberOfRecords": "1"}),
        *[Answer(first, headers={"Sforce-NumberOfRecords": "1"})] * (1 if is_healed else 4),
        Answer(second, headers={"Sforce-NumberOfRecords": "1"}),
    ]
    script = ScriptedOrg(
        leads=[a_lead(1), a_lead(2)],
        instead=lambda asked, what: told.pop(0) if what == "results Lead" else None,
    )
    server = platform(script)
    if is_healed:
        leads = org.rows(org.pull(server.connection(), DAY), "crm_leads")
        assert [row["crm_record_id"] for row in leads] == [lead_id(1), lead_id(2)]
    else:
        # Two rows were counted, and two came.
        with pytest.raises(RetriableError, match="sent a page of Lead twice"):
            org.pull(server.connection(), DAY)


def test_a_row_that_cannot_be_used_is_kept_apart(platform) -> None:
    leads = [
        a_lead(1),
        a_lead(2, CreatedDate="yesterday"),
        a_lead(3, Fit__c="high"),
        a_lead(4, Id=""),
        a_lead(5, SystemModstamp="1899-12-30T00:00:00.000Z"),
    ]
    history = [a_change(1, "2026-10-30T10:00:00", "New", "Open", LeadId="")]
    batches = _pull(platform, ScriptedOrg(leads=leads, history=history))
    assert [row["crm_record_id"] for row in org.rows(batches, "crm_leads")] == [lead_id(1)]
    assert org.errors(batches) == [
        ("crm_stages", "crm_record_id", "missing_required"),
        ("crm_leads", "crm_created_at", "bad_timestamp"),
        ("crm_leads", "fit", "bad_number"),
        ("crm_leads", "crm_record_id", "missing_required"),
        ("crm_leads", "updated_at", "implausible_date"),
        ("crm_stages", "crm_created_at", "bad_timestamp"),
        ("crm_stages", "crm_record_id", "missing_required"),
    ]


def test_a_new_column_is_kept_and_told(platform) -> None:
    more = org.as_csv((*org.LEAD, "Nickname__c"), [a_lead(1, Nickname__c="Anni")])
    script = ScriptedOrg(leads=[a_lead(1)], instead=_results(body=more))
    batches = _pull(platform, script)
    assert batches[0].records[0].extra == {"Nickname__c": "Anni"}
    assert list(batches[0].drift) == ["Lead.Nickname__c"]


def test_a_needed_column_that_is_gone_stops_before_anything_is_loaded(platform) -> None:
    less = org.as_csv([name for name in org.LEAD if name != "Email"], [a_lead(1)])
    script = ScriptedOrg(leads=[a_lead(1)], instead=_results(body=less))
    with pytest.raises(ConfigurationError, match="no column 'Email'"):
        _pull(platform, script)


@pytest.mark.parametrize(
    ("missing", "told"),
    [("Email", r"'Email' of Lead \(setting fields.email\)"), ("Status", "fields.status")],
)
def test_a_needed_field_that_the_user_cannot_see_is_named(platform, missing, told) -> None:
    fields = [name for name in org.LEAD if name != missing]
    server = platform(ScriptedOrg(lead_fields=fields))
    with pytest.raises(ConfigurationError, match=told) as caught:
        org.pull(server.connection(), DAY)
    assert "field-level security" in str(caught.value)
    assert len(server.asked) == 1


def test_a_useful_field_that_is_not_there_is_told_once_and_empty(platform, caplog) -> None:
    caplog.set_level(logging.WARNING)
    fields = [name for name in org.LEAD if name not in ("Phone", "Is_Test__c")]
    batches = _pull(platform, ScriptedOrg(leads=[a_lead(1, Phone="030 1")], lead_fields=fields))
    (values,) = org.rows(batches, "crm_leads")
    assert (values["phone"], values["is_test"]) == (None, None)
    told = [text for text in caplog.messages if "shows none" in text]
    assert told == [
        "Lead has no field, or shows none: Phone (setting fields.phone), "
        "Is_Test__c (setting fields.is_test). Pulled as empty."
    ]


def test_field_names_are_taken_in_the_orgs_own_spelling_and_once(platform) -> None:
    script = ScriptedOrg(leads=[a_lead(1, GCLID__c="Cj1")])
    server = platform(script)
    batches = org.pull(server.connection(), DAY, fields={"gclid": "gclid__C", "wbraid": "GCLID__c"})
    assert org.rows(batches, "crm_leads")[0]["click_id"] == "Cj1"
    assert script.queries[1].count("GCLID__c") == 1


@pytest.mark.parametrize(
    "name", ["Email, Phone", "Email FROM User", "a'b", "1st__c", "Account.Name", "", "É__c"]
)
def test_no_setting_can_write_into_a_query(name) -> None:
    with pytest.raises(ValidationError):
        SalesforceSettings.model_validate({"type": "salesforce", "fields": {"gclid": name}})


@pytest.mark.parametrize("version", ["67.0", "v46.0", "v67", "v67.0/../v1", "v167.1"])
def test_an_api_version_is_one_that_has_query_jobs(version) -> None:
    with pytest.raises(ValidationError):
        SalesforceSettings.model_validate({"type": "salesforce", "api_version": version})


@pytest.mark.parametrize(
    ("short", "full"),
    [
        # Ids of real answers, cut to 15, and the forms that stay as they are.
        ("0055j00000AUSsW", "0055j00000AUSsWAAX"),
        ("750R0000000zxna", "750R0000000zxnaIAA"),
        ("0055j00000AUSsWAAX", "0055j00000AUSsWAAX"),
        ("lead-1", "lead-1"),
        ("", None),
    ],
)
def test_ids_are_eighteen_characters(short, full) -> None:
    assert record_id(short) == full


def test_ids_that_differ_by_case_alone_stay_apart() -> None:
    first, second = record_id("00Q5e000001aBcd"), record_id("00Q5e000001abcd")
    assert first is not None
    assert second is not None
    assert re.fullmatch(r"[A-Za-z0-9]{18}", first)
    assert first.lower() != second.lower()
