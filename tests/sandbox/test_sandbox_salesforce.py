"""The sandbox's Salesforce is as strict as the original, and the usual client reads it."""

from __future__ import annotations

import csv
import io
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, exceptions

from sandbox.server.app import SandboxServer
from sandbox.server.salesforce_records import STATUS, lead_id, opportunity_id
from sandbox.world import World
from trueline.connections import Connection
from trueline.sources.registry import build_source
from trueline.sources.salesforce import constants
from trueline.sources.settings import SalesforceSettings
from trueline.windows import Window, utc_now

ROOT = "/salesforce/services/data/v67.0"
KEY = {"Authorization": "Bearer sandbox-token"}
LEADS = "SELECT Id, Email, Status FROM Lead"


@pytest.fixture(scope="module")
def world() -> World:
    return World.make(7, last_day=date(2026, 10, 31), days=31, size=0.2)


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    server = SandboxServer(world, 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.url
    server.shutdown()
    server.server_close()
    thread.join(5)


def call(url: str, method: str, path: str, **more: Any) -> requests.Response:
    headers = more.pop("headers", KEY)
    return requests.request(method, f"{url}{ROOT}{path}", headers=headers, timeout=20, **more)


def job(url: str, soql: str, operation: str = "query", polls: int = 2) -> str:
    """A new job that was asked ``polls`` times how it goes."""
    made = call(url, "POST", "/jobs/query", json={"operation": operation, "query": soql})
    assert made.status_code == 200, made.text
    assert made.json()["state"] == "UploadComplete"
    for _ in range(polls):
        assert call(url, "GET", f"/jobs/query/{made.json()['id']}").status_code == 200
    return str(made.json()["id"])


def refusal(response: requests.Response) -> tuple[int, str]:
    (error,) = response.json()
    assert set(error) == {"message", "errorCode"}
    return response.status_code, error["errorCode"]


def test_a_job_takes_its_time_and_its_results_come_in_pages(url: str, world: World) -> None:
    made = job(url, LEADS, "queryAll", polls=0)
    path = f"/jobs/query/{made}"
    assert refusal(call(url, "GET", f"{path}/results")) == (400, "INVALIDJOBSTATE")
    assert refusal(call(url, "DELETE", path)) == (400, "API_ERROR")
    states = [call(url, "GET", path).json() for _ in range(3)]
    assert [each["state"] for each in states] == ["InProgress", "JobComplete", "JobComplete"]
    assert states[-1]["numberRecordsProcessed"] == len(world.contacts)
    rows: list[dict[str, str]] = []
    locator: str | None = None
    while locator != "null":
        asked = {"maxRecords": "100", **({"locator": locator} if locator else {})}
        page = call(url, "GET", f"{path}/results", params=asked)
        found = list(csv.DictReader(io.StringIO(page.text)))
        assert len(found) == int(page.headers["Sforce-NumberOfRecords"]) <= 100
        assert page.text.startswith('"Id","Email","Status"\n')
        rows += found
        locator = page.headers["Sforce-Locator"]
    assert {row["Id"] for row in rows} == {lead_id(each.contact_id) for each in world.contacts}
    assert len(rows) == len(world.contacts)
    invented = call(url, "GET", f"{path}/results", params={"locator": "MTAw"})
    assert refusal(invented) == (400, "INVALID_QUERY_LOCATOR")
    assert refusal(call(url, "PATCH", path, json={"state": "Aborted"})) == (400, "INVALIDJOBSTATE")
    other = requests.get(
        f"{url}/salesforce/services/data/v66.0{path}/results", headers=KEY, timeout=20
    )
    assert other.status_code == 409
    assert call(url, "DELETE", path).status_code == 204
    assert refusal(call(url, "GET", f"{path}/results")) == (404, "NOT_FOUND")


def test_an_aborted_job_has_no_results_and_can_be_deleted(url: str) -> None:
    path = f"/jobs/query/{job(url, LEADS, polls=1)}"
    assert call(url, "PATCH", path, json={"state": "Aborted"}).json()["state"] == "Aborted"
    assert call(url, "GET", path).json()["state"] == "Aborted"
    assert refusal(call(url, "GET", f"{path}/results")) == (400, "INVALIDJOBSTATE")
    assert call(url, "DELETE", path).status_code == 204


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Nope__c FROM Lead", "INVALID_FIELD"),
        ("SELECT Id FROM Nobody", "INVALID_TYPE"),
        ("SELECT Id, id FROM Lead", "MALFORMED_QUERY"),
        ("SELECT * FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = 'a' AND Email = 'b' OR Email = 'c'",
         "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE SystemModstamp >= '2026-10-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE SystemModstamp >= 2026-10-01", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE IsDeleted = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Email = \"anna\"", "MALFORMED_QUERY"),
        ("SELECT Id FROM LeadHistory WHERE NewValue = 'Open'", "INVALID_FIELD"),
        ("SELECT Id FROM LeadHistory WHERE Contact.Id = 'x'", "INVALID_FIELD"),
        ("SELECT Id, Address FROM Lead", "FUNCTIONALITY_NOT_ENABLED"),
        ("SELECT Status FROM Lead GROUP BY Status", "API_ERROR"),
        ("SELECT COUNT() FROM Lead", "API_ERROR"),
        ("SELECT Id FROM Lead LIMIT 1 OFFSET 1", "API_ERROR"),
        ("SELECT QualifiedApiName FROM FieldDefinition", "INVALIDENTITY"),
        ("", "MALFORMED_QUERY"),
    ],
)  # fmt: skip
def test_a_query_that_salesforce_would_not_take_is_refused(url: str, soql: str, code: str) -> None:
    answer = call(url, "POST", "/jobs/query", json={"operation": "query", "query": soql})
    assert refusal(answer) == (400, code)


def test_a_missing_field_is_named_as_the_original_does(url: str) -> None:
    answer = call(url, "GET", "/query", params={"q": "SELECT Id, Foo__c FROM Lead"})
    (error,) = answer.json()
    assert "ERROR at Row:1:Column:12\nNo such column 'Foo__c' on entity 'Lead'." in error["message"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Status IN ('qualified', 'Unqualified')", lambda lead: lead["Status"] != "New"),
        ("NOT (Status = 'New')", lambda lead: lead["Status"] != "New"),
        ("IsConverted = true AND Email != null", lambda lead: bool(lead["Email"])),
        ("ConvertedOpportunity.IsClosed = true", lambda lead: lead["IsConverted"] is True),
    ],
)
def test_conditions_hold(url: str, where: str, expected: Any) -> None:
    soql = f"SELECT Id, Status, Email, IsConverted FROM Lead WHERE {where}"
    records = call(url, "GET", "/query", params={"q": soql}).json()["records"]
    assert records
    assert all(expected(record) for record in records)


def test_what_is_asked_in_order_comes_in_order(url: str) -> None:
    soql = "SELECT SystemModstamp FROM Lead ORDER BY SystemModstamp DESC LIMIT 20"
    records = call(url, "GET", "/query", params={"q": soql}).json()["records"]
    times = [record["SystemModstamp"] for record in records]
    assert len(times) == 20
    assert times == sorted(times, reverse=True)
    assert times[0].endswith(".000+0000")


def test_the_org_tells_its_versions_limits_and_usage(url: str) -> None:
    versions = requests.get(f"{url}/salesforce/services/data/", timeout=20).json()
    assert {"label": "Summer '26", "url": "/services/data/v67.0", "version": "67.0"} in versions
    first = call(url, "GET", "/limits")
    used, allowed = first.headers["Sforce-Limit-Info"].removeprefix("api-usage=").split("/")
    left = call(url, "GET", "/limits").json()["DailyApiRequests"]["Remaining"]
    assert int(allowed) - int(used) - left == 1


@pytest.mark.parametrize(
    ("version", "expected"),
    [("v30.0", (410, "UNSUPPORTED_API_VERSION")), ("v99.0", (404, "NOT_FOUND"))],
)
def test_versions_end(url: str, version: str, expected: tuple[int, str]) -> None:
    path = f"{url}/salesforce/services/data/{version}/sobjects/Lead/describe"
    assert refusal(requests.get(path, headers=KEY, timeout=20)) == expected


def test_no_key_no_data(url: str) -> None:
    answer = call(url, "GET", "/limits", headers={"Authorization": "Bearer wrong"})
    assert refusal(answer) == (401, "INVALID_SESSION_ID")


class OverHttp(HTTPAdapter):
    """simple-salesforce writes https:// into every address; the sandbox speaks http."""

    def send(self, request: Any, *args: Any, **more: Any) -> requests.Response:
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *args, **more)


def client(url: str, token: str = "sandbox-token", version: str = "67.0") -> Salesforce:
    session = requests.Session()
    session.mount("https://", OverHttp())
    instance = url.removeprefix("http://") + "/salesforce"
    return Salesforce(instance=instance, session_id=token, version=version, session=session)


def test_the_usual_client_reads_the_same_rows_as_our_adapter(
    url: str, world: World, monkeypatch
) -> None:
    monkeypatch.setattr(constants, "FIRST_POLL_SECONDS", 0.01)
    source = build_source(
        "crm",
        SalesforceSettings(type="salesforce"),
        connection=Connection("trueline_salesforce", f"{url}/salesforce", "sandbox-token"),
        time_zone="Europe/Berlin",
        root=Path(),
        workdir=Path(),
        known_hashes=frozenset(),
        now=utc_now(),
    )
    window = Window(date(2020, 1, 1), world.clock.last_day)
    ours: dict[str, list[Any]] = {}
    for batch in source.pull(window):
        assert not batch.errors
        ours.setdefault(batch.table, []).extend(record.values for record in batch.records)
    salesforce = client(url)
    pages = salesforce.bulk2.Lead.query_all(
        "SELECT Id, Email, Status, GCLID__c, IsDeleted, MasterRecordId FROM Lead",
        max_records=50,
        wait=0,
    )
    theirs = [row for page in pages for row in csv.DictReader(io.StringIO(page))]
    assert [
        (row["Id"], row["Email"], row["GCLID__c"], row["MasterRecordId"]) for row in theirs
    ] == [
        (
            row["crm_record_id"],
            row["email"] or "",
            row["click_id"] or "",
            row["merged_into_record_id"] or "",
        )
        for row in ours["crm_leads"]
    ]
    assert len(theirs) == len(world.contacts) > 200
    history = salesforce.query_all(
        "SELECT LeadId, NewValue FROM LeadHistory WHERE Field = 'Status'", include_deleted=True
    )
    told = Counter((row["LeadId"], row["NewValue"]) for row in history["records"])
    first = Counter(
        (lead_id(each.contact_id), STATUS[each.status[0].value]) for each in world.contacts
    )
    stages = Counter((row["crm_record_id"], row["stage"]) for row in ours["crm_stages"])
    assert told + first == stages
    closed = salesforce.query("SELECT Id FROM Opportunity WHERE IsClosed = true")["records"]
    assert closed
    assert {row["Id"] for row in closed} == {
        row["deal_id"] for row in ours["crm_deals"] if row["is_closed"]
    }
    assert {row["deal_id"] for row in ours["crm_deals"]} == {
        opportunity_id(deal.deal_id) for deal in world.deals
    }
    described = {field["name"] for field in salesforce.Lead.describe()["fields"]}
    assert {"Id", "GCLID__c", "SystemModstamp"} <= described
    assert salesforce.api_usage["api-usage"].total == 5000


def test_the_usual_client_follows_long_answers(url: str, monkeypatch) -> None:
    monkeypatch.setattr("sandbox.server.salesforce.REST_PAGE", 300)
    soql = "SELECT Id FROM LeadHistory"
    first = client(url).query(soql, include_deleted=True)
    assert (first["done"], len(first["records"])) == (False, 300)
    whole = client(url).query_all(soql, include_deleted=True)
    assert len({row["Id"] for row in whole["records"]}) == first["totalSize"]


def test_the_usual_client_knows_what_was_refused(url: str) -> None:
    with pytest.raises(exceptions.SalesforceExpiredSession):
        client(url, token="wrong").Lead.describe()
    with pytest.raises(exceptions.SalesforceMalformedRequest, match="MALFORMED_QUERY"):
        client(url).query("SELECT FROM Lead")
    with pytest.raises(exceptions.SalesforceMalformedRequest, match="INVALID_FIELD"):
        list(client(url).bulk2.Lead.query("SELECT Nope__c FROM Lead", wait=0))
    with pytest.raises(exceptions.SalesforceResourceNotFound):
        client(url).Nobody.describe()
    with pytest.raises(exceptions.SalesforceGeneralError, match="410"):
        client(url, version="30.0").Lead.describe()
