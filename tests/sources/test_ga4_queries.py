"""What GA4's events mean, told twice: by Google's own evaluator and by DuckDB, which must agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sandbox.server.site_tag import page_url
from sandbox.world import World
from tests.lint.sql_rules import check_query
from tests.sources import googlesql_nested
from tests.sources.ga4_events import MARIA, Event, as_select, event, write_day
from trueline.redaction import redact
from trueline.sources.ga4.export import queries
from trueline.sources.ga4.meaning import parameters
from trueline.sources.ga4.read_files import read_day
from trueline.sources.page_urls import PageUrl, read_page_url
from trueline.sources.settings import Ga4Settings
from trueline.warehouse.dialect import to_duckdb

SITE = "https://www.sunmoor.example"
Rows = list[dict[str, Any]]


def settings(**changed: Any) -> Ga4Settings:
    given = {"type": "ga4", "export": "files", "folder": "exports", "touches": True}
    return Ga4Settings.model_validate({**given, **changed})


def _by_google(events: list[Event], table: str) -> Rows:
    texts = queries()
    sql = (
        f"with export_events as (\n{as_select(events)}\n), flat_events as (\n{texts.evidence}\n), "
        f"found as (\n{texts.by_table[table]}\n) select * from found"
    )
    asked = {name: value for name, value in parameters(settings()).items() if f"@{name}" in sql}
    return googlesql_nested.evaluate(sql, asked)


def _by_duckdb(events: list[Event], table: str, folder: Path) -> Rows:
    texts, asked = queries(), parameters(settings())
    days = {each["event_date"]: None for each in events}
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for number, day in enumerate(days):
            path = write_day(
                folder / str(number),
                [each for each in events if each["event_date"] == day],
                datetime.strptime(day, "%Y%m%d").date(),
            )
            name = path.name
            if number:
                connection.execute("alter table export_events rename to earlier")
            read_day(
                connection, [path], name, datetime.strptime(day, "%Y%m%d").date(), only_events=None
            )
            if number:
                connection.execute("insert into export_events select * from earlier")
                connection.execute("drop table earlier")
        for text in (f"create table flat_events as {texts.evidence}", texts.by_table[table]):
            translated = to_duckdb(text)
            used = {name: value for name, value in asked.items() if f"${name}" in translated}
            result = connection.execute(translated, used)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _sorted(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])


@pytest.fixture
def told(tmp_path: Path) -> Any:
    """Rows of one raw table; both engines have to give the same."""

    def tell(table: str, events: Iterable[Event]) -> Rows:
        given = list(events)
        found = _sorted(_by_duckdb(given, table, tmp_path))
        assert found == _sorted(_by_google(given, table))
        return found

    return tell


@pytest.mark.parametrize("name", ["evidence", "tag_events", "touches"])
def test_the_queries_keep_to_what_both_engines_understand(name: str) -> None:
    text = queries().evidence if name == "evidence" else queries().by_table[name]
    assert check_query(text, name) == []


def test_a_submission_with_the_sites_own_id(told: Any) -> None:
    (row,) = told(
        "tag_events",
        [
            event(
                at="2026-11-20 10:00:00.123456+00:00",
                params={
                    "page_location": f"{SITE}/thank-you?gclid=Cj0-_aB&utm_source=google"
                    "&utm_medium=cpc&utm_campaign=Brand+Search&utm_id=20871100402#top",
                    "page_referrer": f"{SITE}/contact",
                    "event_id": "e1",
                    "form_id": "quote-form",
                },
            )
        ],
    )
    assert row == {
        "observer": "ga4",
        "event_id": "e1",
        "event_name": "generate_lead",
        "occurred_at": datetime(2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC),
        "client_id": MARIA,
        "page_path": "/thank-you",
        "form_id": "quote-form",
        "click_id": "Cj0-_aB",
        "click_id_type": "gclid",
        "platform_lead_id": None,
        "ad_campaign_id": "20871100402",
        "utm_source": "google",
        "utm_medium": "cpc",
        "utm_campaign": "Brand Search",
        "referrer_host": None,
        "is_test": False,
        **dict.fromkeys(
            (
                "email_key",
                "phone_key",
                "email_domain_key",
                "email_local_key",
                "ip_key",
                "user_agent",
            )
        ),
    }


def test_events_that_are_no_submission_are_left_out(told: Any) -> None:
    assert told("tag_events", [event("scroll"), event("page_view")]) == []


def test_the_same_event_written_twice_is_one(told: Any) -> None:
    given = {"page_location": f"{SITE}/thank-you", "ga_session_id": 7}
    retried = event(params=given, batch_page_id=1, batch_ordering_id=2, batch_event_index=1)
    second_tag = {**retried, "batch_event_index": 2}
    later = event(at="2026-11-20 10:00:00.000001+00:00", params=given)
    rows = told("tag_events", [retried, retried, second_tag, later])
    assert len(rows) == 2
    assert len({row["event_id"] for row in rows}) == 2
    assert all(row["event_id"].startswith("ga4-") for row in rows)


def test_the_intraday_table_gives_an_event_the_id_that_the_daily_one_will(told: Any) -> None:
    """Intraday, the batch's numbers are parameters only, and its index is not there at all."""
    given = {"page_location": f"{SITE}/thank-you", "batch_page_id": 11, "batch_ordering_id": 3}
    daily = event(params=given, batch_page_id=11, batch_ordering_id=3, batch_event_index=2)
    (from_daily,) = told("tag_events", [daily])
    (from_intraday,) = told("tag_events", [event(params=given)])
    assert from_daily["event_id"] == from_intraday["event_id"]


def test_consent_denied_keeps_the_submission_and_loses_the_browser(told: Any) -> None:
    denied = {"analytics_storage": "No", "uses_transient_token": "No"}
    events = [
        event(user=None, params={"page_location": f"{SITE}/a"}, privacy_info=denied),
        event(user=None, params={"page_location": f"{SITE}/b"}, privacy_info=denied),
        event(user="token", params={"event_id": "t"}, privacy_info={"uses_transient_token": "Yes"}),
    ]
    rows = told("tag_events", events)
    assert len(rows) == 3
    assert {row["client_id"] for row in rows} == {None}
    assert told("touches", [{**each, "event_name": "session_start"} for each in events]) == []


@pytest.mark.parametrize("user", [MARIA, f"GA1.1.{MARIA}", f"GA1.2.{MARIA}"])
def test_the_browser_has_the_name_that_the_own_tag_gives_it(user: str, told: Any) -> None:
    assert told("tag_events", [event(user=user)])[0]["client_id"] == MARIA


@pytest.mark.parametrize(
    ("params", "is_test"),
    [
        ({"traffic_type": "internal"}, True),
        ({"debug_mode": 1}, True),
        ({"debug_mode": "true"}, True),
        ({"debug_mode": 0}, False),
        ({"traffic_type": "partner"}, False),
        ({}, False),
    ],
)
def test_own_staff_and_debugging_are_tests(params: Any, is_test: bool, told: Any) -> None:
    assert told("tag_events", [event(params=params)])[0]["is_test"] is is_test


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (f"{SITE}/%C3%BCber-uns", "/über-uns"),
        (f"{SITE}/über-uns?x=1", "/über-uns"),
        (f"{SITE}/%E4%BB%B7%E6%A0%BC/%F0%9F%8C%9E", "/价格/🌞"),
        (f"{SITE}/a%20b%2Fc%7E", "/a b/c~"),
        # Half a character, a byte of another encoding, a NUL, a bare percent sign: left.
        (f"{SITE}/%C3/%FCber/%00/100%/%ED%A0%80", "/%C3/%FCber/%00/100%/%ED%A0%80"),
        # What separates the parts of an address stays encoded.
        (f"{SITE}/a%3Fb%23c%26d?e", "/a%3Fb%23c%26d"),
        (SITE, "/"),
        (f"{SITE}?gclid=1", "/"),
        (f"{SITE}/u/maria%40example.com/x", "/u/[e-mail]/x"),
        ("/thank-you", "/thank-you"),
        (None, None),
    ],
)
def test_pages(address: str | None, path: str | None, told: Any) -> None:
    params = {} if address is None else {"page_location": address}
    assert told("tag_events", [event(params=params)])[0]["page_path"] == path


@pytest.mark.parametrize(
    ("query", "kind", "click"),
    [
        ("gclid=Cj0&fbclid=Iw", "gclid", "Cj0"),
        ("fbclid=Iw&wbraid=W_-1", "wbraid", "W_-1"),
        ("GBRAID=0AA", "gbraid", "0AA"),
        ("fbclid=IwAR2", "fbclid", "IwAR2"),
        ("msclkid=ab12", "msclkid", "ab12"),
        ("ttclid=t1&li_fat_id=l1", "ttclid", "t1"),
        ("gclid=&fbclid=Iw", "fbclid", "Iw"),
        ("xgclid=1", None, None),
        ("gclid=maria%40example.com", None, None),
    ],
)
def test_click_ids_out_of_the_address(
    query: str, kind: str | None, click: str | None, told: Any
) -> None:
    (row,) = told("tag_events", [event(params={"page_location": f"{SITE}/a?{query}"})])
    assert (row["click_id_type"], row["click_id"]) == (kind, click)


def test_an_address_tells_ga4_what_it_tells_the_own_tag(tmp_path: Path) -> None:
    """Every landing page of the sandbox, with its untidy tags, and some worse ones."""
    world = World.make(7, last_day=date(2026, 11, 20), days=20, size=0.2)
    addresses = {page_url(touch.page_path, touch.query) for touch in world.touches}
    addresses |= {
        f"{SITE}/a?UTM_Source=%20News%20letter+&utm_medium=&campaignid=7#x",
        f"{SITE}/a?utm_source=first&utm_source=second&hsa_cam=9&gad_campaignid=8",
        f"{SITE}/a?utm_campaign=%C3%9Cber%20uns&GCLID=Ab%2DC&gclsrc=aw.ds",
        f"{SITE}/a?email=maria%40example.com&utm_source=maria%40example.com",
    }
    addresses = {each for each in addresses if len(each) < 1000}
    assert len(addresses) > 1000
    given = [event(params={"event_id": each, "page_location": each}) for each in addresses]
    for number, each in enumerate(given):
        each["event_params"][0]["value"]["string_value"] = f"e{number}"
    found = {row["event_id"]: row for row in _by_duckdb(given, "tag_events", tmp_path)}
    assert len(found) == len(addresses)
    for number, address in enumerate(addresses):
        row, told = found[f"e{number}"], read_page_url(address)
        assert {name: row[name] for name in PageUrl.__slots__} == asdict(told), address


def test_half_a_click_id_at_the_end_of_a_cut_address_is_none(told: Any) -> None:
    """GA4 keeps 1,000 characters of an address."""
    address = f"{SITE}/a?{'x' * 950}&gclid=Cj0KCQiA{'y' * 60}"[:1000]
    (cut,) = told("tag_events", [event(params={"page_location": address})])
    assert (cut["click_id"], cut["click_id_type"]) == (None, None)
    collected = {"gclid": "Cj0whole"}
    (row,) = told(
        "tag_events",
        [event(params={"page_location": address}, collected_traffic_source=collected)],
    )
    assert row["click_id"] == "Cj0whole"


def test_what_ga4_collected_comes_before_the_address(told: Any) -> None:
    collected = {
        "manual_campaign_id": "42",
        "manual_campaign_name": "Herbst",
        "manual_source": "google",
        "manual_medium": "organic",
    }
    (row,) = told(
        "tag_events",
        [
            event(
                params={"page_location": f"{SITE}/?utm_source=x&utm_id=1"},
                collected_traffic_source=collected,
            )
        ],
    )
    assert (row["ad_campaign_id"], row["utm_campaign"]) == ("42", "Herbst")
    assert (row["utm_source"], row["utm_medium"]) == ("google", "organic")


def test_ga4s_words_for_nothing_are_nothing(told: Any) -> None:
    collected = {"manual_source": "(direct)", "manual_medium": "(none)"}
    collected["manual_campaign_name"] = "(not set)"
    (row,) = told("tag_events", [event(collected_traffic_source=collected)])
    assert {row["utm_source"], row["utm_medium"], row["utm_campaign"]} == {None}


def test_the_campaign_of_an_earlier_visit_counts_only_beside_an_own_click(told: Any) -> None:
    """GA4 repeats the last campaign on a direct session: without a click it says nothing."""
    last = {"google_ads_campaign": {"campaign_id": "20871100402"}}
    direct = event(params={"event_id": "a"}, session_traffic_source_last_click=last)
    clicked = event(
        params={"event_id": "b", "page_location": f"{SITE}/?gclid=Cj0"},
        session_traffic_source_last_click=last,
    )
    rows = told("tag_events", [direct, clicked])
    assert {row["event_id"]: row["ad_campaign_id"] for row in rows} == {
        "a": None,
        "b": "20871100402",
    }


PERSONAL = ("maria@example.com", "+49 151 2345678", "(0151) 2345678", "030 1234567", "415-555-2671")
HARMLESS = ("brand-search", "20871100402", "2026-11-20", "autumn 2026", "roof 0.5", "q4/2026")


@pytest.mark.parametrize("value", [*PERSONAL, *HARMLESS])
def test_personal_values_are_told_as_everywhere_else(value: str, told: Any) -> None:
    is_personal = redact(value) != value
    assert is_personal is (value in PERSONAL)
    (row,) = told(
        "tag_events",
        [
            event(
                params={"event_id": value},
                collected_traffic_source={"manual_campaign_name": value, "manual_source": "x"},
            )
        ],
    )
    assert row["utm_campaign"] == (None if is_personal else value)
    assert (row["event_id"] == value) is not is_personal


def _session(at: str, *names: str, number: int = 1795165200, **more: Any) -> list[Event]:
    return [
        event(
            name, f"{at[:-6]}.{place:06}+00:00", params={"ga_session_id": number, **params}, **more
        )
        for place, (name, params) in enumerate(
            (name, {"page_location": f"{SITE}/p{place}"}) for place, name in enumerate(names)
        )
    ]


def test_a_session_is_one_touch_with_its_own_origin(told: Any) -> None:
    events = _session("2026-11-20 09:00:00+00:00", "session_start", "page_view", "page_view")
    # The start tells no campaign; what brought the browser the first time is never read.
    events[1]["collected_traffic_source"] = {"manual_source": "google", "manual_medium": "cpc"}
    events[1]["event_params"].append(
        {
            "key": "page_referrer",
            "value": {"string_value": "https://www.Google.de:443/search", "int_value": None},
        }
    )
    for each in events:
        each["traffic_source"] = {"source": "newsletter", "medium": "email", "name": "old"}
    (row,) = told("touches", events)
    assert row["touch_id"].startswith("ga4-")
    assert row["occurred_at"] == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert (row["utm_source"], row["utm_medium"]) == ("google", "cpc")
    assert (row["page_path"], row["referrer_host"]) == ("/p1", "www.google.de")
    assert row["is_bounce"] is False


def test_one_page_without_engagement_is_a_bounce(told: Any) -> None:
    quick = _session("2026-11-20 09:00:00+00:00", "session_start", "page_view")
    stayed = _session("2026-11-20 11:00:00+00:00", "session_start", "page_view", number=2)
    stayed[1]["event_params"].append(
        {"key": "session_engaged", "value": {"string_value": "1", "int_value": None}}
    )
    assert [row["is_bounce"] for row in told("touches", quick)] == [True]
    assert [row["is_bounce"] for row in told("touches", stayed)] == [False]


def test_a_session_over_midnight_is_not_a_second_visit(told: Any) -> None:
    before = _session("2026-11-20 22:59:00+00:00", "session_start", "page_view")
    after = _session("2026-11-20 23:01:00+00:00", "page_view", "user_engagement")
    assert {each["event_date"] for each in (*before, *after)} == {"20261120", "20261121"}
    (row,) = told("touches", [*before, *after])
    assert row["occurred_at"] == datetime(2026, 11, 20, 22, 59, tzinfo=UTC)


def test_the_hour_that_comes_twice_keeps_both_submissions(told: Any) -> None:
    """2026-10-25, 02:30 summer time and 02:30 winter time in Berlin."""
    rows = told(
        "tag_events",
        [event(at="2026-10-25 00:30:00+00:00"), event(at="2026-10-25 01:30:00+00:00")],
    )
    assert {row["occurred_at"] for row in rows} == {
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    }
